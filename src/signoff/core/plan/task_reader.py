"""Reads what all formats of human steps share: titles, outcomes, requirements, the form."""

import re
from typing import Any, Final

import msgspec

from signoff.core.errors import Invalid
from signoff.core.plan import title_template
from signoff.core.plan.form_schema import FormError, idle, read_form, unfillable
from signoff.core.plan.task_types import Meaning, Stage, TaskSpec, TaskType, meaning_of
from signoff.core.text.describe import printable
from signoff.core.text.document_reader import Fields

MAX_FORM_BYTES: Final = 16 * 1024
MAX_FORM_DEPTH: Final = 8
_ANYBODY: Final = TaskSpec().stages

_PLACEHOLDER: Final = re.compile(r"\{\{?\s*[\w$][^{}\n]{0,100}\}\}?")


def template(fields: Fields, kind: TaskType) -> str:
    """The title of a workflow's task, which may name fields of the payload."""
    words = fields.text("title")
    try:
        title_template.parse(words)
    except title_template.TemplateError as wrong:
        raise fields.invalid(
            "title",
            f"is not a valid template: it {wrong.problem}",
            code="invalid_title_template",
            hint=wrong.hint,
        ) from None
    return words or kind.default_title


def title(fields: Fields, kind: TaskType) -> str:
    """The title of a task that a requester defines. It is shown as written, so braces cause a warning."""
    words = fields.text("title")
    if "{" in words or "}" in words:
        fields.warn(
            "title", "contains braces; it is shown as written: only a workflow's title may name fields"
        )
    return words or kind.default_title


def refuse_placeholders(fields: Fields, text: str) -> None:
    """Refuse a message with placeholders, or (in AXP's documents) warn that it is sent as written."""
    found = _PLACEHOLDER.search(text)
    if found is None:
        return
    if not fields.lenient:
        raise fields.invalid(
            "message",
            f"contains {printable(found.group())}, but placeholders are not supported",
            code="placeholder_in_text",
            hint="Remove it; the message names the request.",
        )
    fields.warn("message", f"{printable(found.group())} is shown as written: placeholders are not supported")


def asked_form(fields: Fields, name: str, kind: TaskType) -> dict[str, Any] | None:
    """The form of a task. A form task without one has nothing to fill in, so it is refused, or (in AXP's documents)
    causes a warning.
    """
    schema = form(fields, name)
    if kind is not TaskType.FORM or (schema and schema.get("properties")):
        return schema
    if not fields.lenient:
        raise fields.invalid(
            name,
            "is required for a form task",
            code="missing_field",
            hint='For example {"properties": {"ticket": {"type": "string"}}}; or make it type: approval.',
        )
    fields.warn(name, "is missing, so this form task has no fields")
    return schema


def one_decision(approvers: tuple[str, ...]) -> tuple[Stage, ...]:
    """A stage decided by one of these people, or by one of the default approvers if nobody is named."""
    return (Stage(approvers),) if approvers else _ANYBODY


def outcomes(fields: Fields, name: str, kind: TaskType) -> tuple[str, ...]:
    """The outcomes that a task allows: those listed (1 to 20 names of at most 64 characters), or else those of its
    type.
    """
    return fields.texts(name, most=20, longest=64) or kind.outcomes


def can_say_yes(allowed: tuple[str, ...]) -> bool:
    """Whether one of the outcomes means approve. If not, every answer ends the step as a rejection."""
    return any(meaning_of(word) is Meaning.APPROVES for word in allowed)


def form(fields: Fields, name: str) -> dict[str, Any] | None:
    """The JSON Schema of an answer, or None; raises Invalid unless it is a small schema of an object, at most 16 KiB
    and 8 levels deep, with the keywords that ``core/plan/form_schema.py`` supports.
    """
    schema = fields.data(name)
    if schema is None or (fields.lenient and not schema):
        return None
    if "type" not in schema and "properties" in schema:
        schema = {"type": "object", **schema}
    if schema.get("type") != "object":
        raise _bad_form(fields, name, 'must describe an object: "type" is "object"')
    size = len(msgspec.json.encode(schema))
    if size > MAX_FORM_BYTES:
        raise _bad_form(fields, name, f"is {size} bytes long; at most {MAX_FORM_BYTES} are allowed")
    _check_depth(fields, name, schema, 1)
    try:
        read = read_form(schema)
    except FormError as wrong:
        raise _bad_form(fields, f"{name}.{wrong.path}", wrong.problem, wrong.hint) from None
    if fields.kept:
        return schema
    if found := unfillable(read):
        raise _bad_form(fields, f"{name}.{found[0]}", f"{found[1]}, so nobody could submit the form")
    if found := idle(schema):
        raise _bad_form(fields, f"{name}.{found[0]}", found[1])
    return schema


def _check_depth(fields: Fields, path: str, value: object, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > MAX_FORM_DEPTH:
        raise _bad_form(fields, path, f"is nested deeper than {MAX_FORM_DEPTH} levels")
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        inside = f"{path}.{str(key)[:64]}" if isinstance(value, dict) else f"{path}[{key}]"
        _check_depth(fields, inside, item, depth + 1)


def _bad_form(fields: Fields, path: str, problem: str, hint: str = "") -> Invalid:
    return fields.invalid(path, problem, code="invalid_form_schema", hint=hint or None)
