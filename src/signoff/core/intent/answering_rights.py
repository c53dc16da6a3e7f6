"""Whether, and on whose behalf, a person may answer a task.

Answers by the requester's side do not count. That includes the requester, the people who created its key
or edited the revision, and their delegates. A workspace or a policy may allow them; the audit trail then shows
that.
"""

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.quorum import voting_seat
from signoff.core.plan.task_types import Edits, Stage, TaskSpec


class AnswerRight(msgspec.Struct, gc=False, frozen=True):
    """``principal``: the person whose vote it is; ``names``: the approver entries of the stage for which it counts."""

    principal: str
    names: frozenset[str]


def stage_now(intent: Intent, task: Task) -> Stage:
    """The open stage, with the approvers of a reassignment and those that escalation has added."""
    spec = spec_of(intent, task)
    stage = spec.stages[task.stage]
    if task.escalated:
        stage = replace(
            stage, added=frozenset[str]().union(*(level.to for level in spec.escalate[: task.escalated]))
        )
    return replace(stage, approvers=task.assigned) if task.assigned else stage


def asked(intent: Intent, task: Task) -> frozenset[str]:
    """The approvers asked now: those of the stage, or those that it was reassigned to; and those of the escalation
    levels reached.
    """
    stage = stage_now(intent, task)
    # escalation adds people and removes none: those who were asked first may still answer
    return frozenset(stage.approvers or DECIDING_ROLES) | stage.added


def requesters_side(intent: Intent) -> frozenset[str]:
    """The people on the requester's side. A person who approved their own change, as one task's policy allows,
    is on it in every task whose policy does not.
    """
    side = frozenset(intent.requester.persons) | frozenset(intent.editors)
    if intent.approving_editors and not _lets_editors_approve(intent):
        side = side.union(intent.approving_editors)
    return side


def _lets_editors_approve(intent: Intent) -> bool:
    task = intent.open
    return isinstance(task, Task) and spec_of(intent, task).edits is Edits.APPROVE


def lets_requesters_decide(spec: TaskSpec, intent: Intent, workspace: bool) -> bool:
    """Whether the requester's side may decide, by the policy, or else by the ``workspace``, both now and when the
    request was created. A request that was made while the workspace had one person can still be decided by that
    person, because nobody who joins later could decide it.
    """
    return (
        (workspace and intent.self_approval is not False)
        if spec.self_approval is None
        else spec.self_approval
    )


def self_approval(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether the requester's side may decide this task."""
    return lets_requesters_decide(spec_of(intent, task), intent, actor.self_approval)


def on_requesters_side(actor: Actor, intent: Intent) -> bool:
    return bool(requesters_side(intent) & {actor.id, *actor.sponsors})


def answer_right(actor: Actor, intent: Intent, task: Task) -> AnswerRight | None:
    """The right by which this person may answer, or None. Their own right takes precedence over the rights of people
    whose delegate they are.
    """
    if actor.kind is not ActorKind.PERSON:
        return None
    approvers = asked(intent, task)
    barred = frozenset() if self_approval(actor, intent, task) else requesters_side(intent)
    # sponsors: the people who created this key could otherwise decide through it
    if not barred.isdisjoint((actor.id, *actor.sponsors)):
        return None
    own = _pinned(actor.id, actor.names & approvers, intent, task)
    # after a delegation the vote is the delegate's alone
    if own and all(delegation.delegator != actor.id for delegation in task.delegations):
        return AnswerRight(actor.id, own)
    for delegation in task.delegations:
        names = delegation.names & approvers
        # the delegator must not be barred either, or the requester's side could delegate its answer
        if delegation.delegate == actor.id and delegation.delegator not in barred and names:
            return AnswerRight(delegation.delegator, names)
    # last, so that nobody casts another person's vote while they have one of their own
    for absent in actor.delegate_for:
        names = _pinned(absent.person, absent.names & approvers, intent, task)
        if names and absent.person not in barred and _covers(actor.id, absent.person, intent, task):
            return AnswerRight(absent.person, names)
    return None


def _covers(delegate: str, absent: str, intent: Intent, task: Task) -> bool:
    """Whether the delegate was pinned for that person when the task opened. For a task that opened before pinning
    existed: whether this stage or its escalation names the delegate too.
    """
    pinned = delegates(intent, task)
    # pinned, so that nobody can become a delegate of an approver after the task has opened
    if pinned is not None:
        return delegate in pinned.get(absent, ())
    spec, held = spec_of(intent, task), pinned_members(intent, task)
    names = {
        *(stage_now(intent, task).approvers or DECIDING_ROLES),
        *(n for level in spec.escalate for n in level.to),
    }
    return delegate in names or any(delegate in held.get(name, ()) for name in names)


def _pinned(person: str, names: frozenset[str], intent: Intent, task: Task) -> frozenset[str]:
    """The ``names`` that the person already had when the plan was frozen; rules are never relaxed afterwards."""
    pinned = pinned_members(intent, task)
    # somebody who joins a team later does not gain a vote in requests that are already under way
    return frozenset(name for name in names if name not in pinned or person in pinned[name])


def pinned_members(intent: Intent, task: Task) -> dict[str, tuple[str, ...]]:
    """The members of each approver entry when the task opened: the plan's members, with the changes until then. For a
    reassignment, the members when it was made.
    """
    before = spec_of(intent, task).pinned_members
    if not (task.joined or task.left or task.pinned_members):
        return before
    held = dict(before)
    for name, people in task.left.items():
        held[name] = tuple(person for person in held.get(name, ()) if person not in people)
    for name, people in task.joined.items():
        held[name] = (*held.get(name, ()), *people)
    # a reassignment asks people as they are now, so its own members replace those of the plan
    return held | task.pinned_members


def delegates(intent: Intent, task: Task) -> dict[str, tuple[str, ...]] | None:
    """The delegates, by the absent person; None for a task that opened before pinning existed."""
    opened = intent.delegates if task.delegates is None else task.delegates
    if not task.asked_delegates:
        return opened
    held = dict(opened or {})
    for absent, people in task.asked_delegates.items():
        held[absent] = tuple(dict.fromkeys((*held.get(absent, ()), *people)))
    return held


def answered_by(task: Task) -> frozenset[str]:
    """Who has answered the open stage, themselves or through a delegate."""
    if not task.votes:
        return frozenset()
    votes = [vote for vote in task.votes if vote.at_stage == task.stage]
    return frozenset(vote.person for vote in votes) | frozenset(voting_seat(vote) for vote in votes)


def waits_for(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether the task waits for this person's answer: they may answer, and have not done so at this stage. It
    does not matter whether a stronger sign-in is required.
    """
    return actor.id not in answered_by(task) and answer_right(actor, intent, task) is not None


def later_stages(actor: Actor, intent: Intent, task: Task) -> tuple[int, ...]:
    """The later stages of the task, counted from 1, that would ask this person as things stand."""
    ahead = range(task.stage + 1, len(spec_of(intent, task).stages))
    begun = replace(
        task, assigned=(), pinned_members={}, asked_delegates={}, delegations=(), escalated=0, reached_at=()
    )
    return tuple(
        number + 1
        for number in ahead
        if answer_right(actor, intent, replace(begun, stage=number)) is not None
    )
