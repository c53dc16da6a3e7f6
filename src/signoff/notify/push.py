"""AXP's HTTP delivery: posts the intent's id to the agent's callback URL, with an HMAC-SHA256 signature of the raw
body.

A 2xx accepts the delivery; the agent then reads the intent and resumes it. The header names are AXP's.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from signoff.notify.channel import Callback, ChannelContext, ChannelDeclaration, ChannelKind, HttpPoster

if TYPE_CHECKING:
    from signoff.notify.service_message import ServiceMessage


class Push:
    def __init__(self, poster: HttpPoster, now: Callable[[], datetime]) -> None:
        self._poster = poster
        self._now = now

    async def push(self, message: "ServiceMessage", callback: Callback) -> None:
        import msgspec

        notification = message.notification
        body = msgspec.json.encode(
            {
                "intent_id": notification.ref,
                "intent_type": notification.intent_type,
                "event_type": "intent.delivered",
                "status": "DELIVERED",
                "step_id": notification.step,
                "to_agent": notification.to[0] if notification.to else "",
                "delivery_attempt": notification.attempt,
                "at": notification.at,
            }
        )
        headers = {
            "content-type": "application/json",
            "x-axme-delivery-id": message.id,
            "x-axme-timestamp": str(int(self._now().timestamp())),
            "x-axme-attempt": str(notification.attempt),
        }
        if callback.traceparent:
            headers["traceparent"] = callback.traceparent
        if callback.secret:
            digest = hmac.new(callback.secret.encode(), body, hashlib.sha256).hexdigest()
            headers["x-axme-signature"] = f"sha256={digest}"
        await self._poster.post(callback.url, body, headers)

    async def close(self) -> None:
        await self._poster.close()


def _open(context: ChannelContext) -> Push:
    return Push(context.callback_poster, context.now)


CHANNEL: Final = ChannelDeclaration(name="push", label="push", kind=ChannelKind.PUSH, open=_open)
