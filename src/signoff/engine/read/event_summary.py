"""Describes each event in one line for people: who did what."""

from typing import assert_never

from signoff.core.directory.actors import ActorKind
from signoff.core.intent import events as e
from signoff.core.intent.notifications import short_of_people
from signoff.core.text.durations import format_duration
from signoff.core.text.masking import mask_text
from signoff.core.text.times import utc_text
from signoff.engine.directory.snapshot import Snapshot


def event_summary(fact: e.Fact, directory: Snapshot, requester: str) -> str:
    """One line for people about an event: who did what, with secrets masked. ``requester``: the actor that submitted
    the intent.
    """
    return mask_text(_summary(fact, directory, requester))


def _summary(fact: e.Fact, directory: Snapshot, requester: str) -> str:
    who = directory.display(fact.actor.id)
    match fact.event:
        case e.Created(intent_type=kind):
            return f"{who} requested {kind}"
        case e.Offered(agent=agent, step=step, attempt=attempt):
            again = f", attempt {attempt}" if attempt > 1 else ""
            return f"step {step!r} is offered to {agent}{again}"
        case e.Claimed(holder=holder):
            return f"{who} claimed the step{_in_its_place(fact, requester)} ({holder})"
        case e.Released():
            return f"{who} returned the step"
        case e.PushAccepted():
            return "the agent accepted the push"
        case e.AttemptFailed(attempt=attempt, reason=reason):
            return f"attempt {attempt} failed: {reason}"
        case e.Reported(step=step, fault=fault):
            place = _in_its_place(fact, requester)
            return (
                f"{who} failed step {step!r}{place}: {fault.message}"
                if fault
                else f"{who} finished step {step!r}{place}"
            )
        case e.TaskOpened(title=title):
            return f"task opened: {title}"
        case e.Reminded(number=number):
            return f"reminder {number} is due"
        case e.Escalated(to=to):
            return "escalated to " + ", ".join(directory.display(name) for name in to)
        case e.Answered() as event:
            return _answered(who, event, fact, directory)
        case e.Decided(outcome=outcome, ending=ending):
            return f"the task ended {ending.value}" + (f": {outcome}" if outcome != ending.value else "")
        case e.StagePassed(stage=stage):
            return f"quorum reached; stage {stage + 1} begins"
        case e.Delegated(delegate=delegate):
            return f"{who} delegated the task to {directory.display(delegate)}"
        case e.Reassigned(to=to):
            return f"{who} reassigned the task to " + ", ".join(directory.display(name) for name in to)
        case e.ReviewMarked(person=person):
            return f"{who} is reviewing it" if person else f"{who} cleared the review mark"
        case e.Snoozed(until=until):
            return f"{who} snoozed it until {utc_text(until)}; deadline and escalation are unaffected"
        case e.Unsnoozed(person=person):
            mine = person == fact.actor.id
            return (
                f"{who} canceled the snooze" if mine else f"the snooze of {directory.display(person)} ended"
            )
        case e.Commented():
            return f"{who} commented"
        case e.Revised(revision=revision, approved=True):
            return (
                f"{who} changed the request to revision {revision}, to approve that; earlier votes are void"
            )
        case e.Revised(revision=revision):
            return f"{who} created revision {revision}; earlier votes are void"
        case e.Understaffed():
            return "understaffed: " + short_of_people(fact.event)
        case e.NobodyReached(reason=reason):
            return f"no approver could be reached: {reason}"
        case e.DelayStarted(until=until):
            return f"waiting until {until:%Y-%m-%d %H:%M:%S} UTC"
        case e.DelayEnded(step=step):
            return f"the delay {step!r} ended"
        case e.Notified(to=to):
            return "notified " + (", ".join(to) or "everyone who may decide")
        case e.StepTimedOut(step=step, after=after):
            return f"step {step!r} passed its deadline" + (
                f" of {format_duration(after, exact=True)}" if after else ""
            )
        case e.ProgressReported(reason=reason):
            return f"{who} reported progress" + (f": {reason}" if reason else "")
        case e.RerunStarted(source=source, seq=seq, step=step, start=start):
            return f"{who} reruns step {start!r} under the approval of {source}, step {step!r} (event {seq})"
        case e.ControlsPatched(generation=generation):
            return f"{who} patched its controls (generation {generation})"
        case e.Completed(result=result):
            return "completed" if result is None else f"{who} marked it as completed"
        case e.Failed(fault=fault):
            return f"failed: {fault.message}"
        case e.Canceled(reason=reason):
            return f"{who} canceled it" + (f": {reason}" if reason else "")
        case e.TimedOut():
            return "its deadline passed"
        case e.Renewed():
            return f"{who} renewed the lease"
        case event:
            assert_never(event)


def _answered(who: str, event: e.Answered, fact: e.Fact, directory: Snapshot) -> str:
    changed = " to their own change" if event.edited else ""
    on_behalf_of = (
        f" for {directory.display(event.principal)}" if event.principal not in ("", fact.actor.id) else ""
    )
    how = ""
    if event.unseen:
        how = " (without a digest)"
    elif event.bulk > 1:
        how = f" (one of {event.bulk} tasks answered at once)"
    return f"{who} answered {event.outcome!r}{changed}{on_behalf_of}{how}"


def _in_its_place(fact: e.Fact, requester: str) -> str:
    """Who did it, if it was not the agent: the requester, or an admin."""
    if fact.actor.kind in (ActorKind.AGENT, ActorKind.SYSTEM):
        return ""
    if fact.actor.id == requester:
        return " as the requester, for the agent"
    return " as an admin, for the agent" if fact.actor.kind is ActorKind.PERSON else ""
