"""The audit trail."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, JsonObject, Ok, OrNone, Text


class AuditEventOut(Struct, kw_only=True):
    """One link of the chain. ``body`` is the text that was hashed; ``private`` the erasable text apart from it. A link
    whose bytes are no longer an event has the type ``unreadable`` and no time.
    """

    seq: int
    at: OrNone[datetime] = ABSENT
    type: str
    actor: ActorOut
    via: str
    summary: str
    comment: Text = ABSENT
    event: JsonObject
    body: str
    private: Text = ABSENT
    hash: str


class AuditAnswer(Ok, kw_only=True):
    """An intent's whole history; ``verified`` is the server's own check of its hash chain."""

    intent_id: str
    seq: int
    head: str
    verified: bool
    problem: Text = ABSENT
    events: tuple[AuditEventOut, ...]
