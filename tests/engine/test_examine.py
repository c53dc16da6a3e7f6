"""The doctor: every single change to what is stored is found and named, and nothing is found where nothing is wrong."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from signoff.core import commands as c
from signoff.core.model import Delivery
from signoff.engine.clock import FixedClock
from signoff.store.store import Store, open_store
from tests.builders import ANN, RITA, approve, gate, minutes, validate
from tests.engine.works import Works


@pytest.fixture
async def ids(works: Works) -> list[str]:
    """Intents in many states of life; the first was decided with a comment."""
    decided, leased, waiting, _, canceled = [await works.submit(by=RITA) for _ in range(5)]
    await works.claim(lease=minutes(1))
    for intent in (decided, waiting):
        held = (await works.intent(intent.id)).open
        token = held.token if isinstance(held, Delivery) else 0
        await works.do(intent.id, c.Report(1, token, {"passed": True}))
    await works.do(decided.id, c.Answer("approved", comment="looks fine"), ANN)
    [claimed] = await works.claim()
    assert claimed.after.id == leased.id
    await works.do(leased.id, c.Renew(1, getattr(claimed.after.open, "token", 0), minutes(5)))
    await works.do(canceled.id, c.Cancel("no more"), RITA)
    await works.submit(gate(validate(push=True), approve()))
    await works.pass_time(timedelta(minutes=5))
    return [decided.id, leased.id, waiting.id]


async def found(works: Works) -> list[tuple[str, int, str]]:
    """What a doctor who knows nothing beforehand finds."""
    doctor = await fresh(works.store)
    try:
        return [(f.intent, f.seq, f.problem) for f in await Works(doctor, works.clock).findings()]
    finally:
        await doctor.close()


async def fresh(store: Store) -> Any:
    """The same database, read by a process with nothing in memory."""
    from signoff.store.postgres import PostgresStore
    from signoff.store.sqlite import SqliteStore

    if isinstance(store, SqliteStore):
        return _Borrowed(store)
    assert isinstance(store, PostgresStore)
    return _Borrowed(store)


class _Borrowed:
    pass


async def test_nothing_is_found_where_nothing_is_wrong(works: Works, ids: list[str]) -> None:
    assert await works.findings() == []
