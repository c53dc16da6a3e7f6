"""Maps the structs of the directory to tables: one table per type, one column per field. The column type follows from
the field's type: times are stored as microseconds, booleans as 0 or 1, structures as JSON.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from signoff.core.directory.model import (
    Account,
    ApiKey,
    ChatCode,
    ChatPerson,
    DeviceLogin,
    DirectoryChange,
    Link,
    NamedWorkflow,
    Person,
    PolicyVersion,
    ProposalEnd,
    Session,
    StoredProposal,
    Team,
    Workspace,
)
from signoff.store.database import Database
from signoff.store.rows import Row, from_micros, maybe_moment, micros
from signoff.store.sql import NUMBERED

T = TypeVar("T", bound=Struct)
_AT_ONCE: Final = 200  # rows decoded in one turn of the event loop
_TABLES: Final[dict[type[Struct], str]] = {
    Workspace: "workspaces",
    Person: "people",
    Team: "teams",
    PolicyVersion: "policies",
    NamedWorkflow: "workflows",
    Account: "accounts",
    ApiKey: "keys",
    Session: "sessions",
    Link: "links",
    DeviceLogin: "device_logins",
    ChatPerson: "chat_people",
    ChatCode: "chat_codes",
    DirectoryChange: "changes",
    StoredProposal: "proposals",
    ProposalEnd: "proposal_ends",
}
_PLAIN: Final = (str, int, bytes)
_Convert = Callable[[Any], Any]


@cache
def _conversions(kind: type[Struct]) -> dict[str, tuple[_Convert, _Convert]]:
    """The conversions to the column and back, for each field that is not stored unchanged."""
    found: dict[str, tuple[_Convert, _Convert]] = {}
    for name, annotation in get_type_hints(kind).items():
        if annotation is datetime:
            found[name] = micros, from_micros
        elif annotation == datetime | None:
            found[name] = lambda at: None if at is None else micros(at), maybe_moment
        elif annotation is bool:
            found[name] = int, bool
        elif annotation not in _PLAIN:
            found[name] = lambda it: msgspec.json.encode(it).decode(), msgspec.json.Decoder(annotation).decode
    return found


def _select(kind: type[Struct], where: str) -> str:
    """A query for values of one type; ``w`` is the alias of the row."""
    return f"select {', '.join(kind.__struct_fields__)} from {_TABLES[kind]} w where {where}"


def put(kind: type[Struct], *keys: str) -> str:
    """Add a value, or replace the one with the same keys; without keys, an existing one is an error."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in kind.__struct_fields__ if name not in keys)
    return (
        f"{_insert(kind)} on conflict ({', '.join(keys)}) do update set {changes}" if keys else _insert(kind)
    )


def insert_numbered(kind: type[Struct]) -> str:
    """Add a value; its ``number`` counts back from the workspace's last number."""
    return _insert(kind, number=NUMBERED)


def insert(kind: type[Struct]) -> str:
    """Add a value; returns a row only if it did not exist."""
    return f"{_insert(kind)} on conflict do nothing returning {kind.__struct_fields__[0]}"


def _insert(kind: type[Struct], **expressions: str) -> str:
    fields = kind.__struct_fields__
    values = ", ".join(expressions.get(name, f":{name}") for name in fields)
    return f"insert into {_TABLES[kind]} ({', '.join(fields)}) values ({values})"


def values_of(value: Struct) -> dict[str, Any]:
    """The columns of a value."""
    columns = msgspec.structs.asdict(value)
    for name, (to_column, _) in _conversions(type(value)).items():
        columns[name] = to_column(columns[name])
    return columns


def _from_row(kind: type[T], row: Row) -> T:
    """The value of a selected row."""
    values: dict[str, Any] = dict(zip(kind.__struct_fields__, row, strict=True))
    for name, (_, from_column) in _conversions(kind).items():
        values[name] = from_column(values[name])
    return kind(**values)


async def fetch(database: Database, kind: type[T], where: str, **values: Any) -> list[T]:
    """All values of a type that match."""
    rows = await database.read(_select(kind, where), **values)
    found: list[T] = []
    for start in range(0, len(rows), _AT_ONCE):
        if start:
            await asyncio.sleep(0)  # so that thousands of people or agents do not block the event loop
        found += [_from_row(kind, row) for row in rows[start : start + _AT_ONCE]]
    return found


async def fetch_one(database: Database, kind: type[T], where: str, **values: Any) -> T | None:
    """The first value that matches."""
    return next(iter(await fetch(database, kind, where, **values)), None)
