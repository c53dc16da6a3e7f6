"""A choice of policies as a workflow writes it: ``[{when: {amount: {above: 1000}}, use: strict}, {use: usual}]``.
Conditions are of a closed set, with one field each; there are no expressions, and nothing in them is run.
"""

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from signoff.core.text.document_reader import Fields, kind_of

NUMERIC: Final = ("above", "at_least", "below", "at_most")
OPERATORS: Final = ("is", "in", *NUMERIC)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
_MOST: Final = 20
_DEEP: Final = 10
_UNIT: Final = r"[A-Za-z%€$£¥]{1,8}"
_QUANTITY: Final = re.compile(
    rf"(?:({_UNIT}) ?)?(-?(?:0|[1-9][0-9]{{0,39}})(?:\.[0-9]{{1,40}})?)(?: ?({_UNIT}))?"
)


class Condition(msgspec.Struct, frozen=True):
    """One test of one payload field (a dotted path). ``kind``: number, text or flag; ``values``: as text, exactly."""

    field: str
    operator: str
    kind: str
    values: tuple[str, ...]


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """``use``: the policy's name, where all conditions hold."""

    use: str
    when: tuple[Condition, ...] = ()


def quantity(value: object) -> tuple[Decimal, str] | None:
    """(number, unit) of a number or of a text that is one: ``1500``, ``"1500.00"``, ``"1500 EUR"``; None of others."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value), ""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[1] and match[3]):
        return None
    return Decimal(match[2]), match[1] or match[3] or ""


def read_choices(human: Fields, name: str) -> tuple[Choice, ...]:
    """The choices in a field; raises Invalid naming what could not be judged, or could never be reached."""
    entries = [human.item(name, index, entry) for index, entry in enumerate(human.each(name, most=_MOST))]
    if not entries:
        raise human.invalid(name, "names no policy")
    return tuple(_choice(entry, last=entry is entries[-1]) for entry in entries)


def _choice(entry: Fields, *, last: bool) -> Choice:
    entry.known("when", "use")
    use = entry.need("use", longest=100)
    if not NAME.fullmatch(use):
        raise entry.invalid("use", f"{use!r} is not a name", hint="Letters, digits, '.', '_' and '-'.")
    if last:
        if entry.has("when"):
            hint = "Add one without a condition, for all that the others leave; best the strictest of them."
            raise entry.invalid("when", "the last choice has no condition", hint=hint)
        return Choice(use)
    when = entry.need_inner("when")
    fields = [when.inner(field) for field in when.value]
    if not fields or None in fields or len(fields) > _MOST:
        raise entry.invalid("when", f"names 1 to {_MOST} fields of the payload, each with what it must be")
    conditions = [
        _condition(when, field, operator)
        for field, tests in zip(when.value, fields, strict=True)
        if tests is not None
        for operator in _operators(tests)
    ]
    return Choice(use, tuple(conditions))


def _operators(tests: Fields) -> tuple[str, ...]:
    tests.known(*OPERATORS)
    if not tests.value:
        raise tests.invalid("is", "or another test is required", code="missing_field")
    return tuple(tests.value)


def _condition(when: Fields, field: str, operator: str) -> Condition:
    parts = field.split(".")
    if len(field) > 200 or len(parts) > _DEEP or not all(part and part.isprintable() for part in parts):
        raise when.invalid(field, "is not a field of a payload", hint="Write it as amount, or order.amount.")
    tests = when.need_inner(field)
    given = tests.value[operator]
    listed = tests.each(operator, most=100) if operator == "in" else [given]
    read = [_value(tests, operator, value) for value in listed]
    if len({(kind, unit) for kind, _, unit in read}) != 1:
        raise tests.invalid(operator, "holds values of one kind (and in one unit), and at least one")
    return Condition(field, operator, read[0][0], tuple(text for _, text, _ in read))


def _value(tests: Fields, operator: str, value: Any) -> tuple[str, str, str]:
    """(kind, the value as text, its unit)."""
    if isinstance(value, bool) and operator == "is":
        return "flag", "true" if value else "false", ""
    if isinstance(value, str) and value and operator not in NUMERIC:
        return "text", value, ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    written = format(Decimal(repr(value)), "f") if number else value
    found = quantity(written) if isinstance(written, str) else None
    if found is None:
        hint = 'For example 1000, "1000.50" or "1000 EUR"; or a text, where it is one of those.'
        raise tests.invalid(operator, f"{kind_of(value)} cannot be compared so", hint=hint)
    return "number", written, found[1]
