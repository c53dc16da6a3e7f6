"""Statements only for PostgreSQL: one statement reads everything that a transaction needs, another writes everything.

Each is composed of the parts that are needed, which gives few distinct statements, each prepared once per connection. A
round trip costs more than the work that it does.
"""

from functools import lru_cache
from typing import Any, Final

from msgspec.structs import asdict

from signoff.store import sql
from signoff.store.bulk_writes import WriteBatch
from signoff.store.dialect import for_postgres, insert_rows, unnest
from signoff.store.postgres.connections import LIMITS
from signoff.store.rows import Row, by_ids
from signoff.store.transaction import Locks

NOW: Final = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
BEGIN: Final = "begin"
# Behind a pooler, a session may have other settings.
BEGIN_POOLED: Final = "begin; set local synchronous_commit = on; " + "; ".join(
    f"set local {name} = {value}" for name, value in LIMITS.items()
)

# ---- reading: rows (part, id, text, bytes, number), in the order of the parts

LOCKED, READY, DUE, REPLIED, CHANGED, TIME = range(6)
_FIND: Final = {
    LOCKED: f"select {LOCKED}, id, plan, state, 0::bigint from ({sql.LOCK}) found",
    READY: f"select {READY}, id, plan, state, 0::bigint from ({sql.LOCK_READY}) found",
    DUE: f"select {DUE}, id, plan, state, 0::bigint from ({sql.LOCK_DUE.replace(':limit', ':due')}) found",
    REPLIED: f"""
        select {REPLIED}, o.place::text, r.fingerprint, r.body, r.stands_until
        from unnest(:once_workspace::text[], :once_actor::text[], :once_route::text[], :once_key::text[])
            with ordinality as o (workspace, actor, route, key, place)
        join lateral (
            {sql.REPLIED} where r.workspace = o.workspace and r.actor = o.actor and r.route = o.route and r.key = o.key
        ) r on true
    """,
    CHANGED: f"select {CHANGED}, id, '', ''::bytea, last_change from ({sql.LAST_CHANGES}) found",
    # Read last, when every lock is held, so that time never runs backwards within an intent.
    TIME: f"select {TIME}, '', '', ''::bytea, {NOW}",
}


@lru_cache(maxsize=64)
def find(parts: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """The statement that reads these parts, and then the time."""
    return for_postgres(" union all ".join(f"({_FIND[part]})" for part in (*parts, TIME)))


def locking(want: Locks) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The parts that lock the rows of ``Locks``, and their values; ``now`` comes from the caller."""
    parts: list[int] = []
    values: dict[str, Any] = by_ids(want.ids) | {"due": want.due}
    if want.ids:
        parts.append(LOCKED)
    if want.claims is not None:
        parts.append(READY)
        values |= asdict(want.claims)
    if want.due:
        parts.append(DUE)
    return tuple(parts), values


def present(want: Locks) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The parts that must be read once every lock is held, and their values."""
    parts = (*((REPLIED,) if want.once else ()), *((CHANGED,) if want.workspaces else ()))
    return parts, {
        "spaces": want.workspaces,
        "once_workspace": [key.workspace for key in want.once],
        "once_actor": [key.actor for key in want.once],
        "once_route": [key.route for key in want.once],
        "once_key": [key.key for key in want.once],
    }


# ---- writing

_GIVEN: Final = """
left join given on given.workspace = n.workspace and given.agent = n.agent and n.cursor is not null
"""


def _insert_intents(given: bool) -> str:
    columns = {name: f"n.{name}" for name in sql.INTENTS.columns}
    if given:
        columns["cursor"] = "given.seq + n.cursor"
    return (
        f"insert into intents ({', '.join(columns)}) select {', '.join(columns.values())}"
        f" from {unnest(sql.INTENTS, 'intents')} as n ({', '.join(columns)}) {_GIVEN if given else ''}"
    )


def _update_intents(given: bool) -> str:
    columns = {name: f"n.{name}" for name in sql.CHANGES.columns if name not in sql.FOUND_BY}
    fresh = "given.seq + n.cursor" if given else "n.cursor"
    columns["cursor"] = f"case when n.agent is null then null else coalesce({fresh}, intents.cursor) end"
    changes = ", ".join(f"{name} = {value}" for name, value in columns.items())
    given_too = _GIVEN if given else ""
    return (
        f"update intents set {changes} from {unnest(sql.CHANGES, 'changes')} as n"
        f" ({', '.join(sql.CHANGES.columns)}) {given_too} where intents.id = n.id and intents.shard = n.shard"
    )


_RESUBMIT: Final = f"""
update submissions set payload = n.payload
from {unnest(sql.RESUBMISSIONS, "resubmissions")} as n ({", ".join(sql.RESUBMISSIONS.columns)})
where submissions.intent_id = n.intent_id and submissions.shard = n.shard
"""

_CLOSE: Final = f"""
delete from worklist using {unnest(sql.CLOSED, "closed")} as n ({", ".join(sql.CLOSED.columns)})
where {" and ".join(f"worklist.{name} = n.{name}" for name in sql.CLOSED.columns)}
"""
DECIDE: Final = (
    f"insert into decided ({', '.join(sql.DECIDED.columns)}) values ($1, $2, $3, $4, $5, $6) {sql.REDECIDED}"
)
LIST: Final = f"insert into worklist ({', '.join(sql.WORKLIST.columns)}) values ($1, $2, $3, $4, $5)"

# Rows that other transactions may need too are locked in this order: counters, plans, replies.
_SAVE: Final = {
    "given": insert_rows(sql.CURSORS, "given", sql.NEXT_CURSORS),
    "plans": insert_rows(sql.PLANS, "plans", sql.KEEP_PLAN),
    "replies": insert_rows(sql.REPLIES, "replies", sql.REPLACE_EXPIRED),
    "intents": _insert_intents(False),
    "changes": _update_intents(False),
    "submissions": insert_rows(sql.SUBMISSIONS, "submissions"),
    "revisions": insert_rows(sql.REVISIONS, "revisions"),
    "resubmissions": _RESUBMIT,
    "targets": insert_rows(sql.TARGETS, "targets", sql.RETARGETED),
    "decided": insert_rows(sql.DECIDED, "decided", sql.REDECIDED),
    "events": insert_rows(sql.EVENTS, "events"),
    "closed": _CLOSE,
    "worklist": insert_rows(sql.WORKLIST, "worklist", sql.RANKED),
    "outbox": insert_rows(sql.OUTBOX, "outbox"),
    "sent": sql.PUT_SENT.format(sent=f"{unnest(sql.SENT, 'sent')} as n ({', '.join(sql.SENT.columns)})"),
    "followed": sql.PUT_FOLLOWED.format(
        followed="select n.workspace, n.agent, n.intent_id, n.shard, given.seq + n.cursor, :now"
        f" from {unnest(sql.SENT, 'followed')} as n ({', '.join(sql.SENT.columns)})"
        " join given on given.workspace = n.workspace and given.agent = n.agent order by n.intent_id"
    ),
}
_SAVE_GIVEN: Final = _SAVE | {"intents": _insert_intents(True), "changes": _update_intents(True)}
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "given": tuple(sql.CURSORS.columns),
    "plans": tuple(sql.PLANS.columns),
    "replies": tuple(sql.REPLIES.columns),
    "intents": tuple(sql.INTENTS.columns),
    "changes": tuple(sql.CHANGES.columns),
    "submissions": tuple(sql.SUBMISSIONS.columns),
    "revisions": tuple(sql.REVISIONS.columns),
    "resubmissions": tuple(sql.RESUBMISSIONS.columns),
    "targets": tuple(sql.TARGETS.columns),
    "decided": tuple(sql.DECIDED.columns),
    "events": tuple(sql.EVENTS.columns),
    "closed": tuple(sql.CLOSED.columns),
    "worklist": tuple(sql.WORKLIST.columns),
    "outbox": tuple(sql.OUTBOX.columns),
    "sent": tuple(sql.SENT.columns),
    "followed": tuple(sql.SENT.columns),
}


@lru_cache(maxsize=256)
def _statement(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    texts = _SAVE_GIVEN if "given" in parts else _SAVE
    written = ", ".join(f"{part if part == 'given' else 'w_' + part} as ({texts[part]})" for part in parts)
    counters = "select workspace, agent, seq from given" if "followed" in parts else "select 1"
    return for_postgres(f"with {written} {counters}")


def save(batch: WriteBatch, demand: list[Row], now: int) -> tuple[str, list[Any]] | None:
    """The one statement that writes a batch, and its arguments; None if there is nothing to write. If it records fresh
    deliveries as sent, it returns the counters (workspace, agent, number) from which their cursors count down.
    """
    rows = {"given": demand} | {part: getattr(batch, part) for part in _COLUMNS if part != "given"}
    parts = tuple(part for part in _SAVE if rows[part])
    if not parts:
        return None
    text, names = _statement(parts)
    values: dict[str, Any] = {"now": now}
    for part in parts:
        for column, array in zip(_COLUMNS[part], zip(*rows[part], strict=True), strict=True):
            values[f"{part}_{column}"] = array
    return text, [values[name] for name in names]


# ---- run once per connection: one statement with a parameter of every type that the others use, and its values

_TABLES: Final = (
    sql.CURSORS,
    sql.PLANS,
    sql.REPLIES,
    sql.INTENTS,
    sql.SUBMISSIONS,
    sql.REVISIONS,
    sql.EVENTS,
    sql.OUTBOX,
)
_ARRAYS: Final = sorted({f"{kind}[]" for table in _TABLES for kind in table.columns.values()})
EVERY_TYPE: Final = f"select {', '.join(f'${place}::{kind}' for place, kind in enumerate(_ARRAYS, 1))}"
NO_VALUES: Final[list[list[Any]]] = [[] for _ in _ARRAYS]
