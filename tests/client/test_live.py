"""The client and agents against a real server that is killed while they wait."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any

import apsw
import pytest

from signoff import (
    Agent,
    AlreadyDecided,
    AsyncClient,
    Client,
    Conflict,
    Delivery,
    IntentRejected,
    PermissionDenied,
    Result,
    StepFailed,
    WaitTimeout,
)
from tests.client.steps import PAYLOAD, Step, end_of, ended, first_line, working
from tests.live import PATIENCE, Live
from tests.stories.servers import KINDS, self_approving, serving, until

# For what the client alone decides.
ONE_DATABASE = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(request, tmp_path_factory.mktemp("live") / ".signoff", request.param) as live:
        yield self_approving(live)


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    """A client with the workspace owner's key."""
    with Client(live.url, live.owner_key) as client:
        yield client


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_request_is_sent_and_awaited_in_four_lines(
    live: Live, client: Client, pool: ThreadPoolExecutor
) -> None:
    step = Step(client, gate=True)
    with working(step.worker(live, {"risk": "low"})):
        initiator = Client(live.url, client.create_key(service="initiator").api_key)
        intent_id = initiator.send_intent(step.request())
        waiting = pool.submit(initiator.wait_for, intent_id)
        task = step.asked(intent_id)
        assert (task.payload, task.previous_results) == (PAYLOAD, {"validate": {"risk": "low"}})
        decided = client.approve(task.task_id, "go", revision=task.revision, digest=task.digest)
        assert (decided.state, decided.outcome) == ("closed", "approved")
        result = end_of(waiting)
        initiator.close()
    assert (result.status, result.outcome, result.approved) == ("COMPLETED", "approved", True)
    assert result.result["steps"]["validate"] == {"risk": "low"}
    assert result.raise_for_status() is result
    trail = client.audit(intent_id)
    assert (trail.verified, trail.events[-1].hash) == (True, trail.head)
    with pytest.raises(AlreadyDecided) as late:
        client.reject(task.task_id)
    assert (late.value.outcome, late.value.details["via"]) == ("approved", "api")


async def test_request_is_sent_and_awaited_in_four_async_lines(live: Live, client: Client) -> None:
    step = Step(client, gate=True)
    agent = step.worker(live, {"risk": "medium"})
    async with AsyncClient(live.url, live.owner_key) as owner:
        serving = asyncio.create_task(agent.serve())
        intent_id = await owner.send_intent(step.request())
        waiting = asyncio.create_task(owner.wait_for(intent_id, timeout=PATIENCE))
        events = [
            event async for event in owner.observe(intent_id) if await _rejects(owner, event.event_type)
        ]
        result = await waiting
        agent.stop()
        await asyncio.wait_for(serving, PATIENCE)
        assert [event.seq for event in events] == [event.seq for event in await owner.events(intent_id)]
    assert (result.status, result.outcome, result.approved) == ("FAILED", "rejected", False)
    with pytest.raises(IntentRejected):
        result.raise_for_status()


async def _rejects(owner: AsyncClient, event_type: str) -> bool:
    if event_type == "intent.human_task_assigned":
        (task,) = [task for task in await owner.tasks.list() if task.payload == PAYLOAD]
        await owner.reject(task.task_id, "not on a Friday")
    return True


def test_waiting_and_observing_survive_a_killed_server(
    live: Live, client: Client, pool: ThreadPoolExecutor
) -> None:
    step = Step(client, gate=True)
    intent_id = step.send()
    seen: list[int] = []
    started = threading.Event()

    def observe() -> None:
        for event in client.observe(intent_id):
            seen.append(event.seq)
            started.set()

    async def await_it() -> Result:
        async with AsyncClient(live.url, live.owner_key) as other:
            return await other.wait_for(intent_id)

    observing, waiting = pool.submit(observe), pool.submit(client.wait_for, intent_id)
    awaiting = pool.submit(asyncio.run, await_it())
    assert started.wait(PATIENCE)
    live.restart()
    with working(step.worker(live, {})):
        task = step.asked(intent_id)
        live.restart()
        client.approve(task.task_id)
    end_of(observing)
    assert seen == [event.seq for event in client.events(intent_id)]
    assert seen == sorted(set(seen))
    assert end_of(waiting).approved
    assert end_of(awaiting).approved


def test_agent_continues_after_its_server_was_killed(live: Live, client: Client) -> None:
    step = Step(client)
    took, back = threading.Event(), threading.Event()
    agent = step.worker(live)

    @agent.on("*")
    def work(delivery: Delivery) -> dict[str, Any]:
        took.set()
        assert back.wait(PATIENCE)
        return {"attempt": delivery.attempt}

    with working(agent):
        first = step.send()
        assert took.wait(PATIENCE)
        live.restart()
        back.set()
        assert client.wait_for(first, timeout=PATIENCE).result["attempt"] == 1
        assert client.wait_for(step.send(), timeout=PATIENCE).completed
    assert step.history(first, "claimed") == step.history(first, "reported") == 1


def test_send_with_a_key_creates_one_intent_over_a_restart(
    live: Live, client: Client, pool: ThreadPoolExecutor
) -> None:
    step = Step(client)
    first = client.send_intent(step.request(), idempotency_key=step.agent)
    live.kill()
    again = pool.submit(client.send_intent, step.request(), idempotency_key=step.agent)
    other = pool.submit(step.send)
    live.start()
    assert end_of(again) == first
    sent = {first, end_of(other)}
    assert len(sent) == 2
    assert {intent.intent_id for intent in client.list_intents() if intent.intent_type == step.type} == sent
    with pytest.raises(Conflict):
        client.send_intent(step.request(n=2), idempotency_key=step.agent)


@ONE_DATABASE
def test_exception_of_a_handler_fails_its_step_or_is_retried(live: Live, client: Client) -> None:
    step = Step(client, retry={"max": 1, "delay": "1s"})
    agent = step.worker(live)

    @agent.on(step.type)
    def work(delivery: Delivery) -> dict[str, Any]:
        if delivery.payload.get("final"):
            raise StepFailed("table_locked", "Somebody holds it.")
        if delivery.attempt == 1 or delivery.payload.get("always"):
            raise KeyError("surprise")
        return {"attempt": delivery.attempt}

    with working(agent):
        once, always, final = step.send(n=1), step.send(always=True), step.send(final=True)
        assert client.wait_for(once, timeout=PATIENCE).result["attempt"] == 2
        failed = client.wait_for(always, timeout=PATIENCE)
        told = client.wait_for(final, timeout=PATIENCE)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("FAILED", "agent_error")
    assert "KeyError: 'surprise'" in failed.error.message
    assert step.history(always, "reported") == 2
    assert told.error is not None
    assert (told.error.code, step.history(final, "reported")) == ("table_locked", 1)


def test_delivery_of_a_killed_agent_is_offered_again_and_its_late_report_refused(
    live: Live, client: Client
) -> None:
    step = Step(client)
    intent_id = step.send()
    with ended(step.process(live, 1)) as process:
        delivery_id, token = first_line(process)
        process.kill()
        process.wait(PATIENCE)
    late = {"token": int(token), "result": {"by": "the dead"}}
    held, go = threading.Event(), threading.Event()
    agent = step.worker(live)

    @agent.on("*")
    def work(delivery: Delivery) -> dict[str, Any]:
        assert (delivery.delivery_id, delivery.attempt) == (delivery_id, 2)
        assert delivery.token > int(token)
        held.set()
        assert go.wait(PATIENCE)
        return {"by": "the second"}

    with working(agent):
        assert held.wait(PATIENCE)
        path = f"/v1/deliveries/{delivery_id}/report"
        status, refused = live.call("POST", path, late, step.key)
        assert (status, refused["error"]["code"]) == (409, "stale_delivery")
        go.set()
        assert client.wait_for(intent_id, timeout=PATIENCE).result["by"] == "the second"
    assert live.call("POST", path, late, step.key)[0] == 409
    assert client.get_intent(intent_id).result["by"] == "the second"
    assert (step.history(intent_id, "claimed"), step.history(intent_id, "lapsed")) == (2, 1)


@ONE_DATABASE
def test_lease_is_renewed_for_as_long_as_the_handler_runs(live: Live, client: Client) -> None:
    step = Step(client)
    agent = step.worker(live, lease=6)

    @agent.on("*")
    def work(delivery: Delivery) -> dict[str, Any]:
        first = delivery.lease_until
        assert first is not None
        until(lambda: (end := lease_end(live, delivery)) is not None and end > first)
        return {"renewed": True}

    intent_id = step.send()
    with working(agent):
        assert client.wait_for(intent_id, timeout=PATIENCE).result["renewed"] is True
    assert step.history(intent_id, "reported") == 1


def lease_end(live: Live, delivery: Delivery) -> datetime | None:
    """When the lease of this delivery ends according to the server's row; None once it has ended."""
    with closing(apsw.Connection(str(live.data / "signoff.db"))) as db:
        [(state,)] = db.execute("select state from intents where id = ?", (delivery.intent_id,))
    held = json.loads(bytes(state)).get("open") or {}
    mine = held.get("token") == delivery.token and "lease_until" in held
    return datetime.fromisoformat(held["lease_until"]) if mine else None


@ONE_DATABASE
def test_concurrent_handlers_are_limited(live: Live, client: Client) -> None:
    step = Step(client)
    running, most, full, go = 0, 0, threading.Semaphore(0), threading.Event()
    count = threading.Lock()
    agent = step.worker(live, concurrency=2)

    @agent.on("*")
    def work(delivery: Delivery) -> None:
        nonlocal running, most
        with count:
            running += 1
            most = max(most, running)
        full.release()
        assert go.wait(PATIENCE)
        with count:
            running -= 1

    sent = [step.send(n=n) for n in range(5)]
    with working(agent):
        assert full.acquire(timeout=PATIENCE)
        assert full.acquire(timeout=PATIENCE)
        taken = [client.get_intent(intent_id).status for intent_id in sent]
        assert sorted(taken) == ["ACKNOWLEDGED"] * 2 + ["DELIVERED"] * 3
        go.set()
        assert all(client.wait_for(intent_id, timeout=PATIENCE).completed for intent_id in sent)
    assert most == 2


@ONE_DATABASE
def test_stopping_process_finishes_its_work_and_claims_no_more(live: Live, client: Client) -> None:
    step = Step(client)
    intent_id = step.send()
    with ended(step.process(live, 30)) as process:
        first_line(process)
        process.send_signal(signal.SIGTERM)
        later = step.send()
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 0
    assert client.get_intent(intent_id).result["by"] == "the process"
    assert client.get_intent(later).status == "DELIVERED"


@ONE_DATABASE
def test_agent_with_another_agents_key_logs_it_and_ends(live: Live, client: Client) -> None:
    step, other = Step(client), Step(client)
    agent = Agent(step.agent, url=live.url, api_key=other.key)
    agent.on("*")(lambda delivery: None)
    with pytest.raises(PermissionDenied, match="not_your_address"):
        agent.run()


@ONE_DATABASE
def test_wait_ends_at_its_timeout_and_can_be_repeated(live: Live, client: Client) -> None:
    step = Step(client)
    intent_id = step.send()
    with pytest.raises(WaitTimeout):  # what it says is judged with a moved clock, in test_stream
        client.wait_for(intent_id, timeout=0.3)
    client.cancel(intent_id, "enough")
    assert client.wait_for(intent_id).status == "CANCELED"
    assert client.get_intent(client.retry(intent_id)).status == "DELIVERED"
