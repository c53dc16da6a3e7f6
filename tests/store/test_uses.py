"""The outcome of an intent is used once, until the intent is deleted."""

import asyncio
from functools import partial

from signoff.store import sql
from signoff.store.rows import by_ids
from signoff.store.store import Store
from signoff.store.tables.uses import Use
from tests.conftest import NOON
from tests.store.samples import ONE, TWO, patiently


def use(name: str, intent_id: str = ONE) -> Use:
    return Use(intent_id, name, "svc_ci", NOON)


async def test_first_use_is_kept(store: Store) -> None:
    assert await store.uses.of(ONE) is None
    assert await store.uses.add(use("a")) == use("a")
    assert await store.uses.add(use("b")) == use("a")
    assert await store.uses.add(use("a")) == use("a")
    assert await store.uses.add(use("b", TWO)) == use("b", TWO)


async def test_one_of_many_concurrent_uses_is_kept(store: Store) -> None:
    added = [partial(store.uses.add, use(str(number))) for number in range(8)]
    held = await asyncio.gather(*map(patiently, added))
    assert len({one.use for one in held}) == 1


async def test_use_is_deleted_with_its_intent(store: Store) -> None:
    await store.uses.add(use("a"))
    statement = next(one for one in sql.FORGET if "uses" in one)
    await store.write((statement, by_ids([ONE])))
    assert await store.uses.of(ONE) is None
