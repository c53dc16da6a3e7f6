"""Who must be notified of what. A notification follows from a fact; it is stored with the fact and rendered when it
is sent, so that events and recipients can be read, tested and changed independently.
"""

from datetime import datetime
from enum import Flag, StrEnum, auto
from typing import Any, Final, assert_never

import msgspec
from msgspec.structs import replace

from signoff.core.directory.roles import ADMIN_ROLES, DECIDING_ROLES
from signoff.core.intent import events as e
from signoff.core.intent.model import Delivery, Intent, Task, spec_of
from signoff.core.plan.task_types import TaskSpec
from signoff.core.plan.title_template import has_fields
from signoff.core.plan.wording import filled_from, from_workflow, question_template


class KindTrait(Flag):
    """Properties of a kind of notification. ASKS: it asks for an answer. FOLLOWS: it is sent in the channels of the
    messages that asked. PERSONAL: it is for particular people only, and never sent to a webhook. QUIET: it is not
    printed on the server's terminal.
    """

    NONE = 0
    ASKS = auto()
    FOLLOWS = auto()
    PERSONAL = auto()
    QUIET = auto()


class NotificationKind(StrEnum):
    """The kinds of notification. Each is declared only here: its label in lists of messages, the template of its title,
    and its traits. ``engine/delivery/recipients.py`` has the recipients of each.
    """

    label: str
    title_template: str
    traits: KindTrait

    def __new__(
        cls, value: str, label: str, title_template: str, traits: KindTrait = KindTrait.NONE
    ) -> "NotificationKind":
        member = str.__new__(cls, value)
        member._value_ = value
        member.label, member.title_template, member.traits = label, title_template, traits
        return member

    TASK_OPENED = "task.opened", "decision needed", "Decision needed: {title}", KindTrait.ASKS
    REMINDER = "task.reminder", "reminder", "Reminder {number}, still waiting: {title}", KindTrait.ASKS
    ESCALATED = "task.escalated", "escalation", "Escalated, still waiting: {title}", KindTrait.ASKS
    REVISED = (
        "task.revised", "decision needed on a new revision", "Changed, new decision needed: {title}", KindTrait.ASKS,
    )  # fmt: skip
    SNOOZE_ENDED = (
        "task.snooze_over", "snooze ended", "Snooze ended: {title}",
        KindTrait.ASKS | KindTrait.PERSONAL | KindTrait.QUIET,
    )  # fmt: skip
    COMMENTED = "task.commented", "question or comment", "Comment: {title}"
    CHANGED = "task.changed", "request changed", "Changed: {title}", KindTrait.PERSONAL | KindTrait.QUIET
    PROGRESS = (
        "task.progress", "update of an earlier message", "Updated: {title}",
        KindTrait.FOLLOWS | KindTrait.PERSONAL | KindTrait.QUIET,
    )  # fmt: skip
    DECIDED = "task.decided", "decision", "{ended}: {title}", KindTrait.FOLLOWS
    MESSAGE = "message", "message", "For your information: {type}"
    FINISHED = "intent.finished", "request ended", "Finished: {type} is {status}", KindTrait.QUIET
    PUSH = "push", "delivery to an agent", "Delivery for {to}", KindTrait.QUIET


def kinds_with(trait: KindTrait) -> frozenset[NotificationKind]:
    return frozenset(kind for kind in NotificationKind if trait in kind.traits)


ASKING: Final = kinds_with(KindTrait.ASKS)
FOLLOWING: Final = kinds_with(KindTrait.FOLLOWS)
PERSONAL: Final = kinds_with(KindTrait.PERSONAL)
QUIET: Final = kinds_with(KindTrait.QUIET)


class Notification(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, kw_only=True):
    """One notification. ``to``: approver names (empty for the default approvers), or the agent for a push. ``ref``:
    the id by which that agent knows the delivery. ``stage`` and ``revision``: those of the task at that time.
    ``title``: the question, written by Signoff or an admin. ``requesters_title``: the requester's
    title, if no admin wrote one.
    ``voided``: the people whose answers are void. ``means``: the meaning of the outcome. ``fault``: the code of the
    failure. ``roundup``: whether it is sent in a roundup.
    """

    kind: NotificationKind
    intent: str
    workspace: str
    seq: int
    at: datetime
    intent_type: str
    to: tuple[str, ...] = ()
    ref: str = ""
    step_run: int = msgspec.field(default=0, name="visit")
    step: str = ""
    attempt: int = 0
    number: int = 0
    stage: int = 0
    revision: int = 1
    title: str = ""
    requesters_title: str = msgspec.field(default="", name="called")
    voided: tuple[str, ...] = ()
    text: str = ""
    outcome: str = ""
    ending: str = ""
    means: str = ""
    by: str = ""
    via: str = ""
    status: str = ""
    fault: str = ""
    deadline_at: datetime | None = None
    roundup: bool = msgspec.field(default=False, name="digest")


def notifications_of(before: Intent | None, fact: e.Fact, after: Intent) -> list[Notification]:
    """The notifications that follow from one fact. ``before`` and ``after``: the intent before and after it."""
    fields = _fields(before, fact, after)
    if fields is None:
        return []
    notification = Notification(
        intent=after.id,
        workspace=after.workspace,
        seq=fact.seq,
        at=fact.at,
        intent_type=after.type,
        by=fact.actor.id,
        via=fact.via,
        **fields,
    )
    # The approvers are asked again; people whose answers became void, and the requester, are notified of the change.
    also = (
        [replace(notification, kind=NotificationKind.CHANGED)]
        if notification.kind is NotificationKind.REVISED
        else []
    )
    return [notification, *also]


def progress_of(before: Intent | None, fact: e.Fact, after: Intent) -> Notification | None:
    """The notification that the command has changed the progress of an open task. Earlier messages about it are
    rewritten, if the channel can do that. ``fact``: the command's last fact.
    """
    was, task = before.open if before else None, after.open
    if not isinstance(was, Task) or not isinstance(task, Task) or was.step_run != task.step_run:
        return None
    if _progress(was) == _progress(task):
        return None
    return Notification(
        intent=after.id,
        workspace=after.workspace,
        seq=fact.seq,
        at=fact.at,
        intent_type=after.type,
        by=fact.actor.id,
        via=fact.via,
        **_asked(NotificationKind.PROGRESS, after),
    )


def _progress(task: Task) -> tuple[Any, ...]:
    """The progress of the task, as shown in a message that asks for an answer."""
    return (
        task.votes,
        task.stage,
        task.revision,
        task.assigned,
        task.delegations,
        task.reviewed_by,
        task.escalated,
    )


def _fields(before: Intent | None, fact: e.Fact, after: Intent) -> dict[str, Any] | None:
    match fact.event:
        # Every approval has these eight events, so they are matched first.
        case e.Created() | e.Claimed() | e.Reported() | e.Answered():
            return None
        case e.Offered() as event:
            return _pushed(event, after) if event.push and isinstance(after.open, Delivery) else None
        case e.TaskOpened() as event:
            return _asked(NotificationKind.TASK_OPENED, after) | {"deadline_at": event.deadline_at}
        case e.Decided() as event:
            asked = (
                _asked(NotificationKind.DECIDED, before) if before and isinstance(before.open, Task) else {}
            )
            return asked | {
                "kind": NotificationKind.DECIDED,
                "outcome": event.outcome,
                "ending": event.ending.value,
                "means": event.meaning.value,
            }
        case e.Completed() | e.Failed() | e.Canceled() | e.TimedOut():
            return {
                "kind": NotificationKind.FINISHED,
                "status": after.status.value,
                "outcome": after.outcome,
                "ending": after.ending.value if after.ending else "",
                "fault": after.fault.code if after.fault else "",
            }
        case e.StagePassed():
            return _asked(NotificationKind.TASK_OPENED, after)
        case e.Commented():
            return _asked(NotificationKind.COMMENTED, after)
        case e.Delegated() as event:
            return _asked(NotificationKind.TASK_OPENED, after) | {"to": (event.delegate,)}
        case e.Reassigned() as event:
            return _asked(NotificationKind.TASK_OPENED, after) | {"to": event.to}
        case e.Reminded() as event:
            return _asked(NotificationKind.REMINDER, after) | {"number": event.number}
        case e.Unsnoozed(person=person):  # a person who canceled it themselves needs no notification
            own = fact.actor.id == person
            return None if own else _asked(NotificationKind.SNOOZE_ENDED, after) | {"to": (person,)}
        case e.Escalated() as event:
            return _asked(NotificationKind.ESCALATED, after) | {"to": event.to, "number": event.level}
        case e.Revised():
            return _asked(NotificationKind.REVISED, after) | {"voided": _voters(before)}
        case e.Understaffed() as event:
            return _asked(NotificationKind.MESSAGE, after) | {
                "to": ADMIN_ROLES,
                "text": short_of_people(event),
            }
        case e.Notified() as event:
            return {
                "kind": NotificationKind.MESSAGE,
                "to": event.to,
                "text": event.message,
                "step_run": event.step_run,
                "step": event.step,
            }
        case (
            e.Renewed() | e.Released() | e.PushAccepted() | e.AttemptFailed() | e.ReviewMarked() | e.Snoozed()
            | e.NobodyReached() | e.DelayStarted() | e.DelayEnded() | e.StepTimedOut() | e.ProgressReported()
            | e.ControlsPatched() | e.RerunStarted()
        ):  # fmt: skip
            return None
        case unknown:
            assert_never(unknown)


def _pushed(event: e.Offered, after: Intent) -> dict[str, Any]:
    return {
        "kind": NotificationKind.PUSH,
        "to": (event.agent,),
        "ref": after.ref(event.step_run),
        "step_run": event.step_run,
        "step": event.step,
        "attempt": event.attempt,
    }


def with_values(notification: Notification, payload: bytes) -> Notification:
    """The notification with the values of the fields that its title names."""
    if not has_fields(notification.title):
        return notification
    return replace(notification, title=filled_from(notification.title, payload))


def short_of_people(event: e.Understaffed) -> str:
    """The text about an understaffed task, for admins and for the audit trail."""
    left = {0: "nobody is left", 1: "one person is left"}.get(event.left, f"{event.left} people are left")
    takes = "one person" if event.takes == 1 else f"{event.takes} people"
    return (
        f"Stage {event.stage + 1} needs {takes}, but {left} of those who were eligible when it opened. "
        "It escalates or ends as its policy says; an admin can ask other people."
    )


def _voters(before: Intent | None) -> tuple[str, ...]:
    task = before.open if before else None
    return tuple(dict.fromkeys(vote.person for vote in task.votes)) if isinstance(task, Task) else ()


def _asked(kind: NotificationKind, intent: Intent) -> dict[str, Any]:
    task = intent.open
    if not isinstance(task, Task):
        raise TypeError("no task is open")
    step = intent.plan.human_step(task.step)
    spec = spec_of(intent, task)
    return {
        "kind": kind,
        "to": notified_names(spec, task),
        "step_run": task.step_run,
        "step": step.id,
        "title": question_template(intent.plan, step, intent.type),
        "requesters_title": "" if from_workflow(intent.plan) else spec.title,
        "deadline_at": task.deadline_at,
        "stage": task.stage,
        "revision": task.revision,
    }


def notified_names(spec: TaskSpec, task: Task) -> tuple[str, ...]:
    """Who is notified about a task at its current stage: the approvers asked, their delegates, and people who are only
    kept informed.
    """
    more = (*(delegation.delegate for delegation in task.delegations), *spec.notify)
    named = task.assigned or spec.stages[task.stage].approvers or (DECIDING_ROLES if more else ())
    return tuple(dict.fromkeys((*named, *more)))
