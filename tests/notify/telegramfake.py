"""Telegram on loopback: it checks token, shapes, sizes and entities, knows who started the bot, keeps the messages as
people see them, enforces rate limits, and sends the buttons and text of people.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.notify.loopback import json_server

TOKEN = "700100200:AAloopback-token_of_the_fake_0123456"
SECRET = "agreed-with-setWebhook_0123"


@dataclass
class Post:
    chat: str
    body: dict[str, Any]
    edits: int = 0

    @property
    def text(self) -> str:
        return str(self.body["text"])

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for row in self.body["reply_markup"]["inline_keyboard"] for button in row]

    def press(self, label: str) -> dict[str, Any]:
        return next(button for button in self.buttons if button["text"] == label)

    @property
    def labels(self) -> list[str]:
        return [button["text"] for button in self.buttons]

    def marked(self, style: str) -> list[str]:
        raw = self.text.encode("utf-16-le")
        return [
            raw[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le")
            for e in self.body.get("entities", ())
            if e["type"] == style
        ]


def fault(body: dict[str, Any]) -> str:
    """What Telegram would refuse with 400."""
    text = body.get("text", "")
    units = len(text.encode("utf-16-le")) // 2
    if not text.strip():
        return "Bad Request: message text is empty"
    if units > 4096:
        return "Bad Request: message is too long"
    if "parse_mode" in body:
        return "Bad Request: markup of other people's text"
    for entity in body.get("entities", ()):
        if entity["type"] not in ("bold", "code", "pre") or entity["length"] < 1:
            return "Bad Request: invalid entity"
        if entity["offset"] < 0 or entity["offset"] + entity["length"] > units:
            return "Bad Request: ENTITY_BOUNDS_INVALID"
    for row in body.get("reply_markup", {}).get("inline_keyboard", ()):
        for button in row:
            if not button.get("text") or ("url" in button) == ("callback_data" in button):
                return "Bad Request: text buttons are unallowed in the inline keyboard"
            if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
                return "Bad Request: BUTTON_DATA_INVALID"
            if "url" in button and "." not in button["url"].split("/")[2]:
                return "Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL"
    return ""


@dataclass
class FakeTelegram:
    """``started``: chats of people who started the bot; ``popups``: (query, text); ``limited``: how many of the next
    calls are rate-limited; ``updates``: what getUpdates returns.
    """

    now: Callable[[], float]
    posts: dict[str, Post] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    popups: list[tuple[str, str]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    limited: int = 0
    webhook: bool = False
    calls: list[str] = field(default_factory=list)
    rude: list[str] = field(default_factory=list)
    until: dict[str, float] = field(default_factory=dict)
    url: str = ""
    _update: int = 500

    def of(self, chat: str) -> list[Post]:
        return [post for post in self.posts.values() if post.chat == chat]

    async def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        bot, _, method = path.removeprefix("/bot").partition("/")
        self.calls.append(method)
        if bot != TOKEN:
            return 401, _no(401, "Unauthorized")
        said = json.loads(body or b"{}")
        chat = str(said.get("chat_id", ""))
        if self.until.get(chat, 0) > self.now():
            self.rude.append(method)
        if self.limited:
            self.limited -= 1
            self.until[chat] = self.now() + 7
            return 429, {**_no(429, "Too Many Requests: retry after 7"), "parameters": {"retry_after": 7}}
        if method == "answerCallbackQuery":
            if len(said.get("text", "")) > 200:
                return 400, _no(400, "Bad Request: MESSAGE_TOO_LONG")
            self.popups.append((said["callback_query_id"], said.get("text", "")))
            return 200, {"ok": True, "result": True}
        if method == "getUpdates":
            return await self._updates(said)
        if method not in ("sendMessage", "editMessageText"):
            return 404, _no(404, "Not Found: method not found")
        if chat not in self.started:
            return 403, _no(403, "Forbidden: bot can't initiate conversation with a user")
        if wrong := fault(said):
            return 400, _no(400, wrong)
        return self._posted(method, chat, said)

    def _posted(self, method: str, chat: str, said: dict[str, Any]) -> tuple[int, Any]:
        if method == "sendMessage":
            number = str(len(self.posts) + 1)
            self.posts[f"{chat}:{number}"] = Post(chat, said)
            return 200, {"ok": True, "result": {"message_id": int(number), "chat": {"id": int(chat)}}}
        post = self.posts.get(f"{chat}:{said['message_id']}")
        if post is None:
            return 400, _no(400, "Bad Request: message to edit not found")
        if {k: v for k, v in said.items() if k != "message_id"} == {
            k: v for k, v in post.body.items() if k != "message_id"
        }:
            return 400, _no(
                400, "Bad Request: message is not modified: specified new message content is the same"
            )
        post.body, post.edits = said, post.edits + 1
        return 200, {"ok": True, "result": {"message_id": said["message_id"]}}

    async def _updates(self, said: dict[str, Any]) -> tuple[int, Any]:
        if self.webhook:
            return 409, _no(409, "Conflict: can't use getUpdates method while webhook is active")
        self.updates = [one for one in self.updates if one["update_id"] >= said["offset"]]
        if not self.updates:
            await asyncio.sleep(0)
        return 200, {"ok": True, "result": self.updates}

    # -- what Telegram sends when somebody presses or types

    def pressed(self, post: Post, button: dict[str, Any], account: str, **more: Any) -> dict[str, Any]:
        self._update += 1
        return {
            "update_id": self._update,
            "callback_query": {
                "id": f"q{self._update}",
                "from": {"id": int(account), "is_bot": False, "username": "ann", **more},
                "message": {"message_id": 1, "chat": {"id": int(post.chat), "type": "private"}},
                "chat_instance": "1",
                "data": button["callback_data"],
            },
        }

    def typed(
        self, text: str, account: str, chat: str = "", kind: str = "private", **more: Any
    ) -> dict[str, Any]:
        self._update += 1
        if kind == "private":
            self.started.add(account)
        return {
            "update_id": self._update,
            "message": {
                "message_id": 9,
                "date": 0,
                "text": text,
                "chat": {"id": int(chat or account), "type": kind},
                "from": {"id": int(account), "is_bot": False, "username": "ann@acme.example", **more},
            },
        }


def _no(code: int, why: str) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": why}


@asynccontextmanager
async def fake_telegram(now: Callable[[], float]) -> AsyncIterator[FakeTelegram]:
    it = FakeTelegram(now)
    async with json_server(lambda method, path, headers, body: it.answer(path, body)) as url:
        it.url = url
        yield it
        assert it.rude == []
