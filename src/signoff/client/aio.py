"""The client for asyncio. Each method is one line: a call or a flow, run; what it does is said in sync.py."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from signoff.client import calls
from signoff.client.calls import T
from signoff.client.flow import Patience, gather, perform
from signoff.client.groups import AsyncDesk, AsyncDirectory
from signoff.client.session import PROGRAM, AsyncSession
from signoff.client.settings import find_settings
from signoff.client.stream import Follower
from signoff.client.types import (
    Account,
    AppliedScenario,
    AppliedWorkflow,
    AuditTrail,
    Event,
    Health,
    Intent,
    Key,
    Me,
    Result,
    ScenarioCheck,
    Task,
    Workflow,
)


class AsyncClient:
    """Client's methods, to be awaited (``observe`` to be iterated); the same arguments, results and errors.

    Belongs to the event loop it is first used on.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 15.0,
        retry_for: float = 30.0,
        program: str = PROGRAM,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = find_settings(url, api_key)
        self.patience = Patience(timeout, retry_for)
        self.session = AsyncSession(self.settings, program, transport)
        self.directory = AsyncDirectory(self.call)
        self.desk = AsyncDesk(self.call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.session.close()

    async def call(self, call: calls.Call[T]) -> T:
        return await self.session.run(perform(call, self.patience))

    async def send_intent(self, intent: Mapping[str, Any], *, idempotency_key: str | None = None) -> str:
        return (await self.call(calls.send_intent(intent, idempotency_key))).told()

    async def wait_for(self, intent_id: str, *, timeout: float | None = None) -> Result:
        return await self.session.run(Follower(intent_id, 0, timeout, self.patience).result())

    def observe(
        self, intent_id: str, since: int = 0, *, timeout: float | None = None
    ) -> AsyncGenerator[Event]:
        return self.session.events(Follower(intent_id, since, timeout, self.patience).follow())

    async def get_intent(self, intent_id: str) -> Intent:
        return await self.call(calls.get_intent(intent_id))

    async def list_intents(
        self,
        *,
        status: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> list[Intent]:
        pages = calls.list_intents(status, intent_type, correlation_id, search)
        return await self.session.run(gather(pages, limit, self.patience))

    async def events(self, intent_id: str, since: int = 0) -> list[Event]:
        return await self.call(calls.events(intent_id, since))

    async def cancel(self, intent_id: str, reason: str = "canceled") -> Intent:
        return await self.call(calls.cancel(intent_id, reason))

    async def retry(self, intent_id: str, *, idempotency_key: str | None = None) -> str:
        return (await self.call(calls.retry(intent_id, idempotency_key))).told()

    async def rerun(self, intent_id: str) -> str:
        return await self.call(calls.rerun(intent_id))

    async def audit(self, intent_id: str) -> AuditTrail:
        return await self.call(calls.audit(intent_id))

    async def apply_scenario(
        self, bundle: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> AppliedScenario:
        return await self.call(calls.apply_scenario(bundle, idempotency_key))

    async def validate_scenario(self, bundle: Mapping[str, Any]) -> ScenarioCheck:
        return await self.call(calls.validate_scenario(bundle))

    async def apply_workflow(self, template: Mapping[str, Any], dry_run: bool = False) -> AppliedWorkflow:
        return await self.call(calls.apply_workflow(template, dry_run))

    async def workflows(self) -> list[Workflow]:
        return await self.call(calls.workflows())

    async def tasks(
        self,
        mine: bool = False,
        *,
        state: str = "open",
        intent_id: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        limit: int = 200,
    ) -> list[Task]:
        pages = calls.tasks(mine, state, intent_id, intent_type, correlation_id, search)
        return await self.session.run(gather(pages, limit, self.patience))

    async def task(self, task_id: str) -> Task:
        return await self.call(calls.task(task_id))

    async def answer(  # noqa: PLR0913
        self,
        task_id: str | Task,
        outcome: str,
        comment: str | None = None,
        data: Mapping[str, Any] | None = None,
        revision: int | None = None,
        digest: str | None = None,
        *,
        stage: int | None = None,
        number: int | None = None,
    ) -> Task:
        named = calls.named(task_id, stage, revision, digest)
        given = {"outcome": outcome, "comment": comment, "data": data, "number": number, **named}
        return await self.call(calls.answer(calls.id_of(task_id), given))

    async def approve(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> Task:
        return await self.answer(task_id, "approved", comment, None, revision, digest, stage=stage)

    async def reject(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> Task:
        return await self.answer(task_id, "rejected", comment, None, revision, digest, stage=stage)

    async def agents(self) -> list[Account]:
        return await self.call(calls.agents())

    async def create_key(
        self,
        *,
        agent: str | None = None,
        service: str | None = None,
        person: str | None = None,
        name: str | None = None,
        roles: Sequence[str] | None = None,
        expires_in: float | None = None,
    ) -> Key:
        return await self.call(calls.create_key(agent, service, person, name, roles, expires_in))

    async def revoke_key(self, key_id: str) -> None:
        await self.call(calls.revoke_key(key_id))

    async def me(self) -> Me:
        return await self.call(calls.me())

    async def health(self) -> Health:
        return await self.call(calls.health())
