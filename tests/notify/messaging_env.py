"""A workspace with people, and an engine that sends messages to them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from signoff.core.plan.plan import Plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Risk, Stage, TaskSpec
from signoff.engine.clock import Clock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.notify.channel import Channel
from signoff.notify.email import Email, parse_smtp
from signoff.notify.outbound.post import Poster
from signoff.notify.webhook import Webhook
from signoff.store.store import Store
from signoff.store.tables.messages import Message
from tests.builders import ANN, OTTO, RITA, WORKSPACE, approve, gate, minutes
from tests.engine.engine_env import EngineEnv, settle
from tests.notify import msteamsfake, telegramfake
from tests.notify.slackfake import SECRET, TOKEN

BASE = "https://signoff.acme.example"


class MessagingEnv(EngineEnv):
    """An engine whose messages reach people."""

    def __init__(self, store: Store, clock: Clock, channels: Mapping[str, Channel], **settings: Any) -> None:
        if "slack" in channels:
            settings["channel_settings"] = {"slack_tokens": f"{TOKEN} {SECRET}"}
        if "telegram" in channels:
            settings["channel_settings"] = {"telegram_bot": f"{telegramfake.TOKEN} {telegramfake.SECRET}"}
        if "msteams" in channels:
            settings["channel_settings"] = {"msteams_bot": msteamsfake.SETTING}
        super().__init__(store, clock, ChannelRegistry(channels), **{"base_url": BASE, **settings})

    async def messages(self, intent_id: str, visit: int = 1) -> list[Message]:
        return await self.store.messages.of_task(intent_id, visit)

    async def states(self, intent_id: str, visit: int = 1) -> list[tuple[str, str, str, str]]:
        """(kind, person, channel, state) of every message, in order."""
        found = await self.messages(intent_id, visit)
        return sorted((m.kind, m.person, m.channel, m.state) for m in found)

    async def people_are(self, **changes: Mapping[str, Any]) -> None:
        """Change people's settings, by the local part of their address."""
        for person in await self.store.directory.people(WORKSPACE):
            fields = changes.get(person.email.partition("@")[0])
            if fields:
                await self.store.people.save([replace(person, **fields)])
        self.directory.changed(WORKSPACE)

    async def for_days(self, days: float, step: timedelta = timedelta(minutes=10)) -> None:
        """Move the clock in small steps and run the loops after each."""
        for _ in range(int(timedelta(days=days) / step)):
            await self.pass_time(step)
            await self.carry()


@asynccontextmanager
async def messaging_env(
    store: Store, clock: Clock, channels: Mapping[str, Channel]
) -> AsyncIterator[MessagingEnv]:
    """``channels``: the configured ones, by name."""
    it = MessagingEnv(store, clock, channels)
    async with it.running():
        if not await store.directory.workspaces():
            await settle(it, people=(ANN, OTTO, RITA))
        yield it


def webhook(url: str, clock: Clock, timeout: float = 10.0) -> dict[str, Channel]:
    return {"webhook": Webhook(url, "", Poster(True, timeout), clock.now)}


def email(url: str) -> dict[str, Channel]:
    return {"email": Email(parse_smtp(url))}


def asked(*names: str, need: int = 1, **fields: Any) -> Plan:
    """Open a task for these people, by default without reminders."""
    spec = TaskSpec(
        **{"title": "Run the migration on prod?", "stages": (Stage(names or ("per_ann",), need),), **fields}
    )
    return gate(approve(task=spec), source="workflow:migration@1")


__all__ = [
    "BASE",
    "Escalation",
    "MessagingEnv",
    "Reminders",
    "Risk",
    "asked",
    "email",
    "messaging_env",
    "minutes",
    "webhook",
]
