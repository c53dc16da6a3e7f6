"""What requests and answers share: members that may be absent, limits of text, actors, pages of a list."""

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

T = TypeVar("T")

ABSENT: Final[Any] = UNSET
"""The value of a member that an answer leaves out: AXP's clients stumble over null."""

# On the wire such a member is left out. For who reads it, it is there: empty, or None.
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
    """Base of the bodies that our own endpoints take: an unknown member is refused by name."""


class Ok(Struct, kw_only=True):
    """Base of every answer."""

    ok: bool = True


class EmptyAnswer(Ok, kw_only=True):
    """Done; there is nothing more to say."""


class PageAnswer(Ok, kw_only=True):
    """One page of a list; ``next_cursor`` (when there is more) goes into ``?cursor=``."""

    next_cursor: Text = ABSENT


class ActorRef(Struct, kw_only=True):
    """An actor as others see it."""

    kind: str
    id: str
    address: Text = ABSENT
    name: Text = ABSENT
