"""The upcoming contacts of an open task match those that happen later. Also: one person's snoozed copy."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent.model import Snoozing
from signoff.core.intent.snooze_commands import LONGEST
from signoff.core.intent.snoozes import active_snooze, pending_snoozes, snooze_of, suppressed
from signoff.core.intent.upcoming import MOST_REMINDERS, ContactKind, ScheduledContact, scheduled_contacts
from signoff.core.intent.wake import wake_at
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Stage
from tests.builders import ANN, OTTO, START, Story, happened, minutes
from tests.core.asking import asking, refused

TO_ANN = Stage(("per_ann",))
MOMENT = timedelta(microseconds=1)


def at(count: float) -> datetime:
    return START + minutes(count)


def told(story: Story) -> list[tuple[str, float, int, tuple[str, ...]]]:
    """(kind, minutes from the start, number, to) of each upcoming contact."""
    found = scheduled_contacts(story.intent, story.task)
    return [(one.kind.value, (one.at - START) / minutes(1), one.number, one.to) for one in found]


def watched(**fields: object) -> Story:
    return asking(
        TO_ANN,
        **{
            "deadline": minutes(60),
            "remind": Reminders(minutes(10), minutes(20), 3),
            "escalate": (Escalation(minutes(30), ("per_otto",)), Escalation(minutes(45), ("role:owner",))),
            **fields,
        },  # type: ignore[arg-type]
    )


def test_reminders_rungs_and_the_deadline_are_foretold_in_order() -> None:
    ann = ("per_ann",)
    assert told(watched()) == [
        ("reminder", 10, 1, ann),
        ("escalation", 30, 1, ("per_otto",)),
        ("reminder", 30, 2, ann),
        ("escalation", 45, 2, ("role:owner",)),
        ("reminder", 50, 3, ann),
        ("deadline", 60, 1, ann),
    ]


def test_what_has_happened_is_not_foretold_again() -> None:
    story = watched()
    story.tick(minutes(31))
    assert told(story)[0] == ("escalation", 45, 2, ("role:owner",))
    assert [one[0] for one in told(story)].count("reminder") == 1


def test_nothing_is_foretold_at_or_after_the_end() -> None:
    assert [one[1] for one in told(watched(deadline=minutes(30)))] == [10, 30]
    assert told(watched(deadline=minutes(30)))[-1][0] == "deadline"
    assert [one[0] for one in told(watched(deadline=None, deadline_at=at(25)))] == ["reminder", "deadline"]


def test_without_a_deadline_there_is_none_and_without_times_nothing() -> None:
    assert told(asking(TO_ANN)) == []
    assert [one[0] for one in told(watched(deadline=None))][-1] == "reminder"


def test_endless_reminders_are_foretold_up_to_a_limit() -> None:
    story = watched(deadline=None, remind=Reminders(minutes(1), minutes(1), 1000), escalate=())
    assert len(told(story)) == MOST_REMINDERS


def test_whoever_hears_of_the_task_is_told_of_its_deadline_too() -> None:
    story = watched(notify=("ops@acme.example",))
    assert told(story)[-1] == ("deadline", 60, 1, ("per_ann", "ops@acme.example"))


def test_what_is_foretold_is_what_happens() -> None:
    story = watched()
    ahead = scheduled_contacts(story.intent, story.task)
    named = {
        ContactKind.REMINDER: "Reminded",
        ContactKind.ESCALATION: "Escalated",
        ContactKind.DEADLINE: "Decided",
    }
    seen: list[tuple[str, datetime]] = []
    while (due := wake_at(story.intent)) is not None:
        seen += [(name, due) for name in happened(story.tick(due - story.now)) if name in named.values()]
    assert seen == [(named[one.kind], one.at) for one in ahead]


# -- put off


def test_a_snooze_ends_by_itself_and_its_end_is_foretold() -> None:
    story = watched()
    story.do(c.Snooze(at(25)), ANN)
    assert ("snooze_over", 25, 1, ("per_ann",)) in told(story)
    assert wake_at(story.intent) == at(10)
    story.tick(minutes(24))
    assert active_snooze(story.task, "per_ann") is not None
    change = story.tick(minutes(1))
    assert happened(change) == ["Unsnoozed"]
    assert [notification.to for notification in change.notifications] == [("per_ann",)]
    held = snooze_of(story.task, "per_ann")
    assert held is not None
    assert (held.over, held.until) == (True, at(25))
    assert active_snooze(story.task, "per_ann") is None
    assert list(pending_snoozes(story.task)) == []


def test_a_snooze_is_for_one_person_and_the_last_one_counts() -> None:
    story = asking()
    story.do(c.Snooze(at(25)), ANN)
    story.do(c.Snooze(at(30)), OTTO)
    story.do(c.Snooze(at(40)), ANN)
    assert [(one.person, one.until) for one in story.task.snoozes] == [
        ("per_otto", at(30)),
        ("per_ann", at(40)),
    ]
    assert snooze_of(story.task, "per_emma") is None


def test_taken_back_it_is_gone_nobody_is_told_and_again_nothing_happens() -> None:
    story = asking()
    story.do(c.Snooze(at(25)), ANN)
    change = story.do(c.Unsnooze(), ANN)
    assert (happened(change), change.notifications, story.task.snoozes) == (["Unsnoozed"], [], ())
    assert story.do(c.Unsnooze(), ANN).facts == []


def test_one_that_is_over_is_not_taken_back() -> None:
    story = asking()
    story.do(c.Snooze(at(25)), ANN)
    story.tick(minutes(25))
    assert story.do(c.Unsnooze(), ANN).facts == []


@pytest.mark.parametrize(
    ("until", "code"),
    [
        (START, "moment_passed"),
        (at(60), "after_the_deadline"),
        (at(90), "after_the_deadline"),
    ],
)
def test_it_is_put_off_to_a_moment_between_now_and_the_deadline(until: datetime, code: str) -> None:
    met = refused(watched(), c.Snooze(until), ANN)
    assert (type(met), met.code, met.field) == (Invalid, code, "until")
    assert watched().do(c.Snooze(at(60) - MOMENT), ANN).facts
    assert watched().do(c.Snooze(START + MOMENT), ANN).facts


def test_it_is_put_off_for_thirty_days_at_most() -> None:
    met = refused(asking(), c.Snooze(START + LONGEST + MOMENT), ANN)
    assert (type(met), met.code, met.field) == (Invalid, "too_long", "until")
    assert asking().do(c.Snooze(START + LONGEST), ANN).facts


def test_whoever_has_answered_this_stage_has_nothing_to_put_off() -> None:
    story = asking(Stage(need=2), Stage())
    story.do(c.Answer("approved"), ANN)
    met = refused(story, c.Snooze(at(25)), ANN)
    assert (type(met), met.code) == (Conflict, "already_answered")
    story.do(c.Answer("approved"), OTTO)
    assert story.do(c.Snooze(at(25)), ANN).facts, "the next stage is another question"


def test_a_snooze_keeps_reminders_and_older_calls_away_and_lets_escalations_through() -> None:
    story = asking()
    task = replace(story.task, snoozes=(Snoozing("per_ann", at(10), at(30)),))

    def kept(person: str = "per_ann", *, reminder: bool, called: float, told: float) -> bool:
        return suppressed(task, person, reminder=reminder, called_at=at(called), notified_at=at(told))

    assert kept(reminder=True, called=20, told=20)
    assert kept(reminder=True, called=30, told=30)
    assert not kept(reminder=True, called=31, told=31)
    assert kept(reminder=False, called=10, told=12), "called before it was put off"
    assert not kept(reminder=False, called=11, told=12), "an escalation after that"
    assert not kept("per_otto", reminder=True, called=20, told=20)


def test_a_contact_says_to_whom() -> None:
    assert ScheduledContact(ContactKind.OPENING, START, 1, ("per_ann",)).to == ("per_ann",)
