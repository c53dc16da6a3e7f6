"""What the channel Slack declares to the registry: its settings, how it opens, and what receives people's actions."""

from typing import Final

from signoff.core.text.urls import whole_secret
from signoff.notify.channel import (
    AddressSource,
    Channel,
    ChannelContext,
    ChannelDeclaration,
    ChannelKind,
    Setting,
)
from signoff.notify.chat import ChatInbound
from signoff.notify.slack.channel import Slack, parse_tokens


def _open(context: ChannelContext) -> Slack | None:
    tokens = context.settings["slack_tokens"]
    return Slack(parse_tokens(tokens).bot, context.seconds) if tokens else None


def _inbound(context: ChannelContext, channel: Channel) -> ChatInbound:
    from signoff.notify.slack.inbound import open_inbound

    return open_inbound(context, channel)


CHANNEL: Final = ChannelDeclaration(
    name="slack",
    label="Slack",
    kind=ChannelKind.PERSONAL,
    settings=(
        Setting(
            name="slack_tokens",
            help="Slack bot token with its signing secret or app token, space-separated.",
            hide=whole_secret,
            check=parse_tokens,
        ),
    ),
    address=AddressSource.LINK,
    link_command="/signoff link {code}",
    unlink_command="/signoff unlink",
    room=r"[CG][A-Z0-9]{6,20}",
    inbound=_inbound,
    rewrites=True,
    open=_open,
)
