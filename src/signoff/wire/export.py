"""Exports: a workspace's configuration, and pages of its intents and histories, oldest first."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, Object, Ok, OrEmpty, OrNone, PageResponse, Text
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
    """An intent in its current state. payload: with secrets masked; seq, head: the number and hash of its last
    event.
    """

    _EXAMPLE: ClassVar = ("payload",)

    intent_id: IntentId
    intent_type: IntentType
    status: Status
    outcome: Annotated[str, about("The outcome that was chosen; empty if there is none.", "approved")]
    ending: Annotated[str, about("How the decision ended; empty if there is none.", "approved")]
    requester_kind: ActorKind
    requester_id: Annotated[str, about("The id of the requester.", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    requester_name: Annotated[str, about("The name of the requester.", "release-bot")]
    to_agent: Annotated[
        str, about("The address of the agent that it is for; empty if there is none.", "agent://acme/prod/x")
    ]
    correlation_id: CorrelationId
    created_at: CreatedAt
    updated_at: UpdatedAt
    deadline_at: OrNone[DueAt] = ABSENT
    seq: Annotated[int, about("The number of its last event.", 9)]
    head: Annotated[str, about("The hash of its last event.", SOME_DIGEST)]
    payload: Annotated[OrEmpty[Object], about("The payload, with secrets masked.", {"table": "users"})] = (
        ABSENT
    )


class IntentRecords(PageResponse, kw_only=True):
    """Intents, oldest first."""

    records: Annotated[list[IntentRecord], about("The intents.")]


class AuditRecord(Struct, kw_only=True):
    """One event. comment, event: with secrets masked; body, private: the hashed and the erasable text, if requested."""

    _EXAMPLE: ClassVar = ("at", "event")

    intent_id: IntentId
    intent_type: IntentType
    seq: Annotated[int, about("The number of the event in the intent's history, from 1.", 3)]
    at: OrNone[At] = ABSENT
    type: Annotated[str, about("The stored type of the event.", "answered")]
    actor_kind: Annotated[str, about("The kind of the actor; empty if the event cannot be read.", "person")]
    actor_id: Annotated[str, about("The id of the actor.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    actor_name: Annotated[str, about("The name of the actor.", "Ann Berg")]
    via: Via
    summary: Annotated[str, about("What happened, in a sentence.", "approved by Ann Berg")]
    comment: Annotated[str, about("The comment, with secrets masked; empty if there is none.", "Looks safe.")]
    event: Annotated[
        OrEmpty[Object], about("The event's data, with secrets masked.", {"outcome": "approved"})
    ] = ABSENT
    hash: Annotated[str, about("The hash of this event in the hash chain.", SOME_DIGEST)]
    body: Annotated[Text, about("The text that was hashed, if requested.", '{"seq":3}')] = ABSENT
    private: Annotated[
        Text,
        about("The erasable text, kept separately, if requested.", '{"comment":"Looks safe.","salt":"5f"}'),
    ] = ABSENT


class AuditRecords(PageResponse, kw_only=True):
    """The events of some intents, oldest first; an intent's events are in order, and never split across two pages."""

    records: Annotated[list[AuditRecord], about("The events.")]
