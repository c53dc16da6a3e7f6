"""Signed webhooks, by the Standard Webhooks specification: webhook-id, webhook-timestamp, webhook-signature."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from standardwebhooks.webhooks import Webhook as Signer

from signoff.notify.channel import Message, Target
from signoff.notify.outbound.post import Poster


class Webhook:
    """Posts each notice as JSON: ``{"type", "timestamp", "data": {...}}``. ``now`` stamps the signature."""

    def __init__(self, poster: Poster, now: Callable[[], datetime]) -> None:
        self._poster = poster
        self._now = now

    async def send(self, message: Message, target: Target) -> None:
        notification = message.notification
        body = msgspec.json.encode(
            {
                "type": notification.kind.value,
                "timestamp": notification.at,
                "title": message.title,
                "data": notification,
            }
        )
        headers = {"content-type": "application/json", "webhook-id": message.id}
        if target.secret:
            at = self._now()
            headers["webhook-timestamp"] = str(int(at.timestamp()))
            headers["webhook-signature"] = Signer(target.secret).sign(message.id, at, body.decode())
        await self._poster.post(target.url, body, headers)

    async def close(self) -> None:
        await self._poster.close()
