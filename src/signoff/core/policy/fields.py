"""The fields of a policy, each declared once: how it is compiled, when a change of it relaxes who decides, how it is
merged with what a request asks for, what it says in words. Everything that goes through a policy field by field folds
over ``FIELDS``; a new field is a field of ``PolicySource`` and a row here.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from signoff.core.directory.roles import DECIDING_PARTIES
from signoff.core.plan.hours_reader import hours_text
from signoff.core.plan.task_types import (
    BUILT_IN,
    Fallback,
    Risk,
    Sign,
    Stage,
    Strength,
    TaskSpec,
    least_strength,
    meaning_of,
)
from signoff.core.plan.wording import PROOFS
from signoff.core.policy.policy import Policy, PolicySource
from signoff.core.text.document_reader import Fields, document
from signoff.core.text.durations import format_duration
from signoff.core.text.struct_reader import read_struct

_STRENGTHS: Final = tuple(Strength)
_RISKS: Final = tuple(Risk)


class Asked(NamedTuple):
    """What a request says of itself that a policy also says: in its task, and the step's deadline."""

    task: TaskSpec
    deadline: timedelta | None


class Clause(NamedTuple):
    """One thing that a policy says, in words."""

    about: str
    text: str


class Names(Protocol):
    """What the words of a policy need to know of the workspace."""

    self_approval: bool

    def approvers(self, names: Iterable[str]) -> str:
        """The people that approver names mean, as a person reads it."""

    def anyone(self) -> str:
        """Those who may decide where nobody is named."""


class PolicyField(NamedTuple):
    """One field. ``sets``: the attributes of ``Policy`` that it fills. ``compiled``: their values. ``relaxed``: in what
    the later policy could let through what the earlier would not. ``merged``: the stricter of what a request asks for
    and the policy, as fields of its task (and ``deadline``). ``clauses``: the policy in words. ``stricter``: which
    direction that is, for the reference.
    """

    name: str
    sets: tuple[str, ...]
    compiled: Callable[[PolicySource], dict[str, Any]]
    relaxed: Callable[[Policy, Policy], list[str]]
    merged: Callable[[Asked, Policy], dict[str, Any]]
    clauses: Callable[[Policy, Names], list[Clause]]
    stricter: str


def compile_policy(source: object, path: str = "") -> Policy:
    """Compile a policy (a JSON-able dict) that was taken before and stands at ``path``; raises Invalid naming the
    field, with a hint.
    """
    return read_policy(document(source, kept=True).moved(path))


def read_policy(fields: Fields) -> Policy:
    """The policy that an object of a document holds."""
    source = read_struct(PolicySource, fields)
    found: dict[str, Any] = {}
    for field in FIELDS:
        found |= field.compiled(source)
    return Policy(**found)


def why_relaxed(before: Policy, after: Policy) -> list[str]:
    """In what the later policy could let through what the earlier one would not, in plain words. Whatever is not
    plainly as strict as before, or stricter, does. What waits for people is never touched by a change; this is about
    what will be asked from then on.
    """
    return [why for field in FIELDS for why in field.relaxed(before, after)]


def is_relaxed(before: Policy, after: Policy) -> bool:
    """Whether the later policy could let through what the earlier one would not."""
    return bool(why_relaxed(before, after))


def merge_stricter(asked: Asked, policy: Policy) -> dict[str, Any]:
    """The fields of a request's task (and ``deadline``) under a policy: of both the stricter."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        found |= field.merged(asked, policy)
    return found


def clauses(policy: Policy, names: Names) -> tuple[Clause, ...]:
    """All that a policy says, in the order in which it matters."""
    return tuple(clause for field in FIELDS for clause in field.clauses(policy, names))


# -- approve


def _fewer_approvals(before: Policy, after: Policy) -> list[str]:
    found = []
    if len(after.stages) < len(before.stages):
        found.append(f"it takes {len(after.stages)} of what were {len(before.stages)} stages")
    for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=False), start=1):
        found += [f"stage {number} {why}" for why in _why_less(old, new)]
    return found


def _why_less(before: Stage, after: Stage) -> list[str]:
    found = []
    if after.need < before.need:
        found.append(f"takes {after.need} instead of {before.need}")
    if after.reject_after > before.reject_after:
        found.append(f"ends after {after.reject_after} rejections instead of {before.reject_after}")
    return found or ([] if _no_wider(before, after) else ["may be decided by others than before"])


def _no_wider(before: Stage, after: Stage) -> bool:
    was, will = (set(stage.approvers or DECIDING_PARTIES) for stage in (before, after))
    if before.every or after.every:  # each of them: fewer names are fewer people
        return before.every == after.every and will == was
    return will <= was  # a team may hold people who have no approving role


def _merged_stages(asked: Asked, policy: Policy) -> dict[str, Any]:
    """The policy's; where the request wants more people, or fewer rejections, it gets that. One rejection is what a
    request has that says nothing.
    """
    own = (*asked.task.stages, *(Stage() for _ in policy.stages))
    return {
        "stages": tuple(
            Stage(
                stage.approvers,
                max(stage.need, wanted.need),
                min(stage.reject_after, wanted.reject_after)
                if wanted.reject_after > 1
                else stage.reject_after,
                stage.every,
            )
            for stage, wanted in zip(policy.stages, own, strict=False)
        )
    }


def stage_text(stage: Stage, names: Names) -> str:
    """``2 different people of team dba (Ann, Emma, Otto)``."""
    count = stage.votes_needed
    who = names.approvers(stage.approvers) if stage.approvers else f"anyone who may approve: {names.anyone()}"
    if stage.every and count > 1:
        text = f"one person of each, a different one each: {who}"
    elif count > 1:
        text = f"{count} different people of {who}"
    else:
        text = f"one yes, of {who}"
    return text + (f"; {stage.reject_after} rejections end it" if stage.reject_after > 1 else "")


def _stage_clauses(policy: Policy, names: Names) -> list[Clause]:
    several = len(policy.stages) > 1
    return [
        Clause(f"Stage {number}" if several else "Who decides", stage_text(stage, names))
        for number, stage in enumerate(policy.stages, 1)
    ]


# -- self_approval


def _self_approval_relaxed(before: Policy, after: Policy) -> list[str]:
    if after.self_approval in (before.self_approval, False):
        return []
    return ["the requester may decide it"]


def _self_approval_clauses(policy: Policy, names: Names) -> list[Clause]:
    allowed = names.self_approval if policy.self_approval is None else policy.self_approval
    by = "this policy" if policy.self_approval is not None else "the workspace"
    text = (
        f"allowed by {by}: the requester may decide, and the record says so"
        if allowed
        else f"barred by {by}: nobody on the requester's side counts"
    )
    return [Clause("Own requests", text)]


# -- remind


def _remind_clauses(policy: Policy, names: Names) -> list[Clause]:
    if policy.remind is None:
        return []
    remind = policy.remind
    again = f", then every {format_duration(remind.every, exact=True)}" if remind.at_most > 1 else ""
    return [
        Clause(
            "Reminders", f"after {format_duration(remind.after, exact=True)}{again}, at most {remind.at_most}"
        )
    ]


# -- escalate


def _escalation_relaxed(before: Policy, after: Policy) -> list[str]:
    """No level may reach anybody whom no level, or a later one, reached before."""
    reached: dict[str, timedelta] = {}
    for level in before.escalate:
        for name in level.to:
            reached.setdefault(name, level.after)
    as_strict = all(
        name in reached and level.after >= reached[name] for level in after.escalate for name in level.to
    )
    return [] if as_strict else ["its escalation reaches others than before, or the same earlier"]


def _escalation_clauses(policy: Policy, names: Names) -> list[Clause]:
    return [
        Clause(
            f"After {format_duration(level.after, exact=True)}",
            f"{names.approvers(level.to)} may decide too, and hear of it",
        )
        for level in policy.escalate
    ]


# -- deadline


def _deadline_relaxed(before: Policy, after: Policy) -> list[str]:
    if before.deadline is not None and (after.deadline is None or after.deadline > before.deadline):
        return ["there is more time for a yes"]
    if _same_yes_on_expiry(before, after) and after.deadline != before.deadline:
        return ["there is less time for a no before silence counts as a yes"]
    return []


def _merged_deadline(asked: Asked, policy: Policy) -> timedelta | None:
    return min((span for span in (asked.deadline, policy.deadline) if span is not None), default=None)


# -- on_timeout


def _fallback_of(policy: Policy) -> tuple[Fallback, str, str]:
    return policy.fallback, policy.fallback_outcome, policy.goto


def _same_yes_on_expiry(before: Policy, after: Policy) -> bool:
    return after.approves_on_expiry and _fallback_of(before) == _fallback_of(after)


def _fallback_relaxed(before: Policy, after: Policy) -> list[str]:
    same = _fallback_of(before) == _fallback_of(after)
    if after.goto_as and not (before.goto_as and same):
        return [f"what nobody decided counts as a success, by way of step {after.goto}"]
    if same or (after.fallback is not Fallback.OUTCOME and not after.goto):
        return []
    return ["silence leads elsewhere"]


def _merged_fallback(asked: Asked, policy: Policy) -> dict[str, Any]:
    """As the policy says, unless that is a yes and anything of the request speaks against it."""
    fallback, outcome = _merged_silence(asked.task, policy, _merged_deadline(asked, policy))
    return {"fallback": fallback, "fallback_outcome": outcome}


def _merged_silence(task: TaskSpec, policy: Policy, deadline: timedelta | None) -> tuple[Fallback, str]:
    outcome = policy.fallback_outcome
    if policy.fallback is not Fallback.OUTCOME:
        return policy.fallback, ""
    if task.sign(outcome) is not Sign.POSITIVE:
        return (Fallback.OUTCOME, outcome) if outcome in task.outcomes else (Fallback.REJECT, "")
    refused = task.fallback is Fallback.REJECT or (
        task.fallback is Fallback.OUTCOME and task.sign(task.fallback_outcome) is not Sign.POSITIVE
    )
    sooner, riskier = deadline != policy.deadline, _merged_risk(task, policy) is not policy.risk
    if refused or sooner or riskier or outcome not in task.outcomes:
        return (Fallback.REJECT if refused else Fallback.EXPIRE), ""
    return Fallback.OUTCOME, outcome


def _fallback_clauses(policy: Policy, names: Names) -> list[Clause]:
    return [Clause("On silence", _silence_text(policy))]


def _silence_text(policy: Policy) -> str:
    if policy.deadline is None:
        return "nothing happens: the task stays open"
    after = f"after {format_duration(policy.deadline, exact=True)} the task expires"
    if policy.goto:
        end = (
            ", which counts as a success"
            if policy.goto_as
            else " and then fails, unless somebody approves there"
        )
        return f"{after} and the request goes on with step {policy.goto}{end}; nothing is approved"
    if policy.fallback is Fallback.EXPIRE:
        return f"{after}; nothing is approved"
    outcome = policy.fallback_outcome or "rejected"
    if meaning_of(outcome) is Sign.POSITIVE:
        return f"{after} and the request goes on as {outcome}, because its risk is low"
    if outcome not in BUILT_IN:
        return f"{after} and the request goes on as {outcome}, as its workflow defines that"
    return f"{after} and counts as {outcome}; nothing is approved"


# -- hours


def _compiled_hours(source: PolicySource) -> dict[str, Any]:
    hours = source.hours
    return {"hours": hours.hours, "deadline_in_hours": hours.deadline} if hours else {}


def _hours_relaxed(before: Policy, after: Policy) -> list[str]:
    moved = after.hours != before.hours
    found = []
    if after.escalate and moved:
        found.append("its escalation may come earlier: it counts other hours")
    if before.deadline is not None and after.deadline_in_hours and (moved or not before.deadline_in_hours):
        found.append("its deadline stands still in other hours, so there is more time for a yes")
    elif _same_yes_on_expiry(before, after) and (
        moved or after.deadline_in_hours != before.deadline_in_hours
    ):
        found.append("silence counts as a yes at another time")
    return found


def _hours_clauses(policy: Policy, names: Names) -> list[Clause]:
    if policy.hours is None:
        return []
    paused = (
        "reminders, escalation and the deadline" if policy.deadline_in_hours else "reminders and escalation"
    )
    return [Clause("Hours", f"{hours_text(policy.hours)}; outside them {paused} stand still")]


# -- strength, risk


def _strength_relaxed(before: Policy, after: Policy) -> list[str]:
    if _STRENGTHS.index(after.strength) >= _STRENGTHS.index(before.strength):
        return []
    return [f"a weaker sign-in is enough: {after.strength.value}, not {before.strength.value}"]


def _merged_strength(asked: Asked, policy: Policy) -> Strength:
    least = least_strength(_merged_risk(asked.task, policy))
    return max(policy.strength, asked.task.strength, least, key=_STRENGTHS.index)


def _risk_relaxed(before: Policy, after: Policy) -> list[str]:
    if _RISKS.index(after.risk) >= _RISKS.index(before.risk):
        return []
    return [f"it counts as {after.risk.value} risk, not {before.risk.value}"]


def _merged_risk(task: TaskSpec, policy: Policy) -> Risk:
    return policy.risk if task.risk is Risk.MEDIUM else max(policy.risk, task.risk, key=_RISKS.index)


def _nothing(before: Policy, after: Policy) -> list[str]:
    return []


def _unsaid(policy: Policy, names: Names) -> list[Clause]:
    return []


FIELDS: Final = (
    PolicyField(
        "approve", ("stages",), lambda source: {"stages": source.approve},
        _fewer_approvals, _merged_stages, _stage_clauses,
        "more stages; of each stage fewer names, a higher `need`, a lower `reject_after`",
    ),
    PolicyField(
        "self_approval", ("self_approval",), lambda source: {"self_approval": source.self_approval},
        _self_approval_relaxed,
        lambda asked, policy: {"self_approval": False if asked.task.self_approval is False else policy.self_approval},
        _self_approval_clauses,
        "`false`",
    ),
    PolicyField(
        "remind", ("remind",), lambda source: {"remind": source.remind},
        _nothing, lambda asked, policy: {"remind": policy.remind or asked.task.remind}, _remind_clauses,
        "neither: a reminder decides nothing",
    ),
    PolicyField(
        "escalate", ("escalate",), lambda source: {"escalate": source.escalate},
        _escalation_relaxed, lambda asked, policy: {"escalate": policy.escalate}, _escalation_clauses,
        "fewer names, or later",
    ),
    PolicyField(
        "deadline", ("deadline",), lambda source: {"deadline": source.deadline},
        _deadline_relaxed, lambda asked, policy: {"deadline": _merged_deadline(asked, policy)}, _unsaid,
        "shorter; where silence counts as a yes, the same",
    ),
    PolicyField(
        "on_timeout", ("fallback", "fallback_outcome", "goto", "goto_as"),
        lambda source: {
            "fallback": source.on_timeout.fallback, "fallback_outcome": source.on_timeout.outcome,
            "goto": source.on_timeout.route.goto, "goto_as": source.on_timeout.route.counts_as or "",
        },
        _fallback_relaxed, _merged_fallback, _fallback_clauses,
        "`expire` or `reject`",
    ),
    PolicyField(
        "hours", ("hours", "deadline_in_hours"), _compiled_hours,
        _hours_relaxed,
        lambda asked, policy: {"hours": policy.hours, "deadline_in_hours": policy.deadline_in_hours},
        _hours_clauses,
        "the same, where an escalation or a deadline is counted in them",
    ),
    PolicyField(
        "strength", ("strength",), lambda source: {"strength": source.strength or least_strength(source.risk)},
        _strength_relaxed, lambda asked, policy: {"strength": _merged_strength(asked, policy)},
        lambda policy, names: [Clause("Proof", PROOFS[policy.strength])],
        "stronger",
    ),
    PolicyField(
        "risk", ("risk",), lambda source: {"risk": source.risk},
        _risk_relaxed, lambda asked, policy: {"risk": _merged_risk(asked.task, policy)}, _unsaid,
        "higher",
    ),
)  # fmt: skip
