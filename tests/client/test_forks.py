"""After a fork the child opens connections of its own and does not disturb its parent's."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable

from signoff import AsyncClient, Client, ClientClosed
from tests.client.agent_env import LIMIT, AgentEnv, held
from tests.client.conftest import KEY
from tests.client.stub import Answer, Asked, Stub

IDS = [f"01900000-0000-7000-8000-{number:08x}0000" for number in range(4)]


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked process and return its pid. It exits with 0 if ``work`` returns."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def all_well(*pids: int) -> bool:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * len(pids)


def serve_intents(stub: Stub) -> None:
    for intent_id in IDS:
        stub.on("GET", f"/v1/intents/{intent_id}", Answer({"ok": True, "intent": {"intent_id": intent_id}}))


def peers(stub: Stub, path: str) -> set[int]:
    return {asked.peer for asked in stub.seen("GET", path)}


def test_child_processes_do_not_use_their_parents_connections(stub: Stub, client: Client) -> None:
    serve_intents(stub)
    first = client.get_intent(IDS[0])

    def ask(intent_id: str) -> None:
        for _ in range(20):
            assert client.get_intent(intent_id).intent_id == intent_id

    children = [in_child(lambda intent_id=intent_id: ask(intent_id)) for intent_id in IDS[1:]]  # type: ignore[misc]
    assert all_well(*children)
    assert client.get_intent(IDS[0]) == first
    parents = peers(stub, f"/v1/intents/{IDS[0]}")
    assert len(parents) == 1  # nobody closed it
    theirs = [peers(stub, f"/v1/intents/{intent_id}") for intent_id in IDS[1:]]
    assert all(len(used) == 1 for used in theirs)
    assert len(set.union(parents, *theirs)) == 4


def test_child_that_closes_the_client_leaves_the_parents_connection_open(stub: Stub, client: Client) -> None:
    serve_intents(stub)
    client.get_intent(IDS[0])
    assert all_well(in_child(client.close))
    client.get_intent(IDS[0])
    assert len(peers(stub, f"/v1/intents/{IDS[0]}")) == 1


def test_fork_during_requests_of_other_threads_does_not_deadlock(stub: Stub, client: Client) -> None:
    serve_intents(stub)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            client.get_intent(IDS[0])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            assert all_well(in_child(lambda: client.get_intent(IDS[1]) and None))
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_stream_continues_after_a_fork_over_its_own_connection(stub: Stub, client: Client) -> None:
    path = f"/v1/intents/{IDS[0]}/events/stream"

    def event(seq: int, status: str) -> bytes:
        body = {"intent_id": IDS[0], "seq": seq, "status": status, "event_type": "intent.x"}
        return f"id: {seq}\nevent: intent.x\ndata: {json.dumps(body)}\n\n".encode()

    def stream(asked: Asked) -> Answer:
        since = int(asked.query["since"])
        told = [event(seq, "WAITING") for seq in (16, 32) if seq > since]
        return Answer(chunks=[*told, event(48, "COMPLETED")])

    stub.on("GET", path, stream)
    events = client.observe(IDS[0])
    assert next(events).seq == 16
    child = in_child(lambda: _is([event.seq for event in events], [32, 48]))
    assert all_well(child)
    assert [event.seq for event in events] == [32, 48]
    assert len(peers(stub, path)) == 2


def test_async_client_works_after_a_fork(stub: Stub) -> None:
    serve_intents(stub)
    client = AsyncClient(stub.url, KEY)

    async def ask(intent_id: str) -> None:
        for _ in range(5):
            assert (await client.get_intent(intent_id)).intent_id == intent_id

    async def parent() -> None:
        await ask(IDS[0])
        loop = asyncio.get_running_loop()
        children = [in_child(lambda: asyncio.run(ask(IDS[1])))]
        assert await loop.run_in_executor(None, all_well, *children)
        await ask(IDS[0])

    asyncio.run(parent())
    assert len(peers(stub, f"/v1/intents/{IDS[0]}")) == 1
    assert not peers(stub, f"/v1/intents/{IDS[0]}") & peers(stub, f"/v1/intents/{IDS[1]}")


def test_child_of_a_running_loop_gets_an_error_with_the_next_step(stub: Stub) -> None:
    serve_intents(stub)
    client = AsyncClient(stub.url, KEY)

    async def goes_on() -> int:
        """A child that continues its parent's coroutine."""
        await client.get_intent(IDS[0])
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            await client.get_intent(IDS[1])
        except ClientClosed as error:
            code = 0 if "Call asyncio.run()" in str(error) and "was closed" not in str(error) else 2
            await client.close()
        finally:
            os._exit(code)

    assert all_well(asyncio.run(goes_on()))


def _is(got: object, wanted: object) -> None:
    assert got == wanted, got


FORKING = """
import multiprocessing, os, select, signal, sys
from signoff import Agent
agent = Agent("validator", url=sys.argv[1], api_key="k")
@agent.on("intent.infra.change_approval.v1")
def do(intent):
    ended = []
    for number in (signal.SIGTERM, signal.SIGINT):
        heard, said = os.pipe()
        def wait():
            os.close(2)  # where SIGINT's KeyboardInterrupt is told
            os.write(said, b"1")
            while True:
                select.select([], [], [], 0.1)
        child = multiprocessing.get_context("fork").Process(target=wait)
        child.start()
        os.read(heard, 1)
        while child.exitcode is None:  # CPython loses a signal that comes before the first wait of a forked thread
            os.kill(child.pid, number)
            child.join(0.2)
        ended.append(child.exitcode)
        child.kill()
    return {"ended": ended}
agent.run()
print("ended", flush=True)
"""


def test_process_forked_by_a_handler_obeys_signals_and_is_no_agent(stub: Stub, agent_env: AgentEnv) -> None:
    code = FORKING.replace("LIMIT", str(LIMIT))
    program = subprocess.Popen([sys.executable, "-c", code, stub.url], stdout=subprocess.PIPE, text=True)
    agent_env.offer(held())
    try:
        assert agent_env.reported()["result"] == {"ended": [-signal.SIGTERM, 1]}
    finally:
        program.send_signal(signal.SIGTERM)
        said, _ = program.communicate(timeout=LIMIT)
    assert (program.returncode, said) == (0, "ended\n")
