"""The index of intents by target: written with the intent, changed by a revision, deleted with the payload."""

from datetime import timedelta

from msgspec.structs import replace

from signoff.core.intent.model import Intent
from signoff.store.store import Store
from signoff.store.transaction import Locks, Resubmitted
from tests.conftest import NOON
from tests.store.samples import NOTHING, PLAN, final, leave, move, submission, together, waiting
from tests.store.samples import submit as submitted

ABOUT = replace(PLAN, target=("cluster",))


def payload(cluster: str) -> bytes:
    return f'{{"cluster":"{cluster}"}}'.encode()


async def submit(store: Store, *clusters: str, workspace: str = "wsp_1") -> list[Intent]:
    writes = together(
        *(
            submission(waiting(plan=ABOUT, workspace=workspace), payload=payload(cluster))
            for cluster in clusters
        )
    )
    await store.transact(NOTHING, leave(writes))
    return [new.intent for new in writes.new]


async def same(store: Store, of: Intent, limit: int = 20) -> list[str]:
    return [one.intent.id for one in await store.intents.same_target(of.id, limit)]


async def test_earlier_requests_with_the_target_are_listed_newest_first(store: Store) -> None:
    first, other, second, third = await submit(store, "a", "b", "a", "a")
    await submit(store, "a", workspace="wsp_2")
    [without] = await submitted(store, waiting())
    assert await same(store, third) == [second.id, first.id]
    assert await same(store, third, limit=1) == [second.id]
    assert await same(store, second) == [first.id]
    assert await same(store, first) == await same(store, other) == await same(store, without) == []
    [bare] = await store.intents.same_target(second.id, 1)
    assert (bare.intent.id, bare.payload) == (first.id, b"{}")


async def test_revision_changes_or_removes_the_target(store: Store) -> None:
    first, second = await submit(store, "a", "b")
    for revision, (now, found) in enumerate(
        [(payload("a"), [first.id]), (b"{}", []), (payload("a"), [first.id])]
    ):
        stored = await store.intents.get(second.id)
        assert stored is not None
        writes = move(stored.intent)
        writes.revisions.append(Resubmitted(second.id, revision + 1, stored.payload, now))
        await store.transact(Locks(ids=(second.id,)), leave(writes))
        assert await same(store, second) == found


async def test_target_is_deleted_with_the_payload(store: Store) -> None:
    first, second = await submit(store, "a", "a")
    await store.transact(Locks(ids=(first.id,)), leave(move(final(first))))
    assert await same(store, second) == [first.id]
    rows = await store.read("select target from targets")
    assert len(rows) == 2
    await store.intents.forget_payloads(None, NOON + timedelta(days=1), 10, 10)
    assert len(await store.read("select target from targets")) == 1
    assert await same(store, second) == []
