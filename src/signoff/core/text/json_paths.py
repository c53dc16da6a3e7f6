"""Paths of the values of a JSON document, for programs and as people read them, and the paths in which two documents
differ. Standard library only: the command line uses it without the server's libraries.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signoff.core.text.hidden_characters import CUT, short_path

_ABSENT = object()
_UNLIKE_A_NAME: Final = frozenset('.["')
_PART: Final = re.compile(r'\[(\d+)\]|"(?:[^"\\]|\\.)*"|[^."\[]+|\.')
_LIKE_AN_ITEM: Final = re.compile(r"[#\uFE5F\uFF03]\s*\d|\(\d+ items\)$")


def member_path(path: str, key: str) -> str:
    """The path of an object's member, shortened if long. A key that could be read as a path is quoted, so that no two
    values of a document have the same path.
    """
    return short_path(full_member_path(path, key))


def full_member_path(path: str, key: str) -> str:
    """The path of an object's member, unshortened."""
    name = key if key and _UNLIKE_A_NAME.isdisjoint(key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{name}" if path else name


def item_path(path: str, index: int) -> str:
    """The path of a list's item."""
    return short_path(f"{path}[{index}]")


def readable_path(path: str) -> str:
    """``items #1 price`` for ``items[0].price``: a path as people count. Two paths never read alike: a key that looks
    like a numbered item is quoted. A shortened path is left unchanged, because its parts are not complete.
    """
    if CUT in path:
        return path
    read, after_item = "", False
    for part in _PART.finditer(path):
        if part[1]:
            read, after_item = f"{read}{' ' if read else ''}#{int(part[1]) + 1}", True
        elif part[0] == ".":
            read, after_item = f"{read}{' ' if after_item else '.'}", False
        else:
            name = json.dumps(part[0], ensure_ascii=False) if _reads_as_item(part[0]) else part[0]
            read, after_item = f"{read}{name}", False
    return read


def _reads_as_item(name: str) -> bool:
    return name[0] != '"' and _LIKE_AN_ITEM.search(name) is not None


def changed_paths(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The path of each value that was changed, added or removed, in the order of the second document. It returns no
    values, because they may be secret.
    """
    yield from (changed for changed, _, _ in changed_values(before, after, path, _ABSENT))


def changed_values(before: Any, after: Any, path: str, absent: Any) -> Iterator[tuple[str, Any, Any]]:
    """The changed paths, each with its value before and after; ``absent`` if there is none."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*after, *before)):
            one, two = before.get(name, absent), after.get(name, absent)
            yield from changed_values(one, two, member_path(path, str(name)), absent)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, two) in enumerate(zip(before, after, strict=True)):
            yield from changed_values(one, two, item_path(path, index), absent)
    elif type(before) is not type(after) or before != after:
        yield path, before, after
