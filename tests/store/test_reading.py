"""Reads return committed states, bounded lists and stable pages."""

from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind
from signoff.core.intent.model import Intent, Requester
from signoff.store.store import Store
from signoff.store.transaction import Filter, Locks, Stored
from tests.conftest import NOON
from tests.store.samples import (
    AGENT,
    NOTHING,
    SECOND,
    WS,
    final,
    leave,
    move,
    ready,
    submission,
    submit,
    together,
    waiting,
)

ASKER = "agent://local/default/asker"


def ids(found: list[Stored]) -> list[str]:
    return [stored.intent.id for stored in found]


def by(requester: str) -> Requester:
    return Requester(ActorKind.SERVICE, requester)


async def test_history_is_in_order_and_continues_after_a_seq(store: Store) -> None:
    [one] = await submit(store, waiting())
    for _ in range(4):
        stored = await store.intents.get(one.id)
        assert stored is not None
        await store.transact(Locks(ids=(one.id,)), leave(move(stored.intent)))
    assert [event.seq for event in await store.intents.history(one.id)] == [1, 2, 3, 4, 5]
    assert [event.seq for event in await store.intents.history(one.id, after=2, limit=2)] == [3, 4]
    assert await store.intents.history(one.id, after=5) == []


async def test_many_histories_are_read_together_completely(store: Store) -> None:
    ones = await submit(store, *(ready() for _ in range(5)))
    for moves, one in enumerate(ones):
        for _ in range(moves):
            stored = await store.intents.get(one.id)
            assert stored is not None
            await store.transact(Locks(ids=(one.id,)), leave(move(stored.intent)))
    wanted = [one.id for one in ones]
    whole = {id: await store.intents.whole_history(id) for id in wanted}
    assert [len(whole[id]) for id in wanted] == [1, 2, 3, 4, 5]
    for at_most in (4000, 15, 7, 2, 1):
        parts = [part async for part in store.intents.histories(wanted, at_most)]
        assert {id: rows for part in parts for id, rows in part.items()} == whole
        # what is in memory at a time: one read, and the rest of its last history
        assert max(sum(map(len, part.values())) for part in parts) <= at_most + 4
    assert [part async for part in store.intents.histories(wanted[:1])] == [{wanted[0]: whole[wanted[0]]}]
    assert [part async for part in store.intents.histories([])] == []


async def test_pages_are_newest_first_without_gap_or_overlap(store: Store) -> None:
    ones = await submit(store, *(ready() for _ in range(7)))
    await submit(store, ready(workspace="wsp_2"))
    newest = [one.id for one in reversed(ones)]
    first = ids(await store.intents.page(Filter(workspace=WS, limit=3)))
    await submit(store, ready())  # comes in between: it belongs to no later page
    second = ids(await store.intents.page(Filter(workspace=WS, before=first[-1], limit=3)))
    third = ids(await store.intents.page(Filter(workspace=WS, before=second[-1], limit=3)))
    assert first + second + third == newest


async def test_page_contains_only_what_its_filter_matches(store: Store) -> None:
    a = ready(type="intent.a.v1", requester=by("sa_a"), to_agent=AGENT)
    b = waiting(type="intent.b.v1", requester=by("sa_b"))
    c = waiting(NOON + SECOND, type="intent.a.v1", requester=by("sa_b"), to_agent=ASKER)
    await submit(store, a, b, c)

    async def shown(**fields: object) -> list[str]:
        wanted = Filter(workspace=WS, **fields)  # type: ignore[arg-type]
        return ids(await store.intents.page(wanted))

    assert await shown() == [c.id, b.id, a.id]
    assert await shown(statuses=("WAITING",)) == [c.id, b.id]
    assert await shown(statuses=("WAITING", "DELIVERED")) == [c.id, b.id, a.id]
    assert await shown(type="intent.a.v1") == [c.id, a.id]
    assert await shown(requester="sa_b") == [c.id, b.id]
    assert await shown(involved="sa_b") == [c.id, b.id]
    assert await shown(involved=AGENT) == [a.id]
    assert await shown(involved=ASKER, statuses=("DELIVERED",)) == []
    assert await shown(older_than=NOON + SECOND) == [b.id, a.id]
    assert await shown(
        involved="sa_b", before=c.id, limit=1, type="intent.b.v1", older_than=NOON + SECOND
    ) == [b.id]


async def test_intent_sent_to_oneself_is_listed_once(store: Store) -> None:
    [one] = await submit(store, ready(requester=by(AGENT), to_agent=AGENT))
    assert ids(await store.intents.page(Filter(workspace=WS, involved=AGENT))) == [one.id]


async def test_inbox_contains_intents_addressed_or_answered_to_its_owner(store: Store) -> None:
    asked, told, other = await submit(
        store, ready(reply_to=ASKER), ready(to_agent=ASKER), ready(to_agent=AGENT)
    )
    await submit(store, ready(reply_to=ASKER, workspace="wsp_2"))
    assert ids(await store.intents.inbox(WS, ASKER, 10)) == [told.id, asked.id]
    assert ids(await store.intents.inbox(WS, ASKER, 1)) == [told.id]
    assert ids(await store.intents.inbox(WS, AGENT, 10)) == [other.id]


async def test_open_tasks_are_listed_oldest_first(store: Store) -> None:
    one, two, _, three = await submit(store, waiting(), waiting(), ready(), waiting())
    await submit(store, waiting(workspace="wsp_2"))
    assert ids(await store.intents.open_tasks(WS)) == [one.id, two.id, three.id]
    assert ids(await store.intents.open_tasks(WS, after=one.id, limit=1)) == [two.id]
    await store.transact(Locks(ids=(one.id,)), leave(move(final(one))))
    assert ids(await store.intents.open_tasks(WS)) == [two.id, three.id]


async def test_all_ids_can_be_read_in_order(store: Store) -> None:
    ones = await submit(store, waiting(), waiting(workspace="wsp_2"), waiting())
    assert await store.intents.ids(limit=2) == [one.id for one in ones[:2]]
    assert await store.intents.ids(after=ones[1].id) == [ones[2].id]


async def test_only_intents_final_before_the_time_are_deleted_with_all_their_rows(store: Store) -> None:
    old, older, open_still, young = (
        _final(NOON),
        _final(NOON - SECOND),
        waiting(NOON - SECOND),
        _final(NOON + SECOND),
    )
    every = (old, older, open_still, young)
    await store.transact(NOTHING, leave(together(*(submission(one) for one in every))))
    assert await store.intents.forget(NOON + SECOND, 1) == 1
    assert await store.intents.get(older.id) is None
    assert await store.intents.forget(NOON + SECOND, 10) == 1
    assert await store.intents.forget(NOON + SECOND, 10) == 0
    assert await store.intents.ids() == sorted([open_still.id, young.id])
    for table in ("events", "submissions"):
        rows = await store.read(f"select intent_id from {table} order by 1")
        assert [row[0] for row in rows] == sorted([open_still.id, young.id])


def _final(at: object) -> Intent:
    return replace(final(waiting(at)), updated_at=at)  # type: ignore[arg-type]
