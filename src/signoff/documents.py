"""Reads documents from files: JSON or YAML, one object each. A duplicate key is an error, because the parser would
silently choose one. Errors name the line.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.text.json_text import MAX_DEPTH, too_deep, unique

Document = dict[str, Any]
# The part of a parser's message that quotes more than one character of the document.
_QUOTED: Final = re.compile(r"\"[^\"]{4,}\"|'[^']{4,}'|<[^<>]*://[^<>]*>")
MAX_YAML: Final = 1024 * 1024
MAX_VALUES: Final = 200_000
_LONGEST_NUMBER: Final = 100


def read_document(path: Path) -> Document:
    """The object in a .json, .yaml or .yml file; raises Invalid, or OSError."""
    return parse(read_text(path), str(path), yaml=is_yaml(path))


def is_yaml(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml")


def parse(text: str, name: str, *, yaml: bool) -> Document:
    """The object in the text. name: the name of its source, for messages."""
    found = _from_yaml(text, name) if yaml else parse_json(text, name)
    if not isinstance(found, dict):
        raise _wrong(f"{name} does not contain an object.", hint='Expected {"name": value, ...} at the top.')
    return found


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(f"{path} is not UTF-8 text.") from None


def parse_json(text: str, name: str) -> Any:
    """The value in the text; raises Invalid, including for values that JSON does not support."""
    if too_deep(text.encode("utf-8", "surrogatepass")):
        raise _too_deep(name)
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise _wrong(
            f"{name} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{name} is not valid JSON: {error}.") from None


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _from_yaml(text: str, name: str) -> Any:
    if len(text) > MAX_YAML:
        raise _wrong(f"{name} is longer than {MAX_YAML} characters.", hint="Split it, or write it as JSON.")
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.composer import Composer
        from ruamel.yaml.constructor import SafeConstructor
        from ruamel.yaml.error import YAMLError
    except ModuleNotFoundError:
        raise _wrong(
            f"{name} is YAML, which needs the server part.",
            hint='Install it with pip install "signoff[server]", or write the file as JSON.',
        ) from None

    class Limited(Composer):
        """Limits depth and merged values while reading."""

        nested = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nested += 1
            if self.nested > MAX_DEPTH + 1:
                raise _too_deep(name)
            node = super().compose_node(parent, index)
            self.nested -= 1
            return node

    class Constructor(SafeConstructor):
        """Keeps dates as text, as written, because a payload becomes JSON."""

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self._merged = 0
            self._merging: set[int] = set()

        def flatten_mapping(self, node: Any) -> Any:
            if id(node) in self._merging:
                raise _wrong(f"{name} merges a mapping into itself.")
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
                if self._merged > MAX_VALUES:
                    raise _too_many(name)

        def construct_number(self, node: Any) -> Any:
            if len(node.value) > _LONGEST_NUMBER:
                raise _wrong(f"{name} is not valid YAML: a number has more than {_LONGEST_NUMBER} digits.")
            whole = node.tag.endswith("int")
            return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)

        def refuse(self, node: Any) -> Any:
            kind = node.tag.rpartition(":")[2]
            raise _wrong(
                f"{name} contains a type that JSON does not support: !!{kind} (line {node.start_mark.line + 1})."
            )

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", Constructor.construct_yaml_str)
    for kind in ("int", "float"):
        Constructor.add_constructor(f"tag:yaml.org,2002:{kind}", Constructor.construct_number)
    for kind in ("set", "omap", "pairs", "binary"):
        Constructor.add_constructor(f"tag:yaml.org,2002:{kind}", Constructor.refuse)
    reader = YAML(typ="safe", pure=True)
    reader.Composer, reader.Constructor = Limited, Constructor
    try:
        found = reader.load(text)
    except YAMLError as error:
        raise _wrong(f"{name} is not YAML: {_yaml_words(error)}.") from None
    except RecursionError:
        raise _wrong(f"{name} is not valid YAML: it is nested too deeply.") from None
    except ValueError:
        raise _wrong(f"{name} is not valid YAML: a value does not match its tag.") from None
    _check_size(found, name)
    # Values that JSON does not support (a set, a number as a key, .nan) are refused here, or they would make a
    # strange request.
    try:
        return json.loads(json.dumps(found, allow_nan=False), object_pairs_hook=unique)
    except (TypeError, ValueError) as error:
        raise _wrong(f"{name} contains a value that JSON does not support: {error}.") from None


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


def _check_size(found: Any, name: str) -> None:
    """Raise Invalid for a document that is nested too deeply, or exceeds MAX_VALUES once its aliases are expanded."""
    size = 0
    level = [found]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict | list):
                size += len(value)
                if size > MAX_VALUES:
                    raise _too_many(name)
                inner += value.values() if isinstance(value, dict) else value
        if not inner:
            return
        level = inner
    raise _too_deep(name)


def _too_many(name: str) -> Invalid:
    return _wrong(f"{name} contains more than {MAX_VALUES} values after expanding aliases.")


def _too_deep(name: str) -> Invalid:
    return _wrong(f"{name} is nested deeper than {MAX_DEPTH} levels.")


def _wrong(problem: str, hint: str | None = None) -> Invalid:
    return Invalid("unreadable_document", problem, hint=hint)


_PART: Final = re.compile(r"\[(\d+)\]")


def line_of(text: str, field: str) -> int | None:
    """The line of a field of a document, or of its nearest existing parent; None if there is none.

    ``field``: a dotted path as errors name it. Names with dots in them, and steps named by their ids, are found too.
    """
    from ruamel.yaml import YAML

    found, whole = _walk(YAML(typ="safe", pure=True).compose(text), field, 0)
    if not whole and field:
        flows = [f"workflows[{number}].{field}" for number in range(len(_flows(text)))]
        also = [_walk(YAML(typ="safe", pure=True).compose(text), path, 0) for path in flows]
        found = next((line for line, all_of_it in also if all_of_it), found)
    return found or None


def _flows(text: str) -> list[Any]:
    from ruamel.yaml import YAML

    flows = YAML(typ="safe", pure=True).load(text).get("workflows")
    return flows if isinstance(flows, list) else []


def _walk(node: Any, path: str, line: int) -> tuple[int, bool]:
    """Return the line of the last existing part of the path, and whether the path exists completely."""
    if not path:
        return line, True
    index = _PART.match(path)
    if isinstance(getattr(node, "value", None), list) and node.id == "sequence":
        if index is not None and int(index[1]) < len(node.value):
            item = node.value[int(index[1])]
            return _walk(item, path[index.end() :].lstrip("."), item.start_mark.line + 1)
        for item in node.value:  # a step that is named by its id
            name = _text_at(item, "id")
            if name and _begins(path, name):
                return _walk(item, path[len(name) :].lstrip("."), item.start_mark.line + 1)
        return line, False
    if getattr(node, "id", "") != "mapping":
        return line, False
    pairs = [(key, value) for key, value in node.value if _begins(path, str(key.value))]
    if not pairs:
        return line, False
    key, value = max(pairs, key=lambda pair: len(str(pair[0].value)))
    return _walk(value, path[len(str(key.value)) :].lstrip("."), key.start_mark.line + 1)


def _begins(path: str, name: str) -> bool:
    return path.startswith(name) and path[len(name) : len(name) + 1] in ("", ".", "[")


def _text_at(node: Any, name: str) -> str:
    pairs = node.value if getattr(node, "id", "") == "mapping" else []
    return next((str(value.value) for key, value in pairs if key.value == name), "")
