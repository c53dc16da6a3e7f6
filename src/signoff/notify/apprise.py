"""Sends to other services through Apprise, at addresses that an admin has configured. Only services on the allow-list
are accepted, because Apprise could also write files, run programs and call any host; other addresses are refused when
the server starts.
"""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from signoff.core.errors import Invalid
from signoff.core.text.urls import whole_secret
from signoff.notify.channel import ChannelContext, ChannelDeclaration, ChannelKind, NotSent, Setting
from signoff.notify.extras import require
from signoff.notify.outbound.post import shown_url
from signoff.notify.plain_text import one_line, visible

if TYPE_CHECKING:
    from signoff.notify.service_message import ServiceMessage

log = logging.getLogger("signoff.apprise")

# Services with fixed hosts.
_SERVICES: Final = frozenset(
    {"discord", "slack", "tgram", "msteams", "workflow", "workflows", "gchat", "pover", "pbul", "wxteams", "zulip",
     "pagerduty", "opsgenie", "twilio", "sns", "ses", "mailgun", "sendgrid", "line", "victorops", "splunk", "prowl",
     "join", "flock", "guilded", "signl4", "spike", "mailersend", "resend", "postmark", "simplepush", "pushy"}
)  # fmt: skip
# Services that run on the host in the URL.
_HOSTED: Final = frozenset(
    {"ntfy", "ntfys", "gotify", "gotifys", "mmost", "mmosts", "rocket", "rockets", "matrix", "matrixs", "ncloud",
     "nclouds", "nctalk", "nctalks"}
)  # fmt: skip
_SHOWN: Final = 6  # characters of a fingerprint: enough to tell an operator's own addresses apart
_TIMEOUT: Final = 45.0
_LONGEST_TITLE: Final = 150


def parse_urls(text: str) -> tuple[str, ...]:
    """The URLs of the setting; raises Invalid for a service that is not on the list, without quoting the rest of its
    URL. The operator sets them and may choose any host, as with ``webhook_url``.
    """
    urls = tuple(text.split())
    for url in urls:
        scheme = url.partition("://")[0].lower()
        if "://" not in url or scheme not in _SERVICES | _HOSTED:
            raise Invalid(
                "invalid_setting",
                f"apprise_urls: {scheme[:20]!r} is not an allowed service."
                if "://" in url
                else "apprise_urls: an entry is not a URL: it has no ://.",
                field="apprise_urls",
                hint="Allowed: " + ", ".join(sorted(_SERVICES | _HOSTED)) + ".",
            )
    return urls


def name_of(url: str) -> str:
    """The display name of an address: its service and host, and a fingerprint, because the rest is secret."""
    parts = urlsplit(url)
    # Without a path it is a topic, not a host.
    hosted = parts.scheme.lower() in _HOSTED and (parts.path.strip("/") or parts.fragment)
    where = shown_url(url) if hosted else f"{parts.scheme}://\u2026"
    return f"{where} #{sha256(url.encode()).hexdigest()[:_SHOWN]}"


class Apprise:
    """Each address is a separate target with a name, so that only an address that fails is retried."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = {name_of(url): url for url in urls}
        self.targets = tuple(self._urls)

    async def send(self, message: "ServiceMessage", target: str) -> None:
        """Send the message. ``target``: the name of an address; "" in rows of older releases, which means all."""
        urls = [url for name, url in self._urls.items() if target in ("", name)]
        if not urls:
            raise NotSent("this address is no longer configured", permanent=True)
        body = "\n".join([visible(message.text), *([message.link] if message.link else [])])
        title = one_line(message.title, _LONGEST_TITLE)
        try:
            async with asyncio.timeout(_TIMEOUT):
                sent = await asyncio.to_thread(self._notify, urls, title, body)
        except TimeoutError as error:
            raise NotSent("the service did not respond in time") from error
        if not sent:
            raise NotSent("the service did not accept it; see the server's log for Apprise's error")

    def _notify(self, urls: Sequence[str], title: str, body: str) -> bool:
        import apprise  # imported on first use, because that takes half a second and 20 MB

        asset = apprise.AppriseAsset(
            app_id="Signoff", app_url="", plugin_paths=[], interpret_escapes=False, http_redirects=False
        )
        sender: Any = apprise.Apprise(asset=asset)
        for url in urls:
            if not sender.add(url):
                log.warning("Apprise does not support %s:// URLs", url.partition("://")[0])
                return False
        return bool(sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))

    async def close(self) -> None:
        """There is nothing to release."""


def _open(context: ChannelContext) -> Apprise | None:
    urls = context.settings["apprise_urls"]
    if not urls:
        return None
    require("apprise_urls", "apprise", "apprise")
    return Apprise(parse_urls(urls))


CHANNEL: Final = ChannelDeclaration(
    name="apprise",
    label="Apprise",
    kind=ChannelKind.SERVICE,
    settings=(
        Setting(
            name="apprise_urls",
            help="Space-separated Apprise URLs that receive every notification.",
            hide=whole_secret,
            check=parse_urls,
        ),
    ),
    open=_open,
)
