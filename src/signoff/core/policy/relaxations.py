"""Does a change make deciding easier? Whatever is not plainly as strict as before, or stricter, does.

What waits for people is never touched by a change; this is about what will be asked from then on.
"""

from datetime import timedelta
from typing import Final

from signoff.core.directory.roles import DECIDING_PARTIES
from signoff.core.plan.task_types import Fallback, Risk, Stage, Strength, could_mean_yes
from signoff.core.policy.policy import Policy

_STRENGTHS: Final = tuple(Strength)
_RISKS: Final = tuple(Risk)


def policy_loosens(before: Policy, after: Policy) -> bool:
    """Whether the later policy could let through what the earlier one would not."""
    return bool(why_looser(before, after))


def why_looser(before: Policy, after: Policy) -> list[str]:
    """In what the later policy could let through what the earlier one would not, in plain words."""
    found = []
    if len(after.stages) < len(before.stages):
        found.append(f"it takes {len(after.stages)} of what were {len(before.stages)} stages")
    for number, (old, new) in enumerate(zip(before.stages, after.stages, strict=False), start=1):
        found += [f"stage {number} {why}" for why in _why_less(old, new)]
    if after.self_approval not in (before.self_approval, False):
        found.append("whoever asks for it may decide it")
    if _STRENGTHS.index(after.strength) < _STRENGTHS.index(before.strength):
        found.append(f"a weaker sign-in is enough: {after.strength.value}, not {before.strength.value}")
    if _RISKS.index(after.risk) < _RISKS.index(before.risk):
        found.append(f"it counts as {after.risk.value} risk, not {before.risk.value}")
    if not _ladder_as_strict(before, after):
        found.append("its escalation reaches others than before, or the same earlier")
    if after.goto_as and not before.goto_as:
        found.append(f"what nobody decided counts as a success, by way of step {after.goto}")
    elif not _silence_as_strict(before, after):
        found.append("there is more time for a yes, or silence leads elsewhere")
    return found


def _why_less(before: Stage, after: Stage) -> list[str]:
    if _as_strict(before, after):
        return []
    found = []
    if after.need < before.need:
        found.append(f"takes {after.need} instead of {before.need}")
    if after.reject_after > before.reject_after:
        found.append(f"ends after {after.reject_after} rejections instead of {before.reject_after}")
    return found or ["may be decided by others than before"]


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
    if after.goto_as and not (same and before.goto_as):
        return False  # what nobody decided counts as done
    return same or (after.fallback in (Fallback.EXPIRE, Fallback.REJECT) and not after.goto)


def _time_as_strict(before: Policy, after: Policy) -> bool:
    if before.deadline is None:
        return True
    counted_so = before.deadline_in_hours and before.hours == after.hours
    stands_still = after.deadline_in_hours and not counted_so  # the same span ends later
    return after.deadline is not None and after.deadline <= before.deadline and not stands_still


def yes_on_silence(policy: Policy) -> bool:
    """Whether something is, or may be, taken for a yes that nobody has said."""
    return policy.fallback is Fallback.OUTCOME and could_mean_yes(policy.fallback_outcome)
