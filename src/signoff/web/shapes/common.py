"""Shared by all responses: JSON passed through as stored, the requester's display name, encoding."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from signoff.core.intent.model import Requester
from signoff.wire.common import ABSENT, ActorOut, Text

_ENCODER: Final = msgspec.json.Encoder()


Display: TypeAlias = Callable[[str], str]
"""An actor's id to a display name."""


def actor_out(requester: Requester, display: Display) -> ActorOut:
    """The requester, named for people."""
    return ActorOut(
        kind=requester.kind,
        id=requester.id,
        address=maybe(requester.address),
        name=display(requester.id),
    )


def encode(answer: Struct) -> bytes:
    return _ENCODER.encode(answer)


def verbatim(stored: bytes | str) -> Any:
    """Stored JSON, for a member that is sent unchanged."""
    return msgspec.Raw(stored)


def raw(value: Any) -> Any:
    """A JSON value, encoded."""
    return msgspec.Raw(_ENCODER.encode(value))


EMPTY: Final = verbatim(b"{}")


def maybe(text: str | None) -> Text:
    """The text, or absent if it is empty."""
    return text or ABSENT
