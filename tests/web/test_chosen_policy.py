"""A step whose policy the payload selects: when submitted, repeated and revised."""

from typing import Any

import pytest

from signoff.core.formats.axp_intent import compile_axp_intent
from signoff.engine.planning.planner import Submission
from tests.web.inbox.reading import reader
from tests.web.policy_steps import applied
from tests.web.web_env import HOME, WebEnv

REFUND = "intent.refund.v1"
BY_AMOUNT: list[dict[str, Any]] = [
    {"when": {"amount": {"above": 1000}}, "use": "two-people"},
    {"use": "one-person"},
]


def flow(choices: Any = None, *more: dict[str, Any]) -> dict[str, Any]:
    step = {"id": "ok", "human": {"title": "Refund it?", "policy": choices or BY_AMOUNT}}
    return {"workflow": "refund", "intent_type": REFUND, "steps": [step, *more]}


MANIFEST: dict[str, Any] = {
    "policies": {
        "two-people": {"approve": [{"any": ["role:approver"], "need": 2}], "deadline": "1d"},
        "one-person": {"approve": [{"any": ["role:approver"]}]},
    },
    "workflows": [flow()],
}


async def refund(web: WebEnv, **payload: Any) -> str:
    """The task."""
    return (await web.send(intent_type=REFUND, payload=payload))[:-4] + "0001"


async def rule(web: WebEnv, task_id: str) -> tuple[str, str, int]:
    made = await web.get(f"/v1/tasks/{task_id}/explain", "otto")
    assert made.status == 200, made.text
    return made["policy"], made["because"], made["stages"][0]["need"]


TWO = ("two-people@1", "amount is above 1000", 2)
ONE = ("one-person@1", "no condition for another policy is met", 1)


async def test_payload_chooses_the_policy_and_the_task_says_why(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    small, large = await refund(web, amount=900), await refund(web, amount="1000.01")
    assert (await rule(web, small), await rule(web, large)) == (ONE, TWO)
    assert (await web.answer(small, "approved", "ann"))["intent"]["status"] == "COMPLETED"
    assert (await web.answer(large, "approved", "ann"))["task"]["state"] == "open"
    assert (await web.answer(large, "approved", "otto"))["intent"]["status"] == "COMPLETED"
    ann = await reader(web, "emma")
    card = await ann.get(f"/tasks/{await refund(web, amount=5000)}")
    assert "The policy is “two-people”, version 1, because amount is above 1000." in card.text


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({}, "is missing"),
        ({"amount": None}, "is missing"),
        ({"amount": "1.500,00"}, "is not a plain number"),
        ({"amount": "5 EUR"}, "is in EUR, and the condition is in no unit"),
        ({"amount": [5000]}, "is a list, not a number"),
        ({"amount": "٥"}, "is not a plain number"),
    ],
)
async def test_undecided_policy_choice_is_refused(web: WebEnv, payload: Any, problem: str) -> None:
    await applied(web, MANIFEST)
    refused = await web.post("/v1/intents", {"intent_type": REFUND, "payload": payload})
    assert (refused.status, refused.code) == (422, "policy_undecided")
    assert refused["error"]["field"] == "payload.amount"
    assert f"payload.amount {problem}, and it selects the policy of step 'ok'" in refused["error"]["message"]


async def test_fields_beside_the_payload_do_not_choose(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    hints = {
        "policy": "one-person",
        "amount": 5,
        "human_task": {"assignees": ["ann@acme.example"], "amount": 5},
    }
    sent = await web.send(intent_type=REFUND, payload={"amount": 5000, "policy": "one-person"}, **hints)
    assert await rule(web, sent[:-4] + "0001") == TWO


async def test_revision_crosses_no_threshold_and_keeps_the_votes(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    for before, after in ((900, 5000), (5000, 900), (900, "many")):
        task_id = await refund(web, amount=before)
        refused = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"amount": after}}, "otto")
        assert refused.code == ("policy_undecided" if after == "many" else "policy_would_change"), (
            refused.text
        )
        if after != "many":
            assert refused.status == 409
            assert refused["error"]["hint"] == "Withdraw the request and submit it again."
        task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
        assert (task["revision"], task["payload"]) == (1, {"amount": before})
    smaller = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"amount": 800}}, "otto")
    assert smaller["task"]["revision"] == 2
    assert await web.env.findings() == []
    assert await rule(web, task_id) == ONE


async def test_page_refuses_such_a_revision_with_the_reason(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task_id = await refund(web, amount=900)
    otto = await reader(web, "otto")
    form = (await otto.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}/revise")
    fields = dict(form["fields"]) | {"payload": '{"amount": 5000}'}
    shown = await otto.post(f"/tasks/{task_id}/revise", [*fields.items()])
    assert shown.status == 409
    assert "would be decided under policy" in shown.text
    assert "Withdraw the request and submit it again." in shown.text
    assert (await web.env.intent(f"{task_id[:-4]}0000")).revision == 1


async def test_choice_of_a_later_step_also_limits_revisions(web: WebEnv) -> None:
    later = {
        "id": "pay",
        "human": {"policy": [{"when": {"rush": {"is": True}}, "use": "two-people"}, {"use": "one-person"}]},
    }
    await applied(web, {**MANIFEST, "workflows": [flow(None, later)]})
    task_id = await refund(web, amount=5, rush=False)
    revise = f"/v1/tasks/{task_id}/revise"
    assert (
        await web.post(revise, {"payload": {"amount": 5, "rush": True}}, "otto")
    ).code == "policy_would_change"
    assert (await web.post(revise, {"payload": {"amount": 6, "rush": False}}, "otto")).status == 200


async def test_retry_chooses_again_by_the_current_policies(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task_id = await refund(web, amount=5000)
    assert (await web.answer(task_id, "rejected", "ann"))["intent"]["status"] == "FAILED"
    three = {"two-people": {"approve": [{"any": ["role:approver"], "need": 3}]}}
    await applied(web, {"policies": three})
    again = await web.post(f"/v1/intents/{task_id[:-4]}0000/retry", {})
    assert again.status == 200, again.text
    assert await rule(web, again["intent_id"][:-4] + "0001") == ("two-people@2", "amount is above 1000", 3)


async def test_open_task_keeps_its_policy_when_the_conditions_change(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task_id = await refund(web, amount=5000)
    higher = [{"when": {"amount": {"above": 9000}}, "use": "two-people"}, {"use": "one-person"}]
    await applied(web, {"workflows": [flow(higher)]})
    assert await rule(web, task_id) == TWO
    revise = f"/v1/tasks/{task_id}/revise"
    assert (await web.post(revise, {"payload": {"amount": 900}}, "otto")).code == "policy_would_change"
    assert (await rule(web, await refund(web, amount=5000)))[0] == "one-person@1"


# -- applied


async def test_every_possible_policy_is_checked_at_apply(web: WebEnv) -> None:
    cases = {
        "unknown_policy": {"use": "one-persn"},
        "nobody_eligible": {"use": "none"},
        "unknown_step": {"use": "going"},
    }
    policies = {
        **MANIFEST["policies"],
        "none": {"approve": [{"any": ["role:auditor"], "need": 1}]},
        "going": {"deadline": "1h", "on_timeout": "goto:nowhere"},
    }
    await applied(web, {"policies": {**policies, "none": {"approve": [{"any": ["role:auditor"]}]}}})
    await applied(web, {"people": {"aud@acme.example": {"active": False}}})
    for code, last in cases.items():
        refused = await web.post("/v1/workflows?dry_run=true", flow([BY_AMOUNT[0], last]), "oscar")
        assert (refused.status, refused.code) == (422, code), refused.text
        first = [{**BY_AMOUNT[0], **last}, {"use": "one-person"}]
        assert (await web.post("/v1/workflows", flow(first), "oscar")).code == code


async def test_step_reached_under_one_policy_only_runs_in_that_case(web: WebEnv) -> None:
    tell = [
        {"id": "done", "delay": "1s", "on_success": "end"},
        {"id": "tell", "notify": {"to": ["ann@acme.example"], "message": "Nobody."}},
    ]
    going = {"deadline": "1h", "on_timeout": "goto:tell"}
    await applied(
        web,
        {
            **MANIFEST,
            "policies": {**MANIFEST["policies"], "two-people": going},
            "workflows": [flow(None, *tell)],
        },
    )
    refused = await web.post("/v1/workflows", flow([{"use": "one-person"}], *tell), "oscar")
    assert refused.code == "unreached_step"


async def test_pages_show_the_choice(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    aud = await reader(web, "aud")
    says = "policy two-people if amount is above 1000; otherwise policy one-person"
    assert says in (await aud.get("/workflows")).text
    for name in MANIFEST["policies"]:
        assert "used by refund" in (await aud.get(f"/policies/{name}")).text


async def test_another_threshold_takes_two_admins_in_a_protected_workspace(web: WebEnv) -> None:
    protected = {"people": {"otto@acme.example": {"roles": ["admin"]}}, "workspace": {"protected": True}}
    await applied(web, {**MANIFEST, **protected})
    higher = [{"when": {"amount": {"above": 9000}}, "use": "two-people"}, {"use": "one-person"}]
    answer = await applied(web, {"workflows": [flow(higher)]}, "otto")
    assert answer["proposal"]["state"] == "waiting"


# -- what is remembered


async def planned(web: WebEnv, amount: Any) -> Submission:
    request = compile_axp_intent({"intent_type": REFUND, "payload": {}})
    return await web.env.planner.plan_request(HOME, request, b'{"amount":%d}' % amount, "d" * 64)


async def test_plans_are_cached_separately_for_each_choice(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    plans = [(await planned(web, amount)).plan for amount in (1, 5000, 2, 6000)]
    assert plans[0] is plans[2]
    assert plans[1] is plans[3]
    assert [plan.steps[0].task.policy for plan in plans[:2]] == ["one-person@1", "two-people@1"]  # type: ignore[union-attr]
    await applied(web, {"policies": {"one-person": {"remind": "1h"}}})
    assert [(await planned(web, amount)).plan.steps[0].task.policy for amount in (1, 5000)] == [  # type: ignore[union-attr]
        "one-person@2",
        "two-people@1",
    ]
