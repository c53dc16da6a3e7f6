"""What happens by the passing of time, each thing once, and when the next is due."""

from datetime import UTC, datetime, time, timedelta

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict
from signoff.core.intent import commands as c
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Delay, Delivery, DeliveryState, Failure, Status
from signoff.core.intent.timers import expired_as_approved
from signoff.core.intent.wake import deadlines, ends_at, wake_at
from signoff.core.plan.plan import DelayStep, NotifyStep
from signoff.core.plan.schedules import PUSH_BACKOFF, PUSH_LEASE, Reminders
from signoff.core.plan.task_types import Ending, Escalation, Fallback, Risk, Stage
from signoff.core.plan.working_hours import Hours
from tests.builders import (
    ANN,
    SERVICE,
    START,
    SYSTEM,
    VALIDATOR,
    Story,
    approve,
    gate,
    happened,
    minutes,
    validate,
)
from tests.core.asking import asking, refusal, step

HOUR = timedelta(hours=1)
PAUSE = DelayStep(id="pause", lasts=HOUR)
MOMENT = timedelta(microseconds=1)


def held(story: Story) -> Delivery:
    assert isinstance(story.intent.open, Delivery)
    return story.intent.open


def test_delay_ends_at_its_time_and_the_next_step_starts() -> None:
    story = Story(gate(PAUSE, approve()))
    assert isinstance(story.intent.open, Delay)
    assert wake_at(story.intent) == START + HOUR
    assert story.tick(HOUR - MOMENT).facts == []
    assert happened(story.tick(MOMENT)) == ["DelayEnded", "TaskOpened"]


def test_plan_without_waiting_runs_to_the_end() -> None:
    tell = NotifyStep(id="tell", message="Done.", to=("ops@acme.example",))
    story = Story(gate(tell, replace(tell, id="again")))
    assert story.intent.status is Status.COMPLETED
    assert wake_at(story.intent) is None


def test_nothing_is_due_early_and_each_timer_fires_once() -> None:
    story = asking(
        deadline=8 * HOUR, remind=Reminders(HOUR, 2 * HOUR, 2), escalate=(Escalation(4 * HOUR, ("per_x",)),)
    )
    assert story.tick(HOUR - MOMENT).facts == []
    assert happened(story.tick(MOMENT)) == ["Reminded"]
    assert story.tick().facts == []
    assert happened(story.tick(2 * HOUR)) == ["Reminded"]
    assert happened(story.tick(HOUR)) == ["Escalated"]
    assert happened(story.tick(4 * HOUR)) == ["Decided", "Failed"]
    assert story.intent.ending is Ending.EXPIRED


def test_missed_reminders_become_one_after_an_outage() -> None:
    story = asking(remind=Reminders(HOUR, HOUR, 5))
    assert happened(story.tick(10 * HOUR)) == ["Reminded"]
    assert wake_at(story.intent) == START + 11 * HOUR


def test_passed_deadline_ends_the_wait_before_any_reminder() -> None:
    story = asking(deadline=8 * HOUR, remind=Reminders(HOUR, HOUR, 5))
    assert happened(story.tick(9 * HOUR)) == ["Decided", "Failed"]


def test_each_stage_restarts_reminders_and_escalation() -> None:
    story = asking(
        Stage(), Stage(), remind=Reminders(HOUR, HOUR, 5), escalate=(Escalation(3 * HOUR, ("per_x",)),)
    )
    story.do(c.Answer("approved"), ANN, after=2 * HOUR)
    assert (story.task.stage_at, story.task.reminded) == (START + 2 * HOUR, 0)
    assert wake_at(story.intent) == START + 3 * HOUR
    story.tick(HOUR)
    assert happened(story.tick(2 * HOUR)) == ["Escalated", "Reminded"]


def test_reminders_and_escalation_wait_for_working_hours() -> None:
    hours = Hours("UTC", (0, 1, 2, 3, 4), time(9), time(10))  # START is a Monday at nine
    story = asking(
        hours=hours, remind=Reminders(2 * HOUR, HOUR, 2), escalate=(Escalation(5 * HOUR, ("per_x",)),)
    )
    assert list(deadlines(story.intent)) == [
        datetime(2026, 3, 3, 10, tzinfo=UTC),
        datetime(2026, 3, 6, 10, tzinfo=UTC),
    ]


def test_deadline_of_a_policy_may_count_working_time() -> None:
    hours = Hours("UTC", (0, 1, 2, 3, 4), time(9), time(10))
    assert asking(hours=hours, deadline=3 * HOUR, deadline_in_hours=True).task.deadline_at == datetime(
        2026, 3, 4, 10, tzinfo=UTC
    )
    assert asking(hours=hours, deadline=3 * HOUR).task.deadline_at == START + 3 * HOUR


def test_earlier_deadline_of_task_and_request_applies() -> None:
    both = asking(deadline=2 * HOUR, deadline_at=START + HOUR)
    assert ends_at(both.intent, both.task) == START + HOUR
    assert ends_at(asking(deadline=HOUR).intent, asking(deadline=HOUR).task) == START + HOUR
    assert ends_at(asking().intent, asking().task) is None


def test_deadline_of_the_request_ends_it_and_expires_the_task() -> None:
    story = asking(deadline_at=START + HOUR)
    assert happened(story.tick(HOUR)) == ["Decided", "TimedOut"]
    assert (story.intent.status, story.intent.ending) == (Status.TIMED_OUT, Ending.EXPIRED)
    working = Story(gate(validate(), approve()), deadline_at=START + HOUR)
    assert happened(working.tick(HOUR)) == ["TimedOut"]
    assert list(deadlines(working.intent)) == []


def test_deadline_in_the_past_is_refused() -> None:
    assert refusal(lambda: Story(deadline_at=START)).code == "deadline_passed"


# -- deliveries


def test_expired_lease_backs_off_and_is_offered_until_the_last_attempt() -> None:
    story = Story(gate(validate(max_attempts=2), approve()))
    story.do(c.Claim("w", minutes(1)))
    assert happened(story.tick(minutes(1))) == ["AttemptFailed"]
    assert held(story).state is DeliveryState.BACKING_OFF
    due = wake_at(story.intent)
    assert due is not None
    assert happened(story.tick(due - story.now)) == ["Offered"]
    assert held(story).attempt == 2
    story.do(c.Claim("w", minutes(1)))
    assert happened(story.tick(minutes(1))) == ["AttemptFailed", "Failed"]
    fault = story.intent.fault
    assert fault is not None
    assert (fault.code, fault.retryable) == ("delivery_failed", True)
    assert "did not finish step 'validate' in 2 attempts" in fault.message


def test_failed_push_backs_off_by_its_own_pauses() -> None:
    story = Story(gate(validate(push=True), approve()))
    story.do(c.FailPush(1, 1, "503"), SYSTEM)
    assert held(story).retry_at == START + PUSH_BACKOFF.after(1)
    assert story.do(c.FailPush(1, 1, "old news"), SYSTEM).facts == []
    assert story.do(c.AcceptPush(1, 1), SYSTEM).facts == []


def test_push_backs_off_for_as_long_as_the_agent_asks_within_a_limit() -> None:
    for asked, pause in (
        (minutes(1), minutes(1)),
        (timedelta(seconds=1), PUSH_BACKOFF.after(1)),
        (9 * HOUR, HOUR),
    ):
        story = Story(gate(validate(push=True), approve()))
        story.do(c.FailPush(1, 1, "503", asked), SYSTEM)
        assert held(story).retry_at == START + pause
        assert happened(story.tick(pause - minutes(0.1))) == []  # it is no moment of a wrong clock
        assert happened(story.tick(minutes(0.1))) == ["Offered"]


def test_step_with_a_deadline_times_out() -> None:
    story = Story(gate(validate(deadline=HOUR, on_timeout="approve"), approve()))
    assert happened(story.tick(HOUR)) == ["StepTimedOut", "TaskOpened"]
    assert story.intent.setback == Failure("step_timeout", "Step 'validate' passed its deadline.")


def test_approval_by_expiry_continues_as_the_policy_defines() -> None:
    ask = step(deadline=HOUR, fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW)
    story = Story(gate(ask, validate()))
    assert happened(story.tick(HOUR)) == ["Decided", "Offered"]
    assert (story.intent.outcome, story.intent.ending) == ("approved", Ending.EXPIRED)


def test_expiry_approves_nothing_if_nobody_was_notified() -> None:
    ask = step(deadline=HOUR, fallback=Fallback.OUTCOME, fallback_outcome="approved", risk=Risk.LOW)
    story = Story(gate(ask, validate()))
    assert not expired_as_approved(story.intent, START)
    assert expired_as_approved(story.intent, START + HOUR)
    assert happened(story.do(c.Tick(asked=False), SYSTEM, HOUR)) == ["Decided", "Failed"]
    assert (story.intent.outcome, story.intent.ending) == ("expired", Ending.EXPIRED)


# -- and what is over is over


def test_report_on_a_finished_step_is_refused() -> None:
    story = Story(gate(validate(), validate(id="second"), approve())).validated()
    met = refusal(lambda: story.do(c.Report(step_run=1)))
    assert (type(met), met.code) == (Conflict, "step_finished")
    story.do(c.Report())
    assert refusal(lambda: story.do(c.Report(step_run=1))).code == "step_finished"
    assert refusal(lambda: story.do(c.Report(step_run=3))).code == "awaiting_decision"
    assert refusal(lambda: story.do(c.ReportProgress())).code == "awaiting_decision"


def test_resolving_a_direct_intent_records_progress_once() -> None:
    story = Story(gate(validate(), direct=True))
    assert happened(story.do(c.Resolve({"n": 1}), SERVICE)) == ["ProgressReported", "Completed"]
    noted = Story(gate(validate(), direct=True))
    noted.do(c.ReportProgress("half"))
    assert happened(noted.do(c.Resolve({"n": 1}), SERVICE)) == ["Completed"]


def test_history_must_start_with_creation_and_follow_the_states() -> None:
    story = Story(gate(validate(), approve())).validated()
    story.do(c.Answer("approved"), ANN)
    facts = [unseal(body, private) for _, body, private, _ in story.rows]
    with pytest.raises(TypeError, match="starts with a Created event"):
        fold(facts[1:], story.plan)
    answered = next(fact for fact in facts if type(fact.event).__name__ == "Answered")
    with pytest.raises(TypeError, match="no task is open"):
        fold([facts[0], answered], story.plan)
    claimed = Story(gate(validate(), approve()))
    claimed.do(c.Claim("w"))
    taken = next(
        fact
        for fact in (unseal(body, private) for _, body, private, _ in claimed.rows)
        if type(fact.event).__name__ == "Claimed"
    )
    with pytest.raises(TypeError, match="no delivery is open"):
        fold([facts[0], taken], story.plan)
    assert VALIDATOR in str(facts[1].event)


def test_only_the_requests_deadline_is_due_between_two_steps() -> None:
    between = replace(asking(deadline=HOUR, deadline_at=START + 2 * HOUR).intent, open=None)
    assert list(deadlines(between)) == [START + 2 * HOUR]
    assert list(deadlines(replace(between, deadline_at=None))) == []


# -- a clock that was days ahead


DAYS = timedelta(days=3)


def test_back_off_lengthened_by_a_wrong_clock_ends_once_it_is_right() -> None:
    story = Story(gate(validate(max_attempts=3), approve()))
    story.now += DAYS
    story.do(c.Claim("worker", minutes(1)))
    assert happened(story.tick(minutes(1))) == ["AttemptFailed"]
    story.now -= DAYS
    assert happened(story.tick()) == ["Offered"]
    assert held(story).retry_at is None


def test_lease_lengthened_by_a_wrong_clock_restarts_from_now() -> None:
    story = Story(gate(validate(max_attempts=3), approve()))
    story.now += DAYS
    story.do(c.Claim("worker", minutes(1)))
    story.now -= DAYS
    assert story.tick().facts == []  # a renewal, which is no fact
    assert held(story).lease_until == story.now + HOUR
    assert story.tick(HOUR - MOMENT).facts == []
    assert happened(story.tick(MOMENT)) == ["AttemptFailed"]


def test_lease_of_a_push_lengthened_by_a_wrong_clock_restarts_from_now() -> None:
    story = Story(gate(validate(push=True), approve()))
    story.now += DAYS
    story.do(c.AcceptPush(1, 1), SYSTEM)
    story.now -= DAYS
    assert story.tick().facts == []  # a renewal, which is no fact
    assert held(story).lease_until == story.now + PUSH_LEASE
    assert story.tick(PUSH_LEASE - MOMENT).facts == []
    assert happened(story.tick(MOMENT)) == ["AttemptFailed"]
