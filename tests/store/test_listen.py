"""Wake-ups between servers are hints; a server is told when it may have missed some."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signoff.store.opening import open_store
from signoff.store.postgres.listen import LONGEST, payloads
from signoff.store.store import Store
from tests.conftest import FixedClock
from tests.store.proxy import Wire

PATIENCE = 60.0  # a guard against hanging


class Ear:
    """Collects what a server received, and waits for it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, words: list[str]) -> None:
        self.words += words
        self._news.set()

    async def hears(self, word: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while word not in self.words:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def pair(postgres_url: str, clock: FixedClock) -> AsyncIterator[tuple[Store, Store]]:
    """Two servers on one database."""
    stores = [open_store(postgres_url, wall=clock.wall) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def test_announcement_reaches_other_servers_and_not_its_own(
    pair: tuple[Store, Store],
) -> None:
    here, there = Ear(), Ear()
    await pair[0].listen(here)
    await pair[1].listen(there)
    words = ["019c1c38-a401-7000-8000-000000000000", "agent:wsp_1:agent://local/default/ünï"]
    await pair[0].announce(words)
    await there.hears(words[1])
    await pair[1].announce(["back"])
    await here.hears("back")
    assert there.words == words
    assert here.words == ["back"]
    assert (pair[0].listening, pair[1].listening) == (True, True)
    await pair[0].close()
    assert not pair[0].listening


@pytest.mark.parametrize("kind", ["postgres without notifications", "sqlite"])
async def test_no_announcement_arrives_without_notification_support(
    kind: str, postgres_url: str, tmp_path: Path, clock: FixedClock
) -> None:
    url = f"sqlite:///{tmp_path}/signoff.db" if kind == "sqlite" else postgres_url
    store = open_store(url, wall=clock.wall, listen=kind == "sqlite")
    await store.open()
    ear = Ear()
    await store.listen(ear)
    await store.announce(["word"])
    assert ear.words == []
    assert not store.listening
    await store.close()


async def test_lost_connection_announces_that_anything_may_have_changed(
    empty_postgres_url: str, clock: FixedClock
) -> None:
    wire = Wire(empty_postgres_url)
    await wire.mend()
    deaf = open_store(wire.url, wall=clock.wall)
    loud = open_store(empty_postgres_url, wall=clock.wall)
    await deaf.open()
    await loud.open()
    ear = Ear()
    await deaf.listen(ear)
    await loud.announce(["before"])
    await ear.hears("before")
    await wire.cut()
    await loud.announce(["missed"])
    await wire.mend()
    await ear.hears("")
    await loud.announce(["after"])
    await ear.hears("after")
    assert "missed" not in ear.words
    await deaf.close()
    await loud.close()
    await wire.cut()


def test_topics_are_packed_into_as_few_notifications_as_possible() -> None:
    assert list(payloads([])) == []
    assert list(payloads(["a", "b", "a"])) == ["a\nb"]
    many = [f"{n:036}" for n in range(1000)]
    packed = list(payloads(many))
    assert [word for payload in packed for word in payload.split("\n")] == many
    assert max(len(payload) for payload in packed) <= LONGEST
    assert len(packed) == 5
    assert list(payloads(["x" * 9000])) == [""]
