"""What every answer shares: ``ok``, JSON passed through as stored, who somebody is, one page of a list."""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from signoff.core.intent.model import Requester

JsonObject: TypeAlias = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
"""Stored JSON that goes out byte for byte."""

Text: TypeAlias = str | UnsetType
"""A member that is left out when there is nothing to say: AXP's clients stumble over null."""

EMPTY: Final = msgspec.Raw(b"{}")
_ENCODER: Final = msgspec.json.Encoder()


class Ok(Struct, kw_only=True):
    """Base of every answer."""

    ok: bool = True


class Nothing(Ok, kw_only=True):
    """Done; there is nothing more to say."""


class Who(Struct, kw_only=True):
    """An actor as others see it."""

    kind: str
    id: str
    address: Text = UNSET
    name: Text = UNSET


Display: TypeAlias = Callable[[str], str]
"""An actor's id to a name for people."""


def whom(requester: Requester, display: Display) -> Who:
    """The requester, named for people."""
    return Who(
        kind=requester.kind.value,
        id=requester.id,
        address=maybe(requester.address),
        name=display(requester.id),
    )


class Page(Ok, kw_only=True):
    """One page of a list; ``next_cursor`` (when there is more) goes into ``?cursor=``."""

    next_cursor: Text = UNSET


def encode(answer: Struct) -> bytes:
    return _ENCODER.encode(answer)


def raw(value: Any) -> msgspec.Raw:
    """A JSON value, encoded now."""
    return msgspec.Raw(_ENCODER.encode(value))


def maybe(text: str | None) -> Text:
    """The text, or nothing at all."""
    return text or UNSET
