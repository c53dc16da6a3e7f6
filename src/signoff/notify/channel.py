"""What a channel is, and how it declares itself. A channel is one module below ``notify`` that ends with a
``ChannelDeclaration``, and one line in ``registry``. Settings, routing, addresses, pages and API are derived from
these.

The command line reads the declarations even if no server is installed, so a channel's module imports its
sending libraries only when it sends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from signoff.notify.chat import ChatInbound
    from signoff.notify.personal_message import PersonalMessage
    from signoff.notify.service_message import ServiceMessage


class NotSent(Exception):
    """The message did not arrive. permanent: whether a retry is pointless; wait: seconds before the next attempt, if
    the service asked for a pause and the attempt does not count; retry_after: the same, if the attempt counts.
    """

    def __init__(
        self, reason: str, *, permanent: bool = False, wait: float = 0.0, retry_after: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.wait = wait
        self.retry_after = retry_after


# ---- the three kinds of channel


class Channel(Protocol):
    async def close(self) -> None:
        """Release connections."""
        ...


class HttpPoster(Channel, Protocol):
    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises NotSent unless the answer is 2xx."""
        ...


class PersonalChannel(Channel, Protocol):
    """Reaches one person at a time."""

    async def deliver(self, message: "PersonalMessage") -> str:
        """Send the message, or update the earlier ones that it follows (``earlier``); returns the provider's id for it.
        Raises NotSent.
        """
        ...


class ServiceChannel(Channel, Protocol):
    """Sends each notification once, to a service or to everyone who reads the channel. ``targets``: its destinations,
    in a form that may be shown.
    """

    @property
    def targets(self) -> Sequence[str]: ...

    async def send(self, message: "ServiceMessage", target: str) -> None:
        """Raises NotSent."""
        ...


@dataclass(frozen=True)
class Callback:
    """The URL of an agent, and the secret with which requests to it are signed; neither appears in an error.
    ``traceparent``: the trace that the intent belongs to.
    """

    url: str
    secret: str = ""
    traceparent: str = ""


class PushChannel(Channel, Protocol):
    """Calls agents."""

    async def push(self, message: "ServiceMessage", callback: Callback) -> None:
        """Raises NotSent."""
        ...


# ---- declarations


class ChannelKind(StrEnum):
    PERSONAL = "personal"
    SERVICE = "service"
    PUSH = "push"


class AddressSource(StrEnum):
    """Where a person's address in a personal channel comes from."""

    EMAIL = "email"  # the channel's entry among the person's addresses, or else their e-mail address
    DIRECTORY = "directory"  # the channel's entry among the person's addresses
    LINK = "link"  # an account that the person linked with a code


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of the server. hide: returns the value in a form that may be shown; check: raises Invalid, without
    quoting the value; needs: the setting without which it has no effect.
    """

    name: str
    help: str
    hide: Callable[[str], str] | None = None
    check: Callable[[str], object] | None = None
    needs: str = ""


@dataclass(frozen=True, kw_only=True)
class ChannelContext:
    """What a channel needs to open. own_poster: posts to URLs that the operator chose, including ones in private
    networks; callback_poster: posts to URLs that callers registered, but not in private networks.
    """

    settings: Mapping[str, str]
    now: Callable[[], datetime]
    own_poster: HttpPoster
    callback_poster: HttpPoster

    def seconds(self) -> float:
        """The time in seconds, for rate limits and for the lifetime of signatures and tokens."""
        return self.now().timestamp()


@dataclass(frozen=True, kw_only=True)
class ChannelDeclaration:
    """label: its name in a sentence; accepted_by: who accepts a sent message, by default the label; open:
    returns the channel, or None if its settings do not configure one; link_command: what a person types to link an
    account (``{code}``); unlink_command: what they type to unlink it; room: a pattern for the ids of rooms, if it
    also sends to those; inbound: creates the receiver of button presses and commands for the open channel; rewrites:
    whether a personal channel can update a message that it has sent; endings: whether a service channel also reports
    how a request ended (``intent.finished``).
    """

    name: str
    label: str
    kind: ChannelKind
    open: Callable[[ChannelContext], Channel | None]
    settings: tuple[Setting, ...] = ()
    address: AddressSource = AddressSource.DIRECTORY
    link_command: str = ""
    unlink_command: str = ""
    room: str = ""
    inbound: "Callable[[ChannelContext, Channel], ChatInbound] | None" = None
    endings: bool = False
    rewrites: bool = False
    accepted_by: str = ""


NO_CHANNEL: Final = "none"  # recorded as the channel of a message to a person whom no channel reaches
