"""Working hours: messages that a policy sends wait until they begin, exactly as predicted."""

from datetime import UTC, date, datetime

from signoff.core.directory.model import Team
from signoff.core.directory.rotation import Rotation
from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Risk
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, WORKSPACE
from tests.notify.messaging_env import Escalation, Reminders
from tests.notify.working_hours_env import EVENING, HOUR, OTHER, arrived, asking, evening, expected_contacts


async def test_people_are_notified_in_their_working_hours_as_listed_and_nights_are_combined(
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
        expected = await expected_contacts(env, intent.id)
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
        assert [(at, who) for at, _, who in await expected_contacts(env, intent.id) if at > now] == [
            (at, who) for at, _, who in expected if at > now
        ]
        await env.for_days(3)
        assert arrived(server) == expected
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_person_on_call_is_notified_at_once_and_the_others_are_not(
    store: Store, clock: FixedClock
) -> None:
    async with evening(store, clock) as (env, server):
        members = ("per_otto", "per_ann")
        row = Team("oncall", members, Rotation(members, date(2026, 3, 23)), WORKSPACE, EVENING)
        await store.people.save([row])
        env.directory.changed(WORKSPACE)
        intent = await env.submit(asking("team:oncall"), by=OTHER)
        expected = await expected_contacts(env, intent.id)
        await env.carry()
        assert arrived(server) == expected == [(EVENING, "opening", "per_otto")]


async def test_message_held_until_the_morning_is_not_sent_at_night_with_a_roundup(
    store: Store, clock: FixedClock
) -> None:
    async with evening(store, clock) as (env, server):
        await env.people_are(otto={"preferences": {"digest": "1h"}}, ann={"preferences": {"digest": "1h"}})
        intent = await env.submit(asking("per_otto", "per_ann", risk=Risk.LOW), by=OTHER)
        assert sorted(await expected_contacts(env, intent.id)) == [
            (EVENING, "opening", "per_ann"),
            (datetime(2026, 3, 30, 7, tzinfo=UTC), "opening", "per_otto"),
        ]
        await env.carry()
        assert server.mails == []
        await env.for_days(3)
        assert arrived(server) == [
            (EVENING + HOUR, "opening", "per_ann"),
            (datetime(2026, 3, 30, 7, tzinfo=UTC), "opening", "per_otto"),
        ]


async def test_earlier_deadline_overrides_working_hours(store: Store, clock: FixedClock) -> None:
    async with evening(store, clock) as (env, server):
        intent = await env.submit(asking("per_otto", deadline=8 * HOUR), by=OTHER)
        expected = await expected_contacts(env, intent.id)
        await env.carry()
        assert arrived(server) == expected == [(EVENING, "opening", "per_otto")]


async def test_delegate_is_notified_at_once_and_a_task_decided_at_night_asks_nobody_later(
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
            ("otto", "A decision is needed"),
        ]
        await env.for_days(3)
        assert len(server.mails) == 2
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
