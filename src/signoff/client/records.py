"""How a JSON object becomes a frozen record: by the type of each field, tolerant of everything else."""

import types as builtin_types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Self

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Record(Mapping[str, Any]):
    """Base of all records: a read-only mapping over ``raw``, equal to whatever holds the same JSON."""

    raw: Json = field(default_factory=dict, repr=False, kw_only=True, metadata={"wire": False})

    @classmethod
    def read(cls, raw: object) -> Self:
        """The record of a JSON object; of anything else, an empty one."""
        known = raw if isinstance(raw, dict) else {}
        values = {
            name: value
            for name, convert in _readers(cls).items()
            if (value := convert(known.get(name))) is not None
        }
        return cls(**values, raw=known)

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


@cache
def _readers(record: type[Record]) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(record)
    on_wire = [item.name for item in fields(record) if item.metadata.get("wire", True)]
    return {name: _reader(hints[name]) for name in on_wire}


def _reader(hint: Any) -> Callable[[Any], Any]:
    """How to read one field: a function from JSON to its value, or to None where the default should stand."""
    if typing.get_origin(hint) is builtin_types.UnionType:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        one = _reader(typing.get_args(hint)[0])
        return lambda value: _items(value, one)
    if typing.get_origin(hint) is dict:
        return lambda value: value if isinstance(value, dict) else None
    if isinstance(hint, type) and issubclass(hint, Record):
        record = hint
        return lambda value: record.read(value) if value else None
    return _PLAIN[hint]


def _items(value: Any, one: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(item for item in map(one, value) if item is not None)


def _text(value: Any) -> str | None:
    """Text; of an actor given as an object, what a person would call it."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("name", "email", "address", "id") if value.get(name)), None)
    return None if value is None else str(value)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _moment(value: Any) -> datetime | None:
    """An aware moment from RFC 3339 text."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_PLAIN: Final[dict[Any, Callable[[Any], Any]]] = {
    str: _text,
    bool: lambda value: value if isinstance(value, bool) else None,
    int: _whole,
    float: _number,
    datetime: _moment,
}
