"""All channels, one line each. People without a preference are notified over the first personal channel that has an
address for them.
"""

from typing import Final

from signoff.core.directory.personal_channels import PersonalChannels
from signoff.notify import apprise, email, push, telegram, webhook
from signoff.notify.channel import NO_CHANNEL, AddressSource, ChannelDeclaration, ChannelKind
from signoff.notify.msteams import declaration as msteams
from signoff.notify.slack import declaration as slack

CHANNELS: Final[list[ChannelDeclaration]] = [
    slack.CHANNEL,
    msteams.CHANNEL,
    telegram.CHANNEL,
    email.CHANNEL,
    webhook.CHANNEL,
    apprise.CHANNEL,
    push.CHANNEL,
]


def find_channel(name: str) -> ChannelDeclaration | None:
    return next((one for one in CHANNELS if one.name == name), None)


def label_of(name: str) -> str:
    """A channel's name for a sentence."""
    found = find_channel(name)
    return found.label if found else "any channel" if name == NO_CHANNEL else name


def accepted_by(name: str) -> str:
    """Who accepts a message that is sent over a channel; whether they pass it on is not known."""
    found = find_channel(name)
    return (found.accepted_by if found else "") or label_of(name)


def link_text(name: str, code: str) -> str:
    """What to type in the chat to link an account."""
    found = find_channel(name)
    return (found.link_command if found else "{code}").format(code=code)


def unlink_text(name: str) -> str:
    """What to type in the chat to unlink the account."""
    found = find_channel(name)
    return found.unlink_command if found else ""


def personal_channels() -> PersonalChannels:
    """What the directory needs to know about channels: the names that people's addresses and preferences may use."""
    personal = [one for one in CHANNELS if one.kind is ChannelKind.PERSONAL]
    return PersonalChannels(
        names=tuple(one.name for one in personal),
        linked={one.name: one.label for one in personal if one.address is AddressSource.LINK},
        rooms={one.name: one.room for one in personal if one.room},
    )
