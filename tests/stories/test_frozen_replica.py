"""A server that freezes during a transaction blocks only the intents that it has locked, and only until the database
releases its locks.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.live import Live
from tests.stories.crash import GATE, Answer, ask, fresh_database, stopped_at_the_end
from tests.stories.servers import until

OTHERS = 20
CANCELED = {"status": "CANCELED"}
WAITS_FOR_A_LOCK = """
select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""
HOLDS = "select state = 'idle in transaction' from pg_stat_activity where pid = $1"


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request, "postgres") as url:
        yield url


@pytest.fixture
def pair(database: str, tmp_path: Path) -> Iterator[tuple[Live, Live]]:
    with ExitStack() as stack:
        servers = [Live(tmp_path / name, database, listen="off") for name in ("one", "two")]
        first, second = (stack.enter_context(stopped_at_the_end(server)) for server in servers)
        yield first, second


@asynccontextmanager
async def frozen(live: Live, database: str, intent_id: str, key: str) -> AsyncIterator[None]:
    """Freeze the server in a transaction that has locked this intent."""
    assert live.process is not None
    # What others do is seen anew only in a new transaction.
    locker, viewer = await asyncpg.connect(database), await asyncpg.connect(database)
    asked: asyncio.Task[Answer] | None = None
    try:
        while True:
            async with locker.transaction():
                await locker.execute("select 1 from intents where id = $1 for update", intent_id)
                asked = asyncio.create_task(
                    asyncio.to_thread(ask, live, "POST", f"/v1/intents/{intent_id}/resolve", CANCELED, key)
                )
                while (pid := await viewer.fetchval(WAITS_FOR_A_LOCK)) is None:
                    assert not asked.done(), asked.result()
                    await asyncio.sleep(0)
                os.kill(live.process.pid, signal.SIGSTOP)
            while (holds := await viewer.fetchval(HOLDS, pid)) is False:
                await asyncio.sleep(0)
            if holds:
                break
            os.kill(live.process.pid, signal.SIGCONT)
            await asked
        yield
    finally:
        os.kill(live.process.pid, signal.SIGCONT)
        await locker.close()
        await viewer.close()
        if asked is not None:
            await asked


async def test_other_server_continues_while_one_is_frozen(pair: tuple[Live, Live], database: str) -> None:
    stuck, works = pair
    key = stuck.owner_key
    finished: list[str] = []

    async def do(live: Live, method: str, path: str, name: str = "") -> Answer:
        answer = await asyncio.to_thread(
            ask, live, method, path, GATE if path == "/v1/intents" else CANCELED, key
        )
        assert answer.status == 200, answer
        if name:
            finished.append(name)
        return answer

    held = (await do(works, "POST", "/v1/intents")).json["intent_id"]

    async def other() -> None:
        intent_id = (await do(works, "POST", "/v1/intents")).json["intent_id"]
        await do(works, "POST", f"/v1/intents/{intent_id}/resolve", "other")

    async with frozen(stuck, database, held, key):
        waiting = asyncio.create_task(do(works, "POST", f"/v1/intents/{held}/resolve", "held"))
        await asyncio.gather(*(other() for _ in range(OTHERS)))
        await waiting
    # Nothing waited for the held intent, and even that ended while the other server still stood still.
    assert finished == ["other"] * OTHERS + ["held"]
    assert until(lambda: ask(stuck, "GET", "/ready").status == 200)
