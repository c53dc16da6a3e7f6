"""Converts facts to AXP events. The status at each event follows from the event and those before it, so an
``EventWalker`` has to process every fact, starting with the first. Sequence numbers are doubled, because AXP's clients
count cursors in two ways, and only even numbers work for both (docs/axp.md).
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from signoff.core.ids import step_run_id
from signoff.core.intent import events as e
from signoff.core.intent.advance import Change
from signoff.core.intent.model import FINAL, Intent, Status, Task, Waiting
from signoff.core.intent.result import result_of
from signoff.core.intent.states import EFFECTS, Effect, effect_of
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Meaning, TaskSpec
from signoff.core.plan.wording import record_title
from signoff.core.text.masking import mask_text
from signoff.web.shapes.intents import asked_people, human_task, pending
from signoff.wire.common import ABSENT
from signoff.wire.intents import EventOut, PendingWith

STEP: Final = 2  # wire sequence numbers per fact


EVENT_TYPES: Final = tuple(dict.fromkeys(effect.wire for effect in EFFECTS.values() if effect.wire))
# statuses in which the holder does not change
_HELD: Final = frozenset({Status.DELIVERED, Status.ACKNOWLEDGED, None})
# members of events that go into ``details`` unchanged
_SHOWN: Final = (
    "step",
    "reason",
    "number",
    "level",
    "until",
    "retry_at",
    "deadline_at",
    "message",
    "ending",
    "holder",
)


class EventWalker:
    """Processes an intent's facts in order, starting with the first, and converts each to an event."""

    def __init__(self, intent: Intent) -> None:
        self.intent = intent
        self.intent_id = intent.id
        self.status = Status.CREATED
        self.waiting: Waiting | None = None
        self.pending: PendingWith | None = None
        self.seq = 0
        self._asked = TaskSpec()
        self._level = self._stage = 0
        self._assigned: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        return self.status in FINAL

    def show(self, fact: e.Fact, *, result: bool = True) -> EventOut | None:
        """Convert the next fact to an event; None if it does not belong to this step run. ``result``: also put a
        final result at the top level of the event.
        """
        place = self.follow(fact)
        if place is None:
            return None
        shown = details(fact, self.intent)
        out = EventOut(
            intent_id=self.intent_id,
            seq=self.seq,
            event_type=place.wire,
            status=self.status,
            at=fact.at,
            actor=fact.actor.id,
            actor_id=fact.actor.id,
            via=fact.via,
            details=shown,
        )
        if self.waiting is not None:
            out.waiting_reason = out.lifecycle_waiting_reason = self.waiting
        if self.pending is not None:
            out.pending_with = self.pending
            out.handler = self.pending.ref if self.pending.type == "agent" else ABSENT
        if isinstance(fact.event, e.TaskOpened):
            task_id = step_run_id(self.intent.id, fact.event.step_run)
            step = self.intent.plan.human_step(fact.event.step)
            out.human_task = human_task(step.task, record_title(self.intent.plan, step), task_id)
        if result and self.status is Status.COMPLETED:
            out.result = shown.get("result", {})
        return out

    def follow(self, fact: e.Fact) -> Effect | None:
        """Process the next fact without converting it; returns its effect on the wire."""
        place = self.place(fact.event)
        if place is None:
            return None
        if place.status is not None:
            self.status, self.waiting = place.status, place.waiting
        self._turn(fact.event, place)
        self.seq = fact.seq * STEP
        return place

    def place(self, event: e.Event) -> Effect | None:
        """The effect of an event on the wire."""
        return effect_of(event)

    def _turn(self, event: e.Event, place: Effect) -> None:
        """Set who has to act after this event."""
        match event:
            case e.Offered():
                self.pending = PendingWith(type="agent", ref=event.agent, name=event.agent)
            case e.TaskOpened():
                self._ask(self._spec(event.step))
            case e.StagePassed():
                self._ask(self._asked, stage=event.stage)
            case e.Reassigned():
                self._ask(self._asked, self._level, self._stage, event.to)
            case e.Revised():  # the first stage starts again
                self._ask(self._asked, assigned=self._assigned if self._stage == 0 else ())
            case e.Escalated():
                self._ask(self._asked, event.level, self._stage, self._assigned)
            case _ if self.status is not Status.WAITING and place.status not in _HELD:
                self.pending = None
            case _:
                pass

    def start_from(self, intent: Intent) -> None:
        """Continue from a state instead of from the first fact."""
        self.status, self.waiting, self.pending = intent.status, intent.waiting, pending(intent)
        if isinstance(task := intent.open, Task):
            self._ask(self._spec(task.step), task.escalated, task.stage, task.assigned)

    def _ask(self, spec: TaskSpec, level: int = 0, stage: int = 0, assigned: tuple[str, ...] = ()) -> None:
        self._asked, self._level, self._stage, self._assigned = spec, level, stage, assigned
        self.pending = asked_people(spec, level, stage, assigned)

    def _spec(self, step_id: str) -> TaskSpec:
        step = self.intent.plan.by_id[step_id]
        return step.task if isinstance(step, HumanStep) else TaskSpec()


class StepTrail(EventWalker):
    """The part of a history that belongs to one step run, shown as a separate intent."""

    def __init__(self, intent: Intent, step_run: int) -> None:
        super().__init__(intent)
        self.intent_id = step_run_id(intent.id, step_run)
        self.step_run = step_run
        self.step = ""
        self.result: dict[str, Any] | None = None

    def place(self, event: e.Event) -> Effect | None:
        if self.over or (not self.step and getattr(event, "step_run", 0) != self.step_run):
            return None
        if isinstance(event, e.Offered | e.TaskOpened | e.DelayStarted | e.Notified):
            self.step = event.step
        match event:
            case e.Completed() | e.Failed() | e.Canceled() | e.TimedOut() | e.ControlsPatched():
                return EFFECTS[type(event)]
        if getattr(event, "step_run", 0) != self.step_run:
            return None
        return self._within(event) or super().place(event)

    def _within(self, event: e.Event) -> Effect | None:
        """How this event ends the step; None if the step continues."""
        match event:
            case e.Reported(retry_at=None):
                self.result = event.result
                return EFFECTS[e.Completed] if event.fault is None else EFFECTS[e.Failed]
            case e.Decided():
                self.result = {"outcome": event.outcome, "ending": event.ending.value}
                return EFFECTS[e.Completed] if event.meaning is Meaning.APPROVES else EFFECTS[e.Failed]
            case e.AttemptFailed(retry_at=None):
                return EFFECTS[e.Failed]
            case e.StepTimedOut():
                return EFFECTS[e.TimedOut]
            case e.DelayEnded() | e.Notified():
                return EFFECTS[e.Completed]
        return None


def trail_of(intent: Intent, step_run: int) -> EventWalker:
    """The events of what an id names: the intent itself (0), or one step run."""
    return StepTrail(intent, step_run) if step_run else EventWalker(intent)


def walk(
    trail: EventWalker, facts: Iterable[e.Fact], after: int = 0, *, result: bool = True
) -> list[EventOut]:
    """The events of these facts with a wire seq above ``after``; earlier facts are processed too."""
    events = (trail.show(fact, result=result) for fact in facts)
    return [event for event in events if event is not None and event.seq > after]


def last_event_of(change: Change) -> EventOut | None:
    """The last event that one command caused, without a result at its top level."""
    if not change.facts:
        return None
    trail = EventWalker(change.after)
    if change.before is not None:
        trail.start_from(change.before)
    for sealed in change.facts[:-1]:
        trail.follow(sealed.fact)
    return trail.show(change.facts[-1].fact, result=False)


def _failure(event: e.Failed | e.Reported) -> dict[str, Any]:
    fault = event.fault
    if fault is None:
        return {}
    reason = mask_text(fault.message)
    return {"error": {"code": fault.code, "message": reason, "retryable": fault.retryable}, "reason": reason}


# What AXP's clients look for in ``details``, by the type of the event.
_EXTRA: Final[dict[type[e.Event], Callable[[Any, Intent], dict[str, Any]]]] = {
    e.Completed: lambda event, intent: {
        "result": event.result if event.result is not None else result_of(intent)
    },
    e.Failed: lambda event, _: _failure(event),
    e.Reported: lambda event, _: _failure(event) or {"result": event.result},
    e.Escalated: lambda event, _: {"escalated_to": ", ".join(event.to)},
    e.AttemptFailed: lambda event, _: {"delivery_attempt": str(event.attempt)},
    e.Offered: lambda event, _: {"delivery_attempt": str(event.attempt)},
    e.Decided: lambda event, _: {"outcome": event.outcome},
    e.Answered: lambda event, _: {"outcome": event.outcome},
    e.ControlsPatched: lambda event, _: {"policy_generation": event.generation},
}
_UNSAID: Final = (None, "")
_SHOWN_OF: Final = {
    kind: tuple(name for name in _SHOWN if name in kind.__struct_fields__) for kind in EFFECTS
}


def details(fact: e.Fact, intent: Intent) -> dict[str, Any]:
    """What AXP's clients look for in ``details``, and the other members of the event. The only personal text is a
    comment.
    """
    event = fact.event
    kind = type(event)
    shown: dict[str, Any] = {}
    for name in _SHOWN_OF[kind]:
        value = getattr(event, name)
        if value not in _UNSAID:
            shown[name] = value
    if (extra := _EXTRA.get(kind)) is not None:
        shown.update(extra(event, intent))
    if fact.note is not None and fact.note.comment:
        shown["comment"] = fact.note.comment
    return shown
