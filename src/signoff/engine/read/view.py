"""What an actor may see of intents and tasks. These reads are limited to the actor's workspace and role.

Unknown and forbidden look the same: NotFound.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import NotFound
from signoff.core.ids import split_ref
from signoff.core.intent.authorization import can_see, require_delivery_access
from signoff.core.intent.events import Decided, Fact, TaskOpened
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Delivery, Intent, Task, consented
from signoff.engine.commit.recent import RecentCommits
from signoff.engine.off_loop import OffLoop
from signoff.engine.read.delivery_status import ChannelState, channel_states, messages_of
from signoff.engine.read.integrity import Finding, examine_one
from signoff.engine.read.task_history import TaskHistory, task_history
from signoff.store.store import Store
from signoff.store.tables.messages import InFlight, Message
from signoff.store.transaction import EventRow, Stored

_CHUNK: Final = 1000
_MOST_SAME: Final = 20  # how many requests with one target are searched for an approved one
_EACH: Final = 100  # estimated cost of reading one event, in bytes of JSON
# How long a sent delivery may stay unread. Some published agents drain their stream at start and discard what they
# read, which would lose a new intent.
SETTLING: Final = timedelta(seconds=5)


class Seen(msgspec.Struct, gc=False, frozen=True):
    """An intent, and the requested step run (0 means the intent itself)."""

    stored: Stored
    step_run: int


class SeenTask(msgspec.Struct, gc=False, frozen=True):
    """A task. ``facts``: those of its whole intent; empty if the task was read from the row."""

    seen: Seen
    history: TaskHistory
    facts: Sequence[Fact] = ()


class Audit(msgspec.Struct, frozen=True):
    """An intent and its history. ``finding`` is None if the history verifies and folds to the row."""

    stored: Stored
    rows: list[EventRow]
    finding: Finding | None


class View:
    def __init__(self, store: Store, recent: RecentCommits, off_loop: OffLoop | None = None) -> None:
        self._store = store
        self._recent = recent
        self._off_loop = off_loop or OffLoop()
        self._redelivering: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def intent(self, actor: Actor, ref: str) -> Seen:
        """The intent (or one of its step runs) that ``ref`` names."""
        intent_id, step_run = split_ref(ref)
        stored = await self._store.intents.get(intent_id)
        # one error for all three, so that ids of others cannot be probed
        if stored is None or not can_see(actor, stored.intent) or step_run > stored.intent.step_runs:
            raise unknown_intent(ref)
        return Seen(stored, step_run)

    async def maybe(self, actor: Actor, intent_id: str) -> Intent | None:
        """The intent with this id; None if the actor cannot see it."""
        stored = await self._store.intents.get(intent_id)
        return stored.intent if stored is not None and can_see(actor, stored.intent) else None

    async def some(self, actor: Actor, ids: Sequence[str]) -> dict[str, Stored]:
        """The intents with these ids that the actor can see, by id."""
        found = await self._store.intents.some(ids)
        return {one.intent.id: one for one in found if can_see(actor, one.intent)}

    async def cached_intent(self, actor: Actor, ref: str) -> Seen:
        """The intent from this process's cache. It is good enough to prepare a command, which is checked on the
        locked row.
        """
        intent_id, step_run = split_ref(ref)
        stored = self._recent.get(intent_id)
        if stored is None or step_run > stored.intent.step_runs:
            return await self.intent(actor, ref)
        if not can_see(actor, stored.intent):
            raise unknown_intent(ref)
        return Seen(stored, step_run)

    async def rows(self, actor: Actor, ref: str, after: int = 0, limit: int = 1000) -> list[EventRow]:
        """The stored history after a sequence number, byte for byte."""
        seen = await self.intent(actor, ref)
        return await self._store.intents.history(seen.stored.intent.id, after, limit)

    async def history(self, seen: Seen, after: int = 0, limit: int = 1000) -> list[Fact]:
        """The facts after a sequence number. An actor that has seen an intent may always see its later events."""
        rows = await self._store.intents.history(seen.stored.intent.id, after, limit)
        return await self._off_loop.run(_reading(seen.stored.intent), partial(facts, rows), size_of(rows))

    async def facts_after(self, seen: Seen, after: int) -> list[Fact]:
        """Every fact of the intent so far with a sequence number above ``after``, in order."""
        found: list[Fact] = []
        while True:
            more = await self.history(seen, found[-1].seq if found else after, _CHUNK)
            found += more
            if len(more) < _CHUNK:
                return found

    async def all_facts(self, seen: Seen) -> list[Fact]:
        """All facts up to the state that was read, in order; later ones are left out."""
        # facts committed since would not fit the state that is shown next to them
        last = seen.stored.intent.seq
        return [fact for fact in await self.facts_after(seen, 0) if fact.seq <= last]

    async def open_histories(self, actor: Actor, found: Sequence[Stored]) -> list[TaskHistory | None]:
        """The open task of each of these intents, without its comments. The events of those with votes are read
        together.
        """
        answered = [one for one in found if isinstance(task := one.intent.open, Task) and task.votes]
        return await self._histories(actor, found, answered, _open_history)

    async def last_decided(self, actor: Actor, found: Sequence[Stored]) -> list[TaskHistory | None]:
        """The task of each of these intents that was decided last, without its comments. The events of all are read
        together.
        """
        return await self._histories(actor, found, found, _last_decided)

    async def _histories(
        self,
        actor: Actor,
        found: Sequence[Stored],
        needed: Sequence[Stored],
        fold: Callable[[Intent, list[Fact]], TaskHistory | None],
    ) -> list[TaskHistory | None]:
        """The task that ``fold`` finds for each intent. ``needed``: the intents whose events are read, up to the
        state that was read. Events are folded as they are read, so that several long histories are never in memory at
        once.
        """
        intents = {one.intent.id: one.intent for one in needed}
        known: dict[str, TaskHistory | None] = {}
        async for rows in self._store.intents.histories(intents):
            work = partial(_folded, intents, rows, fold)
            known |= await self._off_loop.run(actor, work, sum(map(size_of, rows.values())))
        return [known[one.intent.id] if one.intent.id in known else fold(one.intent, []) for one in found]

    async def task(
        self, actor: Actor, ref: str, seen: Seen | None = None, *, brief: bool = False
    ) -> SeenTask:
        """Return the task that an id names. An intent's own id names its open task, or else its last one. ``seen``:
        the intent, if the caller has already read it. ``brief``: an open task without votes is taken from the row,
        without comments and facts.
        """
        seen = seen or await self.intent(actor, ref)
        task = seen.stored.intent.open
        if brief and isinstance(task, Task) and seen.step_run in (0, task.step_run) and not task.votes:
            return SeenTask(seen, TaskHistory.of_row(task))
        facts = await self.all_facts(seen)
        step_runs = [fact.event.step_run for fact in facts if isinstance(fact.event, TaskOpened)]
        step_run = seen.step_run or (task.step_run if isinstance(task, Task) else (step_runs or [0])[-1])
        folded = partial(task_history, facts, step_run)
        history = await self._off_loop.run(_reading(seen.stored.intent), folded, _EACH * len(facts))
        if history is None:
            raise NotFound("task_not_found", f"There is no task {ref[:64]}.")
        return SeenTask(seen, history, facts)

    def cached_history(self, seen: Seen) -> tuple[Intent, list[Fact]] | None:
        """The intent and all its facts, if this process wrote them recently. Only for streams: facts that other
        servers have not announced yet may be missing.
        """
        return self._recent.life(seen.stored.intent.id)

    async def audit(self, actor: Actor, ref: str) -> "Audit":
        """Return the whole history with its bytes, and whether it verifies."""
        stored = (await self.intent(actor, ref)).stored
        # The row was read first, so its hash does not cover later writes.
        rows = await self._store.intents.whole_history(stored.intent.id)
        finding = await examine_one(self._store, stored.intent.id, self._off_loop)
        return Audit(stored, [row for row in rows if row.seq <= stored.intent.seq], finding)

    async def event_rows(self, actor: Actor, intent_id: str) -> list[EventRow]:
        """Every event of an intent as stored, for actors that may read everything."""
        authorize(actor, Action.READ_ALL)
        return await self._store.intents.whole_history(intent_id)

    async def old_payloads(self, actor: Actor, ref: str) -> dict[int, bytes]:
        """Replaced payloads, by the last revision that had each."""
        seen = await self.intent(actor, ref)
        return await self._store.intents.old_payloads(seen.stored.intent.id)

    async def approved_before(self, actor: Actor, stored: Stored) -> Stored | None:
        """Of the earlier requests with the same target, the last one to whose payload people consented, if it is kept.
        Only the last few requests with that target are searched.
        """
        intent = stored.intent
        if not intent.plan.target or stored.forgotten:
            return None
        same = await self._store.intents.same_target(intent.id, _MOST_SAME)
        last = next((one.intent for one in same if consented(one.intent)), None)
        if last is None or not can_see(actor, last):
            return None
        found = await self._store.intents.get(last.id)
        return found if found is not None and not found.forgotten else None

    async def messages(self, actor: Actor, intent_id: str, step_run: int) -> list[Message]:
        """The messages to people about one task."""
        authorize(actor, Action.LIST_TASKS)
        await self.intent(actor, intent_id)
        return await self._store.messages.of_task(intent_id, step_run)

    async def messages_about(self, actor: Actor, seen: Seen) -> list[InFlight]:
        """All messages about the requested task, or else about the whole intent."""
        authorize(actor, Action.LIST_MESSAGES)
        found = await messages_of(self._store, seen.stored.intent.id)
        return [one for one in found if seen.step_run in (0, one.message.visit)]

    async def channels(self, actor: Actor, names: Sequence[str], now: datetime) -> list[ChannelState]:
        """The health of each of these channels, for owners and admins."""
        authorize(actor, Action.READ_CHANNELS)
        return await channel_states(self._store, actor.workspace, names, now)

    async def deliveries(self, actor: Actor, agent: str, after: int, limit: int) -> list[tuple[int, Intent]]:
        """The claimable deliveries of ``agent`` (canonical) after a cursor."""
        self.own_address(actor, agent)
        return await self._store.intents.deliveries(actor.workspace, agent, after, limit)

    async def redeliver(self, actor: Actor, agent: str, since: int) -> None:
        """Give a new position in the agent's stream to deliveries up to a cursor that were sent but not read in time.
        Concurrent readers take turns, so each delivery moves once.
        """
        self.own_address(actor, agent)
        turn = self._redelivering.setdefault((actor.workspace, agent), asyncio.Lock())
        async with turn:
            rows = self._store.intents
            if unread := await rows.unread(actor.workspace, agent, since, SETTLING):
                await rows.redeliver(actor.workspace, agent, unread)

    async def note_read(self, actor: Actor, intent: Intent) -> None:
        """Note that an actor read an intent. A delivery counts as read only if the agent itself read it."""
        held = intent.open
        if actor.kind is ActorKind.AGENT and isinstance(held, Delivery) and held.agent == actor.address:
            await self._store.intents.mark_read(actor.workspace, actor.address, intent.id)

    def own_address(self, actor: Actor, agent: str) -> None:
        """Raise Forbidden if the actor may not see that agent's deliveries."""
        require_delivery_access(actor, agent)

    async def inbox(self, actor: Actor, owner: str, limit: int = 100) -> list[Stored]:
        """Intents addressed to ``owner`` or with it as reply address."""
        authorize(actor, Action.READ_INBOX, owner)
        return await self._store.intents.inbox(actor.workspace, owner, limit)


def size_of(rows: Sequence[EventRow]) -> int:
    """The cost of reading stored events: their bytes, and a fixed cost for each."""
    return sum(len(row.body) + len(row.private or b"") for row in rows) + _EACH * len(rows)


def _reading(intent: Intent) -> str:
    return f"history {intent.id}"


def _folded(
    intents: Mapping[str, Intent],
    rows: Mapping[str, list[EventRow]],
    fold: Callable[[Intent, list[Fact]], TaskHistory | None],
) -> dict[str, TaskHistory | None]:
    found = {}
    for id, events in rows.items():
        intent = intents[id]
        history = fold(intent, facts([row for row in events if row.seq <= intent.seq]))
        if history is not None:
            history.comments = None
        found[id] = history
    return found


def _open_history(intent: Intent, known: list[Fact]) -> TaskHistory | None:
    task = intent.open
    if not isinstance(task, Task):
        return None
    return task_history(known, task.step_run) if known else TaskHistory.of_row(task)


def _last_decided(_: Intent, known: list[Fact]) -> TaskHistory | None:
    decided = (fact.event.step_run for fact in reversed(known) if isinstance(fact.event, Decided))
    step_run = next(decided, None)
    return task_history(known, step_run) if step_run is not None else None


def facts(rows: list[EventRow]) -> list[Fact]:
    return [unseal(r.body, r.private) for r in rows]


def unknown_intent(ref: str) -> NotFound:
    return NotFound("intent_not_found", f"There is no intent {ref[:64]}.")
