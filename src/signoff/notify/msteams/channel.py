"""Microsoft Teams through the Bot Connector: an Adaptive Card for each person, rewritten as the task progresses.

Cards are sent to one fixed address, never to one that a request names.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec

from signoff.core.errors import Invalid
from signoff.notify.channel import NotSent
from signoff.notify.msteams.card import render_card
from signoff.notify.plain_text import one_line
from signoff.notify.rate_gate import RateGate

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage

SERVICE: Final = "https://smba.trafficmanager.net/teams"
LOGIN: Final = "https://login.microsoftonline.com"
KEYS: Final = "https://login.botframework.com/v1/.well-known/openidconfiguration"
_SCOPE: Final = "https://api.botframework.com/.default"
_CARD: Final = "application/vnd.microsoft.card.adaptive"
_TIMEOUT: Final = 10.0
_ALTOGETHER: Final = 45.0  # less than the time for which the outbox reserves a row
_MOST_WAIT: Final = 3600.0
_BETWEEN: Final = 1.1  # Teams accepts one message per second in a conversation
_MOST_KNOWN: Final = 10_000
IN_THREAD: Final = ";messageid="
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


def _thread(card: str) -> str:
    """The thread below a card, if it is in a channel; "" elsewhere, because chats have no threads."""
    conversation, _, post = card.rpartition("|")
    return f"{conversation}{IN_THREAD}{post}" if conversation.endswith(_CHANNELS) else ""
