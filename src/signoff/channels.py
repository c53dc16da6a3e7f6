"""Builds the channels from the settings, each by its own declaration, and Slack's inbound side."""

from collections.abc import Callable

from msgspec import Struct

from signoff.config import Config
from signoff.engine.clock import Clock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.slack_inbound import SlackDesk
from signoff.notify import registry
from signoff.notify.channel import ChannelContext
from signoff.notify.console import Console
from signoff.notify.outbound.post import Poster
from signoff.notify.slack.channel import CHANNEL as SLACK
from signoff.notify.slack.channel import Slack, parse_tokens
from signoff.notify.slack.inbound import Signatures
from signoff.notify.slack.socket import SlackSocket


def make_console(config: Config, line: Callable[[str], None] | None) -> Console | None:
    """The server's own terminal, unless console notifications are off or there is no terminal."""
    return None if line is None or config.console_notifications is False else Console(line)


def open_channels(config: Config, clock: Clock) -> ChannelRegistry:
    """Every declared channel that the settings configure; raises Invalid for an invalid setting."""
    settings = {one.name: "" for channel in registry.CHANNELS for one in channel.settings}
    settings.update(config.channel_settings)
    context = ChannelContext(
        settings=settings,
        now=clock.now,
        own_poster=Poster(True),
        callback_poster=Poster(config.allow_private_callbacks),
    )
    opened = {one.name: one.open(context) for one in registry.CHANNELS}
    return ChannelRegistry({name: channel for name, channel in opened.items() if channel is not None})


class SlackParts(Struct):
    """``socket``: None if Slack calls this server by HTTP."""

    desk: SlackDesk
    socket: SlackSocket | None = None


def make_slack(
    config: Config, channels: ChannelRegistry, chat: Chat | None, clock: Clock
) -> SlackParts | None:
    """The inbound side of Slack; None without Slack."""
    slack = channels.personal.get(SLACK.name)
    if not isinstance(slack, Slack) or chat is None:
        return None
    tokens = parse_tokens(config.channel_settings["slack_tokens"])
    signatures = Signatures(tokens.signing, lambda: clock.now().timestamp()) if tokens.signing else None
    desk = SlackDesk(slack, chat, signatures)
    return SlackParts(desk, SlackSocket(tokens.app, desk.take) if tokens.app else None)
