"""The settings -> the channels. What is not set up is not there; what a channel needs is imported when it first sends."""

from collections.abc import Callable

from signoff.config import Config
from signoff.engine.audience import EMAIL
from signoff.engine.clock import Clock
from signoff.engine.courier import Channels
from signoff.notify.channel import Channel, Personal, Target
from signoff.notify.console import Console
from signoff.notify.email import Email, parse_smtp
from signoff.notify.http import Poster
from signoff.notify.push import Push
from signoff.notify.webhook import Webhook


def make_channels(config: Config, clock: Clock, line: Callable[[str], None]) -> Channels:
    """Raises Invalid for a setting that cannot be understood."""
    poster = Poster(bool(config.allow_private_callbacks))
    by_name: dict[str, Channel] = {"push": Push(poster, clock.now), "webhook": Webhook(poster, clock.now)}
    if config.notify == "console":
        by_name["console"] = Console(line)
    personal: dict[str, Personal] = {}
    if config.smtp_url:
        personal[EMAIL] = Email(parse_smtp(config.smtp_url))
    return Channels(by_name, Target(config.webhook_url, config.webhook_secret), personal)
