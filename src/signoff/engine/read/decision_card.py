"""What the decision card shows: a pure function of the intent, its history, the directory and the reader.

Eleven parts, top to bottom: the question and who asks it; what happens on expiry; what changes; the checks; its
effects; the answers; the requester's own text; the requester; why you are asked; the other approvers; and, after the
decision, its record. Each fact appears once, and what matters for the decision comes first. Text by agents appears
only where it is marked as theirs, never in the question or on a button.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Refused
from signoff.core.ids import step_run_id
from signoff.core.intent import events as e
from signoff.core.intent.answering_rights import on_requesters_side
from signoff.core.intent.assurance import grave, worst_risk
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.commands import Answer
from signoff.core.intent.conclusion import at_expiry
from signoff.core.intent.model import Intent
from signoff.core.intent.receipts import place
from signoff.core.intent.wake import ends_at
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Risk, TaskType, Trait
from signoff.core.plan.wording import ended, from_workflow, on_expiry_text, outcome_text, question
from signoff.core.text.json_diff import Group, Leaf, group
from signoff.core.text.masking import masked
from signoff.engine.directory.workers import absent
from signoff.engine.read.answer_buttons import AnswerButton, answer_buttons
from signoff.engine.read.approvers import ApproverOverview, approver_overview, reasons
from signoff.engine.read.evidence import (
    REQUEST,
    Check,
    EffectClaim,
    checks,
    effects,
    masked_text,
    requester_text,
    said_once,
    searched_text,
    warnings_for,
)
from signoff.engine.read.next_steps import NextStepLine, next_step_lines
from signoff.engine.read.revisions import RevisionChange, SinceApproved, changes, difference, reported_before
from signoff.engine.read.task_context import TaskContext
from signoff.engine.read.task_history import TaskHistory

_MOMENT: Final = "\0"  # stands for the time in a sentence; the page inserts it in the reader's time zone


class RequesterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The requester, and on whose behalf it acts. ``claimed``: the name that the client gave itself, not verified."""

    kind: str
    name: str
    address: str
    claimed: str
    persons: tuple[str, ...]
    earlier: int
    endings: tuple[tuple[str, int], ...]
    last: str


class VoteLine(msgspec.Struct, frozen=True):
    """One answer in the list of votes."""

    name: str
    on_behalf_of: str
    outcome: str
    stage: int
    comment: str
    data: Group
    at: datetime
    via: str
    seq: int


class CommentLine(msgspec.Struct, frozen=True):
    """A comment without an answer, or a delegation with its comment."""

    name: str
    at: datetime
    what: str
    comment: str


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The decision. ``heading``: what was done; ``mine``: whether the reader's own answer decided it; words: why it
    was withdrawn.
    """

    ending: str
    heading: str
    outcome: str
    by: str
    via: str
    at: datetime
    seq: int
    mine: bool
    place: str
    after: tuple[str, ...]
    words: str = ""


class ExpiryNote(msgspec.Struct, frozen=True):
    """What happens if nobody answers: a sentence, and the time in it."""

    before: str
    at: datetime | None = None
    after: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page, in its order. ``stage``: the open stage, counted from 1. ``needs_opening``: whether
    approval requires that everything is unfolded. ``weak``: whether the reader is barred only for insufficient
    assurance. ``covered``: whether a secret in the title or the description is masked. ``stale_risk``: the risk that
    a check of an earlier revision reported, if it was higher. ``deleted``: whether the payload was deleted.
    """

    task_id: str
    intent: Intent
    type: TaskType
    question: str
    said: str
    described: str
    covered: bool
    trusted: bool
    risk: str
    risk_from: str
    stale_risk: str
    due_at: datetime | None
    opened_at: datetime
    revision: int
    digest: str
    asker: RequesterInfo
    why: tuple[str, ...]
    changes: Group
    ahead: tuple[NextStepLine, ...]
    revisions: tuple[tuple[RevisionChange, str, str], ...]
    approved: SinceApproved | None
    wanted: tuple[VoteLine, ...]
    touches: tuple[EffectClaim, ...]
    undo: tuple[EffectClaim, ...]
    checks: tuple[Check, ...]
    words: tuple[Leaf, ...]
    silence: ExpiryNote
    cautions: tuple[str, ...]
    others: ApproverOverview
    stage: int
    stages: int
    votes: tuple[VoteLine, ...]
    remarks: tuple[CommentLine, ...]
    choices: tuple[AnswerButton, ...]
    barred: str
    weak: bool
    self_approval: bool
    folded: bool
    needs_opening: bool
    opened: bool
    record: DecisionRecord | None
    form: dict[str, Any] | None
    comment_required: bool
    evidence_required: bool
    deleted: bool

    @property
    def open(self) -> bool:
        return self.record is None

    @property
    def asks(self) -> bool:
        """Whether the task asks for input, and not for approval."""
        return Trait.INPUT in self.type.traits

    @property
    def masked(self) -> bool:
        """Whether something is hidden because it is a secret."""
        words = any(leaf.masked for leaf in self.words)
        return (
            words or self.covered or self.changes.masked or any(check.leaves.masked for check in self.checks)
        )

    @property
    def grave(self) -> bool:
        """Whether the risk is high or critical, or a check failed: then the button that approves is not green."""
        current = (check.verdict for check in self.checks if check.of == self.revision)
        return grave(Risk(self.stale_risk or self.risk), current)

    @property
    def may_answer(self) -> bool:
        return self.open and not self.barred


def card(known: TaskContext) -> Card:
    """Make the card of one task for one reader."""
    intent, history, directory = known.intent, known.history, known.directory
    step = intent.plan.human_step(history.step)
    spec, trusted = step.task, from_workflow(intent.plan)
    payload, words = requester_text(known.payload, known.opened)
    reported = {k: v for k, v in reported_before(known.facts, history.step_run).items() if k != step.id}
    of = {name: revision for name, (_, revision) in reported.items()}
    every = {name: result for name, (result, _) in reported.items()}
    results = {name: result for name, result in every.items() if of[name] == history.revision}
    shown = group(payload, known.opened)
    verdicts = checks(intent.plan, every, known.facts, directory, known.opened, of)
    current = tuple(check for check in verdicts if check.of == history.revision)
    touches, undo = effects(known.payload, results)
    rated, rated_by = worst_risk(spec.risk, results)
    stale_risk = worst_risk(spec.risk, every)[
        0
    ]  # the assurance that an earlier check required is still required
    rated_from = f"by the check in step “{rated_by}”" if rated_by else "by the workspace's policy"
    coming = next_step_lines(
        intent.plan, step, known.opened, lambda agent: absent(agent, directory, known.workers, known.now)
    )
    folded = (
        shown.folded or any(leaf.hidden for leaf in words) or any(check.leaves.folded for check in verdicts)
        or any(one.unseen for one in coming)
    )  # fmt: skip
    written = "" if trusted else spec.title, spec.description
    said, described = (masked_text(text, known.opened) for text in written)
    (barred, weak), text = _barred(known), searched_text(intent, step, known.payload)
    return Card(
        task_id=step_run_id(intent.id, history.step_run),
        intent=intent,
        type=spec.type,
        question=question(intent.plan, step, intent.type, known.payload),
        said=said,
        described=described,
        trusted=trusted,
        covered=(said, described) != written,
        risk=rated.value,
        risk_from=rated_from,
        stale_risk=stale_risk.value if stale_risk is not rated else "",
        due_at=ends_at(intent, history),
        opened_at=history.opened_at,
        revision=history.revision,
        digest=history.digest,
        asker=_asker(known),
        why=reasons(known, step),
        changes=shown,
        ahead=coming,
        revisions=_revisions(known),
        approved=known.approved,
        wanted=_wanted(known),
        # the payload shows these values already, unless it is folded
        touches=tuple(fact for fact in touches if fact.source != REQUEST or shown.rest),
        undo=undo,
        checks=tuple(said_once(check) if check.of == history.revision else check for check in verdicts),
        silence=_silence(intent, history, step),
        cautions=(
            *_unchecked(verdicts, history.revision),
            *warnings_for(
                undo,
                {check.step: check.verdict for check in current},
                text,
                Trait.INPUT not in spec.type.traits,
            ),
        ),
        words=words,
        others=approver_overview(known),
        stage=history.stage + 1,
        stages=len(spec.stages),
        votes=_votes(known),
        remarks=_remarks(known),
        choices=answer_buttons(intent, step, known.task, known.directory.active_people),
        barred=barred,
        weak=weak,
        self_approval=not barred and on_requesters_side(known.reader, intent),
        folded=folded,
        needs_opening=folded and stale_risk is not Risk.LOW,
        opened=known.opened,
        record=_record(known),
        form=spec.form,
        comment_required=spec.comment_required,
        evidence_required=spec.evidence_required,
        deleted=known.deleted,
    )


def _revisions(known: TaskContext) -> tuple[tuple[RevisionChange, str, str], ...]:
    """The changes from revision to revision, each with its author's comment and, if known, name."""
    if known.deleted:
        return ()
    found = changes(known.facts, known.history.step, known.history.digest, known.payload, known.old)
    return tuple(
        (one, known.directory.display(one.by) if one.by else "", masked_text(one.comment, known.opened))
        for one in found
    )


def _unchecked(verdicts: Sequence[Check], revision: int) -> tuple[str, ...]:
    """A note that the checks are of an earlier revision and do not apply to this one."""
    stale = sorted({check.of for check in verdicts if check.of != revision})
    if not stale:
        return ()
    which = " and ".join(str(number) for number in stale)
    return (f"Checked: revision {which}. Revision {revision} has not been checked.",)


def _barred(known: TaskContext) -> tuple[str, bool]:
    """Return why this reader cannot answer ("" if they can), and whether a stronger sign-in would be enough. This
    calls the rule itself, not a copy of it.
    """
    task = known.task
    if task is None:
        return "This task is closed.", False
    attempt = Answer(
        outcome="", step_run=task.step_run, stage=task.stage, revision=task.revision, digest=task.digest
    )
    try:
        authorize_command(known.reader, attempt, known.intent)
    except Refused as refusal:
        taker = _handed_to(known)
        if taker:
            return f"You delegated this to {taker}, who decides for you.", False
        said = refusal.message + (f" {refusal.hint}" if refusal.hint else "")
        return said, refusal.code == "stronger_sign_in_required"
    return "", False


def _handed_to(known: TaskContext) -> str:
    """The person to whom the reader delegated this task, or ""."""
    takers = [
        fact.event.taker
        for fact in known.facts
        if isinstance(fact.event, e.Delegated)
        and fact.event.step_run == known.history.step_run
        and fact.actor.id == known.reader.id
    ]
    return known.directory.display(takers[-1]) if takers else ""


def _silence(intent: Intent, history: TaskHistory, step: HumanStep) -> ExpiryNote:
    step, refused = at_expiry(intent, step)
    sentence = on_expiry_text(step, history.deadline_at, intent.deadline_at, lambda _: _MOMENT, refused)
    before, _, after = sentence.partition(_MOMENT)
    return ExpiryNote(before, ends_at(intent, history) if after else None, after)


def _asker(known: TaskContext) -> RequesterInfo:
    requester, directory = known.intent.requester, known.directory
    endings: dict[str, int] = {}
    for intent in known.earlier:
        word = intent.ending.value if intent.ending else intent.status.value.lower()
        endings[word] = endings.get(word, 0) + 1
    return RequesterInfo(
        kind=requester.kind.value,
        name=directory.display(requester.id),
        address=requester.address,
        claimed=requester.claimed if requester.claimed != requester.address else "",
        persons=tuple(directory.display(person) for person in requester.persons if person != requester.id),
        earlier=len(known.earlier),
        endings=tuple(endings.items()),
        last=known.earlier[0].id if known.earlier else "",
    )


def difference_since(known: TaskContext, digest: str) -> tuple[Leaf, ...]:
    """What has changed between the content with this digest and the current content; () if that is unknown."""
    every = known.asked()
    shown = next((one for one in every if one.digest == digest), None)
    now = next((one for one in every if one.digest == known.history.digest), None)
    if shown is None or now is None:
        return ()
    return difference(known.facts, known.history.step, shown, now, known.payload, known.old)


def _votes(known: TaskContext) -> tuple[VoteLine, ...]:
    """Each person's last answer to each stage of the current revision."""
    last: dict[tuple[str, int], e.Fact] = {}
    for fact in known.facts:
        event = fact.event
        if isinstance(event, e.Answered) and (event.step_run, event.digest) == (
            known.history.step_run,
            known.history.digest,
        ):
            last[fact.actor.id, event.stage] = fact
    return tuple(_given(fact, known) for fact in last.values())


def _wanted(known: TaskContext) -> tuple[VoteLine, ...]:
    return tuple(_given(fact, known) for fact in known.changes_wanted())


def _remarks(known: TaskContext) -> tuple[CommentLine, ...]:
    found = []
    for fact in known.facts:
        event = fact.event
        if getattr(event, "step_run", 0) != known.history.step_run:
            continue
        match event:
            case e.Commented():
                what = "commented"
            case e.Delegated(taker=taker):
                what = f"delegated it to {known.directory.display(taker)}"
            case e.Revised(revision=revision):
                what = f"created revision {revision}; earlier votes are void"
            case _:
                continue
        comment = masked_text(fact.note.comment, known.opened) if fact.note else ""
        found.append(CommentLine(known.directory.display(fact.actor.id), fact.at, what, comment))
    return tuple(found)


def _given(fact: e.Fact, known: TaskContext) -> VoteLine:
    event = fact.event
    if not isinstance(event, e.Answered):
        raise TypeError("a vote is an answer")
    on_behalf_of = event.principal if event.principal not in ("", fact.actor.id) else ""
    return VoteLine(
        name=known.directory.display(fact.actor.id),
        on_behalf_of=known.directory.display(on_behalf_of) if on_behalf_of else "",
        outcome=outcome_text(known.intent.plan.human_step(known.history.step).task, event.outcome),
        stage=event.stage + 1,
        comment=masked_text(fact.note.comment, known.opened) if fact.note else "",
        data=group(event.data if known.opened else masked(event.data), True) if event.data else Group(),
        at=fact.at,
        via=fact.via,
        seq=fact.seq,
    )


def _record(known: TaskContext) -> DecisionRecord | None:
    fact = known.history.decided
    if fact is None or not isinstance(fact.event, e.Decided):
        return None
    event, intent = fact.event, known.intent
    later = [f.event for f in known.facts if f.seq > fact.seq]
    reports = [event for event in later if isinstance(event, e.Reported)]
    after = [f"step “{report.step}” {'failed' if report.fault else 'finished'}" for report in reports]
    why = next((event.reason for event in later if isinstance(event, e.Canceled)), "")
    system = fact.actor.kind is ActorKind.SYSTEM
    spec = intent.plan.human_step(known.history.step).task
    return DecisionRecord(
        ending=event.ending.value,
        heading=ended(event.ending, event.outcome, spec),
        outcome=outcome_text(spec, event.outcome),
        by="the clock" if system else known.directory.display(fact.actor.id),
        via=fact.via,
        at=fact.at,
        seq=fact.seq,
        mine=fact.actor.id == known.reader.id,
        place=place(intent),
        after=tuple(after),
        words="" if why in ("withdrawn", "canceled") else masked_text(why, known.opened),
    )
