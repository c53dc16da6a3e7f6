"""Every scan that grows with the number of intents uses its index."""

from collections.abc import AsyncIterator

import pytest

from signoff.store import sql
from signoff.store.bulk_writes import WriteBatch
from signoff.store.dialect import for_postgres, for_sqlite
from signoff.store.opening import open_store
from signoff.store.postgres import statements as own
from signoff.store.sqlite.store import CLOSE_ROW, SqliteStore
from signoff.store.store import Store
from tests.conftest import FixedClock
from tests.store.samples import AGENT, WS, final, ready, submit

_WORKSPACE = "workspace = :workspace"


def _ids(where: str, order: str = "desc") -> str:
    return sql.LISTED_IDS.format(where=f"{_WORKSPACE} and {where}", order=order)


_LISTED = _ids("id < :before")
_OLDEST = _ids("id > :after", "asc")
_CORRELATED = _ids(sql.LISTED_WHERE["correlation"])
_BY_STATUS = _ids(f"status = :{sql.STATUSES[0]}")
_BY_TYPE = _ids(sql.LISTED_WHERE["type"])
_KNOWN = _ids(" and ".join(sql.LISTED_WHERE[name] for name in ("type", "requester", "before")))
_INVOLVED = [_ids(one) for one in sql.INVOLVED]
_OWNER = _ids(sql.OWNER[0])
VALUES = {
    "ids": ["a", "b"],
    "shards": [0, 1],
    "shard": 0,
    "workspace": WS,
    "agent": AGENT,
    "after": 0,
    "limit": 10,
    "now": 1,
    "before": "x",
    "owner": "o",
    "correlation": "c",
    "party": "p",
    "involved": "p",
    "parties": ["p"],
    "rank": 1,
    "status_a": "FAILED",
    "type": "t",
    "requester": "r",
    "most": 10,
    "at": 1,
}


@pytest.fixture
async def fresh(own_url: str, clock: FixedClock) -> AsyncIterator[Store]:
    """A new database: the planner's statistics must not come from other tests."""
    store = open_store(own_url, wall=clock.wall, clock=clock.map)
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (sql.LOCK, "intents_pkey"),
        (sql.LOCK_READY, "intents_ready"),
        (sql.LOCK_DUE, "intents_due"),
        (sql.NEXT_WAKE, "intents_due"),
        (sql.DELIVERIES, "intents_ready"),
        (sql.OPEN_TASKS, "worklist_pkey"),
        (sql.BY_AGE.format(party="party"), "worklist_pkey"),
        (sql.BY_RANK.format(party="party"), "worklist_ranked"),
        (sql.WHOLE_WORKLIST, "worklist_pkey"),
        (_LISTED, "intents_listed"),
        (_OLDEST, "intents_listed"),
        (_BY_STATUS, "intents_by_status"),
        (_BY_TYPE, "intents_by_type"),
        (_KNOWN, "intents_requested_type"),
        (_CORRELATED, "intents_correlated"),
        (sql.OPEN_OF, "intents_open"),
        (_INVOLVED[0], "intents_requested"),
        (_INVOLVED[1], "intents_addressed"),
        (_OWNER, "intents_replied"),
        (sql.FORGETTABLE, "intents_final"),
        (sql.LAST_DECIDED.format(where=sql.DECIDED_OF[""]), "decided_last"),
        (sql.LAST_DECIDED.format(where=sql.DECIDED_OF["type"]), "decided_of_type"),
        (sql.LAST_DECIDED.format(where=sql.DECIDED_OF["requester"]), "decided_of_requester"),
        (sql.DECIDED_CORRELATED, "intents_correlated"),
        (sql.HISTORY, "events_pkey"),
        (sql.OUTBOX_TAKE, "outbox_due"),
        (sql.FORGET_REPLIES, "replies_expired"),
        (sql.FORGET_PLANS[0], "plans_forgettable"),
        (sql.FORGET_PLANS[0], "intents_planned"),
        (sql.FORGET_PLANS[1], "plans_forgettable"),
        (sql.FORGET_PLANS[1], "intents_planned"),
    ],
)
async def test_scan_uses_its_index(fresh: Store, statement: str, index: str) -> None:
    values = {**VALUES, "id": "x", "until": 2}
    if statement not in (sql.DELIVERIES, sql.HISTORY):
        values["after"] = ""
    if statement == sql.FORGETTABLE:
        values["before"] = 1
    plan = await _plan(fresh, statement, values)
    primary = {
        "intents_pkey": "sqlite_autoindex_intents_1",
        "events_pkey": "sqlite_autoindex_events_1",
        "worklist_pkey": "USING PRIMARY KEY",
    }
    wanted = primary.get(index, index) if isinstance(fresh, SqliteStore) else index
    assert wanted in plan, plan
    assert "SCAN intents\n" not in plan
    assert "Seq Scan" not in plan


async def test_row_of_the_worklist_is_deleted_by_its_key(fresh: Store) -> None:
    row = (0, WS, "party", "x")
    if isinstance(fresh, SqliteStore):
        values = dict(zip(("shard", "workspace", "party", "id"), row, strict=True))
        statement = CLOSE_ROW.replace("?", ":{}").format(*values)
        plan = await _plan(fresh, statement, values)
        assert "USING PRIMARY KEY (workspace=? AND party=? AND intent_id=? AND shard=?)" in plan, plan
        return
    saved = own.save(WriteBatch(closed=[row]), [], 0)
    assert saved is not None
    text, arrays = saved
    names = ("shards", "workspaces", "parties", "intents")
    for place, name in enumerate(names, 1):
        text = text.replace(f"${place}", f":{name}")
    # Planned while the tables are empty, as a server's prepared statements are.
    plan = "".join(
        f"{line[0]}\n"
        for line in await fresh.read(f"explain {text}", **dict(zip(names, arrays, strict=True)))
    )
    assert "Index Scan using worklist_pkey" in plan, plan


async def _plan(store: Store, statement: str, values: dict[str, object]) -> str:
    if isinstance(store, SqliteStore):
        names = for_postgres(statement)[1]
        rows = await store.read(
            f"explain query plan {for_sqlite(statement)}", **{n: values[n] for n in names}
        )
        return "".join(f"{row[3]}\n" for row in rows)
    # Estimates for an empty table are a guess and may tie: with many workspaces they cannot.
    await submit(store, *[final(ready(workspace=f"wsp_{n}")) for n in range(200)])
    await store.write(("analyze intents", {}))
    rows = await store.read(f"explain {statement}", **values)
    return "".join(f"{row[0]}\n" for row in rows)
