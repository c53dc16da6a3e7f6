"""What a request says and nothing uses is named in the answer, or refused."""

import json
from typing import Any

import pytest

from tests.web.test_workspace import bundle
from tests.web.world import PAYLOAD, PLAIN, TYPE, World


def noted(answer: Any, name: str) -> bool:
    assert answer.status == 200, answer.text
    return any(warning.startswith(f"{name}") or f".{name}" in warning for warning in answer["warnings"])


REMINDING = {"remind_after_seconds": 60, "remind_interval_seconds": 60, "max_reminders": 2}
TIMING = {**REMINDING, "escalate_to": "otto@acme.example"}
ASK = {"title": "Sure?"}


@pytest.mark.parametrize("name", TIMING)
async def test_reminders_and_escalation_of_a_request_that_asks_nobody(web: World, name: str) -> None:
    base = {"intent_type": PLAIN, "payload": PAYLOAD, name: TIMING[name]}
    assert noted(await web.post("/v1/intents", {**base, "to_agent": "validator"}), name)
    asking = await web.post("/v1/intents", {**base, **TIMING, "human_task": ASK})
    assert not noted(asking, name)


@pytest.mark.parametrize("name", ["remind_interval_seconds", "max_reminders"])
async def test_an_interval_or_a_count_without_a_first_reminder(web: World, name: str) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, name: 5}
    assert noted(await web.post("/v1/intents", body), name)


async def test_attempts_of_a_request_that_calls_no_agent(web: World) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, "max_delivery_attempts": 2}
    assert noted(await web.post("/v1/intents", body), "max_delivery_attempts")
    assert not noted(
        await web.post("/v1/intents", {**body, "to_agent": "validator"}), "max_delivery_attempts"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [*TIMING.items(), ("human_task", ASK), ("max_delivery_attempts", 2), ("to_agent", "somebody-else")],
)
async def test_what_a_workflow_says_instead(web: World, name: str, value: Any) -> None:
    await web.apply_workflow()
    body = {"intent_type": TYPE, "payload": PAYLOAD}
    answer = await web.post("/v1/intents", {**body, name: value})
    assert noted(answer, f"{name} is ignored: workflow")
    assert not noted(await web.post("/v1/intents", {**body, "to_agent": "validator"}), "to_agent")


async def test_a_bundle_is_told_the_same_by_validate(web: World) -> None:
    steps = [{"step_id": "check", "assigned_to": "checker", **TIMING}]
    given = {"agents": [{"role": "checker", "address": "validator"}], "workflow": {"steps": steps}}
    intent = {**bundle()["intent"], **TIMING}
    intent.pop("human_task", None)
    answer = await web.post("/v1/scenarios/validate", {"scenario_id": "s", "intent": intent, **given})
    for name in TIMING:
        assert noted(answer, f"intent.{name}: has no effect"), answer["warnings"]
        assert noted(answer, f"steps.check.{name}: has no effect"), answer["warnings"]


@pytest.mark.parametrize("blank", ["", "  "])
async def test_a_blank_person_is_refused_not_left_free_to_decide(web: World, blank: str) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, "on_behalf_of": blank}
    refused = await web.post("/v1/intents", body)
    assert (refused.status, refused["error"]["field"]) == (422, "on_behalf_of")


async def test_an_ending_names_what_it_does_not_keep(web: World) -> None:
    for ending, unused in (
        ({"status": "FAILED", "error": {"code": "x"}, "result": {"a": 1}}, "result"),
        ({"status": "CANCELED", "error": {"code": "x"}}, "error"),
        ({"status": "COMPLETED", "result": {"a": 1}, "reason": "fine"}, "reason"),
        ({"status": "COMPLETED", "result": {"a": 1}}, ""),
        ({"status": "CANCELED", "reason": "late"}, ""),
    ):
        intent_id = await web.send(to_agent="validator")
        answer = await web.post(f"/v1/intents/{intent_id}/resolve", ending)
        assert answer.status == 200
        assert answer.json.get("warnings", []) == (
            [f"{unused}: not kept with {ending['status']}."] if unused else []
        )


async def test_an_error_is_no_success(web: World) -> None:
    intent_id = await web.send(to_agent="validator")
    body = {"status": "COMPLETED", "error": {"code": "x"}}
    refused = await web.post(f"/v1/intents/{intent_id}/resolve", body)
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, "contradictory_ending", "error")
    assert await web.status(intent_id) == "DELIVERED"


async def test_an_empty_idempotency_key_is_refused(web: World) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD}
    for path, sent in (("/v1/intents", body), ("/v1/scenarios/apply", bundle())):
        refused = await web.post(path, sent, idempotency_key="")
        assert (refused.status, refused.code) == (422, "invalid_idempotency_key"), path
    two = await web.post("/v1/scenarios/apply", {**bundle(), "idempotency_key": "one"}, idempotency_key="two")
    assert (two.status, two.code) == (422, "contradictory_key")


@pytest.mark.parametrize("name", ["x-api-key", "idempotency-key", "authorization"])
async def test_one_header_with_two_values_is_refused(web: World, name: str) -> None:
    values = {"x-api-key": ("ci", "agent"), "idempotency-key": ("a", "b"), "authorization": ("x", "y")}[name]
    said = [web.keys[one] if name == "x-api-key" else one for one in values]
    headers = [("x-api-key", web.keys["ci"])] if name != "x-api-key" else []
    body = json.dumps({"intent_type": PLAIN, "payload": PAYLOAD}).encode()
    twice = await web.http.request(
        "POST", "/v1/intents", content=body, headers=[*headers, *((name, one) for one in said)]
    )
    assert (twice.status_code, twice.json()["error"]["code"]) == (422, "repeated_header")
    same = await web.http.request("GET", "/v1/me", headers=[("x-api-key", web.keys["ci"])] * 2)
    assert same.status_code == 200
