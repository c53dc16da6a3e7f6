"""The rules as given / when / then: no database, no clock."""

import itertools
from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from signoff.core.intent import commands as c
from signoff.core.intent.model import FINAL, Delivery, DeliveryState, Failure, Status, Waiting
from signoff.core.intent.notifications import NotificationKind
from signoff.core.intent.result import result_of
from signoff.core.plan.plan import DelayStep, NotifyStep, Step
from signoff.core.plan.schedules import PUSH_LEASE
from signoff.core.plan.task_types import Ending, Stage, TaskSpec, TaskType
from tests.builders import (
    ADA,
    AGENT,
    ANN,
    AUDITOR,
    OTHER_AGENT,
    OTTO,
    RITA,
    SAM,
    SERVICE,
    START,
    SYSTEM,
    Story,
    approve,
    gate,
    happened,
    minutes,
    person,
    validate,
)


def test_request_passes_through_agent_and_approval_to_completion() -> None:
    story = Story()
    assert story.intent.status is Status.DELIVERED
    claimed = story.do(c.Claim("worker-1"))
    assert happened(claimed) == ["Claimed"]
    held = story.intent.open
    assert isinstance(held, Delivery)
    reported = story.do(c.Report(held.step_run, held.token, {"passed": True}))
    assert happened(reported) == ["Reported", "TaskOpened"]
    assert (story.intent.status, story.intent.waiting) == (Status.WAITING, Waiting.HUMAN)
    decided = story.do(c.Answer("approved", comment="looks right"), ANN)
    assert happened(decided) == ["Answered", "Decided", "Completed"]
    result = result_of(story.intent)
    assert result["outcome"] == "approved"
    assert result["comment"] == "looks right"
    assert result["steps"]["validate"] == {"passed": True}
    assert [n.kind for n in story.notifications] == [
        NotificationKind.TASK_OPENED,
        NotificationKind.DECIDED,
        NotificationKind.FINISHED,
    ]


def test_a_rejected_task_fails_the_intent() -> None:
    story = Story().validated()
    story.do(c.Answer("rejected"), ANN)
    assert story.intent.status is Status.FAILED
    assert story.intent.fault is not None
    assert story.intent.fault.code == "human_rejected"
    assert story.intent.ending is Ending.REJECTED


def test_reminders_missed_during_an_outage_become_one() -> None:
    story = Story().validated()
    late = story.tick(minutes(29))
    assert happened(late) == ["Reminded"]
    assert story.task.reminded == 1


def test_reminders_are_followed_by_escalation_and_expiry() -> None:
    story = Story().validated()
    seen = [happened(story.tick(minutes(5))) for _ in range(6)]
    assert seen == [["Reminded"], ["Reminded"], ["Reminded"], [], [], ["Escalated"]]
    gone = story.tick(minutes(480))
    assert happened(gone) == ["Decided", "Failed"]
    assert story.intent.ending is Ending.EXPIRED
    assert story.intent.fault is not None
    assert story.intent.fault.code == "step_timeout"
    assert story.tick(minutes(9999)).facts == []


def test_expiry_is_never_consent_even_with_a_timeout_route() -> None:
    plan = gate(validate(), approve(on_timeout="tell"), NotifyStep(id="tell", message="nobody answered"))
    story = Story(plan).validated()
    gone = story.tick(minutes(500))
    assert happened(gone) == ["Decided", "Notified", "Failed"]
    assert story.intent.ending is Ending.EXPIRED
    assert story.intent.fault is not None
    assert story.intent.fault.code == "step_timeout"


def test_escalation_lets_the_next_person_decide() -> None:
    task = Story().validated().intent.plan.by_id["approve"].task  # type: ignore[union-attr]
    asked = replace(task, stages=(replace(task.stages[0], approvers=("per_ann",)),))
    story = Story(gate(validate(), approve(task=asked))).validated()
    with pytest.raises(Forbidden, match="not among those"):
        story.do(c.Answer("approved"), OTTO)
    story.tick(minutes(31))
    story.do(c.Answer("approved"), OTTO)
    assert story.intent.status is Status.COMPLETED


def test_expired_lease_is_offered_again_and_the_late_report_refused() -> None:
    story = Story()
    story.do(c.Claim("worker-1", minutes(1)))
    stale = story.intent.open
    assert isinstance(stale, Delivery)
    assert happened(story.tick(minutes(1))) == ["AttemptFailed"]
    assert story.intent.waiting is Waiting.AGENT
    assert happened(story.tick(timedelta(seconds=1))) == ["Offered"]
    again = story.intent.open
    assert isinstance(again, Delivery)
    assert (again.attempt, again.state) == (2, DeliveryState.OFFERED)
    story.do(c.Claim("worker-2", minutes(1)))
    with pytest.raises(Conflict) as refusal:
        story.do(c.Report(stale.step_run, stale.token, {"late": True}))
    assert refusal.value.code == "stale_delivery"


def test_exhausted_attempts_fail_the_intent() -> None:
    story = Story()
    for _ in range(3):
        story.do(c.Claim("worker", minutes(1)))
        story.tick(minutes(1))
        story.tick(minutes(10))
    assert story.intent.status is Status.FAILED
    assert story.intent.fault is not None
    assert story.intent.fault.code == "delivery_failed"


def test_released_delivery_does_not_count_as_an_attempt() -> None:
    story = Story()
    for _ in range(5):
        story.do(c.Claim("worker", minutes(1)))
        held = story.intent.open
        assert isinstance(held, Delivery)
        assert story.do(c.Release(held.step_run, held.token)).fresh
    held = story.intent.open
    assert isinstance(held, Delivery)
    assert held.attempt == 1


def test_renewed_lease_moves_the_wake_up_without_a_fact() -> None:
    story = Story()
    story.do(c.Claim("worker", minutes(1)))
    held = story.intent.open
    assert isinstance(held, Delivery)
    renewed = story.do(c.Renew(held.step_run, held.token, minutes(1)), after=minutes(0.5))
    assert renewed.facts == []
    assert renewed.wake_at == START + minutes(1.5)


def test_failure_is_retried_as_often_as_the_step_allows() -> None:
    story = Story(gate(validate(max_retries=1, retry_delay=minutes(2)), approve()))
    oops = Failure("agent_error", "boom", retryable=True)
    assert happened(story.do(c.Report(fault=oops))) == ["Reported"]
    assert happened(story.tick(minutes(2))) == ["Offered"]
    assert happened(story.do(c.Report(fault=oops))) == ["Reported", "Failed"]
    assert story.intent.fault == oops


def test_failure_and_timeout_follow_their_routes() -> None:
    plan = gate(validate(on_failure="approve"), NotifyStep(id="tell"), approve())
    assert happened(Story(plan).do(c.Report(fault=Failure("x", "y")))) == ["Reported", "TaskOpened"]
    plan = gate(validate(deadline=minutes(1), on_timeout="approve"), NotifyStep(id="tell"), approve())
    assert happened(Story(plan).tick(minutes(1))) == ["StepTimedOut", "TaskOpened"]


def test_requested_changes_return_to_the_agent_a_bounded_number_of_times() -> None:
    review = TaskSpec(type=TaskType.REVIEW, outcomes=("approved", "changes_requested", "rejected"))
    story = Story(gate(validate(), approve(task=review), max_revisions=2))
    for revision in (2, 3):
        story.validated()
        back = story.do(c.Answer("changes_requested", comment="smaller"), ANN)
        assert happened(back) == ["Answered", "Decided", "Offered"]
        assert story.intent.revision == revision
    story.validated()
    assert happened(story.do(c.Answer("changes_requested"), ANN)) == ["Answered", "Decided", "Failed"]


def test_delay_and_notify_steps_run() -> None:
    plan = gate(
        DelayStep(id="pause", lasts=minutes(10)),
        NotifyStep(id="tell", to=("ops",), message="soon"),
        approve(),
    )
    story = Story(plan)
    assert story.intent.waiting is Waiting.TIME
    assert story.tick(minutes(9)).facts == []
    assert happened(story.tick(minutes(1))) == ["DelayEnded", "Notified", "TaskOpened"]


def test_deadline_of_the_intent_ends_it_at_any_step() -> None:
    story = Story(deadline_at=START + minutes(60)).validated()
    assert happened(story.tick(minutes(60)))[-2:] == ["Decided", "TimedOut"]
    assert story.intent.status is Status.TIMED_OUT
    with pytest.raises(Invalid, match="past"):
        Story(deadline_at=START)


def test_answer_to_an_earlier_revision_is_refused() -> None:
    story = Story().validated()
    with pytest.raises(Conflict) as refusal:
        story.do(c.Answer("approved", digest="0" * 64), ANN)
    assert refusal.value.code == "stale_revision"
    story.do(c.Answer("approved", digest=story.task.digest, revision=story.task.revision), ANN)
    assert story.intent.status is Status.COMPLETED


def test_only_eligible_people_answer() -> None:
    story = Story().validated()
    for actor in (AGENT, SERVICE, OTHER_AGENT):
        with pytest.raises((Forbidden, NotFound)):
            story.do(c.Answer("approved"), actor)
    with pytest.raises(Forbidden):
        story.do(c.Answer("approved"), AUDITOR)
    with pytest.raises(NotFound):
        story.do(c.Answer("approved"), SAM)
    with pytest.raises(Forbidden, match="requester's side"):
        story.do(c.Answer("approved"), person("rita", "approver"))
    story.do(c.Answer("approved"), person("rita", "approver", self_approval=True))
    assert story.intent.status is Status.COMPLETED


def test_agents_result_is_no_decision() -> None:
    story = Story().validated()
    for command in (c.Report(result={"approved": True}), c.ReportProgress()):
        with pytest.raises(Conflict) as refusal:
            story.do(command)
        assert refusal.value.code == "awaiting_decision"
    with pytest.raises(Forbidden, match="a decision by people"):
        story.do(c.Resolve({"done": True}), SERVICE)


def test_another_agent_sees_and_reports_nothing() -> None:
    with pytest.raises(NotFound):
        Story().do(c.Report(result={}), OTHER_AGENT)


def test_withdrawal_cancels_the_intent() -> None:
    story = Story(by=RITA).validated()
    with pytest.raises(Forbidden):
        story.do(c.Cancel("mine"), ANN)
    story.do(c.Cancel("changed my mind"), RITA)
    assert story.intent.status is Status.CANCELED
    assert story.intent.ending is Ending.WITHDRAWN


@pytest.mark.parametrize("steps", [(validate(), approve()), (validate(), approve(), validate(id="run"))])
def test_decided_intent_cannot_be_withdrawn(steps: tuple[Step, ...]) -> None:
    story = Story(gate(*steps), by=RITA).validated()
    shown = story.task.step_run
    story.do(c.Answer("approved"), ANN)
    status = story.intent.status
    with pytest.raises(Conflict) as late:
        story.do(c.Cancel("changed my mind", shown), RITA)
    assert late.value.code == "already_decided"
    assert story.intent.status is status


def test_direct_intent_is_resolved_or_operated() -> None:
    direct = gate(validate(), direct=True)
    story = Story(direct)
    assert happened(story.do(c.Resolve({"ok": 1}), SERVICE)) == ["ProgressReported", "Completed"]
    assert result_of(story.intent) == {"ok": 1}
    story = Story(direct)
    assert happened(story.do(c.Answer("approved"), ADA)) == ["Reported", "Completed"]
    story = Story(direct)
    assert happened(story.do(c.Answer("rejected"), ADA)) == ["Reported", "Failed"]


def test_stale_generation_of_a_patch_is_refused() -> None:
    story = Story()
    story.do(c.PatchControls(controls={"a": 1}, expected=0), SERVICE)
    with pytest.raises(Conflict) as refusal:
        story.do(c.PatchControls(controls={"a": 2}, expected=0), SERVICE)
    assert refusal.value.code == "stale_policy_generation"
    assert story.intent.controls == {"a": 1}


def test_push_is_accepted_or_fails_and_a_stale_report_changes_nothing() -> None:
    story = Story(gate(validate(push=True), approve()))
    assert [n.kind for n in story.notifications] == [NotificationKind.PUSH]
    missed = story.do(c.FailPush(1, 1, "503"), SYSTEM)
    assert happened(missed) == ["AttemptFailed"]
    assert story.do(c.FailPush(1, 1, "503 again"), SYSTEM).facts == []
    story.tick(timedelta(seconds=30))
    assert happened(story.do(c.AcceptPush(1, 2), SYSTEM)) == ["PushAccepted"]
    assert happened(story.do(c.Report(result={}))) == ["Reported", "TaskOpened"]


def test_accepted_push_without_a_report_is_pushed_again_and_finally_fails() -> None:
    story = Story(gate(validate(push=True, max_attempts=2), approve()))
    story.do(c.AcceptPush(1, 1), SYSTEM)
    assert happened(story.tick(PUSH_LEASE - timedelta(seconds=1))) == []
    assert happened(story.tick(timedelta(seconds=1))) == ["AttemptFailed"]
    assert happened(story.tick(timedelta(seconds=30))) == ["Offered"]
    assert [n.kind for n in story.notifications] == [NotificationKind.PUSH, NotificationKind.PUSH]
    story.do(c.AcceptPush(1, 2), SYSTEM)
    assert happened(story.tick(PUSH_LEASE)) == ["AttemptFailed", "Failed"]
    assert story.intent.fault is not None
    assert story.intent.fault.code == "delivery_failed"


def test_progress_of_an_agent_extends_the_lease_of_a_push() -> None:
    story = Story(gate(validate(push=True), approve()))
    story.do(c.AcceptPush(1, 1), SYSTEM)
    for _ in range(5):
        assert happened(story.do(c.ReportProgress(), after=PUSH_LEASE - timedelta(seconds=1))) == [
            "ProgressReported"
        ]
        assert happened(story.tick()) == []
    assert happened(story.tick(PUSH_LEASE)) == ["AttemptFailed"]
    assert happened(story.do(c.ReportProgress())) == ["ProgressReported"]
    assert happened(story.do(c.Report(result={}))) == ["Reported", "TaskOpened"], "a late result counts"


def test_deadline_ends_a_push_before_its_lease() -> None:
    story = Story(gate(validate(push=True, deadline=minutes(10)), approve()))
    story.do(c.AcceptPush(1, 1), SYSTEM)
    assert happened(story.tick(minutes(10))) == ["StepTimedOut", "Failed"]


COMMANDS: list[c.Command] = [
    c.Claim("w"), c.Renew(1, 1), c.Release(1, 1), c.Report(), c.AcceptPush(1, 1), c.FailPush(1, 1, "x"),
    c.Answer("approved"),
    c.ReportProgress(), c.Resolve(), c.Cancel(), c.PatchControls(),
]  # fmt: skip


def _final(status: Status) -> Story:
    if status is Status.TIMED_OUT:
        story = Story(deadline_at=START + minutes(1))
        story.tick(minutes(1))
    elif status is Status.CANCELED:
        story = Story()
        story.do(c.Cancel(), SERVICE)
    else:
        story = Story(gate(validate(), direct=True))
        story.do(c.Resolve(fault=None if status is Status.COMPLETED else Failure("x", "y")), SERVICE)
    assert story.intent.status is status
    return story


@pytest.mark.parametrize(("status", "command"), list(itertools.product(sorted(FINAL), COMMANDS)))
def test_final_intent_accepts_no_command(status: Status, command: c.Command) -> None:
    story = _final(status)
    before = story.intent
    actor = (
        SYSTEM
        if isinstance(command, c.AcceptPush | c.FailPush)
        else ANN
        if isinstance(command, c.Answer)
        else SERVICE
    )
    with pytest.raises(Refused):
        story.do(command, actor)
    assert story.intent == before
    assert story.tick(minutes(10_000)).facts == []


def test_escalation_reaches_people_beyond_the_approving_roles() -> None:
    story = Story(gate(validate(), approve())).validated()
    otto = person("otto", "member")
    with pytest.raises(Forbidden):
        story.do(c.Answer("approved"), otto)
    story.tick(minutes(31))
    story.do(c.Answer("approved"), otto)
    assert story.intent.status is Status.COMPLETED


def test_rejected_direct_intent_keeps_the_outcome() -> None:
    story = Story(gate(validate(), direct=True))
    story.do(c.Answer("rejected"), ADA)
    assert result_of(story.intent)["outcome"] == "rejected"


def test_only_an_admin_resolves_a_direct_intent_for_its_agent() -> None:
    story = Story(gate(validate(), direct=True))
    for actor in (AUDITOR, RITA, ANN):
        with pytest.raises(Forbidden, match="place"):
            story.do(c.Answer("approved"), actor)
    story.do(c.Answer("approved"), ADA)
    assert story.intent.status is Status.COMPLETED


def test_changed_open_task_creates_one_progress_notification_per_command() -> None:
    story = Story(
        plan=gate(approve(task=TaskSpec(stages=(Stage(("per_ann", "per_otto"), 2), Stage(("per_ann",))))))
    )
    told = [n.kind for n in story.do(c.Answer("approved"), ANN).notifications]
    assert told == [NotificationKind.PROGRESS]
    assert story.do(c.Answer("approved"), ANN).notifications == []  # the same again
    passed = story.do(c.Answer("approved"), OTTO)
    assert [(n.kind, n.stage) for n in passed.notifications] == [
        (NotificationKind.TASK_OPENED, 1),
        (NotificationKind.PROGRESS, 1),
    ]
    decided = [n.kind for n in story.do(c.Answer("approved"), ANN).notifications]
    assert decided == [NotificationKind.DECIDED, NotificationKind.FINISHED]
