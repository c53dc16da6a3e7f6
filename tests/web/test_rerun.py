"""An approval survives one failure: the step after it is retried, and a failed intent can be rerun once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.web.web_env import Answer, WebEnv

CLAIM = "/v1/agents/validator/deliveries/claim"
TYPE = "t.rerun.v1"
GATE = {"id": "ask", "human": {"title": "May we?", "approvers": ["ann@acme.example"]}}


def flow(**act: Any) -> dict[str, Any]:
    draft = {"id": "draft", "agent": "validator"}
    return {
        "workflow": "w",
        "intent_type": TYPE,
        "steps": [
            draft,
            GATE,
            {"id": "act", "agent": "validator", **act},
            {"id": "after", "agent": "validator"},
        ],
    }


async def work(web: WebEnv, body: dict[str, Any]) -> dict[str, Any]:
    """Claim and report the available delivery; returns it."""
    [delivery] = (await web.post(CLAIM, {}, "agent"))["deliveries"]
    done = await web.post(
        f"/v1/deliveries/{delivery['delivery_id']}/report", {"token": delivery["token"], **body}, "agent"
    )
    assert done.status == 200, done.text
    return dict(delivery)


def failing(code: str = "agent_error", retryable: bool = True) -> dict[str, Any]:
    return {"error": {"code": code, "message": "The database was restarting.", "retryable": retryable}}


async def approved(web: WebEnv, **act: Any) -> str:
    """An approved intent that waits for its agent."""
    applied = await web.post("/v1/workflows", flow(**act), "oscar")
    assert applied.status == 200, applied.text
    intent_id = await web.send(intent_type=TYPE)
    await work(web, {"result": {"n": 1}})
    answer = await web.answer(intent_id[:-4] + "0002")
    assert answer.status == 200, answer.text
    return intent_id


async def failed(web: WebEnv, **act: Any) -> str:
    """An intent that failed after its approval."""
    intent_id = await approved(web, **act)
    await work(web, failing("charge_failed", False))
    assert await web.status(intent_id) == "FAILED"
    return intent_id


async def rerun(web: WebEnv, intent_id: str, who: str = "ci") -> Answer:
    return await web.post(f"/v1/intents/{intent_id}/rerun", {}, who)


async def tick(web: WebEnv) -> None:
    web.clock.move(timedelta(seconds=31))
    await web.env.keep_time()


async def test_exception_after_an_approval_is_retried_up_to_three_attempts(web: WebEnv) -> None:
    intent_id = await approved(web)
    for _ in range(2):
        await work(web, failing())
        assert await web.status(intent_id) == "WAITING"
        await tick(web)
    await work(web, failing())
    assert await web.status(intent_id) == "FAILED"


async def test_failure_declared_final_by_the_handler_is_not_retried(web: WebEnv) -> None:
    await failed(web)


@pytest.mark.parametrize(("retry", "left"), [({"max": 0}, 0), ({"max": 1, "delay": "30s"}, 1)])
async def test_retries_in_the_plan_take_precedence(web: WebEnv, retry: dict[str, Any], left: int) -> None:
    intent_id = await approved(web, retry=retry)
    for _ in range(left):
        await work(web, failing())
        await tick(web)
    await work(web, failing())
    assert await web.status(intent_id) == "FAILED"


async def test_step_before_an_approval_is_not_retried_by_default(web: WebEnv) -> None:
    await web.post("/v1/workflows", flow(), "oscar")
    intent_id = await web.send(intent_type=TYPE)
    await work(web, failing())
    assert await web.status(intent_id) == "FAILED"


async def test_rerun_starts_at_the_failed_step_under_the_same_decision(web: WebEnv) -> None:
    intent_id = await failed(web)
    made = await rerun(web, intent_id)
    assert (made.status, made["rerun_of"], made["status"]) == (200, intent_id, "DELIVERED")
    new = made["intent_id"]
    assert new != intent_id
    delivery = await work(web, {"result": {"done": True}})
    assert (delivery["intent_id"], delivery["step_id"]) == (new, "act")
    assert delivery["previous_results"]["draft"] == {"n": 1}
    assert delivery["previous_results"]["ask"]["decided_by"] == "per_ann"
    assert "act" not in delivery["previous_results"]
    await work(web, {"result": {}})
    intent = (await web.get(f"/v1/intents/{new}"))["intent"]
    assert (intent["status"], intent["ending"], intent["rerun_of"]) == ("COMPLETED", "approved", intent_id)
    trail = (await web.get(f"/v1/intents/{new}/audit", "oscar")).json
    assert trail["verified"]
    [carried] = [one["event"] for one in trail["events"] if one["type"] == "carried"]
    source = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar")).json
    [decided] = [one for one in source["events"] if one["type"] == "decided"]
    [opened] = [one for one in source["events"] if one["type"] == "task_opened"]
    assert (carried["source"], carried["seq"]) == (intent_id, decided["seq"])
    assert carried["digest"] == opened["event"]["digest"]
    assert await web.env.findings() == []


async def test_intent_is_rerun_once(web: WebEnv) -> None:
    intent_id = await failed(web)
    answers = await asyncio.gather(*(rerun(web, intent_id, who) for who in ("ci", "oscar") * 5))
    assert {answer.status for answer in answers} == {200}
    [new] = {answer["intent_id"] for answer in answers}
    listed = (await web.get(f"/v1/intents?intent_type={TYPE}"))["intents"]
    assert {one["intent_id"] for one in listed} == {intent_id, new}
    await work(web, failing("charge_failed", False))
    again = await rerun(web, new)
    assert (again.status, again.code) == (409, "decision_used")
    assert (await rerun(web, intent_id))["intent_id"] == new


async def test_stranger_cannot_rerun(web: WebEnv) -> None:
    intent_id = await failed(web)
    assert (await rerun(web, intent_id, "rita")).status in (403, 404)
    assert (await rerun(web, intent_id, "stranger")).status in (403, 404)
    assert (await rerun(web, intent_id, "ann")).code == "not_yours"


async def test_approval_can_be_rerun_for_a_day(web: WebEnv) -> None:
    intent_id = await failed(web)
    web.clock.move(timedelta(hours=24))
    assert (await rerun(web, intent_id)).code == "decision_too_old"


async def test_changed_workflow_prevents_a_rerun(web: WebEnv) -> None:
    intent_id = await failed(web)
    web.clock.move(timedelta(seconds=1))
    await web.post("/v1/workflows", flow(input={"more": 1}), "oscar")
    refused = await rerun(web, intent_id)
    assert (refused.status, refused.code) == (409, "workflow_changed")
    assert "retry" in refused["error"]["hint"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_controls_changed_while_it_ran_prevent_a_rerun(web: WebEnv, when: str) -> None:
    """The rerun would not have these controls, so people are asked again."""
    await web.post("/v1/workflows", flow(), "oscar")
    intent_id = await web.send(intent_type=TYPE)
    controls = {"controls_patch": {"max_amount": 1}}
    if when == "before":
        assert (await web.post(f"/v1/intents/{intent_id}/controls", controls)).status == 200
    await work(web, {"result": {"n": 1}})
    assert (await web.answer(intent_id[:-4] + "0002")).status == 200
    if when == "after":
        assert (await web.post(f"/v1/intents/{intent_id}/controls", controls)).status == 200
    await work(web, failing("charge_failed", False))
    assert await web.status(intent_id) == "FAILED"
    refused = await rerun(web, intent_id, "oscar")
    assert (refused.status, refused.code) == (409, "policy_changed")


async def test_rejection_cancellation_or_earlier_failure_cannot_be_rerun(web: WebEnv) -> None:
    await web.post("/v1/workflows", flow(), "oscar")
    early = await web.send(intent_type=TYPE)
    await work(web, failing("charge_failed", False))
    refused = await web.send(intent_type=TYPE)
    await work(web, {"result": {}})
    await web.answer(refused[:-4] + "0002", "rejected")
    canceled = await approved(web)
    await web.post(f"/v1/intents/{canceled}/resolve", {"status": "CANCELED"}, "oscar")
    ended = await approved(web)
    await web.post(f"/v1/intents/{ended}/resolve", {"status": "FAILED"}, "oscar")
    for intent_id in (early, refused, canceled, ended):
        assert (await rerun(web, intent_id, "oscar")).code == "not_rerunnable"


async def test_failure_followed_by_another_step_cannot_be_rerun(web: WebEnv) -> None:
    """After a fallback ran, the state that was decided about is gone."""
    intent_id = await approved(web, on_failure="after")
    await work(web, failing("charge_failed", False))
    await work(web, {"result": {"rolled": "back"}})
    assert await web.status(intent_id) == "FAILED"
    assert (await rerun(web, intent_id)).code == "not_rerunnable"


async def test_failed_fallback_cannot_be_rerun(web: WebEnv) -> None:
    """The rerun would complete under an approval of what failed before it."""
    intent_id = await approved(web, on_failure="after")
    await work(web, failing("charge_failed", False))
    await work(web, failing("undo_failed", False))
    assert await web.status(intent_id) == "FAILED"
    refused = await rerun(web, intent_id)
    assert (refused.status, refused.code) == (409, "not_rerunnable")


async def test_type_without_a_workflow_cannot_be_rerun_once_such_requests_are_refused(
    web: WebEnv,
) -> None:
    bundle = {
        "intent": {"type": "t.bundle.v1"},
        "agents": [{"role": "v", "address": "validator"}],
        "workflow": {
            "steps": [
                {"step_id": "ask", "tool_id": "tool.human.approval.v1", "assigned_to": "ann@acme.example"},
                {"step_id": "act", "assigned_to": "v", "retry": {"max_retries": 0}},
            ],
        },
    }
    made = await web.post("/v1/scenarios/apply", bundle, "ci")
    assert made.status == 200, made.text
    intent_id = str(made["intent_id"])
    assert (await web.answer(intent_id[:-4] + "0001")).status == 200
    await work(web, failing("charge_failed", False))
    assert await web.status(intent_id) == "FAILED"
    settings = {"workspace": {"unlisted_types": "refuse"}}
    assert (await web.post("/v1/apply", settings, "oscar")).status == 200
    refused = await rerun(web, intent_id)
    assert (refused.status, refused.code) == (409, "unlisted_type")
