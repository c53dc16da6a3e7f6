"""Runs the vectors of ``clients/vectors`` with the Python SDK and translates their names and values."""

import asyncio
import importlib.util
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import signoff
from signoff import Agent, AsyncClient, Client, IntentFailed, SignoffError, StepFailed, WaitTimeout, gate
from signoff.client import gated_call
from signoff.client.gate import Approved, Block
from signoff.client.records import Record

FOLDER = Path(__file__).parents[2] / "clients" / "vectors"
_spec = importlib.util.spec_from_file_location("vector_server", FOLDER / "server.py")
assert _spec is not None
assert _spec.loader is not None
scripted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scripted)
VECTORS: dict[str, dict[str, Any]] = scripted.vectors()
ARGUMENT = "InvalidArgument"
LIMIT = 60.0  # a guard against hanging


@contextmanager
def vector_server() -> Iterator[Any]:
    server = scripted.Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Player:
    """Runs one vector with one form of the client."""

    def __init__(self, server: Any, vector: dict[str, Any], run: str) -> None:
        self.vector = vector
        self.options = dict(vector.get("client", {}))
        self.base = f"{server.url}/v/{run}/{vector['name']}"
        closed = self.options.pop("url", "") == "closed"
        self.url = server.closed_url if closed else self.base + self.options.pop("base_path", "")
        self.values: list[Any] = []

    def ask(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.base + path, timeout=LIMIT) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def came(self, name: str) -> None:
        """Wait for the exchange with this id (``*``: for all)."""
        self.ask(f"/_wait?for={quote(name)}")

    def arguments(self, step: dict[str, Any]) -> dict[str, Any]:
        return {name: self._argument(value) for name, value in step.get("with", {}).items()}

    def _argument(self, value: Any) -> Any:
        return self.values[value["$step"]] if isinstance(value, dict) and "$step" in value else value

    def judge(self, step: dict[str, Any], value: Any, error: BaseException | None) -> None:
        """Compare a step's result with the expected one."""
        expected = step.get("error")
        if error is not None and expected is None:
            raise error
        if expected is not None:
            assert error is not None, f"expected {expected}, got {value!r}"
            assert_error(error, expected)
        elif "value" in step:
            assert_like(value, step["value"])
        self.values.append(value)

    def verdict(self) -> None:
        found = self.ask("/_verdict")
        assert found["ok"], found["mismatches"]


def assert_error(error: BaseException, expected: dict[str, Any]) -> None:
    shown = f"{error} {error!r} {error.__dict__}"
    assert scripted.KEY not in shown
    if expected["class"] == ARGUMENT:
        assert isinstance(error, TypeError | ValueError)
        assert not isinstance(error, SignoffError)
        return
    assert type(error) is getattr(signoff, expected["class"]), repr(error)
    for name, wanted in expected.items():
        if name == "message_contains":
            assert wanted in str(error)
        elif name == "last_status":
            assert isinstance(error, WaitTimeout)
            assert error.status == wanted
        elif name == "status_of_result":
            assert isinstance(error, IntentFailed)
            assert error.result.status == wanted
        elif name != "class":
            assert getattr(error, name) == wanted, name


def assert_like(value: Any, expected: Any, where: str = "value") -> None:
    """``value`` has at least what is expected."""
    if isinstance(expected, dict) and isinstance(value, Record):
        for name, wanted in expected.items():
            assert_like(getattr(value, name), wanted, f"{where}.{name}")
    elif isinstance(expected, dict):
        for name, wanted in expected.items():
            assert_like(value[name], wanted, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(value) == len(expected), where
        for place, wanted in enumerate(expected):
            assert_like(value[place], wanted, f"{where}[{place}]")
    else:
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        assert value == expected, where


def method_of(client: Any, call: str, arguments: dict[str, Any]) -> Any:
    group, _, name = call.rpartition(".")
    if "task" in arguments:  # ours is called task_id, and takes both
        arguments["task_id"] = arguments.pop("task")
    return getattr(getattr(client, group) if group else client, name)


def gated(client: Client | AsyncClient, arguments: dict[str, Any]) -> Block:
    """Run the gate's vector in a process that has made no call before."""
    gated_call._used_before.clear()
    intent_type, given = arguments.pop("intent_type"), arguments.pop("arguments")
    return gate(intent_type, client=client, **arguments).approved(**given)


def made_with(approved: Approved) -> dict[str, Any]:
    return {"arguments": dict(approved), "edited": approved.edited}


def enter(client: Client, arguments: dict[str, Any]) -> dict[str, Any]:
    with gated(client, arguments) as approved:
        return made_with(approved)


async def enter_async(client: AsyncClient, arguments: dict[str, Any]) -> dict[str, Any]:
    async with gated(client, arguments) as approved:
        return made_with(approved)


def play_blocking(player: Player) -> None:
    """Run it with the blocking client."""
    with Client(player.url, scripted.KEY, **player.options) as client:
        for step in player.vector["steps"]:
            value, error, call = None, None, step["call"]
            try:
                arguments = player.arguments(step)
                if call == "raise_for_status":
                    value = player.values[-1].raise_for_status()
                elif call == "observe":
                    value = []
                    with closing(client.observe(**arguments)) as events:
                        for event in events:
                            value.append(event)
                            if len(value) == step.get("stop_after"):
                                break
                    assert_like(value, step["events"])
                elif call == "gate":
                    value = enter(client, arguments)
                else:
                    value = method_of(client, call, arguments)(**arguments)
            except (SignoffError, TypeError, ValueError) as failure:
                error = failure
            player.judge(step, value, error)
    player.verdict()


async def play_async(player: Player) -> None:
    """Run it with the async client."""
    async with AsyncClient(player.url, scripted.KEY, **player.options) as client:
        for step in player.vector["steps"]:
            value, error, call = None, None, step["call"]
            try:
                arguments = player.arguments(step)
                if call == "raise_for_status":
                    value = player.values[-1].raise_for_status()
                elif call == "observe":
                    value = []
                    async with aclosing(client.observe(**arguments)) as events:
                        async for event in events:
                            value.append(event)
                            if len(value) == step.get("stop_after"):
                                break
                    assert_like(value, step["events"])
                elif call == "gate" and "abort_after" not in step:
                    value = await enter_async(client, arguments)
                elif "abort_after" in step:
                    task = asyncio.ensure_future(
                        enter_async(client, arguments)
                        if call == "gate"
                        else method_of(client, call, arguments)(**arguments)
                    )
                    await asyncio.to_thread(player.came, step["abort_after"])
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    assert task.cancelled()
                else:
                    value = await method_of(client, call, arguments)(**arguments)
            except (SignoffError, TypeError, ValueError) as failure:
                error = failure
            player.judge(step, value, error)
    await asyncio.to_thread(player.verdict)


class _Handlers:
    """The handlers that a vector describes."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.began = asyncio.Event()
        self.stopped = asyncio.Event()
        self._begun = 0
        self._met = asyncio.Event()

    def handler(self, does: dict[str, Any]) -> Any:
        async def handle(delivery: signoff.Delivery) -> Any:
            self.began.set()
            for name, wanted in does.get("sees", {}).items():
                assert_like(getattr(delivery, name), wanted, name)
            if "waits_for_exchange" in does:
                await asyncio.to_thread(self.player.came, does["waits_for_exchange"])
            if does.get("waits_for_lost_lease"):
                assert await asyncio.to_thread(delivery.lease_lost.wait, LIMIT)
            if does.get("waits_for_stop"):
                await self.stopped.wait()
            if does.get("waits_for_ever"):
                await asyncio.Event().wait()
            if "waits_for_others" in does:
                self._begun += 1
                if self._begun == does["waits_for_others"]:
                    self._met.set()
                await self._met.wait()
            if "throws" in does:
                raise OSError(does["throws"])
            if "fails" in does:
                raise StepFailed(**does["fails"])
            return {"text": "x" * does["returns_text_of"]} if "returns_text_of" in does else does["returns"]

        return handle


async def play_agent(player: Player) -> None:
    """Run it with an agent."""
    (step,) = player.vector["steps"]
    arguments = player.arguments(step)
    does, stop_after = arguments.pop("handlers"), arguments.pop("stop_after", "*")
    in_handler = arguments.pop("stops_in_handler", False)
    reduced = arguments.pop("on_large_result", None)
    handlers = _Handlers(player)
    agent = Agent(arguments.pop("address"), url=player.url, api_key=scripted.KEY, **arguments)
    for intent_type, what in does.items():
        agent.on(intent_type)(handlers.handler(what))
    if reduced:
        agent.on_large_result(lambda delivery, result: reduced["returns"])

    async def stop() -> None:
        await (handlers.began.wait() if in_handler else asyncio.to_thread(player.came, stop_after))
        agent.stop()
        handlers.stopped.set()

    stopping = asyncio.create_task(stop())
    error = None
    try:
        await asyncio.wait_for(agent.serve(), LIMIT)
    except SignoffError as failure:
        error = failure
    await stopping
    player.judge(step, None, error)
    await asyncio.to_thread(player.verdict)
