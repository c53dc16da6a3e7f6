"""One row for each person, task and channel, deleted with its intent."""

from datetime import UTC, datetime, timedelta

from signoff.store import sql
from signoff.store.rows import by_ids
from signoff.store.store import Store
from tests.store.samples import ONE, TWO

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def test_views_are_counted_in_one_row(store: Store) -> None:
    for number in range(3):
        await store.views.add(ONE, 2, "per_ann", "web", AT + timedelta(minutes=number), number == 1)
    await store.views.add(ONE, 2, "per_ann", "api", AT, False)
    await store.views.add(ONE, 1, "per_otto", "web", AT - timedelta(minutes=1), False)
    await store.views.add(TWO, 1, "per_ann", "web", AT, False)
    found = await store.views.of(ONE)
    assert [(one.person, one.channel, one.times, one.unfolded) for one in found] == [
        ("per_otto", "web", 1, False),
        ("per_ann", "api", 1, False),
        ("per_ann", "web", 3, True),
    ]
    mine = await store.views.of_person(ONE, 2, "per_ann")
    assert [(one.channel, one.first_at, one.last_at) for one in mine] == [
        ("api", AT, AT),
        ("web", AT, AT + timedelta(minutes=2)),
    ]


async def test_views_of_a_person_belong_to_one_task(store: Store) -> None:
    for intent_id, step_run, person in (
        (ONE, 2, "per_ann"),
        (ONE, 1, "per_ann"),
        (ONE, 2, "per_otto"),
        (TWO, 2, "per_ann"),
    ):
        await store.views.add(intent_id, step_run, person, "web", AT, False)
    [mine] = await store.views.of_person(ONE, 2, "per_ann")
    assert (mine.step_run, mine.person) == (2, "per_ann")


async def test_views_are_listed_by_first_opening_up_to_a_limit(store: Store) -> None:
    for minute, person in enumerate(("per_rita", "per_otto", "per_ann")):
        await store.views.add(ONE, 2, person, "web", AT + timedelta(minutes=minute), False)
    await store.views.add(ONE, 2, "per_rita", "web", AT + timedelta(hours=1), False)
    assert [one.person for one in await store.views.of(ONE)] == ["per_rita", "per_otto", "per_ann"]
    assert [one.person for one in await store.views.of(ONE, 2)] == ["per_rita", "per_otto"]


async def test_views_are_deleted_with_their_intent(store: Store) -> None:
    await store.views.add(ONE, 2, "per_ann", "web", AT, False)
    statement = next(one for one in sql.FORGET if "views" in one)
    await store.write((statement, by_ids([ONE])))
    assert await store.views.of(ONE) == []


async def test_views_are_erased_with_their_person(store: Store) -> None:
    await store.views.add(ONE, 2, "per_ann", "web", AT, False)
    await store.views.add(ONE, 2, "per_otto", "web", AT, False)
    await store.views.erase("per_ann")
    assert [one.person for one in await store.views.of(ONE)] == ["per_otto"]
