"""What the decision card shows: a pure function of the intent, its history, the directory and the reader.

Eleven parts, from top to bottom: the question and who asks it; what happens on expiry; what changes; the checks; its
effects; the answers; the requester's own text; the requester; why you are asked; the other approvers; and, after the
decision, its record. Each fact appears once, and what matters most for the decision comes first. Text by agents appears
only where it is marked as such, never in the question or on a button.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Refused
from signoff.core.ids import step_run_id
from signoff.core.intent import events as e
from signoff.core.intent.answering_rights import answer_right, on_requesters_side, stage_now
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.checks import grave, worst_risk
from signoff.core.intent.commands import Answer
from signoff.core.intent.continuation import at_expiry
from signoff.core.intent.model import Intent, Status
from signoff.core.intent.receipts import place
from signoff.core.intent.wake import ends_at
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Ending, Risk, TaskSpec, TaskType, Trait
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
    searched_text,
    warnings_for,
    without_repetition,
)
from signoff.engine.read.next_steps import NextStepLine, next_step_lines
from signoff.engine.read.policy_text import PolicyNames
from signoff.engine.read.revisions import RevisionChange, SinceApproved, changes, difference, reported_before
from signoff.engine.read.task_context import TaskContext
from signoff.engine.read.task_history import TaskHistory

_MOMENT: Final = "\0"  # stands for the time in a sentence; the page inserts it in the reader's time zone


class RequesterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The requester, and on whose behalf it acts. ``claimed``: the name that the client calls itself, unverified;
    ``earlier``: how many earlier requests of this type were found, ``endings``: how they ended, ``last``: the id of
    the last one.
    """

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
    """The decision. ``heading``: what was done; ``mine``: whether the reader's own answer decided it; ``place``: where
    the request is now; ``overtaken``: whether the request did not complete despite this approval; ``after``: what
    agents reported since; ``reason``: why it was withdrawn.
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
    overtaken: bool
    after: tuple[str, ...]
    reason: str = ""


class ExpiryNote(msgspec.Struct, frozen=True):
    """What happens if nobody answers: a sentence, and the time in it."""

    before: str
    at: datetime | None = None
    after: str = ""


class RiskNote(msgspec.Struct, frozen=True):
    """The task's risk. ``source``: who set it; ``earlier``: the risk that a check of an earlier revision reported, if
    that was higher, else "".
    """

    level: str
    source: str
    earlier: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page, in its order."""

    # -- the task
    task_id: str
    intent: Intent
    type: TaskType
    opened_at: datetime
    due_at: datetime | None
    on_expiry: ExpiryNote
    revision: int
    digest: str
    stage: int  # the open one, counted from 1
    stages: int
    deleted: bool  # whether the payload was deleted

    # -- the question
    question: str
    requesters_title: str  # the requester's own title, "" if the workflow's author wrote it
    description: str
    title_masked: bool  # whether a secret in the title or the description is masked
    from_workflow: bool  # whether title and description are the workflow's, not the requester's
    risk: RiskNote

    # -- the evidence
    revisions: tuple[tuple[RevisionChange, str, str], ...]  # each with its author's name and comment
    changes_requested: tuple[VoteLine, ...]  # the answers that led to this revision
    since_approved: SinceApproved | None  # the difference to what people approved last for this target
    payload: Group
    checks: tuple[Check, ...]
    effects: tuple[EffectClaim, ...]
    reversibility: tuple[EffectClaim, ...]
    next_steps: tuple[NextStepLine, ...]
    requester_texts: tuple[Leaf, ...]  # long texts of the payload, quoted as the requester's

    # -- the people
    requester: RequesterInfo
    reasons: tuple[str, ...]  # why the reader is asked
    approvers: ApproverOverview
    votes: tuple[VoteLine, ...]
    comments: tuple[CommentLine, ...]

    # -- the answer
    answers: tuple[AnswerButton, ...]
    form: dict[str, Any] | None
    comment_required: bool
    evidence_required: bool
    cautions: tuple[str, ...]  # what to consider before an approval
    barred: str  # why the reader cannot answer, "" if they can
    needs_sign_in: bool  # whether they are barred only because their sign-in is not strong enough
    asked_instead: str  # whom the open stage asks, if the reader is not among them; else ""
    self_approval: bool  # whether they may answer although they are on the requester's side
    folded: bool  # whether something is folded
    needs_opening: bool  # whether an approval requires that everything is unfolded
    opened: bool  # whether everything is unfolded

    # -- the decision, if the task is closed
    record: DecisionRecord | None

    @property
    def open(self) -> bool:
        return self.record is None

    @property
    def asks_for_input(self) -> bool:
        """Whether the task asks for input rather than approval."""
        return Trait.INPUT in self.type.traits

    @property
    def masked(self) -> bool:
        """Whether something is hidden because it is a secret."""
        texts = any(leaf.masked for leaf in self.requester_texts)
        checks = any(check.leaves.masked for check in self.checks)
        return texts or self.title_masked or self.payload.masked or checks

    @property
    def grave(self) -> bool:
        """Whether the risk is high or critical, or a check failed: then the button that approves is not green."""
        current = (check.verdict for check in self.checks if check.of == self.revision)
        return grave(Risk(self.risk.earlier or self.risk.level), current)

    @property
    def may_answer(self) -> bool:
        return self.open and not self.barred


class _Reports(NamedTuple):
    """What agents reported before the task, by step. ``current``: only reports about the revision that is decided."""

    revision_of: dict[str, int]
    all: dict[str, Any]
    current: dict[str, Any]


def card(known: TaskContext) -> Card:
    """Build the card of one task for one reader."""
    intent, history, directory = known.intent, known.history, known.directory
    step = intent.plan.human_step(history.step)
    spec, reports = step.task, _reports(known)
    written = "" if from_workflow(intent.plan) else spec.title, spec.description
    title, description = (masked_text(text, known.opened) for text in written)
    payload, texts = requester_text(known.payload, known.opened)
    leaves = group(payload, known.opened)
    reported = checks(intent.plan, reports.all, known.facts, directory, known.opened, reports.revision_of)
    effect_claims, reversibility = effects(known.payload, reports.current)
    next_steps = next_step_lines(
        intent.plan, step, known.opened, lambda agent: absent(agent, directory, known.workers, known.now)
    )
    folded = (
        leaves.folded
        or any(leaf.hidden for leaf in texts)
        or any(check.leaves.folded for check in reported)
        or any(one.unseen for one in next_steps)
    )
    barred, code = _barred(known)
    return Card(
        task_id=step_run_id(intent.id, history.step_run),
        intent=intent,
        type=spec.type,
        opened_at=history.opened_at,
        due_at=ends_at(intent, history),
        on_expiry=_on_expiry(intent, history, step),
        revision=history.revision,
        digest=history.digest,
        stage=history.stage + 1,
        stages=len(spec.stages),
        deleted=known.deleted,
        question=question(intent.plan, step, intent.type, known.payload),
        requesters_title=title,
        description=description,
        title_masked=(title, description) != written,
        from_workflow=from_workflow(intent.plan),
        risk=_risk(spec, reports),
        revisions=_revisions(known),
        changes_requested=tuple(_vote_line(fact, known) for fact in known.changes_requested()),
        since_approved=known.approved,
        payload=leaves,
        checks=tuple(
            without_repetition(check) if check.of == history.revision else check for check in reported
        ),
        # the payload shows these values already, unless it is folded
        effects=tuple(fact for fact in effect_claims if fact.source != REQUEST or leaves.rest),
        reversibility=reversibility,
        next_steps=next_steps,
        requester_texts=texts,
        requester=_requester(known),
        reasons=reasons(known, step),
        approvers=approver_overview(known),
        votes=_votes(known),
        comments=_comments(known),
        answers=answer_buttons(intent, step, known.task, directory.active_people, _seat(known)),
        form=spec.form,
        comment_required=spec.comment_required,
        evidence_required=spec.evidence_required,
        cautions=_cautions(known, step, reported, reversibility),
        barred=barred,
        needs_sign_in=code == "stronger_sign_in_required",
        asked_instead=_asked(known) if code == "not_an_approver" else "",
        self_approval=not barred and on_requesters_side(known.reader, intent),
        folded=folded,
        # by the reports on all revisions: an unchecked revision is not less risky than the checked one
        needs_opening=folded and worst_risk(spec.risk, reports.all)[0] is not Risk.LOW,
        opened=known.opened,
        record=_record(known),
    )


def _reports(known: TaskContext) -> _Reports:
    found = reported_before(known.facts, known.history.step_run)
    before = {step: report for step, report in found.items() if step != known.history.step}
    revision_of = {step: revision for step, (_, revision) in before.items()}
    all_reports = {step: result for step, (result, _) in before.items()}
    current = {
        step: result for step, result in all_reports.items() if revision_of[step] == known.history.revision
    }
    return _Reports(revision_of, all_reports, current)


def _risk(spec: TaskSpec, reports: _Reports) -> RiskNote:
    """The risk by the policy and the checks of this revision, and that by earlier checks: the assurance that those
    required is still required.
    """
    risk, step = worst_risk(spec.risk, reports.current)
    earlier, _ = worst_risk(spec.risk, reports.all)
    if step:
        source = f"by the check in step “{step}”"
    elif spec.policy:
        source = f"by the policy “{spec.policy.partition('@')[0]}”"
    else:  # a risk that was not written is that of every task
        source = "by default" if spec.risk is TaskSpec().risk else "by the policy of this step"
    return RiskNote(risk.value, source, earlier.value if earlier is not risk else "")


def _cautions(
    known: TaskContext, step: HumanStep, reported: Sequence[Check], reversibility: Sequence[EffectClaim]
) -> tuple[str, ...]:
    revision = known.history.revision
    verdicts = {check.step: check.verdict for check in reported if check.of == revision}
    text = searched_text(known.intent, step, known.payload)
    approves = Trait.INPUT not in step.task.type.traits
    return (*_unchecked(reported, revision), *warnings_for(reversibility, verdicts, text, approves))


def _seat(known: TaskContext) -> str:
    """Whose vote the reader's answer would be, or "" if they may not answer."""
    right = answer_right(known.reader, known.intent, known.task) if known.task else None
    return right.principal if right else ""


def _revisions(known: TaskContext) -> tuple[tuple[RevisionChange, str, str], ...]:
    """The changes from revision to revision, each with its author's comment and, if known, name."""
    if known.deleted:
        return ()
    found = changes(known.facts, known.history.step, known.history.digest, known.payload, known.old)
    return tuple(
        (one, known.directory.display(one.by) if one.by else "", masked_text(one.comment, known.opened))
        for one in found
    )


def _unchecked(reported: Sequence[Check], revision: int) -> tuple[str, ...]:
    """A note that the checks belong to an earlier revision and do not apply to this one."""
    stale = sorted({check.of for check in reported if check.of != revision})
    if not stale:
        return ()
    which = " and ".join(str(number) for number in stale)
    return (f"Checked: revision {which}. Revision {revision} has not been checked.",)


def _barred(known: TaskContext) -> tuple[str, str]:
    """Return why this reader cannot answer ("" if they can), and the code of the refusal. This calls the actual rule,
    not a copy of it.
    """
    task = known.task
    if task is None:
        return "This task is closed.", ""
    # an answer that names everything that is open now, so that only the person's right is judged
    attempt = Answer(
        outcome="", step_run=task.step_run, stage=task.stage, revision=task.revision, digest=task.digest
    )
    try:
        authorize_command(known.reader, attempt, known.intent)
    except Refused as refusal:
        delegate = _delegate_of(known)
        if delegate:
            return f"You delegated this to {delegate}, who decides for you.", ""
        return refusal.message + (f" {refusal.hint}" if refusal.hint else ""), refusal.code
    return "", ""


def _asked(known: TaskContext) -> str:
    """Whom the open stage asks: people, roles and teams with their members."""
    names = PolicyNames(known.directory)
    approvers = stage_now(known.intent, known.task).approvers if known.task else ()
    return " or ".join(names.approvers([name]) for name in approvers) or names.anyone()


def _delegate_of(known: TaskContext) -> str:
    """The person to whom the reader delegated this task, or ""."""
    delegates = [
        fact.event.delegate
        for fact in known.facts
        if isinstance(fact.event, e.Delegated)
        and fact.event.step_run == known.history.step_run
        and fact.actor.id == known.reader.id
    ]
    return known.directory.display(delegates[-1]) if delegates else ""


def _on_expiry(intent: Intent, history: TaskHistory, step: HumanStep) -> ExpiryNote:
    step, refused = at_expiry(intent, step)
    # the time is cut out of the sentence, for the page shows it in the reader's time zone
    sentence = on_expiry_text(step, history.deadline_at, intent.deadline_at, lambda _: _MOMENT, refused)
    before, _, after = sentence.partition(_MOMENT)
    return ExpiryNote(before, ends_at(intent, history) if after else None, after)


def _requester(known: TaskContext) -> RequesterInfo:
    requester, directory = known.intent.requester, known.directory
    endings: dict[str, int] = {}
    for intent in known.earlier:
        decided = intent.ending if not intent.approval_overtaken else None
        word = decided.value if decided else intent.status.value.lower()
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
    return tuple(_vote_line(fact, known) for fact in last.values())


def _comments(known: TaskContext) -> tuple[CommentLine, ...]:
    found = []
    for fact in known.facts:
        event = fact.event
        if getattr(event, "step_run", 0) != known.history.step_run:
            continue
        match event:
            case e.Commented():
                what = "commented"
            case e.Delegated(delegate=delegate):
                what = f"delegated it to {known.directory.display(delegate)}"
            case e.Revised(revision=revision):
                what = f"created revision {revision}; earlier votes are void"
            case _:
                continue
        comment = masked_text(fact.note.comment, known.opened) if fact.note else ""
        found.append(CommentLine(known.directory.display(fact.actor.id), fact.at, what, comment))
    return tuple(found)


def _vote_line(fact: e.Fact, known: TaskContext) -> VoteLine:
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
    heading, where = ended(event.ending, event.outcome, spec), place(intent)
    completed = intent.status is Status.COMPLETED
    overtaken = event.ending is Ending.APPROVED and intent.final and not completed
    return DecisionRecord(
        ending=event.ending.value,
        heading=f"{heading}, but {where[:1].lower()}{where[1:]}" if overtaken else heading,
        outcome=outcome_text(spec, event.outcome),
        # no person decided: a deadline passed, or nobody could be reached
        by="the clock" if system else known.directory.display(fact.actor.id),
        via=fact.via,
        at=fact.at,
        seq=fact.seq,
        mine=fact.actor.id == known.reader.id,
        place=where,
        overtaken=overtaken,
        after=tuple(after),
        reason="" if why in ("withdrawn", "canceled") else masked_text(why, known.opened),
    )
