"""Temporal: a real development server, workers that start and stop, and a workflow that makes the script's calls."""

import asyncio
import atexit
import shutil
import socket
import subprocess
import sys
import uuid
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signoff import AsyncClient
from signoff.integrations.temporal import Approvals
from tests_adapters.harness import TYPES, Harness, Outcome, Script, until

POLICY = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=1))


@workflow.defn
class Agent:
    """Makes the calls of each turn concurrently: asks about the gated ones, then calls the tool."""

    @workflow.run
    async def run(self, turns: list[list[Any]], webhook: bool) -> dict[str, str]:
        told: dict[str, str] = {}
        for turn in turns:
            said = await asyncio.gather(*(self._call(*call, webhook) for call in turn))
            told |= dict(zip((call[2] for call in turn), said, strict=True))
        return told

    async def _call(self, tool: str, arguments: dict[str, Any], _id: str, webhook: bool) -> str:
        try:
            if tool in TYPES:
                approved = await workflow.execute_activity(
                    "signoff_approve",
                    args=[tool, arguments],
                    start_to_close_timeout=timedelta(days=400),
                    heartbeat_timeout=None if webhook else timedelta(seconds=30),
                    retry_policy=POLICY,
                )
                arguments = approved["arguments"]
            done = await workflow.execute_activity(
                "tool",
                args=[tool, arguments],
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError as error:
            cause = error.cause
            return f"The call was not run. {cause.message if isinstance(cause, ApplicationError) else cause}"
        return str(done)


class Temporal(Harness):
    title = "Temporal: an activity that waits"
    webhook = False
    # A request that cannot be sent is retried until it can, and the time to wait is the activity's timeout.
    lacks = ("test_server_down", "test_bounded_wait")

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        return await self.go_on(await self._start(script, thread), script, thread, **options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        handle = await self._start(script, thread)
        before = len(server.asked)
        async with self._worker(handle, **options):
            await until(lambda: len(server.asked) >= before + len(script.turns[0]))
        return handle

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        async with self._worker(saved, **options):
            return self.outcome(await saved.result())

    async def _start(self, script: Script, thread: str) -> Any:
        client = await connected()
        turns = [[[call.tool, call.arguments, call.id] for call in turn] for turn in script.turns]
        queue = f"{thread}-{uuid.uuid4()}"
        return await client.start_workflow(Agent.run, args=[turns, self.webhook], id=queue, task_queue=queue)

    def _worker(self, handle: Any, **options: Any) -> Worker:
        functions = [self.tools.refund, self.tools.close_shop]
        self.approvals = Approvals(TYPES, functions=functions, webhook=self.webhook, **options)

        @activity.defn(name="tool")
        async def call(tool: str, arguments: dict[str, Any]) -> str:
            return str(getattr(self.tools, tool)(**arguments))

        return Worker(
            self._client_of(handle),
            task_queue=handle.id,
            workflows=[Agent],
            activities=[self.approvals.approve, call],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(0),
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        )

    def _client_of(self, handle: Any) -> Any:
        return handle._client


class Completed(Temporal):
    title = "Temporal: woken by a webhook"
    webhook = True

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        waking = asyncio.ensure_future(self._wake(saved))
        try:
            return await super().go_on(saved, script, thread, **options)
        finally:
            waking.cancel()

    async def _wake(self, handle: Any) -> None:
        """What a receiver of Signoff's webhook does, twice for each event, because events may be delivered again."""
        async with AsyncClient() as client:
            while True:
                for intent in await client.list_intents(limit=10):
                    event = {"type": "intent.finished", "data": {"intent_id": intent.intent_id}}
                    if intent.final and handle.id in intent.correlation_id:
                        await self.approvals.finished(self._client_of(handle), event)
                await asyncio.sleep(0.1)


@cache
def development_server() -> str:
    """The address of Temporal's own server, started once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    running = subprocess.Popen(
        [*command, "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    atexit.register(running.kill)
    return f"127.0.0.1:{port}"


async def connected() -> Client:
    """A client, once the server responds."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await Client.connect(development_server())
            except RuntimeError:
                await asyncio.sleep(0.1)
