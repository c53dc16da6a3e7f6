"""Airflow 3: a task that asks people and releases its worker while it waits. The next task runs with what they
approved:

    approve = ApprovalOperator(
        task_id="approve",
        intent_type="intent.payments.refund.v1",
        tool="refund",
        arguments={"order": "A-1", "amount": 10},
    )
    refund(approve.output["arguments"])

The triggerer waits for all such tasks together. Triggerer and workers find the server by SIGNOFF_URL and
SIGNOFF_API_KEY (or SIGNOFF_API_KEY_FILE) in their environments, so no key is stored in Airflow's database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from signoff.client.aio import AsyncClient
from signoff.client.call_request import CallSignature, canonical_json
from signoff.client.errors import SignoffError, WaitTimeout
from signoff.client.gated_call import GatedCall, failure_of, reason_of
from signoff.client.records import Json
from signoff.client.sync import Client
from signoff.integrations.tools import UNFIT, ToolGate, no_check, verdict_of

_PAUSE: Final = 5.0  # seconds before the triggerer asks again after an error


class DecisionTrigger(BaseTrigger):
    """Waits in the triggerer until this request has ended. It reports only that; the task reads the outcome."""

    def __init__(self, intent_id: str) -> None:
        super().__init__()
        self.intent_id = intent_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__name__}", {"intent_id": self.intent_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            try:
                async with AsyncClient() as client:
                    await client.wait_for(self.intent_id)
                break
            except SignoffError as error:
                # A task that only waits must not fail because the server is unreachable for long.
                self.log.warning("%s: still waiting: %s", self.intent_id, error)
                await asyncio.sleep(_PAUSE)
        yield TriggerEvent({"intent_id": self.intent_id})


class ApprovalOperator(BaseOperator):
    """Ask people about one call, and wait without a worker.

    tool: the name of what is called; arguments: exactly what people are asked about (a template field); function:
    edited arguments must match its annotations; wait: how long the task waits, by default forever. intent_type,
    title, hide, again, on_behalf_of, client: as for ``gate``.

    Returns the approved ``arguments``, ``edited``, the approver's ``comment`` and the ``intent_id``. Anything else
    fails the task with the reason, without a retry. A retry after an error continues to wait for the same request. A
    task that is cleared after its approval was used, or whose run is created again, asks again, because an approval
    is good for one call.
    """

    template_fields = ("arguments",)

    def __init__(  # noqa: PLR0913
        self,
        *,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        intent_type: str | None = None,
        function: Callable[..., Any] | None = None,
        wait: timedelta | None = None,
        title: str = "Run {name}?",
        hide: tuple[str, ...] | list[str] = (),
        again: Any = "ask",
        on_behalf_of: str = "",
        client: Client | AsyncClient | None = None,
        **task: Any,
    ) -> None:
        super().__init__(**({"multiple_outputs": True} | task))  # so that output["arguments"] is one
        self.tool = tool
        self.arguments = dict(arguments or {})
        self.intent_type = intent_type
        self.function = function
        self.wait = wait
        self.gate = ToolGate(
            intent_type, title=title, hide=hide, again=again, on_behalf_of=on_behalf_of, client=client
        )

    def execute(self, context: Any) -> Json:
        client = self.gate.of(self.tool).blocking_client
        try:
            call = self._call(context)
            decision = client.session.run(call.poll(client.retries))
            if decision is None:
                self.defer(
                    trigger=DecisionTrigger(call.intent_id), method_name="execute_complete", timeout=self.wait
                )
                raise AssertionError("a deferred task continues")
            check = no_check if self.function is None else CallSignature(self.function).check
            verdict = verdict_of(decision, check)
        except UNFIT as error:
            raise AirflowFailException(str(error)) from None
        if not verdict.approved:
            raise AirflowFailException(verdict.reason)
        return {
            "arguments": verdict.arguments,
            "edited": verdict.edited,
            "comment": verdict.reason,
            "intent_id": decision.result.intent_id,
        }

    def execute_complete(self, context: Any, event: Any = None) -> Json:
        """Continue after the request has ended: the same call finds it again."""
        return self.execute(context)

    def _call(self, context: Any) -> GatedCall:
        ti = context["ti"]
        place = [ti.dag_id, ti.run_id, ti.task_id, ti.map_index]
        return self.gate.of(self.tool).request(
            self.tool,
            self.arguments,
            canonical_json(place),
            # The id of this try, which a run that was deleted and created again with the same run_id does not repeat.
            use=f"airflow {ti.id}",
        )


class DecisionSensor(BaseSensorOperator):
    """Wait for a request that another program sent. intent_id: the request's id (a template field).

    Returns its ``outcome``, ``ending``, ``comment``, ``result`` and ``payload``. If it was not approved, or failed, the
    task fails with the reason, without a retry. With ``deferrable=False`` it pokes, like an ordinary sensor.
    """

    template_fields = ("intent_id",)

    def __init__(
        self, *, intent_id: str, deferrable: bool = True, client: Client | None = None, **task: Any
    ) -> None:
        super().__init__(**task)
        self.intent_id = intent_id
        self.deferrable = deferrable
        self.client = client

    def execute(self, context: Any) -> Any:
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if not found:
            self.defer(
                trigger=DecisionTrigger(self.intent_id),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return found.xcom_value

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        return self.execute(context)

    def poke(self, context: Any) -> PokeReturnValue:
        if self.client is not None:
            return self._read(self.client)
        with Client() as client:
            return self._read(client)

    def _read(self, client: Client) -> PokeReturnValue:
        try:
            result = client.wait_for(self.intent_id, timeout=0)
        except WaitTimeout:
            return PokeReturnValue(is_done=False)
        if failure_of(result) is not None:
            raise AirflowFailException(reason_of(result))
        fields = {
            "outcome": result.outcome, "ending": result.ending, "comment": result.comment, "result": result.result,
            "payload": result.payload,
        }  # fmt: skip
        return PokeReturnValue(is_done=True, xcom_value=fields)
