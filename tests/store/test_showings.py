"""What people were shown is kept once, for every server, until the intent is forgotten."""

from signoff.store import sql
from signoff.store.store import Store
from signoff.store.tables.showings import ShownTarget

ANN_SAW = ShownTarget("i1", "per_ann", 2, 1, 3)


async def test_what_was_shown_is_kept_once_and_per_person(store: Store) -> None:
    await store.showings.add(
        [ANN_SAW, ShownTarget("i1", "per_ann", 2, 0, 3), ShownTarget("i1", "per_otto", 1, 0, 1)]
    )
    await store.showings.add([ANN_SAW, ANN_SAW])
    assert await store.showings.of("i1", "per_ann") == {(2, 1, 3), (2, 0, 3)}
    assert await store.showings.of("i1", "per_emma") == frozenset()
    assert await store.showings.of("i2", "per_ann") == frozenset()
    assert await store.read("select count(*) from showings") == [(3,)]


async def test_it_is_forgotten_with_its_intent(store: Store) -> None:
    await store.showings.add([ANN_SAW])
    statement = next(one for one in sql.FORGET if "showings" in one)
    await store.write((statement, {"ids": ["i1"]}))
    assert await store.showings.of("i1", "per_ann") == frozenset()
