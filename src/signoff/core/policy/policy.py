"""A policy: who decides and how. It is named in the workspace, or written in a workflow's step.

Nothing in it is guessed: an unknown field is refused by name, and so is one that could never have an effect. What each
field means is defined in ``fields``.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from signoff.core.directory.approver_names import Approvers
from signoff.core.errors import Invalid
from signoff.core.plan.answers import could_mean_yes
from signoff.core.plan.hours_reader import HoursSource
from signoff.core.plan.ineffective import of_rules
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.schedules import MAX_REMINDERS, Reminders
from signoff.core.plan.task_types import (
    Edits,
    Escalation,
    Fallback,
    Meaning,
    Risk,
    Stage,
    Strength,
    TaskSpec,
    least_strength,
    meaning_of,
)
from signoff.core.plan.working_hours import Hours
from signoff.core.text.describe import kind_of, printable, suggestion
from signoff.core.text.document_reader import Fields
from signoff.core.text.durations import format_duration
from signoff.core.text.struct_reader import DocumentStruct, read_struct, reads

MAX_STAGES: Final = 10
MAX_ESCALATION_LEVELS: Final = 20
_STAGE: Final = "{any: [team:dba]}"  # an example, for errors
People = Annotated[int, Meta(ge=1, le=100)]


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A compiled policy. ``goto``: the step to continue with after expiry, in a workflow that has it; ``goto_as``:
    ``success`` if that may complete the request.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    self_approval: bool | None = None
    remind: Reminders | None = None
    escalate: tuple[Escalation, ...] = ()
    deadline: timedelta | None = None
    deadline_in_hours: bool = False
    fallback: Fallback = Fallback.EXPIRE
    fallback_outcome: str = ""
    goto: str = ""
    hours: Hours | None = None
    strength: Strength = Strength.LINK
    risk: Risk = Risk.MEDIUM
    goto_as: str = ""
    edits: Edits = Edits.PROPOSE
    digest: timedelta | None = None

    @property
    def approves_on_expiry(self) -> bool:
        """Whether expiry counts, or may count, as an approval even though nobody gave one."""
        return self.fallback is Fallback.OUTCOME and could_mean_yes(self.fallback_outcome)


class StageSource(DocumentStruct, frozen=True, kw_only=True):
    any: Approvers = ()
    all: Approvers = ()
    need: People = 1
    reject_after: People = 1

    def check(self, fields: Fields) -> None:
        if fields.has("any") and fields.has("all"):
            raise fields.invalid(
                "all", "cannot be combined with any", hint="One of them: any of these, or each of these."
            )
        for name in ("any", "all"):
            if fields.has(name) and not getattr(self, name):
                raise fields.invalid(name, "names nobody")
        written = fields.value.get("all")
        if isinstance(written, list) and len(written) > len(self.all) and not fields.kept:
            hint = "For two different people of one team: {any: [team:dba], need: 2}."
            raise fields.invalid("all", "contains an entry twice", hint=hint)
        if not fields.value and not fields.kept:
            raise Invalid(
                "invalid_field",
                f"{fields.path}: names nobody.",
                field=fields.path,
                hint=f"For example: {_STAGE}.",
            )
        if fields.has("all") and fields.has("need"):
            raise fields.invalid("need", "has no effect with all, which needs one person from each")


def read_stages(fields: Fields, name: str) -> tuple[Stage, ...]:
    """Read one stage, or a list of stages in order."""
    stages = _one_or_more(fields, name, StageSource, MAX_STAGES, example=_STAGE)
    if not stages:
        raise fields.invalid(name, "contains no stage", hint=f"For example: approve: [{_STAGE}].")
    return tuple(Stage(one.any or one.all, one.need, one.reject_after, bool(one.all)) for one in stages)


class RemindSource(DocumentStruct, frozen=True, kw_only=True):
    after: timedelta
    every: timedelta | None = None
    at_most: Annotated[int, Meta(ge=1, le=MAX_REMINDERS)] = 3

    def check(self, fields: Fields) -> None:
        if self.at_most == 1:
            fields.refuse_idle("every", "at_most: 1 sends a single reminder", "Omit every, or raise at_most.")


def read_reminders(fields: Fields, name: str) -> Reminders | None:
    """``remind: 5m`` or ``remind: {after, every, at_most}``."""
    if isinstance(fields.value[name], dict):
        source = read_struct(RemindSource, fields.need_inner(name))
        return Reminders(source.after, source.every or source.after, source.at_most)
    after = fields.duration(name)
    return Reminders(after, after) if after else None


class EscalationSource(DocumentStruct, frozen=True, kw_only=True):
    after: timedelta
    to: Approvers


def read_escalation(fields: Fields, name: str) -> tuple[Escalation, ...]:
    """``escalate: [{after, to}, ...]``, or a single level; each level must be later than the previous one."""
    levels = _one_or_more(
        fields, name, EscalationSource, MAX_ESCALATION_LEVELS, example="{after: 2h, to: [team:platform]}"
    )
    for number, (before, level) in enumerate(pairwise(levels), start=1):
        if level.after <= before.after:
            raise fields.invalid(f"{name}[{number}].after", "must be later than the one before")
    return tuple(Escalation(level.after, level.to) for level in levels)


class GotoSource(DocumentStruct, frozen=True, kw_only=True):
    """A step to continue with. With ``as: success`` the request may complete that way; otherwise it fails unless
    somebody approves.
    """

    goto: Annotated[str, Meta(max_length=100)]
    counts_as: Literal["success"] | None = msgspec.field(name="as", default=None)


def read_route(fields: Fields, name: str) -> GotoSource | None:
    """A step's name, or ``{goto: STEP, as: success}``."""
    if isinstance(fields.value[name], dict):
        return read_struct(GotoSource, fields.need_inner(name))
    target = fields.text(name, longest=100)
    return GotoSource(goto=target) if target else None


RouteField = Annotated[GotoSource, reads(read_route, str | GotoSource)]
Remind = Annotated[Reminders, reads(read_reminders, timedelta | RemindSource)]
Escalate = Annotated[
    tuple[Escalation, ...],
    reads(
        read_escalation,
        EscalationSource | Annotated[tuple[EscalationSource, ...], Meta(max_length=MAX_ESCALATION_LEVELS)],
    ),
]


class OnTimeout(msgspec.Struct, frozen=True):
    """What follows expiry: a fallback with its outcome, or a step to continue with."""

    fallback: Fallback = Fallback.EXPIRE
    outcome: str = ""
    route: GotoSource = GotoSource(goto="")


def read_on_timeout(fields: Fields, name: str) -> OnTimeout:
    """``expire``, ``reject``, ``goto:STEP``, ``outcome:OUTCOME`` or ``{goto: STEP, as: success}``."""
    if isinstance(fields.value[name], dict):
        return OnTimeout(route=read_struct(GotoSource, fields.need_inner(name)))
    word = fields.text(name, longest=200)
    kind, _, target = (part.strip() for part in word.partition(":"))
    if word in ("", Fallback.EXPIRE, Fallback.REJECT):
        return OnTimeout(Fallback(word or Fallback.EXPIRE))
    if kind == "goto" and target:
        return OnTimeout(route=GotoSource(goto=target))
    if kind == "outcome" and target:
        return OnTimeout(Fallback.OUTCOME, target)
    hint = suggestion(word, ("expire", "reject")) or "Use expire, reject, goto:STEP, outcome:OUTCOME."
    raise fields.invalid(name, f"{printable(word)!r} is not a fallback", hint=hint)


class PolicyHoursSource(HoursSource, frozen=True, kw_only=True):
    deadline: bool = False


class PolicySource(DocumentStruct, frozen=True, kw_only=True):
    """A policy as written."""

    approve: Annotated[
        tuple[Stage, ...],
        reads(read_stages, StageSource | Annotated[tuple[StageSource, ...], Meta(max_length=MAX_STAGES)]),
    ] = (Stage(),)
    self_approval: bool | None = None
    remind: Remind | None = None
    escalate: Escalate = ()
    deadline: timedelta | None = None
    on_timeout: Annotated[OnTimeout, reads(read_on_timeout, str | GotoSource)] = OnTimeout()
    hours: PolicyHoursSource | None = None
    strength: Strength | None = None
    risk: Risk = Risk.MEDIUM
    edits: Edits = Edits.PROPOSE
    digest: timedelta | None = None

    def check(self, fields: Fields) -> None:
        refuse_too_late(fields, self.remind, self.escalate, self.deadline)
        if self.on_timeout != OnTimeout() and self.deadline is None:
            hint = "Add deadline: 8h."
            raise fields.invalid("on_timeout", "never happens, because there is no deadline", hint=hint)
        if self.deadline is None:
            fields.refuse_idle("on_timeout", "the policy has no deadline", "Add deadline: 8h, or omit it.")
        if self.on_timeout.fallback is Fallback.OUTCOME:
            # The meaning of a custom outcome is known and checked only when the policy is applied to its step.
            refuse_fallback(meaning_of(self.on_timeout.outcome), self.risk, fields.at("on_timeout"))
        if self.digest is not None and self.risk is not Risk.LOW:
            problem = f"has no effect, because the risk is {self.risk.value} and only low-risk tasks go into a roundup"
            raise fields.invalid("digest", problem, hint="Write risk: low, or omit digest.")
        refuse_digest(fields, self.digest)
        if self.strength is Strength.STEP_UP:
            raise fields.invalid(
                "strength",
                "second factors are not supported yet, so nobody could decide",
                code="not_supported",
                hint="Use session: the strongest available until people can register a second factor.",
            )
        if self.strength is Strength.LINK and least_strength(self.risk) is not Strength.LINK:
            problem = f"a link is not sufficient if the risk is {self.risk.value}"
            raise fields.invalid("strength", problem, hint="Use session.")


def refuse_digest(fields: Fields, window: timedelta | None) -> None:
    """Raise Invalid for a window that is too short to collect anything, or so long that a task would arrive too
    late.
    """
    if window is not None and not fields.kept and not timedelta(minutes=2) <= window <= timedelta(days=1):
        problem = "is not between two minutes and a day"
        raise fields.invalid("digest", problem, code="invalid_duration", hint='Write "15m", or omit it.')


def _one_or_more(fields: Fields, name: str, kind: type[Any], most: int, *, example: str) -> tuple[Any, ...]:
    """The structs of a list of objects; a single object counts as a list of one. ``example``: for the errors."""
    if isinstance(fields.value[name], dict):
        return (read_struct(kind, fields.need_inner(name)),)
    listed = list(enumerate(fields.each(name, most=most, example=example)))
    for index, item in listed:
        if not isinstance(item, dict):
            hint = f"For example: {name}: [{example}]."
            raise fields.invalid(f"{name}[{index}]", f"must be an object, not {kind_of(item)}", hint=hint)
    return tuple(read_struct(kind, fields.item(name, index, item)) for index, item in listed)


def refuse_too_late(
    fields: Fields, remind: Reminders | None, escalate: tuple[Escalation, ...], deadline: timedelta | None
) -> None:
    """Raise Invalid for a reminder or an escalation after the step's deadline."""
    due = [("remind", remind.after)] if remind else []
    due += [("escalate", level.after) for level in escalate]
    for number, (name, after) in enumerate(due, -1 if remind else 0):
        if deadline is not None and after >= deadline:
            written = fields.value[name]
            place = f"{name}[{number}]" if isinstance(written, list) else name
            place = f"{place}.after" if isinstance(written, dict | list) else place
            message = (
                f"is never reached, because the step's deadline is {format_duration(deadline, exact=True)}"
            )
            hint = "Make it shorter, or the deadline longer."
            raise fields.invalid(place, message, hint=hint, code="never_due")


def refuse_idle(policy: Policy, path: str) -> None:
    """Raise Invalid for a field without effect in the policy itself, for any step that it is applied to."""
    # A step may have its own deadline.
    later = policy.deadline or (timedelta.max if policy.deadline_in_hours else None)
    for one in of_rules(
        path, policy.remind, policy.escalate, policy.hours, deadline=later, in_hours=policy.deadline_in_hours
    ):
        raise one.refusal


def applied(step: HumanStep, policy: Policy, name: str, path: str) -> HumanStep:
    """The step under the policy; ``name`` is stored with it. The step's own deadline and route stay; defaults
    from a previous policy are dropped.
    """
    step = step.without_policy_defaults
    if step.on_timeout is not None and policy.fallback is not Fallback.EXPIRE:
        raise Invalid(
            "two_fallbacks",
            f"{path}: set in both the step and its policy.",
            field=path,
            hint="Remove on_timeout from one of them.",
        )
    if policy.fallback is Fallback.OUTCOME and policy.fallback_outcome not in step.task.outcomes:
        allowed = ", ".join(step.task.outcomes)
        raise Invalid(
            "outcome_not_allowed",
            f"{path}: on_timeout: {policy.fallback_outcome!r} is not an outcome of this task.",
            field=path,
            hint=f"Allowed: {allowed}.",
        )
    if policy.fallback is Fallback.OUTCOME:
        refuse_fallback(step.task.meaning(policy.fallback_outcome), policy.risk, path)
    of_policy = {field: getattr(policy, field) for field in TASK_FIELDS}
    filled: dict[str, Any] = {}
    if policy.deadline and step.deadline is None:
        filled["deadline"] = policy.deadline
    if policy.goto and step.on_timeout is None:
        filled |= {"on_timeout": policy.goto} | ({"on_timeout_as": policy.goto_as} if policy.goto_as else {})
    task = replace(step.task, policy=name, **of_policy)
    return replace(step, task=task, **filled, from_policy=tuple(filled) if name else ())


# The fields that a task takes from its policy unchanged; deadline and goto belong to its step.
TASK_FIELDS: Final = tuple(name for name in Policy.__struct_fields__ if name in TaskSpec.__struct_fields__)


def refuse_fallback(meaning: Meaning, risk: Risk, path: str) -> None:
    """Raise Invalid if expiry would do what only people can do, or what requires a low risk."""
    if meaning is Meaning.REQUESTS_CHANGES:
        problem, hint = "an expired task cannot request changes", "Use expire, reject or goto:STEP."
    elif meaning is Meaning.APPROVES and risk is not Risk.LOW:
        problem = "an unanswered task may count as approved only if the risk is low"
        hint = "Use expire or reject; or set risk: low, if the workspace allows it."
    else:
        return
    raise Invalid("invalid_field", f"{path}: {problem}.", field=path, hint=hint)
