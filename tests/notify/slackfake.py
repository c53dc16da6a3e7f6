"""Slack on loopback: it checks tokens, shapes and sizes, enforces rate limits, keeps the cards as people see them, and
signs the buttons they press.
"""

import asyncio
import hashlib
import hmac
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.notify.loopback import json_server

TOKEN = "xoxb-loopback"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM = "T0ACME"


@dataclass
class Card:
    account: str
    body: dict[str, Any]
    edits: int = 0

    @property
    def text(self) -> str:
        """All text on the card."""
        return "\n".join(texts(self.body["blocks"]))

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [b for block in self.body["blocks"] if block["type"] == "actions" for b in block["elements"]]

    def press(self, outcome: str) -> dict[str, Any]:
        """The button with this label."""
        return next(b for b in self.buttons if b["action_id"] == f"answer:{outcome}")


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for item in value.values() for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


def faults(body: dict[str, Any]) -> list[str]:
    """What Slack would refuse as invalid_blocks, and what no card of ours may have."""
    found = [] if len(body["blocks"]) <= 50 else ["too many blocks"]
    for block in body["blocks"]:
        if block["type"] not in ("header", "section", "context", "actions"):
            found.append(f"{block['type']} block")
        limit = 150 if block["type"] == "header" else 3000
        found += [f"text of {len(text)}" for text in texts(block) if not 1 <= len(text) <= limit]
    for button in Card("", body).buttons:
        found += ["button text"] * (len(button["text"]["text"]) > 75) + ["value"] * (
            len(button.get("value", "")) > 2000
        )
    return found + ["mrkdwn"] * ('"mrkdwn"' in json.dumps(body["blocks"]))


@dataclass
class Limit:
    """A rate limit: burst and rate; ``until``: when a limited caller may call again."""

    most: float
    each_second: float
    left: float = field(init=False)
    at: float = 0.0
    notified_at: float = 0.0
    until: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.most

    def wait(self, now: float) -> int:
        """How many seconds to wait; 0 to continue at once."""
        self.left = min(self.most, self.left + (now - self.at) * self.each_second) if self.at else self.most
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0
        return self.note_limit(now, math.ceil((1 - self.left) / self.each_second))

    def note_limit(self, now: float, seconds: int) -> int:
        self.notified_at, self.until = now, now + seconds
        return seconds


def limit_of(method: str, body: bytes) -> tuple[str, Limit]:
    """Slack's limits: one post a second to a conversation with short bursts; chat.update is tier
    3, users.info tier 4.
    """
    if method == "chat.postMessage":
        return f"{method} {json.loads(body)['channel']}", Limit(10, 1)
    return method, Limit(50, 50 / 60) if method == "chat.update" else Limit(100, 100 / 60)


@dataclass
class FakeSlack:
    """``limited``: how many of the next calls are rate-limited; ``members``: account -> what users.info adds;
    ``rude``: callers that did not wait as told.
    """

    now: Callable[[], float]

    cards: dict[str, Card] = field(default_factory=dict)
    threads: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    whispers: list[tuple[str, str]] = field(default_factory=list)
    whispered: asyncio.Event = field(default_factory=asyncio.Event)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    limited: int = 0
    events: int = 0
    error: str = ""
    calls: list[str] = field(default_factory=list)
    url: str = ""
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    limits: dict[str, Limit] = field(default_factory=dict)
    rude: list[str] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"{self.url}/api"

    @property
    def hooks(self) -> str:
        return f"{self.url}/hooks/"

    def cards_of(self, account: str) -> list[Card]:
        return [card for card in self.cards.values() if card.account == account]

    async def answer(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        if path.startswith("/hooks/"):
            self.whispers.append((path.removeprefix("/hooks/"), json.loads(body)["text"]))
            self.whispered.set()
            return 200, {}, {"ok": True}
        method = path.removeprefix("/api/")
        self.calls.append(method)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        key, fresh = limit_of(method, body)
        limit = self.limits.setdefault(key, fresh)
        if limit.notified_at < self.now() < limit.until:
            self.rude.append(key)
        wait = limit.note_limit(self.now(), 40) if self.limited else limit.wait(self.now())
        if wait:
            self.limited = max(0, self.limited - 1)
            return 429, {"retry-after": str(wait)}, {"ok": False, "error": "ratelimited"}
        if self.error:
            return 200, {}, {"ok": False, "error": self.error}
        if method == "users.info":
            account = parse_qs(body.decode())["user"][0]
            if account not in self.members:
                return 200, {}, {"ok": False, "error": "user_not_found"}
            return 200, {}, {"ok": True, "user": {"id": account, "team_id": TEAM, **self.members[account]}}
        said = json.loads(body)
        if method == "chat.postEphemeral":
            assert f"{said['channel']}:{said['thread_ts']}" in self.cards
            self.whispers.append((said["user"], said["text"]))
            return 200, {}, {"ok": True, "message_ts": "1"}
        if faults(said):
            return 200, {}, {"ok": False, "error": "invalid_blocks", "faults": faults(said)}
        return 200, {}, await self._card(method, said)

    async def _card(self, method: str, said: dict[str, Any]) -> dict[str, Any]:
        if method == "chat.update":
            card = self.cards.get(f"{said['channel']}:{said['ts']}")
            if card is None:
                return {"ok": False, "error": "message_not_found"}
            card.body, card.edits = said, card.edits + 1
            return {"ok": True, "channel": said["channel"], "ts": said["ts"]}
        if said.get("thread_ts"):
            if f"{said['channel']}:{said['thread_ts']}" not in self.cards:
                return {"ok": False, "error": "thread_not_found"}
            self.threads.append((said["channel"], said["thread_ts"], said))
            return {"ok": True, "channel": said["channel"], "ts": f"1800000000.{len(self.threads):06}"}
        if said["channel"] not in self.members:
            return {"ok": False, "error": "channel_not_found"}
        channel, ts = f"D{said['channel']}", f"1700000000.{len(self.cards):06}"
        self.cards[f"{channel}:{ts}"] = Card(said["channel"], said)
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        return {"ok": True, "channel": channel, "ts": ts}

    # -- what Slack sends when somebody presses or types

    def pressed(self, button: dict[str, Any], account: str, team: str = TEAM, user_team: str = TEAM) -> bytes:
        payload = {
            "type": "block_actions",
            "team": {"id": team, "domain": "acme"},
            "user": {"id": account, "username": "ann", "name": "ann@acme.example", "team_id": user_team},
            "response_url": f"{self.hooks}{account}",
            "actions": [button],
        }
        return urlencode({"payload": json.dumps(payload)}).encode()

    def replied(self, card: Card, text: str, account: str, /, **event: Any) -> bytes:
        """The Events API's event for a reply in a card's thread."""
        place = next(key for key, one in self.cards.items() if one is card)
        channel, _, ts = place.partition(":")
        self.events += 1
        said = {
            "type": "message",
            "user": account,
            "text": text,
            "channel": channel,
            "thread_ts": ts,
            "ts": f"1900000000.{self.events:06}",
            "team": TEAM,
            **event,
        }
        body = {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{self.events}", "event": said}
        return json.dumps(body).encode()

    def typed(self, text: str, account: str, team: str = TEAM) -> bytes:
        return urlencode(
            {
                "command": "/signoff",
                "text": text,
                "team_id": team,
                "user_id": account,
                "response_url": f"{self.hooks}{account}",
            }
        ).encode()


def signed(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request that Slack signs."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
        "content-type": "application/x-www-form-urlencoded",
    }


@asynccontextmanager
async def fake_slack(now: Callable[[], float]) -> AsyncIterator[FakeSlack]:
    it = FakeSlack(now)

    async def answer(
        _: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        status, more, said = await it.answer(path, headers, body)
        return status, said, more

    async with json_server(answer) as it.url:
        yield it
        assert it.rude == []
