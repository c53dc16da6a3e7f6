"""Reads that several endpoints share: an intent or step by its id, all its facts, the address in a path."""

from collections.abc import Sequence
from typing import Final

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.killed import refuse_killed
from signoff.core.directory.model import Account
from signoff.core.errors import Invalid, NotFound
from signoff.core.ids import split_ref
from signoff.core.intent.answer_target import Target, target_after, target_of
from signoff.core.intent.events import Fact
from signoff.core.intent.model import FINAL, Intent, Status, Task
from signoff.engine.commit.jobs import Done
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.view import Seen
from signoff.web.http.call import Call
from signoff.web.shapes.events import STEP, StepTrail
from signoff.web.shapes.intents import intent_out, step_out
from signoff.wire.intents import IntentOut

NOT_FINAL: Final = tuple(status.value for status in Status if status not in FINAL)


async def visible(call: Call, ref: str) -> Seen:
    """The intent or step that an id names; raises NotFound if the caller cannot see it."""
    return await call.state.view.intent(call.actor, ref)


async def cached_or_read(call: Call, ref: str) -> Seen:
    """The intent from this process's cache, or else from the database, for commands that are checked again on the
    locked row. A response that is stored for idempotent replay is rendered from the database.
    """
    if call.header(b"idempotency-key"):
        return await visible(call, ref)
    return await call.state.view.cached_intent(call.actor, ref)


def outdated(seen: Seen, done: Done) -> bool:
    """Whether the intent's state when the command was applied differs from what the caller had seen."""
    before = done.change.before if done.change else None
    return before is not None and before.seq != seen.stored.intent.seq


async def shown(call: Call, seen: Seen) -> IntentOut:
    """The intent, or the one step of it that the id names."""
    if not seen.step_run:
        return intent_out(seen.stored.intent, seen.stored.payload)
    trail = StepTrail(seen.stored.intent, seen.step_run)
    for fact in await call.state.view.all_facts(seen):
        trail.show(fact)
    status = trail.status if trail.over or trail.status is Status.WAITING else Status.DELIVERED
    return step_out(seen.stored, seen.step_run, status, trail.result, trail.step)


async def directory_of(call: Call) -> Snapshot:
    return await call.state.directory.of(call.actor.workspace)


async def address_of(call: Call) -> str:
    """The canonical address of the agent that the path names."""
    try:
        return (await directory_of(call)).resolve(call.params["address"])
    except Invalid as refusal:
        message = refusal.message.replace("to_agent:", "The address", 1)
        raise Invalid(refusal.code, message, field="address", hint=refusal.hint) from None


async def working_agent(call: Call, agent: str) -> Account | None:
    """The account of an address, None if it has none; raises Forbidden if the agent was killed."""
    account = (await directory_of(call)).by_address.get(agent)
    refuse_killed(account)
    return account


async def asks_for_work(call: Call, agent: str) -> None:
    """Record that a worker asks for this agent's work; raises Forbidden if it may not, or if the agent was killed."""
    call.state.view.own_address(call.actor, agent)
    account = await working_agent(call, agent)
    call.state.workers.note(call.actor.workspace, agent, call.client, account is not None)


def cursor_of(call: Call) -> str:
    """The intent after which a page continues, "" for the first page; raises Invalid for a cursor that no page
    returned.
    """
    cursor = call.query.get("cursor", "")
    try:
        return split_ref(cursor)[0] if cursor else ""
    except NotFound as error:
        raise no_cursor(cursor) from error


def no_cursor(cursor: str) -> Invalid:
    """The error for a cursor that no page of this list returned."""
    return Invalid(
        "validation_error",
        f"cursor: {cursor[:64]!r} is not a next_cursor.",
        field="cursor",
        hint="Send the previous page's next_cursor unchanged.",
    )


def statuses(words: list[str], field: str = "status") -> tuple[str, ...]:
    """The named statuses, in upper or lower case; ``pending`` means all that are not final. Raises Invalid if none is
    named.
    """
    found: dict[str, None] = {}
    for word in (word.strip().upper() for word in words):
        if word == "PENDING":
            found |= dict.fromkeys(NOT_FINAL)
        elif word in Status.__members__:
            found[word] = None
        else:
            hint = "Known: " + ", ".join(Status.__members__) + ", pending."
            raise Invalid("validation_error", f"{word[:32]!r} is not a status.", field=field, hint=hint)
    return tuple(found)


async def record_shown(call: Call, *intents: Intent) -> None:
    """Record that a person was shown these tasks, because they may later answer one of them without naming a
    target.
    """
    open_tasks = ((intent.id, intent.open) for intent in intents)
    shown = ((intent_id, target_of(task)) for intent_id, task in open_tasks if isinstance(task, Task))
    await call.state.engine.record_shown(call.actor, shown)


class ShownRecorder:
    """Records what a person is shown while reading an intent's events: each task as it opens, is revised, or reaches
    its next stage. ``since``: events up to this one are not counted; visit: count only those of this step run, 0 for
    all.
    """

    def __init__(self, call: Call, intent_id: str, since: int, step_run: int) -> None:
        self._call = call
        self._intent_id = intent_id
        self._since = since
        self._step_run = step_run
        self._place: Target | None = None
        self._person = call.actor.kind is ActorKind.PERSON

    async def read(self, facts: Sequence[Fact]) -> None:
        """Process the next facts, in order, starting with the intent's first."""
        if not self._person:
            return
        shown = None
        for fact in facts:
            now = target_after(self._place, fact.event)
            if now != self._place:
                shown = now if fact.seq * STEP > self._since else None
                self._place = now
        if shown is not None and self._step_run in (0, shown[0]):
            await self._call.state.engine.record_shown(self._call.actor, [(self._intent_id, shown)])
