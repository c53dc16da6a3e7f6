"""A flood of reminders to one person ends at a limit; what asks for the first time, and what escalates, does not."""

from datetime import timedelta

from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.notify.office import office
from tests.notify.post import post
from tests.notify.town import Reminders, asked, email, minutes, town


async def test_reminders_beyond_the_limit_are_left_out_on_record_and_questions_never(
    store: Store, clock: FixedClock
) -> None:
    async with post() as server, town(store, clock, email(server.url)) as it:
        it.messenger.limit_reminders(2)
        plan = asked("per_ann", remind=Reminders(minutes(5), minutes(5), 3))
        first = (await it.submit(plan)).id
        await it.carry_all()
        for _ in range(3):
            await it.pass_time(minutes(5))
            await it.carry_all()
        assert [state for kind, *_, state in await it.states(first) if kind == "task.reminder"] == [
            "sent", "sent", "skipped",
        ]  # fmt: skip
        left_out = [m for m in await it.messages(first) if m.state == "skipped"]
        assert [m.error for m in left_out] == ["too many reminders to this person within an hour"]
        second = (await it.submit(plan)).id
        await it.carry_all()
        assert [state for kind, *_, state in await it.states(second) if kind == "task.opened"] == ["sent"]
        await it.pass_time(timedelta(minutes=61))
        await it.carry_all()
        assert ("task.reminder", "per_ann", "email", "sent") in await it.states(second)


async def test_a_reminder_that_the_channel_asks_to_wait_with_counts_once(
    store: Store, clock: FixedClock
) -> None:
    async with office(store, clock) as desk:
        desk.it.messenger.limit_reminders(2)
        intent = (await desk.it.submit(asked("per_ann", remind=Reminders(minutes(5), minutes(5), 1)))).id
        await desk.it.carry_all()
        await desk.it.pass_time(minutes(5))
        desk.fake.limited = 4
        for _ in range(8):
            await desk.it.carry()
            await desk.it.pass_time(timedelta(seconds=41))
        assert not desk.fake.limited
        reminded = [state for kind, *_, state in await desk.it.states(intent) if kind == "task.reminder"]
        assert reminded == ["sent"]
