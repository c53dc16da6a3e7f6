"""Finds the line of a field in the text of a YAML document, for messages about it."""

import re
from typing import Any, Final

from ruamel.yaml import YAML

_PART: Final = re.compile(r"\[(\d+)\]")


def line_of(text: str, field: str) -> int | None:
    """The line of a field of a document, or of its nearest existing parent; None if there is none.

    ``field``: a dotted path as errors name it. Names with dots in them, and steps named by their ids, are found too.
    """
    found, whole = _walk(YAML(typ="safe", pure=True).compose(text), field, 0)
    if not whole and field:
        flows = [f"workflows[{number}].{field}" for number in range(len(_flows(text)))]
        also = [_walk(YAML(typ="safe", pure=True).compose(text), path, 0) for path in flows]
        found = next((line for line, all_of_it in also if all_of_it), found)
    return found or None


def _flows(text: str) -> list[Any]:
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
