"""One line for a person about each event: who did what."""

from signoff.core.directory.actors import ActorKind
from signoff.core.intent import events as e
from signoff.core.intent.notifications import short_of_people
from signoff.core.text.durations import format_duration
from signoff.core.text.masking import mask_text
from signoff.engine.directory.snapshot import Snapshot


def event_summary(fact: e.Fact, directory: Snapshot, requester: str) -> str:
    """One line for a person: who did what, in an intent of the actor ``requester``, without the secrets that somebody
    wrote.
    """
    return mask_text(_summary(fact, directory, requester))


def _summary(fact: e.Fact, directory: Snapshot, requester: str) -> str:
    who = directory.display(fact.actor.id)
    match fact.event:
        case e.Created(intent_type=kind):
            return f"{who} asked for {kind}"
        case e.Offered(agent=agent, step=step, attempt=attempt):
            again = f", attempt {attempt}" if attempt > 1 else ""
            return f"step {step!r} is up for {agent}{again}"
        case e.Claimed(holder=holder):
            return f"{who} took the step{_in_its_place(fact, requester)} ({holder})"
        case e.Released():
            return f"{who} gave the step back"
        case e.PushAccepted():
            return "the agent accepted the call"
        case e.AttemptFailed(attempt=attempt, reason=reason):
            return f"attempt {attempt} came to nothing: {reason}"
        case e.Reported(step=step, fault=fault):
            place = _in_its_place(fact, requester)
            return (
                f"{who} failed step {step!r}{place}: {fault.message}"
                if fault
                else f"{who} finished step {step!r}{place}"
            )
    return _of_people(fact, who, directory)


def _in_its_place(fact: e.Fact, requester: str) -> str:
    """Said where it was no agent: the requester's own work, or an admin's act."""
    if fact.actor.kind in (ActorKind.AGENT, ActorKind.SYSTEM):
        return ""
    if fact.actor.id == requester:
        return " as its requester, in the agent's place"
    return " as an admin, in the agent's place" if fact.actor.kind is ActorKind.PERSON else ""


def _of_people(fact: e.Fact, who: str, directory: Snapshot) -> str:
    match fact.event:
        case e.TaskOpened(title=title):
            return f"people are asked: {title}"
        case e.Reminded(number=number):
            return f"reminder {number} fell due"
        case e.Escalated(to=to):
            return "escalated to " + ", ".join(directory.display(name) for name in to)
        case e.Answered(outcome=outcome, unseen=unseen, principal=principal):
            stead = f" for {directory.display(principal)}" if principal not in ("", fact.actor.id) else ""
            return f"{who} answered {outcome!r}{stead}" + (
                " (without naming what was shown)" if unseen else ""
            )
        case e.Decided(outcome=outcome, ending=ending):
            return f"the task ended {ending.value}" + (f": {outcome}" if outcome != ending.value else "")
    return _of_handling(fact, who, directory)


def _of_handling(fact: e.Fact, who: str, directory: Snapshot) -> str:
    match fact.event:
        case e.StagePassed(stage=stage):
            return f"enough people said yes; stage {stage + 1} begins"
        case e.Delegated(taker=taker):
            return f"{who} handed the task over to {directory.display(taker)}"
        case e.Reassigned(to=to):
            return f"{who} asked other people: " + ", ".join(directory.display(name) for name in to)
        case e.ReviewMarked(person=person):
            return f"{who} is looking at it" if person else f"{who} is not looking at it any more"
        case e.Snoozed(until=until):
            return f"{who} put it off until {until:%Y-%m-%d %H:%M} UTC; deadline and escalation go on"
        case e.Unsnoozed(person=person):
            mine = person == fact.actor.id
            return (
                f"{who} took it up again" if mine else f"{directory.display(person)} had put it off until now"
            )
        case e.Commented():
            return f"{who} commented"
        case e.Revised(revision=revision):
            return f"{who} changed what is decided: revision {revision}, earlier answers are void"
        case e.Understaffed():
            return "too few people are left: " + short_of_people(fact.event)
        case e.NobodyReached(reason=reason):
            return f"nobody could be told: {reason}"
    return _of_time(fact, who)


def _of_time(fact: e.Fact, who: str) -> str:
    match fact.event:
        case e.DelayStarted(until=until):
            return f"waiting until {until:%Y-%m-%d %H:%M:%S} UTC"
        case e.DelayEnded(step=step):
            return f"the wait {step!r} is over"
        case e.Notified(to=to):
            return "told " + (", ".join(to) or "whoever may decide")
        case e.StepTimedOut(step=step, after=after):
            return f"step {step!r} passed its deadline" + (f" of {format_duration(after)}" if after else "")
        case e.ProgressReported(reason=reason):
            return f"{who} let it go on" + (f": {reason}" if reason else "")
        case e.RerunStarted(source=source, seq=seq, step=step, start=start):
            return f"{who} runs step {start!r} again under the yes of {source}, step {step!r} (event {seq})"
        case e.ControlsPatched(generation=generation):
            return f"{who} changed its controls (generation {generation})"
        case e.Completed(result=result):
            return "completed" if result is None else f"{who} declared it completed"
        case e.Failed(fault=fault):
            return f"failed: {fault.message}"
        case e.Canceled(reason=reason):
            return f"{who} canceled it" + (f": {reason}" if reason else "")
        case e.TimedOut():
            return "its deadline passed"
    return type(fact.event).__name__
