"""A form's answer against its JSON Schema: values coerced to the declared type first (AXP's command line sends
strings), then validated offline: a remote ``$ref`` is never fetched.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from signoff.core.commands import Answer
from signoff.core.errors import Invalid
from signoff.core.model import Intent, Task
from signoff.core.tasks import Sign, TaskSpec, canonical_outcome
from signoff.core.wake import spec_of

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,17}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def checked_form(intent: Intent, command: Answer) -> Answer:
    """The answer with its data coerced; raises Invalid(``form_invalid``) listing every fault."""
    task = intent.open
    if not isinstance(task, Task):
        return command
    spec = spec_of(intent, task)
    schema = spec.form
    if schema is None or _sign(spec, command.outcome, task) is not Sign.POSITIVE:
        return command
    properties: dict[str, Any] = schema.get("properties", {})
    data = coerced(spec, command.outcome, command.data, task.agreed)
    whole = dict(data)
    if "outcome" in properties:
        whole["outcome"] = command.outcome
    if "comment" in properties and command.comment:
        whole["comment"] = command.comment
    evidence = whole.pop("evidence", None) if "evidence" not in properties else None
    faults = [
        f"{_path(fault)}: {fault.message}"
        for fault in _validator(msgspec.json.encode(schema)).iter_errors(whole)
    ]
    if evidence is not None:
        data["evidence"] = evidence
    if faults:
        raise Invalid(
            "form_invalid",
            "The form is not filled in right: " + "; ".join(faults[:5]),
            field="data",
            details={"errors": faults[:20]},
            hint="Correct these fields and answer again; nothing was recorded.",
        )
    return msgspec.structs.replace(command, data=data)


def _sign(spec: TaskSpec, outcome: str, task: Task) -> Sign:
    return spec.sign(canonical_outcome(spec, outcome, task.agreed))


def coerced(spec: TaskSpec, outcome: str, data: Mapping[str, Any], agreed: str = "") -> dict[str, Any]:
    """The data as it is recorded: each value of the form's declared type, and its yes where the outcome says yes."""
    if spec.form is None or spec.sign(canonical_outcome(spec, outcome, agreed)) is not Sign.POSITIVE:
        return dict(data)
    properties: dict[str, Any] = spec.form.get("properties", {})
    found = {name: _coerced(value, properties.get(name, {})) for name, value in data.items()}
    said = {name: True for name in ("approved", "acknowledged") if name in properties and name not in found}
    return found | said


def check_schema(schema: dict[str, Any]) -> None:
    """Raise Invalid(``invalid_form_schema``) when this is not a JSON Schema that can be used."""
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise Invalid(
            "invalid_form_schema", f"The form's schema cannot be used: {error}", field="form"
        ) from error


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(msgspec.json.decode(schema), offline=True)


def _path(fault: Any) -> str:
    return ".".join(str(part) for part in fault.instance_path) or "form"


def _coerced(value: Any, schema: Any) -> Any:
    if not isinstance(value, str) or not isinstance(schema, dict):
        return value
    kind = schema.get("type")
    if kind == "boolean":
        return _BOOLEANS.get(value.strip().lower(), value)
    return number_of(value) if kind in ("integer", "number") else value


def number_of(text: str) -> Any:
    """The number that a text writes; any other text as it is, for the schema to refuse. A whole number that not every
    reader of JSON holds exactly, and one that no reader does, is none.
    """
    written = text.strip()
    if _WHOLE.fullmatch(written):
        return int(written) if abs(int(written)) < 2**53 else text
    number = float(written) if _NUMBER.fullmatch(written) else math.inf
    return number if math.isfinite(number) else text
