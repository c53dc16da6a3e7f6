"""A snooze holds back one person's messages until its end and nothing else, as ``explain`` predicts."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent import commands as c
from signoff.core.plan.plan import Plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA
from tests.notify.messaging_env import MessagingEnv, asked, email, messaging_env
from tests.notify.smtp_sink import smtp_sink
from tests.notify.working_hours_env import (
    BERLIN,
    EVENING,
    HOUR,
    NEW_YORK,
    OTHER,
    arrived,
    asking,
    evening,
    expected_contacts,
)

QUARTER = timedelta(minutes=15)


def reminding(*approvers: str, **fields: object) -> Plan:
    return asked(*approvers, remind=Reminders(HOUR, HOUR, 4), **fields)


async def until(env: MessagingEnv, at: datetime, step: timedelta = QUARTER) -> None:
    """Move the clock in steps and run the loops after each."""
    while env.clock.now() < at:
        await env.pass_time(step)
        await env.carry()


async def test_snooze_suppresses_own_reminders_and_notifies_at_its_end(
    store: Store, clock: FixedClock
) -> None:
    plan = reminding("per_ann", "per_otto", escalate=(Escalation(2 * HOUR, ("per_rita",)),))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        began = clock.now()
        intent = await env.submit(plan, by=OTHER)
        await env.carry()
        await env.pass_time(QUARTER)
        await env.do(intent.id, c.Snooze(began + 3 * HOUR), ANN)
        before = await env.intent(intent.id)
        expected = [one for one in await expected_contacts(env, intent.id) if one[0] > clock.now()]
        assert expected == [
            (began + HOUR, "reminder 1", "per_otto"),
            (began + 2 * HOUR, "escalation", "per_rita"),
            (began + 2 * HOUR, "reminder 2", "per_otto"),
            (began + 3 * HOUR, "reminder 3", "per_otto"),
            (began + 3 * HOUR, "snooze_over", "per_ann"),
            (began + 4 * HOUR, "reminder 4", "per_ann"),
            (began + 4 * HOUR, "reminder 4", "per_otto"),
        ]
        server.mails.clear()
        await until(env, began + 5 * HOUR)
        assert arrived(server) == expected
        [back] = [m for m in server.to("ann@acme.example") if m["Subject"].startswith("Snooze ended")]
        assert "/t/" in back.as_string()
        after = await env.intent(intent.id)
        assert (before.deadline_at, before.open.deadline_at) == (after.deadline_at, after.open.deadline_at)  # type: ignore[union-attr]
        assert await env.findings() == []


async def test_messages_missed_during_an_outage_are_combined(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(reminding("per_ann"), by=OTHER)
        await env.carry()
        await env.do(intent.id, c.Snooze(clock.now() + 2 * HOUR), ANN)
        server.mails.clear()
        await env.pass_time(3 * HOUR + QUARTER)  # nothing ran meanwhile
        await env.carry()
        assert [mail["Subject"].partition(":")[0] for mail in server.mails] == ["Snooze ended"]


async def test_unsnooze_restores_reminders_and_an_answer_ends_them(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(reminding("per_ann", "per_otto", need=2), by=OTHER)
        await env.carry()
        began = clock.now()
        for person in (ANN, OTTO):
            await env.do(intent.id, c.Snooze(began + 3 * HOUR), person)
        await env.do(intent.id, c.Unsnooze(), ANN)
        await env.do(intent.id, c.Answer("approved"), OTTO)
        server.mails.clear()
        expected = [one for one in await expected_contacts(env, intent.id) if one[0] > began]
        await until(env, began + 5 * HOUR)
        assert arrived(server) == expected
        assert {who for _, _, who in expected} == {"per_ann"}
        assert (await env.happened(intent.id)).count("Unsnoozed") == 1


async def test_snooze_without_effect_is_refused(store: Store, clock: FixedClock) -> None:
    async with messaging_env(store, clock, {}) as env:
        intent = await env.submit(reminding("per_ann", "per_otto", need=2), by=OTHER)  # due in eight hours
        now = clock.now()
        for moment, code in (
            (now + 8 * HOUR, "after_the_deadline"),
            (now, "moment_passed"),
        ):
            with pytest.raises(Invalid) as refused:
                await env.do(intent.id, c.Snooze(moment), ANN)
            assert (refused.value.code, refused.value.field) == (code, "until")
        with pytest.raises(Forbidden):
            await env.do(intent.id, c.Snooze(now + HOUR), RITA)
        await env.do(intent.id, c.Unsnooze(), ANN)  # nothing to take back: nothing happens
        await env.do(intent.id, c.Answer("approved"), ANN)
        with pytest.raises(Conflict):
            await env.do(intent.id, c.Snooze(now + HOUR), ANN)
        assert "Unsnoozed" not in await env.happened(intent.id)


async def test_message_held_until_the_morning_and_a_snooze_until_then_are_combined(
    store: Store, clock: FixedClock
) -> None:
    """Otto's message waits for Monday at nine; he snoozes the task on the page until that moment."""
    async with evening(store, clock) as (env, server):
        intent = await env.submit(asking("per_otto", remind=Reminders(HOUR, HOUR, 3)), by=OTHER)
        await env.carry()
        monday = datetime(2026, 3, 30, 7, tzinfo=UTC)
        await env.do(intent.id, c.Snooze(monday), OTTO)
        expected = await expected_contacts(env, intent.id)
        assert [one for one in expected if one[0] > clock.now()] == [(monday, "snooze_over", "per_otto")]
        await until(env, monday + HOUR, HOUR)
        assert arrived(server) == [(monday, "snooze_over", "per_otto")]
        states = {(m.kind, m.state) for m in await env.messages(intent.id)}
        assert states == {("task.opened", "skipped"), ("task.snooze_over", "sent")}


def moments(contacts: list[tuple[datetime, str, str]]) -> list[tuple[datetime, str, bool]]:
    """When who is notified, and whether a snooze ended; several messages about one task count as one, by the first."""
    return sorted((at, who, kind == "snooze_over") for at, kind, who in contacts)


@pytest.mark.parametrize("seed", range(10))
async def test_listed_contacts_are_those_sent_for_any_snooze(
    seed: int, store: Store, clock: FixedClock
) -> None:
    """People in two time zones with working hours, an escalation, reminders, and snoozes at random moments."""
    chance = Random(seed)
    clock.at = EVENING + timedelta(hours=chance.randrange(0, 70))
    plan = asking(
        "per_ann",
        "per_otto",
        need=2,
        deadline=60 * HOUR,
        remind=Reminders(chance.randrange(1, 4) * HOUR, chance.randrange(1, 9) * HOUR, 6),
        escalate=(Escalation(chance.randrange(1, 30) * HOUR, ("per_otto", "per_rita")),),
    )
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        hours = {"ann": NEW_YORK, "otto": BERLIN}
        chosen = chance.sample(sorted(hours), chance.randrange(0, 3))
        await env.people_are(**{name: {"hours": hours[name]} for name in chosen})
        intent = await env.submit(plan, by=OTHER)
        ends = clock.now() + 60 * HOUR
        await env.carry()
        for person in chance.sample((ANN, OTTO), chance.randrange(1, 3)):
            for _ in range(chance.randrange(1, 3)):
                await until(env, clock.now() + chance.randrange(0, 6) * HOUR, HOUR)
                at = clock.now() + chance.randrange(1, 40) * HOUR
                if at < ends:
                    await env.do(intent.id, c.Snooze(at), person)
                if chance.random() < 0.2:
                    await env.do(intent.id, c.Unsnooze(), person)
        now = clock.now()
        expected = [one for one in await expected_contacts(env, intent.id) if one[0] > now]
        server.mails.clear()
        await until(env, ends - HOUR, HOUR)
        assert moments(arrived(server)) == moments(expected)
        assert await env.findings() == []
