"""People with working hours, and the messages expected for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.intent.model import Task
from signoff.core.intent.upcoming import ContactKind
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.core.plan.working_hours import Hours
from signoff.engine.clock import FixedClock
from signoff.engine.directory.contact_schedule import explain
from signoff.store.store import Store
from tests.builders import WORKSPACE, approve, gate
from tests.notify.messaging_env import MessagingEnv, email, messaging_env
from tests.notify.smtp_sink import SmtpSink, smtp_sink

EVENING = datetime(2026, 3, 27, 20, tzinfo=UTC)  # Friday: 21:00 in Berlin, 16:00 in New York
BERLIN = Hours("Europe/Berlin", start=time(9), end=time(17))
NEW_YORK = Hours("America/New_York", start=time(9), end=time(17))
HOUR = timedelta(hours=1)
OTHER = Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=("per_else",))
SUBJECTS = {
    "A decision is needed": "opening",
    "Escalated to you": "escalation",
    "Snooze ended": "snooze_over",
}


@asynccontextmanager
async def evening(store: Store, clock: FixedClock) -> AsyncIterator[tuple[MessagingEnv, SmtpSink]]:
    """Ann works in New York, Otto in Berlin."""
    clock.at = EVENING
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann={"hours": NEW_YORK}, otto={"hours": BERLIN})
        yield env, server


def asking(*approvers: str, deadline: timedelta = timedelta(days=9), **fields: Any) -> Plan:
    spec = TaskSpec(title="Migrate?", stages=(Stage(approvers, fields.pop("need", 1)),), **fields)
    return gate(approve(task=spec, deadline=deadline), source="workflow:move@1")


async def expected_contacts(env: MessagingEnv, intent_id: str) -> list[tuple[datetime, str, str]]:
    """(moment, kind, person) of every message that ``explain`` lists, those sent at once first."""
    intent = await env.intent(intent_id)
    assert isinstance(intent.open, Task)
    said = explain(intent, intent.open, await env.directory.of(WORKSPACE), env.clock.now())
    later = [one for one in said.contacts if one.contact.kind is not ContactKind.DEADLINE]
    waits = {who for one in later if one.contact.kind is ContactKind.OPENING for who in one.people}
    found = [(env.clock.now(), "opening", who) for who in said.asked if who not in waits]
    for one in later:
        number = f" {one.contact.number}" if one.contact.kind is ContactKind.REMINDER else ""
        found += [(one.contact.at, one.contact.kind.value + number, who) for who in one.people]
    return sorted(found)


def arrived(server: SmtpSink) -> list[tuple[datetime, str, str]]:
    found = []
    for mail in server.mails:
        word = mail["Subject"].partition(":")[0]
        at = parsedate_to_datetime(mail["Date"]).astimezone(UTC)
        found.append((at, SUBJECTS.get(word, word.lower()), "per_" + mail["To"].partition("@")[0]))
    return sorted(found)
