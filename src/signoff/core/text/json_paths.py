"""Which values of two JSON documents differ, by path. Names only: what they are may be secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from signoff.core.text.hidden_characters import short_path

_ABSENT = object()


def changed_paths(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The path of each value that is different, new or gone, in the order of the second document; of a long path its
    ends.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*after, *before)):
            at = short_path(f"{path}.{name}" if path else str(name))
            yield from changed_paths(before.get(name, _ABSENT), after.get(name, _ABSENT), at)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, two) in enumerate(zip(before, after, strict=True)):
            yield from changed_paths(one, two, short_path(f"{path}[{index}]"))
    elif type(before) is not type(after) or before != after:
        yield path
