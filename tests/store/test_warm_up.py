"""A server opens its connections and loads their types before its first requests."""

from typing import Any

from signoff.store.opening import open_store
from signoff.store.postgres.store import CONNECTIONS, PostgresStore
from signoff.store.transaction import Locks
from tests.conftest import FixedClock
from tests.store.samples import look, once, ready, submit


async def test_no_request_waits_for_a_connection_or_its_types(postgres_url: str, clock: FixedClock) -> None:
    store = open_store(postgres_url, wall=clock.wall)
    assert isinstance(store, PostgresStore)
    await store.open()
    await store.warm()
    connections: set[Any] = set(store._connections._open)
    assert len(connections) == len(store._connections._idle) == CONNECTIONS
    before = {one.get_server_pid() for one in connections}
    asked: list[str] = []
    for one in connections:
        one.add_query_logger(lambda record: asked.append(record.query))
    [made] = await submit(store, ready())
    await look(store, Locks(ids=(made.id,), once=(once(),), due=1))
    assert asked
    assert not [query for query in asked if "typeinfo" in query]
    assert {one.get_server_pid() for one in store._connections._open} == before
    await store.warm()  # once more changes nothing
    assert {one.get_server_pid() for one in store._connections._open} == before
    await store.close()


async def test_lost_connections_are_replaced_before_a_request_needs_them(
    postgres_url: str, clock: FixedClock
) -> None:
    store = open_store(postgres_url, wall=clock.wall)
    assert isinstance(store, PostgresStore)
    await store.open()
    await store.warm()
    lost = list(store._connections._idle)
    for one in lost:
        one.terminate()
    await store.read("select 1")  # it finds them closed, and needs a new one itself
    refilling = store._connections._refilling
    assert refilling is not None
    await refilling
    found = set(store._connections._open)
    assert len(found) == len(store._connections._idle) == CONNECTIONS
    assert found.isdisjoint(lost)
    await store.close()


async def test_failed_connection_attempts_raise_nothing(clock: FixedClock) -> None:
    store = open_store("postgresql://nobody@127.0.0.1:1/nowhere", wall=clock.wall)
    await store.warm()
    await store.close()
