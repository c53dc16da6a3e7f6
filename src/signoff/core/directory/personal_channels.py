"""What the directory needs to know about the channels that can reach a person."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class PersonalChannels(NamedTuple):
    """names: the channels in the order of preference. linked: the labels, by name, of the channels whose address only
    the person can set, by linking an account. rooms: the pattern of a room's id, by name, for chats that have rooms.
    """

    names: tuple[str, ...]
    linked: Mapping[str, str]
    rooms: Mapping[str, str] = {}

    @property
    def addressed(self) -> tuple[str, ...]:
        """The channels whose addresses an admin may set."""
        return tuple(name for name in self.names if name not in self.linked)


NO_CHANNELS: Final = PersonalChannels((), {})
