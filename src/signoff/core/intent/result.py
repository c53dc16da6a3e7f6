"""The result of an intent, for readers."""

from typing import Any

from signoff.core.intent.model import Intent


def result_of(intent: Intent) -> dict[str, Any]:
    """The intent's result: the last step's result, each step's under ``steps``, and the outcome of its decision.

    A result set from outside (AXP resolve) is returned unchanged.
    """
    if intent.resolved is not None:
        return intent.resolved
    last = intent.results.get(intent.last_step)
    result: dict[str, Any] = dict(last) if isinstance(last, dict) else {}
    if not intent.plan.direct and intent.results:
        result["steps"] = intent.results
    if intent.outcome:
        result["outcome"] = intent.outcome
    return result
