"""Handles requests from Slack: verifies that Slack sent them, and reads what a person pressed or typed. Nothing else
in them is trusted.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from signoff.notify.channel import Channel, ChannelContext
from signoff.notify.chat import ChatAction, Press, Pressed, Replied, Typed
from signoff.notify.slack.card import ANSWER
from signoff.notify.slack.channel import Slack, parse_tokens
from signoff.notify.slack.socket import SlackSocket

_WINDOW: Final = 300.0
_REMEMBERED: Final = 10_000


class Signatures:
    """Verifies requests over HTTP: Slack's signature over the raw body, at most five minutes old, each accepted
    once.
    """

    def __init__(self, secret: str, now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now
        self._seen: dict[str, float] = {}

    def genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
        from slack_sdk.signature import Clock, SignatureVerifier

        class Moved(Clock):
            now = staticmethod(self._now)

        # Python accepts more number formats than Slack writes, and only ASCII is compared in constant time.
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16 and signature.isascii()):
            return False
        try:
            valid = SignatureVerifier(self._secret, Moved()).is_valid(body, timestamp, signature)
        except ValueError:  # the body is not text
            return False
        return valid and self._first(signature)

    def _first(self, signature: str) -> bool:
        now = self._now()
        if signature in self._seen:
            return False
        if len(self._seen) >= _REMEMBERED:
            self._seen = {known: at for known, at in self._seen.items() if now - at <= 2 * _WINDOW}
        self._seen[signature] = now
        return True


class SlackInbound:
    """``signatures``: None if Slack does not call this server; ``app``: the token of Socket Mode, "" without it."""

    def __init__(self, slack: Slack, signatures: Signatures | None, app: str = "") -> None:
        self._slack = slack
        self._signatures = signatures
        self._app = app
        self._events: dict[str, None] = {}

    @property
    def calls(self) -> bool:
        return self._signatures is not None

    async def genuine(self, body: bytes, header: Callable[[bytes], str]) -> bool:
        stamp, signature = header(b"x-slack-request-timestamp"), header(b"x-slack-signature")
        return self._signatures is not None and self._signatures.genuine(body, stamp, signature)

    def understood(self, payload: Mapping[str, Any]) -> ChatAction | None:
        """Read each event once: Slack repeats those that it believes were not received, with a new signature."""
        action = understood(payload)
        if not isinstance(action, Replied):
            return action
        if not action.id or action.id in self._events:
            return None
        if len(self._events) >= _REMEMBERED:
            self._events = dict.fromkeys(list(self._events)[_REMEMBERED // 2 :])
        self._events[action.id] = None
        return action

    async def is_member(self, action: ChatAction) -> bool:
        return await self._slack.is_member(action.team, action.account)

    async def reply(self, action: ChatAction, text: str) -> None:
        if isinstance(action, Replied):
            await self._slack.whisper(action.reply_to, action.account, text)
        else:
            await self._slack.reply(action.reply_to, text)

    def response(self, action: ChatAction, text: str) -> bytes | None:
        return None

    def challenge(self, payload: Mapping[str, Any]) -> bytes:
        challenge = payload.get("challenge")
        asked = payload.get("type") == "url_verification" and isinstance(challenge, str)
        return json.dumps({"challenge": challenge}).encode() if asked else b""

    async def listen(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        if self._app:
            await SlackSocket(self._app, take).run()


def open_inbound(context: ChannelContext, slack: Channel) -> SlackInbound:
    """Create it from the settings."""
    assert isinstance(slack, Slack)
    tokens = parse_tokens(context.settings["slack_tokens"])
    return SlackInbound(
        slack, Signatures(tokens.signing, context.seconds) if tokens.signing else None, tokens.app
    )


def understood(payload: Mapping[str, Any]) -> ChatAction | None:
    """What a person did, from an interaction or a command; None for anything else (an opened link, other buttons)."""
    if isinstance(payload.get("command"), str):
        team, account = _text(payload, "team_id"), _text(payload, "user_id")
        return Typed(team, account, _text(payload, "text"), _text(payload, "response_url"))
    if payload.get("type") == "event_callback":
        return _replied(payload)
    if payload.get("type") != "block_actions":
        return None
    user, team_of = payload.get("user"), payload.get("team")
    if not isinstance(user, Mapping) or not isinstance(team_of, Mapping):
        return None
    team = _text(team_of, "id")
    for action in payload.get("actions") or ():
        if isinstance(action, Mapping) and _text(action, "action_id").startswith(f"{ANSWER}:"):
            try:
                press = msgspec.json.decode(_text(action, "value"), type=Press)
            except (msgspec.DecodeError, RecursionError):
                return None
            stranger = _text(user, "team_id") not in ("", team)
            return Pressed(team, _text(user, "id"), press, _text(payload, "response_url"), stranger)
    return None


def _replied(payload: Mapping[str, Any]) -> Replied | None:
    """A person's message in a thread; None for our own and other bots' messages, and for edits."""
    event, team = payload.get("event"), _text(payload, "team_id")
    if not isinstance(event, Mapping) or event.get("type") != "message":
        return None
    if event.get("subtype") or event.get("bot_id") or event.get("hidden"):
        return None
    account, text = _text(event, "user"), _text(event, "text").strip()
    channel, thread, own = _text(event, "channel"), _text(event, "thread_ts"), _text(event, "ts")
    if not (team and account and text and channel and thread) or thread == own:
        return None
    card = f"{channel}:{thread}"
    stranger = _text(event, "user_team") not in ("", team) or _text(event, "team") not in ("", team)
    return Replied(team, account, _plain(text), card, card, _text(payload, "event_id"), stranger)


def _plain(text: str) -> str:
    """The text as the person typed it. Slack escapes three characters, and writes links as ``<URL|label>``."""
    plain = re.sub(r"<([^<>|]*)(?:\|[^<>]*)?>", r"\1", text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
