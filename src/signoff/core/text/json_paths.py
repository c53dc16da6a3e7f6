"""Paths of the values of a JSON document, for programs and as people read them. Standard library only: the command
line uses it without the server's libraries.
"""

import json
import re
from typing import Final

from signoff.core.text.hidden_characters import CUT, short_path

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
