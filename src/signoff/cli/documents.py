"""Reads a command's input: JSON or YAML, from a file, standard input or the command line itself."""

import sys
from pathlib import Path

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.core.errors import Invalid
from signoff.documents import reading
from signoff.documents.reading import Document

__all__ = ["Document", "parse", "read_document", "read_inline"]


def read_document(source: str | Path) -> Document:
    """The object in a .json, .yaml or .yml file. ``-`` means standard input: JSON if it begins with {, or YAML."""
    if source == "-":
        text = sys.stdin.read()
        return parse(text, "standard input", yaml=not text.lstrip().startswith("{"))
    try:
        return reading.read_document(Path(source))
    except Invalid as wrong:
        raise _stop(wrong) from None


def read_inline(text: str, option: str) -> Document:
    """The object in an option's value: JSON, or ``@FILE``."""
    return read_document(text[1:]) if text.startswith("@") else parse(text, option, yaml=False)


def parse(text: str, name: str, *, yaml: bool) -> Document:
    """Parse text into an object. name: the name of its source, for messages."""
    try:
        return reading.parse(text, name, yaml=yaml)
    except Invalid as wrong:
        raise _stop(wrong) from None


def _stop(wrong: Invalid) -> CommandFailed:
    return CommandFailed(ExitCode.USAGE, wrong.message, wrong.hint or "")
