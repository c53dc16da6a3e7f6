"""Shared by requests and responses: optional members, limits of text, actors, pages of a list."""

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

T = TypeVar("T")

ABSENT: Final[Any] = UNSET
"""The value of a member that a response omits: AXP's clients do not handle null."""

# On the wire such a member is left out. For a reader it is there: empty, or None.
if TYPE_CHECKING:
    OrEmpty = Annotated[T, "may be absent"]
    OrNone: TypeAlias = T | None
    JsonObject: TypeAlias = dict[str, Any]
else:
    OrEmpty = OrNone = T | UnsetType
    JsonObject = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]  # stored JSON, byte for byte

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
    """Base of every response. What a response holds comes from rows and JSON, so no cycle can be among it."""

    ok: bool = True


class EmptyAnswer(Ok, kw_only=True):
    """Success, without further data."""


class PageAnswer(Ok, kw_only=True):
    """One page of a list; ``next_cursor`` (if there is more) goes into ``?cursor=``."""

    next_cursor: Text = ABSENT


class ActorOut(Struct, gc=False, kw_only=True):
    """An actor, with a display name."""

    kind: str
    id: str
    address: Text = ABSENT
    name: Text = ABSENT


class ReceiptOut(Struct, gc=False, kw_only=True):
    """What an act has done, in words. said: what was recorded; next: what happens now; undo: the act that takes it back
    (unsnooze, unmark-reviewing, answer), missing if none does; event: its number in the history, missing if nothing new
    was recorded.
    """

    said: str
    next: str
    undo: Text = ABSENT
    event: OrEmpty[int] = ABSENT
