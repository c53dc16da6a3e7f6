"""AXP's mesh: heartbeats and health of agents, and what its clients ask about the server."""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.workers import PRESENT, Worker
from signoff.web.api.routes import ENDPOINTS
from signoff.web.axp.capabilities import CAPABILITIES
from signoff.web.axp.mesh import _out as shown
from tests.web.web_env import HOME, PLAIN, VALIDATOR, WebEnv

BEAT = "/v1/mesh/heartbeat"


async def health(web: WebEnv, who: str = "ci", query: str = "") -> dict[str, Any]:
    answer = await web.get(f"/v1/mesh/agents{query}", who)
    assert answer.status == 200, answer.text
    return {one["address"].rpartition("/")[2]: one["health_status"] for one in answer["agents"]}


@pytest.mark.parametrize("body", [None, {}, {"metrics": {}}])
async def test_heartbeat_counts_as_activity_like_a_poll(web: WebEnv, body: Any) -> None:
    assert await health(web) == {"validator": "unknown", "stranger": "unknown"}
    beat = await web.call("POST", BEAT, body, "agent", user_agent="axme-sdk-python/0.3")
    assert (beat.status, beat["status"], beat["health_status"]) == (200, "healthy", "healthy")
    assert "warnings" not in beat.json
    assert await health(web) == {"validator": "healthy", "stranger": "unknown"}
    found = (await web.get("/v1/agents/validator"))["agent"]
    assert (found["last_seen"], found["last_seen_client"]) == ("now", "axme-sdk-python/0.3")


async def test_unknown_fields_of_a_heartbeat_are_refused(web: WebEnv) -> None:
    for body, code in (({"metric": {}}, "unknown_field"), ({"metrics": 3}, "validation_error")):
        refused = await web.post(BEAT, body, "stranger")
        assert (refused.status, refused.code) == (422, code)
    assert (await health(web))["stranger"] == "unknown"


@pytest.mark.parametrize("who", ["ci", "oscar", "ann"])
async def test_only_an_agent_sends_a_heartbeat(web: WebEnv, who: str) -> None:
    refused = await web.post(BEAT, {}, who)
    assert (refused.status, refused.code) == (403, "agent_required")
    assert set((await health(web)).values()) == {"unknown"}


async def test_agent_without_activity_for_three_minutes_is_unreachable(web: WebEnv) -> None:
    await web.get("/v1/agents/validator/intents", "agent")
    await web.state.workers.once()
    web.state.workers._noted.clear()  # as any other server, which has heard nothing
    web.clock.move(timedelta(minutes=2))
    assert (await health(web))["validator"] == "healthy"
    web.clock.move(timedelta(minutes=1))
    assert (await health(web))["validator"] == "unreachable"
    await web.post(BEAT, {}, "stranger")
    answer = await web.get("/v1/mesh/agents?limit=1")
    assert len(answer["agents"]) == 1
    assert answer["summary"] == {
        "total": 2,
        "healthy": 1,
        "degraded": 0,
        "unreachable": 1,
        "killed": 0,
        "unknown": 0,
    }


async def test_agent_is_healthy_for_less_than_three_minutes(web: WebEnv) -> None:
    account, now = (await web.env.directory.of(HOME)).by_address[VALIDATOR], web.clock.now()
    for ago, said in ((PRESENT - timedelta(seconds=1), "healthy"), (PRESENT, "unreachable")):
        assert shown(account, Worker(VALIDATOR, now - ago), now).health_status == said
    assert shown(account, None, now).health_status == "unknown"


async def test_agents_are_filtered_by_health(web: WebEnv) -> None:
    await web.post(BEAT, {}, "agent")
    assert await health(web, query="?health=healthy") == {"validator": "healthy"}
    assert await health(web, query="?health=unknown") == {"stranger": "unknown"}
    assert await health(web, query="?health=killed") == {}
    everybody = (await web.get("/v1/mesh/agents"))["summary"]
    assert (await web.get("/v1/mesh/agents?health=killed"))["summary"] == everybody
    assert len(await health(web, query="?health=")) == 2
    refused = await web.get("/v1/mesh/agents?health=fine")
    assert (refused.status, refused["error"]["field"]) == (422, "health")


async def test_agent_is_found_by_id_address_and_name(web: WebEnv) -> None:
    await web.post(BEAT, {}, "agent")
    listed = (await web.get("/v1/mesh/agents?health=healthy"))["agents"][0]
    assert listed["address_id"] == (await web.get("/v1/agents/validator"))["agent"]["address_id"]
    for said in (listed["address_id"], VALIDATOR, "acme/prod/validator", "validator"):
        found = (await web.get(f"/v1/mesh/agents/{said}"))["agent"]
        assert {**found, "last_heartbeat_at": listed["last_heartbeat_at"]} == listed
    assert listed["display_name"] == "validator"
    named = {"name": "checker", "display_name": "Checks migrations"}
    assert (await web.post("/v1/service-accounts", named, "oscar")).status == 200
    assert (await web.get("/v1/mesh/agents/checker"))["agent"]["display_name"] == "Checks migrations"
    for said in ("nobody", "addr_none", "ci"):
        missing = await web.get(f"/v1/mesh/agents/{said}")
        assert (missing.status, missing.code) == (404, "agent_not_found")


async def test_another_workspace_sees_none_of_these_agents(web: WebEnv) -> None:
    await web.post(BEAT, {}, "agent")
    assert "validator" not in await health(web, "sam")
    here = (await web.get("/v1/mesh/agents/validator"))["agent"]["address_id"]
    assert (await web.get(f"/v1/mesh/agents/{here}", "sam")).status == 404


async def test_capabilities_list_existing_families(web: WebEnv) -> None:
    flow = {"workflow": "w", "intent_type": "a.new.v1", "steps": [{"id": "do", "agent": "validator"}]}
    before = (await web.get("/v1/capabilities"))["supported_intent_types"]
    assert PLAIN not in before
    await web.post("/v1/workflows", flow, "oscar")
    answer = await web.get("/v1/capabilities")
    assert answer["supported_intent_types"] == sorted([*before, "a.new.v1"])
    for family in answer["capabilities"]:
        assert any(family in row.path.split("/") for row in ENDPOINTS), family
    assert answer["capabilities"] == [*CAPABILITIES]


async def test_scenario_templates_are_an_empty_list(web: WebEnv) -> None:
    assert (await web.get("/v1/tool-registry/macros")).json == {"ok": True, "macros": []}
    assert (await web.get("/v1/tool-registry/macros/any")).status == 404
