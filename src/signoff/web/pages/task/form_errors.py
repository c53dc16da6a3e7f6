"""What is to be corrected in an answer, and where on the page it stands. Pure."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from signoff.core.errors import Refused
from signoff.web.pages.task.schema_form import Field

# What the engine's schema check says where a value is missing.
_MISSING: Final = re.compile(r'^"(?P<name>.*)" is a required property$')
_GROUPS: Final = frozenset({"check", "many", "fixed"})
_BESIDE: Final = {"comment": "comment", "data.evidence": "evidence", "assignee": "assignee"}


class Fault(msgspec.Struct, frozen=True):
    """One thing to correct. ``id``: the element to go to, "" where the page has none for it."""

    id: str
    text: str


def faults_of(
    refusal: Refused | None, fields: Sequence[Field]
) -> tuple[tuple[Fault, ...], tuple[Field, ...]]:
    """(what is to be corrected, the fields with what is wrong with each)"""
    if refusal is None:
        return (), tuple(fields)
    listed = refusal.details.get("errors")
    if not isinstance(listed, list):
        id_ = _BESIDE.get(refusal.field or "", "")
        return ((Fault(id_, refusal.hint or refusal.message),) if id_ else ()), tuple(fields)
    faults: list[Fault] = []
    wrong: dict[int, str] = {}
    for said in map(str, listed):
        at, text = _place(said, fields)
        if at is None:
            faults.append(Fault("", said))
            continue
        wrong.setdefault(at, text)
        group = "-all" if fields[at].control in _GROUPS else ""
        faults.append(Fault(f"f{at + 1}{group}", f"{fields[at].label}: {text}"))
    marked = tuple(msgspec.structs.replace(f, fault=wrong.get(at, "")) for at, f in enumerate(fields))
    return tuple(faults), marked


def _place(said: str, fields: Sequence[Field]) -> tuple[int | None, str]:
    """(which field a fault is about, None where none is known; the fault in words)"""
    path, _, text = said.partition(": ")
    parts = tuple(path.split(".")) if path != "form" else ()
    missing = _MISSING.match(text)
    if missing:
        parts, text = (*parts, missing["name"]), "this is needed"
    places = (at for at, field in enumerate(fields) if field.path == parts[: len(field.path)])
    return next(places, None), text
