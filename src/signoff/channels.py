"""Builds the channels from the settings, by their declarations, and the receivers of requests from chats."""

from collections.abc import Callable, Mapping

from signoff.config import Config
from signoff.engine.clock import Clock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.chat_desk import ChatDesk
from signoff.notify import registry
from signoff.notify.channel import ChannelContext
from signoff.notify.console import Console
from signoff.notify.outbound.post import Poster


def make_console(config: Config, line: Callable[[str], None] | None) -> Console | None:
    """The console for notifications, unless they are off or there is no terminal."""
    return None if line is None or config.console_notifications is False else Console(line)


def open_channels(config: Config, clock: Clock) -> ChannelRegistry:
    """Every declared channel that the settings configure; raises Invalid for an invalid setting."""
    context = _context(config, clock)
    opened = {one.name: one.open(context) for one in registry.CHANNELS}
    return ChannelRegistry({name: channel for name, channel in opened.items() if channel is not None})


def _context(config: Config, clock: Clock) -> ChannelContext:
    settings = {one.name: "" for channel in registry.CHANNELS for one in channel.settings}
    settings.update(config.channel_settings)
    return ChannelContext(
        settings=settings,
        now=clock.now,
        own_poster=Poster(True),
        callback_poster=Poster(config.allow_private_callbacks),
    )


def make_desks(
    config: Config, channels: ChannelRegistry, chats: Mapping[str, Chat], clock: Clock
) -> dict[str, ChatDesk]:
    """The receivers of button presses and commands, by the name of the chat."""
    context = _context(config, clock)
    return {
        name: ChatDesk(name, declared.inbound(context, channels.opened[name]), chat)
        for name, chat in chats.items()
        if name in channels.opened and (declared := channels.declared[name]).inbound is not None
    }
