"""Tasks over HTTP: what is shown, how they are answered, and the response to late answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.intent.commands import MarkReviewing
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Fallback, Stage, TaskSpec
from signoff.core.plan.wording import on_expiry_text
from signoff.core.text.times import utc_text
from tests.builders import approve, gate
from tests.web.inbox.reading import reader
from tests.web.web_env import PAYLOAD, WORKFLOW, WebEnv


async def test_task_contains_everything_a_decision_needs(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert task["state"] == "open"
    assert task["intent_id"] == intent_id
    assert task["title"] == "Run the migration?"
    assert task["payload"] == PAYLOAD
    assert task["previous_results"] == {"validate": {"passed": True}}
    assert task["requester"]["kind"] == "service"
    assert task["requester"]["name"] == "ci"
    assert task["approvers"] == ["ann@acme.example", "otto@acme.example"]
    assert task["due_at"] == "2026-03-02T17:00:00.001000Z"
    assert task["next_reminder_at"] == "2026-03-02T09:05:00.001000Z"
    assert task["escalation_at"] == "2026-03-02T11:00:00.001000Z"
    assert task["on_expiry"] == (
        "If nobody answers by 2026-03-02 17:00 UTC, the task expires and the request fails; "
        "nothing is approved."
    )
    assert len(task["digest"]) == 64


async def test_answer_completes_the_intent(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    shown = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    done = await web.answer(task_id, comment="fine", revision=shown["revision"], digest=shown["digest"])
    assert done.status == 200
    assert done["intent"]["status"] == "COMPLETED"
    task = done["task"]
    assert task.pop("receipt") == {
        "said": "Recorded: approved.",
        "next": "This is decided: approved. The request is completed.",
        "event": 5,
    }
    assert (task["state"], task["outcome"], task["ending"]) == ("closed", "approved", "approved")
    assert (task["decided_by"], task["decided_by_name"], task["via"]) == ("per_ann", "Ann", "api")
    [vote] = task["votes"]
    assert (vote["person"], vote["name"], vote["outcome"], vote["comment"]) == (
        "per_ann",
        "Ann",
        "approved",
        "fine",
    )
    assert (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"] == task
    read = await web.get(f"/v1/intents/{intent_id}")
    assert (read["result"]["outcome"], read["intent"]["ending"]) == ("approved", "approved")


async def test_rejection_fails_the_intent_and_keeps_its_outcome(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.answer(task_id, "rejected", comment="not today")
    read = await web.get(f"/v1/intents/{intent_id}")
    assert read["status"] == "FAILED"
    assert read["intent"]["error"]["code"] == "human_rejected"
    assert read["result"]["outcome"] == "rejected"


async def test_late_answer_reports_who_decided(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.answer(task_id)
    for who, path, body in [
        ("otto", f"/v1/tasks/{task_id}/answer", {"outcome": "rejected"}),
        ("otto", f"/v1/intents/{intent_id}/resume", {"task_result": {"outcome": "rejected"}}),
        ("otto", f"/v1/approvals/{task_id}/decision", {"decision": "reject"}),
    ]:
        late = await web.post(path, body, who)
        assert (late.status, late.code) == (409, "already_decided"), path
        details = late["error"]["details"]
        assert (details["outcome"], details["decided_by"], details["via"]) == ("approved", "per_ann", "api")
        assert details["decided_by_name"] == "Ann"


async def test_answer_to_a_state_that_was_not_shown_is_refused(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    for stale in ({"revision": 7}, {"digest": "0" * 64}):
        answer = await web.answer(task_id, **stale)
        assert (answer.status, answer.code) == (409, "stale_revision")
    assert (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["votes"] == []


async def test_repeated_answer_returns_the_first_response(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    path = f"/v1/tasks/{task_id}/answer"
    first = await web.post(path, {"outcome": "approved"}, "ann", idempotency_key="a")
    again = await web.post(path, {"outcome": "approved"}, "ann", idempotency_key="a")
    assert (again.status, again.json) == (200, first.json)


@pytest.mark.parametrize("who", ["rita", "aud", "oscar", "emma", "ci", "agent"])
async def test_only_approvers_may_answer(web: WebEnv, who: str) -> None:
    _, task_id = await web.at_gate()
    answer = await web.answer(task_id, who=who)
    assert answer.status == 403
    assert (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["state"] == "open"


async def test_escalation_lets_another_person_decide(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.env.pass_time(timedelta(hours=3))
    task = (await web.get(f"/v1/tasks/{task_id}", "emma"))["task"]
    assert task["approvers"][-1] == "emma@acme.example"
    assert task["reminders_sent"] >= 1
    assert (await web.answer(task_id, who="emma")).status == 200
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    [escalated] = [e for e in events if e["event_type"] == "intent.escalated"]
    assert escalated["details"]["escalated_to"] == "emma@acme.example"
    assert escalated["pending_with"]["name"] == "emma@acme.example"
    assert (escalated["status"], escalated["waiting_reason"]) == ("WAITING", "WAITING_FOR_HUMAN")


async def test_expired_task_says_so(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.env.pass_time(timedelta(hours=9))
    task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (task["state"], task["ending"]) == ("closed", "expired")
    assert (await web.get(f"/v1/intents/{intent_id}"))["intent"]["error"]["code"] == "step_timeout"
    assert (await web.answer(task_id)).code == "already_decided"


async def test_own_open_and_closed_tasks_are_listed(web: WebEnv) -> None:
    _, gate = await web.at_gate()
    _, open_to_all = await web.ask()
    for who, expected in [("ann", [gate, open_to_all]), ("emma", [open_to_all]), ("rita", [])]:
        answer = await web.get("/v1/tasks?mine=true", who)
        assert [t["task_id"] for t in answer["tasks"]] == expected, who
    assert len((await web.get("/v1/tasks", "rita"))["tasks"]) == 2
    await web.answer(gate)
    assert [t["task_id"] for t in (await web.get("/v1/tasks"))["tasks"]] == [open_to_all]
    closed = (await web.get("/v1/tasks?state=closed"))["tasks"]
    assert [(t["task_id"], t["outcome"]) for t in closed] == [(gate, "approved")]
    assert (await web.get("/v1/tasks?state=any")).status == 422
    assert (await web.get("/v1/tasks", "agent")).status == 403


async def test_lists_of_tasks_are_paged(web: WebEnv) -> None:
    tasks = [(await web.ask())[1] for _ in range(3)]
    first = await web.get("/v1/tasks?limit=2")
    second = await web.get(f"/v1/tasks?limit=2&cursor={first['next_cursor']}")
    assert [t["task_id"] for t in (*first["tasks"], *second["tasks"])] == tasks


async def test_tasks_are_listed_in_the_format_of_axp(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    [task] = (await web.get("/v1/me/tasks", "ann"))["tasks"]
    assert (task["intent_id"], task["status"]) == (intent_id, "WAITING")
    assert task["human_task"]["title"] == "Run the migration?"
    assert task["human_task"]["allowed_outcomes"] == ["approved", "rejected"]
    assert (await web.get("/v1/me/tasks", "rita"))["tasks"] == []
    assert len((await web.get("/v1/me/tasks", "ci"))["tasks"]) == 1


async def test_own_tasks_are_found_behind_many_others(web: WebEnv) -> None:
    task = replace(approve().task, stages=(Stage(("otto@acme.example",)),))
    others, by = gate(approve(task=task)), await web.actor("ci")
    await asyncio.gather(*(web.env.submit(others, by) for _ in range(200)))
    intent_id, _ = await web.at_gate()
    assert [task["intent_id"] for task in (await web.get("/v1/me/tasks", "ann"))["tasks"]] == [intent_id]
    assert len((await web.get("/v1/me/tasks", "otto"))["tasks"]) == 200


async def test_intent_id_resolves_to_its_task(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    assert (await web.get(f"/v1/tasks/{intent_id}", "ann"))["task"]["task_id"] == task_id
    assert (await web.answer(intent_id))["task"]["task_id"] == task_id


async def test_unknown_task_is_not_found(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    for ref in (intent_id[:-4] + "0001", intent_id[:-4] + "0009", "nonsense"):
        assert (await web.get(f"/v1/tasks/{ref}", "ann")).status == 404
        assert (await web.answer(ref)).status == 404


async def test_unknown_fields_are_refused_by_our_endpoint(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    answer = await web.post(f"/v1/tasks/{task_id}/answer", {"outcom": "approved"}, "ann")
    assert (answer.status, answer.code) == (422, "unknown_field")
    assert answer["error"]["hint"].startswith("Did you mean 'outcome'? Known fields: comment,")


async def test_form_is_validated_and_its_values_coerced(web: WebEnv) -> None:
    schema = {
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "integer", "minimum": 1}},
    }
    intent_id, task_id = await web.ask(task_type="form", form_schema=schema)
    wrong = await web.answer(task_id, "submitted", data={"amount": "none"})
    assert (wrong.status, wrong.code) == (422, "form_invalid")
    right = await web.post(
        f"/v1/intents/{intent_id}/resume", {"task_result": {"outcome": "approved", "amount": "5"}}, "ann"
    )
    assert right["intent"]["result"]["amount"] == 5
    assert right["intent"]["result"]["outcome"] == "submitted"


@pytest.mark.parametrize(
    "text", ["99999999999999999999999", "9007199254740993", "1_000", "nan", "1e999", "0x10"]
)
@pytest.mark.parametrize("kind", ["integer", "number"])
async def test_number_that_not_every_reader_can_hold_is_refused(web: WebEnv, kind: str, text: str) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": kind}}}
    _, task_id = await web.ask(task_type="form", form_schema=schema)
    wrong = await web.answer(task_id, "submitted", data={"amount": text})
    assert (wrong.status, wrong.code) == (422, "form_invalid")
    assert text in wrong["error"]["message"]


async def test_decision_is_accepted_in_the_format_of_axps_approvals(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    done = await web.post(
        f"/v1/approvals/{task_id}/decision", {"decision": "approved", "reason": "ok"}, "ann"
    )
    assert (done["status"], done["approval"]["decision"], done["approval"]["comment"]) == (
        "approved",
        "approve",
        "ok",
    )
    assert done["intent"]["status"] == "COMPLETED"
    unknown = await web.post(
        "/v1/approvals/0190a7de-1111-7222-8333-444455556666/decision", {"decision": "approve"}, "ann"
    )
    assert unknown.status == 404
    assert (await web.post(f"/v1/approvals/{task_id}/decision", {"decision": "maybe"}, "ann")).status == 422


async def test_second_approver_sees_the_first_vote(web: WebEnv) -> None:
    both = HumanStep(id="approve", task=TaskSpec(stages=(Stage(need=2),)))
    intent = await web.env.submit(gate(both), await web.actor("ci"))
    task_id = intent.id[:-4] + "0001"
    first = await web.answer(task_id)
    assert (first["task"]["state"], len(first["task"]["votes"])) == ("open", 1)
    [listed] = (await web.get("/v1/tasks", "otto"))["tasks"]
    assert [v["person"] for v in listed["votes"]] == ["per_ann"]
    second = await web.answer(task_id, who="otto")
    assert [v["person"] for v in second["task"]["votes"]] == ["per_ann", "per_otto"]
    assert second["intent"]["status"] == "COMPLETED"


DUE = datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("step", "due", "end", "sentence"),
    [
        ({}, None, None, "Without an answer nothing happens: the task stays open."),
        ({}, DUE, None, "the task expires and the request fails; nothing is approved."),
        (
            {"on_timeout": "tell"},
            DUE,
            None,
            "step 'tell' and then fails, unless somebody approves there; nothing is approved.",
        ),
        ({"on_timeout": "end"}, DUE, None, "the task expires and the request fails; nothing is approved."),
        (
            {},
            None,
            DUE,
            "If nobody answers by 2026-03-02 17:00 UTC, the request times out; nothing is approved.",
        ),
        (
            {"task": TaskSpec(fallback=Fallback.REJECT), "on_failure": "undo"},
            DUE,
            None,
            "step 'undo' and then fails, unless somebody approves there; nothing is approved.",
        ),
        (
            {"task": TaskSpec(fallback=Fallback.OUTCOME, fallback_outcome="approved")},
            DUE,
            None,
            "the request continues as 'approved', as its policy defines.",
        ),
    ],
)
def test_expiry_is_described_in_words(step: Any, due: Any, end: Any, sentence: str) -> None:
    spec = {"id": "approve", "task": TaskSpec()} | step
    assert on_expiry_text(HumanStep(**spec), due, end, utc_text).endswith(sentence)


async def test_history_of_a_task_is_the_same_open_and_closed(web: WebEnv) -> None:
    stages = (Stage(("per_ann",)), Stage(("per_otto", "per_emma")))
    intent = await web.env.submit(
        gate(HumanStep(id="approve", task=TaskSpec(stages=stages))), await web.actor("ci")
    )
    task_id = intent.id[:-4] + "0001"
    await web.env.do(task_id, MarkReviewing(), await web.actor("ann"))
    first = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
    assert (first["stage"], first["stages"], first["approvers"], first["reviewed_by"]) == (
        1,
        2,
        ["per_ann"],
        "per_ann",
    )
    assert (await web.get("/v1/tasks", "ann"))["tasks"] == [first]
    after = (await web.answer(task_id))["task"]
    assert (after["stage"], after["approvers"], after["state"]) == (2, ["per_otto", "per_emma"], "open")
    assert after.pop("receipt")["next"] == "Stage 1 is complete; stage 2 is open now."
    assert "reviewed_by" not in after
    assert (await web.get("/v1/tasks", "ann"))["tasks"] == [after]


async def test_what_a_request_waits_for_follows_its_stages_reassignments_and_revisions(web: WebEnv) -> None:
    stages = (Stage(("per_ann",)), Stage(("per_otto", "per_emma")))
    intent = await web.env.submit(
        gate(HumanStep(id="approve", task=TaskSpec(stages=stages))), await web.actor("rita")
    )
    task_id, seen = intent.id[:-4] + "0001", []
    for act in (
        lambda: web.answer(task_id),
        lambda: web.post(f"/v1/tasks/{task_id}/reassign", {"to": ["emma@acme.example"]}, "oscar"),
        lambda: web.post(f"/v1/tasks/{task_id}/revise", {"payload": {"n": 2}}, "emma"),
    ):
        assert (answer := await act()).status == 200, answer.text
        read = (await web.get(f"/v1/intents/{intent.id}", "oscar"))["intent"]["pending_with"]["name"]
        events = (await web.get(f"/v1/intents/{intent.id}/events", "oscar"))["events"]
        assert events[-1]["pending_with"]["name"] == read
        seen.append(read)
    assert seen == ["per_otto, per_emma", "emma@acme.example", "per_ann"]


async def test_agent_cannot_claim_who_decided(web: WebEnv) -> None:
    liar = {
        "outcome": "rejected",
        "ending": "rejected",
        "decided_by": "per_sam",
        "comment": "never",
        "via": "web",
    }
    apply = {"id": "apply", "agent": "validator"}
    await web.apply_workflow(steps=[*WORKFLOW["steps"][1:], apply])
    intent_id = await web.send()
    await web.answer(intent_id, comment="go")
    step = intent_id[:-4] + "0002"
    await web.post(f"/v1/intents/{step}/resume", {"action": "complete", **liar}, "agent")
    intent = (await web.get(f"/v1/intents/{intent_id}"))["intent"]
    assert (intent["status"], intent["outcome"], intent["ending"]) == ("COMPLETED", "approved", "approved")
    assert (intent["decided_by"], intent["comment"], intent["via"]) == ("per_ann", "go", "api")
    assert intent["decided_at"].startswith("2026-03-02T09:00")


async def test_optional_evidence_is_kept_and_shown(web: WebEnv) -> None:
    intent_id, task_id = await web.ask()
    digest = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["digest"]
    data = {"evidence": "ticket OPS-1"}
    assert (await web.answer(task_id, "approved", "ann", digest=digest, revision=1, data=data)).status == 200
    assert "ticket OPS-1" in (await web.get(f"/v1/intents/{intent_id}/events", "ann")).text
    assert "ticket OPS-1" in (await web.get(f"/v1/intents/{intent_id}", "ann")).text
    assert "ticket OPS-1" in (await (await reader(web, "ann")).get(f"/tasks/{task_id}")).text


async def test_open_task_says_how_many_approvals_are_missing(web: WebEnv) -> None:
    policy = {"approve": {"need": 2, "any": ["ann@acme.example", "otto@acme.example", "emma@acme.example"]}}
    flow = {
        "workflow": "two",
        "intent_type": "a.two.v1",
        "steps": [{"id": "ok", "human": {"type": "approval", "policy": policy}}],
    }
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    task_id = (await web.send(intent_type="a.two.v1"))[:-4] + "0001"

    async def missing() -> tuple[object, object]:
        [listed] = (await web.get("/v1/tasks?intent_type=a.two.v1", "ann"))["tasks"]
        task = (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]
        return listed["approvals_missing"], task["approvals_missing"]

    assert await missing() == (2, 2)
    answered = await web.answer(task_id, who="ann")
    assert answered["task"]["approvals_missing"] == 1
    assert await missing() == (1, 1)
    gone = await web.call("PATCH", "/v1/people/per_ann", {"active": False}, "oscar")
    assert gone.status == 200, gone.text
    assert (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]["approvals_missing"] == 2, (
        "her vote no longer counts"
    )
    for who in ("otto", "emma"):
        await web.answer(task_id, who=who)
    task = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]
    assert (task["state"], "approvals_missing" in task) == ("closed", False)
