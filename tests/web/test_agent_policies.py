"""AXP's agent policies: who may send to an agent, and how much work it gets."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.web.web_env import HOME, PLAIN, TYPE, VALIDATOR, Answer, WebEnv

POLICY = "/v1/agents/validator/policy"
COST = "/v1/mesh/agents/validator/policies/cost"
BEAT = "/v1/mesh/heartbeat"
TO_IT: dict[str, Any] = {"intent_type": PLAIN, "payload": {}, "to_agent": "validator"}


async def send(web: WebEnv, who: str = "ci", **more: Any) -> Answer:
    return await web.post("/v1/intents", {**TO_IT, **more}, who)


async def set_mode(web: WebEnv, mode: str, *patterns: str) -> Answer:
    for pattern in patterns:
        answer = await web.post(f"{POLICY}/entries", {"sender_pattern": pattern}, "oscar")
        assert answer.status == 200, answer.text
    return await web.call("PUT", POLICY, {"policy_type": mode}, "oscar")


async def set_limits(web: WebEnv, **limits: Any) -> Answer:
    answer = await web.call("PUT", COST, limits, "oscar")
    assert answer.status == 200, answer.text
    return answer


async def test_agent_is_open_until_an_admin_lists_senders(web: WebEnv) -> None:
    assert (await web.get(POLICY, "oscar"))["policy"] == {
        "address": VALIDATOR,
        "policy_type": "open",
        "entries": [],
    }
    assert (await send(web)).status == 200
    answer = await set_mode(web, "allowlist", "stranger")
    [entry] = answer["policy"]["entries"]
    assert entry["sender_pattern"] == "agent://acme/prod/stranger"
    refused = await send(web)
    assert (refused.status, refused.code) == (403, "sender_not_allowed")
    assert (await send(web, "stranger")).status == 200
    assert (await send(web, "oscar")).code == "sender_not_allowed", "a person has no address"
    gone = await web.call("DELETE", f"{POLICY}/entries/{entry['entry_id']}", None, "oscar")
    assert gone["warnings"] == ["no sender is listed, so nobody may send to the agent"]
    assert (await send(web, "stranger")).code == "sender_not_allowed"
    await set_mode(web, "allowlist", "*")
    assert (await send(web, "oscar")).status == 200


async def test_entries_without_effect_are_a_warning(web: WebEnv) -> None:
    answer = await web.post(f"{POLICY}/entries", {"sender_pattern": "acme/prod/*"}, "oscar")
    assert answer["warnings"] == ["the agent is open to any sender, so its entries have no effect"]
    assert "warnings" not in (await set_mode(web, "denylist")).json


async def test_denylist_also_refuses_a_claimed_author(web: WebEnv) -> None:
    await set_mode(web, "denylist", "stranger")
    assert (await send(web, "stranger")).code == "sender_not_allowed"
    assert (await send(web, from_agent="agent://acme/prod/stranger")).code == "sender_not_allowed"
    assert (await send(web, from_agent="a name only")).status == 200


async def test_every_way_to_send_work_to_it_is_refused(web: WebEnv) -> None:
    first = await send(web)
    await web.post(f"/v1/intents/{first['intent_id']}/resolve", {"status": "CANCELED"})
    await web.apply_workflow()
    await set_mode(web, "allowlist", "stranger")
    ways = {
        "direct": await send(web),
        "gated": await send(web, human_task={"title": "May we?"}),
        "workflow": await web.post("/v1/intents", {"intent_type": TYPE, "payload": {}}),
        "retry": await web.post(f"/v1/intents/{first['intent_id']}/retry", {}),
        "bundle": await web.post(
            "/v1/scenarios/apply",
            {
                "scenario_id": "s",
                "agents": [{"role": "bot", "address": "validator"}],
                "workflow": {"steps": [{"step_id": "a", "assigned_to": "bot"}]},
                "intent": {"type": PLAIN, "payload": {}},
            },
        ),
    }
    assert {way: answer.code for way, answer in ways.items()} == dict.fromkeys(ways, "sender_not_allowed")


async def test_pattern_matches_a_sender_under_every_name_of_its_workspace(web: WebEnv) -> None:
    await set_mode(web, "allowlist", "agent://acme/prod/stranger")
    renamed = await web.call("PATCH", "/v1/workspaces/current", {"name": "live"}, "oscar")
    assert renamed.status == 200, renamed.text
    assert (await send(web, "stranger")).status == 200
    await set_mode(web, "allowlist", "agent://acme/live/*")
    assert (await send(web)).status == 200


@pytest.mark.parametrize("who", ["ci", "agent", "ann", "aud"])
async def test_only_admins_restrict_an_agent(web: WebEnv, who: str) -> None:
    for method, path, body in (
        ("PUT", POLICY, {"policy_type": "open"}),
        ("POST", f"{POLICY}/entries", {"sender_pattern": "*"}),
        ("DELETE", f"{POLICY}/entries/snd_1", None),
        ("PUT", COST, {"max_intents_per_day": 1}),
    ):
        refused = await web.call(method, path, body, who)
        assert (refused.status, refused.code) == (403, "admin_required")
    seen = {path: (await web.get(path, who)).status for path in (POLICY, COST)}
    assert seen == dict.fromkeys(seen, 403 if who == "ci" else 200), "a service that did not register it"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (POLICY, {"policy_type": "closed"}, "policy_type"),
        (POLICY, {}, "policy_type"),
        (POLICY, {"policy_type": "open", "entries": []}, "entries"),
        (COST, {"action_on_breach": "kill"}, "action_on_breach"),
        (COST, {"max_intents_per_day": 0}, "max_intents_per_day"),
        (COST, {"max_intents_per_day": 1.5}, "max_intents_per_day"),
        (COST, {"max_cost_per_day_usd": -1}, "max_cost_per_day_usd"),
        (COST, {"max_cost_per_month_usd": 1}, "max_cost_per_month_usd"),
        (COST, {"rules": []}, "rules"),
    ],
)
async def test_unenforceable_policy_is_refused_by_field(
    web: WebEnv, path: str, body: dict[str, Any], field: str
) -> None:
    refused = await web.call("PUT", path, body, "oscar")
    assert (refused.status, refused["error"]["field"]) == (422, field)


async def test_daily_and_hourly_limits_refuse_new_requests(web: WebEnv) -> None:
    answer = await set_limits(web, max_intents_per_day=3, max_intents_per_hour=2)
    assert answer["policy"] == {
        "max_intents_per_day": 3,
        "max_intents_per_hour": 2,
        "action_on_breach": "block",
        "intents_this_hour": 0,
        "intents_today": 0,
        "cost_today_usd": 0.0,
    }
    for _ in range(2):
        assert (await send(web)).status == 200
    refused = await send(web)
    assert (refused.status, refused.code) == (429, "agent_limit_reached")
    assert "2 requests this hour" in refused["error"]["message"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await send(web, human_task={"title": "May we?"})).code == "agent_limit_reached"
    assert (await send(web, to_agent="stranger")).status == 200
    web.clock.move(timedelta(hours=1))
    assert (await send(web)).status == 200
    web.clock.move(timedelta(hours=1))
    assert "3 requests today" in (await send(web))["error"]["message"]
    assert (await web.get(COST, "oscar"))["policy"]["intents_today"] == 3
    await set_limits(web)
    assert (await send(web)).status == 200
    assert (await web.env.directory.of(HOME)).by_address[VALIDATOR].limits is None


async def test_concurrent_requests_do_not_exceed_a_limit(web: WebEnv) -> None:
    await set_limits(web, max_intents_per_day=4)
    answers = await asyncio.gather(*(send(web) for _ in range(12)))
    assert sorted(one.status for one in answers) == [200] * 4 + [429] * 8


async def test_request_that_was_not_created_is_not_counted(web: WebEnv) -> None:
    await set_limits(web, max_intents_per_day=1)
    first = await web.call("POST", "/v1/intents", TO_IT, "ci", idempotency_key="k1")
    again = await web.call("POST", "/v1/intents", TO_IT, "ci", idempotency_key="k1")
    assert (again.status, again["intent_id"]) == (200, first["intent_id"]), "the stored answer"
    await set_limits(web, max_intents_per_day=2)
    again = await web.call("POST", "/v1/intents", TO_IT, "ci", idempotency_key="k1")
    assert again["intent_id"] == first["intent_id"]
    other = await web.call("POST", "/v1/intents", {**TO_IT, "payload": {"n": 1}}, "ci", idempotency_key="k1")
    assert other.code == "idempotency_conflict"
    assert (await web.get(COST, "oscar"))["policy"]["intents_today"] == 1


async def test_reported_cost_counts_towards_the_daily_limit(web: WebEnv) -> None:
    await set_limits(web, max_cost_per_day_usd=0.5)
    await web.post(BEAT, {"metrics": {"cost_usd": 0.3}}, "agent")
    assert (await send(web)).status == 200
    await web.post(BEAT, {"metrics": {"cost_usd": 0.2}}, "agent")
    refused = await send(web)
    assert (refused.status, refused.code) == (429, "agent_limit_reached")
    assert "0.50 USD" in refused["error"]["message"]
    web.clock.move(timedelta(days=1))
    assert (await send(web)).status == 200


async def test_registering_an_agent_again_lifts_no_restriction(web: WebEnv) -> None:
    await set_mode(web, "allowlist", "stranger")
    await set_limits(web, max_intents_per_day=1)
    account = (await web.get("/v1/agents/validator"))["agent"]["id"]
    await web.call("DELETE", f"/v1/service-accounts/{account}", None, "oscar")
    assert (await web.post("/v1/service-accounts", {"name": "validator"}, "oscar")).status == 200
    assert (await send(web)).code == "sender_not_allowed"
    assert (await web.get(COST, "oscar"))["policy"]["max_intents_per_day"] == 1


async def test_another_spelling_of_its_name_registers_the_same_agent_again(web: WebEnv) -> None:
    await set_limits(web, max_intents_per_day=1)
    account = (await web.get("/v1/agents/validator"))["agent"]["id"]
    await web.call("DELETE", f"/v1/service-accounts/{account}", None, "oscar")
    again = await web.post("/v1/service-accounts", {"name": "Validator"}, "oscar")
    assert (again.status, again["service_account"]["id"]) == (200, account)
    assert (await web.get(COST, "oscar"))["policy"]["max_intents_per_day"] == 1
    await web.call("DELETE", f"/v1/service-accounts/{account}", None, "oscar")
    service = await web.post("/v1/keys", {"service": "Validator"}, "oscar")
    assert (service.status, service.code) == (422, "address_taken")
    assert "an agent that was removed" in service["error"]["message"]


async def test_change_log_says_who_restricted_an_agent(web: WebEnv) -> None:
    await set_mode(web, "denylist", "stranger")
    await set_limits(web, max_intents_per_day=7)
    log = (await web.get("/v1/changes?about=agent:validator", "oscar"))["changes"]
    assert log[0]["after"]["limits"] == {"per_day": 7}
    assert log[1]["after"]["senders"] == {"mode": "denylist", "patterns": ["agent://acme/prod/stranger"]}


async def test_metrics_are_summed_and_shown(web: WebEnv) -> None:
    metrics = {
        "intents_total": 3,
        "intents_succeeded": 2,
        "intents_failed": 1,
        "avg_latency_ms": 20,
        "cost_usd": 0.25,
    }
    for _ in range(2):
        beat = await web.call("POST", BEAT, {"metrics": metrics}, "agent", x_trace_id="t1")
        assert "warnings" not in beat.json
    await web.post(BEAT, {"metrics": {"intents_total": 1, "cost_usd": 0.5}}, "agent")
    shown = (await web.get("/v1/mesh/agents/validator", "ann"))["agent"]
    assert (shown["intents_period"], shown["cost_period"]) == (4, 0.75)
    assert shown["metrics"] == {
        "intents_total": 4,
        "intents_succeeded": 2,
        "intents_failed": 1,
        "avg_latency_ms": 15.0,
        "cost_usd": 0.75,
        "reported_at": shown["metrics"]["reported_at"],
    }
    for path in ("/v1/agents/validator", "/v1/mesh/agents/validator"):
        assert (await web.get(path, "agent"))["agent"]["metrics"]["intents_total"] == 4, "itself"
        assert "metrics" not in (await web.get(path, "ci"))["agent"], "another program"
    [listed] = [one for one in (await web.get("/v1/agents", "ann"))["agents"] if one["name"] == "validator"]
    assert listed["metrics"]["cost_usd"] == 0.75
    web.clock.move(timedelta(days=6))
    for window, total in (("day", None), ("week", 4), ("month", 4)):
        found = (await web.get(f"/v1/mesh/agents?window={window}", "ann"))["agents"]
        assert {one.get("intents_period") for one in found} == {None, total}
    assert (await web.get("/v1/mesh/agents?window=year"))["error"]["field"] == "window"


@pytest.mark.parametrize(
    ("metrics", "field"),
    [
        ({"intents_total": -1}, "intents_total"),
        ({"intents_total": 1.5}, "intents_total"),
        ({"intents_failed": True}, "intents_failed"),
        ({"cost_usd": "1"}, "cost_usd"),
        ({"cost_usd": 1e9}, "cost_usd"),
        ({"avg_latency_ms": 3}, "avg_latency_ms"),
    ],
)
async def test_invalid_metric_is_refused_by_field(web: WebEnv, metrics: dict[str, Any], field: str) -> None:
    refused = await web.post(BEAT, {"metrics": metrics}, "agent")
    assert (refused.status, refused["error"]["field"]) == (422, f"metrics.{field}")


async def test_unknown_metrics_are_a_warning(web: WebEnv) -> None:
    beat = await web.post(BEAT, {"metrics": {"llm_calls": 3, "cost_usd": 0.1}}, "agent")
    assert beat["warnings"] == ["metrics.llm_calls is not kept"]
    many = await web.post(BEAT, {"metrics": {f"m{at}": 1 for at in range(50)}}, "agent")
    assert len(many["warnings"]) == 10


async def test_address_of_another_workspace_restricts_no_agent_here(web: WebEnv) -> None:
    elsewhere = "agent://globex/prod/validator"
    for path, body in (
        (f"/v1/agents/{elsewhere}/policy", {"policy_type": "allowlist"}),
        (f"/v1/mesh/agents/{elsewhere}/policies/cost", {"max_intents_per_day": 1}),
    ):
        refused = await web.call("PUT", path, body, "oscar")
        assert (refused.status, refused.code) == (404, "agent_not_found")
    assert (await send(web)).status == 200


@pytest.mark.parametrize(
    ("pattern", "warned"),
    [
        ("agent://ACME/prod/stranger", "matches no sender: this workspace is acme/prod"),
        ("agent://acme/test/*", "matches no sender: this workspace is acme/prod"),
        ("agent://other/*", "matches no sender: this workspace is acme/prod"),
        ("nobody", "matches no sender yet: no agent or service has this address"),
        ("agent://acme", "matches no sender yet: no agent or service has this address"),
        ("stranger", ""),
        ("agent://acme/*", ""),
        ("agent://acme/prod/*", ""),
        ("*", ""),
    ],
)
async def test_sender_pattern_that_matches_nobody_is_a_warning(
    web: WebEnv, pattern: str, warned: str
) -> None:
    await set_mode(web, "denylist")
    answer = await web.post(f"{POLICY}/entries", {"sender_pattern": pattern}, "oscar")
    assert [one.partition(" ")[2] for one in answer.json.get("warnings", [])] == ([warned] if warned else [])
