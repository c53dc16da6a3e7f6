"""Parses the text of a JSON document. A duplicate key is an error, because the parser would silently choose one."""

import json
from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.text.json_text import MAX_DEPTH, too_deep, unique

TOO_DEEP: Final = f"is nested deeper than {MAX_DEPTH} levels."


def parse_json(text: str, name: str) -> Any:
    """The value in the text; raises Invalid, including for values that JSON does not support."""
    if too_deep(text.encode("utf-8", "surrogatepass")):
        raise unreadable(f"{name} {TOO_DEEP}")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise unreadable(
            f"{name} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise unreadable(f"{name} is not valid JSON: {error}.") from None


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def unreadable(problem: str, hint: str | None = None) -> Invalid:
    return Invalid("unreadable_document", problem, hint=hint)
