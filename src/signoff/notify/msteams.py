"""Microsoft Teams through the Bot Connector: an Adaptive Card for each person, rewritten as the task progresses. A
person links their account by sending the bot a code in their chat with it; a name or address in Teams does not prove an
identity.

Every request carries a token that the Bot Connector has signed. Its issuer, audience, times, the service's URL and
the key's endorsement for Teams are verified, with the keys that Microsoft publishes. Cards are sent to one fixed
address, never to one that a request names. Other people's text goes into text runs, which have no markup.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec

from signoff.core.errors import Invalid
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
from signoff.notify.chat import ChatAction, Press, Pressed, Replied, Typed
from signoff.notify.extras import require
from signoff.notify.personal_message import GIVEN
from signoff.notify.plain_text import leaf_lines, one_line, visible
from signoff.notify.rate_gate import RateGate

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage

SERVICE: Final = "https://smba.trafficmanager.net/teams"
LOGIN: Final = "https://login.microsoftonline.com"
KEYS: Final = "https://login.botframework.com/v1/.well-known/openidconfiguration"
ISSUER: Final = "https://api.botframework.com"
_SCOPE: Final = "https://api.botframework.com/.default"
_CHANNEL_ID: Final = "msteams"
_VERB: Final = "answer"
_CARD: Final = "application/vnd.microsoft.card.adaptive"
_MESSAGE: Final = "application/vnd.microsoft.activity.message"
_TIMEOUT: Final = 10.0
_ALTOGETHER: Final = 45.0  # less than the time for which the outbox reserves a row
_MOST_WAIT: Final = 3600.0
_BETWEEN: Final = 1.1  # Teams accepts one message per second in a conversation
_SKEW: Final = 300.0  # the clock skew allowed, in seconds
_KEYS_FOR: Final = 24 * 3600.0
_ASK_AGAIN: Final = 300.0  # minimum time between two look-ups of unknown keys
_MOST_LINES: Final = 150
_MOST_BYTES: Final = 24_000  # of Teams' 28 KB
# The server's own clock is used to check the times.
_CHECKED: Final[Any] = {
    "require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False,
}  # fmt: skip
_MOST_KNOWN: Final = 10_000
_IN_THREAD: Final = ";messageid="
_CHANNELS: Final = ("@thread.tacv2", "@thread.skype")  # other conversations have no threads


class Bot(msgspec.Struct, frozen=True):
    """An app registration of one tenant, and its client secret."""

    app: str
    tenant: str
    secret: str


def parse_bot(text: str) -> Bot:
    """Parse ``msteams_bot``; raises Invalid, without quoting any of it."""
    words = text.split()
    try:
        app, tenant, secret = words
        return Bot(str(UUID(app)), str(UUID(tenant)), secret)
    except ValueError:
        raise Invalid(
            "invalid_setting",
            "msteams_bot is not an app id, a tenant id and a client secret.",
            field="msteams_bot",
            hint="Write the application (client) id, the directory (tenant) id and the client secret, separated by "
            "spaces.",
        ) from None


class TeamsRefusal(Exception):
    """Teams understood the call and refused it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


# ---- what is sent


def render_card(message: "PersonalMessage") -> dict[str, Any]:
    """An Adaptive Card. It has answer buttons only if everything is shown."""
    question = _line(one_line(message.question, 500), weight="Bolder", size="Medium")
    facts = [_fact(label, one_line(value, 300)) for label, value in message.facts]
    parts, lines = _theirs(message)
    whole = lines <= _MOST_LINES and not message.missing
    if not whole:
        reason = message.missing or "Not everything is shown here. The page shows everything."
        parts.append(_line(reason, weight="Bolder"))
    closing = [_line(message.closing)] if message.closing else []
    color = {"good": "Good", "bad": "Attention"}.get(message.tone, "Default")
    card: dict[str, Any] = {
        "type": "AdaptiveCard", "version": "1.4", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "body": [_line(message.headline, color=color, weight="Bolder" if message.tone else "Default"), question, *facts,
                 *parts, *closing],
        "actions": [],
    }  # fmt: skip
    if len(json.dumps(card)) > _MOST_BYTES:
        whole = False
        card["body"] = [
            *card["body"][:2],
            *facts,
            _line("The page shows the request.", weight="Bolder"),
            *closing,
        ]
    buttons = [_button(message, choice) for choice in message.choices] if whole else []
    if message.link:
        buttons.append({"type": "Action.OpenUrl", "title": message.link_label, "url": message.link})
    return {**card, "actions": buttons}


def _theirs(message: "PersonalMessage") -> tuple[list[dict[str, Any]], int]:
    """Return other people's text, each part below its heading, and how many lines there are."""
    quoted = [(message.quoted_by, visible(message.quoted))] if message.quoted else []
    parts = [] if message.asks else [*quoted]
    if message.leaves or message.rest:
        parts.append((f"The request, {one_line(message.asked_by, 200)}", leaf_lines(message.leaves)))
    if message.given:
        parts.append((GIVEN, leaf_lines(message.given)))
    if message.reports:
        parts.append(("Check results", leaf_lines(message.reports)))
    parts += quoted if message.asks else []
    made, room, lines = [], _MOST_LINES, 0
    for heading, text in parts:
        found = text.split("\n")
        items = [_line(_indented(line), mono=True) for line in found[:room]]
        made.append(
            {"type": "Container", "style": "emphasis", "items": [_line(heading, subtle=True), *items]}
        )
        room, lines = max(0, room - len(found)), lines + len(found)
    return made, lines


def _indented(line: str) -> str:
    """The line with its leading spaces as no-break spaces, because Teams drops ordinary ones."""
    text = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(text)) + text


def _line(
    text: str,
    weight: str = "Default",
    size: str = "Default",
    color: str = "Default",
    subtle: bool = False,
    mono: bool = False,
) -> dict[str, Any]:
    run = {
        "type": "TextRun",
        "text": text or " ",
        "weight": weight,
        "size": size,
        "color": color,
        "isSubtle": subtle,
    }
    return {
        "type": "RichTextBlock",
        "inlines": [run | ({"fontType": "Monospace"} if mono else {})],
        "spacing": "Small",
    }


def _fact(label: str, value: str) -> dict[str, Any]:
    runs = [
        {"type": "TextRun", "text": f"{label}: ", "isSubtle": True},
        {"type": "TextRun", "text": value or "-"},
    ]
    return {"type": "RichTextBlock", "inlines": runs, "spacing": "None"}


def _button(message: "PersonalMessage", choice: Any) -> dict[str, Any]:
    press = Press(message.task, choice.outcome, message.digest, message.revision, message.stage)
    return {
        "type": "Action.Execute",
        "verb": _VERB,
        "title": choice.label,
        "data": msgspec.to_builtins(press),
        "style": "destructive" if choice.danger else "default" if choice.grave else "positive",
    }


class Teams:
    """``now``: the time in seconds, for Teams' Retry-After and the lifetime of tokens."""

    def __init__(
        self, bot: Bot, now: Callable[[], float], service: str = SERVICE, login: str = LOGIN, keys: str = KEYS
    ) -> None:
        self.bot = bot
        self.keys = keys
        self._now = now
        self._service = service
        self._login = login
        self._gate = RateGate("Teams", now, _BETWEEN)
        self._token = ("", 0.0)
        self._getting = asyncio.Lock()
        self._conversations: dict[str, str] = {}
        self._client: Any = None

    async def deliver(self, message: "PersonalMessage") -> str:
        """Send or rewrite the card; returns its ``conversation|activity``, or the last one's if several were
        rewritten.
        """
        card = render_card(message)
        activity = {
            "type": "message", "summary": one_line(f"{message.headline}: {message.question}", 200),
            "attachments": [{"contentType": _CARD, "content": card}],
        }  # fmt: skip
        try:
            async with asyncio.timeout(_ALTOGETHER):
                updated = [await self._update(reference, activity) for reference in message.earlier]
                known = [reference for reference in updated if reference]
                if known or message.rewrite_only:
                    return known[-1] if known else ""
                conversation = _thread(message.below) or await self.conversation(message.to)
                return f"{conversation}|{await self.post(conversation, activity)}"
        except TeamsRefusal as refusal:
            permanent = refusal.status in (400, 403, 404)
            raise NotSent(f"Teams answered {refusal.status} {refusal.code}", permanent=permanent) from refusal
        except TimeoutError as error:
            raise NotSent("no response from Teams in time") from error

    async def post(self, conversation: str, activity: Mapping[str, Any]) -> str:
        """Post a new activity; returns its id."""
        path = f"/v3/conversations/{quote(conversation, safe='')}/activities"
        response = await self._call("POST", path, activity, conversation)
        return str(response.get("id", ""))

    async def _update(self, reference: str, activity: Mapping[str, Any]) -> str:
        """Update a card; returns its reference, "" if the card no longer exists."""
        conversation, _, id = reference.rpartition("|")
        path = f"/v3/conversations/{quote(conversation, safe='')}/activities/{quote(id, safe='')}"
        try:
            await self._call("PUT", path, {**activity, "id": id}, conversation)
        except TeamsRefusal as refusal:
            if refusal.status in (403, 404):
                return ""
            raise
        return reference

    async def conversation(self, account: str) -> str:
        """The person's chat with the bot, which Teams returns on every call, or the room itself."""
        if account.startswith("19:"):
            return account
        if account not in self._conversations:
            body = {
                "isGroup": False, "bot": {"id": f"28:{self.bot.app}"}, "members": [{"id": account}],
                "tenantId": self.bot.tenant, "channelData": {"tenant": {"id": self.bot.tenant}},
            }  # fmt: skip
            response = await self._call("POST", "/v3/conversations", body, account)
            if len(self._conversations) >= _MOST_KNOWN:
                self._conversations.clear()
            self._conversations[account] = str(response.get("id", ""))
        return self._conversations[account]

    async def is_member(self, conversation: str, account: str) -> bool:
        """Whether this account is currently a member of our tenant, and not a guest."""
        path = f"/v3/conversations/{quote(conversation, safe='')}/members/{quote(account, safe='')}"
        try:
            response = await self._call("GET", path, None, conversation)
        except TeamsRefusal:
            return False
        ours = str(response.get("tenantId") or self.bot.tenant).lower() == self.bot.tenant
        return (
            ours and response.get("id") == account and response.get("userRole", "user") in ("user", "owner")
        )

    async def _call(self, method: str, path: str, body: Any, key: str) -> dict[str, Any]:
        self._gate.check(key)
        for attempt in (1, 2):
            answer = await self._send(
                method,
                f"{self._service}{path}",
                {"authorization": f"Bearer {await self._bearer()}"},
                None if body is None else json.dumps(body).encode(),
                "application/json",
            )
            if answer.status_code != 401 or attempt == 2:
                break
            self._token = ("", 0.0)  # it was revoked before it expired
        if answer.status_code == 429:
            header = answer.headers.get("retry-after", "")
            raise self._gate.close(key, min(float(header), _MOST_WAIT) if header.isdigit() else 30.0)
        if answer.status_code >= 500 or answer.status_code == 412:
            raise NotSent(f"Teams answered {answer.status_code}")
        response = _json(answer)
        if answer.status_code >= 300:
            error = response.get("error")
            code = error.get("code", "") if isinstance(error, dict) else ""
            raise TeamsRefusal(answer.status_code, one_line(str(code), 64))
        return response

    async def _bearer(self) -> str:
        async with self._getting:
            token, until = self._token
            if token and self._now() < until:
                return token
            form = {
                "grant_type": "client_credentials", "client_id": self.bot.app, "client_secret": self.bot.secret,
                "scope": _SCOPE,
            }  # fmt: skip
            content = "&".join(f"{name}={quote(value, safe='')}" for name, value in form.items()).encode()
            url = f"{self._login}/{self.bot.tenant}/oauth2/v2.0/token"
            answer = await self._send("POST", url, {}, content, "application/x-www-form-urlencoded")
            response = _json(answer)
            if answer.status_code != 200 or not response.get("access_token"):
                code = one_line(str(response.get("error", "")), 64)
                raise NotSent(f"Microsoft's sign-in answered {answer.status_code} {code}".strip())
            life = response.get("expires_in")
            until = self._now() + max(60.0, (life if isinstance(life, int) else 600) - 120.0)
            self._token = (str(response["access_token"]), until)
            return self._token[0]

    async def fetch(self, url: str) -> dict[str, Any]:
        """Fetch a public document."""
        answer = await self._send("GET", url, {}, None, "")
        if answer.status_code != 200:
            raise NotSent(f"{urlsplit(url).hostname} answered {answer.status_code}")
        return _json(answer)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, media: str
    ) -> Any:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        sent = {**headers, "content-type": media} if media else dict(headers)
        try:
            return await self._client.request(method, url, content=content, headers=sent)
        except httpx2.HTTPError as error:
            raise NotSent(f"{type(error).__name__}: no response from Teams") from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _json(answer: Any) -> dict[str, Any]:
    try:
        response = answer.json()
    except ValueError:
        response = {}
    return response if isinstance(response, dict) else {}


# ---- what people do there


class Signers:
    """The public keys of the Bot Connector, as it publishes them."""

    def __init__(self, teams: Teams, now: Callable[[], float]) -> None:
        self._teams = teams
        self._now = now
        self._keys: dict[str, dict[str, Any]] = {}
        self._read_at = -_KEYS_FOR
        self._reading = asyncio.Lock()

    async def key(self, id: str) -> dict[str, Any] | None:
        """The key with this id. Unknown keys are looked up, but not often, because anyone can make one up."""
        async with self._reading:
            age = self._now() - self._read_at
            if age >= _KEYS_FOR or (id not in self._keys and age >= _ASK_AGAIN):
                self._read_at = self._now()
                about = await self._teams.fetch(self._teams.keys)
                place = str(about.get("jwks_uri", ""))
                if urlsplit(place)[:2] != urlsplit(self._teams.keys)[:2]:
                    raise NotSent("Microsoft's keys are at an unexpected address")
                found = (await self._teams.fetch(place)).get("keys")
                self._keys = {
                    key["kid"]: key
                    for key in (found if isinstance(found, list) else ())
                    if isinstance(key, dict) and isinstance(key.get("kid"), str)
                }
            return self._keys.get(id)


class TeamsInbound:
    calls = True

    def __init__(self, teams: Teams, now: Callable[[], float]) -> None:
        self._teams = teams
        self._now = now
        self._signers = Signers(teams, now)

    async def genuine(self, body: bytes, header: Callable[[bytes], str]) -> bool:
        """Whether the Bot Connector signed for this bot, for Teams and for the service that the activity names."""
        scheme, _, token = header(b"authorization").partition(" ")
        try:
            activity = json.loads(body)
        except (ValueError, RecursionError):
            return False
        if scheme.lower() != "bearer" or not isinstance(activity, dict):
            return False
        try:
            claims = await self._claims(token.strip())
        except NotSent:
            return False
        return (
            claims is not None
            and activity.get("channelId") == _CHANNEL_ID
            and claims.get("serviceurl") == activity.get("serviceUrl")
            and isinstance(activity.get("serviceUrl"), str)
        )

    async def _claims(self, token: str) -> dict[str, Any] | None:
        import jwt

        try:
            head = jwt.get_unverified_header(token)
            kid = head.get("kid")
            key = (
                await self._signers.key(kid) if isinstance(kid, str) and head.get("alg") == "RS256" else None
            )
            if key is None or _CHANNEL_ID not in (key.get("endorsements") or ()):
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(key, "RS256").key,
                algorithms=["RS256"],
                audience=self._teams.bot.app,
                issuer=ISSUER,
                options=_CHECKED,
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        now, ends, begins = self._now(), claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(ends, int | float) or not isinstance(begins, int | float):
            return None
        return claims if begins - _SKEW <= now < ends + _SKEW else None

    def understood(self, payload: Mapping[str, Any]) -> ChatAction | None:
        sender, conversation = payload.get("from"), payload.get("conversation")
        if not isinstance(sender, Mapping) or not isinstance(conversation, Mapping):
            return None
        account, place = _text(sender, "id"), _text(conversation, "id")
        data = payload.get("channelData")
        tenant_of = data.get("tenant") if isinstance(data, Mapping) else None
        tenant = _text(tenant_of, "id") if isinstance(tenant_of, Mapping) else ""
        team = (tenant or _text(conversation, "tenantId")).lower()
        stranger = team != self._teams.bot.tenant
        if not account.startswith("29:") or not place:
            return None
        if payload.get("type") == "invoke" and payload.get("name") == "adaptiveCard/action":
            press = _press(payload.get("value"))
            place = place.partition(_IN_THREAD)[0]  # the members are the channel's
            return Pressed(team, account, press, place, stranger) if press else None
        if payload.get("type") != "message":
            return None
        if conversation.get("conversationType") == "channel":
            return self._replied(payload, team, account, place, stranger)
        if conversation.get("conversationType") == "personal" and not stranger:
            return Typed(team, account, _text(payload, "text").strip(), place)
        return None

    def _replied(
        self, payload: Mapping[str, Any], team: str, account: str, place: str, stranger: bool
    ) -> Replied | None:
        """A reply in a channel's thread. Teams passes on only those that mention the bot."""
        channel, _, post = place.partition(_IN_THREAD)
        text, own = _text(payload, "text"), _text(payload, "id")
        for name in _mentions(payload, f"28:{self._teams.bot.app}"):
            text = text.replace(name, " ")
        text = text.replace("&nbsp;", " ").strip()
        if not (post and text and own) or own == post:
            return None
        return Replied(team, account, text, f"{channel}|{post}", channel, f"{place} {own}", stranger)

    async def is_member(self, action: ChatAction) -> bool:
        return await self._teams.is_member(action.reply_to, action.account)

    async def reply(self, action: ChatAction, text: str) -> None:
        try:
            # everybody reads a channel, so the answer to a reply there goes to the person's own chat
            own = isinstance(action, Replied)
            place = await self._teams.conversation(action.account) if own else action.reply_to
            await self._teams.post(place, {"type": "message", "textFormat": "plain", "text": one_line(text)})
        except TeamsRefusal as refusal:
            raise NotSent(f"Teams answered {refusal.status} {refusal.code}") from refusal

    def response(self, action: ChatAction, text: str) -> bytes | None:
        """Teams shows it only to the person who pressed, until they leave the chat."""
        if not isinstance(action, Pressed):
            return None
        return json.dumps({"statusCode": 200, "type": _MESSAGE, "value": one_line(text)}).encode()

    def challenge(self, payload: Mapping[str, Any]) -> bytes:
        return b""

    async def listen(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Teams calls this server."""


def _thread(card: str) -> str:
    """The thread below a card, if it is in a channel; "" elsewhere, because chats have no threads."""
    conversation, _, post = card.rpartition("|")
    return f"{conversation}{_IN_THREAD}{post}" if conversation.endswith(_CHANNELS) else ""


def _mentions(payload: Mapping[str, Any], account: str) -> list[str]:
    """The text of each mention of an account."""
    found = payload.get("entities")
    return [
        _text(one, "text")
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, Mapping)
        and isinstance(mentioned := one.get("mentioned"), Mapping)
        and mentioned.get("id") == account
        and _text(one, "text")
    ]


def _press(value: Any) -> Press | None:
    action = value.get("action") if isinstance(value, Mapping) else None
    if not isinstance(action, Mapping) or action.get("verb") != _VERB:
        return None
    try:
        return msgspec.convert(action.get("data"), Press)
    except msgspec.ValidationError:
        return None


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _open(context: ChannelContext) -> Teams | None:
    bot = context.settings["msteams_bot"]
    if not bot:
        return None
    require("msteams_bot", "msteams", "jwt", "cryptography")
    return Teams(parse_bot(bot), context.seconds)


def _inbound(context: ChannelContext, channel: Channel) -> TeamsInbound:
    assert isinstance(channel, Teams)
    return TeamsInbound(channel, context.seconds)


CHANNEL: Final = ChannelDeclaration(
    name="msteams",
    label="Teams",
    kind=ChannelKind.PERSONAL,
    settings=(
        Setting(
            name="msteams_bot",
            help="Microsoft Teams bot: app id, tenant id and client secret, space-separated.",
            hide=whole_secret,
            check=parse_bot,
        ),
    ),
    address=AddressSource.LINK,
    link_command="link {code}",
    unlink_command="unlink",
    room=r"19:[A-Za-z0-9_.-]{1,200}@thread\.(?:tacv2|skype|v2)",
    inbound=_inbound,
    rewrites=True,
    open=_open,
)
