"""Threads in a chat: a reply below a card becomes a comment, and comments are posted there."""

import json
from typing import Any

from msgspec.structs import replace

from signoff.core.directory.model import Team
from signoff.core.intent import commands as c
from signoff.core.intent.hash_chain import unseal
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.chat_desk import ChatDesk
from signoff.notify.slack.channel import Slack
from signoff.notify.slack.inbound import SlackInbound
from signoff.notify.telegram import Telegram, TelegramInbound
from signoff.store.store import Store
from tests.builders import OTTO, RITA, WORKSPACE, gate
from tests.notify.messaging_env import MessagingEnv, asked
from tests.notify.msteamsfake import TENANT
from tests.notify.slack_env import slack_env
from tests.notify.slackfake import signed
from tests.notify.test_msteams import teams_env
from tests.notify.test_telegram import telegram_env

RECORDED = "Your comment was recorded. It decides nothing."


async def comments(env: MessagingEnv, intent_id: str) -> list[tuple[str, str, str]]:
    facts = [unseal(row.body, row.private) for row in await env.store.intents.history(intent_id)]
    return [
        (fact.actor.id, fact.via, fact.note.comment)
        for fact in facts
        if type(fact.event).__name__ == "Commented" and fact.note
    ]


async def test_reply_below_a_card_is_a_comment_and_comments_appear_there(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        slack.fake.members["U0RITA"] = {}
        await slack.link(RITA, "U0RITA")
        intent = await slack.messaging.submit(asked("per_ann", "per_otto", need=2))
        await slack.messaging.carry()
        card = slack.card("U0ANN")
        said = await slack.say(card, "Which &lt;rows&gt; of <https://db.example|the db>?", "U0ANN")
        assert said == [("U0ANN", RECORDED)]
        assert await comments(slack.messaging, intent.id) == [
            ("per_ann", "slack", "Which <rows> of https://db.example?")
        ]
        await slack.messaging.carry()
        asked_rita = slack.card("U0RITA")  # it is her request
        assert "Which <rows>" in asked_rita.text
        await slack.messaging.do(intent.id, c.AddComment("all of them"), RITA)
        await slack.messaging.carry()
        [(channel, thread, reply)] = slack.fake.threads
        assert slack.fake.cards[f"{channel}:{thread}"] is card
        assert "all of them" in json.dumps(reply)
        assert card.edits == 0
        assert (await slack.messaging.intent(intent.id)).ending is None


async def test_reply_below_the_card_of_a_closed_task_is_no_comment_on_the_next_one(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        [step] = asked("per_ann", "per_otto").steps
        plan = gate(replace(step, id="first"), replace(step, id="second"), source="workflow:migration@1")
        intent = await slack.messaging.submit(plan)
        await slack.messaging.carry()
        old = slack.card("U0ANN")
        await slack.messaging.do(intent.id, c.Answer("approved"), OTTO)
        await slack.messaging.carry()
        [(_, said)] = await slack.say(old, "Why?", "U0ANN")
        assert said.startswith("Not recorded as a comment.")
        assert await comments(slack.messaging, intent.id) == []


async def test_reply_in_a_thread_of_the_team_channel_is_recorded(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        slack.fake.members["C0SREROOM"] = {}
        row = Team("sre", ("per_ann", "per_otto"), workspace=WORKSPACE, channel="slack:C0SREROOM")
        await store.people.save([replace(row, updated_at=clock.now())])
        slack.messaging.directory.changed(WORKSPACE)
        intent = await slack.messaging.submit(asked("team:sre"))
        await slack.messaging.carry()
        room = slack.card("C0SREROOM")
        assert await slack.say(room, "why now?", "U0OTTO") == [("U0OTTO", RECORDED)]
        await slack.messaging.carry()
        assert slack.fake.threads == []  # it stands there already
        await slack.messaging.do(intent.id, c.AddComment("the disk is full"), RITA)
        await slack.messaging.carry()
        rooms = [one for one in slack.fake.threads if slack.fake.cards[f"{one[0]}:{one[1]}"] is room]
        assert len(rooms) == 1
        assert len(slack.fake.threads) == 2  # and Otto, who had asked, below his own card
        said = [(person, words) for person, _, words in await comments(slack.messaging, intent.id)]
        assert said == [("per_otto", "why now?"), ("per_rita", "the disk is full")]


async def test_reply_of_an_unknown_person_is_not_recorded(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        card = slack.card("U0ANN")
        slack.fake.members["U0NEW"] = {}
        [(_, said)] = await slack.say(card, "me too", "U0NEW")
        assert said.startswith("Not recorded as a comment. This account is not linked")
        [(_, said)] = await slack.say(card, "guest", "U0ANN", user_team="T0OTHER")
        assert "Guests" in said
        [(_, said)] = await slack.say(card, "x" * 5001, "U0ANN")
        assert "at most 5,000 characters" in said
        nothing: list[dict[str, Any]] = [
            {"bot_id": "B1"},
            {"subtype": "message_changed"},
            {"thread_ts": "1600000000.000001"},
            {"thread_ts": ""},
            {"text": "  "},
            {"user": ""},
            {"type": "reaction_added"},
        ]
        for event in nothing:
            assert await slack.say(card, "hm", "U0ANN", **event) == [], event
        twice = slack.fake.replied(card, "once", "U0ANN")
        for _ in range(2):  # Slack repeats what it believes lost, signed anew
            assert await slack.slack_sends(twice, content_type="application/json") == 200
        assert [said for *_, said in await comments(slack.messaging, intent.id)] == ["once"]
        await slack.press(card.press("approved"), "U0ANN")
        [(_, said)] = await slack.say(card, "too late", "U0ANN")
        assert said.startswith("Not recorded as a comment.")


async def test_comment_repeated_by_a_chat_is_recorded_once_by_any_server(
    store: Store, clock: FixedClock
) -> None:
    """Another server, or the same one after a restart, has not seen the first delivery."""
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        said = json.loads(slack.fake.replied(slack.card("U0ANN"), "which rows?", "U0ANN"))
        changed = {**said, "event": {**said["event"], "text": "no rows"}}
        channel = slack.messaging.channels.opened["slack"]
        assert isinstance(channel, Slack)
        for payload in (said, said, changed):
            server = ChatDesk("slack", SlackInbound(channel, None), slack.desk.chat)
            server.take(payload)
            await server.settle()
        assert [words for *_, words in await comments(slack.messaging, intent.id)] == ["which rows?"]
        assert [words for _, words in slack.fake.whispers[-3:-1]] == [RECORDED, RECORDED]
        assert slack.fake.whispers[-1][1].startswith("Not recorded as a comment.")
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann"))
        await it.messaging.carry()
        card = it.card("11")
        place = next(key for key, one in it.fake.posts.items() if one is card).rpartition(":")[2]
        update = it.fake.typed("which rows?", "11")
        update["message"]["reply_to_message"] = {"message_id": int(place)}
        bot = it.messaging.channels.opened["telegram"]
        assert isinstance(bot, Telegram)
        for _ in range(2):
            fetching = ChatDesk("telegram", TelegramInbound(bot, ""), it.desk.chat)
            fetching.take(update)
            await fetching.settle()
        assert [words for *_, words in await comments(it.messaging, intent.id)] == ["which rows?"]


async def test_url_verification_of_slack_requires_a_signature(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a", "token": "old"}).encode()
        headers = signed(body, clock.now().timestamp()) | {"content-type": "application/json"}
        answer = await slack.web.http.post("/v1/slack/actions", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
        forged = headers | {"x-slack-signature": "v0=" + "0" * 64}
        again = await slack.web.http.post("/v1/slack/actions", content=body, headers=forged)
        assert again.status_code == 401
        assert "3eZbrw1a" not in again.text


async def test_reply_in_telegram_is_a_comment(store: Store, clock: FixedClock) -> None:
    async with telegram_env(store, clock) as it:
        intent = await it.messaging.submit(asked("per_ann", "per_otto"))
        await it.messaging.carry()
        card = it.card("11")
        place = next(key for key, one in it.fake.posts.items() if one is card).rpartition(":")[2]
        update = it.fake.typed("which rows?", "11")
        update["message"]["reply_to_message"] = {"message_id": int(place)}
        assert await it.sends(update) == 200
        assert it.fake.of("11")[-1].text == RECORDED
        assert await comments(it.messaging, intent.id) == [("per_ann", "telegram", "which rows?")]
        await it.messaging.do(intent.id, c.AddComment("all"), OTTO)
        await it.messaging.carry()
        assert it.fake.of("11")[-1].body["reply_parameters"]["message_id"] == int(place)
        elsewhere = it.fake.typed("what?", "11")
        elsewhere["message"]["reply_to_message"] = {"message_id": 999}
        posts = len(it.fake.posts)
        assert await it.sends(elsewhere) == 200
        assert len(it.fake.posts) == posts


CHANNEL = "19:abc-def@thread.tacv2"


async def test_reply_in_a_teams_channel_that_mentions_the_bot_is_a_comment(
    store: Store, clock: FixedClock
) -> None:
    async with teams_env(store, clock) as it:
        it.fake.members |= {CHANNEL: {}, "29:rita": {}}
        await it.link(RITA, "29:rita")
        row = Team("sre", ("per_ann", "per_otto"), workspace=WORKSPACE, channel=f"msteams:{CHANNEL}")
        await store.people.save([replace(row, updated_at=clock.now())])
        it.messaging.directory.changed(WORKSPACE)
        intent = await it.messaging.submit(asked("team:sre"))
        await it.messaging.carry()
        room = it.card(CHANNEL)
        reply = it.fake.replied(room, "which rows?", "29:otto")
        for _ in range(2):  # Teams sends again what it believes lost
            assert await it.sends(reply) == (200, "")
        # everybody reads the channel, so the answer goes to Otto's own chat
        assert it.fake.texts[-2:] == [("29:otto", RECORDED), ("29:otto", RECORDED)]
        assert await comments(it.messaging, intent.id) == [("per_otto", "msteams", "which rows?")]
        await it.messaging.carry()
        assert it.fake.threads == []  # it stands there already
        await it.messaging.do(intent.id, c.AddComment("all of them"), RITA)
        await it.messaging.carry()
        [(place, said)] = it.fake.threads
        assert it.fake.cards[place] is room
        assert "all of them" in json.dumps(said)
        assert room.edits == 0
        # Otto has asked, so it reaches him too: his chat with the bot has no threads, it stands there on its own
        assert "all of them" in it.fake.of("29:otto")[-1].text


async def test_other_message_in_teams_is_not_recorded(store: Store, clock: FixedClock) -> None:
    async with teams_env(store, clock) as it:
        it.fake.members |= {CHANNEL: {}, "29:new": {}}
        row = Team("sre", ("per_ann",), workspace=WORKSPACE, channel=f"msteams:{CHANNEL}")
        await store.people.save([replace(row, updated_at=clock.now())])
        it.messaging.directory.changed(WORKSPACE)
        intent = await it.messaging.submit(asked("team:sre"))
        await it.messaging.carry()
        room = it.card(CHANNEL)
        before = list(it.fake.texts)
        new_post = {"id": CHANNEL, "conversationType": "channel", "tenantId": TENANT}
        elsewhere = {**new_post, "id": f"{CHANNEL};messageid=999"}
        for more in (
            {"text": "<at>Signoff</at>"},
            {"conversation": new_post},
            {"conversation": elsewhere},
            {"id": ""},
        ):
            assert await it.sends(it.fake.replied(room, "hm", "29:ann") | more) == (200, ""), more
        assert it.fake.texts == before
        await it.sends(it.fake.replied(room, "me too", "29:new"))
        assert it.fake.texts[-1][1].startswith("Not recorded as a comment. This account is not linked")
        other = {"tenant": {"id": "99999999-aaaa-4bbb-8ccc-ddddeeeeffff"}}
        await it.sends(it.fake.replied(room, "guest", "29:ann", channelData=other))
        assert "Guests" in it.fake.texts[-1][1]
        assert await comments(it.messaging, intent.id) == []
