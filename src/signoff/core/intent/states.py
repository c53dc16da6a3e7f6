"""The state table: which commands an intent accepts in each open state, and the status after each event.

A step run's state is what is open, not the status on the wire: a delivery that is offered or pushed, leased, accepted
or backing off, a task, a delay, or nothing, because the intent is final. ``decide`` looks commands up here, ``evolve``
takes status and waiting from here, the wire takes its event names from here, and docs/reference/states.md is generated
from here. A parent that waits for child intents would be one more state, with one row in each table.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent.model import Delivery, DeliveryState, Intent, Status, Task, Waiting


class State(StrEnum):
    OFFERED = "offered"
    PUSHED = "pushed"
    LEASED = "leased"
    ACCEPTED = "accepted"
    BACKING_OFF = "backing off"
    TASK = "task"
    DELAY = "delay"
    FINAL = "final"


_OF_DELIVERY: Final = {
    DeliveryState.LEASED: State.LEASED,
    DeliveryState.ACCEPTED: State.ACCEPTED,
    DeliveryState.BACKING_OFF: State.BACKING_OFF,
}


def state_of(intent: Intent) -> State:
    """The open state. Between commands, an intent that is not final always has an open step."""
    if intent.final:
        return State.FINAL
    if isinstance(intent.open, Delivery):
        # offered and pushed are stored alike; they differ in who takes the next step, the worker or the server
        return _OF_DELIVERY.get(intent.open.state) or (State.PUSHED if intent.open.push else State.OFFERED)
    return State.TASK if isinstance(intent.open, Task) else State.DELAY


_ALWAYS: Final = frozenset({c.Resolve, c.Cancel, c.PatchControls, c.Tick})
_IN_HAND: Final = _ALWAYS | {c.Report, c.ReportProgress}
OF_TASK: Final = frozenset(
    {
        c.Answer,
        c.Delegate,
        c.Reassign,
        c.MarkReviewing,
        c.Snooze,
        c.Unsnooze,
        c.AddComment,
        c.Revise,
        c.ReportUnreachable,
        c.CheckStaffing,
    }
)
# Answer without a task: a person acts in the agent's place, only if the intent has no workflow (``plan.direct``).
ALLOWED: Final[dict[State, frozenset[type]]] = {
    State.OFFERED: _IN_HAND | {c.Claim, c.Answer},
    State.PUSHED: _IN_HAND | {c.AcceptPush, c.FailPush, c.Answer},
    State.LEASED: _IN_HAND | {c.Renew, c.Release, c.Recall, c.Answer},
    # nothing to renew or release: an agent that accepted a push has no token, and reports when it is done
    State.ACCEPTED: _IN_HAND | {c.Recall, c.Answer},
    State.BACKING_OFF: _IN_HAND | {c.Answer},
    State.TASK: _ALWAYS | OF_TASK,
    # AXP's clients resume an intent that waits; while no task is open, that is recorded and changes nothing
    State.DELAY: _ALWAYS | {c.ReportProgress},
    # the timer may have been read before the intent became final
    State.FINAL: frozenset({c.Tick}),
}
# Late commands of the server's own loops, and of a kill, about a step that has moved on: they are not errors and have
# no effect.
IGNORED_LATE: Final = frozenset({c.AcceptPush, c.FailPush, c.Recall, c.ReportUnreachable, c.CheckStaffing})


class Effect(NamedTuple):
    """The effect of an event. ``status``: None if it and ``waiting`` are unchanged; ``wire``: the event's name on the
    wire, "" if it is never sent; ``lists``: whether it changes somebody's list of tasks.
    """

    status: Status | None
    waiting: Waiting | None
    wire: str
    lists: bool


_ATTEMPTS: Final = (e.AttemptFailed, e.Reported)
_RETRYING: Final = Effect(Status.WAITING, Waiting.AGENT, "intent.waiting", lists=False)

EFFECTS: Final[dict[type[e.Event], Effect]] = {
    e.Created: Effect(Status.CREATED, None, "intent.created", lists=False),
    e.Offered: Effect(Status.DELIVERED, None, "intent.delivered", lists=False),
    e.Claimed: Effect(Status.ACKNOWLEDGED, None, "intent.acknowledged", lists=False),
    e.Renewed: Effect(None, None, "", lists=False),
    e.PushAccepted: Effect(Status.ACKNOWLEDGED, None, "intent.acknowledged", lists=False),
    e.Released: Effect(Status.DELIVERED, None, "intent.delivered", lists=False),
    e.AttemptFailed: Effect(Status.IN_PROGRESS, None, "intent.delivery_failed", lists=False),
    e.Reported: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.TaskOpened: Effect(Status.WAITING, Waiting.HUMAN, "intent.human_task_assigned", lists=True),
    e.Reminded: Effect(Status.WAITING, Waiting.HUMAN, "intent.reminder", lists=False),
    e.Escalated: Effect(Status.WAITING, Waiting.HUMAN, "intent.escalated", lists=True),
    e.Answered: Effect(Status.WAITING, Waiting.HUMAN, "intent.answered", lists=False),
    e.StagePassed: Effect(Status.WAITING, Waiting.HUMAN, "intent.stage_passed", lists=True),
    e.Delegated: Effect(Status.WAITING, Waiting.HUMAN, "intent.delegated", lists=True),
    e.Reassigned: Effect(Status.WAITING, Waiting.HUMAN, "intent.reassigned", lists=True),
    e.ReviewMarked: Effect(Status.WAITING, Waiting.HUMAN, "intent.review_marked", lists=False),
    e.Snoozed: Effect(Status.WAITING, Waiting.HUMAN, "intent.snoozed", lists=True),
    e.Unsnoozed: Effect(Status.WAITING, Waiting.HUMAN, "intent.unsnoozed", lists=True),
    e.Commented: Effect(Status.WAITING, Waiting.HUMAN, "intent.commented", lists=False),
    e.Revised: Effect(Status.WAITING, Waiting.HUMAN, "intent.revised", lists=True),
    e.Understaffed: Effect(Status.WAITING, Waiting.HUMAN, "intent.understaffed", lists=False),
    e.NobodyReached: Effect(Status.WAITING, Waiting.HUMAN, "intent.nobody_reached", lists=False),
    e.Decided: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=True),
    e.DelayStarted: Effect(Status.WAITING, Waiting.TIME, "intent.waiting", lists=False),
    e.DelayEnded: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.Notified: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.StepTimedOut: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.ProgressReported: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.ControlsPatched: Effect(None, None, "intent.updated", lists=False),
    e.RerunStarted: Effect(Status.IN_PROGRESS, None, "intent.in_progress", lists=False),
    e.Completed: Effect(Status.COMPLETED, None, "intent.completed", lists=False),
    e.Failed: Effect(Status.FAILED, None, "intent.failed", lists=False),
    e.Canceled: Effect(Status.CANCELED, None, "intent.canceled", lists=False),
    e.TimedOut: Effect(Status.TIMED_OUT, None, "intent.timed_out", lists=False),
}


def effect_of(event: e.Event) -> Effect:
    """The status after an event. An attempt that is followed by another leaves the step backing off."""
    # one event class for the last attempt and those before it, so the table has one row for both
    if isinstance(event, _ATTEMPTS) and event.retry_at is not None:
        return _RETRYING
    return EFFECTS[type(event)]
