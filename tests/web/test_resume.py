"""The four meanings of AXP's resume endpoint: reading the body alone, then over HTTP."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.intent.commands import Answer, Report, ReportProgress
from signoff.core.intent.model import Failure
from signoff.core.plan.task_types import TaskSpec, TaskType
from signoff.web.axp.resume import meaning
from tests.builders import Story, approve, gate, validate
from tests.web.web_env import WebEnv

RUNNING = Story().intent
ASKING = Story().validated().intent


@pytest.mark.parametrize("intent", [RUNNING, ASKING])
@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"task_result": {"outcome": "approved"}}, Answer("approved")),
        (
            {"task_result": {"outcome": "rejected", "comment": "no", "ticket": "7"}},
            Answer("rejected", comment="no", data={"ticket": "7"}),
        ),
        (
            {"task_result": {"outcome": "submitted", "data": {"a": 1}, "evidence": "url"}},
            Answer("submitted", data={"evidence": "url", "a": 1}),
        ),
        (
            {"outcome": "approved", "task_result": {"approved": True}},
            Answer("approved", data={"approved": True}),
        ),
        (
            {"task_result": {"outcome": "approved"}, "stage": 2, "revision": 3, "digest": "d"},
            Answer("approved", stage=1, revision=3, digest="d"),
        ),
        ({"task_result": {"approved": False}}, Answer("rejected", data={"approved": False})),
        (
            {"task_result": {"approved": True}, "action": "complete"},
            Answer("approved", data={"approved": True}),
        ),
        ({"action": "complete", "passed": True}, Report(result={"passed": True})),
        (
            {"action": "fail", "reason": "broken"},
            Report(result={"reason": "broken"}, fault=Failure("agent_failed", "broken")),
        ),
        ({"action": "fail"}, Report(fault=Failure("agent_failed", "The agent gave up."))),
        (
            {"action": " FAIL ", "reason": "broken"},
            Report(result={"reason": "broken"}, fault=Failure("agent_failed", "broken")),
        ),
        ({"action": "Complete", "n": 1}, Report(result={"n": 1})),
        ({"action": None, "n": 1}, Report(result={"action": None, "n": 1})),
        ({"passed": True}, Report(result={"passed": True})),
        ({"outcome": "success", "result": {}}, Report(result={"outcome": "success", "result": {}})),
        ({"expected_policy_generation": 3, "n": 1}, Report(result={"n": 1})),
        ({}, ReportProgress()),
        ({"expected_policy_generation": 0}, ReportProgress()),
    ],
)
def test_shape_of_the_body_decides_its_meaning(intent: Any, body: dict[str, Any], command: object) -> None:
    assert meaning(body, intent) == command


@pytest.mark.parametrize("intent", [RUNNING, ASKING])
@pytest.mark.parametrize("word", ["failed", "other", "reject", "abort", "", 0, False, ["fail"]])
@pytest.mark.parametrize(
    "beside", [{}, {"n": 1}, {"task_result": {"outcome": "approved"}}, {"approve_current_step": True}]
)
def test_unknown_action_is_refused_and_is_no_result(
    intent: Any, word: object, beside: dict[str, Any]
) -> None:
    for person in (True, False):
        with pytest.raises(Invalid) as refused:
            meaning({"action": word, **beside}, intent, person=person)
        assert refused.value.field == "action"


def test_form_with_an_action_field_accepts_any_value() -> None:
    spec = TaskSpec(
        type=TaskType.FORM, outcomes=("submitted",), form={"properties": {"action": {"type": "string"}}}
    )
    asking = Story(gate(approve(task=spec))).intent
    for said in ("restart", "fail"):
        answered = meaning({"outcome": "submitted", "action": said}, asking, person=True)
        assert answered == Answer("submitted", data={"action": said})


@pytest.mark.parametrize(("flag", "outcome"), [(True, "approved"), (False, "rejected")])
def test_control_resume_is_a_decision_if_people_decide(flag: bool, outcome: str) -> None:
    body = {"approve_current_step": flag, "reason": "why", "actor": "x", "approved_by": "Ann"}
    for intent in (ASKING, RUNNING):  # where nothing is open yet the rules refuse it
        assert meaning(body, intent) == Answer(outcome, comment="why", data={"approved_by": "Ann"})


def test_control_resume_without_a_task_continues_and_never_turns_a_rejection_into_that() -> None:
    alone = Story(gate(validate(), direct=True)).intent
    assert meaning({"approve_current_step": True, "reason": "why"}, alone) == ReportProgress("why")
    assert meaning({"approve_current_step": False, "reason": "why"}, alone) == Answer(
        "rejected", comment="why"
    )


def test_lone_outcome_decides_only_if_the_open_task_has_it() -> None:
    assert meaning({"outcome": "approved", "comment": "ok"}, ASKING) == Answer("approved", comment="ok")
    assert meaning({"outcome": "approved"}, RUNNING) == Report(result={"outcome": "approved"})
    assert meaning({"outcome": "success"}, ASKING) == Report(result={"outcome": "success"})


def test_id_of_another_step_does_not_mean_the_open_task() -> None:
    assert meaning({"outcome": "approved"}, ASKING, 1) == Report(step_run=1, result={"outcome": "approved"})
    assert meaning({"approve_current_step": True}, ASKING, 1) == Answer("approved", 1)


TWO = [
    ({"outcome": "approved", "task_result": {"outcome": "rejected"}}, ["outcome", "task_result.outcome"]),
    ({"outcome": "approved", "task_result": {"approved": False}}, ["outcome", "task_result.approved"]),
    ({"outcome": "approved", "task_result": {"approved": "false"}}, ["outcome", "task_result.approved"]),
    (
        {"task_result": {"outcome": "approved", "approved": "no"}},
        ["task_result.outcome", "task_result.approved"],
    ),
    (
        {"task_result": {"approved": True}, "approve_current_step": False},
        ["approve_current_step", "task_result.approved"],
    ),
    ({"approve_current_step": True, "decision": "reject"}, ["approve_current_step", "decision"]),
    ({"approve_current_step": True, "outcome": "rejected"}, ["approve_current_step", "outcome"]),
    ({"approve_current_step": False, "approved": True}, ["approve_current_step", "approved"]),
    ({"task_result": {"outcome": "approved"}, "action": "fail"}, ["task_result.outcome", "action"]),
    ({"outcome": "approved", "decision": "reject"}, ["outcome", "decision"]),
    (
        {"task_result": {"outcome": "approved", "rows": 1, "data": {"rows": 2}}},
        ["task_result.rows", "task_result.data.rows"],
    ),
    ({"outcome": "approved", "taskResult": {"outcome": "rejected"}}, ["outcome", "task_result.outcome"]),
    (
        {"approveCurrentStep": True, "taskResult": {"approved": False}},
        ["approve_current_step", "task_result.approved"],
    ),
    (
        {"task_result": {"outcome": "approved"}, "Approve_Current_Step": False},
        ["task_result.outcome", "Approve_Current_Step"],
    ),
]


@pytest.mark.parametrize(("body", "fields"), TWO)
def test_contradictory_members_of_one_body_are_refused(body: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        meaning(body, ASKING)
    assert refused.value.code == "contradictory_answer"
    assert sorted(refused.value.details["fields"]) == sorted(fields)


def test_every_spelling_of_axps_clients_is_a_decision() -> None:
    for intent in (RUNNING, ASKING):
        assert meaning({"taskResult": {"outcome": "rejected"}}, intent) == Answer("rejected")
        assert meaning({"taskResult": None, "approveCurrentStep": False}, intent) == Answer("rejected")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("taskresult", "task_result"),
        ("Task-Result", "task_result"),
        ("task_results", "task_result"),
        ("APPROVE_CURRENT_STEP", "approve_current_step"),
        ("approve_currentstep", "approve_current_step"),
    ],
)
def test_misspelled_decision_of_a_person_is_no_result(name: str, meant: str) -> None:
    for intent in (RUNNING, ASKING):
        for rest in ({}, {"outcome": "approved"}):
            with pytest.raises(Invalid) as refused:
                meaning({**rest, name: {"outcome": "rejected"}}, intent, person=True)
            assert (refused.value.code, refused.value.field) == ("unknown_field", name)
            assert meant in (refused.value.hint or "")
    form = TaskSpec(type=TaskType.FORM, outcomes=("submitted",), form={"properties": {name: {}}})
    asked = Story(gate(approve(task=form))).intent
    told = meaning({"outcome": "submitted", name: {"outcome": "rejected"}}, asked, person=True)
    assert told == Answer("submitted", data={name: {"outcome": "rejected"}})


@pytest.mark.parametrize("name", ["Digest", "digests", " digest", "Revision", "revisions", "STAGE", "stage "])
def test_misspelled_target_is_refused(name: str) -> None:
    meant = name.strip().lower().removesuffix("s")
    for body in (
        {"task_result": {"outcome": "approved"}},
        {"approve_current_step": True},
        {"outcome": "approved"},
    ):
        with pytest.raises(Invalid) as refused:
            meaning({**body, name: "x"}, ASKING, person=True)
        assert (refused.value.code, refused.value.field) == ("unknown_field", name)
        assert meant in (refused.value.hint or "")
    assert meaning({"action": "complete", name: "x"}, RUNNING) == Report(result={name: "x"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"task_result": "approved"}, "task_result"),
        ({"task_result": None}, "task_result.outcome"),
        ({"task_result": {}}, "task_result.outcome"),
        ({"task_result": {"outcome": 7}}, "task_result.outcome"),
        ({"task_result": {"outcome": "approved", "comment": ["x"]}}, "task_result.comment"),
        ({"task_result": {"outcome": "approved", "comment": "x" * 5001}}, "task_result.comment"),
        ({"approve_current_step": "yes"}, "approve_current_step"),
        ({"approve_current_step": True, "reason": {}}, "reason"),
    ],
)
def test_decision_of_the_wrong_type_is_refused_by_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        meaning(body, ASKING)
    assert refused.value.field == field


@pytest.mark.parametrize("body", [{"action": "complete"}, {"passed": True}, {}, {"outcome": "success"}])
async def test_only_a_decision_passes_a_human_step(web: WebEnv, body: dict[str, Any]) -> None:
    intent_id, _ = await web.at_gate()
    refusals = {
        "ann": (403, "agent_required"),
        "ci": (403, "agent_required"),
        "agent": (409, "awaiting_decision"),
        "oscar": (409, "awaiting_decision"),
    }
    for who, refusal in refusals.items():
        answer = await web.post(f"/v1/intents/{intent_id}/resume", body, who)
        assert (answer.status, answer.code) == refusal, who
    assert await web.status(intent_id) == "WAITING"


async def test_agents_result_completes_a_direct_intent_after_progress(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    path = f"/v1/intents/{intent_id}/resume?owner_agent=validator"
    done = await web.post(path, {"action": "complete", "n": 1}, "agent")
    assert (done["applied"], done["intent"]["status"]) == (True, "COMPLETED")
    assert done["intent"]["result"] == {"n": 1}
    assert done["event"]["event_type"] == "intent.completed"
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert [e["status"] for e in events] == ["CREATED", "DELIVERED", "IN_PROGRESS", "COMPLETED"]
    again = await web.post(path, {"action": "complete"}, "agent")
    assert (again.status, again.code) == (409, "intent_terminal")


async def test_failing_agent_fails_the_intent_with_its_reason(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    done = await web.post(f"/v1/intents/{intent_id}/resume", {"action": "fail", "reason": "no disk"}, "agent")
    assert done["intent"]["status"] == "FAILED"
    assert done["intent"]["error"]["message"] == "no disk"


async def test_request_runs_to_completion_as_axps_programs_do_it(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    assert (await web.get("/v1/me/tasks", "otto"))["tasks"][0]["intent_id"] == intent_id
    done = await web.post(
        f"/v1/intents/{intent_id}/resume", {"task_result": {"outcome": "approved", "comment": "go"}}, "otto"
    )
    assert done["intent"]["status"] == "COMPLETED"
    assert done["intent"]["result"]["outcome"] == "approved"
    assert done["intent"]["result"]["steps"]["validate"] == {"passed": True}


async def test_control_resume_continues_without_ending(web: WebEnv) -> None:
    intent_id = await web.send()
    path, body = f"/v1/intents/{intent_id}/resume", {"approve_current_step": True}
    assert (await web.post(path, body, "ann")).code == "agent_required"
    done = await web.post(path, body, "ci")  # who sent a direct request may do its work
    assert (done["applied"], done["intent"]["status"]) == (True, "IN_PROGRESS")
    resolved = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "COMPLETED", "result": {}}, "ci")
    assert resolved["intent"]["status"] == "COMPLETED"


async def test_stale_generation_is_not_applied(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{intent_id}/controls", {"controls_patch": {"note": "slowly"}})
    body = {"action": "complete", "expected_policy_generation": 0}
    answer = await web.post(f"/v1/intents/{intent_id}/resume", body, "agent")
    assert (answer.status, answer["applied"], answer["policy_generation"]) == (200, False, 1)
    assert await web.status(intent_id) == "DELIVERED"


async def test_admin_resolves_a_direct_intent_for_its_agent(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="agent://acme/prod/cab-reviewer")
    body = {"task_result": {"outcome": "rejected", "comment": "no"}}
    assert (await web.post(f"/v1/intents/{intent_id}/resume", body, "agent")).status == 404
    assert (await web.post(f"/v1/intents/{intent_id}/resume", body, "ann")).code == "admin_required"
    done = await web.post(f"/v1/intents/{intent_id}/resume", body, "oscar")
    assert (done["intent"]["status"], done["intent"]["error"]["code"]) == ("FAILED", "human_rejected")


@pytest.mark.parametrize(
    "body",
    [
        {"taskResult": {"outcome": "rejected"}},
        {"task_results": {"outcome": "rejected"}},
        {"Outcome": "rejected"},
        {"approve_currentstep": False},
        {"result": {"outcome": "rejected"}},
        {"data": {"approved": False}},
        {"action": "complete", "result": {"outcome": "rejected"}},
    ],
)
async def test_rejecting_body_of_an_admin_never_completes_a_direct_intent(
    web: WebEnv, body: dict[str, Any]
) -> None:
    intent_id = await web.send(to_agent="agent://acme/prod/cab-reviewer")
    said = await web.post(f"/v1/intents/{intent_id}/resume", body, "oscar")
    ends = "FAILED" if "taskResult" in body or "data" in body else "DELIVERED"
    assert said.status == (200 if ends == "FAILED" else 422), said.text
    assert await web.status(intent_id) == ends


@pytest.mark.parametrize("result", [{"outcome": "rejected"}, {"data": {"approved": False}}, {"Denied": True}])
async def test_admin_cannot_resolve_as_completed_with_a_rejecting_result(
    web: WebEnv, result: dict[str, Any]
) -> None:
    intent_id = await web.send(to_agent="agent://acme/prod/cab-reviewer")
    said = await web.post(
        f"/v1/intents/{intent_id}/resolve", {"status": "completed", "result": result}, "oscar"
    )
    assert (said.status, said.code) == (422, "contradictory_answer"), said.text
    assert said["error"]["field"].startswith("result.")
    assert await web.status(intent_id) == "DELIVERED"
    done = {"status": "COMPLETED", "result": {"rows": 7, "outcome": "approved"}}
    assert (await web.post(f"/v1/intents/{intent_id}/resolve", done, "oscar")).status == 200


WORK = [{"action": "complete", "n": 1}, {"n": 1}]


@pytest.mark.parametrize("body", WORK)
async def test_requester_does_its_own_direct_request(web: WebEnv, body: dict[str, Any]) -> None:
    """As in older AXP examples, with one key for everything."""
    intent_id = await web.send(to_agent="agent://acme/prod/nobody-yet")
    done = await web.post(f"/v1/intents/{intent_id}/resume", body, "ci")
    assert (done["applied"], done["intent"]["status"], done["intent"]["result"]) == (
        True,
        "COMPLETED",
        {"n": 1},
    )
    trail = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["events"]
    [reported] = [one for one in trail if one["type"] == "reported"]
    assert reported["summary"] == "ci finished step 'agent' as the requester, for the agent"


async def test_direct_request_of_a_person_is_resolved_by_them_only(web: WebEnv) -> None:
    intent_id = await web.send("rita", to_agent="agent://acme/prod/nobody-yet")
    assert (await web.post(f"/v1/intents/{intent_id}/resume", {"n": 1}, "ann")).code == "agent_required"
    assert (await web.post(f"/v1/intents/{intent_id}/resume", {"n": 1}, "rita")).status == 200
    trail = (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["events"]
    [reported] = [one for one in trail if one["type"] == "reported"]
    assert reported["summary"] == "Rita finished step 'agent' as the requester, for the agent"


async def test_request_with_a_task_is_never_its_requesters_own_work(web: WebEnv) -> None:
    await web.apply_workflow()
    asks = {"to_agent": "validator", "human_task": {"title": "Sure?"}}
    for fields in ({}, {"intent_type": "asks.v1", **asks}):
        intent_id = await web.send(**fields)
        for ref in (intent_id, intent_id[:-4] + "0001"):
            for body in (*WORK, {}, {"action": "fail"}):
                refused = await web.post(f"/v1/intents/{ref}/resume", body, "ci")
                assert (refused.status, refused.code) == (403, "agent_required"), body
        done = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "COMPLETED"}, "ci")
        assert done.code == "gate_not_passed"
        assert (
            await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"}, "ci")
        ).status == 200


async def test_delivery_held_by_an_agent_is_not_reported_by_others(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    claim = await web.post("/v1/agents/validator/deliveries/claim", {}, "agent")
    assert len(claim["deliveries"]) == 1
    assert (await web.post("/v1/agents/validator/deliveries/claim", {}, "ci")).code == "agent_required"
    late = await web.post(f"/v1/intents/{intent_id}/resume", {"action": "complete"}, "ci")
    assert late.status == 409
    assert await web.status(intent_id) != "COMPLETED"


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "TIMED_OUT"])
async def test_result_with_a_failed_status_is_no_success(web: WebEnv, status: str) -> None:
    """A body for resolve that is sent to resume."""
    intent_id = await web.send(to_agent="validator")
    path, body = f"/v1/intents/{intent_id}/resume", {"status": status, "error": {"message": "no disk"}}
    refused = await web.post(path, body, "agent")
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, "action_required", "status")
    assert await web.status(intent_id) == "DELIVERED"
    done = await web.post(path, {"action": "fail", **body}, "agent")
    assert done["intent"]["status"] == "FAILED"


async def test_status_field_inside_a_result_is_kept(web: WebEnv) -> None:
    for body in (
        {"status": "ok"},
        {"status": "failed", "checks": 3},
        {"action": "complete", "status": "FAILED"},
    ):
        intent_id = await web.send(to_agent="validator")
        done = await web.post(f"/v1/intents/{intent_id}/resume", body, "agent")
        assert done["intent"]["status"] == "COMPLETED"
