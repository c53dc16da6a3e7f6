"""Creates very many open tasks: one task, made through the API, is copied into the tables under new ids while the
server is stopped. Each copy is as large as the original, but its hash chain does not verify.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw
import asyncpg

from bench.place import Place
from signoff.core.ids import new_intent_id, shard

_BATCH: Final = 10_000
_TABLES: Final = {"intents": "id", "submissions": "intent_id", "events": "intent_id", "worklist": "intent_id"}
Rows = dict[str, tuple[list[str], list[Sequence[Any]]]]


def seed(place: Place, intent_id: str, count: int) -> list[str]:
    """Copy the task ``count`` times; returns the new ids. The server must be stopped."""
    millis = int(intent_id.replace("-", "")[:12], 16)
    ids = [new_intent_id(millis + number, os.urandom(10)) for number in range(count)]
    if place.cluster is None:
        _into_sqlite(place, intent_id, ids)
    else:
        asyncio.run(_into_postgres(place, intent_id, ids))
    return ids


def size(place: Place) -> int:
    """The bytes on disk of all tables of intents, including indexes."""
    if place.cluster is None:
        path = place.live.data / "signoff.db"
        return sum(file.stat().st_size for file in path.parent.glob("signoff.db*"))
    return asyncio.run(_size(place.url))


async def _size(url: str) -> int:
    db = await asyncpg.connect(url)
    try:
        names = list(_TABLES)
        return int(
            await db.fetchval(
                "select sum(pg_total_relation_size(n::regclass)) from unnest($1::text[]) n", names
            )
        )
    finally:
        await db.close()


def _copies(row: Sequence[Any], old: str, new: str, later: int, columns: list[str]) -> tuple[Any, ...]:
    """A row with another id, its shard, and a slightly later next moment."""
    told = old.encode(), new.encode()
    return tuple(
        shard(new) if name == "shard"
        else value.replace(*told) if isinstance(value, bytes)
        else value.replace(old, new) if isinstance(value, str)
        else value + later * 1000 if name == "wake_at" and value is not None
        else value
        for name, value in zip(columns, row, strict=True)
    )  # fmt: skip


def _batches(ids: list[str]) -> Iterator[tuple[int, list[str]]]:
    for begin in range(0, len(ids), _BATCH):
        yield begin, ids[begin : begin + _BATCH]


def _filled(rows: Rows, table: str, old: str, begin: int, ids: list[str]) -> list[tuple[Any, ...]]:
    columns, templates = rows[table]
    return [
        _copies(row, old, new, begin + number, columns) for number, new in enumerate(ids) for row in templates
    ]


def _into_sqlite(place: Place, old: str, ids: list[str]) -> None:
    db = apsw.Connection(str(place.live.data / "signoff.db"))
    db.execute("pragma synchronous = off")
    rows: Rows = {}
    for table, key in _TABLES.items():
        cursor = db.execute(f"select * from {table} where {key} = ?", (old,))
        found = list(cursor)
        rows[table] = (
            [name for name, *_ in db.execute(f"select name from pragma_table_info('{table}')")],
            found,
        )
    for begin, some in _batches(ids):
        with db:
            for table, (columns, _) in rows.items():
                marks = ", ".join("?" * len(columns))
                db.executemany(
                    f"insert into {table} values ({marks})", _filled(rows, table, old, begin, some)
                )
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


async def _into_postgres(place: Place, old: str, ids: list[str]) -> None:
    db = await asyncpg.connect(place.url)
    try:
        rows: Rows = {}
        for table, key in _TABLES.items():
            found = await db.fetch(f"select * from {table} where {key} = $1", old)
            rows[table] = list(found[0].keys()), [tuple(row.values()) for row in found]
        for begin, some in _batches(ids):
            for table, (columns, _) in rows.items():
                records = _filled(rows, table, old, begin, some)
                await db.copy_records_to_table(table, records=records, columns=columns)
        await db.execute("vacuum analyze")
        await db.execute("checkpoint")
    finally:
        await db.close()
