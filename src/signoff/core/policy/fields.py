"""The fields of a policy. Each is declared once: how it is compiled, when a change to it relaxes the rules on who
decides, how it is merged with a request's value, and its text. Everything that processes a policy field by field uses
``FIELDS``; a new field needs a field of ``PolicySource`` and a row here.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from msgspec.structs import replace

from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.plan.hours_reader import hours_text
from signoff.core.plan.task_types import (
    BUILT_IN,
    Edits,
    Fallback,
    Meaning,
    Risk,
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


class RequestSettings(NamedTuple):
    """The values of a request for fields that a policy also has: those of its task, and the step's deadline."""

    task: TaskSpec
    deadline: timedelta | None


class Clause(NamedTuple):
    """One sentence about a policy."""

    about: str
    text: str


class DirectoryNames(Protocol):
    """The names that the description of a policy needs from the workspace."""

    self_approval: bool

    def approvers(self, names: Iterable[str]) -> str:
        """The people whom approver names mean, as text."""

    def anyone(self) -> str:
        """The default approvers, as text."""


class PolicyField:
    """One field of a policy. ``name``: its name in documents; ``sets``: the attributes of ``Policy`` that it fills;
    ``stricter``: which direction is stricter, for the reference.
    """

    name: str
    sets: tuple[str, ...]
    stricter: str

    def compiled(self, source: PolicySource) -> dict[str, Any]:
        """The attributes of ``Policy`` that this field sets."""
        return {self.sets[0]: getattr(source, self.name)}

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        """How the later policy relaxes the earlier one in this field, as text."""
        return []

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        """The stricter of the request's and the policy's value, as fields of the task (and ``deadline``)."""
        return {name: getattr(policy, name) for name in self.sets}

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        """The sentences about this field of the policy."""
        return []


class Approve(PolicyField):
    name, sets = "approve", ("stages",)
    stricter = "more stages; in each stage fewer approvers, a higher `need`, a lower `reject_after`"

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        found = []
        if len(after.stages) < len(before.stages):
            found.append(f"it has {len(after.stages)} instead of {len(before.stages)} stages")
        for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=False), start=1):
            found += [f"stage {number} {why}" for why in _why_less(old, new)]
        return found

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        """The policy's stages. If the request asks for more people, or fewer rejections, that applies. A request that
        does not say how many rejections end the task counts as one.
        """
        own = (*asked.task.stages, *(Stage() for _ in policy.stages))
        stages = [
            replace(
                stage,
                need=max(stage.need, wanted.need),
                reject_after=min(stage.reject_after, wanted.reject_after if wanted.reject_after > 1 else 100),
            )
            for stage, wanted in zip(policy.stages, own, strict=False)
        ]
        return {"stages": tuple(stages)}

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        several = len(policy.stages) > 1
        return [
            Clause(f"Stage {number}" if several else "Who decides", stage_text(stage, names))
            for number, stage in enumerate(policy.stages, 1)
        ]


def _why_less(before: Stage, after: Stage) -> list[str]:
    found = []
    if after.need < before.need:
        found.append(f"needs {after.need} instead of {before.need}")
    if after.reject_after > before.reject_after:
        found.append(f"ends after {after.reject_after} rejections instead of {before.reject_after}")
    return found or ([] if _no_wider(before, after) else ["may be decided by other people than before"])


def _no_wider(before: Stage, after: Stage) -> bool:
    was, will = (set(stage.approvers or DECIDING_ROLES) for stage in (before, after))
    if before.every or after.every:  # if each entry must approve, fewer entries mean fewer people
        return before.every == after.every and will == was
    return will <= was  # a team may have members without an approving role


def stage_text(stage: Stage, names: DirectoryNames) -> str:
    """``2 different people of team dba (Ann, Emma, Otto)``."""
    count = stage.votes_needed
    who = names.approvers(stage.approvers) if stage.approvers else f"anyone who may approve: {names.anyone()}"
    if stage.every and count > 1:
        text = f"a different person for each of: {who}"
    else:
        text = f"{count} different people of {who}" if count > 1 else f"one approval, from {who}"
    return text + (f"; {stage.reject_after} rejections end it" if stage.reject_after > 1 else "")


class SelfApproval(PolicyField):
    name, sets, stricter = "self_approval", ("self_approval",), "`false`"

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        as_strict = after.self_approval in (before.self_approval, False)
        return [] if as_strict else ["the requester may decide it"]

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        return {"self_approval": False if asked.task.self_approval is False else policy.self_approval}

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        allowed = names.self_approval if policy.self_approval is None else policy.self_approval
        by = "the workspace" if policy.self_approval is None else "this policy"
        if allowed:
            return [
                Clause(
                    "Own requests", f"allowed by {by}: the requester may decide; the audit trail records it"
                )
            ]
        return [Clause("Own requests", f"barred by {by}: nobody on the requester's side may decide")]


class Remind(PolicyField):
    name, sets, stricter = "remind", ("remind",), "neither: a reminder decides nothing"

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        return {"remind": policy.remind or asked.task.remind}

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        if (remind := policy.remind) is None:
            return []
        again = f", then every {_span(remind.every)}" if remind.at_most > 1 else ""
        return [Clause("Reminders", f"after {_span(remind.after)}{again}, at most {remind.at_most}")]


class Escalate(PolicyField):
    name, sets, stricter = "escalate", ("escalate",), "fewer people, or later"

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        reached: dict[str, timedelta] = {}
        for level in before.escalate:
            for name in level.to:
                reached.setdefault(name, level.after)
        reaches = [(name, level.after) for level in after.escalate for name in level.to]
        if all(name in reached and at >= reached[name] for name, at in reaches):
            return []
        return ["its escalation reaches other people than before, or reaches them earlier"]

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        return [
            Clause(f"After {_span(level.after)}", f"{names.approvers(level.to)} may also decide")
            for level in policy.escalate
        ]


class DeadlineField(PolicyField):
    name, sets, stricter = (
        "deadline",
        ("deadline",),
        "shorter; unchanged if the request continues when the task expires",
    )

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        if before.deadline is not None and (after.deadline is None or after.deadline > before.deadline):
            return ["there is more time to approve"]
        if after.deadline != before.deadline and _continues_alike(before, after):
            if after.goto:
                return [f"there is less time to decide before the request continues with step {after.goto}"]
            return ["there is less time to reject before an unanswered task counts as approved"]
        return []

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        return {"deadline": min(filter(None, (asked.deadline, policy.deadline)), default=None)}


class OnTimeoutField(PolicyField):
    name, sets = "on_timeout", ("fallback", "fallback_outcome", "goto", "goto_as")
    stricter = "`expire` or `reject`"

    def compiled(self, source: PolicySource) -> dict[str, Any]:
        expiry, route = source.on_timeout, source.on_timeout.route
        return dict(
            zip(self.sets, (expiry.fallback, expiry.outcome, route.goto, route.counts_as or ""), strict=True)
        )

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        same = _fallback_of(before) == _fallback_of(after)
        if after.goto_as and not (before.goto_as and same):
            return [f"an unanswered task counts as a success, through step {after.goto}"]
        if same or (after.fallback is not Fallback.OUTCOME and not after.goto):
            return []
        return ["an unanswered task has a different fallback"]

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        """The policy's fallback, unless it approves and something in the request contradicts that."""
        fallback, outcome = self._merged(asked, policy)
        return {"fallback": fallback, "fallback_outcome": outcome}

    def _merged(self, asked: RequestSettings, policy: Policy) -> tuple[Fallback, str]:
        task, outcome = asked.task, policy.fallback_outcome
        if policy.fallback is not Fallback.OUTCOME:
            return policy.fallback, ""
        if task.meaning(outcome) is not Meaning.APPROVES:
            return (Fallback.OUTCOME, outcome) if outcome in task.outcomes else (Fallback.REJECT, "")
        refused = task.fallback is Fallback.REJECT or (
            task.fallback is Fallback.OUTCOME and task.meaning(task.fallback_outcome) is not Meaning.APPROVES
        )
        as_the_policy = DeadlineField().merged(asked, policy)["deadline"] == policy.deadline
        as_the_policy = as_the_policy and _merged_risk(asked, policy) is policy.risk
        if refused or not as_the_policy or outcome not in task.outcomes:
            return (Fallback.REJECT if refused else Fallback.EXPIRE), ""
        return Fallback.OUTCOME, outcome

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        return [Clause("On expiry", self._text(policy))]

    def _text(self, policy: Policy) -> str:
        if policy.deadline is None:
            return "nothing happens: the task stays open"
        expires, goes_on = f"after {_span(policy.deadline)} the task expires", "and the request continues"
        if policy.goto:
            end = "counts as a success" if policy.goto_as else "then fails, unless somebody approves there"
            joined = ", which" if policy.goto_as else " and"
            return f"{expires} {goes_on} with step {policy.goto}{joined} {end}; nothing is approved"
        if policy.fallback is Fallback.EXPIRE:
            return f"{expires}; nothing is approved"
        outcome = policy.fallback_outcome or "rejected"
        if meaning_of(outcome) is Meaning.APPROVES:
            return f"{expires} {goes_on} as {outcome}, because its risk is low"
        if outcome not in BUILT_IN:
            return f"{expires} {goes_on} as {outcome}, as its workflow defines it"
        return f"{expires} and counts as {outcome}; nothing is approved"


def _fallback_of(policy: Policy) -> tuple[Fallback, str, str]:
    return policy.fallback, policy.fallback_outcome, policy.goto


def _continues_alike(before: Policy, after: Policy) -> bool:
    """Whether the request still continues after expiry in the same way as before, in which case an earlier expiry is
    less strict. A different way is a relaxation in itself.
    """
    continues = after.approves_on_expiry or bool(after.goto)
    return continues and _fallback_of(before) == _fallback_of(after)


class WorkingHours(PolicyField):
    name, sets = "hours", ("hours", "deadline_in_hours")
    stricter = "unchanged, if an escalation or a deadline depends on them"

    def compiled(self, source: PolicySource) -> dict[str, Any]:
        hours = source.hours
        return {"hours": hours.hours, "deadline_in_hours": hours.deadline} if hours else {}

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        other = after.hours != before.hours
        found = (
            ["its escalation may come earlier: its working hours differ"] if after.escalate and other else []
        )
        if (
            before.deadline is not None
            and after.deadline_in_hours
            and (other or not before.deadline_in_hours)
        ):
            found.append("its deadline pauses outside these hours, so there is more time to approve")
            return found
        other = other or after.deadline_in_hours != before.deadline_in_hours
        if other and _continues_alike(before, after):
            what = f"continues with step {after.goto}" if after.goto else "counts as approved"
            found.append(f"an unanswered task {what} at another time")
        return found

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        if policy.hours is None:
            return []
        paused = (
            "reminders, escalation and the deadline"
            if policy.deadline_in_hours
            else "reminders and escalation"
        )
        return [Clause("Hours", f"{hours_text(policy.hours)}; outside them {paused} pause")]


class SignIn(PolicyField):
    name, sets, stricter = "strength", ("strength",), "stronger"

    def compiled(self, source: PolicySource) -> dict[str, Any]:
        return {"strength": source.strength or least_strength(source.risk)}

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        if _STRENGTHS.index(after.strength) >= _STRENGTHS.index(before.strength):
            return []
        return [f"a weaker sign-in is enough: {after.strength.value}, not {before.strength.value}"]

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        least = least_strength(_merged_risk(asked, policy))
        return {"strength": max(policy.strength, asked.task.strength, least, key=_STRENGTHS.index)}

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        return [Clause("Assurance", PROOFS[policy.strength])]


class RiskOf(PolicyField):
    name, sets, stricter = "risk", ("risk",), "higher"

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        if _RISKS.index(after.risk) >= _RISKS.index(before.risk):
            return []
        return [f"it counts as {after.risk.value} risk, not {before.risk.value}"]

    def merged(self, asked: RequestSettings, policy: Policy) -> dict[str, Any]:
        return {"risk": _merged_risk(asked, policy)}


def _merged_risk(asked: RequestSettings, policy: Policy) -> Risk:
    risk = asked.task.risk
    return policy.risk if risk is Risk.MEDIUM else max(policy.risk, risk, key=_RISKS.index)


class EditsOf(PolicyField):
    name, sets, stricter = "edits", ("edits",), "`propose`"

    def relaxed(self, before: Policy, after: Policy) -> list[str]:
        if after.edits in (before.edits, Edits.PROPOSE):
            return []
        return ["approvers may change the request and approve the change in one step"]

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        if policy.edits is Edits.PROPOSE:
            return []
        text = "approvers may also change values and approve the change in one step; the record says both"
        return [Clause("Changes", text)]


class DigestOf(PolicyField):
    name, sets, stricter = "digest", ("digest",), "none: it changes nothing about who decides"

    def clauses(self, policy: Policy, names: DirectoryNames) -> list[Clause]:
        if policy.digest is None:
            return []
        text = f"one message for what arrives within {_span(policy.digest)}, unless a person has chosen otherwise"
        return [Clause("Digest", text)]


def _span(of: timedelta) -> str:
    return format_duration(of, exact=True)


FIELDS: Final[tuple[PolicyField, ...]] = (
    Approve(), SelfApproval(), Remind(), Escalate(), DeadlineField(), OnTimeoutField(), WorkingHours(),
    SignIn(), RiskOf(), EditsOf(), DigestOf(),
)  # fmt: skip


def compile_policy(source: object, path: str = "") -> Policy:
    """Compile a stored policy, a dict as decoded from JSON, at ``path``; raises Invalid with the field and a hint."""
    return read_policy(document(source, kept=True).moved(path))


def read_policy(fields: Fields) -> Policy:
    """The policy in an object of a document."""
    source = read_struct(PolicySource, fields)
    found: dict[str, Any] = {}
    for field in FIELDS:
        found |= field.compiled(source)
    return Policy(**found)


def why_relaxed(before: Policy, after: Policy) -> list[str]:
    """How the later policy relaxes the earlier one, as text: everything that is not clearly at least as strict. A
    change affects new tasks, not open ones.
    """
    return [why for field in FIELDS for why in field.relaxed(before, after)]


def is_relaxed(before: Policy, after: Policy) -> bool:
    """Whether the later policy relaxes the earlier one."""
    return bool(why_relaxed(before, after))


def merge_stricter(asked: RequestSettings, policy: Policy) -> dict[str, Any]:
    """The fields of a request's task (and ``deadline``) under a policy: the stricter value of each."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        found |= field.merged(asked, policy)
    return found


def clauses(policy: Policy, names: DirectoryNames) -> tuple[Clause, ...]:
    """All sentences about a policy, the most important first."""
    return tuple(clause for field in FIELDS for clause in field.clauses(policy, names))
