"""Values that no schema expects, for every place of a document."""

import json
from collections.abc import Iterator
from typing import Any


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a document where an odd value can be put."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*path, name)
        yield from places(inner, (*path, name))


def with_odd(body: Any, path: tuple[Any, ...], odd: Any) -> Any:
    body = json.loads(json.dumps(body))
    where = body
    for name in path[:-1]:
        where = where[name]
    where[path[-1]] = odd
    return body
