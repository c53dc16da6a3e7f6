"""The outbox delivers to real HTTP sinks on loopback: signed, retried with growing intervals, at least once."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from signoff.channels import open_channels
from signoff.config import Config
from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Busy
from signoff.core.intent import commands as c
from signoff.core.intent.model import Delivery, DeliveryState, Status
from signoff.core.plan.schedules import PUSH_LEASE
from signoff.engine.clock import Clock, FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.metrics import MESSAGES, METRICS
from signoff.notify.channel import Channel
from signoff.notify.outbound.post import Poster
from signoff.notify.push import Push
from signoff.notify.webhook import Webhook
from signoff.store.store import Store
from tests.builders import ANN, WORKSPACE, approve, gate, minutes, validate
from tests.engine.engine_env import ROOT, EngineEnv, settle
from tests.engine.http_sink import DRIP, FLOOD, HANG, HttpSink, http_sink
from tests.live import free_port

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
SHORT, LONG = 0.3, 60.0
Start = Callable[..., AbstractAsyncContextManager[EngineEnv]]


@pytest.fixture
def start(store: Store, clock: FixedClock) -> Start:
    """An engine that posts its notifications to a URL; each call is another server process on the same database."""

    @asynccontextmanager
    async def starting(
        url: str = "", private: bool = True, patience: float = LONG
    ) -> AsyncIterator[EngineEnv]:
        poster = Poster(private, patience)
        channels: dict[str, Channel] = {"push": Push(poster, clock.now)}
        if url:
            channels["webhook"] = Webhook(f"{url}/hook", SECRET, poster, clock.now)
        async with EngineEnv(store, clock, ChannelRegistry(channels)).running() as env:
            yield env

    return starting


async def pushed_agent(env: EngineEnv, url: str) -> Any:
    """An agent that is called over HTTP, and a plan that calls it."""
    await settle(env)
    fields = {"delivery_mode": "http", "callback_url": f"{url}/deliver"}
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "caller", **fields)
    return account, gate(validate(agent=account.address, push=True, max_attempts=3), approve())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_own_webhook_may_be_private_and_a_registered_callback_may_not(
    store: Store, clock: FixedClock, host: str
) -> None:
    async with http_sink() as hook:
        url = hook.url.replace("127.0.0.1", host)
        channels = open_channels(Config(channel_settings={"webhook_url": f"{url}/hook"}), clock)
        async with EngineEnv(store, clock, channels).running() as env:
            account, plan = await pushed_agent(env, url)
            await env.submit(plan)
            for _ in range(3):
                await env.carry()
            await env.submit(gate(approve()))
            await env.carry()
        assert account.callback_url == f"{url}/deliver"
    assert {posted.path for posted in hook.got} == {"/hook"}


async def test_webhook_is_verified_by_the_published_library_and_a_changed_one_is_not(store: Store) -> None:
    clock = Clock()  # the library compares the stamp with the machine's time
    async with http_sink() as hook:
        channels = ChannelRegistry({"webhook": Webhook(f"{hook.url}/hook", SECRET, Poster(True), clock.now)})
        async with EngineEnv(store, FixedClock(clock.now()), channels).running() as env:
            intent = await env.submit(gate(approve()))
            await env.carry()
    [posted] = hook.got
    assert Verifier(SECRET).verify(posted.body, posted.headers) == json.loads(posted.body)
    for body, changed in (
        (posted.body.replace(b"task.opened", b"task.closed"), {}),
        (posted.body, {"webhook-id": "another"}),
        (posted.body, {"webhook-timestamp": "1700000000"}),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRET).verify(body, posted.headers | changed)
    said = json.loads(posted.body)
    assert (posted.path, said["type"], said["data"]["intent"]) == ("/hook", "task.opened", intent.id)
    assert SECRET.encode() not in posted.body
    assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_notifications_for_people_are_posted_in_order(start: Start) -> None:
    async with http_sink() as hook, start(hook.url) as env:
        intent = await env.submit(gate(approve()))
        await env.carry()
        await env.pass_time(minutes(5))
        await env.carry()
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.carry()
    kinds = [json.loads(posted.body)["type"] for posted in hook.got]
    assert kinds[:2] == ["task.opened", "task.reminder"]
    assert sorted(kinds[2:]) == ["intent.finished", "task.decided"]
    assert len({posted.headers["webhook-id"] for posted in hook.got}) == 4


async def test_failed_webhook_is_retried_with_growing_pauses_and_one_id(start: Start, store: Store) -> None:
    async with http_sink(500, 503, 200) as hook, start(hook.url) as env:
        await env.submit(gate(approve(task=approve().task)))
        assert await env.carry() == 1
        for pause in (5, 30):
            tried = len(hook.got)
            env.clock.move(timedelta(seconds=pause - 1))
            assert await env.carry() == 0
            [waiting] = await store.outbox.listing(WORKSPACE, 10)
            assert (waiting.attempts, waiting.dead) == (tried, False)
            assert "answered 50" in waiting.last_error
            env.clock.move(timedelta(seconds=1))
            await env.carry()
            assert len(hook.got) == tried + 1
    assert len({posted.headers["webhook-id"] for posted in hook.got}) == 1
    assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


_DATE = "date: Mon, 02 Mar 2026 09:00:00 GMT\r\n"


@pytest.mark.parametrize(
    ("status", "says", "pause"),
    [
        (429, "Retry-After: 90\r\n", 90),
        (503, "retry-after: 90\r\n", 90),
        (503, "retry-after: Mon, 02 Mar 2026 09:02:00 GMT\r\n" + _DATE, 120),
        (503, "retry-after: 2\r\n", 5),  # never earlier than by the table
        (503, "retry-after: 99999999999\r\n", 3600),
        (503, "retry-after: Mon, 02 Mar 2099 09:02:00 GMT\r\n" + _DATE, 3600),
        (503, "retry-after: Mon, 02 Mar 2026 08:00:00 GMT\r\n" + _DATE, 5),
        (503, "retry-after: Mon, 02 Mar 2026 09:02:00 GMT\r\n", 5),  # of a clock that is not known
        (503, "retry-after: soon\r\n", 5),
        (503, "retry-after: -1\r\n", 5),
        (500, "retry-after: 90\r\n", 5),
    ],
)
async def test_retry_after_of_a_webhook_is_bounded(
    start: Start, store: Store, status: int, says: str, pause: int
) -> None:
    async with http_sink(status) as hook, start(hook.url) as env:
        hook.headers = says
        await env.submit(gate(approve()))
        await env.carry()
        [waiting] = await store.outbox.listing(WORKSPACE, 10)
        assert waiting.due_at - env.clock.now() == timedelta(seconds=pause)
        assert waiting.attempts == 1, "an answer that asks for more time is an attempt: it comes to an end"


async def test_push_is_retried_when_its_agent_asks(start: Start) -> None:
    async with http_sink(429) as agent, start() as env:
        agent.headers = "retry-after: 300\r\n"
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        await env.carry()
        held = (await env.intent(intent.id)).open
        assert isinstance(held, Delivery)
        assert held.retry_at is not None
        assert held.retry_at - env.clock.now() == timedelta(seconds=300)
        assert await env.findings() == []


async def test_message_is_dead_after_the_last_attempt_and_kept(start: Start, store: Store) -> None:
    async with http_sink(500) as hook, start(hook.url) as env:
        await env.submit(gate(approve()))
        for _ in range(12):
            await env.carry()
            env.clock.move(timedelta(hours=7))
    assert len(hook.got) == 8
    assert await store.outbox.counts() == {"waiting": 0, "dead": 1}
    attempts = dict(env.metrics.snapshot().series[METRICS.index(MESSAGES)])
    assert attempts == {("webhook", "retry"): [7], ("webhook", "dead"): [1]}


async def test_gone_response_ends_the_delivery(start: Start, store: Store) -> None:
    async with http_sink(410) as hook, start(hook.url) as env:
        await env.submit(gate(approve()))
        for _ in range(3):
            await env.carry()
            env.clock.move(timedelta(days=1))
    assert len(hook.got) == 1
    [dead] = await store.outbox.listing(WORKSPACE, 10)
    assert (dead.dead, dead.last_error) == (True, "127.0.0.1 answered 410")


async def test_redirect_is_a_failure_and_is_not_followed(start: Start, store: Store) -> None:
    async with http_sink(302) as hook, start(hook.url) as env:
        await env.submit(gate(approve()))
        await env.carry()
    assert [posted.path for posted in hook.got] == ["/hook"]
    assert await store.outbox.counts() == {"waiting": 1, "dead": 0}


@pytest.mark.parametrize("trouble", [HANG, DRIP])
async def test_slow_receiver_costs_a_bounded_time(trouble: int, start: Start, store: Store) -> None:
    async with http_sink(trouble) as hook, start(hook.url, patience=SHORT) as env:
        await env.submit(gate(approve()))
        await asyncio.wait_for(env.carry(), LONG)
    [waiting] = await store.outbox.listing(WORKSPACE, 10)
    assert (waiting.attempts, waiting.dead) == (1, False)  # however far it came in that time
    assert "no response from 127.0.0.1" in waiting.last_error


async def test_endless_response_is_not_read(start: Start, store: Store) -> None:
    async with http_sink(FLOOD) as hook, start(hook.url) as env:
        await env.submit(gate(approve()))
        await asyncio.wait_for(env.carry(), LONG)
    assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_refused_connection_is_retried(start: Start, store: Store) -> None:
    async with start(f"http://127.0.0.1:{free_port()}") as env:
        await env.submit(gate(approve()))
        await env.carry()
    [waiting] = await store.outbox.listing(WORKSPACE, 10)
    assert "no response from 127.0.0.1 (ConnectError)" in waiting.last_error


async def test_private_address_is_not_called_unless_allowed(start: Start, store: Store) -> None:
    async with http_sink() as hook, start(hook.url, private=False) as env:
        await env.submit(gate(approve()))
        await env.carry()
    assert hook.got == []
    assert await store.outbox.counts() == {"waiting": 0, "dead": 1}


async def test_push_is_signed_with_the_agents_secret_and_a_2xx_accepts_it(start: Start) -> None:
    async with http_sink(202) as agent, start() as env:
        account, plan = await pushed_agent(env, agent.url)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        intent = await env.submit(plan, traceparent=trace)
        await env.carry()
        held = (await env.intent(intent.id)).open
        assert isinstance(held, Delivery)
        assert held.state is DeliveryState.ACCEPTED
    [posted] = agent.got
    assert posted.headers["traceparent"] == trace
    digest = hmac.new(account.webhook_secret.encode(), posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["x-axme-signature"] == f"sha256={digest}"
    said = json.loads(posted.body)
    assert (posted.path, said["to_agent"], said["delivery_attempt"]) == ("/deliver", account.address, 1)


async def test_failed_push_is_retried_by_the_steps_rules_and_then_given_up(
    start: Start,
) -> None:
    async with http_sink(500) as agent, start() as env:
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        await env.carry()
        for pause in (30, 120):
            tried = len(agent.got)
            await env.pass_time(timedelta(seconds=pause - 1))
            assert await env.carry() == 0
            await env.pass_time(timedelta(seconds=1))
            await env.carry()
            assert len(agent.got) == tried + 1
        ended = await env.intent(intent.id)
        assert ended.status is Status.FAILED
        assert ended.fault is not None
        assert ended.fault.code == "delivery_failed"
        assert [json.loads(posted.body)["delivery_attempt"] for posted in agent.got] == [1, 2, 3]
        assert await env.findings() == []
        assert await env.store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_agent_that_dies_after_its_2xx_is_pushed_again_until_the_step_ends(
    start: Start,
) -> None:
    async with http_sink(202) as agent, start() as env:
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        await env.carry()
        for pause in (30, 120):
            await env.pass_time(PUSH_LEASE)
            await env.pass_time(timedelta(seconds=pause))
            await env.carry()
        await env.pass_time(PUSH_LEASE)
        ended = await env.intent(intent.id)
        assert ended.fault is not None
        assert ended.fault.code == "delivery_failed"
        assert [json.loads(posted.body)["delivery_attempt"] for posted in agent.got] == [1, 2, 3]
        assert await env.findings() == []


async def test_push_to_an_agent_without_a_callback_url_fails(start: Start) -> None:
    async with http_sink() as agent, start() as env:
        account, plan = await pushed_agent(env, agent.url)
        await env.accounts.remove_account(ROOT, account.id)
        intent = await env.submit(plan)
        await env.carry()
        assert agent.got == []
        assert (await env.happened(intent.id))[-1] == "AttemptFailed"


@pytest.mark.parametrize(("answer", "after"), [(202, "PushAccepted"), (500, "AttemptFailed")])
async def test_push_result_that_cannot_be_written_now_is_not_lost(
    start: Start, store: Store, answer: int, after: str
) -> None:
    async with http_sink(answer) as agent, start() as env:
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        full = EngineEnv(store, env.clock, env.channels)
        full.committer.queued = full.config.queue_limit
        with pytest.raises(Busy, match="waiting to be written"):
            await full.carry()
        assert (await env.happened(intent.id))[-1] == "Offered"
        env.clock.move(timedelta(minutes=1))
        await env.carry()
        assert (await env.happened(intent.id))[-1] == after


async def test_push_result_after_the_end_changes_nothing(start: Start) -> None:
    async with http_sink() as agent, start() as env:
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        await env.do(intent.id, c.Cancel(), ROOT)
        before = await env.happened(intent.id)
        await env.carry()
        assert await env.happened(intent.id) == before
        assert await env.store.outbox.counts() == {"waiting": 0, "dead": 0}


async def died_while_sending(env: EngineEnv, target: HttpSink) -> None:
    """The sender's process ends after the message arrived and before this was saved."""
    carrying = asyncio.create_task(env.outbox.once())
    await asyncio.wait_for(target.arrived.wait(), 60)
    carrying.cancel()
    await asyncio.gather(carrying, return_exceptions=True)
    await env.outbox.abandon()


async def test_crash_after_sending_sends_the_same_message_again(start: Start, store: Store) -> None:
    async with http_sink(HANG, 200) as hook:
        async with start(hook.url) as env:
            await env.submit(gate(approve()))
            await died_while_sending(env, hook)
        async with start(hook.url) as env:
            env.clock.move(timedelta(seconds=59))
            assert await env.carry() == 0  # it may be another server's
            env.clock.move(timedelta(seconds=1))
            assert await env.carry() == 1
    first, second = hook.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_crash_after_a_push_repeats_the_same_attempt(start: Start) -> None:
    async with http_sink(HANG, 200) as agent, start() as env:
        _, plan = await pushed_agent(env, agent.url)
        intent = await env.submit(plan)
        await died_while_sending(env, agent)
        env.clock.move(timedelta(seconds=60))
        await env.carry()
        assert [json.loads(posted.body)["delivery_attempt"] for posted in agent.got] == [1, 1]
        assert len({posted.headers["x-axme-delivery-id"] for posted in agent.got}) == 1
        assert (await env.happened(intent.id)).count("PushAccepted") == 1


async def test_two_servers_never_send_one_message_at_the_same_time(start: Start) -> None:
    async with http_sink() as hook, start(hook.url) as one, start(hook.url) as two:
        await asyncio.gather(*(one.submit(gate(approve())) for _ in range(60)))
        await asyncio.gather(one.outbox.once(), two.outbox.once(), one.outbox.once())
        await one.carry()
    assert len(hook.got) == 60
    assert len({posted.headers["webhook-id"] for posted in hook.got}) == 60


async def held(env: EngineEnv, intent_id: str) -> Delivery:
    step = (await env.intent(intent_id)).open
    assert isinstance(step, Delivery)
    return step


async def test_nothing_is_pushed_to_a_killed_agent(start: Start) -> None:
    async with http_sink() as agent, start() as env:
        account, plan = await pushed_agent(env, agent.url)
        first = await env.submit(plan)
        await env.carry()
        assert (await held(env, first.id)).state is DeliveryState.ACCEPTED
        await env.kill_switch.kill(ROOT, account.id)
        assert (await env.happened(first.id))[-1] == "AttemptFailed"
        second = await env.submit(plan)
        ended = await env.submit(plan)
        for _ in range(3):
            await env.pass_time(timedelta(minutes=2))
            await env.carry()
        assert len(agent.got) == 1
        assert (await held(env, second.id)).attempt == 1, "the wait is no failed attempt"
        await env.do(ended.id, c.Cancel(), ROOT)
        await env.kill_switch.resume(ROOT, account.id)
        await env.pass_time(timedelta(minutes=2))
        await env.carry()
        assert {(await held(env, one.id)).state for one in (first, second)} == {DeliveryState.ACCEPTED}
        assert (await env.intent(ended.id)).status is Status.CANCELED
