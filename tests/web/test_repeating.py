"""A repeated request is planned by the current policies and keeps nothing of their former versions."""

from typing import Any

import pytest

from tests.web.policy_steps import applied
from tests.web.web_env import WebEnv

KIND = "intent.deploy.v1"
ASK: dict[str, Any] = {"approve": [{"any": ["role:approver"]}]}
WITH_ROUTE = {**ASK, "deadline": "1h", "on_timeout": "goto:work"}


def flow(**step: Any) -> dict[str, Any]:
    return {
        "workflow": "deploy",
        "intent_type": KIND,
        "steps": [
            {"id": "sign", "human": {"policy": "deploying"}, **step},
            {"id": "work", "agent": "validator"},
        ],
    }


async def repeated(web: WebEnv, before: dict[str, Any], now: dict[str, Any], **step: Any) -> dict[str, Any]:
    """The task of a request that is repeated after its policy changed."""
    await applied(web, {"policies": {"deploying": before}, "workflows": [flow(**step)]})
    intent_id = await web.send(intent_type=KIND)
    rejected = await web.answer(intent_id[:-4] + "0001", "rejected", "ann")
    assert rejected["intent"]["status"] == "FAILED"
    await applied(web, {"policies": {"deploying": now}, "workflows": [flow(**step)]})
    again = await web.post(f"/v1/intents/{intent_id}/retry", {})
    assert again.status == 200, again.text
    task_id = again["intent_id"][:-4] + "0001"
    made: dict[str, Any] = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    return made


async def test_route_of_the_earlier_policy_is_removed(web: WebEnv) -> None:
    task = await repeated(web, WITH_ROUTE, {**ASK, "deadline": "1h", "on_timeout": "reject"})
    assert task["on_expiry"].endswith("the task expires and the request fails; nothing is approved.")


@pytest.mark.parametrize(("span", "hours"), [("8h", 8), ("", 0)])
async def test_deadline_of_the_earlier_policy_is_removed(web: WebEnv, span: str, hours: int) -> None:
    now = {**ASK, "deadline": span} if span else ASK
    task = await repeated(web, {**ASK, "deadline": "1h"}, now)
    due = (await web.env.intent(task["intent_id"])).open.deadline_at  # type: ignore[union-attr]
    assert (due is not None) is bool(hours)
    if due is not None:
        assert (due - web.clock.now()).total_seconds() == hours * 3600


async def test_fields_of_the_step_itself_are_kept(web: WebEnv) -> None:
    task = await repeated(web, {**ASK, "deadline": "1h"}, {**ASK, "deadline": "8h"}, deadline="2h")
    due = (await web.env.intent(task["intent_id"])).open.deadline_at  # type: ignore[union-attr]
    assert (due - web.clock.now()).total_seconds() == 2 * 3600


async def test_current_policy_overrides_the_route_of_the_step(web: WebEnv) -> None:
    await applied(
        web, {"policies": {"deploying": ASK}, "workflows": [flow(deadline="1h", on_timeout="work")]}
    )
    intent_id = await web.send(intent_type=KIND)
    await web.answer(intent_id[:-4] + "0001", "rejected", "ann")
    now = {**ASK, "deadline": "1h", "on_timeout": "reject"}
    await applied(web, {"policies": {"deploying": now}, "workflows": [flow()]})
    again = await web.post(f"/v1/intents/{intent_id}/retry", {})
    assert again.status == 200, again.text
    assert "policy deploying@2 now sets on_timeout" in " ".join(again["warnings"])
    task = (await web.get(f"/v1/tasks/{again['intent_id'][:-4]}0001", "ann"))["task"]
    assert "the request fails; nothing is approved" in task["on_expiry"]
