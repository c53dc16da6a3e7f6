"""Limits of one key: requests a second, open streams, open intents."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind, system
from signoff.core.errors import TooMany
from signoff.core.intent.commands import Cancel
from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.engine.identity.rate_limit import Limit
from tests.builders import SERVICE as SENDER
from tests.builders import START, WORKSPACE
from tests.engine.engine_env import EngineEnv, settle

AGENT = Actor(ActorKind.AGENT, "agent_1", WORKSPACE, address="agent://acme/prod/runner")
OTHER = Actor(ActorKind.AGENT, "agent_2", WORKSPACE, address="agent://acme/prod/other")
SERVICE = Actor(ActorKind.SERVICE, "sa_1", WORKSPACE, sponsors=("per_else",))


def asked(admission: Admission, actor: Actor, times: int, now: float) -> int:
    """How many of this many simultaneous requests are admitted."""
    taken = 0
    for _ in range(times):
        try:
            admission.request(actor, now)
        except TooMany:
            continue
        taken += 1
    return taken


def test_requests_are_limited_to_a_rate_after_a_burst() -> None:
    admission = Admission(KeyLimits(rate=10))
    assert asked(admission, AGENT, 100, 0.0) == 50
    assert asked(admission, AGENT, 100, 0.1) == 1
    assert asked(admission, AGENT, 100, 1.1) == 10
    assert asked(admission, AGENT, 100, 1000.0) == 50
    assert asked(admission, OTHER, 100, 0.0) == 50
    with pytest.raises(TooMany) as refused:
        admission.request(AGENT, 1000.0)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_requests", 1)


def test_services_have_their_own_limits_and_the_system_has_none() -> None:
    admission = Admission(KeyLimits(rate=1, streams=1, rate_services=0))
    assert asked(admission, SERVICE, 500, 0.0) == 500
    assert asked(admission, system(WORKSPACE), 500, 0.0) == 500
    assert asked(Admission(KeyLimits(rate_services=2)), SERVICE, 500, 0.0) == 10
    assert asked(Admission(KeyLimits()), AGENT, 500, 0.0) == 500


def test_person_on_the_pages_is_counted_separately_from_their_keys() -> None:
    by_key = Actor(ActorKind.PERSON, "per_ann", WORKSPACE, via="api")
    admission = Admission(KeyLimits(rate=10, streams=1))
    assert asked(admission, by_key, 100, 0.0) == 50
    assert asked(admission, replace(by_key, via="web"), 100, 0.0) == 50
    with admission.stream(by_key), admission.stream(replace(by_key, via="web")):
        assert asked(admission, by_key, 100, 0.0) == 0


def test_ended_stream_frees_a_slot() -> None:
    admission = Admission(KeyLimits(streams=2))
    with admission.stream(AGENT):
        with admission.stream(AGENT):
            with pytest.raises(TooMany), admission.stream(AGENT):
                pass
            with admission.stream(OTHER), admission.stream(SERVICE), admission.stream(SERVICE):
                pass
        with admission.stream(AGENT):
            pass


async def another(admission: Admission, actor: Actor) -> None:
    async with admission.another_intent(actor):
        pass


async def test_database_is_asked_only_when_the_limit_is_reached() -> None:
    looks: list[int] = []
    held = 0

    async def still_open(_workspace: str, _requester: str, most: int) -> int:
        looks.append(most)
        return held

    admission = Admission(KeyLimits(open=100), still_open)
    for _ in range(100):
        await another(admission, AGENT)
    assert looks == [100]
    held = 100
    with pytest.raises(TooMany) as refused:
        await another(admission, AGENT)
    assert refused.value.code == "too_many_open"
    held = 99
    await another(admission, AGENT)
    held = 100
    with pytest.raises(TooMany):
        await another(admission, AGENT)
    for _ in range(200):
        await another(admission, SERVICE)


@pytest.mark.parametrize("before", [0, 2])
async def test_intents_being_created_count_towards_the_limit(before: int) -> None:
    made = before

    async def still_open(_workspace: str, _requester: str, most: int) -> int:
        found = made
        await asyncio.sleep(0)
        return min(found, most)

    admission = Admission(KeyLimits(open=5), still_open)

    async def make() -> None:
        nonlocal made
        async with admission.another_intent(AGENT):
            for _ in range(3):
                await asyncio.sleep(0)
            made += 1
            await asyncio.sleep(0)

    for _ in range(3):
        tried = await asyncio.gather(*(make() for _ in range(40)), return_exceptions=True)
        assert all(one is None or isinstance(one, TooMany) for one in tried)
        assert made == 5


async def test_only_the_requesters_own_open_intents_count(env: EngineEnv) -> None:
    await settle(env)
    made = [await env.submit() for _ in range(3)]
    requester = made[0].requester.id
    count = env.store.intents.open_of
    assert [await count(WORKSPACE, requester, most) for most in (2, 3, 10)] == [2, 3, 3]
    assert await count(WORKSPACE, "somebody else", 10) == 0
    assert await count("another workspace", requester, 10) == 0
    await env.do(made[0].id, Cancel("enough"), SENDER)
    assert await count(WORKSPACE, requester, 10) == 2


def test_clock_set_back_blocks_nobody() -> None:
    limit = Limit(3, timedelta(minutes=15))
    ahead = START + timedelta(days=1)
    for now in (ahead, ahead, ahead, START, START, START):
        limit.check("ann", now)
    for now in (START, START - timedelta(minutes=1)):
        with pytest.raises(TooMany):
            limit.check("ann", now)


def test_requests_admitted_by_other_workers_count() -> None:
    here, there = Admission(KeyLimits(rate=10, streams=1)), Admission(KeyLimits(rate=10, streams=1))
    here.among_workers()
    there.among_workers()
    assert asked(here, AGENT, 50, 0.0) == 50
    with here.stream(AGENT):
        requests, made, streams = here.take_unsent()
        assert here.take_unsent() == ({}, {}, {})
        there.used_elsewhere(requests, made, 0.0)
        there.streams_elsewhere(0, streams)
        assert asked(there, AGENT, 1, 0.0) == 0
        assert asked(there, AGENT, 20, 1.0) == 10
        with pytest.raises(TooMany), there.stream(AGENT):
            pass
    there.streams_elsewhere(0, here.take_unsent()[2])
    with there.stream(AGENT):
        pass


def test_streams_of_an_ended_worker_are_released() -> None:
    here = Admission(KeyLimits(streams=1))
    here.streams_elsewhere(1, {AGENT.id: 1})
    with pytest.raises(TooMany), here.stream(AGENT):
        pass
    here.worker_ended(1)
    with here.stream(AGENT):
        pass


def test_attempts_at_other_workers_count() -> None:
    here, there = Limit(2, timedelta(minutes=1)), Limit(2, timedelta(minutes=1))
    here.among_workers()
    here.check("a", START)
    here.check("a", START)
    there.count_elsewhere(here.take_unsent(), START)
    assert here.take_unsent() == []
    with pytest.raises(TooMany):
        there.check("a", START)
    there.check("b", START)
