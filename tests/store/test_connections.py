"""PostgreSQL URLs as people paste them, and the database settings that our guarantees need."""

import pytest

from signoff.store.opening import open_store
from signoff.store.postgres.connections import Address
from signoff.store.transaction import Locks
from tests.conftest import FixedClock
from tests.store.samples import look, once, ready, submit


@pytest.mark.parametrize(
    ("given", "dsn"),
    [
        ("postgres://u:p%40@h:5433/d", "postgresql://u:p%40@h:5433/d"),
        ("postgresql://u@h/d?channel_binding=prefer&sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@h/d?connect_timeout=7&gssencmode=disable", "postgresql://u@h/d"),
        ("postgresql://u@h/d?pgbouncer=true&application_name=x", "postgresql://u@h/d"),
        (
            "postgresql://u@h/d?target_session_attrs=read-write",
            "postgresql://u@h/d?target_session_attrs=read-write",
        ),
        ("postgresql://u@/d?host=/run/pg", "postgresql://u@/d?host=%2Frun%2Fpg"),
    ],
)
def test_libpq_parameters_that_the_server_would_refuse_are_removed(given: str, dsn: str) -> None:
    assert Address(given).dsn == dsn


def test_connection_parameters_in_the_url_are_applied() -> None:
    plain = Address("postgresql://u@h/d")
    assert (plain.pooled, plain.timeout, plain.settings["application_name"]) == (False, 5.0, "signoff")
    named = Address("postgresql://u@h/d?pgbouncer=true&connect_timeout=7&application_name=mine")
    assert (named.pooled, named.timeout) == (True, 7.0)
    assert named.settings == {"application_name": "mine"}


async def test_pasted_url_connects(postgres_url: str, clock: FixedClock) -> None:
    pasted = f"{postgres_url}&channel_binding=prefer&connect_timeout=60&keepalives=1&application_name=pasted"
    store = open_store(pasted.replace("postgresql:", "postgres:"), wall=clock.wall)
    await store.open()
    assert await store.read("select current_setting('application_name')") == [("pasted",)]
    await store.close()


async def test_acknowledged_write_is_on_disk_whatever_the_servers_default(
    postgres_url: str, clock: FixedClock
) -> None:
    store = open_store(postgres_url, wall=clock.wall)
    await store.open()
    settings = (
        "synchronous_commit",
        "transaction_isolation",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    )
    rows = [await store.read(f"select current_setting('{name}')") for name in settings]
    assert [row[0][0] for row in rows] == ["on", "read committed", "1s", "3s"]
    await store.close()


async def test_every_call_works_behind_a_transaction_pooler(
    empty_postgres_url: str, clock: FixedClock
) -> None:
    store = open_store(f"{empty_postgres_url}&pgbouncer=true", wall=clock.wall, clock=clock.map)
    await store.open()
    [one] = await submit(store, ready())
    found = await look(store, Locks(ids=(one.id,), once=(once(),), due=1))
    assert found.intents == {one.id: one}
    assert await store.intents.get(one.id) is not None
    wanted = {
        "synchronous_commit": "on",
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "3s",
    }
    for name, value in wanted.items():
        assert await store.read(f"select current_setting('{name}')") == [(value,)]
    await store.listen(lambda words: None)
    await store.announce(["word"])
    await store.close()
