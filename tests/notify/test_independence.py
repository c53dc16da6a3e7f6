"""A slow target delays its own messages only, and nothing that was recorded as sent is sent again."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from signoff.core.directory.actors import ActorKind
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.concurrency import ConcurrencyLimiter, SaturatedError
from signoff.notify.channel import Channel
from signoff.notify.outbound.post import Poster
from signoff.notify.push import Push
from signoff.store.store import Store
from tests.builders import WORKSPACE, approve, gate, validate
from tests.engine.engine_env import ROOT, EngineEnv, settle
from tests.engine.http_sink import HANG, HttpSink, http_sink
from tests.notify.messaging_env import asked, email, messaging_env, webhook
from tests.notify.smtp_sink import smtp_sink

NEVER = 600.0  # longer than a test runs


async def turns(env: EngineEnv, left: int) -> None:
    """Step the sender until only this many rows remain, without waiting for slow ones."""
    async with asyncio.timeout(100):  # a bound for what hangs, not a measure
        while (await env.store.outbox.counts())["waiting"] != left:
            await env.outbox.once()


async def called(hook: HttpSink, times: int) -> None:
    """Wait for this many calls."""
    async with asyncio.timeout(100):
        while len(hook.got) < times:
            hook.arrived.clear()
            await hook.arrived.wait()


def patient(env: EngineEnv) -> None:
    """Waiters for a slot wait as long as a test runs."""
    env.outbox._limiter = ConcurrencyLimiter(NEVER)


def hooked(clock: FixedClock, url: str) -> dict[str, Channel]:
    """A webhook whose timeout is longer than a test."""
    return webhook(f"{url}/hook", clock, NEVER)


async def test_hanging_webhook_does_not_delay_mail(store: Store, clock: FixedClock) -> None:
    async with (
        http_sink(HANG) as hook,
        smtp_sink() as server,
        messaging_env(store, clock, email(server.url) | hooked(clock, hook.url)) as env,
    ):
        patient(env)
        await asyncio.gather(*(env.submit(asked()) for _ in range(40)))
        await turns(env, left=40)  # the hook's; the mails are noted
        await called(hook, 8)
        assert (len(server.mails), len(hook.got)) == (40, 8)


async def test_hanging_webhook_gets_few_concurrent_calls_and_the_others_are_deferred(
    store: Store, clock: FixedClock
) -> None:
    async with http_sink(HANG) as hook, messaging_env(store, clock, hooked(clock, hook.url)) as env:
        patient(env)
        await asyncio.gather(*(env.submit(asked()) for _ in range(120)))
        for _ in range(4):
            await env.outbox.once()
        await called(hook, 8)
        assert len(hook.got) == 8
        rows = await store.outbox.listing(WORKSPACE, 500)
        crowded = [row for row in rows if row.due_at == clock.now() + timedelta(seconds=5)]
        assert (len(rows), len(crowded)) == (120, 120 - 64)
        assert {row.attempts for row in crowded} == {0}  # taken in vain is no attempt


async def test_recorded_messages_are_not_sent_again_after_a_crash_and_the_rest_is_sent(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server:
        async with (
            http_sink(*[200] * 5, HANG) as hook,
            messaging_env(store, clock, email(server.url) | hooked(clock, hook.url)) as env,
        ):
            patient(env)
            await asyncio.gather(*(env.submit(asked()) for _ in range(40)))
            await turns(env, left=35)
            assert len(server.mails) == 40
            await env.outbox.abandon()  # as kill -9 leaves it
            first = [posted.headers["webhook-id"] for posted in hook.got]
            left = {row.id for row in await store.outbox.listing(WORKSPACE, 500)}
        clock.move(timedelta(seconds=61))
        async with (
            http_sink() as hook,
            messaging_env(store, clock, email(server.url) | hooked(clock, hook.url)) as env,
        ):
            for _ in range(5):
                await env.carry()
                clock.move(timedelta(seconds=5))
            second = Counter(posted.headers["webhook-id"] for posted in hook.got)
        assert set(second) == left
        assert set(second.values()) == {1}
        assert {id for id in first if id in second} == set(first[5:])  # those that were on their way
        assert len(server.mails) == 40
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_hanging_host_of_one_agent_delays_no_other_agent(store: Store, clock: FixedClock) -> None:
    async with http_sink(HANG) as bad, http_sink() as good:
        channels = ChannelRegistry({"push": Push(Poster(True, NEVER), clock.now)})
        async with EngineEnv(store, clock, channels).running() as env:
            patient(env)
            await settle(env)
            plans = []
            for name, url in (("stuck", bad.url), ("quick", good.url.replace("127.0.0.1", "localhost"))):
                fields = {"delivery_mode": "http", "callback_url": f"{url}/deliver"}
                account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, name, **fields)
                plans.append(gate(validate(agent=account.address, push=True), approve()))
            for plan in (plans[0], plans[1]):
                await asyncio.gather(*(env.submit(plan) for _ in range(60)))
            await turns(env, left=60)
            await called(bad, 8)
            assert (len(good.got), len(bad.got)) == (60, 8)


async def test_stopping_server_finishes_and_records_quick_sends(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        await asyncio.gather(*(env.submit(asked()) for _ in range(10)))
        await env.outbox.once()
        sending = asyncio.create_task(env.outbox.once())
        await asyncio.wait_for(server.arrived.wait(), 60)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await env.outbox.close(max_wait=60)
        assert len(server.mails) == 10
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_send_without_a_free_slot_is_deferred() -> None:
    limiter = ConcurrencyLimiter(max_wait=0.01)
    held = asyncio.Event()
    inside = 0

    async def take() -> None:
        nonlocal inside
        async with limiter.slot("slow"):
            inside += 1
            await held.wait()

    assert all(limiter.enter("slow") for _ in range(64))
    assert not limiter.enter("slow")
    assert limiter.enter("other")
    async with limiter.slot("other"):
        pass
    holding = [asyncio.create_task(take()) for _ in range(8)]
    while inside < 8:
        await asyncio.sleep(0)
    with pytest.raises(SaturatedError):
        async with limiter.slot("slow"):
            raise AssertionError("there was no slot")
    held.set()
    await asyncio.gather(*holding)
    async with limiter.slot("slow"):
        limiter.exit("slow")
    assert limiter.enter("slow")
