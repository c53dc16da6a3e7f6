"""What the checks that ran before a decision said, in one word each. Nobody's silence is taken for good news, and what
a check says can make a risk higher, never lower.
"""

from collections.abc import Mapping
from typing import Any, Final

from signoff.core.tasks import Risk

_YES: Final = ("passed", "valid", "ok", "success", "safe")
_ORDER: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)


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
