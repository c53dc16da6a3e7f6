"""What Slack sends to this server. It is acknowledged immediately and processed afterwards; only the person who
pressed or typed sees the reply. Over HTTP every request is signed; in Socket Mode the connection is ours.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from signoff.core.errors import Busy
from signoff.core.intent.commands import Answer
from signoff.engine.delivery.chat_answers import Chat
from signoff.notify.channel import NotSent
from signoff.notify.slack.channel import Slack
from signoff.notify.slack.inbound import Pressed, Signatures, Typed, understood

log = logging.getLogger("signoff.slack")

_HELP: Final = "Type /signoff link CODE, with a code from your Signoff page (/me), or /signoff unlink."
_GUEST: Final = "Guests and people from other organizations cannot answer here."
_MOST_AT_ONCE: Final = 100


class SlackDesk:
    """``signatures``: None if Slack does not call us by HTTP."""

    def __init__(self, slack: Slack, chat: Chat, signatures: Signatures | None) -> None:
        self.chat = chat
        self.signatures = signatures
        self._slack = slack
        self._work: set[asyncio.Task[None]] = set()

    def take(self, payload: Mapping[str, Any]) -> None:
        """Queue it and return immediately. Raises Busy if the queue is full."""
        heard = understood(payload)
        if heard is None:
            return
        if len(self._work) >= _MOST_AT_ONCE:
            raise Busy("busy", "Too many requests at the moment.")
        task = asyncio.get_running_loop().create_task(self._deal(heard))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _deal(self, heard: Pressed | Typed) -> None:
        try:
            await self._slack.reply(heard.reply_to, await self._said(heard))
        except NotSent as failure:
            log.warning("a private answer in Slack was lost: %s", failure.reason)
        except Exception:
            log.exception("Slack: %s", type(heard).__name__)

    async def _said(self, heard: Pressed | Typed) -> str:
        try:
            stranger = isinstance(heard, Pressed) and heard.stranger
            if stranger or not await self._slack.is_member(heard.team, heard.account):
                return _GUEST
        except NotSent:
            return "Slack did not confirm who you are. Nothing was recorded; try again."
        if isinstance(heard, Pressed):
            press = heard.press
            stage = press.stage - 1 if press.stage else None
            answer = Answer(press.outcome, stage=stage, revision=press.revision, digest=press.digest)
            return await self.chat.answer(heard.team, heard.account, answer, press.task)
        word, _, rest = heard.text.strip().partition(" ")
        if word == "link" and rest.strip():
            return await self.chat.link(heard.team, heard.account, rest.strip())
        return await self.chat.unlink(heard.team, heard.account) if word == "unlink" else _HELP

    async def settle(self) -> None:
        """Wait until everything that was queued has been processed."""
        while self._work:
            await asyncio.gather(*self._work)

    async def close(self, patience: float = 2.0) -> None:
        """Process queued requests for a moment (their senders have been told that they arrived), then drop the rest."""
        if self._work:
            await asyncio.wait(self._work, timeout=patience)
        left = list(self._work)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
