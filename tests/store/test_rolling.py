"""Rolling upgrades: servers of the old release continue after a new one migrated the database, so a migration only
adds. Exceptions are listed here and in the release notes.
"""

import re
from importlib.resources import files

import pytest

from signoff.core.errors import Refused
from signoff.engine.clock import FixedClock
from signoff.store.migrate import migrations
from signoff.store.opening import open_store
from tests.builders import START
from tests.store.schema import tables
from tests.web.web_env import web_env

FIRST = 25  # the first migration that came after rolling upgrades were promised
# What adds, and what an older server does not notice.
ADDITIONS = (
    r"create table \w+ \(.*\)(?: strict)?(?:, without rowid)?(?: with \(.*\))?",
    r"create (?:unique )?index \w+ on \w+ .*",
    r"alter table \w+ add column \w+ .*(?:default .*|(?<!not )null.*|bigint|integer)",
)
# Rows that are derived from others and written again in the same transaction.
REFILLED = {(26, "delete from worklist")}
NOTHING = "select 1"  # a driver refuses an empty script; the rows are rebuilt by code
# Migrations before which all servers have to be stopped, with the reason.
STOPPING: dict[int, str] = {
    33: "the shard becomes part of the keys, and an older server's inserts name the former keys",
}


def statements(script: str) -> list[str]:
    plain = re.sub(r"--[^\n]*", "", script)
    return [" ".join(one.split()) for one in plain.split(";") if one.strip()]


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_migrations_only_add(dialect: str) -> None:
    for migration in migrations(dialect):
        if migration.version < FIRST or migration.version in STOPPING:
            continue
        for statement in statements(migration.script):
            added = any(re.fullmatch(pattern, statement, re.IGNORECASE) for pattern in ADDITIONS)
            assert added or statement == NOTHING or (migration.version, statement) in REFILLED, (
                migration.version,
                statement,
            )
            if " not null" in statement and statement.startswith("alter table"):
                assert " default " in statement, "an older server inserts rows without it"


def test_both_databases_have_every_migration() -> None:
    names = {
        file.name for file in (files("signoff.store") / "migrations").iterdir() if file.name.endswith(".sql")
    }
    assert {name.partition(".")[0] for name in names if ".sqlite." in name} == {
        name.partition(".")[0] for name in names if ".postgres." in name
    }


async def test_server_continues_while_columns_are_added(own_url: str) -> None:
    """No statement of this release depends on the absence of other columns."""
    clock = FixedClock(START)
    store = open_store(own_url, wall=clock.wall, clock=clock.of, hear=clock.hear)
    await store.open()
    try:
        async with web_env(store, clock) as web:
            before = await web.at_gate()
            for table in await tables(store):
                kind = "text" if own_url.startswith("sqlite") else 'text collate "C"'
                await store.write((f"alter table {table} add column later {kind} not null default 'x'", {}))
            assert (await web.answer(before[1])).status == 200
            intent, task = await web.at_gate()
            assert (await web.answer(task)).status == 200
            assert await web.status(intent) == "COMPLETED"
            assert (await web.post("/v1/people", {"email": "new@acme.example"}, "oscar")).status == 200
            assert (
                await web.call("PUT", "/v1/teams/t", {"members": ["ann@acme.example"]}, "oscar")
            ).status == 200
            for path in (
                "/v1/people",
                "/v1/changes",
                "/v1/keys",
                "/v1/channels",
                f"/v1/intents/{intent}/audit",
            ):
                assert (await web.get(path, "oscar")).status == 200, path
            await web.env.loops["retention"]._once()
    finally:
        await store.close()


async def test_server_does_not_start_on_a_newer_schema(own_url: str) -> None:
    clock = FixedClock(START)
    store = open_store(own_url, wall=clock.wall)
    await store.open()
    later = "insert into schema_version (version, name, applied_at) values (9999, 'later', 0)"
    await store.write((later, {}))
    await store.close()
    again = open_store(own_url, wall=clock.wall)
    with pytest.raises(Refused) as refused:
        await again.open()
    assert refused.value.code == "schema_newer"
    await again.close()
