"""Determines why a handler's return value cannot be reported, and saves it so that the work is not lost."""

import json
import math
import os
import socket
import tempfile
from collections.abc import Mapping
from typing import Any, Final

from signoff.client.types import Delivery

LARGEST_INTEGER: Final = 2**53 - 1
DEEPEST: Final = 30


def fault_in(value: object, where: str = "result", depth: int = 0) -> str:
    """The part of this value that the server cannot store, with its path; "" if it can store all of it."""
    if depth > DEEPEST:
        return f"it is nested deeper than {DEEPEST} levels"
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if _is_text(value) else f"{where} contains half of a surrogate pair"
    if isinstance(value, int):
        fits = abs(value) <= LARGEST_INTEGER
        return "" if fits else f"{where} is an integer beyond 2^53 - 1 (send it as text)"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{where} is {value}"
    if isinstance(value, dict) or (depth == 0 and isinstance(value, Mapping)):
        return _fault_in_mapping(value, where, depth)
    if isinstance(value, list | tuple):
        faults = (fault_in(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value))
        return next((fault for fault in faults if fault), "")
    return f"{where} is a {type(value).__name__}"


def _fault_in_mapping(value: Mapping[Any, Any], where: str, depth: int) -> str:
    for name, item in value.items():
        if not isinstance(name, str):
            return f"{where} has the key {name!r:.40}, which is not text"
        if not _is_text(name):
            return f"a key of {where} contains half of a surrogate pair"
        if fault := fault_in(item, f"{where}.{name:.40}", depth + 1):
            return fault
    return ""


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def kept(delivery: Delivery, value: object) -> str:
    """Save a result in a file that only this user can read; returns a sentence with its path. Never raises, even
    if the value's own methods do, because the work is already done.
    """
    try:
        text = json.dumps(value, default=_shown, ensure_ascii=True, indent=1, skipkeys=True)
    except Exception:  # too deep, circular, or with methods that fail
        text = _written(value)
    try:
        name = "".join(
            letter
            for letter in f"{delivery.intent_id}-{delivery.step_id}"
            if letter.isalnum() or letter in "-_"
        )
        handle, path = tempfile.mkstemp(prefix=f"signoff-result-{name[:80]}-", suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        return f"It could not be saved: {type(error).__name__}."
    return f"It is saved on {socket.gethostname()} in {path}."


def _shown(value: object) -> str:
    """Text for a value that JSON does not support, even if its methods raise."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def _written(value: object) -> str:
    """Writes JSON of any depth, without recursion; circular or unreadable values are replaced by a note."""
    parts: list[str] = []
    within: set[int] = set()
    todo: list[tuple[str, Any]] = [("value", value)]
    while todo:
        kind, item = todo.pop()
        if kind == "text":
            parts.append(item)
            continue
        if kind == "end":
            ended, bracket = item
            within.discard(ended)
            parts.append(bracket)
            continue
        if id(item) in within:
            parts.append(json.dumps(f"<{type(item).__name__} that contains itself>"))
            continue
        try:
            children, ends = _opened(item)
        except Exception as error:
            parts.append(json.dumps(f"<{type(item).__name__} that raised {type(error).__name__}>"))
            continue
        if not ends:
            parts.append(children)
            continue
        within.add(id(item))
        parts.append(ends[0])
        todo.append(("end", (id(item), ends[1])))
        for place, (name, child) in reversed(list(enumerate(children))):
            todo.append(("value", child))
            todo.append(("text", ("," if place else "") + name))
    return "".join(parts)


def _opened(item: Any) -> tuple[Any, str]:
    """The members of a container, each with the text before it, and its brackets; for any other value, its text and
    "".
    """
    if isinstance(item, Mapping):
        return [(json.dumps(_shown_key(name)) + ":", child) for name, child in item.items()], "{}"
    if isinstance(item, list | tuple):
        return [("", child) for child in item], "[]"
    return json.dumps(item, default=_shown), ""


def _shown_key(name: object) -> str:
    return str(name) if isinstance(name, str) else _shown(name)
