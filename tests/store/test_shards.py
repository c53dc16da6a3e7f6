"""The shard that a migration computes for old rows equals ``core.ids.shard``, on both databases."""

import os
from typing import Final

import apsw
import asyncpg

from signoff.core.ids import new_intent_id, shard
from signoff.engine.clock import FixedClock
from signoff.store.migrate import VERSION_TABLE, migrations
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.builders import START

BEFORE: Final = 32  # the last schema in which these tables lack the column
ROWS: Final = {
    "targets": "'{id}', 'w', 't'",
    "showings": "'{id}', 'per_ann', 1, 0, 1",
    "views": "'{id}', 1, 'per_ann', 'web', 1, 2, 3, 1",
    "uses": "'{id}', 'deploy', 'sa_ci', 1",
    "unread": "'w', 'agent://a/b/c', '{id}', 2, 1",
}
REPLY: Final = "insert into replies values ('w', 'a', 'r', '{key}', 'f', {body}, 1, {id}, 1)"


async def formerly(url: str, ids: list[str]) -> None:
    """Change the database to the schema before the migration, with a row for each id in each table."""
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    known = [one for one in migrations(kind) if one.version <= BEFORE]
    scripts = [VERSION_TABLE, *(one.script for one in known)]
    scripts += [f"insert into schema_version values ({one.version}, '{one.name}', 0)" for one in known]
    scripts += [
        f"insert into {table} values ({row.format(id=id)})" for table, row in ROWS.items() for id in ids
    ]
    body = "x''" if kind == "sqlite" else "''"
    scripts += [REPLY.format(key=id, body=body, id=f"'{id}'") for id in ids]
    scripts.append(REPLY.format(key="none", body=body, id="null"))
    if kind == "sqlite":
        file = apsw.Connection(url.removeprefix("sqlite:///"))
        for script in scripts:
            file.execute(script)
        file.close()
        return
    db = await asyncpg.connect(url)
    for script in scripts:
        await db.execute(script)
    await db.close()


async def test_earlier_rows_get_the_shard_of_their_intent(own_url: str) -> None:
    every = [new_intent_id(1, os.urandom(3) + bytes([0, byte]) + bytes(5)) for byte in range(256)]
    ids = [f"{id[:24]}{number:02x}{id[26:]}" for number, id in enumerate(every)]
    await formerly(own_url, [*ids, "odd"])
    store = open_store(own_url, wall=FixedClock(START).wall)
    await store.open()
    try:
        for table in (*ROWS, "replies"):
            found = dict(await _shards(store, table))
            assert found.pop("odd") == 0, table  # for the doctor; the migration does not end on it
            assert found.pop(None, None) is None
            assert found == {id: shard(id) for id in ids}, table
        assert set(await _shards(store, "replies")) >= {(None, None)}
        [view] = await store.views.of(ids[77])
        assert (view.step_run, view.person, view.channel, view.times, view.unfolded) == (
            1,
            "per_ann",
            "web",
            3,
            True,
        )
    finally:
        await store.close()


async def _shards(store: Store, table: str) -> list[tuple[str | None, int | None]]:
    return [(row[0], row[1]) for row in await store.read(f"select intent_id, shard from {table}")]
