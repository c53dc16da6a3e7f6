"""A list of a directory's entries that is read page by page and searched. It is sorted once, not for every page."""

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
    """A sorted list, built from (key, searchable text, entry); the keys must be distinct."""

    def __init__(self, entries: Iterable[tuple[Key, str, T]]) -> None:
        rows = sorted(entries, key=lambda row: row[0])
        self._keys = [key for key, _, _ in rows]
        self._rows = [(text.lower(), entry) for _, text, entry in rows]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listed) and (self._keys, self._rows) == (other._keys, other._rows)

    __hash__ = None  # type: ignore[assignment]  # equal by its entries, which may have no hash

    def __len__(self) -> int:
        return len(self._rows)

    def page(self, words: str, after: Key | None, limit: int) -> ListPage[T]:
        """At most ``limit`` entries that contain all of the words, after the entry with the key ``after``, which may
        no longer exist.
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
