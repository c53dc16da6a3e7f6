"""Absurd: a library on top of PostgreSQL functions; starter, person and workers in one process. Its schema comes with
the package of its CLI.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

from absurd_sdk import AsyncAbsurd, AsyncTaskContext
from absurdctl import BUNDLED_SCHEMA_SQL
from psycopg import AsyncConnection

from bench.peers.job import Asked, Up, approved, main, postgres_syncs, versions

_WORKERS: Final = 4
_CONCURRENCY: Final = 16  # tasks of a worker at once
_CLIENTS: Final = 8
_POLL: Final = 0.002  # seconds; its default of 0.25 would be most of a flow
_QUEUE: Final = "bench"
_TUNED: Final = (
    f"async SDK on uvloop, {_WORKERS} workers x {_CONCURRENCY} tasks that poll every {_POLL * 1000:.0f} ms,"
    f" {_CLIENTS} clients for starter and person, prepared statements; the starter reads the result after the last step"
)


@asynccontextmanager
async def peer(asked: Asked) -> AsyncIterator[Up]:
    waiting: dict[str, asyncio.Event] = {}  # whose first step has run
    ending: dict[str, asyncio.Event] = {}  # whose last step has run

    async def approval(params: dict[str, Any], context: AsyncTaskContext) -> dict[str, Any]:
        flow: str = params["flow"]

        async def validate() -> dict[str, Any]:
            waiting[flow].set()
            return asked.result

        async def apply() -> bool:
            return True

        said = await context.step("validate", validate)
        outcome = await context.await_event(f"decided:{flow}")
        applied = await context.step("apply", apply)
        ending[flow].set()
        return {**said, "outcome": outcome, "applied": applied}

    async with AsyncExitStack() as stack:

        async def client() -> AsyncAbsurd:
            connection = await AsyncConnection.connect(asked.database, autocommit=True, prepare_threshold=0)
            await stack.enter_async_context(connection)
            made = AsyncAbsurd(connection, queue_name=_QUEUE)
            made.register_task("approval")(approval)
            return made

        clients = [await client() for _ in range(_CLIENTS)]
        async with await AsyncConnection.connect(asked.database, autocommit=True) as connection:
            await connection.execute(BUNDLED_SCHEMA_SQL)
        await clients[0].create_queue(_QUEUE)

        async def flow(name: str) -> None:
            mine = clients[hash(name) % _CLIENTS]
            waiting[name], ending[name] = asyncio.Event(), asyncio.Event()
            spawned = await mine.spawn("approval", {"flow": name, "payload": asked.payload})
            await waiting[name].wait()
            await mine.emit_event(f"decided:{name}", "approved")
            await ending[name].wait()
            while (found := await mine.fetch_task_result(spawned["task_id"])).state != "completed":
                if found.state in ("failed", "cancelled"):
                    raise RuntimeError(f"a flow ended as {found.state}: {found.failure!r}"[:500])
                await asyncio.sleep(_POLL)
            approved(found.result, asked.result)
            del waiting[name], ending[name]

        workers = [await client() for _ in range(_WORKERS)]
        tasks = [
            asyncio.create_task(
                worker.start_worker(f"worker-{number}", concurrency=_CONCURRENCY, poll_interval=_POLL)
            )
            for number, worker in enumerate(workers)
        ]
        try:
            yield Up(
                flow=flow,
                versions=versions("absurd-sdk", "absurdctl", "psycopg", "uvloop"),
                durability=await asyncio.to_thread(postgres_syncs, asked.database),
                tuned=_TUNED,
            )
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


if __name__ == "__main__":
    main(peer)
