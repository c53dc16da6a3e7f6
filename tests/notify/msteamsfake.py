"""Microsoft Teams on loopback: the bot's token endpoint, a Bot Connector that checks tokens, shapes and sizes and
keeps the cards, the published keys, and requests signed with them.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from tests.notify.loopback import json_server

APP = "6f0c2d3e-1111-4222-8333-444455556666"
TENANT = "0a1b2c3d-aaaa-4bbb-8ccc-ddddeeeeffff"
CLIENT_SECRET = "loopback~client.secret"
SETTING = f"{APP} {TENANT} {CLIENT_SECRET}"
ISSUER = "https://api.botframework.com"


@cache
def key_of(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Card:
    account: str
    activity: dict[str, Any]
    edits: int = 0

    @property
    def content(self) -> dict[str, Any]:
        [attachment] = self.activity["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        return dict(attachment["content"])

    @property
    def text(self) -> str:
        return "\n".join(_texts(self.content["body"]))

    @property
    def titles(self) -> list[str]:
        return [action["title"] for action in self.content["actions"]]

    def press(self, title: str) -> dict[str, Any]:
        return next(action for action in self.content["actions"] if action["title"] == title)


def _texts(parts: list[dict[str, Any]]) -> list[str]:
    lines = []
    for part in parts:
        if part["type"] == "Container":
            lines += _texts(part["items"])
        else:
            lines.append("".join(run["text"] for run in part["inlines"]))
    return lines


def faults(activity: dict[str, Any]) -> str:
    """What Teams would refuse, and markup in other people's text, which no card of ours may have."""
    if len(json.dumps(activity)) > 28 * 1024:
        return "MessageSizeTooBig"
    for attachment in activity.get("attachments", ()):
        card = attachment["content"]
        if (card["type"], card["version"]) != ("AdaptiveCard", "1.4"):
            return "BadSyntax"
        if '"TextBlock"' in json.dumps(card) or '"FactSet"' in json.dumps(card):
            return "BadSyntax: markdown"
        for action in card["actions"]:
            if action["type"] == "Action.OpenUrl" and not action["url"].startswith("http"):
                return "BadSyntax"
            if action["type"] not in ("Action.OpenUrl", "Action.Execute") or len(card["actions"]) > 6:
                return "BadSyntax"
    return ""


@dataclass
class FakeTeams:
    """``members``: account -> its entry in the roster; ``limited``: how many of the next calls are rate-limited."""

    now: Callable[[], float]
    url: str = ""
    cards: dict[str, Card] = field(default_factory=dict)
    texts: list[tuple[str, str]] = field(default_factory=list)
    threads: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    limited: int = 0
    calls: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    keys: dict[str, list[str]] = field(
        default_factory=lambda: {"k1": ["msteams", "skype"], "k2": ["webchat"]}
    )
    jwks: str = ""
    _numbers: int = 0

    @property
    def service(self) -> str:
        return f"{self.url}/teams"

    def of(self, account: str) -> list[Card]:
        return [card for card in self.cards.values() if card.account == account]

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.calls.append(f"{method} {path.split('?')[0]}")
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return self._signed_in(parse_qs(body.decode()))
        if path == "/openid":
            return 200, {"issuer": ISSUER, "jwks_uri": self.jwks or f"{self.url}/keys"}
        if path == "/keys":
            return 200, {"keys": [self._published(name, ends) for name, ends in self.keys.items()]}
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"error": {"code": "Unauthorized"}}
        if self.limited:
            self.limited -= 1
            return 429, {"error": {"code": "TooManyRequests"}}
        parts = [unquote(part) for part in path.removeprefix("/teams/v3/conversations").strip("/").split("/")]
        return self._connector(method, parts, json.loads(body) if body else {})

    def _connector(self, method: str, parts: list[str], said: dict[str, Any]) -> tuple[int, Any]:
        if parts == [""]:
            [member] = said["members"]
            wanted = {"bot": {"id": f"28:{APP}"}, "tenantId": TENANT, "isGroup": False}
            assert {name: said[name] for name in wanted} == wanted
            if member["id"] not in self.members:
                return 403, {"error": {"code": "BotNotInConversationRoster"}}
            return 201, {"id": f"a:{member['id']}"}
        place, in_thread, post = parts[0].partition(";messageid=")
        account = place.removeprefix("a:")
        if parts[1] == "members":
            known = self.members.get(parts[2])
            if known is None:
                return 404, {"error": {"code": "MemberNotFoundInConversation"}}
            return 200, {"id": parts[2], "tenantId": TENANT, "userRole": "user", **known}
        if account not in self.members:
            return 403, {"error": {"code": "MessageWritesBlocked"}}
        if wrong := faults(said):
            return 400, {"error": {"code": wrong}}
        if method == "PUT":
            card = self.cards.get("/".join((parts[0], parts[2])))
            if card is None:
                return 404, {"error": {"code": "ActivityNotFoundInConversation"}}
            card.activity, card.edits = said, card.edits + 1
            return 200, {"id": parts[2]}
        self._numbers += 1
        if in_thread:
            if f"{place}/{post}" not in self.cards or place.endswith("@thread.v2"):
                return 404, {"error": {"code": "ConversationNotFound"}}
            self.threads.append((f"{place}/{post}", said))
        elif "attachments" in said:
            self.cards[f"{parts[0]}/{self._numbers}"] = Card(account, said)
        else:
            assert said["textFormat"] == "plain"
            self.texts.append((account, said["text"]))
        return 201, {"id": str(self._numbers)}

    def _signed_in(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        given = {name: values[0] for name, values in form.items()}
        right = {
            "grant_type": "client_credentials",
            "client_id": APP,
            "client_secret": CLIENT_SECRET,
            "scope": "https://api.botframework.com/.default",
        }
        if given != right:
            return 401, {"error": "invalid_client"}
        token = f"bearer-{len(self.tokens)}"
        self.tokens.add(token)
        return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token}

    @staticmethod
    def _published(name: str, endorsements: list[str]) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(key_of(name).public_key(), as_dict=True)
        return {**public, "kid": name, "use": "sig", "endorsements": endorsements}

    # -- what Teams sends when somebody presses or types

    def token(self, key: str = "k1", **changes: Any) -> str:
        claims = {
            "iss": ISSUER,
            "aud": APP,
            "serviceurl": self.service,
            "nbf": int(self.now()) - 5,
            "exp": int(self.now()) + 3600,
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(claims, key_of(key), "RS256", {"kid": changes.pop("kid", key)})

    def activity(self, account: str, **more: Any) -> dict[str, Any]:
        return {
            "channelId": "msteams",
            "serviceUrl": self.service,
            "from": {"id": account, "name": "Ann"},
            "conversation": {"id": f"a:{account}", "conversationType": "personal", "tenantId": TENANT},
            "channelData": {"tenant": {"id": TENANT}},
            "recipient": {"id": f"28:{APP}"},
            **more,
        }

    def typed(self, text: str, account: str, **more: Any) -> dict[str, Any]:
        return self.activity(account, **{"type": "message", "text": text, **more})

    def replied(self, card: Card, text: str, account: str, **more: Any) -> dict[str, Any]:
        """A reply in a channel's thread that mentions the bot; Teams sends no others."""
        place, _, post = next(key for key, one in self.cards.items() if one is card).rpartition("/")
        mention = "<at>Signoff</at>"
        self._numbers += 1
        return self.activity(
            account,
            **{
                "type": "message",
                "id": str(self._numbers),
                "text": f"{mention}&nbsp;{text}\n",
                "entities": [
                    {"type": "mention", "mentioned": {"id": f"28:{APP}", "name": "Signoff"}, "text": mention},
                    {"type": "clientInfo", "locale": "en-GB"},
                ],
                "conversation": {
                    "id": f"{place};messageid={post}",
                    "conversationType": "channel",
                    "tenantId": TENANT,
                    "isGroup": True,
                },
                **more,
            },
        )

    def pressed(self, action: dict[str, Any], account: str, **more: Any) -> dict[str, Any]:
        value = {"action": action, "trigger": "manual"}
        return self.activity(
            account, **{"type": "invoke", "name": "adaptiveCard/action", "value": value, **more}
        )


@asynccontextmanager
async def fake_teams(now: Callable[[], float]) -> AsyncIterator[FakeTeams]:
    it = FakeTeams(now)
    async with json_server(it.answer) as url:
        it.url = url
        yield it
