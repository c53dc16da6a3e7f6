"""Checks a form's answer against its JSON Schema: values are first coerced to the declared type (AXP's command line
sends strings), then validated. A schema that an earlier release accepted, with keywords that are refused today, is
still used if validation with it is guaranteed to be cheap.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from signoff.core.errors import Invalid
from signoff.core.intent.commands import Answer
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.plan.answers import canonical_outcome
from signoff.core.plan.form_schema import Form, FormError, read_form
from signoff.core.plan.task_types import Meaning, TaskSpec
from signoff.core.text import json_value

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,17}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_MOST_WORK: Final = 2_000_000
_MOST_PATTERN: Final = 64 * 1024
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def checked_form(intent: Intent, command: Answer) -> Answer:
    """The answer with its data coerced; raises Invalid(``form_invalid``) with a list of all errors."""
    task = intent.open
    if not isinstance(task, Task):
        return command
    spec = spec_of(intent, task)
    schema = spec.form
    if schema is None or _sign(spec, command.outcome, task) is not Meaning.APPROVES:
        return command
    properties: dict[str, Any] = schema.get("properties", {})
    data = coerced(spec, command.outcome, command.data, task.agreed)
    whole = dict(data)
    if "outcome" in properties:
        whole["outcome"] = command.outcome
    if "comment" in properties and command.comment:
        whole["comment"] = command.comment
    evidence = whole.pop("evidence", None) if "evidence" not in properties else None
    faults = form_faults(schema, whole)
    if evidence is not None:
        data["evidence"] = evidence
    if faults:
        raise Invalid(
            "form_invalid",
            "The form has errors: " + "; ".join(faults[:5]),
            field="data",
            details={"errors": faults[:20]},
            hint="Correct these fields and answer again; nothing was recorded.",
        )
    return msgspec.structs.replace(command, data=data)


def _sign(spec: TaskSpec, outcome: str, task: Task) -> Meaning:
    return spec.meaning(canonical_outcome(spec, outcome, task.agreed))


def coerced(spec: TaskSpec, outcome: str, data: Mapping[str, Any], agreed: str = "") -> dict[str, Any]:
    """The data to record: each value in its declared type, and the approving field set if the outcome approves."""
    if spec.form is None or spec.meaning(canonical_outcome(spec, outcome, agreed)) is not Meaning.APPROVES:
        return dict(data)
    properties: dict[str, Any] = spec.form.get("properties", {})
    found = {name: _coerced(value, properties.get(name, {})) for name, value in data.items()}
    fields = {name: True for name in ("approved", "acknowledged") if name in properties and name not in found}
    return found | fields


def form_faults(schema: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """The errors in a form's data, each with its path; raises Invalid if the schema cannot be used."""
    written = msgspec.json.encode(schema)
    form = _form(written)
    if form is not None:
        return [f"{_path(path)}: {problem}" for path, problem in form.faults(data)]
    return [f"{_path(fault.instance_path)}: {fault.message}" for fault in _old_faults(written, schema, data)]


@lru_cache(maxsize=256)
def _form(schema: bytes) -> Form | None:
    """The form; None for a schema of an earlier release that uses more than a form may use today."""
    try:
        return read_form(json_value.decode(schema))
    except FormError:
        return None


def _old_faults(written: bytes, schema: dict[str, Any], data: dict[str, Any]) -> Iterator[Any]:
    """The validation errors under a schema of an earlier release; raises Invalid if its cost cannot be bounded."""
    work = _work(schema, schema, {}) * len(msgspec.json.encode(data))
    if work > _MOST_WORK:
        raise _too_costly("validating an answer with it could take a very long time")
    try:
        return iter(_old_validator(written).iter_errors(data))
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        raise _too_costly("it cannot be used") from None


def _work(value: Any, whole: Any, known: dict[str, int]) -> int:
    """The maximum number of rules in a schema after expanding references; ``known``: the same number for each
    reference. A cycle, or an external reference, counts as too many.
    """
    if isinstance(value, list):
        return 1 + sum(_work(item, whole, known) for item in value)
    if not isinstance(value, dict):
        return 1
    total = 1
    for name, item in value.items():
        if name in _REFERENCES and isinstance(item, str):
            if item not in known:
                known[item] = _MOST_WORK + 1  # provisional: a reference cycle gets this value
                known[item] = _work(_target(whole, item), whole, known)
            total += known[item]
        else:
            total += _work(item, whole, known)
    return total


def _target(whole: Any, reference: str) -> Any:
    """The target of a reference within the schema; raises Invalid for any other."""
    found = whole
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part) if isinstance(found, dict) else None
    if not reference.startswith("#/") or found is None:
        raise _too_costly("it has an external reference")
    return found


def _too_costly(why: str) -> Invalid:
    return Invalid(
        "form_unusable",
        f"The schema of this form is from an earlier release, and {why}.",
        field="data",
        hint="Reject it, or withdraw the request and send it again with a form that has only supported keywords.",
    )


@lru_cache(maxsize=64)
def _old_validator(schema: bytes) -> Any:
    small = jsonschema_rs.RegexOptions(size_limit=_MOST_PATTERN, dfa_size_limit=_MOST_PATTERN)
    return jsonschema_rs.validator_for(json_value.decode(schema), offline=True, pattern_options=small)


def _path(path: Iterable[Any]) -> str:
    return ".".join(map(str, path)) or "form"


def _coerced(value: Any, schema: Any) -> Any:
    if not isinstance(value, str) or not isinstance(schema, dict):
        return value
    kind = schema.get("type")
    if kind == "boolean":
        return _BOOLEANS.get(value.strip().lower(), value)
    return number_of(value) if kind in ("integer", "number") else value


def number_of(text: str) -> Any:
    """The text converted to a number. Text that is not a number, or is a number that JSON readers cannot represent
    exactly, is returned unchanged, so that the schema refuses it.
    """
    written = text.strip()
    if _WHOLE.fullmatch(written):
        return int(written) if abs(int(written)) < 2**53 else text
    number = float(written) if _NUMBER.fullmatch(written) else math.inf
    return number if math.isfinite(number) else text
