"""Reads of intents. They always see a committed state, on separate connections that never block a writer."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final

from signoff.core.intent.model import Intent, Task
from signoff.core.intent.worklist import EVERYBODY, NO_KEY, keys_of
from signoff.store import sql
from signoff.store.database import Database, plans_of
from signoff.store.rows import (
    Row,
    by_id,
    by_ids,
    event_row,
    from_micros,
    maybe_moment,
    micros,
    readable,
    stored,
)
from signoff.store.transaction import EventRow, Filter, Stored

# Far longer than servers trust that a plan exists (``rows.Plans``), or take to read the plan of an intent that they
# have just read.
PLANS_KEPT: Final = timedelta(days=1)
_SHOWN: Final = 1000
# Rows of deliveries that are not claimable any more are deleted together, because agents reconnect after each
# delivery, and their streams would wait for a commit each time.
FORGOTTEN_TOGETHER: Final = 16
_TOGETHER: Final = 4000
_MOVED: Final = 50
# How many keys one statement looks under. So there are few distinct statements, each prepared once.
_KEYS: Final = (1, 8, 16, 32, 64)
_NEVER: Final = 2**62
_KEY_NAMES: Final = tuple(f"p_{a}{b}" for a in "abcdefgh" for b in "abcdefgh")


class Intents:
    """Reads of intents and their histories. Lists are bounded by their ``limit``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, id: str) -> Stored | None:
        return next(iter(await self._stored(sql.STORED_ONE, **by_id(id))), None)

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> list[EventRow]:
        """The facts of one intent with a seq above ``after``, in order."""
        rows = await self._db.read(sql.HISTORY, **by_id(id), after=after, limit=limit)
        return [event_row(row) for row in rows]

    async def whole_history(self, id: str) -> list[EventRow]:
        """All facts of one intent, in order."""
        return await self._rest(id, 0)

    async def histories(
        self, ids: Collection[str], at_once: int = _TOGETHER
    ) -> AsyncIterator[dict[str, list[EventRow]]]:
        """All facts of these intents, in order, and of each intent at once. Yields the result of each read: at
        most ``at_once`` facts, plus the rest of the last history; usually one read is enough.
        """
        left = set(ids)
        while left:
            rows = await self._db.read(sql.HISTORIES, **by_ids(sorted(left)), limit=at_once)
            found: dict[str, list[EventRow]] = {}
            for row in rows:
                found.setdefault(row[0], []).append(event_row(row[1:]))
            whole = len(rows) < at_once
            if not whole:  # the last history may continue
                found[rows[-1][0]] += await self._rest(rows[-1][0], rows[-1][1])
            yield found
            # in the order of their ids: what comes before the last one and was not found has no facts
            left = set() if whole else {id for id in left if id > rows[-1][0]}

    async def _rest(self, id: str, after: int) -> list[EventRow]:
        rows: list[EventRow] = []
        while page := await self.history(id, rows[-1].seq if rows else after):
            rows.extend(page)
        return rows

    async def same_target(self, id: str, limit: int) -> list[Stored]:
        """The earlier requests with the same target as this one, the latest first; without their payloads."""
        return await self._stored(sql.SAME_TARGET, **by_id(id), limit=limit)

    async def old_payloads(self, id: str) -> dict[int, bytes]:
        """Replaced payloads, by the last revision that had each."""
        return {row[0]: row[1] for row in await self._db.read(sql.OLD_PAYLOADS, **by_id(id))}

    async def page(self, wanted: Filter) -> list[Stored]:
        """A page of intents, newest first. The next page starts ``before`` the last id of this one, or ``after`` it if
        the order is oldest first.
        """
        order = "asc" if wanted.oldest_first else "desc"
        values = {name: value for name in sql.LISTED_WHERE if (value := getattr(wanted, name))}
        where = " and ".join(sql.LISTED_WHERE[name] for name in values)
        if wanted.older_than is not None:
            values["older_than"] = micros(wanted.older_than)
        if wanted.changed_since is not None:
            values["changed_since"] = micros(wanted.changed_since)
        parameters = dict(zip(sql.STATUSES, dict.fromkeys(wanted.statuses), strict=False))
        sides: Sequence[str] = ("",)
        if wanted.involved:
            sides, values["involved"] = [f" and {one}" for one in sql.INVOLVED], wanted.involved
        statuses = [f" and status = :{name}" for name in parameters] or [""]
        halves = [side + status for side in sides for status in statuses]
        return await self._either(where, halves, order, limit=wanted.limit, **values, **parameters)

    async def open_of(self, workspace: str, requester: str, most: int) -> int:
        """How many of a requester's intents are open, counted up to ``most``."""
        rows = await self._db.read(sql.OPEN_OF, workspace=workspace, requester=requester, most=most)
        return int(rows[0][0])

    async def open_tasks(
        self, workspace: str, after: str = "", limit: int = 200, key: str = EVERYBODY
    ) -> list[Stored]:
        """Intents that wait for a person, oldest first, with an id above ``after``, under one key of the worklist."""
        values = {"workspace": workspace, "party": key, "after": after, "limit": limit}
        return await self._stored(sql.OPEN_TASKS, **values)

    async def found_under(
        self, workspace: str, keys: Sequence[str], after: tuple[int, str], limit: int, *, by_age: bool
    ) -> list[tuple[int, str]]:
        """The first ``limit`` (rank, intent id) after a given one, in order, under any of these keys of the worklist.
        ``by_age``: ordered by the ids alone.
        """
        found: set[tuple[int, str]] = set()
        part = sql.BY_AGE if by_age else sql.BY_RANK
        where = {"workspace": workspace, "after": after[1], "limit": limit} | (
            {} if by_age else {"rank": after[0]}
        )
        for begin in range(0, len(keys), _KEYS[-1]):
            some = keys[begin : begin + _KEYS[-1]]
            names = _KEY_NAMES[: next(count for count in _KEYS if count >= len(some))]
            text = " union all ".join(part.format(party=name) for name in names)
            parameters = dict(zip_longest(names, some, fillvalue=NO_KEY))
            found.update((row[0], row[1]) for row in await self._db.read(text, **where, **parameters))
        return sorted(found)[:limit]

    async def last_decided(
        self,
        workspace: str,
        before: tuple[int, str] | None,
        limit: int,
        *,
        type: str = "",
        requester: str = "",
        correlation: str = "",
    ) -> list[tuple[int, str]]:
        """(when it was decided, in microseconds, intent id) of the tasks that were decided last, before a given one. Of
        a type, a requester and a correlation id only one narrows the search, so that each has an index: the caller
        checks the others.
        """
        at, id = before or (_NEVER, "")
        values: dict[str, Any] = {"workspace": workspace, "at": at, "before": id, "limit": limit}
        if correlation:
            statement, values["correlation"] = sql.DECIDED_CORRELATED, correlation
        elif requester:
            statement, values["requester"] = (
                sql.LAST_DECIDED.format(where=sql.DECIDED_OF["requester"]),
                requester,
            )
        elif type:
            statement, values["type"] = sql.LAST_DECIDED.format(where=sql.DECIDED_OF["type"]), type
        else:
            statement = sql.LAST_DECIDED.format(where=sql.DECIDED_OF[""])
        return [(row[0], row[1]) for row in await self._db.read(statement, **values)]

    async def some(self, ids: Sequence[str], *, bare: bool = False) -> list[Stored]:
        """The intents with these ids that exist, in this order; ``bare``: without their payloads."""
        if not ids:
            return []
        statement = sql.STORED_BARE if bare else sql.STORED_SOME
        found = {one.intent.id: one for one in await self._stored(statement, **by_ids(ids))}
        return [found[id] for id in ids if id in found]

    async def listed_under(self, intent: Intent) -> dict[str, int]:
        """The rank of the intent's open task under each of these keys of the worklist that contains it."""
        if not isinstance(intent.open, Task):
            return {}
        values = {"workspace": intent.workspace, "parties": sorted(keys_of(intent))} | by_id(intent.id)
        return {row[0]: row[1] for row in await self._db.read(sql.LISTED_UNDER, **values)}

    async def whole_worklist(self, after: tuple[str, str, str], limit: int) -> list[tuple[str, str, str]]:
        """Rows (workspace, key, intent) of the whole worklist after a given one, for the integrity check."""
        values = {"workspace": after[0], "party": after[1], "after": after[2], "limit": limit}
        return [(row[0], row[1], row[2]) for row in await self._db.read(sql.WHOLE_WORKLIST, **values)]

    async def deliveries(
        self, workspace: str, agent: str, after: int, limit: int
    ) -> list[tuple[int, Intent]]:
        """(cursor, intent) of the agent's claimable deliveries above ``after``, in commit order, without payloads: an
        agent reads the payload when it starts.
        """
        rows = await self._db.read(sql.DELIVERIES, workspace=workspace, agent=agent, after=after, limit=limit)
        plans = await plans_of(self._db, rows)
        return [(row[3], self._db.states.intent_of(row, plans)) for row in rows]

    async def waiting_for(self, workspace: str, agents: Sequence[str]) -> set[str]:
        """Which of these addresses have waiting deliveries."""
        rows = await self._db.read(sql.WAITING_FOR, workspace=workspace, agents=list(agents))
        return {agent for (agent,) in rows}

    async def in_hand(self, workspace: str, status: str, after: str, limit: int) -> list[Intent]:
        """Intents of this status with an id above ``after``, in order."""
        values = {"workspace": workspace, "status": status, "after": after, "limit": limit}
        rows = await self._db.read(sql.IN_HAND, **values)
        plans = await plans_of(self._db, rows)
        return [self._db.states.intent_of(row, plans) for row in rows]

    async def redeliver(self, workspace: str, agent: str, ids: Sequence[str]) -> None:
        """Give a new cursor to those of ``ids`` that were sent, are claimable and have not moved, so that streams see
        them again. Each transaction moves only a few, so that decisions can be committed in between.
        """
        for start in range(0, len(ids), _MOVED):
            values: dict[str, Any] = {
                "workspace": workspace,
                "agent": agent,
                **by_ids(ids[start : start + _MOVED]),
            }
            await self._db.write(
                (sql.REDELIVER_LOCK, values), (sql.REDELIVER_COUNT, values), (sql.REDELIVER, values)
            )

    async def mark_read(self, workspace: str, agent: str, id: str) -> None:
        """Record that the agent has read the intent, so that it need not be sent again."""
        if await self._db.read(sql.WAS_SHOWN, workspace=workspace, agent=agent, **by_id(id)):
            await self._forget_shown(workspace, agent, [id])

    async def unread(self, workspace: str, agent: str, since: int, settled: timedelta) -> list[str]:
        """Claimable, unread intents that were sent up to cursor ``since``, at least ``settled`` ago."""
        rows = await self._db.read(sql.SHOWN, workspace=workspace, agent=agent, limit=_SHOWN)
        over = [row[0] for row in rows if not row[3]]
        if len(over) >= FORGOTTEN_TOGETHER:
            await self._forget_shown(workspace, agent, over)
        if not (sent := [row for row in rows if row[3] and row[1] <= since]):
            return []
        before = micros(await self._db.now() - settled)
        return [row[0] for row in sent if row[2] <= before]

    async def _forget_shown(self, workspace: str, agent: str, ids: list[str]) -> None:
        if ids:
            values = {"workspace": workspace, "agent": agent, **by_ids(ids)}
            await self._db.write((sql.FORGET_SHOWN, values))

    async def inbox(self, workspace: str, owner: str, limit: int) -> list[Stored]:
        """Intents addressed to ``owner``, or with it as reply address, newest first."""
        where = sql.LISTED_WHERE["workspace"]
        owners = [f" and {owner}" for owner in sql.OWNER]
        return await self._either(where, owners, "desc", workspace=workspace, owner=owner, limit=limit)

    async def ids(self, after: str = "", limit: int = 1000) -> list[str]:
        """All ids of all workspaces above ``after``, in order, for the integrity check."""
        return [row[0] for row in await self._db.read(sql.IDS, after=after, limit=limit)]

    async def row(self, id: str) -> Row | None:
        """The row as stored, in the order of ``sql.INTENTS``, for the integrity check, which does not trust any
        column.
        """
        return next((tuple(row) for row in await self._db.read(sql.ROW, id=id)), None)

    async def forget(self, final_before: datetime, limit: int) -> int:
        """Delete up to ``limit`` intents that became final before ``final_before``, with all their rows; returns how
        many.

        Their plans are deleted by ``forget_plans``, a day later, unless something else refers to them.
        """
        rows = await self._db.read(sql.FORGETTABLE, before=micros(final_before), limit=limit)
        if not rows:
            return 0
        values = {
            **by_ids(row[0] for row in rows),
            "plans": sorted({row[1] for row in rows}),
            "forget_at": micros(await self._db.now() + PLANS_KEPT),
        }
        *_, deleted, _ = await self._db.write(*((statement, values) for statement in sql.FORGET))
        return len(deleted)

    async def forget_payloads(
        self, since: datetime | None, final_before: datetime, limit: int, at_once: int
    ) -> tuple[int, datetime | None]:
        """Delete the payloads, submitted and revised, of up to ``limit`` intents that became final at or after
        ``since`` and before ``final_before``; returns how many, and where it stopped, None at the end. Their
        histories, which contain the payloads' digests, stay complete. ``at_once``: how many intents per transaction.
        """
        values = {"since": micros(since) if since else 0, "before": micros(final_before), "limit": limit}
        rows = await self._db.read(sql.PAYLOADS, **values)
        if not rows:
            return 0, None
        count = 0
        for start in range(0, len(rows), at_once):
            ids = by_ids(row[0] for row in rows[start : start + at_once])
            gone, *_ = await self._db.write(*((statement, ids) for statement in sql.FORGET_PAYLOADS))
            count += len(gone)
        return count, from_micros(rows[-1][1]) if len(rows) == limit else None

    async def forget_plans(self, limit: int) -> int:
        """Delete up to ``limit`` plans that nothing refers to; returns how many were checked."""
        values = {"now": micros(await self._db.now()), "limit": limit}
        named, deleted = await self._db.write(*((statement, values) for statement in sql.FORGET_PLANS))
        return len(named) + len(deleted)

    async def next_wake(self) -> datetime | None:
        """The next time at which a timer of any intent is due."""
        return maybe_moment((await self._db.read(sql.NEXT_WAKE))[0][0])

    async def set_aside(self, pause: timedelta, limit: int) -> list[str]:
        """Postpone the unreadable ones among ``limit`` due intents by ``pause``; returns their ids."""
        now = await self._db.now()
        rows = await self._db.read(sql.DUE, now=micros(now), limit=limit)
        plans = await plans_of(self._db, rows)
        ids = [row[0] for row in rows if not readable(row, plans)]
        if ids:
            until = micros(now + pause)
            await self._db.write((sql.SET_ASIDE, {**by_ids(ids), "now": micros(now), "until": until}))
        return ids

    async def _either(self, where: str, halves: Sequence[str], order: str, **values: Any) -> list[Stored]:
        # Two parts instead of an "or", so that each uses an index and stops at the limit. A second statement reads
        # the rows, because a query planner that must guess how many ids a limit leaves joins whole tables.
        parts = (sql.LISTED_IDS.format(where=where + half, order=order) for half in halves)
        ids = " union ".join(f"select id from ({part}) half" for part in parts)
        rows = await self._db.read(sql.LISTED.format(ids=ids, order=order), **values)
        return await self.some([row[0] for row in rows])

    async def _stored(self, statement: str, **values: Any) -> list[Stored]:
        rows: list[Row] = await self._db.read(statement, **values)
        plans = await plans_of(self._db, rows)
        return [stored(row, plans) for row in rows]
