"""What the checks that ran before a decision said, in one word each. Nobody's silence is taken for good news, and what
a check says can make a risk higher, never lower.
"""

from collections.abc import Mapping
from typing import Any, Final

from signoff.core.tasks import Risk, Strength, least_strength

_YES: Final = ("passed", "valid", "ok", "success", "safe")
_ORDER: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)
_STRENGTHS: Final = tuple(Strength)


def verdict_of(result: Any) -> str:
    """What a check's result says: passed, failed, or only reported."""
    if not isinstance(result, Mapping):
        return "reported"
    if result.get("error"):
        return "failed"
    said = [result[name] for name in _YES if isinstance(result.get(name), bool)]
    if not said:
        return "reported"
    return "passed" if all(said) else "failed"


def worst_risk(policy: Risk, results: Mapping[str, Any]) -> tuple[Risk, str]:
    """(risk, the step that says so): the policy's and "", or a check's where that is higher."""
    worst, by = policy, ""
    for step, result in results.items():
        said = str(result.get("risk", "")).lower() if isinstance(result, Mapping) else ""
        if said in _ORDER and _ORDER.index(Risk(said)) > _ORDER.index(worst):
            worst, by = Risk(said), step
    return worst, by


def demanded(strength: Strength, risk: Risk, results: Mapping[str, Any]) -> Strength:
    """How surely it must be known who decides: the policy's word, or more where a check has found the risk higher."""
    return max(strength, least_strength(worst_risk(risk, results)[0]), key=_STRENGTHS.index)
