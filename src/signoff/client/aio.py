"""The client for asyncio. Its methods are in resources.py."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

import httpx2

from signoff.client.calls import ApiCall, T
from signoff.client.credentials import find_settings
from signoff.client.drivers import PROGRAM, AsyncSession
from signoff.client.flow import Retries, perform
from signoff.client.methods import Awaited
from signoff.client.resources import AsyncDirectory, AsyncTasks, ClientMethods
from signoff.client.stream import Follower
from signoff.client.types import Event


class AsyncClient(ClientMethods, Awaited):
    """The methods of Client for asyncio: calls are awaited, ``observe`` is iterated. Arguments, results and errors
    are the same.

    It belongs to the event loop on which it is first used.
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
        super().__init__(AsyncSession(self.settings, program, transport), Retries(timeout, retry_for))
        self.tasks = AsyncTasks(self.session, self.retries)
        self.directory = AsyncDirectory(self.session, self.retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self.session.close()

    async def call(self, call: ApiCall[T]) -> T:
        return await self.session.run(perform(call, self.retries))

    def observe(
        self, intent_id: str, since: int = 0, *, timeout: float | None = None
    ) -> AsyncGenerator[Event]:
        return self.session.events(Follower(intent_id, since, timeout, self.retries).follow())
