"""Telegram through its Bot API: a message with buttons for each person, rewritten as the task progresses. A person
links their account by sending the bot a code; a username does not prove an identity.

Telegram does not sign requests: they carry a shared secret (``secret_token`` of ``setWebhook``), or this server
fetches them (``getUpdates``). Other people's text is sent as preformatted text, in which Telegram does not create
links, mentions or commands. Every URL contains the token, so no URL appears in an error or in the log.
"""

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from signoff.core.errors import Busy, Invalid
from signoff.core.plan.schedules import SOCKET_MODE
from signoff.core.text.urls import whole_secret
from signoff.notify.channel import (
    AddressSource,
    Channel,
    ChannelContext,
    ChannelDeclaration,
    ChannelKind,
    NotSent,
    Setting,
)
from signoff.notify.chat import ChatAction, Press, Pressed, Replied, Typed, read_press, short_press
from signoff.notify.personal_message import GIVEN
from signoff.notify.plain_text import leaf_lines, one_line, visible
from signoff.notify.rate_gate import RateGate

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage

log = logging.getLogger("signoff.telegram")

API: Final = "https://api.telegram.org"
_TOKEN: Final = re.compile(r"([0-9]{3,20}):[A-Za-z0-9_-]{20,100}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{16,256}")
_TIMEOUT: Final = 10.0
_ALTOGETHER: Final = 45.0  # less than the time for which the outbox reserves a row
_POLL: Final = 50  # seconds for which Telegram holds a request for updates
_LONGEST: Final = 4096  # UTF-16 units of a message
_ROOM: Final = 3900  # leaves room for the last lines
_POPUP: Final = 200  # characters of the reply to a press
_MOST_WAIT: Final = 3600.0
_BETWEEN: Final = 1.1  # one message per second to a chat
_REMEMBERED: Final = 10_000
_GONE: Final = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "chat not found",
)
_AS_IT_IS: Final = "message is not modified"
_COMMAND: Final = re.compile(r"/(start|link|unlink)(?:@\w+)?(?:\s+(.*))?", re.DOTALL)


class TelegramRefusal(Exception):
    """Telegram understood the call and refused it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def parse_bot(text: str) -> tuple[str, str]:
    """Parse ``telegram_bot`` into (bot token, secret or ""); raises Invalid, without quoting either."""
    token, _, secret = text.strip().partition(" ")
    if not _TOKEN.fullmatch(token) or (secret.strip() and not _SECRET.fullmatch(secret.strip())):
        raise Invalid(
            "invalid_setting",
            "telegram_bot is not a bot token, alone or with a secret.",
            field="telegram_bot",
            hint="Write the bot's token (123456:ABC-…), and, for a webhook, a space and a secret of 16 to 256 letters, "
            "digits, _ and -.",
        )
    return token, secret.strip()


# ---- what is sent


class _Text:
    """Text with its entities, whose offsets are in UTF-16 units."""

    def __init__(self) -> None:
        self.text = ""
        self.entities: list[dict[str, Any]] = []
        self.whole = True

    @property
    def units(self) -> int:
        return _units(self.text)

    def add(self, text: str, style: str = "") -> None:
        if style and text:
            self.entities.append({"type": style, "offset": self.units, "length": _units(text)})
        self.text += text

    def theirs(self, heading: str, text: str) -> None:
        """Add other people's text below its heading, as far as it fits."""
        room = _ROOM - self.units - _units(heading)
        if room < _units(text):
            self.whole = False
            text = _cut(text, max(0, room - 2)) + "…"
        self.add(f"\n{heading}\n")
        self.add(text or "(empty)", "pre")
        self.add("\n")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _cut(text: str, units: int) -> str:
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")


def render(message: "PersonalMessage") -> dict[str, Any]:
    """``text``, its ``entities``, and the buttons. There are answer buttons only if everything is shown."""
    made = _Text()
    question = one_line(message.question, 500)
    made.add(f"{message.headline}\n")
    made.add(question, "bold")
    made.add("\n\n")
    for label, value in message.facts:
        made.add(f"{label}: ")
        made.add(one_line(value, 300) or "-", "code")
        made.add("\n")
    if message.quoted and not message.asks:
        made.theirs(message.quoted_by, visible(message.quoted))
    if message.leaves or message.rest:
        made.theirs(f"The request, {one_line(message.asked_by, 200)}", leaf_lines(message.leaves))
    if message.given:
        made.theirs(GIVEN, leaf_lines(message.given))
    if message.reports:
        made.theirs("Check results", leaf_lines(message.reports))
    if message.quoted and message.asks:
        made.theirs(message.quoted_by, visible(message.quoted))
    if message.missing or not made.whole:
        made.add(f"\n{message.missing or 'Not everything is shown here. The page shows everything.'}\n")
    if message.closing:
        made.add(f"\n{message.closing}\n")
    buttons = [_button(message, choice) for choice in message.choices] if made.whole else []
    rows = [buttons] if buttons and all(button["callback_data"] for button in buttons) else []
    if message.link and _takes(message.link):
        rows.append([{"text": message.link_label, "url": message.link}])
    elif message.link:
        made.add(f"\n{message.link_label}: {message.link}")
    text = _cut(made.text, _LONGEST)
    return {
        "text": text,
        "entities": [one for one in made.entities if one["offset"] + one["length"] <= _LONGEST],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": rows},
    }


def _button(message: "PersonalMessage", choice: Any) -> dict[str, Any]:
    press = Press(message.task, choice.outcome, message.digest, message.revision, message.stage)
    return {"text": choice.label, "callback_data": short_press(press, choice.number)}


def _takes(link: str) -> bool:
    """Whether Telegram accepts the link on a button. It refuses hosts without a public name."""
    host = (
        link.partition("://")[2].partition("/")[0].rpartition(":")[0]
        or link.partition("://")[2].partition("/")[0]
    )
    return "." in host and not host.startswith("127.")


class Telegram:
    """``now``: the time in seconds, for Telegram's ``retry_after``."""

    def __init__(self, token: str, now: Callable[[], float], api: str = API) -> None:
        self._url = f"{api}/bot{token}"
        self.team = token.partition(":")[0]
        self._gate = RateGate("Telegram", now, _BETWEEN)
        self._client: Any = None

    async def deliver(self, message: "PersonalMessage") -> str:
        """Send or rewrite the message; returns its ``chat:message``, or the last one's if several were
        rewritten.
        """
        body = render(message)
        try:
            async with asyncio.timeout(_ALTOGETHER):
                updated = [await self._update(reference, body) for reference in message.earlier]
                known = [reference for reference in updated if reference]
                if known or message.rewrite_only:
                    return known[-1] if known else ""
                number = message.below.rpartition(":")[2]
                below = {"message_id": int(number), "allow_sending_without_reply": True} if number else None
                more = {"reply_parameters": below} if below else {}
                sent = await self.call("sendMessage", {"chat_id": message.to, **body, **more}, message.to)
        except TelegramRefusal as refusal:
            permanent = refusal.code in (400, 403)
            raise NotSent(
                f"Telegram answered {refusal.code} {refusal.reason}", permanent=permanent
            ) from refusal
        except TimeoutError as error:
            raise NotSent("no response from Telegram in time") from error
        return f"{message.to}:{sent.get('message_id', '')}"

    async def _update(self, reference: str, body: Mapping[str, Any]) -> str:
        """Edit a message; returns its reference, "" if it can no longer be edited."""
        chat, _, number = reference.rpartition(":")
        try:
            await self.call(
                "editMessageText", {"chat_id": chat, "message_id": int(number or 0), **body}, chat
            )
        except TelegramRefusal as refusal:
            reason = refusal.reason.lower()
            if _AS_IT_IS in reason:
                return reference
            if any(gone in reason for gone in _GONE):
                return ""
            raise
        return reference

    async def call(
        self, method: str, body: Mapping[str, Any], chat: str = "", timeout: float = _TIMEOUT
    ) -> Any:
        """Call the API and return the ``result``. ``chat``: the chat whose rate limit counts the call. Raises NotSent
        or TelegramRefusal.
        """
        import httpx2

        self._gate.check(chat)
        if self._client is None:
            self._client = httpx2.AsyncClient(follow_redirects=False)
        content = json.dumps(body).encode()
        try:
            answer = await self._client.post(
                f"{self._url}/{method}",
                content=content,
                headers={"content-type": "application/json"},
                timeout=timeout,
            )
            response = answer.json()
        except httpx2.HTTPError as error:
            raise NotSent(f"{type(error).__name__}: no response from Telegram") from None
        except (ValueError, RecursionError):
            raise NotSent(f"Telegram sent an invalid answer ({answer.status_code})") from None
        if not isinstance(response, dict):
            raise NotSent(f"Telegram sent an invalid answer ({answer.status_code})")
        if response.get("ok"):
            return response.get("result")
        parameters = response.get("parameters")
        wait = parameters.get("retry_after", 0) if isinstance(parameters, dict) else 0
        if answer.status_code == 429:
            raise self._gate.close(chat, min(float(wait or 30), _MOST_WAIT))
        if answer.status_code >= 500:
            raise NotSent(f"Telegram answered {answer.status_code}")
        raise TelegramRefusal(answer.status_code, one_line(str(response.get("description", "")), 120))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


# ---- what people do there


class TelegramInbound:
    """``secret``: "" if this server fetches updates."""

    def __init__(self, telegram: Telegram, secret: str) -> None:
        self._telegram = telegram
        self._secret = secret.encode()
        self._seen: dict[int, None] = {}

    @property
    def calls(self) -> bool:
        return bool(self._secret)

    async def genuine(self, body: bytes, header: Callable[[bytes], str]) -> bool:
        token = header(b"x-telegram-bot-api-secret-token").encode("utf-8", "replace")
        return bool(self._secret) and hmac.compare_digest(token, self._secret)

    def understood(self, payload: Mapping[str, Any]) -> ChatAction | None:
        """What a person did in an update, once: Telegram resends updates that it believes were not received."""
        number = payload.get("update_id")
        if not isinstance(number, int) or isinstance(number, bool) or number in self._seen:
            return None
        if len(self._seen) >= _REMEMBERED:
            self._seen = dict.fromkeys(list(self._seen)[_REMEMBERED // 2 :])
        self._seen[number] = None
        query, message = payload.get("callback_query"), payload.get("message")
        if isinstance(query, Mapping):
            return self._pressed(query)
        if not isinstance(message, Mapping):
            return None
        return self._replied(message, number) or self._typed(message)

    def _pressed(self, query: Mapping[str, Any]) -> Pressed | None:
        account, id, data = _account(query), query.get("id"), query.get("data")
        press = read_press(data) if isinstance(data, str) else None
        if not account or not isinstance(id, str) or press is None:
            return None
        return Pressed(self._telegram.team, account, press, f"press:{id}")

    def _replied(self, message: Mapping[str, Any], update: int) -> Replied | None:
        """A reply to one of the bot's messages, in the private chat or in a team's group."""
        account, chat, text = _account(message), message.get("chat"), message.get("text")
        to = message.get("reply_to_message")
        if not account or not isinstance(chat, Mapping) or not isinstance(to, Mapping):
            return None
        if not isinstance(text, str) or not text.strip():
            return None
        card = f"{chat.get('id')}:{to.get('message_id')}"
        return Replied(self._telegram.team, account, text.strip(), card, f"chat:{account}", str(update))

    def _typed(self, message: Mapping[str, Any]) -> Typed | None:
        """A typed command, only in the private chat with the bot, because a code that others can read is not
        secret.
        """
        account, chat, text = _account(message), message.get("chat"), message.get("text")
        if not account or not isinstance(chat, Mapping) or not isinstance(text, str):
            return None
        if chat.get("type") != "private" or str(chat.get("id")) != account:
            return None
        if isinstance(message.get("reply_to_message"), Mapping):
            return None
        command = _COMMAND.fullmatch(text.strip())
        sentence = ""
        if command:
            sentence = "unlink" if command[1] == "unlink" else f"link {command[2] or ''}"
        return Typed(self._telegram.team, account, sentence, f"chat:{account}")

    async def is_member(self, action: ChatAction) -> bool:
        return True  # only the link tells whose account this is

    async def reply(self, action: ChatAction, text: str) -> None:
        kind, _, id = action.reply_to.partition(":")
        plain = one_line(text)
        try:
            if kind == "press":
                popup = {"text": plain, "show_alert": True} if len(plain) <= _POPUP else {}
                await self._telegram.call("answerCallbackQuery", {"callback_query_id": id, **popup})
                if popup:
                    return
            entities = [{"type": "pre", "offset": 0, "length": _units(plain)}] if kind == "press" else []
            body = {"text": plain, "entities": entities, "link_preview_options": {"is_disabled": True}}
            await self._telegram.call("sendMessage", {"chat_id": action.account, **body}, action.account)
        except TelegramRefusal as refusal:
            raise NotSent(f"Telegram answered {refusal.code} {refusal.reason}") from refusal

    def response(self, action: ChatAction, text: str) -> bytes | None:
        return None

    def challenge(self, payload: Mapping[str, Any]) -> bytes:
        return b""

    async def listen(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Fetch updates. The next call confirms the fetched ones."""
        if self._secret:
            return
        offset, failed = 0, 0
        while True:
            try:
                offset = await self._fetch(take, offset)
                failed = 0
            except (NotSent, TelegramRefusal, Busy) as error:
                failed += 1
                pause = SOCKET_MODE.after(failed).total_seconds()
                if failed == 1 or failed % 10 == 0:
                    log.warning("Telegram's updates: %s; retrying in %.0f s", _why(error), pause)
                await asyncio.sleep(pause)

    async def _fetch(self, take: Callable[[Mapping[str, Any]], None], offset: int) -> int:
        asked = {"offset": offset, "timeout": _POLL, "allowed_updates": ["message", "callback_query"]}
        updates = await self._telegram.call("getUpdates", asked, "updates", _POLL + _TIMEOUT) or ()
        since = offset
        for update in updates if isinstance(updates, list) else ():
            number = update.get("update_id") if isinstance(update, dict) else None
            if not isinstance(number, int):
                continue
            try:
                take(update)
            except Busy:
                self._seen.pop(number, None)
                raise
            except Exception:
                log.exception("an update from Telegram was lost")
            offset = max(offset, number + 1)
        if updates and offset == since:  # asked again immediately, it would return the same
            raise NotSent("Telegram sent an invalid answer to getUpdates")
        return offset


def _why(error: Exception) -> str:
    if isinstance(error, TelegramRefusal) and error.code == 409:
        return "a webhook is set, or another server fetches them (409)"
    return getattr(error, "reason", "") or type(error).__name__


def _account(value: Mapping[str, Any]) -> str:
    """The numeric id of the person; "" for bots and channels."""
    sender = value.get("from")
    id = sender.get("id") if isinstance(sender, Mapping) and sender.get("is_bot") is False else None
    return str(id) if isinstance(id, int) and not isinstance(id, bool) else ""


def _open(context: ChannelContext) -> Telegram | None:
    bot = context.settings["telegram_bot"]
    return Telegram(parse_bot(bot)[0], context.seconds) if bot else None


def _inbound(context: ChannelContext, channel: Channel) -> TelegramInbound:
    assert isinstance(channel, Telegram)
    return TelegramInbound(channel, parse_bot(context.settings["telegram_bot"])[1])


CHANNEL: Final = ChannelDeclaration(
    name="telegram",
    label="Telegram",
    kind=ChannelKind.PERSONAL,
    settings=(
        Setting(
            name="telegram_bot",
            help="Telegram bot token, and for a webhook its secret token, space-separated.",
            hide=whole_secret,
            check=parse_bot,
        ),
    ),
    address=AddressSource.LINK,
    link_command="/link {code}",
    unlink_command="/unlink",
    room=r"-[0-9]{5,20}",
    inbound=_inbound,
    rewrites=True,
    open=_open,
)
