"""The target of a request: the values of the payload fields that its workflow declares as ``target``. Requests of one
workflow with the same values have the same target, so each can be compared with the last one that was approved.
"""

from typing import Any, Final

from signoff.core.plan.title_template import TemplateError, field_path
from signoff.core.text import canonical_json, json_value
from signoff.core.text.document_reader import Fields

MOST: Final = 5


def read_target(fields: Fields, name: str) -> tuple[str, ...]:
    """The declared fields; raises Invalid for text that does not name one."""
    named = fields.texts(name, most=MOST)
    for one in named:
        try:
            field_path(one)
        except TemplateError as refused:
            hint = "Name fields of the payload, such as cluster or customer.id."
            raise fields.invalid(name, f"{one[:64]!r} names no field of the payload", hint=hint) from refused
    return named


def target_of(declared: tuple[str, ...], intent_type: str, payload: bytes) -> str:
    """The digest of the target; "" if none is declared, or if the payload lacks a value for one of its fields."""
    if not declared:
        return ""
    found = json_value.decode(payload)
    values = {name: _value(found, name) for name in declared}
    if any(value is None or value == "" or isinstance(value, dict | list) for value in values.values()):
        return ""
    return canonical_json.digest(canonical_json.canonical([intent_type, values]))


def _value(payload: Any, name: str) -> Any:
    value = payload
    for part in field_path(name):
        value = value.get(part) if isinstance(value, dict) else None
    return value
