"""What people do with an open task: answer it, hand it over, take it, talk about it, change what is decided.

Every answer is one vote for what was shown; the quorum of each stage decides (``core.intent.quorum``),
counted anew with what its voters are called at that moment.
"""

from typing import Any

from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent import events as e
from signoff.core.intent import routing, snoozing
from signoff.core.intent.answer_target import (
    given,
    own_vote,
    refuse_ahead,
    refuse_other,
    refuse_replaced,
    stale_revision,
)
from signoff.core.intent.contradictions import refuse_contradiction
from signoff.core.intent.decision_digest import envelope_digest
from signoff.core.intent.evolve import moment
from signoff.core.intent.model import Actor, Delivery, Intent, Task
from signoff.core.intent.quorum import Names, has_say, tally
from signoff.core.intent.standing import Standing, others_behind, stage_now, standing
from signoff.core.intent.standing import roster as pinned
from signoff.core.intent.transition import Ledger
from signoff.core.intent.wake import ends_at, spec_of
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import ENDING_OF, Ending, Sign, Vote, check_answer
from signoff.core.policy.conditions import refuse_other_choice
from signoff.core.text.hidden_characters import shows


def already_decided(intent: Intent) -> Conflict:
    """The answer to everybody who comes after the decision: what it was, who made it, when, through what."""
    # Only human steps: an agent may call its result what it likes.
    asked = [step.id for step in intent.plan.steps if isinstance(step, HumanStep)]
    decisions = [intent.results[step] for step in asked if step in intent.results]
    last: dict[str, Any] = max(
        decisions, key=lambda decision: str(decision.get("decided_at", "")), default={}
    )
    keys = ("outcome", "ending", "decided_by", "decided_at", "via")
    details = {key: last[key] for key in keys if key in last}
    return Conflict("already_decided", f"This was already decided: {intent.outcome}.", details=details)


def nothing_open(intent: Intent) -> Conflict:
    """The answer to whoever decides before there is anything to decide."""
    where = "another task is" if isinstance(intent.open, Task) else "it is somewhere else"
    if isinstance(intent.open, Delivery):
        where = f"step {intent.open.step!r} is still with an agent"
    return Conflict(
        "no_open_task", f"No task is open here: {where}. Nothing was recorded.",
        hint="Wait until the task opens, look at it, then answer.",
    )  # fmt: skip


def open_task(book: Ledger, visit: int) -> tuple[Task, HumanStep]:
    """The open task that a command speaks of; Conflict when it was decided, or none is open."""
    intent = book.intent
    task = intent.open
    if not isinstance(task, Task) or visit not in (0, task.visit):
        raise already_decided(intent) if intent.ending else nothing_open(intent)
    _refuse_late(book, task)
    return task, intent.plan.human_step(task.step)


def _refuse_late(book: Ledger, task: Task) -> None:
    """After the deadline nobody decides any more, also where nothing has yet written down that it has passed."""
    ends = ends_at(book.intent, task)
    if ends is not None and ends <= book.now:
        expired = Ending.EXPIRED.value
        raise Conflict(
            "already_decided", f"This was already decided: nobody did in time, so it has {expired}.",
            details={"outcome": expired, "ending": expired, "decided_at": moment(ends)},
        )  # fmt: skip


def answer(book: Ledger, command: c.Answer) -> None:
    task, step = open_task(book, command.visit)
    refuse_other(book.intent, task, command)
    refuse_contradiction(step.task, command.outcome, command.data, task.agreed)
    outcome, sign = check_answer(step.task, command.outcome, command.comment, command.data, task.agreed)
    ground = _ground(book, task, command.standing)
    principal = "" if ground.principal == book.actor.id else ground.principal
    before, behind = own_vote(book.actor, task), others_behind(book.actor)
    refuse_ahead(before, command)
    same = before is not None and _same(before, outcome, command, principal)
    if before is not None and same and set(before.behind) <= set(behind):
        _count(book, step, command.standing)  # the same answer again is the one vote that it is already
        return
    if sign is Sign.POSITIVE:
        _refuse_twice(book.actor, task)
    if not same:  # else the same again, by a credential that is more surely theirs
        refuse_replaced(outcome, before, command)
    book.add(
        e.Answered(
            visit=task.visit,
            outcome=outcome,
            sign=sign,
            stage=task.stage,
            sent=command.outcome if command.outcome != outcome else "",
            revision=task.revision,
            digest=task.digest,
            unseen=command.digest is None,
            data=command.data,
            principal=principal,
            for_names=ground.names,
            number=given(before) + 1,
            behind=behind,
        ),
        comment=command.comment,
    )
    _count(book, step, command.standing)


def _same(vote: Vote, outcome: str, command: c.Answer, principal: str) -> bool:
    said = (outcome, command.data, command.comment, principal)
    return said == (vote.outcome, vote.data or {}, vote.comment or "", vote.principal)


def _refuse_twice(actor: Actor, task: Task) -> None:
    """Raise Forbidden where one and the same person may be behind this yes and behind somebody else's: a quorum, and
    each next stage, takes other natural persons.
    """
    mine = {actor.id, *others_behind(actor)}
    for vote in task.votes:
        if vote.person != actor.id and vote.sign is Sign.POSITIVE and mine & {vote.person, *vote.behind}:
            raise Forbidden(
                "same_person",
                "Whoever made the key of one of you has it too, so this and an earlier approval may be one person's.",
                hint="Whoever answered, or answers, with a key that somebody else made signs in by mail for it.",
            )  # fmt: skip


def _ground(book: Ledger, task: Task, names: Names | None = None) -> Standing:
    """On what ground the actor decides, or changes what is decided; ``names``: what everybody is called now, where it
    is another than the command's directory says.
    """
    ground = standing(book.actor, book.intent, task)
    if ground is None:  # access.may has looked already; a rule that relies on another file asks again
        raise Forbidden("not_an_approver", "You are not among those who were asked.")
    if names is None and book.membership is not None:
        names = book.membership.standing
    if not has_say(book.actor.id, ground.principal, ground.names, names):
        raise Forbidden(  # it would be recorded, and count for nothing
            "not_an_approver", "The person in whose stead you answer is not asked any more.",
            hint="An owner or an admin can ask other people.",
        )  # fmt: skip
    return ground


def _count(book: Ledger, step: HumanStep, names: dict[str, frozenset[str]] | None) -> None:
    task, _ = open_task(book, 0)
    stages = step.task.stages
    vote = tally(stage_now(book.intent, task), task.stage, task.votes, names)
    if vote is None:
        return
    if vote.sign is Sign.POSITIVE and task.stage + 1 < len(stages):
        agreed = vote.outcome if len(step.task.meaning(Sign.POSITIVE)) > 1 else ""
        book.add(e.StagePassed(task.visit, task.stage + 1, agreed))
        return
    routing.decided(book, step, vote.outcome, ENDING_OF[vote.sign], vote.sign)


def delegate(book: Ledger, command: c.Delegate) -> None:
    task, _ = open_task(book, command.visit)
    ground = _ground(book, task)
    if command.to in (book.actor.id, ground.principal):
        raise Invalid("delegate_to_oneself", "Hand it over to somebody else.", field="to")
    if ground.principal != book.actor.id:
        raise Forbidden(
            "delegation_not_transitive",
            "It was handed to you; you cannot hand it on.",
            hint="Give it back, or answer it.",
        )
    if any(given.giver == command.to for given in task.handed_over):
        raise Invalid("delegation_cycle", "That person has handed this task over.", field="to")
    book.add(e.Delegated(task.visit, ground.principal, command.to, ground.names), comment=command.comment)


def reassign(book: Ledger, command: c.Reassign) -> None:
    task, _ = open_task(book, command.visit)
    if not command.to:
        raise Invalid("nobody_named", "Name at least one person, team or role.", field="to")
    now = book.membership
    roster, stand_ins = (now.roster(command.to), now.stand_ins(command.to, book.now)) if now else ({}, {})
    if command.keep:
        held = pinned(book.intent, task)
        roster = roster | {name: held[name] for name in command.to if name in held}
    book.add(e.Reassigned(task.visit, command.to, roster, stand_ins), comment=command.comment)


def take(book: Ledger, command: c.Take) -> None:
    task, _ = open_task(book, command.visit)
    person = "" if command.free else book.actor.id
    if task.taken_by != person:
        book.add(e.Taken(task.visit, person))


def snooze(book: Ledger, command: c.Snooze) -> None:
    task, _ = open_task(book, command.visit)
    snoozing.snooze(book, task, command)


def wake(book: Ledger, command: c.Wake) -> None:
    task, _ = open_task(book, command.visit)
    snoozing.wake(book, task)


def remark(book: Ledger, command: c.Remark) -> None:
    task, _ = open_task(book, command.visit)
    if not shows(command.comment):
        raise Invalid("comment_required", "There is nothing in the comment.", field="comment")
    book.add(e.Remarked(task.visit), comment=command.comment)


def revise(book: Ledger, command: c.Revise) -> None:
    task, step = open_task(book, command.visit)
    if command.digest not in (None, task.digest):
        raise stale_revision(book.intent, task)
    intent = book.intent
    _ground(book, task)
    if command.payload_digest == intent.payload_digest:
        raise Invalid("nothing_changed", "The revision is the same as what is there.", field="payload")
    refuse_other_choice(intent.plan, command.payload)
    digest = envelope_digest(intent, step.id, task.visit, intent.revision + 1, command.payload_digest)
    book.add(
        e.Revised(task.visit, intent.revision + 1, command.payload_digest, digest, others_behind(book.actor)),
        comment=command.comment,
    )


def unreachable(book: Ledger, command: c.Unreachable) -> None:
    """Nobody could be told: the ladder moves on at once; at its end the task is undeliverable, unless somebody else
    has heard of it, who may still answer.
    """
    task = book.intent.open
    if not isinstance(task, Task) or (task.visit, task.stage) != (command.visit, command.stage):
        return
    spec = spec_of(book.intent, task)
    book.add(e.Undelivered(task.visit, command.reason))
    if command.level < task.escalated:
        return  # the ladder has moved on meanwhile, and others are told
    if task.escalated < len(spec.escalate):
        book.add(e.Escalated(task.visit, task.escalated + 1, spec.escalate[task.escalated].to))
        return
    if command.heard:
        return
    _, step = open_task(book, 0)
    routing.decided(book, step, Ending.UNDELIVERABLE.value, Ending.UNDELIVERABLE, Sign.NEGATIVE)
