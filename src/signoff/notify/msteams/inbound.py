"""What people do in Teams: buttons, replies in threads, and the code with which a person links their account. A name or
address in Teams does not prove an identity.

Every request carries a token that the Bot Connector has signed. Its issuer, audience, times, the service's URL and
the key's endorsement for Teams are verified, with the keys that Microsoft publishes.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from signoff.notify.channel import NotSent
from signoff.notify.chat import ChatAction, Press, Pressed, Replied, Typed
from signoff.notify.msteams.card import VERB
from signoff.notify.msteams.channel import IN_THREAD, Teams, TeamsRefusal
from signoff.notify.plain_text import one_line

if TYPE_CHECKING:
    pass

ISSUER: Final = "https://api.botframework.com"
_CHANNEL_ID: Final = "msteams"
_MESSAGE: Final = "application/vnd.microsoft.activity.message"
_SKEW: Final = 300.0  # the clock skew allowed, in seconds
_KEYS_FOR: Final = 24 * 3600.0
_ASK_AGAIN: Final = 300.0  # minimum time between two look-ups of unknown keys
# The server's own clock is used to check the times.
_CHECKED: Final[Any] = {
    "require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False,
}  # fmt: skip


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
            place = place.partition(IN_THREAD)[0]  # the members are the channel's
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
        channel, _, post = place.partition(IN_THREAD)
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
    if not isinstance(action, Mapping) or action.get("verb") != VERB:
        return None
    try:
        return msgspec.convert(action.get("data"), Press)
    except msgspec.ValidationError:
        return None


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
