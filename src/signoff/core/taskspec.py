"""What every way of asking people has in common, whoever wrote it: titles, outcomes, demands, the form."""

from typing import Any, Final

import msgspec

from signoff.core.errors import Invalid
from signoff.core.fields import Fields
from signoff.core.tasks import COMMENT_NEEDED, EVIDENCE_NEEDED, OUTCOMES, POSITIVE, Stage, TaskSpec, TaskType

MAX_FORM_BYTES: Final = 16 * 1024
MAX_FORM_DEPTH: Final = 8
MAX_REMINDERS: Final = 1000
_ANYBODY: Final = TaskSpec().stages
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

TITLES: Final[dict[TaskType, str]] = {
    TaskType.APPROVAL: "Approval required",
    TaskType.REVIEW: "Review required",
    TaskType.CONFIRMATION: "Confirmation required",
    TaskType.FORM: "Form to fill in",
    TaskType.CLARIFICATION: "Clarification needed",
    TaskType.ASSIGNMENT: "Assignment needed",
    TaskType.MANUAL_ACTION: "Manual action required",
    TaskType.OVERRIDE: "Override requested",
}


def one_decision(approvers: tuple[str, ...]) -> tuple[Stage, ...]:
    """One stage, decided by one of these people; by anyone who may approve where none is named."""
    return (Stage(approvers),) if approvers else _ANYBODY


def outcomes(fields: Fields, name: str, kind: TaskType) -> tuple[str, ...]:
    """The outcomes a task allows: as listed (1 to 20 words of at most 64 characters), else its type's own."""
    return fields.texts(name, most=20, longest=64) or OUTCOMES[kind]


def can_say_yes(allowed: tuple[str, ...]) -> bool:
    """Whether one of the outcomes is a yes; if not, every answer ends the step as a no."""
    return not POSITIVE.isdisjoint(allowed)


def comment_required(given: bool | None, kind: TaskType) -> bool:
    return kind in COMMENT_NEEDED if given is None else given


def evidence_required(given: bool | None, kind: TaskType) -> bool:
    return kind in EVIDENCE_NEEDED if given is None else given


def form(fields: Fields, name: str) -> dict[str, Any] | None:
    """The JSON Schema of an answer, or None; raises Invalid unless it is one small schema of an object.

    At most 16 KiB and 8 deep, and no reference to anything outside itself: a schema must never be a reason
    to open a connection.
    """
    schema = fields.data(name)
    if schema is None or (fields.lenient and not schema):
        return None
    if "type" not in schema and "properties" in schema:
        schema = {"type": "object", **schema}
    if schema.get("type") != "object":
        raise _bad_form(fields, name, 'must describe an object: "type" is "object"')
    if not isinstance(schema.get("properties", {}), dict):
        raise _bad_form(fields, f"{name}.properties", "must be an object")
    _check_within(fields, name, schema, 1)
    size = len(msgspec.json.encode(schema))
    if size > MAX_FORM_BYTES:
        raise _bad_form(fields, name, f"is {size} bytes long; at most {MAX_FORM_BYTES} are allowed")
    return schema


def _check_within(fields: Fields, path: str, value: object, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > MAX_FORM_DEPTH:
        raise _bad_form(fields, path, f"is nested more than {MAX_FORM_DEPTH} deep")
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in entries:
        if key in _REFERENCES and isinstance(item, str) and not item.startswith("#"):
            raise _bad_form(fields, f"{path}.{key}", "points outside the schema; a reference starts with '#'")
        _check_within(
            fields, f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]", item, depth + 1
        )


def _bad_form(fields: Fields, path: str, problem: str) -> Invalid:
    return fields.invalid(path, problem, code="invalid_form_schema")
