"""Requests and costs of agents are counted exactly, on both databases."""

import asyncio

from signoff.core.directory.agent_limits import AgentLimits, Report, Usage
from signoff.store.store import Store
from tests.conftest import NOON
from tests.store.samples import patiently

BOT = "agent://acme/prod/bot"


async def take(store: Store, limits: AgentLimits, day: int = 7, hour: int = 9) -> bool:
    return await store.usage.take("w", BOT, limits, day, hour)


async def used(store: Store, day: int = 7, days: int = 1, agent: str = "") -> Usage:
    return (await store.usage.of("w", day, days, agent)).get(BOT, Usage())


async def test_requests_are_limited_per_day_and_hour(store: Store) -> None:
    limits = AgentLimits(per_day=3, per_hour=2)
    assert [await take(store, limits) for _ in range(3)] == [True, True, False]
    assert [await take(store, limits, hour=10) for _ in range(2)] == [True, False], "three in this day"
    assert (await used(store)).given == 3
    assert await take(store, limits, day=8, hour=10)
    assert await store.usage.take("other", BOT, limits, 7, 9)
    assert [await take(store, AgentLimits(), day=9) for _ in range(9)] == [True] * 9


async def test_concurrent_requests_do_not_exceed_the_limit(store: Store) -> None:
    limits = AgentLimits(per_day=3)

    async def one() -> bool:
        return await take(store, limits)

    assert sum(await asyncio.gather(*(patiently(one) for _ in range(9)))) == 3


async def test_request_recorded_late_counts_into_the_current_hour(store: Store) -> None:
    limits = AgentLimits(per_hour=2)
    assert await take(store, limits, hour=10)
    assert await take(store, limits, hour=9)
    assert not await take(store, limits, hour=10)


async def test_released_request_can_be_taken_again(store: Store) -> None:
    limits = AgentLimits(per_day=1, per_hour=1)
    assert await take(store, limits)
    await store.usage.give_back("w", BOT, 7, 9)
    assert await take(store, limits)
    await store.usage.give_back("w", BOT, 7, 8)
    assert await used(store) == Usage(given=0, hour=9, this_hour=1), "another hour's count is unchanged"


async def test_reports_are_summed_and_a_repeated_one_is_not(store: Store) -> None:
    report = Report(total=3, succeeded=2, failed=1, latency=30.0, cost=1_500_000, id="t1")
    for one in (report, report, Report(total=1, latency=10.0, cost=500_000), Report(total=1)):
        await store.usage.report("w", BOT, 7, one, NOON)
    found = await used(store)
    assert (found.total, found.succeeded, found.failed) == (5, 2, 1)
    assert (found.average_latency, found.dollars, found.reported_at) == (8.0, 2.0, NOON)
    await store.usage.report("w", BOT, 1, Report(total=10), NOON)
    assert (await used(store)).total == 5
    assert (await used(store, days=7)).total == 15
    assert (await used(store, days=6, agent=BOT)).total == 5
    assert await store.usage.of("w", 7, 1, "agent://acme/prod/other") == {}


async def test_reported_cost_counts_towards_the_limit_of_the_day(store: Store) -> None:
    limits = AgentLimits(cost_per_day=5_000_000_000_000)
    await store.usage.report("w", BOT, 7, Report(cost=4_999_999_999_999), NOON)
    assert await take(store, limits)
    await store.usage.report("w", BOT, 7, Report(cost=1), NOON)
    assert not await take(store, limits)
    assert await take(store, limits, day=8)
