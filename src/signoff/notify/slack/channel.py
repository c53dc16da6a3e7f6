"""Slack through its Web API: a card for each person, updated when the task is decided. The person who presses a button
gets a private reply. The token never appears in an error.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from signoff.core.errors import Invalid
from signoff.notify.channel import (
    NotSent,
)
from signoff.notify.rate_gate import RateGate

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage

API: Final = "https://slack.com/api"
HOOKS: Final = "https://hooks.slack.com/"
_TIMEOUT: Final = 10.0
_ALTOGETHER: Final = 45.0  # less than the time for which the outbox reserves a row
_MOST_WAIT: Final = 3600.0
_UNSAID_WAIT: Final = 30.0
_BETWEEN: Final = 1.2  # fifty a minute, Slack's strictest limit
_NOBODY: Final = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "user_not_found",
        "user_disabled",
        "is_archived",
        "cannot_dm_bot",
        "account_inactive",
    }
)
_CARD_GONE: Final = frozenset({"message_not_found", "channel_not_found", "is_inactive"})
_CARD_FIXED: Final = frozenset({"cant_update_message", "edit_window_closed"})


@dataclass(frozen=True)
class SlackTokens:
    """bot: ``xoxb-…``, for sending; signing: the secret with which Slack signs its requests; app: ``xapp-…``, for
    Socket Mode.
    """

    bot: str
    signing: str = ""
    app: str = ""


def parse_tokens(text: str) -> SlackTokens:
    """Parse ``slack_tokens``; raises Invalid, without quoting any of them."""
    tokens = {"bot": "", "signing": "", "app": ""}
    for word in text.split():
        tokens["bot" if word.startswith("xoxb-") else "app" if word.startswith("xapp-") else "signing"] = word
    if not tokens["bot"] or len(text.split()) != sum(bool(word) for word in tokens.values()):
        raise Invalid(
            "invalid_setting",
            "slack_tokens has no bot token, or two tokens of the same kind.",
            field="slack_tokens",
            hint="Write the bot token (xoxb-…), and the signing secret or the app token (xapp-…), separated by spaces.",
        )
    return SlackTokens(**tokens)


class SlackRefusal(Exception):
    """Slack understood the call and refused it, with its own error code."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Slack:
    """``now``: the time in seconds, for Slack's Retry-After."""

    def __init__(self, token: str, now: Callable[[], float], api: str = API, hooks: str = HOOKS) -> None:
        self._token = token
        self._gate = RateGate("Slack", now, _BETWEEN)
        self._api = api
        self._hooks = hooks
        self._client: Any = None

    async def deliver(self, message: "PersonalMessage") -> str:
        """Send or update the card; returns its ``channel:ts``, or the last one's if several were updated."""
        try:
            async with asyncio.timeout(_ALTOGETHER):
                return await self._deliver(message)
        except SlackRefusal as refusal:
            permanent = refusal.error in _NOBODY
            raise NotSent(f"Slack answered {refusal.error}", permanent=permanent) from refusal
        except TimeoutError as error:
            raise NotSent("no response from Slack in time") from error

    async def _deliver(self, message: "PersonalMessage") -> str:
        from signoff.notify.slack.card import render_card

        card = render_card(message)
        updated = [await self._update(reference, card) for reference in message.earlier]
        known = [reference for reference in updated if reference]
        if known or message.rewrite_only:
            return known[-1] if known else ""
        return await self._post(message, card)

    async def _post(self, message: "PersonalMessage", card: Mapping[str, Any]) -> str:
        channel, _, thread = message.below.partition(":")
        place = {"channel": channel, "thread_ts": thread} if thread else {"channel": message.to}
        response = await self._call(
            "chat.postMessage",
            {
                **card,
                **place,
                "unfurl_links": False,
                "unfurl_media": False,
                "parse": "none",
                "link_names": False,
                "mrkdwn": False,
                "metadata": {"event_type": "signoff_message", "event_payload": {"id": message.id}},
            },
        )
        return f"{response.get('channel', '')}:{response.get('ts', '')}"

    async def _update(self, reference: str, card: Mapping[str, Any]) -> str:
        """Update a card; returns its reference, "" if it cannot be updated and a new one has to be sent."""
        channel, _, ts = reference.partition(":")
        try:
            await self._call(
                "chat.update", {**card, "channel": channel, "ts": ts, "parse": "none", "link_names": False}
            )
        except SlackRefusal as refusal:
            if refusal.error in _CARD_FIXED:
                return ""
            if refusal.error not in _CARD_GONE:
                raise
        return reference

    async def is_member(self, team: str, account: str) -> bool:
        """Whether the account is currently a full member of that team: not a guest, an external or former member, or a
        bot.
        """
        try:
            user = (await self._call("users.info", {"user": account}, form=True)).get("user", {})
        except SlackRefusal:
            return False
        barred = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
        return user.get("team_id") == team and not any(user.get(name) for name in barred)

    async def whisper(self, card: str, account: str, text: str) -> None:
        """Send a reply in the card's thread that only this person sees."""
        from signoff.notify.slack.card import escape

        channel, _, ts = card.partition(":")
        body = {"channel": channel, "user": account, "thread_ts": ts, "text": escape(text), "parse": "none"}
        try:
            await self._call("chat.postEphemeral", body)
        except SlackRefusal as refusal:
            raise NotSent(f"Slack answered {refusal.error}") from refusal

    async def reply(self, url: str, text: str) -> None:
        """Send a reply that only the person who pressed or typed can see."""
        if url.startswith(self._hooks):
            from signoff.notify.slack.card import escape

            body = {"response_type": "ephemeral", "replace_original": False, "text": escape(text)}
            await self._send(url, {"json": body}, {})

    async def _call(self, method: str, body: Mapping[str, Any], form: bool = False) -> dict[str, Any]:
        content = {"data": body} if form else {"json": body}
        self._gate.check(method)
        answer = await self._send(
            f"{self._api}/{method}", content, {"authorization": f"Bearer {self._token}"}
        )
        try:
            response = answer.json()
        except ValueError:
            response = None
        if not isinstance(response, dict):
            raise NotSent(f"Slack sent an invalid answer ({answer.status_code})")
        if not response.get("ok"):
            raise SlackRefusal(str(response.get("error", "nothing"))[:64])
        return response

    async def _send(self, url: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        try:
            answer = await self._client.post(url, headers=dict(headers), **content)
        except httpx2.HTTPError as error:
            raise NotSent(f"{type(error).__name__}: no response from Slack") from error
        if answer.status_code == 429:
            header = answer.headers.get("retry-after", "")
            wait = min(float(header), _MOST_WAIT) if header.isdigit() else _UNSAID_WAIT
            raise self._gate.close(url.rpartition("/")[2], wait)
        if answer.status_code >= 500:
            raise NotSent(f"Slack answered {answer.status_code}")
        return answer

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None
