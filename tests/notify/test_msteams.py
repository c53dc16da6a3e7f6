"""Microsoft Teams: linking, cards with buttons, presses, and which requests are accepted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import jwt
import pytest

from signoff.core.errors import Invalid
from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Risk
from signoff.engine.clock import FixedClock
from signoff.notify.channel import NotSent
from signoff.notify.msteams.channel import Teams, parse_bot
from signoff.store.store import Store
from tests.builders import ANN, OTTO
from tests.notify.messaging_env import MessagingEnv, asked, email, messaging_env
from tests.notify.msteamsfake import APP, CLIENT_SECRET, SETTING, TENANT, Card, FakeTeams, fake_teams, key_of
from tests.notify.smtp_sink import smtp_sink
from tests.web.web_env import WebEnv

ACCOUNTS = {"per_ann": "29:ann", "per_otto": "29:otto"}
ACTIONS = "/v1/msteams/actions"


class TeamsEnv:
    def __init__(self, env: MessagingEnv, fake: FakeTeams) -> None:
        self.messaging, self.fake, self.web = env, fake, WebEnv(env)
        self.desk = env.desks["msteams"]

    async def sends(self, activity: dict[str, Any], token: str | None = None) -> tuple[int, str]:
        """Post a request from Teams; returns the status and text of the response after it was processed."""
        headers = {"authorization": f"Bearer {self.fake.token() if token is None else token}"}
        headers["content-type"] = "application/json; charset=utf-8"
        answer = await self.web.http.post(ACTIONS, content=json.dumps(activity).encode(), headers=headers)
        await self.desk.settle()
        return int(answer.status_code), answer.text

    async def link(self, person: Any, account: str) -> str:
        self.fake.members.setdefault(account, {})
        code = await self.desk.chat.code(person)
        assert await self.sends(self.fake.typed(f"link {code.text}", account)) == (200, "")
        return self.fake.texts[-1][1]

    def card(self, account: str) -> Card:
        [card] = self.fake.of(account)
        return card

    async def press(self, card: Card, title: str, account: str, **more: Any) -> str:
        """Press a button; returns what Teams shows to the person who pressed it."""
        status, text = await self.sends(self.fake.pressed(card.press(title), account, **more))
        said = json.loads(text)
        assert (status, said["statusCode"]) == (200, 200)
        assert said["type"] == "application/vnd.microsoft.activity.message"
        return str(said["value"])


def teams(fake: FakeTeams, setting: str = SETTING) -> Teams:
    return Teams(parse_bot(setting), fake.now, fake.service, fake.url, f"{fake.url}/openid")


@asynccontextmanager
async def teams_env(
    store: Store, clock: FixedClock, linked: bool = True, **more: Any
) -> AsyncIterator[TeamsEnv]:
    def seconds() -> float:
        return clock.now().timestamp()

    async with (
        fake_teams(seconds) as fake,
        messaging_env(store, clock, {"msteams": teams(fake), **more}) as env,
    ):
        it = TeamsEnv(env, fake)
        if linked:
            for person in (ANN, OTTO):
                assert "is now linked to" in await it.link(person, ACCOUNTS[person.id])
        yield it
        await it.web.http.aclose()


async def test_button_records_an_answer_of_the_linked_person_and_updates_every_card(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        intent = await it.messaging.submit(
            asked("per_ann", "per_otto", need=2), payload=b'{"note": "**bold** [x](http://evil.example)"}'
        )
        await it.messaging.carry()
        ann, otto = it.card("29:ann"), it.card("29:otto")
        assert ann.titles == ["Approve", "Reject", "Review and decide"]
        assert "note: **bold** [x](http://evil.example)" in ann.text
        assert ann.activity["summary"] == "A decision is needed: Run the migration on prod?"
        assert "1 more approval is needed" in await it.press(ann, "Approve", "29:ann")
        await it.messaging.carry()
        assert ann.titles == ["See its state"]
        assert "Approvals: 1 of 2 (ann@acme.example: approved)" in otto.text
        assert otto.titles == ["Approve", "Reject", "Review and decide"]
        assert "This is decided: approved." in await it.press(otto, "Approve", "29:otto")
        await it.messaging.carry()
        for card in (ann, otto):
            assert (card.titles, card.edits) == (["See what happened"], 2)
            assert "through Teams" in card.text
        assert (await it.messaging.intent(intent.id)).ending == "approved"
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_only_requests_signed_by_the_bot_connector_for_this_bot_are_accepted(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        now = int(clock.now().timestamp())
        press = it.fake.pressed(it.card("29:ann").press("Approve"), "29:ann")
        good = it.fake.token()
        head, claims, signature = good.split(".")
        wrong = {
            "none": "",
            "no JWT": "abc",
            "another issuer": it.fake.token(iss="https://sts.windows.net/x/"),
            "no issuer": it.fake.token(iss=None),
            "another bot": it.fake.token(aud="another"),
            "no audience": it.fake.token(aud=None),
            "over": it.fake.token(exp=now - 301),
            "no end": it.fake.token(exp=None),
            "not yet": it.fake.token(nbf=now + 301),
            "another service": it.fake.token(serviceurl="https://evil.example"),
            "no service": it.fake.token(serviceurl=None),
            "a key for another channel": it.fake.token("k2"),
            "a key that nobody published": it.fake.token("k9"),
            "a published name and another key": jwt.encode(
                {
                    "iss": "https://api.botframework.com",
                    "aud": APP,
                    "exp": now + 60,
                    "serviceurl": it.fake.service,
                },
                key_of("k9"),
                "RS256",
                {"kid": "k1"},
            ),
            "unsigned": jwt.encode({"aud": APP, "exp": now + 60}, None, "none", {"kid": "k1"}),
            "symmetric": jwt.encode({"aud": APP, "exp": now + 60}, "x" * 32, "HS256", {"kid": "k1"}),
            "changed": f"{head}.{claims[:-2]}AA.{signature}",
            "no kid": jwt.encode({"aud": APP, "exp": now + 60}, key_of("k1"), "RS256"),
        }
        for what, token in wrong.items():
            assert (await it.sends(press, token))[0] == 401, what
        for changed in (
            {"channelId": "webchat"},
            {"serviceUrl": "https://evil.example"},
            {"serviceUrl": None},
        ):
            assert (await it.sends({**press, **changed}))[0] == 401, changed
        nowhere = {**press, "serviceUrl": None}
        assert (await it.sends(nowhere, it.fake.token(serviceurl=None)))[0] == 401
        headers = {"authorization": f"Basic {good}", "content-type": "application/json"}
        other = await it.web.http.post(ACTIONS, content=json.dumps(press).encode(), headers=headers)
        assert other.status_code == 401
        assert (await it.messaging.intent(intent.id)).ending is None
        assert (await it.sends(press, it.fake.token(exp=now - 299)))[0] == 200  # clocks differ
        assert (await it.messaging.intent(intent.id)).ending == "approved"


async def test_signing_keys_are_fetched_when_needed_and_not_for_every_unknown_key(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        reads = it.fake.calls.count("GET /keys")
        for _ in range(5):
            assert (await it.sends(it.fake.typed("x", "29:ann"), it.fake.token("k7")))[0] == 401
        assert it.fake.calls.count("GET /keys") == reads == 1
        it.fake.keys["k7"] = ["msteams"]
        clock.move(timedelta(minutes=6))
        assert (await it.sends(it.fake.typed("x", "29:ann"), it.fake.token("k7")))[0] == 200
        it.fake.jwks = f"{it.fake.url.replace('127.0.0.1', 'localhost')}/keys"  # reachable, but elsewhere
        clock.move(timedelta(days=2))
        assert (await it.sends(it.fake.typed("x", "29:ann")))[0] == 401


@pytest.mark.parametrize(
    ("what", "member", "more"),
    [
        ("guest", {"userRole": "guest"}, {}),
        ("another account's", {"id": "29:otto"}, {}),
        ("another tenant's", {"tenantId": "f" * 8}, {}),
        ("left", None, {}),
        ("another tenant", {}, {"channelData": {"tenant": {"id": "0" * 36}}}),
    ],
)
async def test_guests_and_strangers_cannot_answer(
    what: str, member: dict[str, Any] | None, more: dict[str, Any], store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        card = it.card("29:ann")
        if member is None:
            del it.fake.members["29:ann"]
        else:
            it.fake.members["29:ann"] = member
        assert "Guests" in await it.press(card, "Approve", "29:ann", **more), what
        assert (await it.messaging.intent(intent.id)).ending is None


async def test_linking_takes_a_code_in_the_private_chat_and_other_messages_get_help(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock, linked=False) as it:
        it.fake.members["29:ann"] = {}
        code = (await it.desk.chat.code(ANN)).text
        public = {"id": "19:general", "conversationType": "channel", "tenantId": TENANT}
        assert await it.sends(it.fake.typed(f"link {code}", "29:ann", conversation=public)) == (200, "")
        it.fake.members["28:bot"] = {}
        abroad = {"tenant": {"id": "0" * 36}}
        for typed in (
            it.fake.typed(f"link {code}", "28:bot"),
            it.fake.typed(f"link {code}", "29:ann", channelData=abroad),
        ):
            assert await it.sends(typed) == (200, "")
        assert it.fake.texts == []
        assert await it.sends(it.fake.typed("hello", "29:ann")) == (200, "")
        assert "Type link CODE" in it.fake.texts[-1][1]
        assert await it.sends(it.fake.typed(f"link {code}", "29:ann")) == (200, "")
        assert "now linked to ann" in it.fake.texts[-1][1]
        for odd in (
            {},
            {"type": "invoke"},
            {"from": "x"},
            {"type": "message"},
            {"type": "conversationUpdate"},
        ):
            body = {"channelId": "msteams", "serviceUrl": it.fake.service, **odd}
            assert await it.sends(body) == (200, "")
        assert await it.sends(it.fake.typed("unlink", "29:ann")) == (200, "")
        assert "unlinked" in it.fake.texts[-1][1]


async def test_button_data_must_be_ours_and_contain_enough_of_the_digest(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        await it.messaging.submit(asked("per_ann", "per_otto", need=2))
        await it.messaging.carry()
        card = it.card("29:ann")
        action = card.press("Approve")
        assert await it.sends(it.fake.pressed({**action, "verb": "other"}, "29:ann")) == (200, "")
        for length in (0, 1, 35):
            short = {**action, "data": {**action["data"], "digest": action["data"]["digest"][:length]}}
            _, text = await it.sends(it.fake.pressed(short, "29:ann"))
            assert "Recorded" not in json.loads(text)["value"], length
        assert "Recorded" in await it.press(card, "Approve", "29:ann")


async def test_value_cannot_imitate_another_line(store: Store, clock: FixedClock) -> None:
    async with teams_env(store, clock) as it:
        payload = {"note": "see below\namount: 5", "sum": 4000}
        await it.messaging.submit(asked("per_ann"), payload=json.dumps(payload).encode())
        await it.messaging.carry()
        lines = it.card("29:ann").text.split("\n")
        assert "note: see below" in lines
        assert "\u00a0" * 6 + "amount: 5" in lines


async def test_hidden_characters_of_a_title_are_named(store: Store, clock: FixedClock) -> None:
    async with teams_env(store, clock) as it:
        await it.messaging.submit(asked("per_ann", title="Run\u202e it?"))
        await it.messaging.carry()
        card = it.card("29:ann")
        assert "\u202e" not in card.text
        assert "Run[U+202E] it?" in card.text


@pytest.mark.parametrize("what", ["high", "long", "lines", "fits"])
async def test_buttons_require_a_complete_card_and_a_low_enough_risk(
    what: str, store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        fields = {"risk": Risk.HIGH} if what == "high" else {}
        text = {"long": "drop " * 1000, "lines": "a\n" * 8}.get(what, "drop")
        payload = {f"sql{number}": text for number in range(25 if what == "lines" else 1)}
        await it.messaging.submit(asked("per_ann", **fields), payload=json.dumps(payload).encode())
        await it.messaging.carry()
        card = it.card("29:ann")
        assert card.titles == (["Approve", "Reject"] if what == "fits" else []) + ["Review and decide"]


async def test_rate_limit_and_token_are_respected_and_another_channel_takes_over(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, teams_env(store, clock, **email(server.url)) as it:
        it.fake.limited = 1
        await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        assert it.fake.of("29:ann") == []
        clock.move(timedelta(seconds=31))
        it.fake.tokens.clear()  # revoked
        await it.messaging.carry()
        assert it.card("29:ann").titles
        assert it.fake.calls.count(f"POST /{TENANT}/oauth2/v2.0/token") == 2
        del it.fake.members["29:otto"]  # has removed the app
        it.fake.cards.clear()
        intent = await it.messaging.submit(asked("per_otto"))
        await it.messaging.carry()
        await it.messaging.carry()
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]
        await it.messaging.do(intent.id, c.Answer("approved"), OTTO)


async def test_errors_contain_no_secret(store: Store, clock: FixedClock) -> None:
    async with fake_teams(lambda: clock.now().timestamp()) as fake:
        wrong = teams(fake, f"{APP} {TENANT} wrong-secret-0123")
        with pytest.raises(NotSent) as caught:
            await wrong.post("a:x", {})
        assert caught.value.reason == "Microsoft's sign-in answered 401 invalid_client"
        await wrong.close()


@pytest.mark.parametrize("text", ["", "x", f"{APP} {TENANT}", f"{APP} x {CLIENT_SECRET}", f"{SETTING} more"])
def test_invalid_bot_setting_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_bot(text)
    assert CLIENT_SECRET not in str(caught.value) + repr(caught.value.__cause__)
