"""DBOS: a library in the user's process, which is also starter and person; its state is in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from dbos import DBOS, DBOSConfig, SetWorkflowID

from bench.peers.job import Asked, Up, approved, main, postgres_syncs, versions

_POOL: Final = 20
_WAIT: Final = 60.0  # seconds that a flow waits for its decision
_TUNED: Final = (
    f"async workflows and steps on uvloop, pool of {_POOL}, LISTEN/NOTIFY (its default), no admin server,"
    " starter and workflows in one process"
)
waiting: dict[str, asyncio.Event] = {}  # whose first step has run


@DBOS.step()
async def validate(flow: str, payload: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    waiting[flow].set()
    return result


@DBOS.step()
async def apply() -> bool:
    return True


@DBOS.workflow()
async def approval(flow: str, payload: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    said = await validate(flow, payload, result)
    outcome = await DBOS.recv_async(timeout_seconds=_WAIT)
    return {**said, "outcome": outcome, "applied": await apply()}


@asynccontextmanager
async def peer(asked: Asked) -> AsyncIterator[Up]:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": asked.database,
        "sys_db_pool_size": _POOL,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()

    async def flow(name: str) -> None:
        waiting[name] = asyncio.Event()
        with SetWorkflowID(name):
            handle = await DBOS.start_workflow_async(approval, name, asked.payload, asked.result)
        await waiting[name].wait()
        await DBOS.send_async(name, "approved")
        approved(await handle.get_result(), asked.result)
        del waiting[name]

    yield Up(
        flow=flow,
        versions=versions("dbos", "SQLAlchemy", "psycopg", "uvloop"),
        durability=postgres_syncs(asked.database),
        tuned=_TUNED,
    )


if __name__ == "__main__":
    main(peer)
