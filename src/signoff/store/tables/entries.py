"""Entries of the address book, and their rows: moments as microseconds, structures as JSON, booleans as 0 or 1."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from signoff.core.directory.rotation import Absence, Rotation
from signoff.core.plan.working_hours import Hours
from signoff.store.rows import Row, micros, moment
from signoff.store.sql import NUMBERED


class Workspace(Struct, frozen=True):
    """Where intents live. ``self_approval``: the requester's own people may decide; ``positive_fallback``: silence may
    end in a yes where the risk is low; ``protected``: what loosens who decides takes two admins;
    ``default_policy``: the name of the one under which steps come that no workflow brought; ``unlisted_types``: what is
    done with a type without a workflow (allow, gate, refuse); ``last_change``: the number of the last change on record;
    ``staffed_change``: the last one that open tasks were held against, for whether enough people are left to decide.
    """

    id: str
    organization: str
    name: str
    self_approval: bool
    created_at: datetime
    positive_fallback: bool = False
    protected: bool = False
    default_policy: str = ""
    unlisted_types: str = "allow"
    last_change: int = 0
    staffed_change: int = 0

    @property
    def says_who_decides(self) -> bool:
        """Whether a request's own steps are not just taken as they are."""
        return bool(self.default_policy) or self.unlisted_types != "allow"


class Person(Struct, frozen=True):
    """A natural person of a workspace; ``per_…``. ``addresses`` by channel; who is not ``active`` may do nothing."""

    id: str
    workspace: str
    email: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    active: bool = True
    addresses: dict[str, str] = {}
    zone: str = ""
    hours: Hours | None = None
    absences: tuple[Absence, ...] = ()
    preferences: dict[str, Any] = {}

    @property
    def mail_address(self) -> str:
        """Where mail to this person goes: the mail channel's address if one is set, else ``email``."""
        return self.addresses.get("email", "") or self.email


class TeamRow(Struct, frozen=True):
    """A team of a workspace; members are person ids."""

    workspace: str
    name: str
    members: tuple[str, ...]
    rotation: Rotation | None
    updated_at: datetime


class PolicyRow(Struct, frozen=True):
    """One version of a named policy; ``source`` as it was applied."""

    workspace: str
    name: str
    version: int
    source: bytes
    applied_by: str
    applied_at: datetime


class DirectoryChange(Struct, frozen=True):
    """Who changed what in the directory: ``before`` and ``after`` are JSON, "" where there was or is nothing;
    ``subject``: what it belongs to (``person:per_…``, ``account:sa_…``, ``team:NAME``); ``number``: its place in the
    workspace's record, given when it is saved; ``confirmed_by``: the second admin, where it took two.
    """

    id: str
    workspace: str
    at: datetime
    actor_kind: str
    actor_id: str
    via: str
    kind: str
    name: str
    subject: str
    before: str
    after: str
    confirmed_by: str = ""
    number: int = 0


class ProposalRow(Struct, frozen=True):
    """A change that waits for a second admin: the document as it came, and what it would change as it was shown."""

    id: str
    workspace: str
    at: datetime
    actor_kind: str
    actor_id: str
    via: str
    source: bytes
    shown: bytes
    expires_at: datetime


class ProposalEnd(Struct, frozen=True):
    """How a proposal ended: ``confirmed`` or ``refused``, by whom. It is added once; a second end is an error."""

    id: str
    state: str
    actor_id: str
    via: str
    at: datetime


class Account(Struct, frozen=True):
    """An agent or a service; ``sa_…``. ``name`` is verbatim, ``address`` "" where it has none. ``behind``: the persons
    who can make it act, by what they did: registered it, said where it is called (``callback``), made its ``secret``.
    """

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
    behind: dict[str, tuple[str, ...]] = {}


class ApiKey(Struct, frozen=True):
    """A key of one actor; ``sak_…``. Only the secret's hash is kept. ``created_by``: a person's id, or "";
    ``sponsors``: all persons behind whoever made it.
    """

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
    sponsors: tuple[str, ...] = ()


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


class Session(Struct, frozen=True):
    """Somebody signed in on the pages. ``id``: SHA-256 of the cookie's token; ``key_id``: the key it ends with."""

    id: str
    workspace: str
    person: str
    key_id: str
    created_at: datetime
    expires_at: datetime


class Link(Struct, frozen=True):
    """A link that went out to one person: to sign in (once), or to one task as it was (``visit``, ``digest``)."""

    id: str
    workspace: str
    person: str
    purpose: str
    intent_id: str
    visit: int
    digest: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


Entry = TypeVar(
    "Entry", Workspace, Person, TeamRow, PolicyRow, DirectoryChange, ProposalRow, ProposalEnd, Account, ApiKey,
    Workflow, Session, Link,
)  # fmt: skip
_TABLES: dict[type[Struct], str] = {
    Workspace: "workspaces",
    Person: "people",
    TeamRow: "teams",
    PolicyRow: "policies",
    DirectoryChange: "changes",
    ProposalRow: "proposals",
    ProposalEnd: "proposal_ends",
    Account: "accounts",
    ApiKey: "keys",
    Workflow: "workflows",
    Session: "sessions",
    Link: "links",
}
_MOMENTS = frozenset({"created_at", "updated_at", "expires_at", "revoked_at", "applied_at", "at", "used_at"})
_FLAGS = frozenset({"self_approval", "positive_fallback", "protected", "active"})
_JSON: dict[str, Any] = {
    name: msgspec.json.Decoder(kind)
    for name, kind in {
        "roles": tuple[str, ...],
        "members": tuple[str, ...],
        "addresses": dict[str, str],
        "hours": Hours | None,
        "absences": tuple[Absence, ...],
        "preferences": dict[str, Any],
        "rotation": Rotation | None,
        "behind": dict[str, tuple[str, ...]],
        "sponsors": tuple[str, ...],
    }.items()
}


def select(kind: type[Struct], where: str) -> str:
    """Entries of one kind; ``w`` names the row."""
    return f"select {', '.join(kind.__struct_fields__)} from {_TABLES[kind]} w where {where}"


def put(kind: type[Struct], *keys: str) -> str:
    """Add one entry, or replace the one with the same keys; without keys one that is there already is an error."""
    fields = kind.__struct_fields__
    into = f"insert into {_TABLES[kind]} ({', '.join(fields)}) values ({', '.join(':' + name for name in fields)})"
    changes = ", ".join(f"{name} = excluded.{name}" for name in fields if name not in keys)
    return f"{into} on conflict ({', '.join(keys)}) do update set {changes}" if keys else into


def insert_numbered(kind: type[Struct]) -> str:
    """Add one entry whose ``number`` is the workspace's last one, less the number given."""
    values = ", ".join(NUMBERED if name == "number" else f":{name}" for name in kind.__struct_fields__)
    return f"insert into {_TABLES[kind]} ({', '.join(kind.__struct_fields__)}) values ({values})"


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
        elif name in _JSON:
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
        elif name in _JSON:
            values[name] = _JSON[name].decode(value)
        elif name in _FLAGS:
            values[name] = bool(value)
    return kind(**values)
