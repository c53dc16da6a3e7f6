"""What accounts do in a chat: press a button or type a command. At this point it is not known which person an account
belongs to. A chat that sends such requests to the server declares a ``ChatInbound`` (``ChannelDeclaration.inbound``).
"""

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

_MOST: Final = 64  # bytes that fit on the smallest button (Telegram's)
_PART: Final = 18  # bytes of the digest: 144 bits, for which no second preimage can be found
_SHORT: Final = re.compile(
    r"([A-Za-z0-9_-]{46})(0|[1-9a-f][0-9a-f]*)\.(0|[1-9a-f][0-9a-f]*)\.(#(?:0|[1-9a-f][0-9a-f]*)|[^#].*)",
    re.DOTALL,
)
SHORTEST: Final = 2 * _PART  # the shortest accepted prefix of a digest, in hexadecimal digits


class Press(msgspec.Struct, frozen=True):
    """The value of a button. ``stage``: counted from 1; older cards have none. ``outcome``: its name, or ``#`` and
    its position among the task's outcomes. ``digest``: the whole digest, or a prefix if the button has no room for
    more.
    """

    task: str
    outcome: str
    digest: str
    revision: int
    stage: int = 0


class Pressed(msgspec.Struct, frozen=True):
    """A person pressed an answer button. ``stranger``: whether they belong to a different organization than the one
    that the card was sent to; ``reply_to``: where the chat accepts the reply.
    """

    team: str
    account: str
    press: Press
    reply_to: str
    stranger: bool = False


class Typed(msgspec.Struct, frozen=True):
    """A person typed our command. ``text``: what follows it."""

    team: str
    account: str
    text: str
    reply_to: str


class Replied(msgspec.Struct, frozen=True):
    """A person wrote in the thread below a card. ``card``: the card's reference, as the channel returned it; ``id``:
    the chat's id of this request, which is the same when the chat sends it again.
    """

    team: str
    account: str
    text: str
    card: str
    reply_to: str
    id: str
    stranger: bool = False


ChatAction = Pressed | Typed | Replied


class ChatInbound(Protocol):
    """Handles one chat's requests. Only what ``genuine`` has verified is trusted."""

    @property
    def calls(self) -> bool:
        """Whether the chat calls this server by HTTP."""
        ...

    async def genuine(self, body: bytes, header: Callable[[bytes], str]) -> bool:
        """Whether the chat itself sent this request."""
        ...

    def understood(self, payload: Mapping[str, Any]) -> ChatAction | None:
        """What the person did; None for a request without an action."""
        ...

    async def is_member(self, action: ChatAction) -> bool:
        """Whether the account may act now. Raises NotSent if the chat does not respond."""
        ...

    async def reply(self, action: ChatAction, text: str) -> None:
        """Send a reply that only the person can see. Raises NotSent."""
        ...

    def response(self, action: ChatAction, text: str) -> bytes | None:
        """The reply as the response to the request (JSON), if this chat expects it there, else None."""
        ...

    def challenge(self, payload: Mapping[str, Any]) -> bytes:
        """The response (JSON) that proves that this address is ours, if the chat asks for proof, else empty."""
        ...

    async def listen(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Fetch requests until canceled, if the chat does not call this server; otherwise return."""
        ...


def short_press(press: Press, number: int) -> str:
    """The button's value in at most 64 characters; "" if it does not fit. ``number``: the outcome's position among the
    task's outcomes.
    """
    try:
        task = uuid.UUID(press.task).bytes
        digest = bytes.fromhex(press.digest)[:_PART]
    except ValueError:
        return ""
    head = base64.urlsafe_b64encode(task).decode().rstrip("=") + base64.urlsafe_b64encode(digest).decode()
    for outcome in (press.outcome, f"#{number:x}"):
        text = f"{head}{press.revision:x}.{press.stage:x}.{outcome}"
        if len(text.encode()) <= _MOST and len(digest) == _PART:
            return text
    return ""


def read_press(text: str) -> Press | None:
    """Parse what ``short_press`` wrote; None for anything else, even if it would decode to the same value."""
    if len(text.encode("utf-8", "replace")) > _MOST or (parts := _SHORT.fullmatch(text)) is None:
        return None
    head, revision, stage, outcome = parts.groups()
    task = base64.urlsafe_b64decode(head[:22] + "==")
    if base64.urlsafe_b64encode(task).decode() != head[:22] + "==":
        return None
    digest = base64.urlsafe_b64decode(head[22:]).hex()
    return Press(str(uuid.UUID(bytes=task)), outcome, digest, int(revision, 16), int(stage, 16))
