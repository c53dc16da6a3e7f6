"""What a task is about, next to its title in a list."""

from collections.abc import Mapping
from typing import Any, Final

from signoff.core.text.subject import subject

_MOST: Final = 3


def about(task: Mapping[str, Any]) -> str:
    """The first short values of its payload."""
    payload = task.get("payload")
    values = subject(payload, _MOST) if isinstance(payload, Mapping) else ()
    return ", ".join(f"{name} {value}" for name, value in values)
