"""Whether enough people are left to decide an open task. If not, it escalates immediately, and after the last level
the task is undeliverable, so that a request does not wait for people who have left.
"""

from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.intent import events as e
from signoff.core.intent import routing
from signoff.core.intent.answering_rights import (
    lets_requesters_decide,
    pinned_members,
    requesters_side,
    stage_now,
)
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.quorum import counts_toward_quorum, passable, voting_seat
from signoff.core.intent.transition import Transition
from signoff.core.intent.wake import escalation_at
from signoff.core.plan.task_types import Ending, Meaning, Vote

_OPENED: Final = (e.TaskOpened, e.StagePassed, e.Escalated)


class Consequence(Enum):
    """What happens to an understaffed task. ``WAITS``: it escalates at its own time."""

    WAITS = "waits"
    ESCALATES = "escalates"
    ENDS = "ends"


class MissingApprovers(NamedTuple):
    """A stage, counted from 0, that needs more people than are ``left``."""

    stage: int
    takes: int
    left: int


def missing_approvers(intent: Intent, task: Task, now: Membership) -> MissingApprovers | None:
    """The first stage, starting with the open one, that the remaining people can no longer pass. For the open stage,
    people of the escalation levels reached so far count; for a later stage, those of all levels.
    """
    spec = spec_of(intent, task)
    for number in range(task.stage, len(spec.stages)):
        if number == task.stage:
            stage = stage_now(intent, task)
        else:
            stage = replace(
                spec.stages[number], added=frozenset[str]().union(*(level.to for level in spec.escalate))
            )
        names = frozenset(stage.approvers or DECIDING_ROLES) | stage.added
        # Hardly any stage is understaffed, and a few people of each entry are enough to show that, even in a team of
        # thousands.
        few = _able(intent, task, number, names, now, stage.votes_needed)
        if passable(stage, [_yes(person, number, frozenset(held)) for person, held in few.items()]):
            continue
        votes = _possible(intent, task, number, names, now)
        if not passable(stage, votes):
            return MissingApprovers(number, stage.votes_needed, len(votes))
    return None


def _able(
    intent: Intent, task: Task, number: int, names: frozenset[str], now: Membership, most: int | None = None
) -> dict[str, set[str]]:
    """Who could cast their own vote at a stage, and under which names. ``most``: the maximum number of people to check
    for each name.
    """
    barred = _barred(intent, task, now)
    gave = {delegation.delegator for delegation in task.delegations} if number == task.stage else set()
    pinned = pinned_members(intent, task)
    able: dict[str, set[str]] = {}
    for name in names:
        holders = (
            person
            for person in pinned.get(name, now.members(name))
            if person not in barred and person not in gave and name in now.active_people.get(person, ())
        )
        for person in islice(holders, most):
            able.setdefault(person, set()).add(name)
    return able


def _barred(intent: Intent, task: Task, now: Membership) -> frozenset[str]:
    allowed = lets_requesters_decide(spec_of(intent, task), intent, now.self_approval)
    return frozenset() if allowed else requesters_side(intent)


def _possible(
    intent: Intent, task: Task, number: int, names: frozenset[str], now: Membership
) -> tuple[Vote, ...]:
    """One approval for each person who could still approve at a stage; a person counts once, even if others have
    delegated to them.
    """
    able, barred = _able(intent, task, number, names, now), _barred(intent, task, now)
    votes: dict[str, Vote] = {}
    if number == task.stage:
        for delegation in task.delegations:
            held = delegation.names & names & now.active_people.get(delegation.delegator, frozenset())
            takes = not now.active_people.get(delegation.delegate, frozenset()).isdisjoint(DECIDING_ROLES)
            if (
                held
                and takes
                and delegation.delegate not in able
                and not {delegation.delegate, delegation.delegator} & barred
            ):
                votes[delegation.delegator] = _yes(delegation.delegate, number, held, delegation.delegator)
        for vote in task.votes:
            if (
                vote.at_stage == number
                and vote.meaning is Meaning.APPROVES
                and counts_toward_quorum(vote, now.active_people)
            ):
                votes.setdefault(voting_seat(vote), vote)
    votes |= {person: _yes(person, number, frozenset(held)) for person, held in able.items()}
    by_person: dict[str, Vote] = {}
    for vote in votes.values():
        other = by_person.get(vote.person, vote)
        by_person[vote.person] = replace(vote, for_names=vote.for_names | other.for_names)
    return tuple(by_person.values())


def _yes(person: str, stage: int, names: frozenset[str], principal: str = "") -> Vote:
    return Vote(person, "approved", Meaning.APPROVES, stage, principal=principal, for_names=names)


def consequence(intent: Intent, task: Task, lack: MissingApprovers, now: Membership) -> Consequence:
    """What an understaffed task does next. If the requester is an owner or admin, no level is reached early, because
    a requester must not choose who decides by removing others.
    """
    present = lack.stage == task.stage
    if present and _asked_by_admin(intent, now) and escalation_at(intent, task) is not None:
        return Consequence.WAITS
    more = present and task.escalated < len(spec_of(intent, task).escalate)
    return Consequence.ESCALATES if more else Consequence.ENDS


def move_on(tx: Transition) -> None:
    """While too few people are left for the open task, go to the next escalation level or, after the last one, end the
    task.
    """
    while isinstance(task := tx.intent.open, Task) and tx.membership is not None:
        lack = missing_approvers(tx.intent, task, tx.membership)
        if lack is None:
            return
        follows = consequence(tx.intent, task, lack, tx.membership)
        if follows is Consequence.WAITS:
            return
        tx.add(e.Understaffed(task.step_run, lack.stage, lack.takes, lack.left))
        if follows is Consequence.ESCALATES:
            level = spec_of(tx.intent, task).escalate[task.escalated]
            tx.add(e.Escalated(task.step_run, task.escalated + 1, level.to))
            continue
        step = tx.intent.plan.human_step(task.step)
        routing.close_task(tx, step, Ending.UNDELIVERABLE.value, Ending.UNDELIVERABLE, Meaning.REJECTS)


def _asked_by_admin(intent: Intent, now: Membership) -> bool:
    """Whether the requester is an owner or an admin in person, and not one of their programs; or was when they made
    the request.
    """
    in_person = intent.requester.kind is ActorKind.PERSON
    return in_person and (intent.by_admin or now.any_admin((intent.requester.id,)))


def after(tx: Transition) -> None:
    """Escalate if the command opened a task, a stage or an escalation level that is understaffed."""
    for _, fact, _ in tx.trail:
        if isinstance(fact.event, _OPENED):
            move_on(tx)
            return
