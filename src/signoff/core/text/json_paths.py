"""Paths of the values of a JSON document, and the paths in which two documents differ. Standard library only: the
command line uses it without the server's libraries.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signoff.core.text.hidden_characters import short_path

_ABSENT = object()
_UNLIKE_A_NAME: Final = frozenset('.["')


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
