"""The settings -> the channels. What is not set up is not there; what a channel needs is imported when it sends."""

from collections.abc import Callable

from msgspec import Struct

from signoff.config import Config
from signoff.core.formats.manifest import EMAIL, SLACK
from signoff.engine.clock import Clock
from signoff.engine.delivery.chat_answers import Chat
from signoff.engine.delivery.pipeline import Channels
from signoff.engine.delivery.slack_inbound import SlackDesk
from signoff.notify.apprise import Apprise, parse_urls
from signoff.notify.channel import Channel, Personal, Target
from signoff.notify.console import Console
from signoff.notify.email import Email, parse_smtp
from signoff.notify.outbound.post import Poster
from signoff.notify.push import Push
from signoff.notify.slack.channel import Slack, SlackTokens, parse_tokens
from signoff.notify.slack.inbound import Signatures
from signoff.notify.slack.socket import SlackSocket
from signoff.notify.webhook import Webhook


def make_console(config: Config, line: Callable[[str], None]) -> Console | None:
    """The server's own terminal, unless it is to be silent."""
    return Console(line) if config.console_notifications else None


def make_channels(config: Config, clock: Clock) -> Channels:
    """Raises Invalid for a setting that cannot be understood."""
    # Callers choose where pushes go; where webhooks and Apprise's
    # messages go is set by whoever runs this server, who may choose any address.
    registered, ours = Poster(config.allow_private_callbacks), Poster(True)
    by_name: dict[str, Channel] = {"push": Push(registered, clock.now), "webhook": Webhook(ours, clock.now)}
    if config.apprise_urls:
        by_name["apprise"] = Apprise(parse_urls(config.apprise_urls))
    personal: dict[str, Personal] = {}
    if config.smtp_url:
        personal[EMAIL] = Email(parse_smtp(config.smtp_url))
    if config.slack_tokens:
        personal[SLACK] = Slack(parse_tokens(config.slack_tokens).bot, lambda: clock.now().timestamp())
    return Channels(by_name, Target(config.webhook_url, config.webhook_secret), personal)


class SlackParts(Struct):
    """``socket``: None where Slack calls this server by HTTP."""

    desk: SlackDesk
    socket: SlackSocket | None = None


def make_slack(config: Config, channels: Channels, chat: Chat, clock: Clock) -> SlackParts | None:
    """Slack's way in; None where Slack is not set up."""
    slack = channels.personal.get(SLACK)
    if not isinstance(slack, Slack):
        return None
    tokens: SlackTokens = parse_tokens(config.slack_tokens)
    signatures = Signatures(tokens.signing, lambda: clock.now().timestamp()) if tokens.signing else None
    desk = SlackDesk(slack, chat, signatures)
    return SlackParts(desk, SlackSocket(tokens.app, desk.take) if tokens.app else None)
