"""People's own working hours: what the policy sends by itself waits until they begin, exactly as it was foretold."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Team
from signoff.core.directory.rotation import Rotation
from signoff.core.intent import commands as c
from signoff.core.intent.model import Task
from signoff.core.intent.upcoming import ContactKind
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.core.plan.working_hours import Hours
from signoff.engine.clock import FixedClock
from signoff.engine.directory.contact_schedule import explain
from signoff.store.store import Store
from tests.builders import ANN, WORKSPACE, approve, gate
from tests.notify.messaging_env import Escalation, MessagingEnv, Reminders, email, messaging_env
from tests.notify.smtp_sink import SmtpSink, smtp_sink

EVENING = datetime(2026, 3, 27, 20, tzinfo=UTC)  # Friday: 21:00 in Berlin, 16:00 in New York
BERLIN = Hours("Europe/Berlin", start=time(9), end=time(17))
NEW_YORK = Hours("America/New_York", start=time(9), end=time(17))
HOUR = timedelta(hours=1)
OTHER = Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE, sponsors=("per_else",))
SUBJECTS = {
    "A decision is needed": "opening",
    "Escalated to you": "escalation",
    "You put this off until now": "snooze_over",
}


@asynccontextmanager
async def evening(store: Store, clock: FixedClock) -> AsyncIterator[tuple[MessagingEnv, SmtpSink]]:
    """Ann works in New York and Otto in Berlin."""
    clock.at = EVENING
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await env.people_are(ann={"hours": NEW_YORK}, otto={"hours": BERLIN})
        yield env, server


def asking(*approvers: str, deadline: timedelta = timedelta(days=9), **fields: Any) -> Plan:
    spec = TaskSpec(title="Migrate?", stages=(Stage(approvers, fields.pop("need", 1)),), **fields)
    return gate(approve(task=spec, deadline=deadline), source="workflow:move@1")


async def foretold(env: MessagingEnv, intent_id: str) -> list[tuple[datetime, str, str]]:
    """(moment, kind, person) of every contact that explain lists; who is asked at once first."""
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


async def test_each_is_told_in_their_own_hours_exactly_as_foretold_and_a_night_becomes_one_message(
    store: Store, clock: FixedClock
) -> None:
    plan = asking(
        "per_ann",
        "per_otto",
        remind=Reminders(2 * HOUR, 2 * HOUR, 2),
        escalate=(Escalation(3 * HOUR, ("per_rita",)),),
    )
    async with evening(store, clock) as (env, server):
        intent = await env.submit(plan, by=OTHER)
        expected = await foretold(env, intent.id)
        monday = datetime(2026, 3, 30, tzinfo=UTC)
        assert expected == [
            (EVENING, "opening", "per_ann"),
            (EVENING + 3 * HOUR, "escalation", "per_rita"),
            (monday + 7 * HOUR, "opening", "per_otto"),  # 09:00 in Berlin; both reminders fell into the night
            (
                monday + 13 * HOUR,
                "reminder 1",
                "per_ann",
            ),  # 09:00 in New York; the second is the same message
        ]
        await env.carry()
        await env.for_days(0.5)
        now = env.clock.now()
        assert [(at, who) for at, _, who in await foretold(env, intent.id) if at > now] == [
            (at, who) for at, _, who in expected if at > now
        ]
        await env.for_days(3)
        assert arrived(server) == expected
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_whoever_is_on_call_is_told_at_once_and_the_others_of_the_team_are_not_woken(
    store: Store, clock: FixedClock
) -> None:
    async with evening(store, clock) as (env, server):
        members = ("per_otto", "per_ann")
        row = Team("oncall", members, Rotation(members, date(2026, 3, 23)), WORKSPACE, EVENING)
        await store.people.save([row])
        env.directory.changed(WORKSPACE)
        intent = await env.submit(asking("team:oncall"), by=OTHER)
        expected = await foretold(env, intent.id)
        await env.carry()
        assert arrived(server) == expected == [(EVENING, "opening", "per_otto")]


async def test_where_the_deadline_would_come_first_nobody_waits_for_the_morning(
    store: Store, clock: FixedClock
) -> None:
    async with evening(store, clock) as (env, server):
        intent = await env.submit(asking("per_otto", deadline=8 * HOUR), by=OTHER)
        expected = await foretold(env, intent.id)
        await env.carry()
        assert arrived(server) == expected == [(EVENING, "opening", "per_otto")]


async def test_whom_somebody_hands_it_to_hears_at_once_and_what_is_decided_at_night_asks_nobody_in_the_morning(
    store: Store, clock: FixedClock
) -> None:
    async with evening(store, clock) as (env, server):
        intent = await env.submit(asking("per_ann", "per_otto", need=2), by=OTHER)
        await env.carry()  # otto would hear of it on Monday
        env.clock.move(HOUR / 60)
        other = await env.submit(asking("per_ann"), by=OTHER)
        env.clock.move(HOUR / 60)
        await env.do(other.id, c.Delegate("per_otto"), ANN)
        await env.do(intent.id, c.Answer("rejected"), ANN)
        await env.carry()
        told = [(mail["To"].partition("@")[0], mail["Subject"].partition(":")[0]) for mail in server.mails]
        assert sorted(told) == [
            ("ann", "A decision is needed"),
            ("ann", "Rejected"),
            ("otto", "A decision is needed"),
        ]
        await env.for_days(3)
        assert len(server.mails) == 3
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
