"""A requester does not choose who decides: the workspace's default policy, and types without a workflow."""

from datetime import timedelta
from typing import Any

import pytest

from tests.web.default_policy_steps import MANIFEST, STRICT, assert_strict, closed, rule, task_of
from tests.web.policy_steps import applied
from tests.web.web_env import PLAIN, TYPE, WORKFLOW, WebEnv

# All that a requester could try to say.
ASK: dict[str, Any] = {
    "title": "Nothing special",
    "assignees": ["ann@acme.example", "oscar@acme.example"],
    "allowed_outcomes": ["approved"],
    "policy": "lax",
    "approvers": ["ann@acme.example"],
    "need": 0,
    "quorum": 0,
    "risk": "low",
    "self_approval": True,
    "strength": "link",
}
HINTS: dict[str, Any] = {
    "policy_id": "lax",
    "policy": "lax",
    "approvers": ["oscar@acme.example"],
    "quorum": 0,
    "risk": "low",
    "environment": "dev",
    "escalate_to": ["rita@acme.example"],
    "payload": {"target": "prod-postgres-main", "environment": "dev", "policy": "lax"},
}


def bundle(*steps: dict[str, Any], intent_type: str = PLAIN) -> dict[str, Any]:
    return {
        "scenario_id": "attack.v1",
        "agents": [{"role": "worker", "address": "validator"}],
        "humans": [{"role": "boss", "contact": "ann@acme.example"}],
        "workflow": {"steps": list(steps)},
        "intent": {"type": intent_type, "payload": HINTS["payload"]},
    }


WORK = {"step_id": "work", "tool_id": "tool.agent.task.v1", "assigned_to": "worker"}
SIGN = {"step_id": "sign", "assigned_to": "boss", "human_task": ASK, "step_deadline_seconds": 3600}


async def waiting(web: WebEnv) -> list[str]:
    """The delivery that the agent gets."""
    taken = await web.post("/v1/agents/validator/deliveries/claim", {"holder": "w"}, "agent")
    return [delivery["intent_id"] for delivery in taken["deliveries"]]


async def test_requester_chooses_neither_policy_nor_approvers_nor_quorum(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    body = {"intent_type": PLAIN, **HINTS, "human_task": ASK}
    sent = await web.post("/v1/intents", body)
    assert sent.status == 200, sent.text
    said = " ".join(sent["warnings"])
    assert "policy strict@1 says who decides; ann@acme.example, oscar@acme.example" in said
    for name in (
        "policy_id",
        "quorum",
        "human_task.policy",
        "human_task.risk",
        "none of its outcomes rejects",
    ):
        assert name in said
    task_id = task_of(sent["intent_id"])
    task = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]
    assert task["allowed_outcomes"] == ["approved", "rejected"]
    await assert_strict(web, task_id)
    assert (await web.answer(task_id, "approved", "emma"))["intent"]["status"] == "COMPLETED"


@pytest.mark.parametrize("word", ["approvers", "policy", "need"])
async def test_approver_fields_without_a_policy_are_refused(web: WebEnv, word: str) -> None:
    """If they were ignored, everyone with an approving role could decide the task."""
    asked = {"title": "May we?", word: ASK[word] or 2}
    sent = await web.post("/v1/intents", {"intent_type": PLAIN, "payload": {}, "human_task": asked})
    assert (sent.status, sent.code) == (422, "unknown_field")
    assert sent["error"]["field"] == f"human_task.{word}"
    step = {**SIGN, "human_task": asked}
    for path in ("apply", "validate"):
        made = await web.post(f"/v1/scenarios/{path}", bundle(step))
        assert f"human_task.{word}" in made.text
        assert made.status == 422 or made["valid"] is False


async def test_scenario_cannot_choose_approvers(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    made = await web.post("/v1/scenarios/apply", bundle(SIGN))
    assert made.status == 200, made.text
    assert "policy strict@1 says who decides" in " ".join(made["warnings"])
    await assert_strict(web, task_of(made["intent_id"]))
    due = (await rule(web, task_of(made["intent_id"])))["due_at"]
    assert due.startswith(
        "2026-03-02T10:00"
    )  # the bundle's hour is shorter than the policy's eight, and stands


async def test_behaviour_without_a_default_policy_is_unchanged(web: WebEnv) -> None:
    await applied(web, {"policies": MANIFEST["policies"]})
    body = {"intent_type": PLAIN, "human_task": ASK, "to_agent": "validator"}
    assert (await web.post("/v1/intents", body)).code == "unknown_field"
    understood = {name: ASK[name] for name in ("title", "assignees", "allowed_outcomes")}
    sent = await web.post("/v1/intents", body | {"human_task": understood})
    assert await waiting(web) == [sent["intent_id"]]
    asked = await web.post(
        "/v1/intents", {"intent_type": PLAIN, "human_task": {"assignees": ["ann@acme.example"]}}
    )
    task_id = task_of(asked["intent_id"])
    assert "policy" not in (await rule(web, task_id)).json
    assert (await web.answer(task_id, "approved", "ann"))["intent"]["status"] == "COMPLETED"


async def test_default_policy_does_not_affect_a_workflow(web: WebEnv) -> None:
    await applied(web, closed("refuse"))
    _, task_id = await web.at_gate()
    assert "policy" not in (await rule(web, task_id)).json
    assert (await web.answer(task_id, "approved", "ann"))["intent"]["status"] == "COMPLETED"


# -- types without a workflow


async def test_allow_lets_agents_run_without_an_approval(web: WebEnv) -> None:
    await applied(web, closed("allow"))
    assert await waiting(web) == []
    sent = await web.post("/v1/intents", {"intent_type": PLAIN, "to_agent": "validator"})
    assert await waiting(web) == [sent["intent_id"]]


ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "no human task": ("/v1/intents", {"intent_type": PLAIN, "to_agent": "validator", **HINTS}),
    "asked afterwards": (
        "/v1/intents",
        {"intent_type": PLAIN, "to_agent": "validator", "human_task": ASK, **HINTS},
    ),
    "a bundle without a person": ("/v1/scenarios/apply", bundle(WORK)),
    "a no that goes on": ("/v1/scenarios/apply", bundle({**SIGN, "on_failure": "work"}, WORK)),
    "a question": (
        "/v1/scenarios/apply",
        bundle({**SIGN, "human_task": {"task_type": "clarification"}}, WORK),
    ),
    "a way around": (
        "/v1/scenarios/apply",
        {**bundle(SIGN, WORK), "workflow": {"entry_step": "work", "steps": [SIGN, WORK]}},
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_gate_holds_agents_until_the_default_policy_approves(web: WebEnv, attack: str) -> None:
    await applied(web, closed("gate"))
    path, body = ATTACKS[attack]
    sent = await web.post(path, body)
    assert sent.status == 200, sent.text
    assert any("people are asked before step" in warning for warning in sent["warnings"])
    assert await waiting(web) == []
    task_id = task_of(sent["intent_id"])
    await assert_strict(web, task_id)
    await web.answer(task_id, "approved", "emma")
    held = (await web.get(f"/v1/intents/{sent['intent_id']}"))["intent"]
    assert held["status"] in ("DELIVERED", "WAITING")


async def test_gate_ends_the_request_on_rejection_or_expiry(web: WebEnv) -> None:
    await applied(web, closed("gate"))
    body = {"intent_type": PLAIN, "to_agent": "validator"}
    refused, silent = [(await web.post("/v1/intents", body))["intent_id"] for _ in range(2)]
    assert (await web.answer(task_of(refused), "rejected", "otto"))["intent"]["status"] == "FAILED"
    web.clock.move(timedelta(hours=9))
    await web.env.timekeeper.once()
    assert await web.status(silent) == "FAILED"
    assert await waiting(web) == []


async def test_gate_is_not_added_to_a_plan_that_has_one(web: WebEnv) -> None:
    await applied(web, closed("gate"))
    sent = await web.post("/v1/scenarios/apply", bundle(SIGN, WORK))
    assert not any("people are asked before" in warning for warning in sent["warnings"])
    task_id = task_of(sent["intent_id"])
    await web.answer(task_id, "approved", "otto")
    await web.answer(task_id, "approved", "emma")
    assert await waiting(web) == [sent["intent_id"]]


async def test_refuse_accepts_only_types_with_a_workflow(web: WebEnv) -> None:
    await applied(web, {**closed("refuse"), "workflows": [WORKFLOW]})
    for path, body in ATTACKS.values():
        refused = await web.post(path, body)
        assert (refused.status, refused.code) == (422, "unlisted_type"), refused.text
        assert refused["error"]["hint"]
    near = await web.post("/v1/intents", {"intent_type": TYPE[:-1] + "2"})
    assert (near.code, near["error"]["hint"]) == (
        "unlisted_type",
        f"Did you mean {TYPE!r}? Otherwise, ask an admin for a workflow.",
    )
    checked = await web.post("/v1/scenarios/validate", bundle(WORK))
    assert (checked["valid"], "No workflow is registered" in checked["errors"][0]) == (False, True)
    assert (await web.post("/v1/intents", {"intent_type": TYPE})).status == 200


async def test_bundle_cannot_bypass_the_workflow_of_its_type(web: WebEnv) -> None:
    await applied(web, {**MANIFEST, "workflows": [WORKFLOW]})
    made = await web.post("/v1/scenarios/apply", bundle({**WORK, "step_id": "run"}, intent_type=TYPE))
    assert "workflow 'database-migration' applies to this type" in " ".join(made["warnings"])
    plan = (await web.env.intent(made["intent_id"])).plan
    assert [step.id for step in plan.steps] == ["validate", "approve"]


async def test_missing_approvers_of_the_policy_are_not_replaced(web: WebEnv) -> None:
    alone = {"strict": {"approve": [{"any": ["emma@acme.example"]}]}}
    await applied(web, {**closed("gate"), "policies": alone})
    left = {"emma@acme.example": {"active": False}, "otto@acme.example": {"roles": ["admin"]}}
    await applied(web, {"people": left})
    for path, body in (*ATTACKS.values(), ("/v1/intents", {"intent_type": PLAIN, "human_task": ASK})):
        assert (await web.post(path, body)).code == "nobody_eligible"


# -- later


async def retried(web: WebEnv, intent_id: str) -> str:
    answer = await web.post(f"/v1/intents/{intent_id}/retry", {})
    assert answer.status == 200, answer.text
    return str(answer["intent_id"])


async def canceled(web: WebEnv, **body: Any) -> str:
    intent_id = await web.send(intent_type=PLAIN, **body)
    ended = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"})
    assert ended.status == 200, ended.text
    return intent_id


async def test_retry_of_an_older_request_follows_the_current_rules(web: WebEnv) -> None:
    asked = await canceled(web, human_task={"assignees": ["ann@acme.example"]})
    direct = await canceled(web, to_agent="validator")
    await applied(web, closed("gate"))
    await assert_strict(web, task_of(await retried(web, asked)))
    await assert_strict(web, task_of(await retried(web, direct)))
    await applied(web, closed("refuse"))
    assert (await web.post(f"/v1/intents/{direct}/retry", {})).code == "unlisted_type"
    await applied(web, {"workflows": [{**WORKFLOW, "intent_type": PLAIN}]})
    again = await web.env.intent(await retried(web, direct))
    assert [step.id for step in again.plan.steps] == ["validate", "approve"]


async def test_retry_keeps_the_policy_after_the_default_is_removed(web: WebEnv) -> None:
    await applied(web, closed("gate"))
    intent_id = await canceled(web, to_agent="validator")
    await applied(web, {"workspace": {"default_policy": False, "unlisted_types": "allow"}})
    again = await retried(web, intent_id)
    await assert_strict(web, task_of(again))
    assert (await web.answer(task_of(again), "approved", "emma"))["intent"]["status"] == "DELIVERED"


async def test_retry_follows_another_default_policy(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    intent_id = await canceled(web, human_task=ASK)
    await applied(web, {"workspace": {"default_policy": "lax"}})
    made = await rule(web, task_of(await retried(web, intent_id)))
    assert (made["policy"], [stage["of"] for stage in made["stages"]]) == ("lax@1", [["ann@acme.example"]])


async def test_revision_stays_under_the_policy(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task_id = task_of(await web.send(intent_type=PLAIN, human_task=ASK))
    revised = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"target": "dev"}}, "otto")
    assert (
        revised.code == "nobody_eligible"
    )  # two of two are needed, and otto would be on the requester's side
    await applied(
        web, {"policies": {"strict": {**STRICT, "approve": [{"any": ["role:approver"], "need": 2}]}}}
    )
    task_id = task_of(await web.send(intent_type=PLAIN, human_task=ASK))
    revised = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"target": "dev"}}, "otto")
    assert revised.status == 200, revised.text
    assert (await rule(web, task_id))["policy"] == "strict@2"
    assert (await web.answer(task_id, "approved", "otto")).code == "self_approval"
