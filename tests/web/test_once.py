"""A decision counts once and for what was shown, through every channel."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import HOME, WebEnv

TWICE = "intent.twice.v1"
STAGED = "intent.staged.v1"
CHECKED = "intent.checked.v1"
ANN = {"any": ["ann@acme.example"]}


async def apply(web: WebEnv, kind: str, *steps: dict[str, Any]) -> None:
    flow = {"workflow": kind.split(".")[1], "intent_type": kind, "steps": list(steps)}
    answer = await web.post("/v1/workflows", flow, "oscar")
    assert answer.status == 200, answer.text


def gate(id: str, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, "human": {"type": "approval", "policy": {"approve": list(stages) or [ANN], **more}}}


async def two_gates(web: WebEnv) -> str:
    await apply(web, TWICE, gate("read"), gate("delete"))
    return await web.send(intent_type=TWICE)


async def two_stages(web: WebEnv) -> str:
    await apply(web, STAGED, gate("ask", {"any": ["ann@acme.example", "otto@acme.example"]}, ANN))
    return await web.send(intent_type=STAGED)


async def facts(web: WebEnv, intent_id: str) -> list[str]:
    trail = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["events"]
    return [event["type"] for event in trail]


UNNAMED = [
    ("/v1/approvals/{id}/decision", {"decision": "approve"}),
    ("/v1/intents/{id}/resume", {"approve_current_step": True}),
    ("/v1/intents/{id}/resume", {"task_result": {"outcome": "approved"}}),
    ("/v1/intents/{id}/resume", {"outcome": "approved"}),
    ("/v1/tasks/{id}/answer", {"outcome": "approved"}),
]
READS = [
    "/v1/me/tasks",
    "/v1/tasks",
    "/v1/tasks/{id}",
    "/v1/intents/{id}",
    "/v1/intents",
    "/v1/intents/{id}/events",
    "/v1/intents/{id}/events/stream?wait_seconds=1",
    "/v1/inbox/{id}",
]


@pytest.mark.parametrize(("path", "body"), UNNAMED)
async def test_repeated_untargeted_approval_passes_one_human_step(
    web: WebEnv, path: str, body: dict[str, Any]
) -> None:
    intent_id = await two_gates(web)
    path = path.format(id=intent_id)
    assert (await web.post(path, body, "ann")).status == 200
    for _ in range(3):
        again = await web.post(path, body, "ann")
        assert (again.status, again.code) == (409, "not_shown")
    assert await web.status(intent_id) == "WAITING"
    assert (await facts(web, intent_id)).count("answered") == 1


@pytest.mark.parametrize("read", READS)
async def test_untargeted_answer_is_accepted_after_the_task_was_read(web: WebEnv, read: str) -> None:
    intent_id = await two_gates(web)
    path, body = f"/v1/approvals/{intent_id}/decision", {"decision": "approve"}
    await web.post(path, body, "ann")
    for who in ("otto", "ci"):  # somebody else's look is not hers
        await web.get(read.format(id=intent_id), who)
    assert (await web.post(path, body, "ann")).code == "not_shown"
    assert (await web.get(read.format(id=intent_id), "ann")).status == 200
    done = await web.post(path, body, "ann")
    assert (done.status, await web.status(intent_id)) == (200, "COMPLETED")
    trail = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["events"]
    assert [e["event"]["unseen"] for e in trail if e["type"] == "answered"] == [True, True]


@pytest.mark.parametrize(("path", "body"), UNNAMED)
@pytest.mark.parametrize("opened", [two_gates, two_stages])
async def test_copy_of_an_untargeted_approval_is_recognized_by_its_trace(
    web: WebEnv, path: str, body: dict[str, Any], opened: Callable[[WebEnv], Awaitable[str]]
) -> None:
    """AXP's SDKs send the same trace id with a request and each retry of it."""
    intent_id = await opened(web)
    path = path.format(id=intent_id)
    first = await web.post(path, body, "ann", x_trace_id="t-1")
    assert (first.status, await web.status(intent_id)) == (200, "WAITING")
    assert (await web.get(f"/v1/intents/{intent_id}", "ann")).status == 200
    for written in (path, path.replace("-", "%2D"), path.replace(intent_id, intent_id.upper())):
        again = await web.post(written, body, "ann", x_trace_id="t-1")
        assert (again.status, again.json) == (200, first.json)
    assert await web.status(intent_id) == "WAITING"
    assert (await facts(web, intent_id)).count("answered") == 1
    done = await web.post(path, body, "ann", x_trace_id="t-2")
    assert (done.status, await web.status(intent_id)) == (200, "COMPLETED")
    late = await web.post(path, body, "ann", x_trace_id="t-1")
    assert (late.status, late.json) == (200, first.json)


async def test_trace_belongs_to_its_sender_and_hides_no_other_answer(web: WebEnv) -> None:
    await apply(web, STAGED, gate("ask", {"any": ["ann@acme.example", "otto@acme.example"], "need": 2}))
    intent_id = await web.send(intent_type=STAGED)
    path = f"/v1/approvals/{intent_id}/decision"
    assert (await web.post(path, {"decision": "approve"}, "ann", x_trace_id="t")).status == 200
    assert (await web.post(path, {"decision": "approve"}, "ann", x_trace_id="t")).status == 200
    assert await web.status(intent_id) == "WAITING"
    assert (await web.post(path, {"decision": "reject"}, "ann", x_trace_id="t")).status == 200
    assert await web.status(intent_id) == "FAILED", "her no counts, whatever trace it has"

    other = await web.send(intent_type=STAGED)
    path = f"/v1/approvals/{other}/decision"
    for who in ("ann", "otto"):
        assert (await web.post(path, {"decision": "approve"}, who, x_trace_id="t")).status == 200
    assert await web.status(other) == "COMPLETED"


async def test_refused_answer_is_evaluated_again_under_its_trace(web: WebEnv) -> None:
    intent_id = await two_gates(web)
    path, body = f"/v1/approvals/{intent_id}/decision", {"decision": "approve"}
    await web.post(path, body, "ann")
    assert (await web.post(path, body, "ann", x_trace_id="t")).code == "not_shown"
    await web.get(f"/v1/intents/{intent_id}", "ann")
    assert (await web.post(path, body, "ann", x_trace_id="t")).status == 200
    assert await web.status(intent_id) == "COMPLETED"


async def test_reading_a_closed_task_or_earlier_events_does_not_count_as_reading_the_task(
    web: WebEnv,
) -> None:
    intent_id = await two_gates(web)
    path, body = f"/v1/approvals/{intent_id}/decision", {"decision": "approve"}
    await web.post(path, body, "ann")
    await web.get(f"/v1/tasks/{intent_id[:-4]}0001", "ann")
    await web.get(f"/v1/intents/{intent_id[:-4]}0001", "ann")
    last = (await web.get(f"/v1/intents/{intent_id}/events"))["events"][-1]["seq"]
    await web.get(f"/v1/intents/{intent_id}/events?since={last}", "ann")
    assert (await web.post(path, body, "ann")).code == "not_shown"


async def test_repeated_body_does_not_pass_the_next_stage_with_or_without_a_key(web: WebEnv) -> None:
    for headers in ({}, {"idempotency_key": "k"}):
        intent_id = await two_stages(web)
        task_id = f"{intent_id[:-4]}0001"
        task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
        old = {"outcome": "approved", "revision": 1, "digest": task["digest"]}
        path = f"/v1/tasks/{task_id}/answer"
        named = {**old, "stage": 1}
        first = await web.post(path, named, "ann", **headers)
        assert (first.status, first["task"]["stage"]) == (200, 2)
        again = await web.post(path, named, "ann", **headers)
        assert (again.status, again["task"]["state"]) == (
            200,
            "open",
        )  # like the first, and counted no second time
        assert (await web.post(path, old, "ann")).code == "stale_stage"
        assert (await web.post(path, {**named, "stage": 1}, "otto")).code == "stale_stage"
        assert (await facts(web, intent_id)).count("answered") == 1
        done = await web.post(path, {**named, "stage": 2}, "ann")
        assert done["intent"]["status"] == "COMPLETED"


async def test_repeated_request_after_a_lost_response_returns_the_same(web: WebEnv) -> None:
    _, task_id = await web.ask()
    digest = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["digest"]
    said = {"outcome": "approved", "stage": 1, "revision": 1, "digest": digest, "comment": "fine"}
    first = await web.post(f"/v1/tasks/{task_id}/answer", said, "ann")
    again = await web.post(f"/v1/tasks/{task_id}/answer", said, "ann")
    assert again["task"].pop("receipt")["said"] == "Nothing new was recorded."
    assert first["task"].pop("receipt")["said"] == "Recorded: approved."
    assert (again.status, again.json) == (200, first.json)
    late = await web.post(f"/v1/tasks/{task_id}/answer", {**said, "comment": "else"}, "ann")
    assert (late.status, late.code) == (409, "already_decided")


async def test_double_click_on_the_page_is_one_answer_with_its_receipt(web: WebEnv) -> None:
    intent_id = await two_stages(web)
    task_id = f"{intent_id[:-4]}0001"
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    fields = dict(page.form(f"/tasks/{task_id}")["fields"])
    assert (fields["stage"], fields["number"]) == ("1", "1")
    for _ in range(2):
        assert (await ann.post(f"/tasks/{task_id}", **{**fields, "outcome": "approved"})).status == 303
    assert (await facts(web, intent_id)).count("answered") == 1
    assert "You are asked again in this stage" in (await ann.get(f"/tasks/{task_id}")).text
    token = await web.state.sessions.task_link(HOME, "per_ann", intent_id, 1, fields["digest"])
    linked = await ann.get(f"/t/{token}")
    for _ in range(2):
        assert (await ann.press(linked, f"/t/{token}", "approved")).status == 200
    assert await web.status(intent_id) == "COMPLETED"
    assert (await facts(web, intent_id)).count("answered") == 2


async def test_form_with_two_answers_is_refused(web: WebEnv) -> None:
    _, task_id = await web.ask(
        task_type="form",
        form_schema={
            "type": "object",
            "properties": {"approved": {"type": "boolean"}},
        },
    )
    digest = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["digest"]
    ann = await reader(web, "ann")
    said = {"outcome": "submitted", "revision": "1", "stage": "1", "digest": digest}
    page = await ann.post(f"/tasks/{task_id}", **said, **{"f.approved": "false"})
    assert (page.status, "contradictory_answer" in page.html) == (422, True)
    api = await web.answer(task_id, "submitted", data={"approved": "no"})
    assert (api.code, api["error"]["details"]["fields"]) == (
        "contradictory_answer",
        ["outcome", "data.approved"],
    )
    no = await web.answer(task_id, "rejected", data={"approved": False})
    assert (no["task"]["outcome"], no["task"]["ending"], no["intent"]["status"]) == (
        "rejected",
        "rejected",
        "FAILED",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "approve", "outcome": "rejected"},
        {"decision": "reject", "approved": True},
    ],
)
async def test_approval_with_two_answers_is_refused(web: WebEnv, body: dict[str, Any]) -> None:
    intent_id, _ = await web.ask()
    assert (await web.post(f"/v1/approvals/{intent_id}/decision", body, "ann")).code == "contradictory_answer"


@pytest.mark.parametrize("who", ["ann", "oscar", "rita"])
@pytest.mark.parametrize(
    "body",
    [
        {"outcome": "approved"},
        {"outcome": "approve"},
        {"decision": "approved"},
        {"approved": True},
        {"outcome": "rejected", "why": "no"},
    ],
)
async def test_answer_of_a_person_before_the_task_opens_is_no_agents_result(
    web: WebEnv, who: str, body: dict[str, Any]
) -> None:
    """Not even an admin's, who may report for an agent: it would replace the check."""
    await web.apply_workflow()
    intent_id = await web.send()
    before = await facts(web, intent_id)
    answer = await web.post(f"/v1/intents/{intent_id}/resume", body, who)
    assert answer.status in (403, 409), answer.text
    assert await facts(web, intent_id) == before


@pytest.mark.parametrize("body", [
    {"outcome": "rejected"}, {"outcome": "reject"}, {"decision": "denied"}, {"approved": False}, {"rejected": True},
    {"outcome": "failed"}, {"outcome": "declined", "note": "x"}, {"confirmed": "no"}, {"outcome": "no"},
    {"decision": False}, {"action": "reject"}, {"status": "rejected"}, {"result": "Denied"}, {"outcome": "refuse"},
    {"action": "complete", "outcome": "rejected"}, {"action": "complete", "approved": False},
    {"action": "complete", "status": "failed"}, {"action": "complete", "result": "declined"},
    {"action": "complete", "decision": "no"}, {"action": "complete", "rejected": "yes"},
])  # fmt: skip
@pytest.mark.parametrize("step", [False, True])
async def test_rejection_of_a_direct_request_never_completes_it(
    web: WebEnv, body: dict[str, Any], step: bool
) -> None:
    intent_id = await web.send(intent_type="t.bare.v1", to_agent="validator")
    await web.post(f"/v1/intents/{intent_id[:-4] + '0001' if step else intent_id}/resume", body, "oscar")
    assert await web.status(intent_id) != "COMPLETED"


async def test_completion_with_a_rejection_is_refused_as_contradictory(web: WebEnv) -> None:
    for body in ({"action": "complete", "outcome": "rejected"}, {"action": "complete", "approved": False}):
        await web.apply_workflow()
        intent_id = await web.send()
        answer = await web.post(f"/v1/intents/{intent_id}/resume", body, "oscar")
        assert (answer.code, await web.status(intent_id)) == ("contradictory_answer", "DELIVERED")
        done = await web.post(f"/v1/intents/{intent_id}/resume", body, "agent")
        assert done.status == 200, "an agent's check may call its result what it likes"
    asked, _ = await web.ask()
    body = {"action": "complete", "approve_current_step": False}
    assert (await web.post(f"/v1/intents/{asked}/resume", body, "ann")).code == "contradictory_answer"


@pytest.mark.parametrize("data", [
    {"Approved": False}, {"approve": False}, {"reject": True}, {"decision": "no"}, {"decision": False},
    {"Declined": "yes"}, {"status": "Rejected"}, {"result": "denied"}, {"action": "reject"},
    {"status": "changes_requested"}, {"Decision": "reject"}, {"OUTCOME": "rejected"}, {"Status": "denied"},
])  # fmt: skip
async def test_contradiction_is_refused_in_any_spelling(web: WebEnv, data: dict[str, Any]) -> None:
    for path, body in (
        ("/v1/tasks/{}/answer", {"outcome": "approved", "data": data}),
        ("/v1/intents/{}/resume", {"task_result": {"outcome": "approved", **data}}),
        ("/v1/intents/{}/resume", {"task_result": {"outcome": "approved"}, **data}),
        ("/v1/intents/{}/resume", {"approve_current_step": True, **data}),
        ("/v1/intents/{}/resume", {"outcome": "approved", **data}),
    ):
        intent_id, _ = await web.ask()
        answer = await web.post(path.format(intent_id), body, "ann")
        assert answer.code == "contradictory_answer", (path, body, answer.text)


async def test_nothing_is_approved_before_the_task_opens(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send()
    before = await facts(web, intent_id)
    for path, body in UNNAMED:
        if body == {"outcome": "approved"}:
            continue  # an agent's result where no person is waited for
        answer = await web.post(path.format(id=intent_id), body, "ann")
        assert answer.status in (404, 409), answer.text
        assert answer.code in ("no_open_task", "task_not_found"), answer.text
    assert (
        await web.post(f"/v1/intents/{intent_id}/resume", {"approve_current_step": False}, "ann")
    ).status == 409
    assert await facts(web, intent_id) == before


# -- checks belong to the revision that they looked at


async def checked(web: WebEnv, need: int = 2, **result: Any) -> str:
    """The task of a request whose check was reported."""
    stages = {"any": ["ann@acme.example", "otto@acme.example", "emma@acme.example"], "need": need}
    await apply(web, CHECKED, {"id": "check", "agent": "validator"}, gate("ask", stages))
    intent_id = await web.send(intent_type=CHECKED, payload={"rows": 5, "token": "sk_live_1"})
    step = f"{intent_id[:-4]}0001"
    assert (
        await web.post(f"/v1/intents/{step}/resume", {"action": "complete", **result}, "agent")
    ).status == 200
    return f"{intent_id[:-4]}0002"


async def revised(web: WebEnv, task_id: str, rows: int, who: str = "emma") -> dict[str, Any]:
    found = (await web.get(f"/v1/tasks/{task_id}", who))["task"]
    body = {
        "payload": {"rows": rows, "token": "sk_live_2"},
        "digest": found["digest"],
        "comment": f"now {rows}",
    }
    answer = await web.post(f"/v1/tasks/{task_id}/revise", body, who)
    assert answer.status == 200, answer.text
    task: dict[str, Any] = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    return task


async def test_check_of_an_earlier_revision_does_not_count_for_this_one(web: WebEnv) -> None:
    task_id = await checked(web, passed=True, reversible=True)
    before = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (before["result_revisions"], before["revision"]) == ({"check": 1}, 1)
    after = await revised(web, task_id, 6)
    assert (after["result_revisions"], after["revision"]) == ({"check": 1}, 2)
    text = (await (await reader(web, "ann")).get(f"/tasks/{task_id}")).text
    assert "Checked revision 1 (passed), not revision 2." in text
    assert "Checked: revision 1. Revision 2 has not been checked." in text
    assert "✓ passed" not in text
    assert "Not stated." in text


async def test_risk_of_an_earlier_check_applies_until_the_check_is_repeated(web: WebEnv) -> None:
    task_id = await checked(web, risk="high")
    before = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (before["risk"], before["strength"]) == ("high", "session")
    ann = await reader(web, "otto")
    page = await ann.get(f"/tasks/{task_id}?open=1")
    assert page.status == 200
    found = before
    body = {"payload": {"rows": 6}, "digest": found["digest"]}
    assert (await web.post(f"/v1/tasks/{task_id}/revise", body, "emma")).code == "stronger_sign_in_required"
    emma = await reader(web, "emma")
    posted = {"payload": '{"rows": 6}', "digest": found["digest"]}
    assert (await emma.post(f"/tasks/{task_id}/revise", **posted)).status == 303
    after = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (after["revision"], after["risk"], after["strength"]) == (2, "medium", "session")
    assert "found high" in (await ann.get(f"/tasks/{task_id}")).text


async def test_revisions_are_listed_with_their_changes(web: WebEnv) -> None:
    task_id = await checked(web, 1, passed=True)
    await revised(web, task_id, 6)
    task = await revised(web, task_id, 7, "otto")
    told = [(c["from_revision"], c["to_revision"], c["by_name"], c["comment"]) for c in task["changes"]]
    assert told == [(1, 2, "Emma", "now 6"), (2, 3, "Otto", "now 7")]
    values = {v["path"]: (v["before"], v["after"]) for v in task["changes"][1]["changed"]}
    assert values["rows"] == ("6", "7")
    assert "sk_live" not in str(task["changes"])
    text = (await (await reader(web, "ann")).get(f"/tasks/{task_id}")).text
    assert "From revision 2 to revision 3" in text
    assert "From revision 1 to revision 2" in text


async def test_each_result_names_its_revision(web: WebEnv) -> None:
    ask = gate("ask", {"any": ["ann@acme.example", "emma@acme.example"]})
    await apply(web, CHECKED, {"id": "check", "agent": "validator"}, ask, {"id": "do", "agent": "validator"})
    intent_id = await web.send(intent_type=CHECKED, payload={"rows": 5})
    task_id = f"{intent_id[:-4]}0002"
    assert (
        await web.post(f"/v1/intents/{intent_id[:-4]}0001/resume", {"action": "complete"}, "agent")
    ).status == 200
    await revised(web, task_id, 6)
    assert (await web.answer(task_id)).status == 200
    claimed = await web.post("/v1/agents/validator/deliveries/claim", {}, "agent")
    [delivery] = claimed["deliveries"]
    assert (delivery["revision"], delivery["result_revisions"]) == (2, {"check": 1})
    assert (await web.get(f"/v1/intents/{intent_id[:-4]}0003", "agent"))["payload"]["result_revisions"] == {
        "check": 1
    }
