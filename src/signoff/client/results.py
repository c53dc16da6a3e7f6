"""What a function returned and cannot be reported: why, and where it is kept so that the work is not lost."""

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
    """What in this value the server cannot store, with its place; "" when it can."""
    if depth > DEEPEST:
        return f"it is nested deeper than {DEEPEST} levels"
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if _is_text(value) else f"{where} holds half of a surrogate pair"
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
            return f"{where} has the key {name!r:.40}, which is no text"
        if not _is_text(name):
            return f"a key of {where} holds half of a surrogate pair"
        if fault := fault_in(item, f"{where}.{name:.40}", depth + 1):
            return fault
    return ""


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def kept(delivery: Delivery, value: object) -> str:
    """Keep a result in a file that only this user can read; a sentence that says where."""
    try:
        text = json.dumps(value, default=repr, ensure_ascii=True, indent=1, skipkeys=True)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
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
        return f"It could not be kept: {type(error).__name__}."
    return f"It is kept on {socket.gethostname()} in {path}."
