"""Signed webhooks, by the Standard Webhooks specification: webhook-id, webhook-timestamp, webhook-signature."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from signoff.core.text.urls import read_url, secret_path, whole_secret
from signoff.notify.channel import ChannelContext, ChannelDeclaration, ChannelKind, HttpPoster, Setting
from signoff.notify.outbound.post import shown_url

if TYPE_CHECKING:
    from signoff.core.intent.notifications import Notification
    from signoff.notify.service_message import ServiceMessage


def body_of(notification: "Notification", title: str) -> bytes:
    """The body of the request about one notification."""
    import msgspec

    return msgspec.json.encode(
        {
            "type": notification.kind.value,
            "timestamp": notification.at,
            "title": title,
            "data": notification,
        }
    )


class Webhook:
    """Posts each notification as JSON: ``{"type", "timestamp", "data": {...}}``. ``now``: the signature's time."""

    def __init__(self, url: str, secret: str, poster: HttpPoster, now: Callable[[], datetime]) -> None:
        self._url = url
        self._secret = secret
        self._poster = poster
        self._now = now
        self.targets = (shown_url(url),)

    async def send(self, message: "ServiceMessage", target: str) -> None:
        body = body_of(message.notification, message.title)
        headers = {"content-type": "application/json", "webhook-id": message.id}
        if self._secret:
            from standardwebhooks.webhooks import Webhook as Signer

            at = self._now()
            headers["webhook-timestamp"] = str(int(at.timestamp()))
            headers["webhook-signature"] = Signer(self._secret).sign(message.id, at, body.decode())
        await self._poster.post(self._url, body, headers)

    async def close(self) -> None:
        await self._poster.close()


def _open(context: ChannelContext) -> Webhook | None:
    url, secret = context.settings["webhook_url"], context.settings["webhook_secret"]
    return Webhook(url, secret, context.own_poster, context.now) if url else None


def _check(url: str) -> None:
    read_url(url, "webhook_url", ("https", "http"), "Write https://host/path.")


CHANNEL: Final = ChannelDeclaration(
    name="webhook",
    label="the webhook",
    kind=ChannelKind.SERVICE,
    settings=(
        Setting(
            name="webhook_url",
            help="URL that receives signed notifications.",
            hide=secret_path,
            check=_check,
        ),
        Setting(
            name="webhook_secret",
            help="Secret that signs notifications.",
            hide=whole_secret,
            needs="webhook_url",
        ),
    ),
    endings=True,
    open=_open,
)
