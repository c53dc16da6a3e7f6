"""The form to change a request: one input for each plain value of the payload, and the whole payload as JSON below.
Changes in the inputs are merged into the JSON; the engine validates the result. Pure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from signoff.core.errors import Invalid, Malformed
from signoff.core.text import json_value
from signoff.core.text.hidden_characters import pieces, plain_json
from signoff.core.text.json_paths import member_path, readable_path
from signoff.core.text.masking import hides
from signoff.web.http import json_intake

PREFIX: Final = "p."
_LONGEST: Final = 200
_MOST: Final = 30


class Plain(msgspec.Struct, frozen=True):
    """One plain value. ``kind``: text, number or bool; ``value`` as it is typed."""

    name: str
    kind: str
    value: str

    @property
    def label(self) -> str:
        """The name as the card shows it."""
        return readable_path(member_path("", self.name))


class RevisionForm(msgspec.Struct, frozen=True):
    """``text``: the whole payload as JSON; "" if it may not be changed here."""

    text: str = ""
    plain: tuple[Plain, ...] = ()


def draft_of(payload: bytes, posted: Mapping[str, str]) -> RevisionForm:
    """The form for a stored payload, with the posted values if it is shown again for corrections."""
    values = json_value.decode(payload)
    shown = [
        msgspec.structs.replace(one, value=posted.get(PREFIX + one.name, one.value)) for one in _plain(values)
    ]
    text = posted.get("payload") or plain_json(msgspec.json.format(payload, indent=2).decode())
    return RevisionForm(text, tuple(shown))


def _plain(values: Mapping[str, Any]) -> list[Plain]:
    """The values that an input can show unchanged on one line: no hidden characters, no secrets, within the limits of
    a form.
    """
    found: list[Plain] = []
    for name, value in values.items():
        if isinstance(value, bool):
            found.append(Plain(name, "bool", "true" if value else "false"))
        elif isinstance(value, int | float):
            found.append(Plain(name, "number", msgspec.json.encode(value).decode()))
        elif (
            isinstance(value, str) and len(value) <= _LONGEST and "\n" not in value and not hides(value, name)
        ):
            found.append(Plain(name, "text", value))
    return [one for one in found[:_MOST] if not any(p.mark for p in pieces(one.name + one.value))]


def changed_values(payload: bytes, posted: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The values changed in the form; raises Invalid for an invalid number."""
    values = dict(posted)
    found: dict[str, Any] = {}
    for one in _plain(json_value.decode(payload)):
        typed = values.get(PREFIX + one.name, one.value)
        if typed != one.value:
            found[one.name] = _value(one, typed.strip() if one.kind != "text" else typed)
    return found


def _value(one: Plain, typed: str) -> Any:
    if one.kind == "text":
        return typed
    if one.kind == "bool":
        return typed == "true"
    try:
        value = json_intake.parse(typed.encode()).value
    except Malformed:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(
            "not_a_number",
            f"{one.name[:64]}: {typed[:64]!r} is not a number.",
            field="payload",
            hint="For example 3000.",
        )
    return value
