"""The audit trail."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, JsonObject, Ok, OrNone, Text
from signoff.wire.fields import At, IntentId, Via, about


class AuditEventOut(Struct, kw_only=True):
    """One link of the chain. ``body`` is the text that was hashed; ``private`` the erasable text apart from it. A link
    whose bytes are no longer an event has the type ``unreadable`` and no time.
    """

    _EXAMPLE: ClassVar = ("at",)

    seq: Annotated[int, about("Its number in the history, from 1.", 3)]
    at: OrNone[At] = ABSENT
    type: Annotated[str, about("The event.", "answered")]
    actor: Annotated[ActorOut, about("Who caused it.")]
    via: Via
    summary: Annotated[str, about("What happened, as text.", "Ann Berg approved it.")]
    comment: Annotated[Text, about("The comment.", "Checked against the runbook.")] = ABSENT
    event: Annotated[JsonObject, about("The event's fields.", {"type": "answered", "outcome": "approved"})]
    body: Annotated[str, about("The text that was hashed.", '{"seq":3,"type":"answered"}')]
    private: Annotated[
        Text,
        about(
            "The text that can be erased, apart from the body.", '{"comment":"Checked against the runbook."}'
        ),
    ] = ABSENT
    hash: Annotated[
        str,
        about(
            "The hash of the body and of the link before.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ]


class AuditAnswer(Ok, kw_only=True):
    """An intent's whole history; ``verified`` is the server's own check of its hash chain."""

    intent_id: IntentId
    seq: Annotated[int, about("The number of the last link.", 7)]
    head: Annotated[
        str,
        about(
            "The hash of the last link.", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        ),
    ]
    verified: Annotated[bool, about("The server's own check of the chain.", True)]
    problem: Annotated[Text, about("What is wrong with the chain.", "event 3 does not match its hash")] = (
        ABSENT
    )
    events: Annotated[tuple[AuditEventOut, ...], about("The history, oldest first.")]
