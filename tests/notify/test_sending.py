"""One rule for everything that is sent: only a refusal by the other side is an attempt, and no row stops another."""

from datetime import timedelta

import pytest

from signoff.core.errors import Busy
from signoff.core.intent import commands as c
from signoff.core.plan.schedules import ADMIN, PERSON, PUSH, SERVICE, SIGN_IN, Reminders, RetryPolicy
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.pipeline import UNREADABLE
from signoff.engine.delivery.send_outcomes import Dead, NextChannel, Retry, after_failure, waiting_pause
from signoff.engine.read.delivery_status import channel_states, messages_of, unreadable
from signoff.notify.channel import NotSent
from signoff.notify.personal_message import PersonalMessage
from signoff.store.rows import outgoing_row
from signoff.store.sql import OUTBOX, PUT_OUTGOING
from signoff.store.store import Store
from signoff.store.tables.messages import WAITING, Message
from signoff.store.transaction import OutboxKind, OutboxRow
from tests.builders import ANN, OTTO, WORKSPACE
from tests.engine.http_sink import http_sink
from tests.notify.messaging_env import MessagingEnv, asked, email, messaging_env, webhook
from tests.notify.smtp_sink import smtp_sink

SECOND = timedelta(seconds=1)
LATER = NotSent("451 try again later")


@pytest.mark.parametrize("policy", [PERSON, SERVICE, ADMIN, SIGN_IN, PUSH])
def test_failure_is_retried_with_growing_pauses_until_it_is_dead(policy: RetryPolicy) -> None:
    tries = [after_failure(policy, attempt, LATER) for attempt in range(1, policy.attempts + 1)]
    assert tries[-1] == Dead(LATER.reason)
    pauses = [retry.pause for retry in tries[:-1] if isinstance(retry, Retry)]
    assert len(pauses) == policy.attempts - 1
    assert pauses == sorted(pauses)
    gone = NotSent("no such address", permanent=True)
    assert after_failure(policy, 1, gone) == Dead("no such address")
    assert after_failure(policy, 1, gone, other="email") == NextChannel("email", "no such address")


def test_rate_limited_send_is_no_attempt_and_another_channel_is_tried_sooner() -> None:
    slowly = NotSent("slowly", wait=30)
    assert after_failure(PERSON, 99, slowly) == Retry(timedelta(seconds=30), "slowly", counted=False)
    assert after_failure(PERSON, 5, LATER, other="email") == NextChannel("email", LATER.reason)
    assert isinstance(after_failure(PERSON, 5, LATER), Retry)
    looks = [waiting_pause(times) for times in range(1, 100)]
    assert looks == sorted(looks)
    assert (looks[0], looks[5], looks[-1]) == (timedelta(0), SECOND, timedelta(minutes=1))


async def test_decision_message_waits_for_its_question(store: Store, clock: FixedClock) -> None:
    busy = {"ann@acme.example": "451 try again later"}
    remind = Reminders(2 * SECOND, timedelta(hours=1))
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:

        async def seconds(count: int) -> None:
            for _ in range(count):
                await env.pass_time(SECOND)
                await env.carry()

        async def of(kind: str) -> Message:
            [found] = [m for m in await env.messages(intent.id) if m.kind == kind and m.person == ANN.id]
            return found

        server.refused = busy
        intent = await env.submit(asked("per_ann", "per_otto", remind=remind))
        await env.carry()
        server.refused = {}
        await seconds(3)  # the reminder arrives
        server.refused = busy
        await seconds(6)  # the opening is refused once more, and rests
        await env.do(intent.id, c.Answer("approved"), OTTO)
        await seconds(24)
        assert (await of("task.decided")).state == WAITING
        rows = {row.id: row.attempts for row in await store.outbox.listing(WORKSPACE, 10)}
        assert rows[(await of("task.decided")).id] == 0
        await seconds(8)  # now the news itself is refused, for the first time
        assert ((await of("task.decided")).state, (await of("task.decided")).attempts) == (WAITING, 1)
        server.refused = {}
        await seconds(10)
        assert ((await of("task.decided")).state, (await of("task.decided")).attempts) == ("sent", 2)


class Troubled:
    """A channel whose database is unavailable for a while."""

    def __init__(self) -> None:
        self.away = True
        self.letters: list[PersonalMessage] = []

    async def deliver(self, message: PersonalMessage) -> str:
        if self.away:
            raise Busy("database_unavailable", "The database cannot be reached.")
        self.letters.append(message)
        return "reference"

    async def close(self) -> None:
        """Nothing to close."""


async def test_failure_of_our_own_database_is_no_attempt(store: Store, clock: FixedClock) -> None:
    channel = Troubled()
    async with messaging_env(store, clock, {"email": channel}) as env:
        intent = await env.submit(asked("per_ann"))
        await env.outbox.once()
        for _ in range(20):
            with pytest.raises(Busy):
                await env.carry()
            clock.move(timedelta(seconds=6))
        [message] = await env.messages(intent.id)
        assert (message.attempts, message.error) == (0, "")
        [state] = await channel_states(store, WORKSPACE, ["email"], clock.now())
        assert not state.failing
        channel.away = False
        await env.carry()
        [message] = await env.messages(intent.id)
        assert (message.state, message.attempts, len(channel.letters)) == ("sent", 1, 1)


async def strange(env: MessagingEnv, intent_id: str, kind: str, notification: bytes) -> None:
    at = env.clock.now() - SECOND
    row = OutboxRow(f"odd-{kind}", WORKSPACE, intent_id, 1, kind, "email", "per_ann", notification, at)
    await env.store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(row), strict=True))))


async def test_unreadable_row_stops_nothing_else_and_doctor_names_it(store: Store, clock: FixedClock) -> None:
    async with (
        smtp_sink() as server,
        http_sink(200) as hook,
        messaging_env(store, clock, email(server.url) | webhook(hook.url, clock)) as env,
    ):
        first = await env.submit(asked("per_ann"))
        odd = b'{"kind":"of.tomorrow","new":1}'
        for kind in OutboxKind:
            await strange(env, first.id, kind, odd)
        await strange(env, first.id, "of_tomorrow", b"{}")
        await strange(env, first.id, "", b"not even JSON")
        second = await env.submit(asked("per_otto"))
        for _ in range(3):
            await env.carry()
            clock.move(timedelta(minutes=1))
        assert len(server.mails) == 2
        assert len(hook.got) >= 2
        left = await store.outbox.listing(WORKSPACE, 20)
        assert {(row.last_error, row.attempts, row.dead) for row in left} == {(UNREADABLE, 0, False)}
        assert len(left) == len(OutboxKind) + 2
        named = [finding async for finding in unreadable(store)]
        assert all("cannot be read by this release" in finding.text for finding in named)
        assert len(named) == len(OutboxKind) + 2
        assert {one.message.state for one in await messages_of(store, second.id)} == {"sent"}
        await messages_of(store, first.id)
        await channel_states(store, WORKSPACE, ["email", "webhook"], clock.now())


async def test_many_failing_mails_do_not_hide_a_failing_webhook(store: Store, clock: FixedClock) -> None:
    async with messaging_env(store, clock, webhook("http://127.0.0.1:9/x", clock)) as env:
        intent = await env.submit(asked("per_ann"))
        now = clock.now()
        row = OutboxRow(
            "hook", WORKSPACE, intent.id, 1, "service", "webhook", "x", b"", now, attempts=2, last_error="500"
        )
        notification = (await store.outbox.listing(WORKSPACE, 1))[0].notification
        row.notification = notification
        await store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(row), strict=True))))
        mails = [
            Message(
                id=f"m{n}",
                workspace=WORKSPACE,
                intent_id=intent.id,
                visit=1,
                seq=1,
                kind="task.opened",
                person="per_ann",
                channel="email",
                state=WAITING,
                attempts=1,
                error="451",
                at=now + SECOND,
                called_at=now,
            )
            for n in range(600)
        ]
        await store.messages.end([], [], mails)
        for n in range(600):
            mail = OutboxRow(
                f"z{n}", WORKSPACE, intent.id, 1, "person", "email", "per_ann", notification, now, 1, "451"
            )
            await store.write((PUT_OUTGOING, dict(zip(OUTBOX.columns, outgoing_row(mail), strict=True))))
        states = {state.channel: state for state in await channel_states(store, WORKSPACE, ["webhook"], now)}
        assert (states["webhook"].failing, states["webhook"].retrying) == (True, 1)
        assert states["email"].failing
