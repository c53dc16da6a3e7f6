"""One server process: starts the components in order, and stops them."""

import asyncio
import contextlib
import logging
from itertools import count
from typing import Final

from signoff.components import Components, Line
from signoff.config import Config
from signoff.core.errors import Busy
from signoff.core.plan.schedules import CONNECTION
from signoff.core.text.durations import format_duration
from signoff.engine.clock import Clock
from signoff.engine.siblings import Siblings
from signoff.store.database import ConnectionLost
from signoff.store.opening import open_store

_DRAIN: Final = 5.0  # seconds for the database to accept queued work at shutdown
_log = logging.getLogger(__name__)


class Server(Components):
    """One server process: its store, its loops, its ASGI ``app``. ``start`` and ``stop`` may each be called once."""

    login_url: str = ""

    def __init__(
        self,
        config: Config,
        line: Line | None = print,
        clock: Clock | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        clock = clock or Clock()
        leads = siblings is None or siblings.leads
        store = open_store(
            config.database,
            wall=clock.wall,
            clock=clock.of,
            hear=clock.hear,
            listen=config.listen and leads,
            turns=siblings.turns if siblings is not None else None,
        )
        super().__init__(config, store, clock, line=line, siblings=siblings)
        self._leads = leads
        self._tasks: list[asyncio.Task[None]] = []
        self.served: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store (and migrate it) and start the loops. Raises Refused or Busy with the reason."""
        await self._open()
        await self.store.listen(self.on_topics)
        self._tasks = [
            asyncio.create_task(self.committer.run(worker)) for worker in range(self.committer.workers)
        ]
        self._tasks += [asyncio.create_task(loop.run()) for loop in self.loops.values()]
        self._tasks.append(asyncio.create_task(self.feed.run()))
        self._tasks.append(asyncio.create_task(self.store.warm()))
        if self.siblings is not None:
            if self._leads:
                # announcements that an ended predecessor received were not forwarded to the other workers
                self.feed.publish([""])
            self._tasks.append(asyncio.create_task(self.siblings.run(self.health)))
        if self._leads:
            self._tasks += [asyncio.create_task(desk.listen()) for desk in self.desks.values()]

    async def _open(self) -> None:
        """Open the store. If the database does not respond yet, perhaps because it is also starting, this keeps trying
        for a while.

        An error from the database (a wrong password, no such database, a newer schema) is not retried.
        """
        time = asyncio.get_running_loop().time
        wait = self.config.database_wait
        give_up = time() + wait.total_seconds()
        for attempt in count(1):
            pause = CONNECTION.after(attempt).total_seconds()
            try:
                await self.store.open()
                break
            except ConnectionLost as lost:
                left = give_up - time()
                if left <= 0:
                    raise
                if attempt == 1:
                    shown = format_duration(wait, exact=True), self.config.shown_database
                    _log.warning("Waiting up to %s for %s. %s", *shown, lost.message)
            await asyncio.sleep(min(pause, left))

    async def stop(self) -> None:
        """Finish queued work, then release everything; unfinished work does not keep the store open."""
        self.state.stop()
        try:
            for desk in self.desks.values():
                await desk.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self.committer.drain()
            await self._cancel(self._tasks)
            with contextlib.suppress(Busy, TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self.workers.drain()
                    await self.sign_in_requests.drain()
                    await self.outbox.close()
            await self.channels.close()
        finally:
            await self.store.close()
            if self.tracer is not None:
                await asyncio.to_thread(self.tracer.close)

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        """End the loops. A loop that waits for the database gets a short time to finish its transaction."""
        for task in tasks:
            task.cancel()
        if tasks and (await asyncio.wait(tasks, timeout=_DRAIN))[1]:
            _log.error("The database blocks the shutdown: pending writes may or may not be committed.")
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)

    async def until_stopped(self) -> None:
        """Wait until a signal has ended the HTTP side."""
        if self.served is not None:
            await self.served
