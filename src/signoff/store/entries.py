"""Entries of the address book, and their rows: moments as microseconds, roles as JSON, booleans as 0 or 1."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from signoff.store.rows import Row, micros, moment


class Workspace(Struct, frozen=True):
    """Where intents live. ``self_approval``: the requester's own people may decide."""

    id: str
    organization: str
    name: str
    self_approval: bool
    created_at: datetime


class Person(Struct, frozen=True):
    """A natural person of a workspace; ``per_…``."""

    id: str
    workspace: str
    email: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime


class Account(Struct, frozen=True):
    """An agent or a service; ``sa_…``. ``name`` is verbatim, ``address`` "" where it has none."""

    id: str
    workspace: str
    kind: str
    name: str
    slug: str
    address: str
    display_name: str
    description: str
    delivery_mode: str
    callback_url: str
    webhook_secret: str
    status: str
    created_by: str
    created_at: datetime
    updated_at: datetime


class ApiKey(Struct, frozen=True):
    """A key of one actor; ``sak_…``. Only the secret's hash is kept. ``created_by``: a person's id, or ""."""

    id: str
    workspace: str
    actor_kind: str
    actor_id: str
    hash: str
    hint: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class Workflow(Struct, frozen=True):
    """One version of the template for an intent type; ``source`` as it was applied."""

    workspace: str
    name: str
    intent_type: str
    version: int
    plan_digest: str
    source: bytes
    applied_by: str
    applied_at: datetime


Entry = TypeVar("Entry", Workspace, Person, Account, ApiKey, Workflow)
_TABLES: dict[type[Struct], str] = {
    Workspace: "workspaces",
    Person: "people",
    Account: "accounts",
    ApiKey: "keys",
    Workflow: "workflows",
}
_MOMENTS = frozenset({"created_at", "updated_at", "expires_at", "revoked_at", "applied_at"})


def select(kind: type[Struct], where: str) -> str:
    """Entries of one kind; ``w`` names the row."""
    return f"select {', '.join(kind.__struct_fields__)} from {_TABLES[kind]} w where {where}"


def insert(kind: type[Struct]) -> str:
    """Add one entry; returns a row only if it was not there."""
    fields = kind.__struct_fields__
    values = ", ".join(":" + name for name in fields)
    columns = ", ".join(fields)
    into = f"insert into {_TABLES[kind]} ({columns}) values ({values})"
    return f"{into} on conflict do nothing returning {fields[0]}"


def values_of(entry: Struct) -> dict[str, Any]:
    """Columns of an entry."""
    values = msgspec.structs.asdict(entry)
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = micros(value)
        elif isinstance(value, tuple):
            values[name] = msgspec.json.encode(value).decode()
        elif isinstance(value, bool):
            values[name] = int(value)
    return values


def entry(kind: type[Entry], row: Row) -> Entry:
    """From ``select``."""
    values: dict[str, Any] = dict(zip(kind.__struct_fields__, row, strict=True))
    for name, value in values.items():
        if name in _MOMENTS and value is not None:
            values[name] = moment(value)
        elif name == "roles":
            values[name] = tuple(msgspec.json.decode(value))
        elif name == "self_approval":
            values[name] = bool(value)
    return kind(**values)
