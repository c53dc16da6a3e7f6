"""What the channel Teams declares to the registry: its settings, how it opens, and what receives people's actions."""

from typing import TYPE_CHECKING, Final

from signoff.core.text.urls import whole_secret
from signoff.notify.channel import (
    AddressSource,
    Channel,
    ChannelContext,
    ChannelDeclaration,
    ChannelKind,
    Setting,
)
from signoff.notify.extras import require
from signoff.notify.msteams.channel import Teams, parse_bot
from signoff.notify.msteams.inbound import TeamsInbound

if TYPE_CHECKING:
    pass


def _open(context: ChannelContext) -> Teams | None:
    bot = context.settings["msteams_bot"]
    if not bot:
        return None
    require("msteams_bot", "msteams", "jwt", "cryptography")
    return Teams(parse_bot(bot), context.seconds)


def _inbound(context: ChannelContext, channel: Channel) -> TeamsInbound:
    assert isinstance(channel, Teams)
    return TeamsInbound(channel, context.seconds)


CHANNEL: Final = ChannelDeclaration(
    name="msteams",
    label="Teams",
    kind=ChannelKind.PERSONAL,
    settings=(
        Setting(
            name="msteams_bot",
            help="Microsoft Teams bot: app id, tenant id and client secret, space-separated.",
            hide=whole_secret,
            check=parse_bot,
        ),
    ),
    address=AddressSource.LINK,
    link_command="link {code}",
    unlink_command="unlink",
    room=r"19:[A-Za-z0-9_.-]{1,200}@thread\.(?:tacv2|skype|v2)",
    inbound=_inbound,
    rewrites=True,
    open=_open,
)
