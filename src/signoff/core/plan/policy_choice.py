"""A choice of policies as written in a workflow: ``[{when: {amount: {above: 1000}}, use: strict}, {use: usual}]``.
Each condition tests one field, with one of a fixed set of tests; there are no expressions.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from signoff.core.text.describe import kind_of
from signoff.core.text.document_reader import Fields
from signoff.core.text.struct_reader import DocumentStruct, Name, fields_of, read_struct, reads

NUMERIC: Final = ("above", "at_least", "below", "at_most")
_MOST: Final = 20
_DEEP: Final = 10
_UNIT: Final = r"[A-Za-z%€$£¥]{1,8}"
_QUANTITY: Final = re.compile(
    rf"(?:({_UNIT}) ?)?(-?(?:0|[1-9][0-9]{{0,39}})(?:\.[0-9]{{1,40}})?)(?: ?({_UNIT}))?"
)


class Condition(msgspec.Struct, frozen=True):
    """One test of one payload field, given by its dotted path. ``kind``: number, text or flag; ``values``: the exact
    values as text.
    """

    field: str
    operator: str
    kind: str
    values: tuple[str, ...]


class PolicyChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """``use``: the name of the policy to use if all conditions are met."""

    use: str
    when: tuple[Condition, ...] = ()


def quantity(value: object) -> tuple[Decimal, str] | None:
    """(number, unit) of a number, or of text that contains one: ``1500``, ``"1500.00"``, ``"1500 EUR"``; None for
    anything else.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value), ""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[1] and match[3]):
        return None
    return Decimal(match[2]), match[1] or match[3] or ""


_Value = str | int | float


class TestsSource(DocumentStruct, frozen=True, kw_only=True):
    """The values that a field of the payload is compared with."""

    equals: _Value | bool | None = msgspec.field(name="is", default=None)
    one_of: Annotated[tuple[_Value, ...], Meta(max_length=100)] | None = msgspec.field(
        name="in", default=None
    )
    above: _Value | None = None
    at_least: _Value | None = None
    below: _Value | None = None
    at_most: _Value | None = None


def _read_conditions(fields: Fields, name: str) -> tuple[Condition, ...]:
    when = fields.need_inner(name)
    if not 0 < len(when.value) <= _MOST or None in when.value.values():
        problem = f"must list 1 to {_MOST} fields of the payload, each with a condition"
        raise fields.invalid(name, problem)
    return tuple(
        _condition(when, field, operator)
        for field in when.value
        for operator in _operators(when.need_inner(field))
    )


class ChoiceSource(DocumentStruct, frozen=True, kw_only=True):
    """One of several policies, and the condition on the payload that selects it."""

    when: Annotated[tuple[Condition, ...], reads(_read_conditions, dict[str, TestsSource])] = ()
    use: Name


def read_choices(fields: Fields, name: str) -> tuple[PolicyChoice, ...]:
    """The choices in a field; raises Invalid for one that cannot be evaluated, or can never be reached."""
    entries = [fields.item(name, index, entry) for index, entry in enumerate(fields.each(name, most=_MOST))]
    if not entries:
        raise fields.invalid(name, "does not name a policy")
    sources = [read_struct(ChoiceSource, entry) for entry in entries]
    for entry, source in zip(entries, sources, strict=True):
        if entry is entries[-1] and source.when:
            hint = "Add one without a condition, for all other requests; preferably the strictest."
            raise entry.invalid("when", "the last choice has no condition", hint=hint)
        if entry is not entries[-1] and not source.when:
            raise entry.invalid("when", "is required", code="missing_field")
    return tuple(PolicyChoice(source.use, source.when) for source in sources)


def _operators(tests: Fields) -> tuple[str, ...]:
    tests.known(*fields_of(TestsSource))
    if not tests.value:
        raise tests.invalid("is", "or another test is required", code="missing_field")
    return tuple(tests.value)


def _condition(when: Fields, field: str, operator: str) -> Condition:
    parts = field.split(".")
    if len(field) > 200 or len(parts) > _DEEP or not all(part and part.isprintable() for part in parts):
        raise when.invalid(field, "is not a field of a payload", hint="Write it as amount, or order.amount.")
    tests = when.need_inner(field)
    operand = tests.value[operator]
    listed = tests.each(operator, most=100) if operator == "in" else [operand]
    read = [_value(tests, operator, value) for value in listed]
    if len({(kind, unit) for kind, _, unit in read}) != 1:
        raise tests.invalid(operator, "must be a list of at least one value, all of one type (and unit)")
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
        hint = 'For example 1000, "1000.50" or "1000 EUR"; or a list of strings.'
        raise tests.invalid(operator, f"{kind_of(value)} cannot be compared this way", hint=hint)
    return "number", written, found[1]
