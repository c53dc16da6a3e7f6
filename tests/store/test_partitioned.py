"""PostgreSQL with intent tables partitioned by shard. ``conftest`` also runs the store's contract on it."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from signoff.core.ids import shard
from signoff.engine.clock import FixedClock
from signoff.store import sql
from signoff.store.bulk_writes import WriteBatch
from signoff.store.dialect import for_postgres
from signoff.store.opening import open_store
from signoff.store.postgres import statements as own
from signoff.store.postgres.connections import Address
from signoff.store.rows import by_id
from tests.builders import START
from tests.fixtures.old import Old
from tests.live import Live
from tests.store.partitioned import PARTITIONS, partition, run_script
from tests.store.samples import ONE, ready, submit
from tests.store.schema import dump
from tests.store.test_portable_sql import HOT
from tests.stories.servers import signoff
from tests.web.web_env import web_env

_PARTITIONED = "select relname from pg_class where relkind = 'p' order by relname"


async def rows(url: str, query: str) -> list[Any]:
    db = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await db.fetch(query)]
    finally:
        await db.close()


async def test_script_partitions_exactly_the_tables_of_intents(empty_postgres_url: str) -> None:
    whole = open_store(empty_postgres_url, wall=FixedClock(START).wall)
    await whole.open()
    before = await dump(whole)
    await whole.close()
    await run_script(empty_postgres_url)
    assert [name for (name,) in await rows(empty_postgres_url, _PARTITIONED)] == sorted(HOT)
    await run_script(empty_postgres_url)  # changes nothing
    store = open_store(empty_postgres_url, wall=FixedClock(START).wall)
    await store.open()
    after = await dump(store)
    await store.close()
    # The tables, their columns, keys and checks are the same, apart from those of the partitions.
    lines = [line.replace(" ONLY ", " ") for line in after.splitlines() if not re.search(r"_\d+(_|\b)", line)]
    assert sorted(lines) == sorted(before.splitlines())


@pytest.mark.parametrize("parts", ["1", "257"])
async def test_too_few_or_too_many_partitions_are_refused(empty_postgres_url: str, parts: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match=f"signoff.partitions is {parts}: choose 2 to 256."):
        await partition(empty_postgres_url, int(parts))


async def test_rows_are_kept_and_spread_over_the_partitions_by_shard(empty_postgres_url: str) -> None:
    store = open_store(empty_postgres_url, wall=FixedClock(START).wall)
    await store.open()
    made = await submit(store, *(ready() for _ in range(20)))
    await store.close()
    await run_script(empty_postgres_url)
    found = await rows(
        empty_postgres_url, "select id, shard, tableoid::regclass::text from intents order by id"
    )
    assert found == [
        (one.id, shard(one.id), f"intents_{shard(one.id) * PARTITIONS // 256}")
        for one in sorted(made, key=lambda one: one.id)
    ]


async def test_intent_is_searched_in_one_partition(empty_postgres_url: str) -> None:
    await partition(empty_postgres_url)
    db = await asyncpg.connect(empty_postgres_url, server_settings=Address(empty_postgres_url).settings)
    try:
        values = {**by_id(ONE), "after": 0, "limit": 1, "parties": ["p"], "workspace": "w"}
        for statement in (sql.STORED_ONE, sql.HISTORY, sql.OLD_PAYLOADS, sql.LISTED_UNDER):
            text, names = for_postgres(statement)
            plan = await _executed(db, text, [values[name] for name in names])
            assert f"_{shard(ONE) * PARTITIONS // 256}" in plan
            assert len(set(re.findall(r" on \w+_(\d)\b", plan))) == 1, plan
        saved = own.save(WriteBatch(resubmissions=[(ONE, shard(ONE), b"{}")]), [], 0)
        assert saved is not None
        plan = await _executed(db, *saved)
        others = [line for line in plan.splitlines() if "Index Scan" in line and "never executed" not in line]
        assert len(others) == 1, plan
    finally:
        await db.close()


async def _executed(db: Any, text: str, values: list[Any]) -> str:
    """The plan of a prepared statement with a generic plan, which servers use."""
    return "\n".join(row[0] for row in await db.fetch(f"explain (analyze, costs off) {text}", *values))


async def test_partitioned_requests_are_processed_decided_and_deleted(empty_postgres_url: str) -> None:
    await partition(empty_postgres_url)
    clock = FixedClock(START)
    store = open_store(empty_postgres_url, wall=clock.wall, clock=clock.of, hear=clock.hear)
    await store.open()
    try:
        async with web_env(store, clock) as web:
            done = []
            for outcome, status in (("approved", "COMPLETED"), ("rejected", "FAILED")):
                intent, task = await web.at_gate()
                assert (await web.answer(task, outcome)).status == 200
                assert await web.status(intent) == status
                assert (await web.get(f"/v1/intents/{intent}/audit", "aud"))["verified"]
                done.append(intent)
            claimable = await web.send()
            taken = await web.post("/v1/agents/validator/deliveries/claim", {"holder": "w"}, "agent")
            assert [one["intent_id"] for one in taken["deliveries"]] == [claimable]
            assert await web.env.findings() == []
            clock.move(timedelta(days=2))
            while await web.env.store.outbox.due(100, timedelta(0)):
                await web.env.store.outbox.done(await web.env.store.outbox.due(100, timedelta(0)))
            assert await store.intents.forget(clock.now() - timedelta(days=1), 10) == len(done)
            assert await store.intents.ids() == [claimable]
    finally:
        await store.close()


async def test_database_of_an_earlier_release_is_partitioned_and_serves_a_real_server(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    old = await Old(empty_postgres_url).unpack()
    await partition(old.url)
    live = Live(tmp_path / "data", old.url, console_notifications="off")

    def approve() -> None:
        request = {"intent_type": "guarded.v1", "payload": {"new": 1}}
        intent_id = live.call("POST", "/v1/intents", request, old.keys["ci"])[1]["intent_id"]
        task_id = f"{intent_id[:-4]}0001"
        for who in ("ann", "otto"):
            task = live.call("GET", f"/v1/tasks/{task_id}", None, old.keys[who])[1]["task"]
            answer = {"outcome": "approved", "digest": task["digest"], "revision": task["revision"]}
            assert live.call("POST", f"/v1/tasks/{task_id}/answer", answer, old.keys[who])[0] == 200
        found = live.call("GET", f"/v1/intents/{intent_id}", None, old.keys["ci"])[1]
        assert found["status"] == "COMPLETED", found

    await asyncio.to_thread(live.start)
    try:
        await asyncio.to_thread(approve)
        doctor = ("doctor", "--data", str(live.data), "--database", old.url, "--output", "json")
        keys = {"SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": old.keys["oscar"]}
        done = await asyncio.to_thread(signoff, tmp_path, *doctor, **keys)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [one for one in json.loads(done.stdout) if one["level"] == "problem"] == []
    finally:
        await asyncio.to_thread(live.stop)
    assert "Traceback" not in live.log.read_text(), live.log.read_text()
