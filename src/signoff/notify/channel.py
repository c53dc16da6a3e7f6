"""What a channel is: it sends one message to one target, or says why not and whether trying again could help."""

from typing import Protocol

import msgspec

from signoff.core.intent.notifications import Notification
from signoff.notify.letter import Letter


class Message(msgspec.Struct, frozen=True):
    """A notice rendered: ``id`` is stable over all attempts, so receivers can drop what they have seen."""

    id: str
    notification: Notification
    title: str
    text: str
    link: str


class Target(msgspec.Struct, frozen=True):
    """Where a channel sends to; ``secret`` signs, and never appears in an error."""

    url: str = ""
    secret: str = ""


class NotSent(Exception):
    """The message did not arrive. ``permanent``: it never will, so it is not tried again; ``wait``: not before so many
    seconds.
    """

    def __init__(self, reason: str, *, permanent: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.wait = wait


class Channel(Protocol):
    async def send(self, message: Message, target: Target) -> None:
        """Send, or raise NotSent."""
        ...

    async def close(self) -> None: ...


class Personal(Protocol):
    """A channel that reaches one person at a time."""

    async def deliver(self, letter: Letter) -> str:
        """Send it, or bring what was sent before up to date; what the provider calls it. Raises NotSent."""
        ...

    async def close(self) -> None: ...
