"""The audit trail."""

from typing import Annotated, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, CommentText, JsonObject, Ok, OrEmpty, OrNone, Text
from signoff.wire.fields import At, IntentId, Via, about


class ViewedOut(Struct, kw_only=True):
    """How a person had seen the task when they answered, as far as the server knows. ``seconds``: from the first
    opening to the answer; ``folded``: whether they expanded the collapsed parts of the page; ``none`` if there were
    none.
    """

    first_at: OrNone[At] = ABSENT
    last_at: OrNone[At] = ABSENT
    seconds: Annotated[OrEmpty[float], about("From the first opening to the answer.", 94.5)] = ABSENT
    channels: Annotated[tuple[str, ...], about("Where they opened it.", ["web"])]
    folded: Annotated[
        Text, about("Whether collapsed parts were expanded: none, opened or closed.", "opened")
    ] = ABSENT


class AuditEventOut(Struct, kw_only=True):
    """One event of the hash chain. ``body``: the text that was hashed; ``private``: the erasable text, kept separately.
    An entry whose bytes are no longer an event has the type ``unreadable`` and no time.
    """

    _EXAMPLE: ClassVar = ("at",)

    seq: Annotated[int, about("Its number in the history, from 1.", 3)]
    at: OrNone[At] = ABSENT
    type: Annotated[str, about("The event.", "answered")]
    actor: Annotated[ActorOut, about("Who caused it.")]
    via: Via
    summary: Annotated[str, about("What happened, as text.", "Ann Berg approved it.")]
    comment: CommentText = ABSENT
    viewed: Annotated[
        OrEmpty[ViewedOut],
        about(
            "For an answer: how the person saw the task; only for the person, owners, admins and auditors."
        ),
    ] = ABSENT
    event: Annotated[JsonObject, about("The event's fields.", {"type": "answered", "outcome": "approved"})]
    body: Annotated[str, about("The text that was hashed.", '{"seq":3,"type":"answered"}')]
    private: Annotated[
        Text,
        about(
            "The text that can be erased, kept separately from the body.",
            '{"comment":"Checked against the runbook."}',
        ),
    ] = ABSENT
    hash: Annotated[
        str,
        about(
            "The hash of the body and of the previous event's hash.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ]


class ViewOut(Struct, kw_only=True):
    """A person who opened a task. ``times``: the number of views, counted at most once per ten minutes; ``unfolded``:
    whether they expanded everything on its page.
    """

    task_id: Annotated[str, about("The task's id.", "0198c0de-0000-7000-8000-000000000002")]
    person: Annotated[str, about("The person's id.", "per_ann")]
    name: Annotated[str, about("Their name.", "Ann")]
    channel: Annotated[str, about("Where: web, api, cli, or a chat.", "web")]
    first_at: At
    last_at: At
    times: Annotated[int, about("The number of views, counted at most once per ten minutes.", 2)]
    unfolded: Annotated[bool, about("Whether they expanded everything on its page.", False)]


class AuditResponse(Ok, kw_only=True):
    """An intent's whole history. ``verified``: the result of the server's own check of the hash chain."""

    intent_id: IntentId
    seq: Annotated[int, about("The number of the last event.", 7)]
    head: Annotated[
        str,
        about(
            "The hash of the last event.", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        ),
    ]
    verified: Annotated[bool, about("The server's own check of the chain.", True)]
    problem: Annotated[Text, about("What is wrong with the chain.", "event 3 does not match its hash")] = (
        ABSENT
    )
    events: Annotated[tuple[AuditEventOut, ...], about("The history, oldest first.")]
    views: Annotated[
        OrEmpty[tuple[ViewOut, ...]],
        about(
            "Who opened its tasks: everyone, for owners, admins and auditors; otherwise only the caller. "
            "It is not part of the hash chain."
        ),
    ] = ABSENT
