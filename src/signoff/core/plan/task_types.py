"""The types of human task: their outcomes, which of these approve, and the spec of a task."""

from datetime import timedelta
from enum import Flag, StrEnum, auto
from typing import Any, Final, NamedTuple

import msgspec

from signoff.core.plan.schedules import Reminders
from signoff.core.plan.working_hours import Hours


class Meaning(StrEnum):
    """What an outcome means for the route."""

    APPROVES = "positive"
    REQUESTS_CHANGES = "changes"
    REJECTS = "negative"


class Ending(StrEnum):
    """How a task ended. The six endings are always distinct; silence (expired) is never consent."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    UNDELIVERABLE = "undeliverable"


ENDING_OF: Final = {
    Meaning.APPROVES: Ending.APPROVED,
    Meaning.REQUESTS_CHANGES: Ending.SUPERSEDED,
    Meaning.REJECTS: Ending.REJECTED,
}

CHANGES_REQUESTED: Final = "changes_requested"


class BuiltIn(NamedTuple):
    """An outcome of a task type: its name, its meaning, the label of its button."""

    name: str
    meaning: Meaning
    label: str


_APPROVED: Final = BuiltIn("approved", Meaning.APPROVES, "Approve")
_CHANGES: Final = BuiltIn(CHANGES_REQUESTED, Meaning.REQUESTS_CHANGES, "Request changes")
_REJECTED: Final = BuiltIn("rejected", Meaning.REJECTS, "Reject")
_CONFIRMED: Final = BuiltIn("confirmed", Meaning.APPROVES, "Confirm")
_DENIED: Final = BuiltIn("denied", Meaning.REJECTS, "Deny")
_SUBMITTED: Final = BuiltIn("submitted", Meaning.APPROVES, "Submit")
_PROVIDED: Final = BuiltIn("provided", Meaning.APPROVES, "Send the answer")
_ASSIGNED: Final = BuiltIn("assigned", Meaning.APPROVES, "Assign")
_DECLINED: Final = BuiltIn("declined", Meaning.REJECTS, "Decline")
_COMPLETED: Final = BuiltIn("completed", Meaning.APPROVES, "Mark as done")
_FAILED: Final = BuiltIn("failed", Meaning.REJECTS, "Mark as failed")
_EXCEPTION: Final = BuiltIn("override_approved", Meaning.APPROVES, "Allow the exception")


class Trait(Flag):
    """Properties of a task type. CONSENT: approving consents to the request itself. INPUT: it asks for input, not for
    approval. ONE_PRESS: a button in a message can answer it. COMMENT, EVIDENCE: required unless the task says
    otherwise.
    """

    NONE = 0
    CONSENT = auto()
    INPUT = auto()
    ONE_PRESS = auto()
    COMMENT = auto()
    EVIDENCE = auto()


class TaskType(StrEnum):
    """The types of human task. Each is declared only here: its outcomes, the default title, the question if no title
    is shown, its traits, and the label of the comment.
    """

    outcomes: tuple[str, ...]
    built_in: tuple[BuiltIn, ...]
    default_title: str
    question: str
    traits: Trait
    comment_label: str

    def __new__(
        cls,
        value: str,
        built_in: tuple[BuiltIn, ...],
        default_title: str,
        question: str,
        traits: Trait = Trait.NONE,
        comment_label: str = "Comment",
    ) -> "TaskType":
        member = str.__new__(cls, value)
        member._value_ = value
        # One shared tuple, because msgspec omits a default only if it is the same object, and plans are stored by the
        # digest of their encoding.
        member.outcomes = tuple(outcome.name for outcome in built_in)
        member.built_in, member.default_title, member.question = built_in, default_title, question
        member.traits, member.comment_label = traits, comment_label
        return member

    APPROVAL = (
        "approval", (_APPROVED, _REJECTED), "Approval required", "Approve or reject", Trait.CONSENT | Trait.ONE_PRESS,
    )  # fmt: skip
    REVIEW = "review", (_APPROVED, _CHANGES, _REJECTED), "Review required", "Review", Trait.CONSENT
    CONFIRMATION = (
        "confirmation", (_CONFIRMED, _DENIED), "Confirmation required", "Confirm or deny",
        Trait.CONSENT | Trait.ONE_PRESS,
    )  # fmt: skip
    FORM = "form", (_SUBMITTED,), "Form to fill in", "Fill in a form", Trait.INPUT
    CLARIFICATION = (
        "clarification", (_PROVIDED, _DECLINED), "Clarification needed", "Answer a question",
        Trait.INPUT | Trait.COMMENT, "In your words",
    )  # fmt: skip
    ASSIGNMENT = "assignment", (_ASSIGNED, _DECLINED), "Assignment needed", "Assign", Trait.INPUT
    MANUAL_ACTION = (
        "manual_action", (_COMPLETED, _FAILED), "Manual action required", "Do, then confirm", Trait.EVIDENCE,
    )  # fmt: skip
    OVERRIDE = (
        "override", (_EXCEPTION, _REJECTED), "Override requested", "Allow or refuse an exception",
        Trait.CONSENT | Trait.COMMENT, "Justification",
    )  # fmt: skip


BUILT_IN: Final = {outcome.name: outcome for kind in TaskType for outcome in kind.built_in}
# How a workflow defines the meaning of a custom outcome.
MEANS: Final = {"approve": Meaning.APPROVES, "reject": Meaning.REJECTS, "changes": Meaning.REQUESTS_CHANGES}


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may decide at this stage, and how many distinct people are needed.

    approvers: person ids, e-mail addresses, ``team:NAME`` or ``role:NAME``; empty means every person with an
    approving role. every: whether each entry has to approve, with a different person; otherwise ``need`` people of
    any entries have to. added: the entries that escalation adds to an open stage; a plan has none.
    """

    approvers: tuple[str, ...] = ()
    need: int = 1
    reject_after: int = 1
    every: bool = False
    added: frozenset[str] = frozenset()

    @property
    def votes_needed(self) -> int:
        """How many different people have to approve."""
        return max(self.need, len(self.approvers)) if self.every else self.need


class Strength(StrEnum):
    """The assurance of an answer, weakest first. Chat and keys (through the API, in scripts, on the command line) count
    as a link, because anyone who can read a person's files has their key.
    """

    LINK = "link"
    SESSION = "session"
    STEP_UP = "step_up"


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def least_strength(risk: Risk) -> Strength:
    """The minimum assurance for a decision at this risk."""
    return Strength.LINK if risk in (Risk.LOW, Risk.MEDIUM) else Strength.SESSION


class Fallback(StrEnum):
    """What follows expiry. In every case the task is recorded as expired."""

    EXPIRE = "expire"
    REJECT = "reject"
    OUTCOME = "outcome"


class Edits(StrEnum):
    """What an approver may do with a change to the request: propose it, so that others decide, or approve it while
    making it.
    """

    PROPOSE = "propose"
    APPROVE = "approve"


class Escalation(msgspec.Struct, frozen=True, omit_defaults=True):
    """If nobody decides within ``after``, the approvers ``to`` are notified and may decide too."""

    after: timedelta
    to: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer that a task allows: its name, its meaning, the label of its button, and the step that it leads to
    (``goto``, "" if it leads where every answer with that meaning does). ``success``: whether the intent may complete
    on that route, although this outcome does not approve.
    """

    name: str
    meaning: Meaning = msgspec.field(name="sign")
    label: str = ""
    goto: str = ""
    success: bool = False


class TaskSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """The spec of a task, frozen with the plan. ``outcomes``: the allowed answers; ``own``: the custom ones that the
    workflow defines. ``policy``: the name and version of its policy (``prod-change@3``), if it has one; ``because``:
    why that policy was chosen, if there was a choice. ``pinned_members``: the members of each team and role at that
    time;
    people who join or leave later may not decide.
    """

    type: TaskType = TaskType.APPROVAL
    # Must not be the same object as the title of approvals, which plans have always encoded (see ``outcomes``).
    title: str = " ".join(("Approval", "required"))
    description: str = ""
    outcomes: tuple[str, ...] = TaskType.APPROVAL.outcomes
    comment_required: bool = False
    evidence_required: bool = False
    form: dict[str, Any] | None = None
    stages: tuple[Stage, ...] = (Stage(),)
    notify: tuple[str, ...] = ()
    remind: Reminders | None = None
    escalate: tuple[Escalation, ...] = ()
    holder: str = ""
    policy: str = ""
    because: str = ""
    self_approval: bool | None = None
    hours: Hours | None = None
    deadline_in_hours: bool = False
    fallback: Fallback = Fallback.EXPIRE
    fallback_outcome: str = ""
    strength: Strength = Strength.LINK
    risk: Risk = Risk.MEDIUM
    pinned_members: dict[str, tuple[str, ...]] = msgspec.field(default={}, name="roster")
    own: tuple[Outcome, ...] = ()
    edits: Edits = Edits.PROPOSE
    digest: timedelta | None = None

    def outcome(self, word: str) -> Outcome:
        """The meaning of an outcome in this task: as the workflow defines it, or else the built-in one."""
        return next((one for one in self.own if one.name == word), None) or Outcome(word, meaning_of(word))

    @property
    def asks_for_a_yes(self) -> bool:
        """Whether the form has a field that approves or rejects. Such a task can be rejected, no matter what its
        outcomes are.
        """
        asked = (self.form or {}).get("properties", {})
        return "approved" in asked or "acknowledged" in asked

    def meaning(self, word: str) -> Meaning:
        return self.outcome(word).meaning if self.own else meaning_of(word)

    def open_to(self, agreed: str) -> tuple[str, ...]:
        """The outcomes that are possible now. ``agreed``: the approving outcome that an earlier stage chose; a later
        stage cannot give a different one.
        """
        if not agreed:
            return self.outcomes
        return tuple(w for w in self.outcomes if w == agreed or self.meaning(w) is not Meaning.APPROVES)

    def outcomes_meaning(self, meaning: Meaning) -> tuple[str, ...]:
        """The outcomes with this meaning, in order."""
        return tuple(word for word in self.outcomes if self.meaning(word) is meaning)


class Vote(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One person's answer. ``person``: who answered; ``principal``: on whose behalf, if for another person;
    ``for_names``: the approver entries of the stage for which it counts; ``number``: the number of their answer at
    this stage; ``replaced``: the outcomes of earlier ones, in order. ``behind``: the other people who have the key
    that was used.
    """

    person: str
    outcome: str
    meaning: Meaning = msgspec.field(name="sign")
    at_stage: int = 0
    data: dict[str, Any] | None = None
    comment: str | None = None
    principal: str = ""
    for_names: frozenset[str] = frozenset()
    number: int = 0
    replaced: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


def meaning_of(word: str) -> Meaning:
    """The meaning of a built-in outcome. An undefined outcome never approves."""
    known = BUILT_IN.get(word)
    return known.meaning if known is not None else Meaning.REJECTS


def expiry_approves(spec: TaskSpec) -> bool:
    """Whether the policy counts an expiry as approved."""
    return spec.fallback is Fallback.OUTCOME and spec.meaning(spec.fallback_outcome) is Meaning.APPROVES
