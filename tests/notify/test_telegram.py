"""Telegram: linking, messages with buttons, presses, and requests that are refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.errors import Busy, Invalid
from signoff.core.intent import commands as c
from signoff.core.plan.schedules import Backoff
from signoff.core.plan.task_types import Meaning, Outcome, Risk
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.chat_desk import ChatDesk
from signoff.notify.channel import NotSent
from signoff.notify.chat import Press, read_press, short_press
from signoff.notify.telegram import Telegram, TelegramInbound, parse_bot
from signoff.store.store import Store
from tests.builders import ANN, OTTO, SERVICE
from tests.notify.messaging_env import MessagingEnv, asked, email, messaging_env
from tests.notify.smtp_sink import smtp_sink
from tests.notify.telegramfake import SECRET, TOKEN, FakeTelegram, Post, fake_telegram
from tests.web.web_env import WebEnv

ACCOUNTS = {"per_ann": "11", "per_otto": "22"}
ACTIONS = "/v1/telegram/actions"


class TelegramEnv:
    def __init__(self, env: MessagingEnv, fake: FakeTelegram) -> None:
        self.messaging, self.fake, self.web = env, fake, WebEnv(env)
        self.desk = env.desks["telegram"]

    async def sends(self, update: dict[str, Any], **headers: str) -> int:
        """Post an update from Telegram; returns the status after it was processed."""
        given = {"x-telegram-bot-api-secret-token": SECRET, "content-type": "application/json"}
        answer = await self.web.http.post(
            ACTIONS, content=json.dumps(update).encode(), headers=given | headers
        )
        await self.desk.settle()
        return int(answer.status_code)

    async def link(self, person: Any, account: str, word: str = "/link") -> str:
        code = await self.desk.chat.code(person)
        assert await self.sends(self.fake.typed(f"{word} {code.text}", account)) == 200
        return self.fake.of(account)[-1].text

    async def link_with(self, account: str, code: str) -> str:
        assert await self.sends(self.fake.typed(f"/link {code}", account)) == 200
        return self.fake.of(account)[-1].text

    def card(self, account: str) -> Post:
        [card] = [post for post in self.fake.of(account) if "reply_markup" in post.body]
        return card

    async def press(self, post: Post, label: str, account: str) -> str:
        """Press a button; returns the text of the pop-up."""
        assert await self.sends(self.fake.pressed(post, post.press(label), account)) == 200
        return self.fake.popups[-1][1]


@asynccontextmanager
async def telegram_env(
    store: Store, clock: FixedClock, linked: bool = True, **more: Any
) -> AsyncIterator[TelegramEnv]:
    def seconds() -> float:
        return clock.now().timestamp()

    async with fake_telegram(seconds) as fake:
        channels = {"telegram": Telegram(TOKEN, seconds, fake.url), **more}
        async with messaging_env(store, clock, channels) as env:
            it = TelegramEnv(env, fake)
            if linked:
                for person in (ANN, OTTO):
                    assert "is now linked to" in await it.link(person, ACCOUNTS[person.id])
            yield it
            await it.web.http.aclose()


async def test_button_records_an_answer_of_the_linked_person_and_updates_every_message(
    store: Store, clock: FixedClock
) -> None:
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(
            asked("per_ann", "per_otto", need=2), payload=b'{"rows": "48 @ops"}'
        )
        await it.messaging.carry()
        ann, otto = it.card("11"), it.card("22")
        assert ann.labels == ["Approve", "Reject", "Review and decide"]
        assert ann.marked("bold") == ["Run the migration on prod?"]
        assert ann.marked("pre") == ["rows: 48 @ops"]
        assert "Approvals: 0 of 2" in ann.text
        pressed = await it.press(ann, "Approve", "11")
        assert pressed.startswith("Recorded: approved. 1 more approval is needed.")
        await it.messaging.carry()
        assert ann.labels == ["See its state"]
        assert "You have answered" in ann.text
        assert "Approvals: 1 of 2 (ann@acme.example: approved)" in otto.text
        assert otto.labels == ["Approve", "Reject", "Review and decide"]
        assert "This is decided: approved." in await it.press(otto, "Approve", "22")
        await it.messaging.carry()
        for post in (ann, otto):
            assert post.labels == ["See what happened"]
            assert "through Telegram" in post.text
            assert post.edits == 2
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
        assert (await it.messaging.intent(intent.id)).ending == "approved"


async def test_second_click_is_no_second_vote_and_a_stale_one_decides_nothing(
    store: Store, clock: FixedClock
) -> None:
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann", "per_otto", need=2))
        await it.messaging.carry()
        card = it.card("11")
        button = card.press("Approve")
        for _ in range(2):
            assert await it.sends(it.fake.pressed(card, button, "11")) == 200
            assert it.fake.popups[-1][1].startswith("Recorded")
        answered = (await it.messaging.intent(intent.id)).open
        assert len(answered.votes) == 1
        await it.messaging.do(intent.id, c.Cancel(), SERVICE)
        assert await it.sends(it.fake.pressed(card, button, "11")) == 200
        assert it.fake.popups[-1][1].startswith("Recorded")  # it was, before the end
        revised = await it.messaging.submit(asked("per_ann", "per_otto"))
        await it.messaging.carry()
        card = it.fake.of("11")[-1]
        button = card.press("Approve")
        await it.messaging.do(revised.id, c.Revise("e" * 64), OTTO)
        assert await it.sends(it.fake.pressed(card, button, "11")) == 200
        assert "no longer what is being decided" in it.fake.popups[-1][1]
        update = it.fake.pressed(card, button, "11")
        assert await it.sends(update) == 200
        popups = len(it.fake.popups)
        assert await it.sends(update) == 200  # Telegram repeats it
        assert len(it.fake.popups) == popups


async def test_only_requests_from_telegram_are_accepted(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        card = it.card("11")
        update = it.fake.pressed(card, card.press("Approve"), "11")
        for wrong in ("", "x", SECRET[:-1], SECRET + "0", SECRET.upper()):
            given = {"x-telegram-bot-api-secret-token": wrong}
            assert await it.sends(update, **given) == 401, wrong
        for body in (b"[]", b"", b"{", b'"x"', b"\xff", b'{"a":' * 200):
            headers = {"x-telegram-bot-api-secret-token": SECRET}
            assert (await it.web.http.post(ACTIONS, content=body, headers=headers)).status_code == 400
        for odd in (
            {}, {"update_id": True}, {"update_id": 1, "callback_query": []}, {"update_id": 2, "message": {"from": 1}},
            {"update_id": 3, "callback_query": {"id": "q", "data": "x" * 64, "from": {"id": 11, "is_bot": False}}},
            {"update_id": 4, "callback_query": {"id": "q", "data": "é.", "from": {"id": 11, "is_bot": False}}},
        ):  # fmt: skip
            assert await it.sends(odd) == 200
        assert await it.sends(it.fake.pressed(card, card.press("Approve"), "11", is_bot=True)) == 200
        assert (await it.messaging.intent(intent.id)).ending is None
        assert it.fake.popups == []
        stranger = it.fake.pressed(card, card.press("Approve"), "99")
        assert await it.sends(stranger) == 200
        assert "not linked to a person" in it.fake.popups[-1][1]
        assert "/link CODE" in it.fake.popups[-1][1]
        assert (await it.messaging.intent(intent.id)).ending is None


async def test_link_code_works_once_and_only_in_the_private_chat(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock, linked=False) as it:
        code = (await it.desk.chat.code(ANN)).text
        assert await it.sends(it.fake.typed(f"/link {code}", "33", chat="-100", kind="group")) == 200
        for chat, kind in (("33", "group"), ("34", "private")):
            assert await it.sends(it.fake.typed(f"/link {code}", "33", chat=chat, kind=kind)) == 200
        assert it.fake.posts == {}
        assert "not valid" in await it.link_with("33", "K7QM-2XDA-9RTB")
        assert "linked to ann" in await it.link(ANN, "11", "/start")
        assert "now linked to ann" in await it.link_with("33", code.lower())  # the first code still held
        assert "not valid" in await it.link_with("44", code)
        assert "linked to ann" in await it.link(ANN, "11")
        assert await it.sends(it.fake.typed("hello", "11")) == 200
        assert "Type /link CODE" in it.fake.of("11")[-1].text
        assert await it.sends(it.fake.typed("/unlink@signoff_bot", "11")) == 200
        assert "unlinked" in it.fake.of("11")[-1].text
        await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        assert [post for post in it.fake.of("11") if "reply_markup" in post.body] == []


@pytest.mark.parametrize("what", ["high", "long", "fits"])
async def test_buttons_require_a_complete_card_and_a_low_enough_risk(
    what: str, store: Store, clock: FixedClock
) -> None:
    async with telegram_env(store, clock) as it:
        fields = {"risk": Risk.HIGH} if what == "high" else {}
        payload = {"sql": "drop 😀 " * (1000 if what == "long" else 3)}
        await it.messaging.submit(asked("per_ann", **fields), payload=json.dumps(payload).encode())
        await it.messaging.carry()
        card = it.card("11")
        assert card.labels == (["Approve", "Reject"] if what == "fits" else []) + ["Review and decide"]
        assert ("Not shown here" in card.text) == (what == "long")


async def test_card_too_long_for_telegram_has_no_answer_buttons(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock) as it:
        title = f"Run\u202e {'the migration ' * 40}?"
        await it.messaging.submit(
            asked("per_ann", title=title),
            payload=json.dumps({f"f{n}": "😀" * 110 for n in range(20)}).encode(),
        )
        await it.messaging.carry()
        card = it.card("11")
        assert card.labels == ["Review and decide"]
        assert "Not everything is shown here." in card.text
        assert "\u202e" not in card.text
        assert "Run[U+202E]" in card.text


async def test_custom_outcomes_with_long_names_are_sent_by_number(store: Store, clock: FixedClock) -> None:
    own = (
        Outcome("approved_for_the_canary_only", Meaning.APPROVES, "Canary only"),
        Outcome("rejected", Meaning.REJECTS, "No"),
    )
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(
            asked("per_ann", outcomes=("approved_for_the_canary_only", "rejected"), own=own)
        )
        await it.messaging.carry()
        card = it.card("11")
        for place in ("#-1", "#-2", "#+0", "# 0", "#2", "#0_0", "#"):
            forged = {"callback_data": card.press("Canary only")["callback_data"].rpartition("#")[0] + place}
            assert await it.sends(it.fake.pressed(card, forged, "11")) == 200
            assert (await it.messaging.intent(intent.id)).outcome == ""
        assert await it.press(card, "Canary only", "11")
        assert (await it.messaging.intent(intent.id)).outcome == "approved_for_the_canary_only"
        again = it.fake.pressed(card, card.press("Canary only"), "11")
        assert await it.sends(again) == 200
        assert it.fake.popups[-1][1].startswith("Recorded")


async def test_rate_limit_is_respected_and_a_person_who_never_started_the_bot_is_reached_otherwise(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, telegram_env(store, clock, **email(server.url)) as it:
        it.fake.limited = 1
        await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        calls = len(it.fake.calls)
        clock.move(timedelta(seconds=3))
        await it.messaging.carry()
        assert len(it.fake.calls) == calls
        clock.move(timedelta(seconds=5))
        await it.messaging.carry()
        assert it.card("11").labels
        it.fake.started.discard("22")  # blocked the bot
        await it.messaging.submit(asked("per_otto"))
        await it.messaging.carry()
        await it.messaging.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]


async def test_updates_are_polled_if_no_webhook_is_possible(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock) as it:
        telegram = Telegram(TOKEN, lambda: clock.now().timestamp(), it.fake.url)
        inbound = TelegramInbound(telegram, "")
        assert not inbound.calls
        it.fake.updates = [it.fake.typed("hello", "11"), it.fake.typed("/unlink", "22")]
        heard: list[Any] = []
        listening = asyncio.create_task(inbound.listen(heard.append))
        while it.fake.calls.count("getUpdates") < 3:
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert [update["update_id"] for update in heard] == [one["update_id"] for one in heard]
        assert len(heard) == 2
        await telegram.close()


async def test_polled_update_is_not_lost_when_busy_and_http_is_refused(
    store: Store, clock: FixedClock
) -> None:
    async with telegram_env(store, clock) as it:
        telegram = Telegram(TOKEN, lambda: clock.now().timestamp(), it.fake.url)
        it.desk.inbound = inbound = TelegramInbound(telegram, "")
        assert not await inbound.genuine(b"{}", lambda name: "")
        assert await it.sends(it.fake.typed("/unlink", "11")) == 404
        understood: list[Any] = []

        def take(update: Any) -> None:
            understood.append(inbound.understood(update))
            if len(understood) == 1:
                raise Busy("busy", "Too many requests at the moment.")

        it.fake.updates = [it.fake.typed("hello", "11")]
        with pytest.raises(Busy):
            await inbound._fetch(take, 0)
        await inbound._fetch(take, 0)
        assert understood[0] == understood[1] is not None
        await telegram.close()


async def test_update_refused_when_busy_is_accepted_on_retry(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        card, free = it.card("11"), asyncio.Event()
        for _ in range(100):
            it.desk._start(free.wait())
        update = it.fake.pressed(card, card.press("Reject"), "11")
        given = {"x-telegram-bot-api-secret-token": SECRET, "content-type": "application/json"}
        body = json.dumps(update).encode()
        assert (await it.web.http.post(ACTIONS, content=body, headers=given)).status_code == 503
        free.set()
        await it.desk.settle()
        assert await it.sends(update) == 200
        assert (await it.messaging.intent(intent.id)).ending == "rejected"


@pytest.mark.parametrize(
    "result", [5, [5], [None], [{"update_id": "x"}], {"a": 1}, "text", [{"update_id": 2}]]
)
async def test_invalid_getupdates_response_is_retried_after_a_pause(
    store: Store, clock: FixedClock, result: Any
) -> None:
    async with telegram_env(store, clock) as it:
        telegram = Telegram(TOKEN, lambda: clock.now().timestamp(), it.fake.url)
        inbound, odd = TelegramInbound(telegram, ""), it.fake._updates

        async def updates(said: Any) -> Any:
            return 200, {"ok": True, "result": result}

        it.fake._updates = updates  # type: ignore[method-assign]
        with pytest.raises(NotSent):
            await inbound._fetch(it.desk.take, 3)
        it.fake._updates = odd  # type: ignore[method-assign]
        it.fake.updates = [{"update_id": 7}, *[it.fake.typed("/unlink", "11")]]
        assert await inbound._fetch(it.desk.take, 3) > 7
        await it.desk.settle()
        assert it.fake.of("11")[-1].text == "Your Telegram account was unlinked."
        await telegram.close()


async def test_listening_resumes_after_an_unexpected_failure(store: Store, clock: FixedClock) -> None:
    tries = list[int]()

    class Odd(TelegramInbound):
        async def listen(self, take: Any) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise AttributeError("of a library")

    async with telegram_env(store, clock) as it:
        odd = Odd(Telegram(TOKEN, lambda: clock.now().timestamp(), it.fake.url), "")
        await ChatDesk("telegram", odd, it.desk.chat, Backoff((timedelta(0),))).listen()
        assert len(tries) == 3


async def test_pauses_are_short_again_after_a_healthy_period(store: Store, clock: FixedClock) -> None:
    lasts, now, attempts = [0.0, 1.0, 60.0, 61.0, 0.0], [0.0], list[int]()

    class Odd(TelegramInbound):
        async def listen(self, take: Any) -> None:
            if lasts:
                now[0] += lasts.pop(0)
                raise AttributeError("of a library")

    class Recorded(Backoff, frozen=True):
        def after(self, attempt: int) -> timedelta:
            attempts.append(attempt)
            return timedelta(0)

    async with telegram_env(store, clock) as it:
        odd = Odd(Telegram(TOKEN, lambda: clock.now().timestamp(), it.fake.url), "")
        backoff = Recorded((timedelta(seconds=1), timedelta(seconds=60)))
        await ChatDesk("telegram", odd, it.desk.chat, backoff, lambda: now[0]).listen()
    assert attempts == [1, 2, 3, 1, 2]


async def test_token_appears_in_no_error(store: Store, clock: FixedClock) -> None:
    down = Telegram(TOKEN, lambda: clock.now().timestamp(), "http://127.0.0.1:9")
    with pytest.raises(NotSent) as caught:
        await down.call("sendMessage", {"chat_id": "1", "text": "x"})
    assert TOKEN not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.reason)
    await down.close()


@pytest.mark.parametrize(
    "text", ["", "x", "123:short", f"{TOKEN} short", f"{TOKEN} {'a' * 20}!", f"{TOKEN} a b"]
)
def test_invalid_bot_setting_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_bot(text)
    assert TOKEN not in str(caught.value)
    assert parse_bot(f"{TOKEN} {SECRET}") == (TOKEN, SECRET)
    assert parse_bot(TOKEN) == (TOKEN, "")


@pytest.mark.parametrize("outcome", ["approved", "rejected", "a_rather_long_outcome"])
def test_button_data_fits_into_64_bytes(outcome: str) -> None:
    press = Press("0198c0de-0000-7000-8000-00000000001f", outcome, "ab" * 32, 300, 9)
    text = short_press(press, 17)
    assert len(text) <= 64
    read = read_press(text)
    assert read is not None
    assert (read.task, read.revision, read.stage) == (press.task, 300, 9)
    assert press.digest.startswith(read.digest)
    assert len(read.digest) == 36
    assert read.outcome == (outcome if len(outcome) < 10 else "#11")
    assert [read_press(bad) for bad in ("", "x", "é" * 30, text[:46], text[:46] + "1.1.")] == [None] * 5


@pytest.mark.parametrize(
    "odd",
    [
        "{task}{digest}0x1.1.{outcome}", "{task}{digest}+1.1.{outcome}", "{task}{digest}01.1.{outcome}",
        "{task}{digest}1_0.1.{outcome}", "{task}{digest}-1.1.{outcome}", "{task}{digest}1.-1.{outcome}",
        "{task}{digest}１.1.{outcome}", "{task}{digest} 1.1.{outcome}", "{task}{digest}A.1.{outcome}",
        "{task}{digest}\n1.1.{outcome}", " {task}{digest}1.1.{outcome}", "{task}={digest}1.1.{outcome}",
        "{task}{digest}1.1.#00", "{task}{digest}1.1.#-1", "{task}{digest}1.1.#", "{task}{digest}1.1.{long}",
        "{other}{digest}1.1.{outcome}", "{task}{digest}%s.1.{outcome}" % ("f" * 5000),
    ],
)  # fmt: skip
def test_only_button_data_of_our_format_is_read(odd: str) -> None:
    """Other data would also decode to a press, or to one of another length."""
    press = Press("0198c0de-0000-7000-8000-00000000001f", "approved", "ab" * 32, 1, 1)
    text = short_press(press, 0)
    task, digest, _ = text[:22], text[22:46], text[46:]
    assert read_press("{task}{digest}1.1.{outcome}".format(task=task, digest=digest, outcome="approved"))
    other = task[:-1] + chr(ord(task[-1]) + 1)
    assert (
        read_press(odd.format(task=task, digest=digest, outcome="approved", other=other, long="a" * 20))
        is None
    )
