"""A workflow's own outcomes: their labels, their meanings, their routes, and routes that are declared a success."""

from datetime import timedelta
from typing import Any

import pytest

import signoff
from signoff.cli.failures import ExitCode
from signoff.cli.watching import ending
from tests.web.inbox.reading import reader
from tests.web.web_env import PLAIN, WebEnv

TYPE = "rollout.v1"
OUTCOMES = [
    {"name": "full", "label": "Roll out to everybody", "means": "approve"},
    {"name": "canary", "label": "Canary first", "means": "approve", "goto": "few"},
    {"name": "archive", "label": "Not this quarter", "means": "reject", "goto": "tell", "as": "success"},
    "rejected",
]
TELL = {
    "id": "tell",
    "notify": {"to": ["ann@acme.example"], "message": "It was not rolled out."},
    "on_success": "end",
}
FEW = {"id": "few", "notify": {"to": ["ann@acme.example"], "message": "A few get it."}, "on_success": "end"}


def flow(**routes: Any) -> dict[str, Any]:
    human = {"title": "Roll it out?", "approvers": ["ann@acme.example"], "outcomes": OUTCOMES}
    gate = {"id": "ask", "human": human, "deadline": "1h", "on_success": "end"} | routes
    return {"workflow": "rollout", "intent_type": TYPE, "steps": [gate, FEW, TELL]}


async def asked(web: WebEnv, **routes: Any) -> str:
    applied = await web.post("/v1/workflows", flow(**routes), "oscar")
    assert applied.status == 200, applied.text
    return (await web.send(intent_type=TYPE))[:-4] + "0001"


async def result(web: WebEnv, task_id: str) -> signoff.Result:
    return signoff.Result.read((await web.get(f"/v1/intents/{task_id[:-4]}0000"))["intent"])


async def test_each_outcome_is_offered_with_its_label_and_meaning(web: WebEnv) -> None:
    task_id = await asked(web)
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert task["allowed_outcomes"] == ["full", "canary", "archive", "rejected"]
    assert task["outcomes"][1] == {"name": "canary", "means": "approve", "label": "Canary first"}
    assert [one["means"] for one in task["outcomes"]] == ["approve", "approve", "reject", "reject"]
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    for label in ("Roll out to everybody", "Canary first", "Not this quarter", "Reject"):
        assert label in page.text
    assert "The plan counts this as a success" in page.text


async def test_card_names_outcomes_that_lead_to_a_step_and_shows_answers_by_label(
    web: WebEnv,
) -> None:
    task_id = await asked(web)
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    assert f"{FEW['id']} " in page.text
    assert "Only after “Canary first”" in page.text
    assert (await web.answer(task_id, "canary", "ann")).status == 200
    receipt = (await ann.get(f"/tasks/{task_id}")).text
    assert "You decided: Canary first" in receipt
    assert (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["outcome"] == "canary"


@pytest.mark.parametrize(
    ("outcome", "status", "ended", "code"),
    [
        ("full", "COMPLETED", "approved", ExitCode.OK),
        ("canary", "COMPLETED", "approved", ExitCode.OK),
        ("archive", "COMPLETED", "rejected", ExitCode.OK),
        ("rejected", "FAILED", "rejected", ExitCode.REJECTED),
    ],
)
async def test_custom_outcome_counts_as_its_meaning(
    web: WebEnv, outcome: str, status: str, ended: str, code: ExitCode
) -> None:
    task_id = await asked(web)
    answered = await web.answer(task_id, outcome, "ann")
    assert answered.status == 200, answered.text
    done = await result(web, task_id)
    assert (done.status, done.ending, done.outcome, ending(done)) == (status, ended, outcome, code)
    assert done.approved == (ended == "approved")
    trail = (await web.get(f"/v1/intents/{task_id[:-4]}0000/audit", "aud"))["events"]
    said = [one["event"] for one in trail if one["type"] == "decided"]
    assert [(one["outcome"], one["sign"]) for one in said] == [
        (outcome, "positive" if ended == "approved" else "negative")
    ]
    told = [one["event"]["step"] for one in trail if one["type"] == "notified"]
    assert told == {"canary": ["few"], "archive": ["tell"]}.get(outcome, [])


async def test_approved_is_refused_if_two_outcomes_approve(web: WebEnv) -> None:
    task_id = await asked(web)
    refused = await web.answer(task_id, "approved", "ann")
    assert (refused.status, refused.code) == (422, "outcome_not_allowed")
    assert refused["error"]["details"]["allowed_outcomes"] == ["full", "canary", "archive", "rejected"]


@pytest.mark.parametrize(
    ("outcomes", "field", "said"),
    [
        (["approved", "canary", "rejected"], "outcomes[1]", "the meaning of 'canary' is missing"),
        ([{"name": "go"}, "rejected"], "outcomes[0].means", "is required"),
        ([{"name": "go", "means": "yes"}], "outcomes[0].means", "'yes' is unknown"),
        ([{"name": "approved", "means": "reject"}, "confirmed"], "outcomes[0].means", "always means approve"),
        (
            ["approved", {"name": "x", "means": "reject", "goto": "nowhere"}],
            "outcomes[0].goto",
            "does not exist",
        ),
        (
            ["approved", {"name": "x", "means": "approve", "goto": "end", "as": "success"}],
            "outcomes[1].as",
            "effect",
        ),
        (["approved", {"name": "expired", "means": "reject"}], "outcomes[1].name", "end without an answer"),
        (["approved", "approved"], "outcomes", "twice"),
        ([{"name": "a", "means": "approve", "colour": "red"}], "outcomes[0].colour", "unknown field"),
        (["approved"], "outcomes", "no one could reject"),
        (["approved", {"name": "all", "means": "approve"}], "outcomes", "no one could reject"),
        (["approved", {"name": "Approved", "means": "reject"}], "outcomes[1].name", "read as approve"),
        (
            [{"name": "Go", "means": "approve"}, {"name": "go", "means": "reject"}],
            "outcomes",
            "except for case",
        ),
        ([{"name": "reject", "means": "approve"}, "rejected"], "outcomes[0].name", "read as reject"),
        ([{"name": "no", "means": "approve"}, "rejected"], "outcomes[0].name", "read as reject"),
        (
            ["approved", {"name": "x", "means": "reject", "label": "Yes"}],
            "outcomes[1].label",
            "read as approve",
        ),
    ],
)
async def test_undefined_outcome_is_refused_with_the_reason(
    web: WebEnv, outcomes: list[Any], field: str, said: str
) -> None:
    human = {"title": "Go?", "approvers": ["ann@acme.example"], "outcomes": outcomes}
    body = {"workflow": "w", "intent_type": TYPE, "steps": [{"id": "ask", "human": human}]}
    refused = await web.post("/v1/workflows", body, "oscar")
    assert refused.status == 422, refused.text
    assert said in refused.text
    assert refused["error"]["field"].endswith(field), refused.text


@pytest.mark.parametrize("declared", [False, True])
async def test_route_after_rejection_or_expiry_is_a_success_only_if_declared(
    web: WebEnv, declared: bool
) -> None:
    way: Any = {"goto": "tell", "as": "success"} if declared else "tell"
    status = "COMPLETED" if declared else "FAILED"
    refused = await asked(web, on_failure=way, on_timeout=way)
    task = (await web.get(f"/v1/tasks/{refused}", "ann"))["task"]
    said = "declares a success" if declared else "then fails, unless somebody approves there"
    assert said in task["on_expiry"]
    await web.answer(refused, "rejected", "ann")
    done = await result(web, refused)
    assert (done.status, done.ending, ending(done)) == (
        status,
        "rejected",
        ExitCode.OK if declared else ExitCode.REJECTED,
    )
    silent = (await web.send(intent_type=TYPE))[:-4] + "0001"
    await web.env.pass_time(timedelta(hours=1))
    done = await result(web, silent)
    assert (done.status, done.ending, ending(done)) == (
        status,
        "expired",
        ExitCode.OK if declared else ExitCode.EXPIRED,
    )
    if not declared:
        with pytest.raises(signoff.IntentExpired):
            done.raise_for_status()


async def test_policys_expiry_can_be_declared_a_success_and_says_so(web: WebEnv) -> None:
    policy = {"deadline": "1h", "on_timeout": {"goto": "tell", "as": "success"}}
    human = {"title": "Go?", "policy": policy}
    body = {
        "workflow": "rollout",
        "intent_type": TYPE,
        "steps": [{"id": "ask", "human": human, "on_success": "end"}, TELL],
    }
    assert (await web.post("/v1/workflows", body, "oscar")).status == 200
    task_id = (await web.send(intent_type=TYPE))[:-4] + "0001"
    assert "declares a success" in (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["on_expiry"]
    await web.env.pass_time(timedelta(hours=1))
    done = await result(web, task_id)
    assert (done.status, done.ending, done.approved) == ("COMPLETED", "expired", False)


async def test_retry_of_a_rejected_request_asks_people_again(web: WebEnv) -> None:
    task_id = await asked(web, on_failure="tell")
    await web.answer(task_id, "rejected", "ann")
    again = await web.post(f"/v1/intents/{task_id[:-4]}0000/retry", {}, "ci")
    assert again.status == 200, again.text
    intent = (await web.get(f"/v1/intents/{again['intent_id']}"))["intent"]
    assert (intent["status"], intent["waiting_reason"]) == ("WAITING", "WAITING_FOR_HUMAN")


async def test_bare_retry_of_axp_asks_people_by_the_workflow_of_its_type(web: WebEnv) -> None:
    """AXP's CLI sends type and payload again without a plan; a workflow of that type asks again."""
    task_id = await asked(web, on_failure="tell")
    await web.answer(task_id, "rejected", "ann")
    old = (await web.get(f"/v1/intents/{task_id[:-4]}0000"))["intent"]
    body = {key: old[key] for key in ("intent_type", "to_agent", "payload")} | {"from_agent": ""}
    new = await web.post("/v1/intents", body, "ci")
    assert new.status == 200, new.text
    intent = (await web.get(f"/v1/intents/{new['intent_id']}"))["intent"]
    assert intent["waiting_reason"] == "WAITING_FOR_HUMAN"


@pytest.mark.parametrize(
    ("allowed", "code"),
    [
        (["ship", "hold"], "no_approving_outcome"),
        (["hold", "rejected"], "no_approving_outcome"),
        (["approve", "reject"], "no_approving_outcome"),  # not the built-in words
        (["approved", "hold"], ""),
    ],
)
async def test_outcomes_without_an_approval_are_refused_by_name(
    web: WebEnv, allowed: list[str], code: str
) -> None:
    for more in ({}, {"to_agent": "validator"}):
        body = {"intent_type": PLAIN, "payload": {}, "human_task": {"allowed_outcomes": allowed}, **more}
        answer = await web.post("/v1/intents", body, "ci")
        assert answer.code == code, answer.text
        if code:
            error = answer["error"]
            assert (answer.status, error["field"]) == (422, "human_task.allowed_outcomes")
            assert "means: approve" in error["hint"]
