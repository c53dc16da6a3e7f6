"""Exports: a workspace's configuration, and its intents and histories a page at a time, oldest first."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrEmpty, OrNone, PageAnswer, Text
from signoff.wire.fields import (
    SOME_DIGEST,
    ActorKind,
    At,
    CorrelationId,
    CreatedAt,
    DueAt,
    IntentId,
    IntentType,
    Status,
    UpdatedAt,
    Via,
    about,
)


class ManifestExport(Ok, kw_only=True):
    """The current people, teams, policies, workflows and settings, as a document for ``POST /v1/apply``."""

    manifest: Annotated[Object, about("The document.", {"teams": {"sre": {"members": ["ann@acme.example"]}}})]


class IntentRecord(Struct, kw_only=True):
    """An intent as it is. payload: with secrets masked; seq, head: the number and hash of its last event."""

    _EXAMPLE: ClassVar = ("payload",)

    intent_id: IntentId
    intent_type: IntentType
    status: Status
    outcome: Annotated[str, about("The outcome that was chosen; empty without one.", "approved")]
    ending: Annotated[str, about("How the decision ended; empty without one.", "approved")]
    requester_kind: ActorKind
    requester_id: Annotated[str, about("The id of the requester.", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    requester_name: Annotated[str, about("The name of the requester.", "release-bot")]
    to_agent: Annotated[
        str, about("The address of the agent that it is for; empty without one.", "agent://acme/prod/x")
    ]
    correlation_id: CorrelationId
    created_at: CreatedAt
    updated_at: UpdatedAt
    deadline_at: OrNone[DueAt] = ABSENT
    seq: Annotated[int, about("The number of its last event.", 9)]
    head: Annotated[str, about("The hash of its last event.", SOME_DIGEST)]
    payload: Annotated[
        OrEmpty[Object], about("What was submitted, with secrets masked.", {"table": "users"})
    ] = ABSENT


class IntentRecords(PageAnswer, kw_only=True):
    """Intents, oldest first."""

    records: Annotated[list[IntentRecord], about("The intents.")]


class AuditRecord(Struct, kw_only=True):
    """One event. comment, event: with secrets masked; body, private: the bytes that were hashed, if asked for."""

    _EXAMPLE: ClassVar = ("at", "event")

    intent_id: IntentId
    intent_type: IntentType
    seq: Annotated[int, about("The number of the event in the intent's history, from 1.", 3)]
    at: OrNone[At] = ABSENT
    type: Annotated[str, about("The type of the event as it is stored.", "answered")]
    actor_kind: Annotated[str, about("What the actor is; empty if the event cannot be read.", "person")]
    actor_id: Annotated[str, about("The id of the actor.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    actor_name: Annotated[str, about("The name of the actor.", "Ann Berg")]
    via: Via
    summary: Annotated[str, about("What happened, in a sentence.", "approved by Ann Berg")]
    comment: Annotated[str, about("The comment, with secrets masked; empty without one.", "Looks safe.")]
    event: Annotated[
        OrEmpty[Object], about("The event's data, with secrets masked.", {"outcome": "approved"})
    ] = ABSENT
    hash: Annotated[str, about("The link of the hash chain.", SOME_DIGEST)]
    body: Annotated[Text, about("The text that was hashed, if asked for.", '{"seq":3}')] = ABSENT
    private: Annotated[
        Text, about("The erasable text apart from it, if asked for.", '{"comment":"Looks safe.","salt":"5f"}')
    ] = ABSENT


class AuditRecords(PageAnswer, kw_only=True):
    """The events of some intents, oldest first; an intent's events are in order, and never split across two pages."""

    records: Annotated[list[AuditRecord], about("The events.")]
