"""The client accepts a response only for the request that it sent."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from signoff import AsyncClient, Client, ClientClosed, WrongResponse
from signoff.client import calls
from tests.client.conftest import KEY
from tests.client.stub import Answer, Asked, Stub

pytestmark = pytest.mark.windows

MINE = "01900000-0000-7000-8000-000000010000"
OTHERS = "01900000-0000-7000-8000-000000020000"
TASK = MINE[:-4] + "0002"

ABOUT_OTHERS: list[tuple[str, str, Callable[[Client], Any], dict[str, Any]]] = [
    ("GET", f"/v1/intents/{MINE}", lambda c: c.get_intent(MINE), {"intent": {"intent_id": OTHERS}}),
    ("GET", f"/v1/intents/{MINE}", lambda c: c.call(calls.get_result(MINE)), {"intent_id": OTHERS, "status": "FAILED"}),
    ("GET", f"/v1/intents/{MINE}/events", lambda c: c.events(MINE), {"events": [{"intent_id": OTHERS, "seq": 16}]}),
    ("GET", f"/v1/intents/{MINE}/audit", lambda c: c.audit(MINE), {"intent_id": OTHERS}),
    ("POST", f"/v1/intents/{MINE}/resolve", lambda c: c.cancel(MINE), {"intent": {"intent_id": OTHERS}}),
    ("POST", f"/v1/intents/{MINE}/retry", lambda c: c.retry(MINE), {"intent_id": OTHERS, "retry_of": OTHERS}),
    ("GET", f"/v1/tasks/{TASK}", lambda c: c.tasks.get(TASK),
     {"task": {"task_id": TASK[:-1] + "3", "intent_id": MINE}}),
    ("POST", f"/v1/tasks/{TASK}/answer", lambda c: c.approve(TASK), {"task": {"task_id": OTHERS[:-1] + "2"}}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "ask", "body"), ABOUT_OTHERS)
def test_response_about_another_object_is_an_error(
    stub: Stub, client: Client, method: str, path: str, ask: Callable[[Client], Any], body: dict[str, Any]
) -> None:
    stub.on(method, path, Answer({"ok": True, **body}))
    with pytest.raises(WrongResponse):
        ask(client)


def test_response_about_the_requested_object_is_accepted(stub: Stub, client: Client) -> None:
    stub.on("GET", f"/v1/intents/{MINE}", Answer({"intent": {"intent_id": MINE, "retry_of": OTHERS}}))
    stub.on("POST", f"/v1/intents/{MINE}/retry", Answer({"intent_id": OTHERS, "retry_of": MINE}))
    stub.on("GET", f"/v1/tasks/{MINE}", Answer({"task": {"task_id": TASK, "intent_id": MINE}}))
    assert client.get_intent(MINE).intent_id == MINE
    assert client.retry(MINE) == OTHERS
    assert client.tasks.get(MINE).intent_id == MINE


def test_response_to_another_request_is_an_error_and_closes_the_connection(
    stub: Stub, client: Client
) -> None:
    """This also holds for responses whose request names no id, such as creating an intent."""

    def late(asked: Asked) -> Answer:
        return Answer({"intent_id": OTHERS}, headers={"x-client-request-id": "somebody-elses"})

    def right(asked: Asked) -> Answer:
        return Answer(
            {"intent_id": MINE}, headers={"x-client-request-id": asked.headers["x-client-request-id"]}
        )

    stub.on("POST", "/v1/intents", late, right)
    with pytest.raises(WrongResponse):
        client.send_intent({"intent_type": "x"})
    assert client.send_intent({"intent_type": "x"}) == MINE
    first, second = stub.seen("POST", "/v1/intents")
    assert first.peer != second.peer


def test_event_of_another_intent_ends_the_stream_with_an_error(stub: Stub, client: Client) -> None:
    body = {"intent_id": OTHERS, "seq": 16, "status": "COMPLETED", "event_type": "intent.completed"}
    frame = f"id: 16\nevent: intent.completed\ndata: {json.dumps(body)}\n\n".encode()
    stub.on("GET", f"/v1/intents/{MINE}/events/stream", Answer(chunks=[frame]))
    with pytest.raises(WrongResponse):
        list(client.observe(MINE))
    with pytest.raises(WrongResponse):
        client.wait_for(MINE, timeout=5)


def test_async_client_can_be_used_by_consecutive_loops(stub: Stub) -> None:
    stub.on("GET", "/health", Answer({"ok": True}))
    client = AsyncClient(stub.url, KEY)

    async def twice() -> None:
        assert (await client.health()).ok
        assert (await client.health()).ok

    for _ in range(3):
        asyncio.run(twice())
    assert len({asked.peer for asked in stub.seen("GET", "/health")}) == 3
    assert not client.session._pools  # each loop closed its own


def test_async_client_can_be_used_by_concurrent_loops(stub: Stub) -> None:
    stub.on("GET", "/health", Answer({"ok": True}))
    client = AsyncClient(stub.url, KEY)
    failures: list[BaseException] = []
    there = threading.Barrier(4)

    async def ask() -> None:
        await client.health()
        await asyncio.get_running_loop().run_in_executor(None, there.wait, 60)
        for _ in range(10):
            await client.health()

    def run() -> None:
        try:
            asyncio.run(ask())
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not client.session._pools


def test_closed_client_raises_a_clear_error(stub: Stub) -> None:
    stub.on("GET", "/health", Answer({"ok": True}))
    client = Client(stub.url, KEY)
    client.health()
    client.close()
    client.close()
    with pytest.raises(ClientClosed, match="closed"):
        client.health()

    async def closed() -> None:
        async with AsyncClient(stub.url, KEY) as used:
            await used.health()
        await used.close()
        with pytest.raises(ClientClosed, match="closed"):
            await used.health()

    asyncio.run(closed())
