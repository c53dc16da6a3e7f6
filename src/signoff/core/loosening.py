"""Does a change make deciding easier? Whatever is not plainly as strict as before, or stricter, does.

What waits for people is never touched by a change; this is about what will be asked from then on.
"""

from datetime import timedelta
from typing import Final

from signoff.core.policy import Policy
from signoff.core.standing import DECIDING_PARTIES
from signoff.core.tasks import Fallback, Risk, Sign, Stage, Strength, sign_of

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
    was, will = (set(stage.approvers or DECIDING_PARTIES) for stage in (before, after))
    narrower = will <= was  # a team may hold people who have no approving role
    if before.every or after.every:  # each of them: fewer parties are fewer persons
        narrower = before.every and after.every and will == was
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
    if not _time_as_strict(before, after):
        return False  # more time to find a yes
    if same and yes_on_silence(after):  # a yes that comes sooner leaves less time for a no
        return (after.deadline, after.deadline_in_hours, after.hours) == (
            before.deadline,
            before.deadline_in_hours,
            before.hours,
        )
    return same or (after.fallback in (Fallback.EXPIRE, Fallback.REJECT) and not after.goto)


def _time_as_strict(before: Policy, after: Policy) -> bool:
    if before.deadline is None:
        return True
    counted_so = before.deadline_in_hours and before.hours == after.hours
    stands_still = after.deadline_in_hours and not counted_so  # the same span ends later
    return after.deadline is not None and after.deadline <= before.deadline and not stands_still


def yes_on_silence(policy: Policy) -> bool:
    """Whether something is taken for a yes that nobody has said."""
    return policy.fallback is Fallback.OUTCOME and sign_of(policy.fallback_outcome, {}) is Sign.POSITIVE
