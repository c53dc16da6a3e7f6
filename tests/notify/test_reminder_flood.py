"""Reminders to one person are limited; first requests and escalations are not."""

from datetime import timedelta

from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.notify.messaging_env import Reminders, asked, email, messaging_env, minutes
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import smtp_sink


async def test_reminders_beyond_the_limit_are_recorded_as_skipped_and_questions_are_not(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        env.outbox.people.limit_reminders(2)
        plan = asked("per_ann", remind=Reminders(minutes(5), minutes(5), 3))
        first = (await env.submit(plan)).id
        await env.carry_all()
        for _ in range(3):
            await env.pass_time(minutes(5))
            await env.carry_all()
        assert [state for kind, *_, state in await env.states(first) if kind == "task.reminder"] == [
            "sent",
            "sent",
            "skipped",
        ]
        left_out = [m for m in await env.messages(first) if m.state == "skipped"]
        assert [m.error for m in left_out] == ["too many reminders to this person within an hour"]
        second = (await env.submit(plan)).id
        await env.carry_all()
        assert [state for kind, *_, state in await env.states(second) if kind == "task.opened"] == ["sent"]
        await env.pass_time(timedelta(minutes=61))
        await env.carry_all()
        assert ("task.reminder", "per_ann", "email", "sent") in await env.states(second)


async def test_reminder_deferred_by_its_channel_counts_once(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        slack.messaging.outbox.people.limit_reminders(2)
        intent = (
            await slack.messaging.submit(asked("per_ann", remind=Reminders(minutes(5), minutes(5), 1)))
        ).id
        await slack.messaging.carry_all()
        await slack.messaging.pass_time(minutes(5))
        slack.fake.limited = 4
        for _ in range(8):
            await slack.messaging.carry()
            await slack.messaging.pass_time(timedelta(seconds=41))
        assert not slack.fake.limited
        reminded = [
            state for kind, *_, state in await slack.messaging.states(intent) if kind == "task.reminder"
        ]
        assert reminded == ["sent"]
