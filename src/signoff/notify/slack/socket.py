"""Socket Mode: Slack's requests arrive over a connection that this server opens, so it needs no public address. The
library's threads keep the connection, and pass each request to the event loop. A request is acknowledged once it is
queued: while the queue is full, Slack shows the person that it failed, and sends events again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, TimeoutError
from itertools import count
from typing import TYPE_CHECKING, Any

from signoff.core.errors import Busy
from signoff.core.plan.schedules import SOCKET_MODE
from signoff.notify.slack.channel import API

if TYPE_CHECKING:
    from slack_sdk.socket_mode.builtin import SocketModeClient

_PATIENCE = 2.5  # seconds; Slack waits three

log = logging.getLogger("signoff.slack")


class SlackSocket:
    """``take`` is called on the event loop with the payload of each request."""

    def __init__(self, app_token: str, take: Callable[[Mapping[str, Any]], None], api: str = API) -> None:
        self._token = app_token
        self._take = take
        self._api = api
        self._client: SocketModeClient | None = None

    async def run(self) -> None:
        """Connect, with growing pauses between attempts, and stay connected until canceled."""
        loop = asyncio.get_running_loop()
        client = await asyncio.to_thread(self._make, loop)
        try:
            for attempt in count(1):
                try:
                    await asyncio.to_thread(client.connect)
                    break
                except Exception as error:  # whatever the library raises, retry
                    pause = SOCKET_MODE.after(attempt).total_seconds()
                    log.warning("Slack's Socket Mode: %s; retrying in %.0f s", type(error).__name__, pause)
                    await asyncio.sleep(pause)
            await asyncio.Event().wait()  # from now on the library reconnects by itself
        finally:
            await asyncio.to_thread(client.close)

    def _make(self, loop: asyncio.AbstractEventLoop) -> "SocketModeClient":
        from slack_sdk import WebClient
        from slack_sdk.socket_mode.builtin import SocketModeClient
        from slack_sdk.socket_mode.client import BaseSocketModeClient
        from slack_sdk.socket_mode.request import SocketModeRequest
        from slack_sdk.socket_mode.response import SocketModeResponse

        def handle(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
            if isinstance(request.payload, dict):
                handed = asyncio.run_coroutine_threadsafe(self._hand_over(request.payload), loop)
                try:
                    queued = handed.result(_PATIENCE)
                except (TimeoutError, CancelledError):  # it is handled later, or the server stops
                    handed.cancel()
                    queued = False
                if not queued:
                    return
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

        made = SocketModeClient(self._token, web_client=WebClient(base_url=f"{self._api}/"), concurrency=2)
        made.socket_mode_request_listeners.append(handle)
        return made

    async def _hand_over(self, payload: Mapping[str, Any]) -> bool:
        """Queue it; False if it was not."""
        try:
            self._take(payload)
        except Busy:
            log.warning("a request from Slack was refused: too many at the moment")
            return False
        except Exception:
            log.exception("a request from Slack was lost")
        return True
