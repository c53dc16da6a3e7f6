"""Slack as people meet it: cards, presses, the ceremony that says who somebody is, and what becomes of every card."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from signoff.core import commands as c
from signoff.core.errors import Invalid
from signoff.core.tasks import Risk, Strength
from signoff.engine.chat import Chat
from signoff.engine.clock import FixedClock
from signoff.engine.slackdesk import SlackDesk
from signoff.notify.slack import Slack, parse_tokens
from signoff.notify.slackwire import Signatures
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, SERVICE, WORKSPACE
from tests.engine.works import ROOT
from tests.notify.post import post
from tests.notify.slackfake import SECRET, TEAM, TOKEN, FakeSlack, Card, fake_slack, signed
from tests.notify.town import Escalation, Reminders, Town, asked, email, minutes, town
from tests.web.world import World

ACCOUNTS = {"per_ann": "U0ANN", "per_otto": "U0OTTO"}


class Office:
    """A town that uses Slack, and the web layer that Slack calls."""

    def __init__(self, it: Town, fake: FakeSlack) -> None:
        self.it = it
        self.fake = fake
        slack = it.personal["slack"]
        assert isinstance(slack, Slack)
        chat = Chat("slack", it.engine, it.store, it.keys, it.directory, it.clock)
        self.desk = SlackDesk(slack, chat, Signatures(SECRET, lambda: it.clock.now().timestamp()))
        self.world = World(it)
        self.world.parts.slack = self.desk

    async def slack_sends(self, body: bytes, **changes: str) -> int:
        """Post what Slack signs; the status, once it is dealt with."""
        headers = signed(body, self.it.clock.now().timestamp()) | {k.replace("_", "-"): v for k, v in changes.items()}
        self.it.clock.move(timedelta(seconds=1))
        answer = await self.world.http.post("/v1/slack/actions", content=body, headers=headers)
        await self.desk.settle()
        return int(answer.status_code)

    async def link(self, person: Any, account: str, **fields: Any) -> str:
        """The whole ceremony; what Slack whispers at its end."""
        self.fake.members.setdefault(account, fields)
        code = await self.desk.chat.code(person)
        assert await self.slack_sends(self.fake.typed(f"link {code.text}", account)) == 200
        return self.fake.whispers[-1][1]

    async def press(self, button: dict[str, Any], account: str, **fields: Any) -> str:
        """Press; what Slack whispers to whoever pressed."""
        assert await self.slack_sends(self.fake.pressed(button, account, **fields)) == 200
        whom, said = self.fake.whispers[-1]
        assert whom == account
        return said

    def card(self, account: str) -> Card:
        [card] = self.fake.cards_of(account)
        return card


@asynccontextmanager
async def office(store: Store, clock: FixedClock, linked: bool = True, **more: Any) -> AsyncIterator[Office]:
    async with fake_slack() as fake:
        personal = {"slack": Slack(TOKEN, fake.api, fake.hooks), **more}
        async with town(store, clock, personal) as it:
            desk = Office(it, fake)
            if linked:
                for person in (ANN, OTTO):
                    assert "from now on" in await desk.link(person, ACCOUNTS[person.id])
            yield desk
            await desk.world.http.aclose()


async def test_a_press_is_an_answer_of_the_linked_person_and_every_card_says_so(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        ann, otto = desk.card("U0ANN"), desk.card("U0OTTO")
        assert [b["text"]["text"] for b in ann.buttons] == ["Look at it and decide", "Approve", "Reject"]
        button = ann.press("approved")
        value = json.loads(button["value"])
        held = (await desk.it.intent(intent.id)).open
        assert (value["digest"], value["revision"]) == (held.digest, 1)
        assert await desk.press(button, "U0ANN") == "Recorded: approved."
        await desk.it.carry()
        for card in (ann, otto):
            assert "Approved" in card.text
            assert "ann@acme.example, through slack" in card.text
            assert [b["text"]["text"] for b in card.buttons] == ["See what happened"]
            assert card.edits == 1
        assert "already decided" in await desk.press(button, "U0OTTO")
        answered = [f for f in await _facts(desk.it, intent.id) if type(f.event).__name__ == "Answered"]
        assert [(f.actor.id, f.via, f.event.unseen) for f in answered] == [("per_ann", "slack", False)]


async def _facts(it: Town, intent_id: str) -> list[Any]:
    from signoff.core.chain import unseal

    return [unseal(row.body, row.private) for row in await it.store.intents.history(intent_id)]


@pytest.mark.parametrize(("end", "said"), [("cancel", "Withdrawn"), ("silence", "Expired"), ("no", "Rejected")])
async def test_every_end_by_any_channel_is_on_every_card_within_one_turn(
    end: str, said: str, store: Store, clock: FixedClock
) -> None:
    plan = asked("per_ann", "per_otto", remind=Reminders(minutes(5), minutes(5), 2))
    async with office(store, clock) as desk:
        intent = await desk.it.submit(plan)
        await desk.it.carry()
        await desk.it.pass_time(minutes(5))
        await desk.it.carry()
        assert len(desk.fake.cards) == 4
        if end == "cancel":
            await desk.it.do(intent.id, c.Cancel(), SERVICE)
        elif end == "no":
            await desk.it.do(intent.id, c.Answer("rejected"), OTTO)
        else:
            await desk.it.pass_time(timedelta(hours=9))
        await desk.it.carry()
        cards = list(desk.fake.cards.values())
        assert all(said in card.text and len(card.buttons) == 1 for card in cards)
        assert len(cards) == 4


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("high risk", {"risk": Risk.HIGH}),
        ("a session is demanded", {"strength": Strength.SESSION}),
        ("a comment is demanded", {"comment_required": True}),
        ("evidence is demanded", {"evidence_required": True}),
    ],
)
async def test_what_needs_the_page_has_only_a_link_and_a_forged_press_decides_nothing(
    why: str, fields: dict[str, Any], store: Store, clock: FixedClock
) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked(**fields))
        await desk.it.carry()
        assert [b["action_id"] for b in desk.card("U0ANN").buttons] == ["open"]
        held = (await desk.it.intent(intent.id)).open
        value = {"task": intent.id[:-4] + "0001", "outcome": "approved", "digest": held.digest, "revision": 1}
        forged = {"action_id": "answer:approved", "value": json.dumps(value)}
        assert "decided on its page" in await desk.press(forged, "U0ANN")
        assert (await desk.it.intent(intent.id)).ending is None


async def test_nobody_is_believed_to_be_somebody_without_the_ceremony(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked("per_ann"))
        await desk.it.carry()
        button = desk.card("U0ANN").press("approved")
        desk.fake.members |= {"U0EVE": {}, "U0GUEST": {"is_restricted": True}, "U0GONE": {"deleted": True}}
        assert "does not know who you are" in await desk.press(button, "U0EVE")
        assert "Guests" in await desk.press(button, "U0ANN", user_team="T0OTHER")
        assert "Guests" in await desk.press(button, "U0ANN", team="T0OTHER", user_team="T0OTHER")
        for account in ("U0GUEST", "U0GONE", "U0NOBODY"):
            assert "Guests" in await desk.press(button, account)
        assert "not among those" in await desk.press(button, "U0OTTO")
        assert "nobody here" in await _typed(desk, "unlink", "U0ANN")
        assert "does not know who you are" in await desk.press(button, "U0ANN")
        await desk.link(ANN, "U0ANN")
        await desk.it.people_are(ann={"active": False})
        assert "does not know who you are" in await desk.press(button, "U0ANN")
        assert (await desk.it.intent(intent.id)).ending is None
        assert "Answered" not in await desk.it.happened(intent.id)


async def _typed(desk: Office, text: str, account: str) -> str:
    assert await desk.slack_sends(desk.fake.typed(text, account)) == 200
    return desk.fake.whispers[-1][1]


async def test_a_code_works_once_for_ten_minutes_and_moves_the_account(store: Store, clock: FixedClock) -> None:
    async with office(store, clock, linked=False) as desk:
        desk.fake.members |= {"U0ANN": {}, "U1ANN": {}, "U0EVE": {}}
        code = (await desk.desk.chat.code(ANN)).text
        assert "does not work" in await _typed(desk, "link AAAA-BBBB-CCCC", "U0EVE")
        assert "from now on" in await _typed(desk, f"link {code.lower()}", "U0ANN")
        assert "does not work" in await _typed(desk, f"link {code}", "U0EVE")
        late = (await desk.desk.chat.code(ANN)).text
        clock.move(timedelta(minutes=10))
        assert "does not work" in await _typed(desk, f"link {late}", "U0EVE")
        await desk.link(ANN, "U1ANN")
        assert set(await store.chats.people("slack", WORKSPACE)) == {"per_ann"}
        assert await store.chats.person("slack", TEAM, "U0ANN") is None
        assert "Type:" in await _typed(desk, "help me", "U0ANN")
        assert code not in str(await store.read("select * from chat_codes"))


async def test_a_code_is_asked_for_with_a_persons_key(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        from signoff.core.model import ActorKind

        person = await desk.it.keys.create(WORKSPACE, ActorKind.PERSON, "per_ann", "per_ann")
        account, _ = await desk.it.registry.add_account(ROOT, ActorKind.AGENT, "robot")
        agent = await desk.it.keys.create(WORKSPACE, ActorKind.AGENT, account.id)
        desk.world.keys |= {"ann": person.secret, "robot": agent.secret}
        made = await desk.world.call("POST", "/v1/me/slack/code", {}, who="ann")
        assert made["say"] == f"/signoff link {made['code']}"
        assert (await desk.world.call("POST", "/v1/me/slack/code", {}, who="robot")).code == "person_required"
        desk.world.parts.slack = None
        assert (await desk.world.call("POST", "/v1/me/slack/code", {}, who="ann")).status == 404
        assert (await desk.world.call("POST", "/v1/slack/actions", b"x", who="")).status == 404


async def test_only_what_slack_signed_just_now_is_taken_and_only_once(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked())
        await desk.it.carry()
        body = desk.fake.pressed(desk.card("U0ANN").press("approved"), "U0ANN")
        now = clock.now().timestamp()
        good = signed(body, now)
        bad: list[tuple[bytes, dict[str, str]]] = [
            (body, good | {"x-slack-signature": good["x-slack-signature"][:-1] + "0x"[good["x-slack-signature"][-1] == "0"]}),
            (body, signed(body, now - 301)),
            (body, signed(body, now + 301)),
            (body, signed(body, now, "another secret")),
            (body.replace(b"approved", b"rejected"), good),
            (body + b"&x=1", good),
            (b"\xff\xfe", signed(b"\xff\xfe", now)),
            (body, good | {"x-slack-signature": "v0=\u00e9".encode().decode("latin-1")}),
            (body, {k: v for k, v in good.items() if k != "x-slack-signature"}),
            (body, {k: v for k, v in good.items() if k != "x-slack-request-timestamp"}),
            *((body, good | {"x-slack-request-timestamp": stamp}) for stamp in ("1_000", " 123 ", "-1", "1e9", "9" * 40)),
        ]
        for sent, headers in bad:
            raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
            answer = await desk.world.http.post("/v1/slack/actions", content=sent, headers=raw)
            assert answer.status_code == 401, headers
        await desk.desk.settle()
        assert (await desk.it.intent(intent.id)).ending is None
        statuses = [
            (await desk.world.http.post("/v1/slack/actions", content=body, headers=good)).status_code for _ in range(2)
        ]
        await desk.desk.settle()
        assert statuses == [200, 401]
        assert (await desk.it.intent(intent.id)).ending == "approved"


async def test_a_stale_card_decides_nothing(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked())
        await desk.it.carry()
        button = desk.card("U0ANN").press("approved")
        stale = button | {"value": button["value"].replace('"digest":"', '"digest":"0')}
        assert "not what would be decided" in await desk.press(stale, "U0ANN")
        assert (await desk.it.intent(intent.id)).ending is None


async def test_slacks_rate_limit_is_obeyed_and_nothing_is_lost_or_doubled(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        desk.fake.limited = 2
        intent = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        assert desk.fake.cards == {}
        calls = len(desk.fake.calls)
        clock.move(timedelta(seconds=39))
        await desk.it.carry()
        assert len(desk.fake.calls) == calls
        clock.move(timedelta(seconds=1))
        await desk.it.carry()
        assert len(desk.fake.cards) == 2
        assert {m.state for m in await desk.it.messages(intent.id)} == {"sent"}


async def test_preferences_order_the_channels_and_the_next_takes_over_when_one_fails_for_good(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, office(store, clock, **email(server.url)) as desk:
        await desk.it.people_are(otto={"preferences": {"channels": ["email", "slack"]}})
        intent = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        assert len(desk.fake.cards_of("U0ANN")) == 1
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]
        server.refused = {"otto@acme.example": "550 no"}
        desk.fake.members.pop("U0ANN")
        other = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        assert [mail["To"] for mail in server.mails[1:]] == ["ann@acme.example"]
        assert len(desk.fake.cards_of("U0OTTO")) == 1
        assert "Undelivered" not in await desk.it.happened(other.id)
        assert await desk.it.states(other.id) == [
            ("task.opened", "per_ann", "email", "sent"),
            ("task.opened", "per_ann", "slack", "failed"),
            ("task.opened", "per_otto", "email", "failed"),
            ("task.opened", "per_otto", "slack", "sent"),
        ]
        assert {state for *_, state in await desk.it.states(intent.id)} == {"sent"}


async def test_when_both_channels_of_everybody_fail_the_ladder_moves_once(store: Store, clock: FixedClock) -> None:
    plan = asked("per_ann", escalate=(Escalation(timedelta(hours=2), ("per_otto",)), Escalation(timedelta(hours=3), ("per_rita",))))
    async with post() as server, office(store, clock, **email(server.url)) as desk:
        server.refused = {"ann@acme.example": "550 no"}
        desk.fake.members.pop("U0ANN")
        intent = await desk.it.submit(plan)
        await desk.it.carry()
        events = await desk.it.happened(intent.id)
        assert (events.count("Undelivered"), events.count("Escalated")) == (1, 1)
        assert len(desk.fake.cards_of("U0OTTO")) == 1


async def test_who_has_no_channel_is_no_reason_to_move_on(store: Store, clock: FixedClock) -> None:
    async with office(store, clock, linked=False) as desk:
        intent = await desk.it.submit(asked("per_ann"))
        await desk.it.carry()
        assert "Undelivered" not in await desk.it.happened(intent.id)
        [lost] = await desk.it.messages(intent.id)
        assert (lost.state, lost.channel) == ("failed", "none")


async def test_a_card_that_somebody_deleted_does_not_hold_the_others_up(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        intent = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        del desk.fake.cards[next(k for k, v in desk.fake.cards.items() if v.account == "U0OTTO")]
        await desk.it.do(intent.id, c.Answer("approved"), ANN)
        await desk.it.carry()
        assert "Approved" in desk.card("U0ANN").text
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_hostile_text_is_text_and_what_does_not_fit_takes_the_buttons_away(store: Store, clock: FixedClock) -> None:
    evil = {
        "<!channel>": "<!channel> <@U1> <https://evil|Open ticket> *bold* :tada: &amp;", "bidi": "a\u202eb\u200bc\x1b[2J",
        "break": "x\nRisk: low", "empty": "",
    }  # fmt: skip
    async with office(store, clock) as desk:
        await desk.it.submit(asked(), payload=json.dumps(evil).encode())
        await desk.it.carry()
        card = desk.card("U0ANN")
        assert "<!channel>: <!channel> <@U1> <https://evil|Open ticket> *bold* :tada: &amp;" in card.text
        assert "a[U+202E]b[U+200B]c[U+001B][2J" in card.text
        assert "\nRisk: low" not in card.text.replace("Risk: medium", "")
        assert (card.body["parse"], card.body["link_names"], card.body["unfurl_links"]) == ("none", False, False)
        assert "<" not in card.body["text"]
        assert len(card.buttons) == 3
        huge = [{"a": "x" * 200_000 + "DROP"}, {"a": "\u202e" * 2300}, {str(n): "v" for n in range(500)}, {"k" * 50_000: "v"}]
        for payload in huge:
            before = set(desk.fake.cards)
            await desk.it.submit(asked(), payload=json.dumps(payload).encode())
            await desk.it.carry()
            [key] = set(desk.fake.cards) - before
            assert [b["action_id"] for b in desk.fake.cards[key].buttons] == ["open"]
            assert "The page has all of it." in desk.fake.cards[key].text


async def test_tokens_are_told_apart_and_stand_in_no_error(store: Store, clock: FixedClock) -> None:
    tokens = parse_tokens("8f74abc xapp-1-A xoxb-1")
    assert (tokens.bot, tokens.signing, tokens.app) == ("xoxb-1", "8f74abc", "xapp-1-A")
    for text in ("8f74abc", "xoxb-1 xoxb-2", "xoxb-1 s3cret other"):
        with pytest.raises(Invalid) as refusal:
            parse_tokens(text)
        assert "s3cret" not in str(refusal.value)
    async with office(store, clock) as desk:
        desk.fake.error = "token_revoked"
        await desk.it.submit(asked())
        await desk.it.carry()
        [waiting] = await store.outbox.listing(WORKSPACE, 5)
        assert (waiting.last_error, waiting.dead) == ("Slack answered token_revoked", False)


async def test_the_messages_of_a_task_are_there_to_be_read(store: Store, clock: FixedClock) -> None:
    async with office(store, clock) as desk:
        from signoff.core.model import ActorKind

        person = await desk.it.keys.create(WORKSPACE, ActorKind.PERSON, RITA.id, RITA.id)
        desk.world.keys["rita"] = person.secret
        desk.fake.members.pop("U0OTTO")
        intent = await desk.it.submit(asked("per_ann", "per_otto"))
        await desk.it.carry()
        for ref in (intent.id, intent.id[:-4] + "0001"):
            told = await desk.world.call("GET", f"/v1/tasks/{ref}/messages", who="rita")
            assert {(m["person"], m["state"], m.get("error")) for m in told["messages"]} == {
                ("per_ann", "sent", None), ("per_otto", "failed", "Slack answered channel_not_found"),
            }  # fmt: skip
