"""Handles requests from a chat. They are acknowledged immediately and processed afterwards, unless the
chat expects the reply in the response. Only the person who pressed or typed sees the reply.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from signoff.core.errors import Busy
from signoff.core.plan.schedules import SOCKET_MODE, Backoff
from signoff.engine.delivery.chat_answers import Chat
from signoff.notify.channel import NotSent
from signoff.notify.chat import ChatAction, ChatInbound, Pressed, Replied, Typed
from signoff.notify.registry import label_of, link_text, unlink_text

log = logging.getLogger("signoff.chat")

_GUEST: Final = "Guests and people from other organizations cannot answer here."
_MOST_AT_ONCE: Final = 100


class ChatDesk:
    """``channel``: the name of the chat; ``backoff``: the pauses before requests are fetched again after an error;
    ``seconds``: the monotonic clock.
    """

    def __init__(
        self,
        channel: str,
        inbound: ChatInbound,
        chat: Chat,
        backoff: Backoff = SOCKET_MODE,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._backoff = backoff
        self._seconds = seconds
        self.chat = chat
        self.inbound = inbound
        self._channel = channel
        self._label = label_of(channel)
        self._work: set[asyncio.Task[Any]] = set()

    async def listen(self) -> None:
        """Fetch requests until canceled, if the chat does not call this server. Continues after an unexpected
        response; the pauses start short again if fetching had worked for longer than the longest pause.
        """
        attempt = 0
        while True:
            began = self._seconds()
            try:
                return await self.inbound.listen(self.take)
            except Exception:
                log.exception("%s: fetching requests failed", self._label)
            healthy = self._seconds() - began > self._backoff.delays[-1].total_seconds()
            attempt = 1 if healthy else attempt + 1
            await asyncio.sleep(self._backoff.after(attempt).total_seconds())

    def take(self, payload: Mapping[str, Any]) -> None:
        """Queue the request and return immediately. Raises Busy if the queue is full."""
        self._refuse_if_full()
        action = self.inbound.understood(payload)
        if action is not None:
            self._start(self._deal(action))

    async def answer(self, payload: Mapping[str, Any]) -> bytes:
        """The response to the request: the reply, if the chat expects it there. Otherwise the request is queued and
        the response is empty.
        """
        if challenge := self.inbound.challenge(payload):
            return challenge
        self._refuse_if_full()
        action = self.inbound.understood(payload)
        if action is None:
            return b""
        if self.inbound.response(action, "") is None:
            self._start(self._deal(action))
            return b""
        text: str = await asyncio.shield(self._start(self._reply_safely(action)))
        return self.inbound.response(action, text) or b""

    def _refuse_if_full(self) -> None:
        """Refuse the request before it counts as received, so that the chat sends it again and the repeat is
        processed.
        """
        if len(self._work) >= _MOST_AT_ONCE:
            raise Busy("busy", "Too many requests at the moment.")

    def _start(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _deal(self, action: ChatAction) -> None:
        try:
            reply = await self._reply_safely(action)
            if reply:
                await self.inbound.reply(action, reply)
        except NotSent as failure:
            log.warning("a private answer in %s was lost: %s", self._label, failure.reason)
        except Exception:
            log.exception("%s: %s", self._label, type(action).__name__)

    async def _reply_safely(self, action: ChatAction) -> str:
        try:
            return await self._reply(action)
        except Exception:
            log.exception("%s: %s", self._label, type(action).__name__)
            return "Something went wrong. The page shows what was recorded."

    async def _reply(self, action: ChatAction) -> str:
        if isinstance(action, Replied) and not await self.chat.knows(action.card):
            return ""  # people also reply to messages that are not cards
        try:
            stranger = not isinstance(action, Typed) and action.stranger
            if stranger or not await self.inbound.is_member(action):
                return _GUEST
        except NotSent:
            return f"{self._label} did not confirm who you are. Nothing was recorded; try again."
        if isinstance(action, Pressed):
            return await self.chat.press(action.team, action.account, action.press)
        if isinstance(action, Replied):
            return await self.chat.comment(action)
        word, _, rest = action.text.strip().partition(" ")
        if word == "link" and rest.strip():
            return await self.chat.link(action.team, action.account, rest.strip())
        if word == "unlink":
            return await self.chat.unlink(action.team, action.account)
        link, unlink = link_text(self._channel, "CODE"), unlink_text(self._channel)
        return f"Type {link}, with a code from your Signoff page (/me), or {unlink}."

    async def settle(self) -> None:
        """Wait until everything that was queued has been processed."""
        while self._work:
            await asyncio.gather(*self._work)

    async def close(self, patience: float = 2.0) -> None:
        """Process queued requests for a moment, because their senders have received an acknowledgement, then drop the
        rest.
        """
        if self._work:
            await asyncio.wait(self._work, timeout=patience)
        left = list(self._work)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
