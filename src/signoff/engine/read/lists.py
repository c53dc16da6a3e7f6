"""Filtered lists of intents and tasks: one page at a time, limited to what the actor may see. A page takes as many
reads as needed, up to a maximum; then it is shorter, and the next one continues.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import PROGRAMS, Action, authorize
from signoff.core.errors import NotFound
from signoff.core.ids import split_ref
from signoff.core.intent.authorization import can_see
from signoff.core.intent.model import Task
from signoff.core.intent.worklist import EARLY, EVERYBODY, LATE, Search, mine, requested_by, section
from signoff.engine.off_loop import OffLoop
from signoff.store.store import Store
from signoff.store.transaction import Filter, Stored

# How many intents a filtered list reads at once, and in how many reads per response. The next page continues.
LOOKED_AT: Final = 200
_MOST_READS: Final = 25
_DECIDED: Final = re.compile(r"([0-9]{1,17})\.([0-9a-f-]{36})")
# for one page of open tasks: a filter with few matches continues on the next page
_MOST_TASK_READS: Final = 6
_MOST_BYTES: Final = 4 * 1024 * 1024  # of payloads on one page; the next page continues after them
_MOST_SEARCHED: Final = 16 * 1024 * 1024  # of payloads that are read for one page

Keep = Callable[[Stored], bool]


class Walked(msgspec.Struct, frozen=True):
    """One page of a filtered list, and the id after which to continue; "" if everything was read."""

    found: list[Stored]
    last: str


class WorklistPosition(NamedTuple):
    """The task after which a page of a person's list continues: its section, rank and intent."""

    section: int
    rank: int
    id: str


START: Final = WorklistPosition(EARLY, -1, "")


class WorklistPage(msgspec.Struct, frozen=True):
    """A page of open tasks, and where the next one starts; None if everything was read."""

    found: list[Stored]
    last: WorklistPosition | None


class DecidedPosition(NamedTuple):
    """The task after which a page of decided tasks continues: when it was decided, in microseconds, and its intent."""

    at: int
    id: str

    def __str__(self) -> str:
        return f"{self.at}.{self.id}"


def decided_position(text: str) -> DecidedPosition:
    """The position that ``str`` wrote; raises NotFound for any other text."""
    if not (found := _DECIDED.fullmatch(text)):
        raise NotFound("page_not_found", "There is no such page.")
    return DecidedPosition(int(found[1]), split_ref(found[2])[0])


class DecidedPage(msgspec.Struct, frozen=True):
    """A page of decided tasks, and where the next one starts; None if everything was read."""

    found: list[Stored]
    last: DecidedPosition | None


class Lists:
    def __init__(self, store: Store, off_loop: OffLoop | None = None) -> None:
        self._store = store
        self._off_loop = off_loop or OffLoop()

    async def page(self, actor: Actor, wanted: Filter) -> list[Stored]:
        """A page of the actor's intents; a program sees only its own."""
        wanted = replace(wanted, workspace=actor.workspace)
        if actor.kind in PROGRAMS:
            own = await self._store.intents.page(replace(wanted, involved=actor.id))
            if not actor.address:
                return own
            to_it = await self._store.intents.page(replace(wanted, involved=actor.address))
            both = {s.intent.id: s for s in (*own, *to_it)}
            down = not wanted.oldest_first
            return sorted(both.values(), key=lambda s: s.intent.id, reverse=down)[: wanted.limit]
        return await self._store.intents.page(wanted)

    async def walk(self, actor: Actor, wanted: Filter, keep: Keep, limit: int) -> Walked:
        """The first ``limit`` of the actor's intents for which ``keep`` is true, in as many reads as needed, up to a
        maximum. An agent sees only its own. ``keep`` may search payloads, so it runs off the event loop.
        """
        return await self._walked(
            actor,
            lambda last, each: self.page(actor, replace(_going_on(wanted, last), limit=each)),
            keep,
            limit,
            wanted.limit,
        )

    async def walk_tasks(
        self,
        actor: Actor,
        after: str,
        keep: Keep,
        limit: int,
        search: Search | None = None,
        *,
        bare: bool = False,
    ) -> Walked:
        """Like ``walk``, for intents with an open task, oldest first: those of ``search``, or all that the actor may
        see. ``bare``: read them without payloads.
        """
        authorize(actor, Action.LIST_TASKS)
        first = min(LOOKED_AT, limit + 1)
        if search is None:
            return await self._walked(
                actor,
                lambda last, each: self.tasks(actor, last or after, each),
                keep,
                limit,
                first,
                _MOST_TASK_READS,
            )
        chosen, intents = search, self._store.intents
        keys = [key for keys in search.keys for key in keys]

        async def read(last: str, each: int) -> list[Stored]:
            found = await intents.found_under(actor.workspace, keys, (0, last or after), each, by_age=True)
            return await intents.some([id for _, id in found], bare=bare)

        def fits(stored: Stored) -> bool:
            task = stored.intent.open
            return isinstance(task, Task) and chosen.fits(stored.intent, task) and keep(stored)

        return await self._walked(actor, read, fits, limit, first, _MOST_TASK_READS)

    async def worklist(
        self,
        actor: Actor,
        search: Search,
        keep: Keep,
        after: WorklistPosition,
        limit: int,
        *,
        by_age: bool = False,
        bare: bool = False,
    ) -> WorklistPage:
        """The next open tasks of a person's list for which ``keep`` is true: the nearest deadline first, or the
        oldest request (``by_age``). This takes as many reads as needed, up to a maximum; then the page is shorter,
        and the next one continues. ``bare``: read them without payloads.
        """
        authorize(actor, Action.LIST_TASKS)

        def fits(stored: Stored) -> bool:
            task = stored.intent.open
            return (
                isinstance(task, Task)
                and section(task, actor.id) == after.section
                and search.fits(stored.intent, task)
                and keep(stored)
            )

        page = _Page(self._off_loop, actor, fits, limit)
        each = min(LOOKED_AT, limit + 1)
        for _ in range(_MOST_TASK_READS):
            places = await self._store.intents.found_under(
                actor.workspace, search.keys[after.section], (after.rank, after.id), each, by_age=by_age
            )
            found = await self._store.intents.some([id for _, id in places], bare=bare)
            if seen := await page.fill(found):
                ranks = {id: rank for rank, id in places}
                last = found[seen - 1].intent.id
                after = WorklistPosition(after.section, ranks[last], last)
                more = seen < len(found) or len(places) == each or after.section != LATE
                return WorklistPage(page.kept, after if more else None)
            if len(places) == each:
                after, each = WorklistPosition(after.section, *places[-1]), LOOKED_AT
            elif after.section == LATE:
                return WorklistPage(page.kept, None)
            else:
                after = WorklistPosition(after.section + 1, -1, "")
        return WorklistPage(page.kept, after)

    async def decided(
        self,
        actor: Actor,
        wanted: Filter,
        keep: Keep,
        after: DecidedPosition | None,
        limit: int,
    ) -> DecidedPage:
        """The next intents with a decided task for which ``keep`` is true, the newest decision first; a program sees
        only its own. ``wanted``: its type and its correlation id. This takes as many reads as needed, up to a maximum;
        then the page is shorter, and the next one continues.
        """
        authorize(actor, Action.LIST_TASKS)
        requester = actor.id if actor.kind in PROGRAMS else ""

        def fits(stored: Stored) -> bool:
            intent = stored.intent
            return wanted.type in ("", intent.type) and can_see(actor, intent) and keep(stored)

        page = _Page(self._off_loop, actor, fits, limit)
        each = min(LOOKED_AT, limit + 1)
        for _ in range(_MOST_READS):
            places = await self._store.intents.last_decided(
                actor.workspace,
                after,
                each,
                type=wanted.type,
                requester=requester,
                correlation=wanted.correlation,
            )
            found = await self._store.intents.some([id for _, id in places])
            if seen := await page.fill(found):
                last = found[seen - 1].intent.id
                return DecidedPage(
                    page.kept, next(DecidedPosition(*place) for place in places if place[1] == last)
                )
            if len(places) < each:
                return DecidedPage(page.kept, None)
            after, each = DecidedPosition(*places[-1]), LOOKED_AT
        return DecidedPage(page.kept, after)

    async def _walked(
        self,
        actor: Actor,
        read: Callable[[str, int], Awaitable[list[Stored]]],
        keep: Keep,
        limit: int,
        each: int,
        reads: int = _MOST_READS,
    ) -> Walked:
        page = _Page(self._off_loop, actor, keep, limit)
        last = ""
        for _ in range(reads):
            found = await read(last, each)
            if seen := await page.fill(found):
                return Walked(page.kept, found[seen - 1].intent.id)
            if len(found) < each:
                return Walked(page.kept, "")
            last, each = found[-1].intent.id, LOOKED_AT
        return Walked(page.kept, last)

    async def count_mine(self, actor: Actor, most: int) -> int:
        """How many tasks wait for the actor, not counting snoozed ones; counted up to ``most``."""
        early, usual, _ = mine(actor).keys
        # snoozed tasks are not counted: the number is about what waits now
        search = mine(actor)._replace(keys=(early, usual, ()))
        return len((await self.worklist(actor, search, _any, START, most, bare=True)).found)

    async def tasks(self, actor: Actor, after: str = "", limit: int = 200) -> list[Stored]:
        """Intents with an open task, oldest first; a service sees only its own."""
        authorize(actor, Action.LIST_TASKS)
        key = requested_by(actor.id) if actor.kind in PROGRAMS else EVERYBODY
        return await self._store.intents.open_tasks(actor.workspace, after, limit, key)


class _Page:
    """The intents of one page: at most ``limit`` for which ``keep`` is true, with limits for the bytes of payloads that
    are kept and searched.
    """

    def __init__(self, off_loop: OffLoop, actor: Actor, keep: Keep, limit: int) -> None:
        self.kept: list[Stored] = []
        self._off_loop = off_loop
        self._actor = actor
        self._keep = keep
        self._limit = limit
        self._room, self._left = _MOST_BYTES, _MOST_SEARCHED

    async def fill(self, found: Sequence[Stored]) -> int:
        """Add those to keep; returns how many were read until the page was full, or 0 if it is not full."""
        # searching payloads takes long, and other requests must be answered meanwhile
        size = _bytes(found)
        taken, seen = await self._off_loop.run(self._actor, partial(self._judged, found), size)
        self.kept += taken
        self._room -= _bytes(taken)
        self._left -= size
        return seen

    def _judged(self, found: Sequence[Stored]) -> tuple[list[Stored], int]:
        """Those to keep, and how many were read until the page was full (0: it is not full)."""
        taken: list[Stored] = []
        limit, room, left = self._limit - len(self.kept), self._room, self._left
        for number, stored in enumerate(found, 1):
            left -= len(stored.payload)
            if self._keep(stored):
                taken.append(stored)
                room -= len(stored.payload)
            if len(taken) == limit or room < 0 or left < 0:
                return taken, number
        return taken, 0


def _bytes(found: Sequence[Stored]) -> int:
    return sum(len(stored.payload) for stored in found)


def _going_on(wanted: Filter, last: str) -> Filter:
    if not last:
        return wanted
    return replace(wanted, after=last) if wanted.oldest_first else replace(wanted, before=last)


def _any(stored: Stored) -> bool:
    return True
