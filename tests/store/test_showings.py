"""What people were shown is stored once for all servers until the intent is deleted."""

from signoff.store import sql
from signoff.store.rows import by_ids
from signoff.store.store import Store
from signoff.store.tables.showings import ShownTarget
from tests.store.samples import ONE, TWO

ANN_SAW = ShownTarget(ONE, "per_ann", 2, 1, 3)


async def test_shown_state_is_stored_once_per_person(store: Store) -> None:
    await store.showings.add(
        [ANN_SAW, ShownTarget(ONE, "per_ann", 2, 0, 3), ShownTarget(ONE, "per_otto", 1, 0, 1)]
    )
    await store.showings.add([ANN_SAW, ANN_SAW])
    assert await store.showings.of(ONE, "per_ann") == {(2, 1, 3), (2, 0, 3)}
    assert await store.showings.of(ONE, "per_emma") == frozenset()
    assert await store.showings.of(TWO, "per_ann") == frozenset()
    assert await store.read("select count(*) from showings") == [(3,)]


async def test_shown_state_is_deleted_with_its_intent(store: Store) -> None:
    await store.showings.add([ANN_SAW])
    statement = next(one for one in sql.FORGET if "showings" in one)
    await store.write((statement, by_ids([ONE])))
    assert await store.showings.of(ONE, "per_ann") == frozenset()
