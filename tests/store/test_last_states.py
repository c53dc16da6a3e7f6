"""An intent that this process wrote is not decoded again unless its row changed since."""

from msgspec.structs import replace

from signoff.core.intent.model import Intent
from signoff.store.opening import open_store
from signoff.store.rows import state_of
from signoff.store.store import Store
from signoff.store.transaction import Locks
from tests.conftest import FixedClock
from tests.store.samples import leased, leave, look, move, ready, submit


async def test_last_committed_state_is_returned_from_memory(store: Store) -> None:
    [one] = await submit(store, ready())
    found = await locked(store, one)
    assert found is one
    await store.transact(Locks(ids=(one.id,)), leave(move(leased(one))))
    changed = await locked(store, one)
    assert changed.open == leased(one).open
    assert await locked(store, one) is changed


async def test_state_written_by_another_server_is_read_from_the_database(
    own_url: str, clock: FixedClock
) -> None:
    first = open_store(own_url, wall=clock.wall, clock=clock.map)
    await first.open()
    [one] = await submit(first, ready())
    await first.write(
        ("update intents set state = :state where id = :id", {"id": one.id, "state": state_elsewhere(one)})
    )
    found = await locked(first, one)
    assert found is not one
    assert found.type == "elsewhere"
    await first.close()


async def locked(store: Store, intent: Intent) -> Intent:
    """The intent that a transaction reads."""
    return (await look(store, Locks(ids=(intent.id,)))).intents[intent.id]


def state_elsewhere(intent: Intent) -> bytes:
    return state_of(replace(intent, type="elsewhere"))
