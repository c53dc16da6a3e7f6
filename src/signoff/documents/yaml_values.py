"""Parses the text of a YAML document into the values of JSON. Errors name the line, and what would exceed a limit is
refused before it is built. Needs ruamel.yaml, which the server part installs.
"""

import json
import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from signoff.core.text.json_text import MAX_DEPTH, unique
from signoff.documents.json_values import TOO_DEEP, unreadable

# The part of a parser's message that quotes more than one character of the document.
_QUOTED: Final = re.compile(r"\"[^\"]{4,}\"|'[^']{4,}'|<[^<>]*://[^<>]*>")
_MAX_YAML: Final = 1024 * 1024
_MAX_VALUES: Final = 200_000
_LONGEST_NUMBER: Final = 100
_TOO_MANY: Final = f"contains more than {_MAX_VALUES} values after expanding aliases."


class _Refused(Exception):
    """What is wrong with a document, to follow its name."""


def parse_yaml(text: str, name: str) -> Any:
    """The value in the text; raises Invalid, including for values that JSON does not support."""
    if len(text) > _MAX_YAML:
        raise unreadable(
            f"{name} is longer than {_MAX_YAML} characters.", hint="Split it, or write it as JSON."
        )
    reader = YAML(typ="safe", pure=True)
    reader.Composer, reader.Constructor = _Composer, _Constructor
    try:
        found = reader.load(text)
        _check_size(found)
    except YAMLError as error:
        raise unreadable(f"{name} is not YAML: {_yaml_words(error)}.") from None
    except RecursionError:
        raise unreadable(f"{name} is not valid YAML: it is nested too deeply.") from None
    except ValueError:
        raise unreadable(f"{name} is not valid YAML: a value does not match its tag.") from None
    except _Refused as refused:
        raise unreadable(f"{name} {refused}") from None
    # Values that JSON does not support (a set, a number as a key, .nan) are refused here, or they would make a
    # strange request.
    try:
        return json.loads(json.dumps(found, allow_nan=False), object_pairs_hook=unique)
    except (TypeError, ValueError) as error:
        raise unreadable(f"{name} contains a value that JSON does not support: {error}.") from None


class _Composer(Composer):
    """Refuses a document that is nested too deeply while it is read."""

    nested = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.nested += 1
        if self.nested > MAX_DEPTH + 1:
            raise _Refused(TOO_DEEP)
        node = super().compose_node(parent, index)
        self.nested -= 1
        return node


class _Constructor(SafeConstructor):
    """Keeps dates as text, as written, because a payload becomes JSON. Limits merged values and long numbers."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._merged = 0
        self._merging: set[int] = set()

    def flatten_mapping(self, node: Any) -> Any:
        if id(node) in self._merging:
            raise _Refused("merges a mapping into itself.")
        self._merging.add(id(node))
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                self._count(value)
        self._merging.discard(id(node))
        return super().flatten_mapping(node)

    def _count(self, merged: Any) -> None:
        """Count the values of a merge key before they are copied."""
        for one in merged.value if merged.id == "sequence" else [merged]:
            if one.id == "mapping":
                self.flatten_mapping(one)
                self._merged += 1 + len(one.value)
            if self._merged > _MAX_VALUES:
                raise _Refused(_TOO_MANY)

    def construct_number(self, node: Any) -> Any:
        if len(node.value) > _LONGEST_NUMBER:
            raise _Refused(f"is not valid YAML: a number has more than {_LONGEST_NUMBER} digits.")
        whole = node.tag.endswith("int")
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)

    def refuse(self, node: Any) -> Any:
        kind = node.tag.rpartition(":")[2]
        line = node.start_mark.line + 1
        raise _Refused(f"contains a type that JSON does not support: !!{kind} (line {line}).")


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_str)
for _kind in ("int", "float"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _Constructor.construct_number)
for _kind in ("set", "omap", "pairs", "binary"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _Constructor.refuse)


def _yaml_words(error: Exception) -> str:
    """What is wrong and where, without the surrounding lines, which the parser quotes and which may contain a
    secret.
    """
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or "it cannot be read"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if type(error).__name__ == "DuplicateKeyError":
        problem = "a duplicate key in one mapping"
    reason = _QUOTED.sub("\u2026", str(problem).splitlines()[0]).strip()
    return f"{reason} (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else reason


def _check_size(found: Any) -> None:
    """Refuse a document that is nested too deeply, or exceeds _MAX_VALUES once its aliases are expanded."""
    size = 0
    level = [found]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict | list):
                size += len(value)
                if size > _MAX_VALUES:
                    raise _Refused(_TOO_MANY)
                inner += value.values() if isinstance(value, dict) else value
        if not inner:
            return
        level = inner
    raise _Refused(TOO_DEEP)
