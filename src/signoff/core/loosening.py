"""Does a change make deciding easier? Whatever is not plainly as strict as before, or stricter, does.

What waits for people is never touched by a change; this is about what will be asked from then on.
"""

from datetime import timedelta
from typing import Final

from signoff.core.policy import Policy
from signoff.core.tasks import Fallback, Risk, Stage, Strength

_STRENGTHS: Final = tuple(Strength)
_RISKS: Final = tuple(Risk)


def policy_loosens(before: Policy, after: Policy) -> bool:
    """Whether the later policy could let through what the earlier one would not."""
    return not (
        len(after.stages) >= len(before.stages)
        and all(_as_strict(old, new) for old, new in zip(before.stages, after.stages, strict=False))
        and after.self_approval in (before.self_approval, False)
        and _STRENGTHS.index(after.strength) >= _STRENGTHS.index(before.strength)
        and _RISKS.index(after.risk) >= _RISKS.index(before.risk)
        and _ladder_as_strict(before, after)
        and _silence_as_strict(before, after)
    )


def _as_strict(before: Stage, after: Stage) -> bool:
    if before == after:
        return True
    narrower = bool(after.approvers) and (
        not before.approvers or set(after.approvers) <= set(before.approvers)
    )
    if before.every or after.every:  # each of them: fewer parties are fewer persons
        narrower = before.every and after.every and set(after.approvers) == set(before.approvers)
    return narrower and after.need >= before.need and after.reject_after <= before.reject_after


def _ladder_as_strict(before: Policy, after: Policy) -> bool:
    """No rung reaches anybody whom no rung, or a later one, reached before."""
    reached: dict[str, timedelta] = {}
    for rung in before.escalate:
        for name in rung.to:
            reached.setdefault(name, rung.after)
    return all(
        name in reached and rung.after >= reached[name] for rung in after.escalate for name in rung.to
    ) and (after.hours == before.hours or not after.escalate)


def _silence_as_strict(before: Policy, after: Policy) -> bool:
    same = (before.fallback, before.fallback_outcome, before.goto) == (
        after.fallback,
        after.fallback_outcome,
        after.goto,
    )
    if before.deadline is not None and (after.deadline is None or after.deadline > before.deadline):
        return False  # more time to find a yes
    return same or (after.fallback in (Fallback.EXPIRE, Fallback.REJECT) and not after.goto)
