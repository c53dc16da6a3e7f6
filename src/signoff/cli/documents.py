"""Input that a command reads: JSON or YAML, from a file, standard input or the command line itself.

A document is one object. Twice the same key is an error: the reader would otherwise choose one in silence.
"""

import json
import sys
from pathlib import Path
from typing import Any

from signoff.cli.failures import Code, Stop

Document = dict[str, Any]


def read_document(source: str | Path) -> Document:
    """The object in a .json, .yaml or .yml file; ``-`` is standard input, which holds JSON."""
    if source == "-":
        return parse(sys.stdin.read(), "standard input", yaml=False)
    path = Path(source)
    return parse(_text(path), str(path), yaml=path.suffix.lower() in (".yaml", ".yml"))


def read_inline(text: str, option: str) -> Document:
    """The object that an option was given: JSON itself, or ``@FILE``."""
    return read_document(text[1:]) if text.startswith("@") else parse(text, option, yaml=False)


def parse(text: str, name: str, *, yaml: bool) -> Document:
    """The object that text holds; name: of its source, for messages."""
    found = _from_yaml(text, name) if yaml else _from_json(text, name)
    if not isinstance(found, dict):
        raise Stop(Code.USAGE, f"{name} holds no object.", hint='Expected {"name": value, ...} at the top.')
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Stop(Code.USAGE, f"{path} is not UTF-8 text.") from None


def _from_json(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise Stop(
            Code.USAGE, f"{name} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise Stop(Code.USAGE, f"{name} is not acceptable JSON: {error}.") from None


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    found: Document = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _from_yaml(text: str, name: str) -> Any:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.constructor import SafeConstructor
        from ruamel.yaml.error import YAMLError
    except ModuleNotFoundError:
        raise Stop(
            Code.USAGE,
            f"{name} is YAML, which needs the server part.",
            hint='Install it with pip install "signoff[server]", or write the file as JSON.',
        ) from None

    class Constructor(SafeConstructor):
        """Dates stay the text they were written as: a payload is JSON in the end."""

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", Constructor.construct_yaml_str)
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = Constructor
    try:
        found = reader.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise Stop(Code.USAGE, f"{name} is not YAML: {error}") from None
    # What JSON cannot say (a set, a number for a key, .nan) shows here and not as a strange request.
    try:
        return json.loads(json.dumps(found, allow_nan=False), object_pairs_hook=_unique)
    except (TypeError, ValueError) as error:
        raise Stop(Code.USAGE, f"{name} says something that JSON cannot: {error}.") from None
