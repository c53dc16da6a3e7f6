"""API keys."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, Name, Ok, OrNone, Strict, Text


class KeyOut(Struct, kw_only=True):
    """A key, without its secret; ``token`` is the secret, shown once, at creation."""

    key_id: str
    service_account_id: Text = ABSENT
    kind: str
    holder_id: str
    holder_name: Text = ABSENT
    key_hint: str
    status: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: OrNone[datetime] = ABSENT
    token: Text = ABSENT


class AccountKey(Ok, kw_only=True):
    """A new key of an account."""

    key: KeyOut
    api_key: str


class KeyAnswer(Ok, kw_only=True):
    """One key."""

    key: KeyOut


class KeysAnswer(Ok, kw_only=True):
    """Keys, oldest first, including revoked ones; no secrets."""

    keys: list[KeyOut]


class CreateKey(Strict, kw_only=True):
    """A key for exactly one of an agent, a service and a person; a missing holder is created.

    name, roles: of a new person; roles default to ``approver``.
    """

    agent: str | None = None
    service: str | None = None
    person: str | None = None
    name: Name = ""
    roles: list[str] = []
    expires_in_seconds: Annotated[float, Meta(gt=0, le=315_360_000)] | None = None


class NewKeyOut(Ok, kw_only=True):
    """A new key. ``api_key`` is the secret: shown once, stored nowhere. ``warnings``: what its new person changes."""

    kind: str
    address: str
    key_id: str
    api_key: str
    expires_at: OrNone[datetime] = ABSENT
    warnings: tuple[str, ...] = ()
