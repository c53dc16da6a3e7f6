"""Chooses the policy of a step by the payload at submission, with conditions that an admin wrote. The first choice
whose conditions are met is used. If a condition cannot be evaluated (the field is missing, has another type or unit, or
only looks like a value), it is neither true nor false, and no policy is chosen.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.errors import Conflict, Invalid
from signoff.core.plan.plan import HumanStep, Plan, Step
from signoff.core.plan.policy_choice import Condition, quantity
from signoff.core.text.describe import kind_of, printable
from signoff.core.text.hidden_characters import glance, pieces

LAST: Final = "no condition for another policy is met"
_WORDS: Final = {
    "is": "is", "in": "is one of", "above": "is above", "at_least": "is at least", "below": "is below",
    "at_most": "is at most",
}  # fmt: skip
_COMPARE: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    "is": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value == wanted,
    "above": lambda value, wanted: value > wanted,
    "at_least": lambda value, wanted: value >= wanted,
    "below": lambda value, wanted: value < wanted,
    "at_most": lambda value, wanted: value <= wanted,
}
# Decodes numbers exactly by their digits, never as the nearest float.
_PAYLOAD: Final = msgspec.json.Decoder(float_hook=Decimal)


def choose_policies(plan: Plan, payload: bytes) -> tuple[int, ...]:
    """For each step of the plan, the index of the policy that this payload (canonical bytes) selects; 0 if there is
    no choice.
    """
    decoded = _PAYLOAD.decode(payload)
    return tuple(
        _pick(step, decoded) if isinstance(step, HumanStep) and step.choices else 0 for step in plan.steps
    )


def with_chosen_policies(plan: Plan, picks: Sequence[int]) -> Plan:
    """The plan with the chosen policy applied to each step."""
    steps = zip(plan.steps, picks, strict=True)
    return replace(plan, steps=tuple(_with_chosen_policy(step, pick) for step, pick in steps))


def _with_chosen_policy(step: Step, pick: int) -> Step:
    if not isinstance(step, HumanStep) or not step.choices:
        return step
    choice = step.choices[pick]
    task = replace(step.task, policy=choice.use, because=conditions_text(choice.when))
    return replace(step, task=task, chosen=pick)


def variants(plan: Plan) -> Iterator[Plan]:
    """The variants of the plan for different payloads. Each choice of each step occurs at least once."""
    counts = [len(step.choices) if isinstance(step, HumanStep) else 0 for step in plan.steps]
    for number in range(max([*counts, 1])):
        yield (
            with_chosen_policies(plan, [max(0, min(number, count - 1)) for count in counts])
            if any(counts)
            else plan
        )


def refuse_other_choice(plan: Plan, payload: bytes) -> None:
    """Raise Refused if the request would have been given a different policy had it been submitted with this payload."""
    if not plan.has_choices:
        return
    for step, pick in zip(plan.steps, choose_policies(plan, payload), strict=True):
        if isinstance(step, HumanStep) and step.choices and pick != step.chosen:
            choice = step.choices[pick]
            raise Conflict(
                "policy_would_change",
                f"With this change step {step.id!r} would be decided under policy {choice.use!r}, because "
                f"{conditions_text(choice.when)}; it was submitted under {step.task.policy.partition('@')[0]!r}.",
                field="payload",
                details={"step": step.id, "policy": choice.use},
                hint="Withdraw the request and submit it again.",
            )


def conditions_text(when: Sequence[Condition]) -> str:
    """The conditions as text: ``amount is above 1000``."""
    return " and ".join(_condition_text(one) for one in when) or LAST


def _condition_text(one: Condition) -> str:
    values = (repr(value) for value in one.values) if one.kind == "text" else one.values
    return f"{one.field} {_WORDS[one.operator]} {', '.join(values)}"


def _pick(step: HumanStep, payload: Any) -> int:
    for number, choice in enumerate(step.choices):
        doubts = []
        for condition in choice.when:
            holds, doubt = _judge(condition, payload)
            if holds is False:  # one false condition is enough, whatever the others are
                break
            if doubt:
                doubts.append((condition, doubt))
        else:
            if doubts:
                raise _undecided(step, *doubts[0])
            return number
    raise TypeError("the last choice of a step has no condition")


def _undecided(step: HumanStep, condition: Condition, doubt: str) -> Invalid:
    field = f"payload.{condition.field}"
    return Invalid(
        "policy_undecided",
        f"{field} {doubt}, and it selects the policy of step {step.id!r} ({conditions_text([condition])}).",
        field=field,
        hint="Send it as the workflow expects it.",
    )


def _judge(condition: Condition, payload: Any) -> tuple[bool | None, str]:
    """Return (whether it is met, ""), or (None, why it cannot be evaluated)."""
    value = payload
    for part in condition.field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return None, "is missing"
    match condition.kind:
        case "number":
            return _judge_number(condition, value)
        case "flag":
            if not isinstance(value, bool):
                return None, f"is {kind_of(value)}, not true or false"
            return value == (condition.values[0] == "true"), ""
    if not isinstance(value, str):
        return None, f"is {_kind(value)}, not text"
    return _judge_text(condition, value)


def _judge_number(condition: Condition, value: object) -> tuple[bool | None, str]:
    found = quantity(value)
    if found is None:
        return None, "is not a plain number" if isinstance(value, str) else f"is {_kind(value)}, not a number"
    number, unit = found
    compare, holds = _COMPARE[condition.operator], False
    for written in condition.values:
        wanted = quantity(written)
        if wanted is None:
            raise TypeError(f"{written!r} is not a quantity")
        if unit != wanted[1]:
            names = (f"in {printable(unit)}" if unit else "without a unit", wanted[1] or "no unit")
            return None, f"is {names[0]}, and the condition is in {names[1]}"
        holds = holds or compare(number, wanted[0])
    return holds, ""


def _judge_text(condition: Condition, value: str) -> tuple[bool | None, str]:
    if value in condition.values:
        return True, ""
    if any(piece.mark for piece in pieces(value, lines=False)):
        return None, "contains hidden or look-alike characters"
    seen = glance(value)
    close = next((wanted for wanted in condition.values if glance(wanted) == seen), None)
    return (False, "") if close is None else (None, f"looks like {close!r} but differs")


def _kind(value: object) -> str:
    return "a number" if isinstance(value, Decimal) else kind_of(value)
