"""Which Slack accounts and requests are trusted."""

import asyncio
from datetime import timedelta

import pytest

from signoff.core.errors import Invalid
from signoff.engine.clock import FixedClock
from signoff.notify.slack.channel import parse_tokens
from signoff.store.store import Store
from tests.builders import ANN, WORKSPACE
from tests.engine.engine_env import ROOT
from tests.notify.messaging_env import asked
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.slackfake import TEAM, signed


async def test_account_without_a_completed_link_cannot_answer(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        button = slack.card("U0ANN").press("approved")
        slack.fake.members |= {"U0EVE": {}, "U0GUEST": {"is_restricted": True}, "U0GONE": {"deleted": True}}
        assert "is not linked to a person" in await slack.press(button, "U0EVE")
        assert "Guests" in await slack.press(button, "U0ANN", user_team="T0OTHER")
        assert "Guests" in await slack.press(button, "U0ANN", team="T0OTHER", user_team="T0OTHER")
        for account in ("U0GUEST", "U0GONE", "U0NOBODY"):
            assert "Guests" in await slack.press(button, account)
        assert "not among those" in await slack.press(button, "U0OTTO")
        assert "unlinked" in await _typed(slack, "unlink", "U0ANN")
        assert "is not linked to a person" in await slack.press(button, "U0ANN")
        await slack.link(ANN, "U0ANN")
        await slack.messaging.people_are(ann={"active": False})
        assert "is not linked to a person" in await slack.press(button, "U0ANN")
        assert (await slack.messaging.intent(intent.id)).ending is None
        assert "Answered" not in await slack.messaging.happened(intent.id)


async def _typed(slack: SlackEnv, text: str, account: str) -> str:
    assert await slack.slack_sends(slack.fake.typed(text, account)) == 200
    return slack.fake.whispers[-1][1]


async def test_link_code_works_once_within_ten_minutes_and_moves_the_account(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock, linked=False) as slack:
        slack.fake.members |= {"U0ANN": {}, "U1ANN": {}, "U0EVE": {}}
        code = (await slack.desk.chat.code(ANN)).text
        assert "is not valid" in await _typed(slack, "link AAAA-BBBB-CCCC", "U0EVE")
        assert "is now linked to" in await _typed(slack, f"link {code.lower()}", "U0ANN")
        assert "is not valid" in await _typed(slack, f"link {code}", "U0EVE")
        late = (await slack.desk.chat.code(ANN)).text
        clock.move(timedelta(minutes=10))
        assert "is not valid" in await _typed(slack, f"link {late}", "U0EVE")
        await slack.link(ANN, "U1ANN")
        assert set(await store.chats.people("slack", WORKSPACE)) == {"per_ann"}
        assert await store.chats.person("slack", TEAM, "U0ANN") is None
        assert "Type /signoff" in await _typed(slack, "help me", "U0ANN")
        assert code not in str(await store.read("select * from chat_codes"))


async def test_link_code_requires_the_key_of_a_person(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        from signoff.core.directory.actors import ActorKind

        person = await slack.messaging.keys.create(WORKSPACE, ActorKind.PERSON, "per_ann", "per_ann")
        account, _ = await slack.messaging.accounts.add_account(ROOT, ActorKind.AGENT, "robot")
        agent = await slack.messaging.keys.create(WORKSPACE, ActorKind.AGENT, account.id)
        slack.web.keys |= {"ann": person.secret, "robot": agent.secret}
        made = await slack.web.call("POST", "/v1/me/slack/code", {}, who="ann")
        assert made["command"] == f"/signoff link {made['code']}"
        assert (await slack.web.call("POST", "/v1/me/slack/code", {}, who="robot")).code == "person_required"
        slack.web.state.chats, slack.web.state.desks = {}, {}
        assert (await slack.web.call("POST", "/v1/me/slack/code", {}, who="ann")).status == 404
        assert (await slack.web.call("POST", "/v1/slack/actions", b"x", who="")).status == 404


async def test_only_a_recent_slack_signature_is_accepted_and_only_once(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked())
        await slack.messaging.carry()
        body = slack.fake.pressed(slack.card("U0ANN").press("approved"), "U0ANN")
        now = clock.now().timestamp()
        good = signed(body, now)
        bad: list[tuple[bytes, dict[str, str]]] = [
            (
                body,
                good
                | {
                    "x-slack-signature": good["x-slack-signature"][:-1]
                    + "0x"[good["x-slack-signature"][-1] == "0"]
                },
            ),
            (body, signed(body, now - 301)),
            (body, signed(body, now + 301)),
            (body, signed(body, now, "another secret")),
            (body.replace(b"approved", b"rejected"), good),
            (body + b"&x=1", good),
            (b"\xff\xfe", signed(b"\xff\xfe", now)),
            (body, good | {"x-slack-signature": "v0=\u00e9".encode().decode("latin-1")}),
            (body, {k: v for k, v in good.items() if k != "x-slack-signature"}),
            (body, {k: v for k, v in good.items() if k != "x-slack-request-timestamp"}),
            *(
                (body, good | {"x-slack-request-timestamp": stamp})
                for stamp in ("1_000", " 123 ", "-1", "1e9", "9" * 40)
            ),
        ]
        for sent, headers in bad:
            raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
            answer = await slack.web.http.post("/v1/slack/actions", content=sent, headers=raw)
            assert answer.status_code == 401, headers
        await slack.desk.settle()
        assert (await slack.messaging.intent(intent.id)).ending is None
        statuses = [
            (await slack.web.http.post("/v1/slack/actions", content=body, headers=good)).status_code
            for _ in range(2)
        ]
        await slack.desk.settle()
        assert statuses == [200, 401]
        assert (await slack.messaging.intent(intent.id)).ending == "approved"


async def test_tokens_are_distinguished_and_appear_in_no_error(store: Store, clock: FixedClock) -> None:
    tokens = parse_tokens("8f74abc xapp-1-A xoxb-1")
    assert (tokens.bot, tokens.signing, tokens.app) == ("xoxb-1", "8f74abc", "xapp-1-A")
    for text in ("8f74abc", "xoxb-1 xoxb-2", "xoxb-1 s3cret other"):
        with pytest.raises(Invalid) as refusal:
            parse_tokens(text)
        assert "s3cret" not in str(refusal.value)
    async with slack_env(store, clock) as slack:
        slack.fake.error = "token_revoked"
        await slack.messaging.submit(asked())
        await slack.messaging.carry()
        [waiting] = await store.outbox.listing(WORKSPACE, 5)
        assert (waiting.last_error, waiting.dead) == ("Slack answered token_revoked", False)


async def test_accepted_requests_are_processed_before_shutdown_or_dropped(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()

        async def take() -> None:
            clock.move(timedelta(seconds=1))
            body = slack.fake.pressed(slack.card("U0ANN").press("approved"), "U0ANN")
            sent = signed(body, clock.now().timestamp())
            assert (
                await slack.web.http.post("/v1/slack/actions", content=body, headers=sent)
            ).status_code == 200

        await take()
        await slack.desk.close(patience=30)
        assert (await slack.messaging.intent(intent.id)).ending == "approved"
        await take()
        await slack.desk.close(patience=0)
        assert not [task for task in asyncio.all_tasks() if "ChatDesk" in repr(task)]
