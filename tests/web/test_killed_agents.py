"""A killed agent's key is refused everything, and everyone who looks sees that it was killed."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access
from tests.web.inbox.reading import reader
from tests.web.serving import serving
from tests.web.test_waits import FAR, listening, waiting
from tests.web.web_env import PLAIN, TYPE, VALIDATOR, Answer, WebEnv

KILL = "/v1/mesh/agents/validator/kill"
RESUME = "/v1/mesh/agents/validator/resume"
CLAIM = "/v1/agents/validator/deliveries/claim"


async def kill(web: WebEnv, who: str = "oscar") -> Answer:
    answer = await web.call("POST", KILL, None, who)
    assert answer.status == 200, answer.text
    return answer


async def resume(web: WebEnv) -> None:
    answer = await web.call("POST", RESUME, None, "oscar")
    assert (answer.status, answer["status"]) == (200, "active")
    assert answer["agent"]["health_status"] != "killed"


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


REFUSED = (403, "agent_killed")


async def test_responses_have_the_format_of_axp(web: WebEnv) -> None:
    listed = (await web.get("/v1/mesh/agents/validator"))["agent"]
    killed = await kill(web)
    assert (killed["ok"], killed["status"]) == (True, "killed")
    assert killed["agent"]["health_status"] == "killed"
    for said in (VALIDATOR, listed["address_id"]):
        assert (await web.call("POST", f"/v1/mesh/agents/{said}/kill", None, "oscar"))["status"] == "killed"
    beat = await web.call("POST", "/v1/mesh/heartbeat", None, "agent")
    assert (beat.status, beat["status"], beat["health_status"]) == (200, "killed", "killed")
    found = await web.get("/v1/mesh/agents?health=killed")
    assert [one["address"] for one in found["agents"]] == [VALIDATOR]
    assert found["summary"]["killed"] == 1
    assert found["summary"]["healthy"] == 0
    await web.post(RESUME, {}, "oscar")
    beat = await web.call("POST", "/v1/mesh/heartbeat", None, "agent")
    assert (beat["status"], beat["health_status"]) == ("healthy", "healthy")


@pytest.mark.parametrize("act", ["kill", "resume"])
async def test_address_of_another_workspace_kills_no_agent_of_this_one(web: WebEnv, act: str) -> None:
    """Work for such an address goes to the agent of the same name here, but killing that one would be a mistake."""
    if act == "resume":
        await kill(web)
    before = (await web.get("/v1/mesh/agents/validator"))["agent"]
    for stranger in (
        "agent://globex/default/validator",
        "globex/default/validator",
        "agent://nowhere/validator",
    ):
        path = f"/v1/mesh/agents/{quote(stranger, safe='')}"
        assert (await web.get(path))["agent"] == before
        assert refused(await web.call("POST", f"{path}/{act}", None, "oscar")) == (404, "agent_not_found")
    assert (await web.get("/v1/mesh/agents/validator"))["agent"] == before


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.access is Access.KEY], ids=lambda one: one.name
)
async def test_killed_agent_may_only_send_heartbeats(web: WebEnv, endpoint: Any) -> None:
    await kill(web)
    path = endpoint.path.replace("{address:path}", "validator")
    for name in ("intent_id", "task_id", "delivery_id", "person_id", "account_id", "key_id"):
        path = path.replace("{" + name + "}", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000")
    body = None if endpoint.method == "GET" else b"{}"
    answer = await web.call(endpoint.method, path, body, "agent")
    assert answer.code == ("" if endpoint.name == "sendHeartbeat" else "agent_killed")
    assert endpoint.killed is (endpoint.name == "sendHeartbeat")


async def test_work_of_a_killed_agent_is_refused_to_everybody(web: WebEnv) -> None:
    await web.send(to_agent="validator")
    await kill(web)
    for who in ("agent", "oscar"):
        assert refused(await web.post(CLAIM, {}, who)) == REFUSED
        assert refused(await web.get("/v1/agents/validator/intents", who)) == REFUSED
        assert refused(await web.get("/v1/agents/validator/intents/stream", who)) == REFUSED
    await resume(web)
    assert len((await web.post(CLAIM, {}, "agent"))["deliveries"]) == 1


async def test_requests_to_a_killed_agent_are_refused_and_longer_plans_wait(web: WebEnv) -> None:
    open_id = await web.send(to_agent="validator")
    await kill(web)
    direct = {"intent_type": PLAIN, "payload": {}, "to_agent": "validator"}
    assert refused(await web.post("/v1/intents", direct)) == REFUSED
    named = {"intent_type": PLAIN, "payload": {}, "to_agent": "other", "from_agent": VALIDATOR}
    assert refused(await web.post("/v1/intents", named)) == REFUSED
    canceled = await web.send(to_agent="stranger")
    await web.post(f"/v1/intents/{canceled}/resolve", {"status": "CANCELED"})
    await web.call("POST", "/v1/mesh/agents/stranger/kill", None, "oscar")
    assert refused(await web.post(f"/v1/intents/{canceled}/retry", {})) == REFUSED
    gated = await web.post("/v1/intents", {**direct, "human_task": {"title": "May we?"}})
    assert gated.status == 200
    assert any("was killed" in one for one in gated["warnings"])
    await web.apply_workflow()
    waits = await web.post("/v1/intents", {"intent_type": TYPE, "payload": {}})
    assert waits.status == 200
    assert any("was killed; it waits until the agent is resumed" in one for one in waits["warnings"])
    assert await web.status(open_id) == "DELIVERED", "what was there stays"


async def test_result_from_before_the_kill_is_never_accepted(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    [delivery] = (await web.post(CLAIM, {"lease_seconds": 600}, "agent"))["deliveries"]
    path, token = f"/v1/deliveries/{delivery['delivery_id']}", delivery["token"]
    await kill(web)
    report = {"token": token, "result": {"n": 1}}
    assert refused(await web.post(f"{path}/report", report, "agent")) == REFUSED
    assert refused(await web.post(f"{path}/renew", {"token": token}, "agent")) == REFUSED
    assert refused(await web.post(f"/v1/intents/{intent_id}/resume", {"n": 1}, "agent")) == REFUSED
    await resume(web)
    stale = await web.post(f"{path}/report", report, "agent")
    assert refused(stale) == (409, "stale_delivery")
    web.clock.move(timedelta(minutes=1))
    await web.env.timekeeper.once()
    [again] = (await web.post(CLAIM, {}, "agent"))["deliveries"]
    assert (again["intent_id"], again["attempt"]) == (intent_id, 2)


async def test_kill_is_recorded_and_shown_on_every_surface(web: WebEnv) -> None:
    await web.join("adam", "admin")
    await web.apply_workflow()
    intent_id = await web.send()
    await kill(web, "adam")
    web.clock.move(timedelta(minutes=5))
    account = (await web.get("/v1/agents/validator", "rita"))["agent"]
    assert (account["status"], account["killed_by"]) == ("killed", "Adam")
    assert account["killed_at"].startswith("2026-03-02T09:")
    for program in ("ci", "stranger"):
        assert "killed_by" not in (await web.get("/v1/agents/validator", program))["agent"], (
            "no names for programs"
        )
    changes = (await web.get("/v1/changes?about=agent:validator", "oscar"))["changes"]
    assert (changes[0]["actor"]["name"], changes[0]["after"]["status"]) == ("Adam", "killed")
    oscar = await reader(web, "oscar")
    said = f"{VALIDATOR} was killed by Adam, 5m ago. Its work waits until it is resumed."
    assert said in (await oscar.get(f"/intents/{intent_id}")).text
    assert said in (await oscar.get("/agents")).text


async def test_owners_and_admins_kill_and_resume_on_the_page(web: WebEnv) -> None:
    oscar, ann = await reader(web, "oscar"), await reader(web, "ann")
    account = (await web.get("/v1/agents/validator", "oscar"))["agent"]["id"]
    service = next(
        one for one in await web.state.accounts.accounts(await web.actor("oscar")) if one.name == "ci"
    )
    assert f"/agents/{service.id}/kill" not in (await oscar.get("/agents")).html
    assert "/kill" not in (await ann.get("/agents")).html
    for act in ("kill", "resume"):
        assert f"/agents/{account}/{act}" in (await oscar.get("/agents")).html
        assert (await ann.post(f"/agents/{account}/{act}")).status == 403
        assert (await oscar.post(f"/agents/{account}/{act}")).where == "/agents"
        status = (await web.get("/v1/agents/validator"))["agent"]["status"]
        assert status == ("killed" if act == "kill" else "active")


@pytest.mark.parametrize("who", ["agent", "oscar"])
async def test_open_stream_of_a_killed_agent_ends_at_once(web: WebEnv, who: str) -> None:
    path = f"/v1/agents/{VALIDATOR}/intents/stream?wait_seconds=45"
    await web.apply_workflow()
    async with serving(web) as url, listening(url, path, **{"x-api-key": web.keys[who]}) as lines:
        await waiting(web)
        await kill(web)
        await web.send()
        said = [line async for line in lines]
        assert [line for line in said if line.startswith("data")] == []


async def test_waiting_claim_of_a_killed_agent_ends_at_once(web: WebEnv) -> None:
    await web.apply_workflow()
    async with serving(web) as url, httpx2.AsyncClient(base_url=url, timeout=FAR) as http:
        headers = {"x-api-key": web.keys["agent"]}
        claim = asyncio.create_task(http.post(CLAIM, json={"wait_seconds": 45}, headers=headers))
        await waiting(web)
        await kill(web)
        answer = await asyncio.wait_for(claim, FAR)
        assert (answer.status_code, answer.json()["error"]["code"]) == REFUSED
        assert await web.status(await web.send()) == "DELIVERED"


async def test_kills_and_resumes_are_listed(web: WebEnv) -> None:
    await kill(web)
    web.clock.move(timedelta(minutes=1))
    await resume(web)
    listed = await web.get("/v1/mesh/events?limit=50", "oscar")
    assert [(one["event_type"], one["address"]) for one in listed["events"]] == [
        ("agent.resumed", VALIDATOR),
        ("agent.killed", VALIDATOR),
    ]
    assert {one["actor_id"] for one in listed["events"]} == {"per_oscar"}
    killed = await web.get("/v1/mesh/events?event_type=agent.killed", "aud")
    assert [one["event_type"] for one in killed["events"]] == ["agent.killed"]
    unknown = await web.get("/v1/mesh/events?event_type=agent.degraded", "oscar")
    assert (unknown.status, unknown["error"]["field"]) == (422, "event_type")
    assert (await web.get("/v1/mesh/events", "ann")).code == "auditor_required"
    assert (await web.get("/v1/mesh/events")).code == "person_required"
    assert (await web.get("/v1/mesh/events", "sam"))["events"] == []


@pytest.mark.parametrize("restriction", ["killed", "limits", "senders"])
async def test_restricted_agent_is_removed_by_admins_only(web: WebEnv, restriction: str) -> None:
    """The service that registered it cannot put another agent of that name in its place."""
    made = await web.post("/v1/service-accounts", {"name": "robot"}, "ci")
    assert made.status == 200, made.text
    path = next(
        f"/v1/service-accounts/{one['id']}"
        for one in (await web.get("/v1/service-accounts", "oscar"))["service_accounts"]
        if one["name"] == "robot"
    )
    ways: dict[str, tuple[str, str, Any]] = {
        "killed": ("POST", "/v1/mesh/agents/robot/kill", None),
        "limits": ("PUT", "/v1/mesh/agents/robot/policies/cost", {"max_intents_per_day": 1}),
        "senders": ("PUT", "/v1/agents/robot/policy", {"policy_type": "allowlist"}),
    }
    method, where, body = ways[restriction]
    assert (await web.call(method, where, body, "oscar")).status == 200
    assert refused(await web.call("DELETE", path, None, "ci")) == (403, "admin_required")
    assert (await web.call("DELETE", path, None, "oscar")).status == 200
    assert (await web.post("/v1/service-accounts", {"name": "agent://other/robot"}, "ci")).status == 200
    for address, meant in (
        ("agent://acme/prod/robot", "agent://acme/prod/robot"),
        ("robot", "agent://acme/prod/robot"),
        ("agent://other/robot", "agent://other/robot"),
    ):
        sent = await web.post("/v1/intents", {"intent_type": PLAIN, "to_agent": address, "payload": {}})
        assert sent.status == 200, sent.text
        intent = await web.get(f"/v1/intents/{sent['intent_id']}")
        assert intent["intent"]["to_agent"] == meant
