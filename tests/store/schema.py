"""The schema that the database reports, for comparison with the reviewed dump. ``python -m tests.store.schema``
rewrites the dumps.
"""

import asyncio
import re
import tempfile
from pathlib import Path

from signoff.store.opening import open_store
from signoff.store.sqlite.store import SqliteStore
from signoff.store.store import Store
from tests.conftest import FixedClock
from tests.databases import create_database, postgres

_SQLITE = "select type, name, sql from sqlite_schema where sql is not null order by type desc, name"
_COLUMNS = """
select table_name, column_name, data_type, coalesce(collation_name, ''), is_nullable
from information_schema.columns where table_schema = current_schema() order by table_name, ordinal_position
"""
_INDEXES = "select indexdef from pg_indexes where schemaname = current_schema() order by indexdef"
_CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = current_schema()::regnamespace and contype <> 'n' order by 1, 2
"""


async def dump(store: Store) -> str:
    """Tables, columns, indexes and constraints, one per line."""
    if isinstance(store, SqliteStore):
        rows = await store.read(_SQLITE)
        return "".join(f"{row[2]};\n" for row in rows)
    parts = [await store.read(_COLUMNS), await store.read(_INDEXES), await store.read(_CONSTRAINTS)]
    return "\n".join("".join(" | ".join(row) + "\n" for row in part) for part in parts)


async def tables(store: Store) -> list[str]:
    """The names of all tables except that of the migrations."""
    found = re.findall(r'^CREATE TABLE "?(\w+)', await dump(store), re.MULTILINE)
    if found:
        return [name for name in found if name != "schema_version"]
    query = "select table_name from information_schema.tables where table_schema = current_schema()"
    return [row[0] for row in await store.read(query) if row[0] != "schema_version"]


def stored_dump(store: Store) -> str:
    return _file(store).read_text(encoding="utf-8")


def _file(store: Store) -> Path:
    kind = "sqlite" if isinstance(store, SqliteStore) else "postgres"
    return Path(__file__).with_name(f"schema.{kind}.txt")


async def _write(url: str) -> None:
    clock = FixedClock()
    store = open_store(url, wall=clock.wall)
    await store.open()
    _file(store).write_text(await dump(store), encoding="utf-8")
    await store.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_write(f"sqlite:///{folder}/schema.db"))
    with postgres() as server:
        asyncio.run(_write(asyncio.run(create_database(server, "signoff_schema"))))


if __name__ == "__main__":
    main()
