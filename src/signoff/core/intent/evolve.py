"""What a fact changes. Only this module changes the values of an intent. It checks no rules, because a fact has already
happened.

``fold`` rebuilds an intent from its history; ``signoff doctor`` compares the result with the stored row.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from signoff.core.intent import events as e
from signoff.core.intent.continuation import Decisive, continuation, objections
from signoff.core.intent.model import Delay, Delegation, Delivery, DeliveryState, Intent, Snoozing, Task
from signoff.core.intent.states import effect_of
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import ENDING_OF, Ending, Meaning, Vote


def created(fact: e.Fact, plan: Plan) -> Intent:
    """The intent created by a ``Created`` fact."""
    event = fact.event
    if not isinstance(event, e.Created):
        raise TypeError("a history starts with a Created event")
    return Intent(
        id=fact.intent,
        workspace=event.workspace,
        type=event.intent_type,
        requester=event.requester,
        payload_digest=event.payload_digest,
        plan_digest=event.plan_digest,
        plan=plan,
        to_agent=event.to_agent,
        reply_to=event.reply_to,
        correlation_id=event.correlation_id,
        scenario_id=event.scenario_id,
        retry_of=event.retry_of,
        rerun_of=event.rerun_of,
        deadline_at=event.deadline_at,
        delegates=event.delegates,
        self_approval=event.self_approval,
        traceparent=event.traceparent,
        by_admin=event.by_admin,
        created_at=fact.at,
        updated_at=fact.at,
        seq=1,
    )


def evolve(intent: Intent, fact: e.Fact) -> Intent:
    """The intent after one more fact. Facts that are not kept do not change ``seq``."""
    changes = _CHANGES[type(fact.event)](fact.event, intent, fact)
    effect = effect_of(fact.event)
    if effect.status is not None:
        changes |= {"status": effect.status, "waiting": effect.waiting}
    if fact.event.kept:
        # a renewal keeps the number, so that the next kept fact follows the last one in the chain
        changes["seq"] = fact.seq
        changes["updated_at"] = fact.at
    return replace(intent, **changes)


def fold(facts: Iterable[e.Fact], plan: Plan) -> Intent:
    """The intent that results from a whole history. Its ``head`` stays empty, because that belongs to the hash
    chain.
    """
    steps = iter(facts)
    intent = created(next(steps), plan)
    for fact in steps:
        intent = evolve(intent, fact)
    return intent


def _delivery(intent: Intent) -> Delivery:
    if not isinstance(intent.open, Delivery):
        raise TypeError("no delivery is open")
    return intent.open


def _task(intent: Intent) -> Task:
    if not isinstance(intent.open, Task):
        raise TypeError("no task is open")
    return intent.open


Changes = dict[str, Any]


def rfc3339(at: datetime) -> str:
    """A time as it appears inside results: RFC 3339, UTC."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"


# Looked up for every fact by the event's exact type; events have no subtypes.
_CHANGES: Final[dict[type[e.Event], Callable[..., Changes]]] = {}


def _on(kind: type[e.Event]) -> Callable[[Callable[..., Changes]], Callable[..., Changes]]:
    def register(changes: Callable[..., Changes]) -> Callable[..., Changes]:
        _CHANGES[kind] = changes
        return changes

    return register


@_on(e.Offered)
def _offered(event: e.Offered, intent: Intent, fact: e.Fact) -> Changes:
    # The next attempt of the same step run: errors that the agent reported count towards max_retries of all.
    failures = (
        intent.open.failures
        if isinstance(intent.open, Delivery) and intent.open.step_run == event.step_run
        else 0
    )
    delivery = Delivery(
        step_run=event.step_run,
        step=event.step,
        agent=event.agent,
        attempt=event.attempt,
        deadline_at=event.deadline_at,
        failures=failures,
        push=event.push,
    )
    return {"open": delivery, "step_runs": event.step_run}


@_on(e.Claimed)
def _claimed(event: e.Claimed, intent: Intent, fact: e.Fact) -> Changes:
    held = replace(
        _delivery(intent),
        state=DeliveryState.LEASED,
        # the number of the fact, so a later claim always has a higher one
        token=event.token,
        holder=event.holder,
        lease_until=event.lease_until,
        retry_at=None,
    )
    return {"open": held}


@_on(e.Renewed)
def _renewed(event: e.Renewed, intent: Intent, fact: e.Fact) -> Changes:
    return {"open": replace(_delivery(intent), lease_until=event.lease_until)}


@_on(e.Released)
def _released(event: e.Released, intent: Intent, fact: e.Fact) -> Changes:
    free = replace(_delivery(intent), state=DeliveryState.OFFERED, holder="", lease_until=None)
    return {"open": free}


@_on(e.PushAccepted)
def _push_accepted(event: e.PushAccepted, intent: Intent, fact: e.Fact) -> Changes:
    return {"open": replace(_delivery(intent), state=DeliveryState.ACCEPTED, lease_until=event.lease_until)}


def _back_off(intent: Intent, retry_at: Any, failures: int) -> Changes:
    backing_off = replace(
        _delivery(intent),
        state=DeliveryState.BACKING_OFF,
        holder="",
        lease_until=None,
        retry_at=retry_at,
        failures=failures,
    )
    return {"open": backing_off}


def _left(intent: Intent, event: Decisive) -> Changes:
    """The failure or setback that the end of a step leaves in the intent."""
    left = continuation(intent, event)
    return {"setback": left.setback, "changes_requested_by": left.changes_requested_by}


@_on(e.AttemptFailed)
def _attempt_failed(event: e.AttemptFailed, intent: Intent, fact: e.Fact) -> Changes:
    if event.retry_at is None:
        return {
            "open": None,
            "last_step": _delivery(intent).step,
            **_left(intent, event),
        }
    # an expired lease is an attempt, not an error of the agent: the plan limits both separately
    return _back_off(intent, event.retry_at, _delivery(intent).failures)


@_on(e.Reported)
def _reported(event: e.Reported, intent: Intent, fact: e.Fact) -> Changes:
    if event.retry_at is not None:
        return _back_off(intent, event.retry_at, _delivery(intent).failures + 1)
    changes: Changes = {
        "open": None,
        "last_step": event.step,
        **_left(intent, event),
    }
    if event.fault is None:
        changes["results"] = {**intent.results, event.step: event.result}
    else:
        # the failure stands under the step's name too, where the card and later steps look for its result
        reported = {**event.result, "error": event.fault.message, "code": event.fault.code}
        changes["results"] = {**intent.results, event.step: reported}
    # which revision a check was made for: a later one has not been checked by it
    if event.revision:
        changes["reported"] = {**intent.reported, event.step: event.revision}
    return changes


@_on(e.TaskOpened)
def _task_opened(event: e.TaskOpened, intent: Intent, fact: e.Fact) -> Changes:
    task = Task(
        step_run=event.step_run,
        step=event.step,
        opened_at=fact.at,
        digest=event.digest,
        revision=event.revision,
        deadline_at=event.deadline_at,
        joined=event.joined,
        left=event.left,
        delegates=event.delegates,
    )
    return {"open": task, "step_runs": event.step_run}


@_on(e.Reminded)
def _reminded(event: e.Reminded, intent: Intent, fact: e.Fact) -> Changes:
    task = replace(_task(intent), reminded=event.number, reminded_at=fact.at)
    return {"open": task, "reminded": intent.reminded + 1}


@_on(e.Escalated)
def _escalated(event: e.Escalated, intent: Intent, fact: e.Fact) -> Changes:
    task = _task(intent)
    return {"open": replace(task, escalated=event.level, reached_at=(*task.reached_at, fact.at))}


@_on(e.Answered)
def _answered(event: e.Answered, intent: Intent, fact: e.Fact) -> Changes:
    task = _task(intent)
    before = next((v for v in task.votes if (v.person, v.at_stage) == (fact.actor.id, event.stage)), None)
    vote = Vote(
        person=fact.actor.id,
        outcome=event.outcome,
        meaning=event.meaning,
        at_stage=event.stage,
        data=event.data or None,
        comment=(fact.note.comment or None) if fact.note else None,
        principal=event.principal,
        for_names=event.for_names,
        number=event.number,
        behind=event.behind,
        # facts without a number are older than this field, and must fold to the row of their time
        replaced=(*before.replaced, before.outcome) if before and event.number else (),
    )
    # One vote for each person and stage: the last one counts. The answer also ends the person's own snooze.
    kept = tuple(v for v in task.votes if v is not before)
    return {"open": replace(task, votes=(*kept, vote), snoozes=_others(task, vote.person))}


def _others(task: Task, person: str) -> tuple[Snoozing, ...]:
    """The snoozes of other people."""
    return tuple(one for one in task.snoozes if one.person != person)


def _to_task(intent: Intent, **changes: Any) -> Changes:
    return {"open": replace(_task(intent), **changes)}


@_on(e.StagePassed)
def _stage_passed(event: e.StagePassed, intent: Intent, fact: e.Fact) -> Changes:
    return _to_task(
        intent,
        # each stage has its own approvers and timers; votes of earlier stages stay as a record
        stage=event.stage,
        stage_at=fact.at,
        assigned=(),
        pinned_members={},
        asked_delegates={},
        assigned_by=(),
        delegations=(),
        reviewed_by="",
        reminded=0,
        reminded_at=None,
        escalated=0,
        reached_at=(),
        snoozes=(),
        agreed=event.outcome,
    )


@_on(e.Delegated)
def _delegated(event: e.Delegated, intent: Intent, fact: e.Fact) -> Changes:
    delegation = Delegation(event.delegator, event.delegate, event.names)
    # a person has one vote, so a new delegation replaces their earlier one
    before = tuple(h for h in _task(intent).delegations if h.delegator != event.delegator)
    return _to_task(intent, delegations=(*before, delegation), snoozes=_others(_task(intent), fact.actor.id))


@_on(e.Reassigned)
def _reassigned(event: e.Reassigned, intent: Intent, fact: e.Fact) -> Changes:
    return _to_task(
        intent,
        assigned=event.to,
        pinned_members=event.pinned_members,
        asked_delegates=event.delegates,
        assigned_by=event.behind,
        delegations=(),
        reviewed_by="",
        snoozes=(),
    )


@_on(e.ReviewMarked)
def _review_marked(event: e.ReviewMarked, intent: Intent, fact: e.Fact) -> Changes:
    return _to_task(intent, reviewed_by=event.person)


@_on(e.Snoozed)
def _snoozed(event: e.Snoozed, intent: Intent, fact: e.Fact) -> Changes:
    mine = Snoozing(fact.actor.id, fact.at, event.until)
    return _to_task(intent, snoozes=(*_others(_task(intent), mine.person), mine))


@_on(e.Unsnoozed)
def _unsnoozed(event: e.Unsnoozed, intent: Intent, fact: e.Fact) -> Changes:
    task = _task(intent)
    others = _others(task, event.person)
    if fact.actor.id == event.person:
        return _to_task(intent, snoozes=others)
    # Kept, so that contacts from before the end are not sent together with the message that the snooze has ended.
    mine = (replace(one, until=fact.at, over=True) for one in task.snoozes if one.person == event.person)
    return _to_task(intent, snoozes=(*others, *mine))


@_on(e.Commented)
@_on(e.Understaffed)
@_on(e.NobodyReached)
def _recorded(event: e.Event, intent: Intent, fact: e.Fact) -> Changes:
    return {}


@_on(e.Revised)
def _revised(event: e.Revised, intent: Intent, fact: e.Fact) -> Changes:
    before = _task(intent)
    # The first stage starts again. Reassignments and delegations are kept only if they were for it.
    first = before.stage == 0
    task = replace(
        before,
        revision=event.revision,
        digest=event.digest,
        votes=(),
        stage=0,
        stage_at=fact.at,
        reviewed_by="",
        assigned=before.assigned if first else (),
        pinned_members=before.pinned_members if first else {},
        asked_delegates=before.asked_delegates if first else {},
        assigned_by=before.assigned_by if first else (),
        delegations=before.delegations if first else (),
        reminded=0,
        reminded_at=None,
        escalated=0,
        reached_at=(),
        snoozes=(),
        agreed="",
    )
    # also the others who have this key: each of them could have made the change
    joins = (fact.actor.id, *event.behind)
    # kept apart: they are on the requester's side only in tasks whose policy does not allow this
    side = "approving_editors" if event.approved else "editors"
    return {
        "open": task,
        "revision": event.revision,
        "payload_digest": event.payload_digest,
        side: tuple(dict.fromkeys((*getattr(intent, side), *joins))),
        "by_admin": intent.by_admin or event.by_admin,
        "objected_by": objections(intent, event),
    }


@_on(e.Decided)
def _decided(event: e.Decided, intent: Intent, fact: e.Fact) -> Changes:
    # A vote for another outcome is not part of the decision; if a timer or the requester ended the task, no vote is.
    by_votes = event.ending in ENDING_OF.values()
    votes = [vote for vote in _task(intent).votes if by_votes and vote.meaning is event.meaning]
    result: dict[str, Any] = {
        "outcome": event.outcome,
        "ending": event.ending.value,
        "decided_at": rfc3339(fact.at),
    }
    for vote in votes:
        # a form cannot overwrite what the server says about the decision
        result |= {k: v for k, v in (vote.data or {}).items() if k not in result}
        if vote.comment:
            result["comment"] = vote.comment
    # the last vote is the one that completed the quorum
    if votes:
        result |= {"decided_by": votes[-1].person, "via": fact.via}
    return {
        "open": None,
        "last_step": event.step,
        "outcome": event.outcome,
        "ending": event.ending,
        "results": {**intent.results, event.step: result},
        "revisions": intent.revisions + (event.meaning is Meaning.REQUESTS_CHANGES),
        # work that is repeated after requested changes is reported for a new revision
        "revision": intent.revision + (event.meaning is Meaning.REQUESTS_CHANGES),
        "objected_by": objections(intent, event),
        **_left(intent, event),
    }


@_on(e.DelayStarted)
def _delay_started(event: e.DelayStarted, intent: Intent, fact: e.Fact) -> Changes:
    delay = Delay(step_run=event.step_run, step=event.step, until=event.until)
    return {"open": delay, "step_runs": event.step_run}


@_on(e.DelayEnded)
def _delay_ended(event: e.DelayEnded, intent: Intent, fact: e.Fact) -> Changes:
    return {"open": None, "last_step": event.step}


@_on(e.Notified)
def _notified(event: e.Notified, intent: Intent, fact: e.Fact) -> Changes:
    return {"step_runs": event.step_run, "last_step": event.step}


@_on(e.StepTimedOut)
def _step_timed_out(event: e.StepTimedOut, intent: Intent, fact: e.Fact) -> Changes:
    return {
        "open": None,
        "last_step": event.step,
        **_left(intent, event),
    }


@_on(e.ProgressReported)
def _progress_reported(event: e.ProgressReported, intent: Intent, fact: e.Fact) -> Changes:
    if event.lease_until is None:
        return {}
    return {"open": replace(_delivery(intent), lease_until=event.lease_until)}


@_on(e.RerunStarted)
def _rerun_started(event: e.RerunStarted, intent: Intent, fact: e.Fact) -> Changes:
    return {
        "results": event.results,
        "revision": event.revision,
        "outcome": event.outcome,
        # the decision is that of the intent that failed
        "ending": Ending.APPROVED,
        "last_step": event.step,
    }


@_on(e.ControlsPatched)
def _controls_patched(event: e.ControlsPatched, intent: Intent, fact: e.Fact) -> Changes:
    return {
        "generation": event.generation,
        "controls": {**intent.controls, **event.controls},
        "grants": {**intent.grants, **event.grants},
        "envelope": {**intent.envelope, **event.envelope},
    }


def _end() -> Changes:
    return {"open": None, "setback": None, "changes_requested_by": (), "objected_by": ()}


@_on(e.Completed)
def _completed(event: e.Completed, intent: Intent, fact: e.Fact) -> Changes:
    return _end() | {"resolved": event.result}


@_on(e.Failed)
def _failed(event: e.Failed, intent: Intent, fact: e.Fact) -> Changes:
    return _end() | {"fault": event.fault}


@_on(e.Canceled)
@_on(e.TimedOut)
def _ended(event: e.Event, intent: Intent, fact: e.Fact) -> Changes:
    return _end()
