"""Records: the structs of ``signoff.wire`` for users of the SDK. They are frozen, tolerate responses from other
releases of the server, and are mappings of the JSON that they came from.
"""

import types as builtin_types
import typing
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final, NoReturn, Self, cast

import msgspec

Json = dict[str, Any]
# Long or personal text, and secrets, are left out of a record's repr, which ends up in logs.
_HIDDEN: Final = frozenset({
    "description", "comment", "digest", "on_expiry", "api_key", "token", "body", "private", "hash",
})  # fmt: skip


def _is_struct(hint: Any) -> bool:
    """Whether it is a struct of ``signoff.wire``."""
    return (
        isinstance(hint, msgspec.StructMeta)
        and not isinstance(hint, _RecordMeta)
        and hint is not msgspec.Struct
    )


class _RecordMeta(msgspec.StructMeta, ABCMeta):
    """Gives every field of a wire struct an empty default, for values that the server did not send."""

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any], **options: Any) -> Any:
        bases = tuple(_with_defaults(base) if _is_struct(base) else base for base in bases)
        # A record has a dict, to which users may attach anything, even the record; so unlike the server's structs it
        # is tracked.
        return super().__new__(mcs, name, bases, space, **{"gc": True, **options})


class Record(msgspec.Struct, Mapping[str, Any], metaclass=_RecordMeta, kw_only=True, eq=False, dict=True):
    """Base of all records: a read-only mapping over ``raw``, equal to anything with the same JSON."""

    @property
    def raw(self) -> Json:
        """The whole JSON object."""
        return cast(Json, self.__dict__.get("raw", {}))

    @classmethod
    def read(cls, raw: object) -> Self:
        """The record of a JSON object; an empty record for anything else."""
        known = raw if isinstance(raw, dict) else {}
        values = {
            name: value
            for name, convert in _readers(cls).items()
            if (value := convert(known.get(name))) is not None
        }
        made = cls(**values)
        made.__dict__["raw"] = known
        return made

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    __eq__ = Mapping.__eq__
    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is read-only: {name!r} cannot be set")

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).read, (self.raw,)

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _HIDDEN}
        text = [f"{name}={value!r}" for name, value in shown.items() if isinstance(value, _SHOWN)]
        return f"{type(self).__name__}({', '.join(text)})"


def _with_defaults(struct: type) -> type:
    hints = typing.get_type_hints(struct)
    fields = [(name, hints[name], msgspec.field(default_factory=_field(hints[name])[1])) for name in hints]
    return msgspec.defstruct(struct.__name__, fields, bases=(struct,), kw_only=True, eq=False)


Reader = Callable[[Any], Any]
Empty = Callable[[], Any]


@cache
def _readers(record: type[Record]) -> dict[str, Reader]:
    """How to read each field: a function from JSON to its value, or None to leave it empty."""
    hints = typing.get_type_hints(record)
    return {name: _field(hints[name])[0] for name in record.__struct_fields__}


def _field(hint: Any) -> tuple[Reader, Empty]:
    """How to read a value of this type, and how to create an empty one."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, builtin_types.UnionType):
        read, empty = _field(parts[0])
        return read, (lambda: None) if _is_struct(parts[0]) else empty
    if origin in (tuple, list):
        one, _ = _field(parts[0])
        return partial(_items, one=one, kind=origin), cast(type, origin)
    if origin is dict or hint is msgspec.Raw:
        return lambda value: value if isinstance(value, dict) else None, dict
    if isinstance(hint, msgspec.StructMeta):
        record = cast(type[Record], hint if isinstance(hint, _RecordMeta) else _record_of(hint))
        return lambda value: record.read(value) if value else None, record
    return _PLAIN.get(hint, (lambda value: None, hint))


@cache
def _record_of(struct: type[msgspec.Struct]) -> type[Record]:
    """The record for a struct that has no name in the SDK."""
    name = struct.__name__.removesuffix("Out")
    made = _RecordMeta(name, (Record, struct), {"__module__": __name__}, kw_only=True, eq=False)
    return cast(type[Record], made)


def _items(value: Any, one: Reader, kind: Any) -> Any:
    if not isinstance(value, list):
        return None
    return kind(item for item in map(one, value) if item is not None)


def _text(value: Any) -> str | None:
    """The text; for an actor that is given as an object, its display name."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("name", "email", "address", "id") if value.get(name)), None)
    return None if value is None else str(value)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _moment(value: Any) -> datetime | None:
    """An aware time from RFC 3339 text."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_PLAIN: Final[dict[Any, tuple[Reader, Empty]]] = {
    str: (_text, str),
    bool: (lambda value: value if isinstance(value, bool) else None, bool),
    int: (_whole, int),
    float: (_number, float),
    datetime: (_moment, lambda: None),
}
_SHOWN: Final = (str, bool, int, float, datetime, Record)
