"""What every way of asking people has in common, whoever wrote it: titles, outcomes, demands, the form."""

import re
from typing import Any, Final

import msgspec

from signoff.core.errors import Invalid
from signoff.core.plan.form_schema import FormError, read_form
from signoff.core.plan.plan import SUCCESS
from signoff.core.plan.task_types import (
    BUILT_IN,
    COMMENT_NEEDED,
    ENDING_OF,
    EVIDENCE_NEEDED,
    MEANS,
    OUTCOMES,
    POSITIVE,
    Ending,
    Outcome,
    Sign,
    Stage,
    TaskSpec,
    TaskType,
    meaning_of,
    usual_meaning,
)
from signoff.core.text.document_reader import Fields, shown, suggestion

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")
# How a task ends that nobody has answered.
_RESERVED: Final = frozenset(ending.value for ending in Ending if ending not in ENDING_OF.values()) | {
    Ending.SUPERSEDED
}
MAX_FORM_BYTES: Final = 16 * 1024
MAX_FORM_DEPTH: Final = 8
MAX_REMINDERS: Final = 1000
_ANYBODY: Final = TaskSpec().stages

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


_PLACEHOLDER: Final = re.compile(r"\{\{?\s*[\w$][^{}\n]{0,100}\}\}?")


def title(fields: Fields, kind: TaskType) -> str:
    """What a task is called. It is shown as it is written: nothing is filled in, so braces are refused, or (AXP) said
    to stay what they are.
    """
    words = fields.text("title")
    if "{" in words or "}" in words:
        if not fields.lenient:
            raise fields.invalid(
                "title", "holds braces, and nothing is filled in for them yet", code="placeholder_in_title",
                hint="Say it without: the payload stands on the card below the title.",
            )  # fmt: skip
        fields.warn("title", "holds braces; it is shown as it is written, nothing is filled in")
    return words or TITLES[kind]


def refuse_placeholders(fields: Fields, name: str, text: str) -> None:
    """Refuse a text in which values would have to be filled in, or (AXP) warn of it: it is sent as it is written."""
    found = _PLACEHOLDER.search(text)
    if found is None:
        return
    if not fields.lenient:
        raise fields.invalid(
            name, f"holds {shown(found.group())}, and nothing is filled in for it yet", code="placeholder_in_text",
            hint="Say it without; the message names the request.",
        )  # fmt: skip
    fields.warn(name, f"{shown(found.group())} stands there as it is written, nothing is filled in")


def asked_form(fields: Fields, name: str, kind: TaskType) -> dict[str, Any] | None:
    """The form of a task. A form task without one is refused, or (AXP) warned of: there is nothing to fill in."""
    schema = form(fields, name)
    if kind is not TaskType.FORM or (schema and schema.get("properties")):
        return schema
    if not fields.lenient:
        raise fields.invalid(
            name, "is required: this is a form task, and there is nothing to fill in", code="missing_field",
            hint='For example {"properties": {"ticket": {"type": "string"}}}; or make it type: approval.',
        )  # fmt: skip
    fields.warn(name, "there is none, so this form task has nothing to fill in")
    return schema


def one_decision(approvers: tuple[str, ...]) -> tuple[Stage, ...]:
    """One stage, decided by one of these people; by anyone who may approve where none is named."""
    return (Stage(approvers),) if approvers else _ANYBODY


def outcomes(fields: Fields, name: str, kind: TaskType) -> tuple[str, ...]:
    """The outcomes a task allows: as listed (1 to 20 words of at most 64 characters), else its type's own."""
    return fields.texts(name, most=20, longest=64) or OUTCOMES[kind]


def own_outcomes(human: Fields, kind: TaskType) -> tuple[tuple[str, ...], tuple[Outcome, ...]]:
    """The outcomes that a workflow lists, and those of them that it defines: a built-in word, or an object with the
    word, what it ``means`` and where it leads. A word whose meaning nobody has said is refused.
    """
    listed = human.each("outcomes", most=20)
    found = [_outcome(human, index, entry) for index, entry in enumerate(listed)]
    words = tuple(one.name for one in found)
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise human.invalid("outcomes", f"{twice!r} stands there twice")
    labels = [one.label for one in found if one.label]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise human.invalid("outcomes", f"two of them have the label {twice!r}")
    if not words:
        return OUTCOMES[kind], ()
    if not any(one.sign is Sign.POSITIVE for one in found):
        hint = f"For example: {', '.join(OUTCOMES[kind])}."
        raise human.invalid("outcomes", "none of these is a yes, so nothing could ever pass", hint=hint)
    folded = [word.lower() for word in words]
    if twice := next((word for word in words if folded.count(word.lower()) > 1), None):
        raise human.invalid("outcomes", f"two of them are {twice!r} but for capital letters")
    if all(one.sign is Sign.POSITIVE for one in found) and kind is not TaskType.FORM:
        hint = f"Add one that means reject, for example: {', '.join(OUTCOMES[kind])}."
        raise human.invalid("outcomes", "each of these is a yes, so nobody could say no", hint=hint)
    return words, tuple(one for one in found if one != Outcome(one.name, meaning_of(one.name)))


def _outcome(human: Fields, index: int, entry: object) -> Outcome:
    place = f"outcomes[{index}]"
    if isinstance(entry, str):
        word = entry.strip()
        if word not in BUILT_IN:
            hint = suggestion(word, sorted(BUILT_IN)) or (
                f"Say what it means: {{name: {shown(word) or 'NAME'}, means: approve}}, or reject, or changes."
            )
            raise human.invalid(place, f"nothing says what {shown(word)!r} means", hint=hint)
        return Outcome(word, meaning_of(word))
    outcome = human.item("outcomes", index, entry)
    outcome.known("name", "label", "means", "goto", "as")
    word = outcome.need("name", longest=64)
    if not _WORD.fullmatch(word):
        raise outcome.invalid(
            "name", f"{shown(word)!r} is not a name", hint="Letters, digits, '.', '_' and '-'."
        )
    if word in _RESERVED:
        raise outcome.invalid("name", f"{word!r} is how a task ends by itself", hint="Choose another name.")
    means = outcome.text("means", longest=64) if word in BUILT_IN else outcome.need("means", longest=64)
    if means and means not in MEANS:
        hint = suggestion(means, [*MEANS]) or "Known: " + ", ".join(MEANS) + "."
        raise outcome.invalid("means", f"{shown(means)!r} is no meaning", hint=hint)
    sign = MEANS[means] if means else meaning_of(word)
    if word in BUILT_IN and sign is not meaning_of(word):
        meant = next(name for name, one in MEANS.items() if one is meaning_of(word))
        raise outcome.invalid("means", f"{word!r} always means {meant}", hint="Choose another name for it.")
    for name in ("name", "label"):
        _refuse_opposite(outcome, name, sign)
    success = _success(outcome, sign)
    return Outcome(word, sign, outcome.text("label", longest=64), outcome.text("goto", longest=100), success)


def _refuse_opposite(outcome: Fields, name: str, sign: Sign) -> None:
    """Refuse a word or a button that everybody reads as the other thing."""
    word = outcome.text(name, longest=64)
    usual = usual_meaning(word)
    if usual is not None and usual is not sign:
        meant = next(given for given, one in MEANS.items() if one is usual)
        raise outcome.invalid(name, f"{shown(word)!r} is read as {meant}", hint="Choose another word for it.")


def _success(outcome: Fields, sign: Sign) -> bool:
    word = outcome.text("as", longest=64)
    if not word:
        return False
    if word != SUCCESS:
        raise outcome.invalid("as", f"{shown(word)!r} is unknown here", hint="as: success, or leave it out.")
    if sign is not Sign.NEGATIVE or not outcome.has("goto"):
        raise outcome.invalid("as", "has an effect only beside goto, on an outcome that means reject")
    return True


def can_say_yes(allowed: tuple[str, ...]) -> bool:
    """Whether one of the outcomes is a yes; if not, every answer ends the step as a no."""
    return not POSITIVE.isdisjoint(allowed)


def comment_required(given: bool | None, kind: TaskType) -> bool:
    return kind in COMMENT_NEEDED if given is None else given


def evidence_required(given: bool | None, kind: TaskType) -> bool:
    return kind in EVIDENCE_NEEDED if given is None else given


def form(fields: Fields, name: str) -> dict[str, Any] | None:
    """The JSON Schema of an answer, or None; raises Invalid unless it is one small schema of an object, at most
    16 KiB and 8 deep, of the keywords that ``core/plan/form_schema.py`` knows.
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
        read_form(schema)
    except FormError as wrong:
        raise _bad_form(fields, f"{name}.{wrong.path}", wrong.problem, wrong.hint) from None
    return schema


def _check_depth(fields: Fields, path: str, value: object, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > MAX_FORM_DEPTH:
        raise _bad_form(fields, path, f"is nested more than {MAX_FORM_DEPTH} deep")
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        inside = f"{path}.{str(key)[:64]}" if isinstance(value, dict) else f"{path}[{key}]"
        _check_depth(fields, inside, item, depth + 1)


def _bad_form(fields: Fields, path: str, problem: str, hint: str = "") -> Invalid:
    return fields.invalid(path, problem, code="invalid_form_schema", hint=hint or None)
