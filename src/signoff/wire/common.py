"""Shared by requests and responses: optional members, limits of text, actors, pages of a list."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from signoff.wire.fields import ActorKind, Succeeded, about, time

T = TypeVar("T")

ABSENT: Final[Any] = UNSET
"""The value of a member that a response omits, because AXP's clients do not handle null."""

# On the wire such a member is omitted. Readers see it as empty, or None.
if TYPE_CHECKING:
    OrEmpty = Annotated[T, "may be absent"]
    OrNone: TypeAlias = T | None
    JsonObject: TypeAlias = dict[str, Any]
else:
    OrEmpty = OrNone = T | UnsetType
    JsonObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]  # stored JSON, sent unchanged

Text: TypeAlias = OrEmpty[str]
Object: TypeAlias = dict[str, Any]

LONGEST_COMMENT: Final = 5000
Comment: TypeAlias = Annotated[str, Meta(max_length=LONGEST_COMMENT)]
Reason: TypeAlias = Annotated[str, Meta(max_length=2000)]
Word: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Name: TypeAlias = Annotated[str, Meta(max_length=255)]
Url: TypeAlias = Annotated[str, Meta(max_length=2000)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


class Strict(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of the bodies of our own endpoints: an unknown member is refused by name."""


class Ok(Struct, gc=False, kw_only=True):
    """Base of every response. Its values come from rows and JSON, so there are no reference cycles in it."""

    ok: Succeeded = True


class EmptyResponse(Ok, kw_only=True):
    """Success, without any data."""


class PageResponse(Ok, kw_only=True):
    """One page of a list. ``next_cursor``: the value of ``?cursor=`` for the next page, if there is one."""

    next_cursor: Annotated[
        Text,
        about("Where the next page begins; absent on the last one.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000"),
    ] = ABSENT


class ActorOut(Struct, gc=False, kw_only=True):
    """An actor, with a display name."""

    _EXAMPLE: ClassVar = ("name",)

    kind: ActorKind
    id: Annotated[str, about("The actor's id.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    address: Annotated[
        Text, about("The actor's address, if it is a program.", "agent://acme/prod/release-bot")
    ] = ABSENT
    name: Annotated[Text, about("The display name.", "Ann Berg")] = ABSENT


class ReceiptOut(Struct, gc=False, kw_only=True):
    """What an action has done, as text. said: what was recorded; next: what happens now; undo: the action that
    undoes it (unsnooze, unmark-reviewing, answer), absent if there is none; event: its number in the history, absent
    if nothing new was recorded.
    """

    said: Annotated[str, about("What was recorded.", "You approved it.")]
    next: Annotated[str, about("What happens now.", "The agent infra-validator runs it.")]
    undo: Annotated[
        Text,
        about(
            "The action that undoes it: unsnooze, unmark-reviewing or answer; absent if there is none.",
            "answer",
        ),
    ] = ABSENT
    event: Annotated[
        OrEmpty[int], about("Its number in the history; absent if nothing new was recorded.", 7)
    ] = ABSENT


Payload: TypeAlias = Annotated[
    JsonObject,
    about(
        "The request's data: a JSON object with content defined by the requester.",
        {"table": "users", "to_version": 42},
    ),
]
PayloadDeleted: TypeAlias = Annotated[
    OrEmpty[bool], about("True if the payload was deleted by `retention_payloads`.", True)
]
CommentText: TypeAlias = Annotated[Text, about("The comment.", "Checked against the runbook.")]
FormSchema: TypeAlias = Annotated[
    OrEmpty[dict[str, Any]],
    about(
        "The JSON Schema of the answer's data.",
        {"type": "object", "properties": {"window": {"type": "string"}}},
    ),
]
DecidedBy: TypeAlias = Annotated[
    Text, about("The id of the person who decided.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")
]
Requester: TypeAlias = Annotated[ActorOut, about("Who asks.")]
DeadlineAt: TypeAlias = Annotated[
    OrNone[datetime], time("When the intent times out, whatever it is waiting for.", "2030-02-02T00:00:00Z")
]
