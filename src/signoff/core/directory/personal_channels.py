"""The channels that can reach a person, as far as the directory needs them."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class PersonalChannels(NamedTuple):
    """names: in the order of preference; linked: label by name of those whose address only the person can set, by
    linking an account; rooms: of the chats that have rooms for many, what the id of one looks like (a pattern), by
    name.
    """

    names: tuple[str, ...]
    linked: Mapping[str, str]
    rooms: Mapping[str, str] = {}

    @property
    def addressed(self) -> tuple[str, ...]:
        """Those whose addresses an admin may set."""
        return tuple(name for name in self.names if name not in self.linked)


NO_CHANNELS: Final = PersonalChannels((), {})
