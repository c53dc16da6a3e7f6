"""The verdicts of the checks before a decision. A missing result never counts as passed, and a check can only raise
the risk.

A check applies to the revision that it read. After a change its verdict and risk no longer count, but the assurance
that it required is still required until the same step has checked the new revision. So an editor cannot lower that
requirement with an unchecked change.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from signoff.core.intent.model import Intent
from signoff.core.plan.plan import AgentStep, Plan
from signoff.core.plan.task_types import Risk, Strength, least_strength

VERDICTS: Final = ("passed", "valid", "ok", "success", "safe")
_ORDER: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)
_STRENGTHS: Final = tuple(Strength)


def verdict_of(result: Any) -> str:
    """The verdict of a check's result: passed, failed, or only reported."""
    if not isinstance(result, Mapping):
        return "reported"
    if result.get("error"):
        return "failed"
    reported = [result[name] for name in VERDICTS if isinstance(result.get(name), bool)]
    if not reported:
        return "reported"
    return "passed" if all(reported) else "failed"


def check_verdicts(plan: Plan, results: Mapping[str, Any]) -> dict[str, str]:
    """The verdict of each check among these results, by step. Only agent steps check: a person's answer contains the
    data of its form, and a field of a form is not a verdict, no matter what its name is.
    """
    return {
        name: verdict_of(result)
        for name, result in results.items()
        if isinstance(plan.by_id.get(name), AgentStep)
    }


def current_verdicts(intent: Intent, step: str) -> dict[str, str]:
    """The verdicts of the checks of the current revision, by step. ``step``: the task's own step."""
    return check_verdicts(intent.plan, checked(intent, step).current)


class Checked(msgspec.Struct, frozen=True):
    """The results of the other steps, by step. ``current``: those of this revision; ``stale``: those of an earlier
    one; ``of``: the revision of each, if known.
    """

    current: dict[str, Any]
    stale: dict[str, Any]
    of: dict[str, int]

    @property
    def all(self) -> dict[str, Any]:
        return {**self.current, **self.stale}


def checked(intent: Intent, step: str, revision: int | None = None) -> Checked:
    """What the steps before this one have reported. ``revision``: the task's revision, by default the current one."""
    asked = intent.revision if revision is None else revision
    of = revisions_of(intent)
    current, stale = dict[str, Any](), dict[str, Any]()
    for name, result in intent.results.items():
        if name != step:
            (current if of.get(name) == asked else stale)[name] = result
    return Checked(current, stale, {name: number for name, number in of.items() if name != step})


def revisions_of(intent: Intent) -> dict[str, int]:
    """The revision of each result. A result from before revisions were recorded belongs to the first revision if
    there is only one; otherwise its revision is unknown.
    """
    known = dict.fromkeys(intent.results, 1) if intent.revision == 1 else {}
    return {**known, **intent.reported}


def worst_risk(policy: Risk, results: Mapping[str, Any]) -> tuple[Risk, str]:
    """Return the risk and the step that reports it: the policy's risk and "", or a check's if that is higher."""
    worst, by = policy, ""
    for step, result in results.items():
        reported = result.get("risk") if isinstance(result, Mapping) else None
        if not reported:
            continue
        risk = str(reported).lower()
        if risk in _ORDER and _ORDER.index(Risk(risk)) > _ORDER.index(worst):
            worst, by = Risk(risk), step
    return worst, by


def grave(risk: Risk, verdicts: Iterable[str]) -> bool:
    """Whether approving needs special care, because the risk is high or critical or a check failed."""
    return risk in (Risk.HIGH, Risk.CRITICAL) or "failed" in verdicts


def with_check_results(strength: Strength, risk: Risk, results: Mapping[str, Any]) -> Strength:
    """The assurance that a decision requires: the policy's, or more if a check reported a higher risk."""
    return max(strength, least_strength(worst_risk(risk, results)[0]), key=_STRENGTHS.index)
