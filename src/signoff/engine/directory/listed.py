"""Entries of a directory in the order of a list, read page by page and searched: sorted once, not for every page."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
Key = tuple[Any, ...]


class ListPage(NamedTuple, Generic[T]):
    """A page of a list; ``more``: whether another follows."""

    entries: list[T]
    more: bool


class Listed(Generic[T]):
    """Made of (key, text to search, entry); the keys are distinct."""

    def __init__(self, entries: Iterable[tuple[Key, str, T]]) -> None:
        rows = sorted(entries, key=lambda row: row[0])
        self._keys = [key for key, _, _ in rows]
        self._rows = [(text.lower(), entry) for _, text, entry in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def page(self, words: str, after: Key | None, limit: int) -> ListPage[T]:
        """At most ``limit`` entries that contain all of the words, behind the entry with the key ``after``, which need
        not exist any more.
        """
        wanted = list(dict.fromkeys(words.lower().split()))
        found: list[T] = []
        for place in range(bisect_right(self._keys, after) if after is not None else 0, len(self._rows)):
            text, entry = self._rows[place]
            if all(word in text for word in wanted):
                if len(found) == limit:
                    return ListPage(found, True)
                found.append(entry)
        return ListPage(found, False)
