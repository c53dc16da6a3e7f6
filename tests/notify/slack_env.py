"""A workspace that uses Slack, and the web layer that Slack calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from signoff.engine.clock import FixedClock
from signoff.notify.slack.channel import Slack
from signoff.store.store import Store
from tests.builders import ANN, OTTO
from tests.notify.messaging_env import MessagingEnv, messaging_env, webhook
from tests.notify.slackfake import TOKEN, Card, FakeSlack, fake_slack, signed
from tests.web.web_env import WebEnv

ACCOUNTS = {"per_ann": "U0ANN", "per_otto": "U0OTTO"}


class SlackEnv:
    """``messaging``: the engine and its people; ``web``: what Slack calls; ``fake``: Slack."""

    def __init__(self, env: MessagingEnv, fake: FakeSlack) -> None:
        self.messaging = env
        self.fake = fake
        self.desk = env.desks["slack"]
        self.web = WebEnv(env)

    async def slack_sends(self, body: bytes, **changes: str) -> int:
        """Post a request signed by Slack; returns the status after it was processed."""
        headers = signed(body, self.messaging.clock.now().timestamp()) | {
            k.replace("_", "-"): v for k, v in changes.items()
        }
        self.messaging.clock.move(timedelta(seconds=1))
        answer = await self.web.http.post("/v1/slack/actions", content=body, headers=headers)
        await self.desk.settle()
        return int(answer.status_code)

    async def link(self, person: Any, account: str, **fields: Any) -> str:
        """Link an account, with all of its steps; returns Slack's last ephemeral message."""
        self.fake.members.setdefault(account, fields)
        code = await self.desk.chat.code(person)
        assert await self.slack_sends(self.fake.typed(f"link {code.text}", account)) == 200
        return self.fake.whispers[-1][1]

    async def say(self, card: Card, text: str, account: str, /, **event: Any) -> list[tuple[str, str]]:
        """Reply in a card's thread; returns the ephemeral message that follows."""
        before = len(self.fake.whispers)
        body = self.fake.replied(card, text, account, **event)
        assert await self.slack_sends(body, content_type="application/json") == 200
        return self.fake.whispers[before:]

    async def press(self, button: dict[str, Any], account: str, **fields: Any) -> str:
        """Press a button; returns the ephemeral message to the person who pressed it."""
        assert await self.slack_sends(self.fake.pressed(button, account, **fields)) == 200
        whom, said = self.fake.whispers[-1]
        assert whom == account
        return said

    def card(self, account: str) -> Card:
        [card] = self.fake.cards_of(account)
        return card


@asynccontextmanager
async def slack_env(
    store: Store, clock: FixedClock, linked: bool = True, hook: str = "", **more: Any
) -> AsyncIterator[SlackEnv]:
    """``hook``: the URL of a webhook; ``more``: other personal channels."""

    def seconds() -> float:
        return clock.now().timestamp()

    async with fake_slack(seconds) as fake:
        channels = {"slack": Slack(TOKEN, seconds, fake.api, fake.hooks), **more}
        if hook:
            channels |= webhook(hook, clock)
        async with messaging_env(store, clock, channels) as env:
            slack = SlackEnv(env, fake)
            if linked:
                for person in (ANN, OTTO):
                    assert "is now linked to" in await slack.link(person, ACCOUNTS[person.id])
            yield slack
            await slack.web.http.aclose()
