"""Reads a document from a file: JSON or YAML, one object each."""

from pathlib import Path
from typing import Any

from signoff.documents.json_values import parse_json, unreadable

Document = dict[str, Any]


def read_document(path: Path) -> Document:
    """The object in a .json, .yaml or .yml file; raises Invalid, or OSError."""
    return parse(read_text(path), str(path), yaml=is_yaml(path))


def is_yaml(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml")


def parse(text: str, name: str, *, yaml: bool) -> Document:
    """The object in the text. name: the name of its source, for messages."""
    found = _parse_yaml(text, name) if yaml else parse_json(text, name)
    if not isinstance(found, dict):
        raise unreadable(
            f"{name} does not contain an object.", hint='Expected {"name": value, ...} at the top.'
        )
    return found


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise unreadable(f"{path} is not UTF-8 text.") from None


def _parse_yaml(text: str, name: str) -> Any:
    try:
        from signoff.documents.yaml_values import parse_yaml
    except ModuleNotFoundError:
        raise unreadable(
            f"{name} is YAML, which needs the server part.",
            hint='Install it with pip install "signoff[server]", or write the file as JSON.',
        ) from None
    return parse_yaml(text, name)
