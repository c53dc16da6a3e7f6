"""Airflow: its operators and triggers, deferred and resumed as by its scheduler; the tool is the next task."""

import asyncio
import contextlib
import importlib
import os
import tempfile
import uuid
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="signoff-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

from airflow.sdk.exceptions import AirflowFailException, TaskDeferralTimeout, TaskDeferred

from signoff.integrations.airflow import ApprovalOperator, DecisionSensor, DecisionTrigger
from tests_adapters.harness import TYPES, Call, Harness, Outcome, Script, until

__all__ = [
    "Airflow",
    "AirflowFailException",
    "ApprovalOperator",
    "DecisionSensor",
    "DecisionTrigger",
    "TaskDeferred",
]


class Airflow(Harness):
    title = "Airflow: a deferrable operator"
    lacks = ("test_bounded_wait",)  # the time to wait is the deferred task's

    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        return await self._dag_run(script, thread, uuid.uuid4().hex, options)

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        attempt = uuid.uuid4().hex
        before = len(server.asked)
        running = asyncio.ensure_future(self._dag_run(script, thread, attempt, options))
        await until(lambda: len(server.asked) >= before + len(script.turns[0]), running)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return attempt

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        return await self._dag_run(script, thread, saved, options)

    async def _dag_run(self, script: Script, run_id: str, attempt: str, options: dict[str, Any]) -> Outcome:
        told: dict[str, str] = {}
        while turn := script.next(told):
            said = await asyncio.gather(*(self._tasks(call, run_id, attempt, options) for call in turn))
            told |= dict(zip((call.id for call in turn), said, strict=True))
        return self.outcome(told)

    async def _tasks(self, call: Call, run_id: str, attempt: str, options: dict[str, Any]) -> str:
        """The task that asks, and the next one."""
        tool, arguments = getattr(self.tools, call.tool), call.arguments
        if call.tool in TYPES:
            operator = ApprovalOperator(
                task_id="approve",
                tool=call.tool,
                arguments=arguments,
                intent_type=TYPES[call.tool],
                function=tool,
                **options,
            )
            ti = SimpleNamespace(
                id=f"{attempt} {call.id}",
                dag_id="refunds",
                run_id=run_id,
                task_id=call.id,
                map_index=-1,
                try_number=1,
            )
            try:
                arguments = (await self._task(operator, {"ti": ti}))["arguments"]
            except AirflowFailException as error:
                return f"The call was not run. {error}"
        return str(tool(**arguments))

    async def _task(self, operator: ApprovalOperator, context: dict[str, Any]) -> Any:
        method, more = "execute", {}
        while True:
            try:
                return await asyncio.to_thread(getattr(operator, method), context, **more)
            except TaskDeferred as deferred:
                path, fields = deferred.trigger.serialize()  # what Airflow keeps of it
                event = await self._triggered(_imported(path)(**fields), deferred.timeout)
                method, more = deferred.method_name, {"event": event, **(deferred.kwargs or {})}

    async def _triggered(self, trigger: Any, timeout: Any) -> Any:
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                async with contextlib.aclosing(trigger.run()) as events:
                    return (await anext(events)).payload
        except TimeoutError:
            raise TaskDeferralTimeout from None


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
