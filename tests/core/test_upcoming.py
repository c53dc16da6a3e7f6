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


def contact_rows(story: Story) -> list[tuple[str, float, int, tuple[str, ...]]]:
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


def test_reminders_escalation_and_deadline_are_listed_in_order() -> None:
    ann = ("per_ann",)
    assert contact_rows(watched()) == [
        ("reminder", 10, 1, ann),
        ("escalation", 30, 1, ("per_otto",)),
        ("reminder", 30, 2, ann),
        ("escalation", 45, 2, ("role:owner",)),
        ("reminder", 50, 3, ann),
        ("deadline", 60, 1, ann),
    ]


def test_past_contacts_are_not_listed() -> None:
    story = watched()
    story.tick(minutes(31))
    assert contact_rows(story)[0] == ("escalation", 45, 2, ("role:owner",))
    assert [one[0] for one in contact_rows(story)].count("reminder") == 1


def test_nothing_is_listed_at_or_after_the_end() -> None:
    assert [one[1] for one in contact_rows(watched(deadline=minutes(30)))] == [10, 30]
    assert contact_rows(watched(deadline=minutes(30)))[-1][0] == "deadline"
    assert [one[0] for one in contact_rows(watched(deadline=None, deadline_at=at(25)))] == [
        "reminder",
        "deadline",
    ]


def test_policy_without_times_lists_nothing() -> None:
    assert contact_rows(asking(TO_ANN)) == []
    assert [one[0] for one in contact_rows(watched(deadline=None))][-1] == "reminder"


def test_unlimited_reminders_are_listed_up_to_a_limit() -> None:
    story = watched(deadline=None, remind=Reminders(minutes(1), minutes(1), 1000), escalate=())
    assert len(contact_rows(story)) == MOST_REMINDERS


def test_deadline_is_listed_with_everybody_who_is_notified() -> None:
    story = watched(notify=("ops@acme.example",))
    assert contact_rows(story)[-1] == ("deadline", 60, 1, ("per_ann", "ops@acme.example"))


def test_listed_contacts_are_those_that_happen() -> None:
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


def test_end_of_a_snooze_is_listed() -> None:
    story = watched()
    story.do(c.Snooze(at(25)), ANN)
    assert ("snooze_over", 25, 1, ("per_ann",)) in contact_rows(story)
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


def test_snooze_is_personal_and_the_last_one_counts() -> None:
    story = asking()
    story.do(c.Snooze(at(25)), ANN)
    story.do(c.Snooze(at(30)), OTTO)
    story.do(c.Snooze(at(40)), ANN)
    assert [(one.person, one.until) for one in story.task.snoozes] == [
        ("per_otto", at(30)),
        ("per_ann", at(40)),
    ]
    assert snooze_of(story.task, "per_emma") is None


def test_unsnooze_removes_it_without_a_notification_and_is_idempotent() -> None:
    story = asking()
    story.do(c.Snooze(at(25)), ANN)
    change = story.do(c.Unsnooze(), ANN)
    assert (happened(change), change.notifications, story.task.snoozes) == (["Unsnoozed"], [], ())
    assert story.do(c.Unsnooze(), ANN).facts == []


def test_ended_snooze_cannot_be_canceled() -> None:
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
def test_snooze_must_end_between_now_and_the_deadline(until: datetime, code: str) -> None:
    met = refused(watched(), c.Snooze(until), ANN)
    assert (type(met), met.code, met.field) == (Invalid, code, "until")
    assert watched().do(c.Snooze(at(60) - MOMENT), ANN).facts
    assert watched().do(c.Snooze(START + MOMENT), ANN).facts


def test_snooze_is_limited_to_thirty_days() -> None:
    met = refused(asking(), c.Snooze(START + LONGEST + MOMENT), ANN)
    assert (type(met), met.code, met.field) == (Invalid, "too_long", "until")
    assert asking().do(c.Snooze(START + LONGEST), ANN).facts


def test_person_who_answered_the_stage_cannot_snooze() -> None:
    story = asking(Stage(need=2), Stage())
    story.do(c.Answer("approved"), ANN)
    met = refused(story, c.Snooze(at(25)), ANN)
    assert (type(met), met.code) == (Conflict, "already_answered")
    story.do(c.Answer("approved"), OTTO)
    assert story.do(c.Snooze(at(25)), ANN).facts, "the next stage is another question"


def test_snooze_suppresses_reminders_and_earlier_escalations_only() -> None:
    story = asking()
    task = replace(story.task, snoozes=(Snoozing("per_ann", at(10), at(30)),))

    def kept(person: str = "per_ann", *, reminder: bool, called: float, contact_rows: float) -> bool:
        return suppressed(task, person, reminder=reminder, called_at=at(called), notified_at=at(contact_rows))

    assert kept(reminder=True, called=20, contact_rows=20)
    assert kept(reminder=True, called=30, contact_rows=30)
    assert not kept(reminder=True, called=31, contact_rows=31)
    assert kept(reminder=False, called=10, contact_rows=12), "called before it was put off"
    assert not kept(reminder=False, called=11, contact_rows=12), "an escalation after that"
    assert not kept("per_otto", reminder=True, called=20, contact_rows=20)


def test_contact_lists_its_recipients() -> None:
    assert ScheduledContact(ContactKind.OPENING, START, 1, ("per_ann",)).to == ("per_ann",)
