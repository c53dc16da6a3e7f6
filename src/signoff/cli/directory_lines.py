"""Lines that several commands print about people and changes of the directory."""

from collections.abc import Mapping
from typing import Any

from signoff.cli.text_safety import visible


def waiting_lines(waits: dict[str, Any]) -> list[str]:
    """A person's open tasks, one line each."""
    lines = [
        f"{one['task_id']}  {one['title']}"
        + ("  (no one else is eligible)" if one.get("only_eligible") else "")
        for one in waits.get("tasks") or ()
    ]
    return [visible(line) for line in lines] + ([] if waits.get("complete", True) else ["... and more"])


def warned(answer: Mapping[str, Any]) -> list[str]:
    """Warnings from the server, one line each."""
    return [visible(f"warning: {text}") for text in answer.get("warnings") or ()]
