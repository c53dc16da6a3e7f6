"""Recipients and channels of each notification: the rules alone, without a store."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Person, Team, Workspace
from signoff.core.intent import commands as c
from signoff.core.intent.notifications import Notification, NotificationKind
from signoff.core.plan.task_types import Stage
from signoff.engine.delivery.recipients import (
    Recipient,
    SentMessages,
    by_hand,
    channels_for,
    current,
    recipients_of,
    unreached,
)
from signoff.engine.directory.snapshot import Snapshot
from tests.builders import ANN, START, WORKSPACE, Story, gate
from tests.core.asking import asking, step

HOUR = timedelta(hours=1)
OPENED, REMINDER, ESCALATED = (
    NotificationKind.TASK_OPENED,
    NotificationKind.REMINDER,
    NotificationKind.ESCALATED,
)
NAMES = ("ann", "otto", "rita", "emma")
MAIL = {f"per_{name}": f"{name}@acme.example" for name in NAMES}
REACH = {"email": MAIL, "slack": {"per_otto": "U0OTTO"}}


def directory(gone: str = "", **teams: tuple[str, ...]) -> Snapshot:
    """Four approvers, one of them optionally inactive, and these teams."""
    people = {
        f"per_{name}": Person(
            f"per_{name}", WORKSPACE, f"{name}@acme.example", name, ("approver",), START, active=name != gone
        )
        for name in NAMES
    }
    made = {name: Team(name, members, None, WORKSPACE, START) for name, members in teams.items()}
    return Snapshot(Workspace(WORKSPACE, "acme", "prod", False, START), {}, {}, people, {}, made)


def about(story: Story, kind: NotificationKind, **fields: Any) -> Notification:
    """A notification about the current state of the task."""
    task = story.intent.open
    place = {
        name: getattr(task, name) for name in ("step", "step_run", "stage", "revision") if hasattr(task, name)
    }
    said = {"to": ("per_ann", "per_otto"), "at": START, **place, **fields}
    return Notification(
        kind=kind,
        intent=story.intent.id,
        workspace=WORKSPACE,
        seq=story.intent.seq,
        intent_type=story.intent.type,
        **said,
    )


def addressees(
    notification: Notification,
    story: Story,
    sent: SentMessages = (),
    held: Snapshot | None = None,
    reach: Mapping[str, Mapping[str, str]] = REACH,
    commenters: tuple[str, ...] = (),
) -> list[Recipient]:
    return recipients_of(
        notification, story.intent, sent, held or directory(), reach, commenters, rewriting=("slack",)
    )


def people(found: list[Recipient]) -> list[str]:
    return [one.person.removeprefix("per_") for one in found]


def both(**spec: Any) -> Story:
    return asking(Stage(("per_ann", "per_otto"), need=2), **spec)


def test_person_who_answered_gets_no_reminder() -> None:
    story = both()
    assert people(addressees(about(story, REMINDER), story)) == ["ann", "otto"]
    story.do(c.Answer("approved"), ANN)
    assert people(addressees(about(story, REMINDER), story)) == ["otto"]
    assert not current(about(story, REMINDER), story.intent, "per_ann")
    assert current(about(story, REMINDER), story.intent, "per_otto")


def test_answer_to_an_earlier_step_does_not_count_for_this_one() -> None:
    story = Story(gate(step(name="first"), step(Stage(need=2), name="second")))
    earlier = about(story, OPENED)
    story.do(c.Answer("approved"), ANN)
    assert current(about(story, OPENED), story.intent, "per_ann")
    assert not current(earlier, story.intent, "per_otto")
    assert addressees(earlier, story) == []


@pytest.mark.parametrize("field", ["stage", "revision", "step_run"])
def test_notification_about_an_earlier_task_state_has_no_recipients(field: str) -> None:
    story = both()
    past = replace(about(story, OPENED), **{field: getattr(story.task, field) + 1})
    assert addressees(past, story) == []
    assert not unreached(replace(past, to=("per_nobody",)), story.intent, directory())
    assert addressees(replace(past, kind=NotificationKind.CHANGED, voided=("per_otto",)), story) == []


def test_snooze_suppresses_reminders_and_not_escalations() -> None:
    story = both()
    story.do(c.Snooze(START + 2 * HOUR), ANN, after=HOUR / 2)
    reminder = about(story, REMINDER, at=START + HOUR)
    assert people(addressees(reminder, story)) == ["otto"]
    assert people(addressees(replace(reminder, at=START + 3 * HOUR), story)) == ["ann", "otto"]
    assert people(addressees(replace(reminder, kind=ESCALATED), story)) == ["ann", "otto"]
    ended = replace(reminder, kind=NotificationKind.SNOOZE_ENDED, to=("per_ann",))
    assert people(addressees(ended, story)) == ["ann"]


def test_channel_of_a_team_is_notified_if_a_member_may_answer() -> None:
    story = asking(Stage(("team:dba", "team:side")))
    held = directory(dba=("per_ann",), side=("per_rita",))  # the request is Rita's
    rooms = {**REACH, "slack": {"team:dba": "C1", "team:side": "C2"}}
    asked = about(story, OPENED, to=("team:dba", "team:side"))
    found = addressees(asked, story, held=held, reach=rooms)
    assert people(found) == ["team:dba", "ann"]
    assert found[0].channels == ("slack",)
    over = replace(asked, kind=NotificationKind.SNOOZE_ENDED, to=("team:dba", "per_ann"))
    assert people(addressees(over, story, held=held, reach=rooms)) == ["ann"], "a room snoozes nothing"


def test_requesters_side_gets_the_ending_once_on_the_channel_that_asked() -> None:
    story = both()
    end = about(story, NotificationKind.DECIDED)
    sent = [("per_otto", "slack"), ("per_otto", "email"), ("per_otto", "slack"), ("per_ann", "slack")]
    assert [(one.person, one.channels) for one in addressees(end, story, sent)] == [
        ("per_otto", ("slack",)),
        ("per_otto", ("email",)),
        ("per_rita", ("email",)),
    ]
    asked = [("per_rita", "email"), ("team:dba", "slack")]
    reach = {**REACH, "slack": {"team:dba": "C1"}}
    assert people(addressees(end, story, asked, reach=reach)) == ["rita", "team:dba"]
    assert people(addressees(about(story, NotificationKind.PROGRESS), story, [("per_ann", "email")])) == [
        "ann"
    ]


def test_person_who_decided_gets_no_message_but_their_card_is_updated() -> None:
    story = both()
    sent = [("per_ann", "email"), ("per_otto", "slack"), ("per_otto", "email"), ("team:dba", "email")]
    held = directory(dba=("per_otto",))
    reach = {**REACH, "email": {**MAIL, "team:dba": "dba@acme.example"}}
    end = about(story, NotificationKind.DECIDED, by="per_otto")
    assert [(one.person, one.channels) for one in addressees(end, story, sent, held, reach)] == [
        ("per_ann", ("email",)),
        ("per_otto", ("slack",)),
        ("team:dba", ("email",)),
        ("per_rita", ("email",)),
    ]
    own = about(story, NotificationKind.DECIDED, by="per_rita")  # withdrawn by the requester herself
    assert people(addressees(own, story)) == []


def test_inactive_person_gets_no_message() -> None:
    story, held = both(), directory(gone="ann")
    for kind in (OPENED, NotificationKind.DECIDED, NotificationKind.MESSAGE, NotificationKind.COMMENTED):
        found = addressees(about(story, kind), story, [("per_ann", "email")], held, commenters=("per_ann",))
        assert "ann" not in people(found), kind
    gone = directory(gone="rita")
    assert people(addressees(about(story, NotificationKind.DECIDED), story, held=gone)) == []


def test_comment_notifies_the_requesters_side_and_commenters_except_its_author() -> None:
    story = both()
    said = about(story, NotificationKind.COMMENTED, by="per_otto", via="slack")
    reach = {**REACH, "slack": {"team:dba": "C1"}, "msteams": {"team:dba": "19:x"}}
    sent = [("team:dba", "slack"), ("team:dba", "msteams"), ("per_ann", "email")]
    found = addressees(said, story, sent, reach=reach, commenters=("per_otto", "per_emma"))
    assert people(found) == ["emma", "rita", "team:dba"]
    assert found[-1].channels == ("msteams",), "it was written in the other room"


def test_message_goes_to_named_people_or_else_to_the_requesters_side() -> None:
    story = both()
    assert people(addressees(about(story, NotificationKind.MESSAGE, to=("per_emma",)), story)) == ["emma"]
    assert people(addressees(about(story, NotificationKind.MESSAGE, to=()), story)) == ["rita"]


def test_revision_notifies_people_whose_answers_are_void_and_who_are_not_asked_again() -> None:
    story = both()
    change = about(story, NotificationKind.CHANGED, voided=("per_ann", "per_emma"), by="per_otto")
    assert people(addressees(change, story)) == ["emma", "rita"]
    assert people(addressees(replace(change, by="per_emma"), story)) == ["rita"]


def test_delegation_notifies_the_delegate_only() -> None:
    story = asking(Stage(("per_ann",)))
    story.do(c.Delegate("per_otto"), ANN, after=HOUR)
    handed = about(story, OPENED, to=("per_otto",), at=START + HOUR)
    assert by_hand(handed, story.task)
    assert not by_hand(replace(handed, at=START), story.task)
    assert not by_hand(replace(handed, kind=REMINDER), story.task)
    assert people(addressees(handed, story)) == ["otto"]


def test_task_that_nobody_can_answer_is_unreached() -> None:
    story = asking(Stage(("per_rita",)))  # whose request it is
    lost = about(story, OPENED, to=("per_rita",))
    assert unreached(lost, story.intent, directory())
    assert unreached(replace(lost, kind=ESCALATED), story.intent, directory())
    assert not unreached(replace(lost, kind=REMINDER), story.intent, directory())
    assert not unreached(replace(lost, to=("per_otto",)), both().intent, directory())
    handed = asking(Stage(("per_ann",)))
    handed.do(c.Delegate("per_otto"), ANN)
    assert not unreached(about(handed, ESCALATED, to=("per_nobody",)), handed.intent, directory())


@pytest.mark.parametrize(
    ("preferences", "channels"),
    [
        ({}, ("email", "slack")),
        ({"channels": ["slack", "email"]}, ("slack", "email")),
        ({"channels": ["slack"]}, ("slack",)),
        ({"channels": ["slack", "slack"]}, ("slack",)),
        ({"channels": ["telegram"]}, ("email", "slack")),
        ({"channels": ["telegram", 7, "slack"]}, ("slack",)),
        ({"channels": "slack"}, ("email", "slack")),
        ({"channels": {"slack": 1}}, ("email", "slack")),
    ],
)
def test_preferred_channels_are_used_if_they_reach_the_person(
    preferences: dict[str, Any], channels: tuple[str, ...]
) -> None:
    otto = replace(directory().people["per_otto"], preferences=preferences)
    assert channels_for(otto, REACH) == channels
    assert channels_for(replace(otto, id="per_unknown"), REACH) == ()
