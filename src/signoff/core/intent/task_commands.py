"""The commands of people on an open task: answer, delegate, mark as reviewing, comment, revise.

Every answer is one vote for what was shown. The quorum of each stage decides (``core.intent.quorum``); it is counted
with the voters' current names.
"""

from typing import Any

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import others_with_key
from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent import edited_answers, routing, snooze_commands
from signoff.core.intent import events as e
from signoff.core.intent.answer_target import (
    given,
    own_vote,
    refuse_ahead,
    refuse_other,
    refuse_replaced,
    stale_revision,
)
from signoff.core.intent.answering_rights import AnswerRight, answer_right, self_approval, stage_now
from signoff.core.intent.answering_rights import pinned_members as pinned
from signoff.core.intent.bulk_answers import refuse_bulk
from signoff.core.intent.contradictions import refuse_contradiction
from signoff.core.intent.decision_digest import envelope_digest
from signoff.core.intent.evolve import rfc3339
from signoff.core.intent.model import Delivery, Intent, Task, spec_of
from signoff.core.intent.quorum import Names, may_still_decide, tally
from signoff.core.intent.transition import Transition
from signoff.core.intent.wake import ends_at
from signoff.core.plan.answers import check_answer
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import ENDING_OF, Ending, Meaning, Vote
from signoff.core.policy.conditions import refuse_other_choice
from signoff.core.text.hidden_characters import shows


def already_decided(intent: Intent) -> Conflict:
    """The error for an answer that comes after the decision: what was decided, by whom, when and through which
    channel.
    """
    # Only human steps, because an agent's result may contain any text.
    asked = [step.id for step in intent.plan.steps if isinstance(step, HumanStep)]
    decisions = [intent.results[step] for step in asked if step in intent.results]
    last: dict[str, Any] = max(
        decisions, key=lambda decision: str(decision.get("decided_at", "")), default={}
    )
    keys = ("outcome", "ending", "decided_by", "decided_at", "via")
    details = {key: last[key] for key in keys if key in last}
    return Conflict("already_decided", f"This has already been decided: {intent.outcome}.", details=details)


def nothing_open(intent: Intent) -> Conflict:
    """The error for an answer before there is anything to decide."""
    where = "another task is" if isinstance(intent.open, Task) else "the intent is waiting for something else"
    if isinstance(intent.open, Delivery):
        where = f"step {intent.open.step!r} is still with an agent"
    return Conflict(
        "no_open_task",
        f"No task is open here: {where}. Nothing was recorded.",
        hint="Wait until the task opens and read it before you answer.",
    )


def open_task(tx: Transition, step_run: int) -> tuple[Task, HumanStep]:
    """The open task that a command refers to; raises Conflict if it was decided, or no task is open."""
    intent = tx.intent
    task = intent.open
    if not isinstance(task, Task) or step_run not in (0, task.step_run):
        raise already_decided(intent) if intent.ending else nothing_open(intent)
    _refuse_late(tx, task)
    return task, intent.plan.human_step(task.step)


def _refuse_late(tx: Transition, task: Task) -> None:
    """Raise Conflict after the deadline, even if the expiry has not been recorded yet."""
    ends = ends_at(tx.intent, task)
    if ends is not None and ends <= tx.now:
        expired = Ending.EXPIRED.value
        raise Conflict(
            "already_decided",
            f"This task has {expired}: no one decided in time.",
            details={"outcome": expired, "ending": expired, "decided_at": rfc3339(ends)},
        )


def answer(tx: Transition, command: c.Answer, *, edited: bool = False) -> None:
    """Answer the open task. ``edited``: the person changed the request at the same time."""
    task, step = open_task(tx, command.step_run)
    refuse_other(tx.intent, task, command)
    if command.bulk:
        refuse_bulk(tx.intent, task)
    refuse_contradiction(step.task, command.outcome, command.data, task.agreed)
    outcome, meaning = check_answer(step.task, command.outcome, command.comment, command.data, task.agreed)
    right = _checked_right(tx, task, command.active_people)
    principal = "" if right.principal == tx.actor.id else right.principal
    before, behind = own_vote(tx.actor, task), others_with_key(tx.actor)
    refuse_ahead(before, command)
    same = before is not None and _same(before, outcome, command, principal)
    if before is not None and same and set(before.behind) <= set(behind):
        _count(tx, step, command.active_people)  # a repeated answer is the same vote
        return
    if meaning is Meaning.APPROVES:
        _refuse_twice(tx.actor, task)
    if not same:  # otherwise it is the same answer, with a higher assurance
        refuse_replaced(outcome, before, command)
    tx.add(
        e.Answered(
            step_run=task.step_run,
            outcome=outcome,
            meaning=meaning,
            stage=task.stage,
            sent=command.outcome if command.outcome != outcome else "",
            revision=task.revision,
            digest=task.digest,
            unseen=command.digest is None,
            data=command.data,
            principal=principal,
            for_names=right.names,
            number=given(before) + 1,
            behind=behind,
            bulk=command.bulk,
            edited=edited,
        ),
        comment=command.comment,
        viewed=command.viewed,
    )
    _count(tx, step, command.active_people)


def _same(vote: Vote, outcome: str, command: c.Answer, principal: str) -> bool:
    sent = (outcome, command.data, command.comment, principal)
    return sent == (vote.outcome, vote.data or {}, vote.comment or "", vote.principal)


def _refuse_twice(actor: Actor, task: Task) -> None:
    """Raise Forbidden if one person may control both this approval and another one, because a quorum, and each
    later stage, needs different people.
    """
    mine = {actor.id, *others_with_key(actor)}
    for vote in task.votes:
        if (
            vote.person != actor.id
            and vote.meaning is Meaning.APPROVES
            and mine & {vote.person, *vote.behind}
        ):
            raise Forbidden(
                "same_person",
                "The creator of a key can use it too, so this and an earlier approval may come from one person.",
                hint="A person who answers with a key that someone else created must sign in by e-mail instead.",
            )


def _checked_right(tx: Transition, task: Task, names: Names | None = None) -> AnswerRight:
    """The right by which the actor decides, or changes what is decided; ``names``: everyone's current names, if they
    differ from the command's directory.
    """
    right = answer_right(tx.actor, tx.intent, task)
    # ``authorize_command`` has checked this already, but a rule does not rely on another module.
    if right is None:
        raise Forbidden("not_an_approver", "You are not among those who were asked.")
    if names is None and tx.membership is not None:
        names = tx.membership.active_people
    if not may_still_decide(tx.actor.id, right.principal, right.names, names):
        # The answer would be recorded without effect.
        raise Forbidden(
            "not_an_approver",
            "The person on whose behalf you answer is no longer asked.",
            hint="An owner or an admin can ask other people.",
        )
    return right


def _count(tx: Transition, step: HumanStep, names: dict[str, frozenset[str]] | None) -> None:
    task, _ = open_task(tx, 0)
    stages = step.task.stages
    mine = own_vote(tx.actor, task)
    vote = tally(stage_now(tx.intent, task), task.stage, task.votes, names, mine)
    if vote is None:
        return
    if vote.meaning is Meaning.APPROVES and task.stage + 1 < len(stages):
        agreed = vote.outcome if len(step.task.outcomes_meaning(Meaning.APPROVES)) > 1 else ""
        tx.add(e.StagePassed(task.step_run, task.stage + 1, agreed))
        return
    routing.close_task(tx, step, vote.outcome, ENDING_OF[vote.meaning], vote.meaning)


def delegate(tx: Transition, command: c.Delegate) -> None:
    task, _ = open_task(tx, command.step_run)
    right = _checked_right(tx, task)
    if command.to in (tx.actor.id, right.principal):
        raise Invalid("delegate_to_oneself", "Delegate it to someone else.", field="to")
    if right.principal != tx.actor.id:
        raise Forbidden(
            "delegation_not_transitive",
            "It was delegated to you; you cannot delegate it again.",
            hint="Answer it instead.",
        )
    if any(delegation.delegator == command.to for delegation in task.delegations):
        raise Invalid("delegation_cycle", "That person has delegated this task.", field="to")
    tx.add(e.Delegated(task.step_run, right.principal, command.to, right.names), comment=command.comment)


def reassign(tx: Transition, command: c.Reassign) -> None:
    task, _ = open_task(tx, command.step_run)
    if command.stage not in (None, task.stage):
        raise Conflict(
            "stale_stage",
            f"Stage {task.stage + 1} is open now; nobody was reassigned.",
            hint="Read the task again, then reassign this stage.",
        )
    if not command.to:
        raise Invalid("nobody_named", "Name at least one person, team or role.", field="to")
    _refuse_fewer(tx.intent, task, command.to)
    now = tx.membership
    pinned_members, delegates = (
        (now.members_of(command.to), now.delegates(command.to, tx.now)) if now else ({}, {})
    )
    if command.keep:
        held = pinned(tx.intent, task)
        pinned_members = pinned_members | {name: held[name] for name in command.to if name in held}
    behind = (tx.actor.id, *others_with_key(tx.actor))
    tx.add(
        e.Reassigned(task.step_run, command.to, pinned_members, delegates, behind), comment=command.comment
    )


def _refuse_fewer(intent: Intent, task: Task, to: tuple[str, ...]) -> None:
    """Raise Invalid if a stage in which each entry must approve would need fewer people than its policy says."""
    stage = spec_of(intent, task).stages[task.stage]
    if stage.every and len(set(to)) < len(stage.approvers):
        takes = len(stage.approvers)
        raise Invalid(
            "too_few_approvers",
            f"This stage needs {takes} different people, one for each of {takes} entries.",
            field="to",
            hint=f"Name at least {takes} people, teams or roles.",
        )


def mark_reviewing(tx: Transition, command: c.MarkReviewing) -> None:
    task, _ = open_task(tx, command.step_run)
    person = "" if command.free else tx.actor.id
    if task.reviewed_by != person:
        tx.add(e.ReviewMarked(task.step_run, person))


def snooze(tx: Transition, command: c.Snooze) -> None:
    task, _ = open_task(tx, command.step_run)
    snooze_commands.snooze(tx, task, command)


def unsnooze(tx: Transition, command: c.Unsnooze) -> None:
    task, _ = open_task(tx, command.step_run)
    snooze_commands.unsnooze(tx, task)


def add_comment(tx: Transition, command: c.AddComment) -> None:
    task, _ = open_task(tx, command.step_run)
    if not shows(command.comment):
        raise Invalid("comment_required", "The comment is empty.", field="comment")
    tx.add(e.Commented(task.step_run), comment=command.comment)


def revise(tx: Transition, command: c.Revise) -> None:
    """Propose a change; or, if the policy says ``edits: approve``, change the request and approve that at the same
    time. Both are recorded as facts, and the approval counts only for the new revision.
    """
    task, step = open_task(tx, command.step_run)
    if command.digest not in (None, task.digest):
        raise stale_revision(tx.intent, task)
    intent = tx.intent
    _checked_right(tx, task, command.active_people)
    approves = bool(command.outcome)
    if approves:
        edited_answers.refuse(intent, task, command)
    else:
        _refuse_own_choice(tx.actor, intent, task)
    if command.payload_digest == intent.payload_digest:
        raise Invalid("nothing_changed", "The revision does not change anything.", field="payload")
    refuse_other_choice(intent.plan, command.payload)
    digest = envelope_digest(intent, step.id, task.step_run, intent.revision + 1, command.payload_digest)
    others = others_with_key(tx.actor)
    tx.add(
        e.Revised(
            task.step_run,
            intent.revision + 1,
            command.payload_digest,
            digest,
            others,
            approves,
            tx.membership is not None and tx.membership.any_admin((tx.actor.id, *others)),
        ),
        comment=command.comment,
    )
    if approves:
        answer(tx, edited_answers.answer_to(command, task, intent.revision + 1, digest), edited=True)


def _refuse_own_choice(actor: Actor, intent: Intent, task: Task) -> None:
    """Raise Forbidden if the editor chose who decides this stage: the editor joins the requester's side, which does not
    choose that. A later stage is not affected, because a revision starts again with the policy's approvers.
    """
    chose = task.stage == 0 and not {actor.id, *actor.sponsors}.isdisjoint(task.assigned_by)
    if chose and not self_approval(actor, intent, task):
        raise Forbidden(
            "self_approval",
            "You chose who decides this task, so you cannot change what is decided.",
            hint="Request changes instead, or ask another approver to make the change.",
        )


def report_unreachable(tx: Transition, command: c.ReportUnreachable) -> None:
    """Escalate immediately, because nobody could be reached. After the last level the task is undeliverable, unless
    another person was reached, who may still answer.
    """
    task = tx.intent.open
    if not isinstance(task, Task) or (task.step_run, task.stage) != (command.step_run, command.stage):
        return
    spec = spec_of(tx.intent, task)
    tx.add(e.NobodyReached(task.step_run, command.reason))
    if command.level < task.escalated:
        return  # the task has escalated in the meantime, and others are notified
    if task.escalated < len(spec.escalate):
        tx.add(e.Escalated(task.step_run, task.escalated + 1, spec.escalate[task.escalated].to))
        return
    if command.others_reached:
        return
    _, step = open_task(tx, 0)
    routing.close_task(tx, step, Ending.UNDELIVERABLE.value, Ending.UNDELIVERABLE, Meaning.REJECTS)
