"""A terminal's sign-in request is decided once, and its key is fetched once, on both databases."""

import asyncio
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from signoff.core.directory.model import DeviceLogin
from signoff.store.store import Store
from tests.conftest import NOON
from tests.store.samples import patiently

ASKED = DeviceLogin(
    "d1", "c1", "ann-laptop", "signoff-cli/0.1.0", "192.0.2.1", "pending", NOON, NOON + timedelta(minutes=10)
)
ALLOWED = replace(ASKED, state="allowed", workspace="wsp_1", person="per_ann", life=86400)
DENIED = replace(ALLOWED, state="denied", life=0)


async def test_device_login_is_found_by_each_of_its_codes(store: Store) -> None:
    assert await store.sessions.add_device_login(ASKED)
    assert await store.sessions.device_login("d1") == ASKED
    assert await store.sessions.device_login_by_code("c1") == ASKED
    assert await store.sessions.device_login("c1") is None
    assert not await store.sessions.add_device_login(replace(ASKED, id="d2")), "the code is taken"


async def test_one_of_many_concurrent_decisions_is_recorded(store: Store) -> None:
    rows = store.sessions
    await rows.add_device_login(ASKED)
    each = [partial(rows.decide_device_login, (ALLOWED, DENIED)[n % 2], NOON) for n in range(8)]
    assert sorted(await asyncio.gather(*map(patiently, each))) == [False] * 7 + [True]
    assert await rows.device_login("d1") in (ALLOWED, DENIED)


async def test_one_of_many_terminals_fetches_the_key(store: Store) -> None:
    rows = store.sessions
    await rows.add_device_login(ASKED)
    assert not await rows.take_device_login("d1", NOON), "nobody has allowed it"
    await rows.decide_device_login(ALLOWED, NOON)
    each = [partial(rows.take_device_login, "d1", NOON)] * 8
    assert sorted(await asyncio.gather(*map(patiently, each))) == [False] * 7 + [True]


async def test_expired_device_login_is_neither_decided_nor_fetched(store: Store) -> None:
    rows = store.sessions
    await rows.add_device_login(ASKED)
    assert not await rows.decide_device_login(ALLOWED, ASKED.expires_at)
    await rows.decide_device_login(ALLOWED, NOON)
    assert not await rows.take_device_login("d1", ASKED.expires_at)
    assert await rows.forget(ASKED.expires_at - timedelta(seconds=1), 50) == 0
    assert await rows.forget(ASKED.expires_at, 50) == 1
    assert await rows.device_login("d1") is None
