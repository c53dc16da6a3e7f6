"""The change log: numbered in the order of writing, and indexed by what was changed."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

import apsw
import asyncpg
import pytest
from msgspec import Struct
from msgspec.structs import replace

from signoff.core.directory.model import ChatPerson, DirectoryChange, Team, Workspace
from signoff.core.errors import Conflict
from signoff.core.plan.plan import AgentStep, Plan
from signoff.store.database import Database, Statement
from signoff.store.migrate import VERSION_TABLE, migrations
from signoff.store.opening import open_store
from signoff.store.rows import Plans, Row
from signoff.store.sqlite.store import SqliteStore
from signoff.store.store import Store
from signoff.store.tables.change_log import People
from tests.conftest import NOON, FixedClock
from tests.store.directory_samples import ANN, BOT, KEY, SPACE, workflow
from tests.store.samples import AGENT, patiently

OTHER = Workspace("wsp_2", "local", "other", True, NOON)


def change(
    id: str, subject: str = "team:sre", workspace: str = "wsp_1", at: datetime = NOON
) -> DirectoryChange:
    kind, _, name = subject.partition(":")
    return DirectoryChange(id, workspace, at, "person", "per_ann", "api", kind, name, subject, "", '{"x":1}')


@pytest.fixture
async def directory(store: Store) -> Store:
    assert await store.directory.add_workspace(SPACE)
    assert await store.directory.add_workspace(OTHER)
    return store


async def numbered(directory: Store, workspace: str = "wsp_1", **which: Any) -> list[tuple[int, str]]:
    return [(one.number, one.id) for one in await directory.people.changes(workspace, 100, **which)]


async def test_changes_of_a_workspace_are_numbered_in_the_order_written(directory: Store) -> None:
    await directory.people.save([change("z"), change("a"), change("m", workspace="wsp_2")])
    await directory.people.save([change("b"), change("n", "policy:p")])
    assert await numbered(directory) == [(4, "n"), (3, "b"), (2, "a"), (1, "z")]
    assert await numbered(directory, "wsp_2") == [(1, "m")]
    assert await numbered(directory, before=3) == [(2, "a"), (1, "z")]
    assert await numbered(directory, subject="policy:p") == [(4, "n")]
    assert await numbered(directory, subject="team:sre", before=3) == [(2, "a"), (1, "z")]
    [space, _] = await directory.directory.workspaces()
    assert space.last_change == 4


async def test_concurrent_writers_leave_no_gap_and_repeat_no_number(directory: Store) -> None:
    written = [partial(directory.people.save, [change(f"{n}a"), change(f"{n}b")]) for n in range(12)]
    await asyncio.gather(*map(patiently, written))
    found = await numbered(directory)
    assert [number for number, _ in found] == list(range(24, 0, -1))
    assert all(found[n][1][:-1] == found[n + 1][1][:-1] for n in range(0, 24, 2))


async def test_change_based_on_an_older_state_is_refused(directory: Store) -> None:
    await directory.people.save([change("a")], since={"wsp_1": 0})
    team = Team("sre", ("per_ann",), None, "wsp_1", NOON)
    with pytest.raises(Conflict) as refused:
        await directory.people.save([team, change("b")], since={"wsp_1": 0})
    assert refused.value.code == "changed_meanwhile"
    link = ChatPerson("slack", "T1", "U1", "wsp_1", "per_ann", NOON)
    with pytest.raises(Conflict):
        await directory.chats.link(link, [change("c")], {"wsp_1": 0})
    assert (await numbered(directory), await directory.people.teams("wsp_1")) == ([(1, "a")], [])
    assert await directory.chats.person("slack", "T1", "U1") is None
    await directory.chats.link(link, [change("c"), change("d", workspace="wsp_2")], {"wsp_1": 1, "wsp_2": 0})
    assert (await numbered(directory), await numbered(directory, "wsp_2")) == (
        [(2, "c"), (1, "a")],
        [(1, "d")],
    )


async def test_changes_of_one_entry_are_found_by_an_index(directory: Store) -> None:
    query = "select id from changes where workspace = 'w' and subject = 's' and number < 9 order by number desc limit 5"
    if isinstance(directory, SqliteStore):
        plan = str(await directory.read(f"explain query plan {query}"))
        assert ("changes_of_subject" in plan, "TEMP B-TREE" in plan) == (True, False)
    else:
        await directory.people.save([change(f"{n:04}", f"team:{n % 40}") for n in range(2000)])
        await directory.write(("analyze changes", {}))
        assert "changes_of_subject" in str(await directory.read(f"explain {query}"))


class Seen:
    """A database that only records its statements."""

    def __init__(self) -> None:
        self.plans = Plans()
        self.told: list[Sequence[Statement]] = []

    async def write(self, *statements: Statement) -> list[list[Row]]:
        self.told.append(statements)
        return []


async def test_rows_are_locked_in_one_order_by_every_writer() -> None:
    """Two writers that lock the same rows in different orders would deadlock."""
    seen = Seen()
    people = People(cast("Database", seen))
    plans = [Plan(steps=(AgentStep(id=name, agent=AGENT),)) for name in "abc"]
    rows: list[Struct] = [
        replace(ANN, id="per_b"),
        ANN,
        Team("b", (), None, "wsp_1", NOON),
        Team("a", (), None, "wsp_1", NOON),
        SPACE,
        workflow(1),
        workflow(1, type="intent.b.v1"),
        KEY,
        BOT,
        change("x", workspace="wsp_2"),
        change("y"),
    ]
    await people.save(rows, plans)
    await people.save(rows[::-1], plans[::-1])
    assert [text for text, _ in seen.told[0]] == [text for text, _ in seen.told[1]]
    assert list(seen.told[0]) == list(seen.told[1])


# What a release with schema 8 left.
_LEFT = """
insert into workspaces (id, organization, name, self_approval, created_at) values ('wsp_1', 'o', 'n', 0, 1);
insert into changes (id, workspace, at, actor_kind, actor_id, via, kind, name, before, after) values
    ('b', 'wsp_1', 1, 'person', 'per_ann', 'api', 'person', 'ann@acme.example', '', '{"id": "per_ann"}'),
    ('a', 'wsp_1', 1, 'person', 'per_ann', 'api', 'policy', 'p', '', '{}'),
    ('c', 'wsp_1', 1, 'person', 'per_ann', 'api', 'workspace', 'n', '{}', '{}');
insert into keys (id, workspace, actor_kind, actor_id, hash, hint, created_by, created_at)
    values ('sak_1', 'wsp_1', 'agent', 'sa_1', 'h', '', 'per_ann', 1);
"""


async def leave(url: str, left: str = _LEFT, schema: int = 8) -> None:
    """Change the database back to an earlier release's schema."""
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    before = [step for step in migrations(kind) if step.version <= schema]
    known = "".join(
        f"insert into schema_version values ({step.version}, '{step.name}', 1);" for step in before
    )
    script = VERSION_TABLE + ";" + known + "".join(step.script for step in before) + left
    if kind == "sqlite":
        with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as db:
            list(db.execute(script))  # to its end: a statement may have rows
        return
    remote = await asyncpg.connect(url)
    await remote.execute(script)
    await remote.close()


async def test_change_log_of_an_older_release_is_numbered_and_found(own_url: str, clock: FixedClock) -> None:
    await leave(own_url)
    store = open_store(own_url, wall=clock.wall, clock=clock.map)
    await store.open()
    try:
        found = await store.people.changes("wsp_1", 9)
        assert [(one.number, one.subject) for one in found] == [
            (3, "workspace"),
            (2, "person:per_ann"),
            (1, "policy:p"),
        ]
        [space] = await store.directory.workspaces()
        key = await store.directory.key("sak_1")
        assert key is not None
        assert (space.last_change, key.sponsors) == (3, ("per_ann",))
    finally:
        await store.close()


_ASKED_ALONE: Final = """
insert into workspaces (id, organization, name, self_approval, created_at) values
    ('alone', 'o', 'alone', 1, 1), ('turned', 'o', 'turned', 1, 1),
    ('two', 'o', 'two', 1, 1), ('off', 'o', 'off', 0, 1);
insert into people (id, workspace, email, name, roles, created_at) values
    ('per_1', 'alone', 'a@x', '', '["owner"]', 1), ('per_2', 'turned', 'a@x', '', '["owner"]', 1),
    ('per_3', 'two', 'a@x', '', '["owner"]', 1), ('per_4', 'two', 'b@x', '', '["approver"]', 1);
insert into changes (id, workspace, at, actor_kind, actor_id, via, kind, name, before, after, number) values
    ('a', 'turned', 1, 'person', 'per_2', 'api', 'workspace', 'n', '{"self_approval":false}',
     '{"self_approval":true}', 1),
    ('b', 'alone', 1, 'person', 'per_1', 'api', 'workspace', 'n', '{"protected":false}', '{"protected":true}', 1);
"""


async def test_self_approval_setting_of_an_older_release_is_kept(own_url: str, clock: FixedClock) -> None:
    await leave(own_url, _ASKED_ALONE, 19)
    store = open_store(own_url, wall=clock.wall, clock=clock.map)
    await store.open()
    try:
        assert {space.id: space.self_approval_setting for space in await store.directory.workspaces()} == {
            "alone": "alone",
            "turned": True,
            "two": True,
            "off": False,
        }
    finally:
        await store.close()
