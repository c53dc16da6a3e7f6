"""The open tasks of one person; and their number, for every page, with the number of proposals. The counts are cached
until a task, or the directory, changes.
"""

import asyncio
from typing import Final

from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, permits
from signoff.core.intent.answering_rights import asked, waits_for
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.snoozes import active_snooze
from signoff.store.work import Stored
from signoff.web.state import AppState

READ: Final = 200
_MOST_COUNTED: Final = 99
_MOST_READS: Final = 25
_MOST_BYTES: Final = 16 * 1024 * 1024  # of payloads that one page holds
_FRESH_FOR: Final = 20.0  # seconds: absences begin and end without an event


def is_my_teams(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether a team of the reader's is asked, whichever member will answer."""
    return any(name.startswith("team:") for name in asked(intent, task) & actor.names)


async def open_tasks(state: AppState, actor: Actor) -> tuple[list[Stored], bool]:
    """(the workspace's open tasks, oldest first; whether there are more than were read). If there are very many long
    requests, the later ones come without their payload.
    """
    found: list[Stored] = []
    room = _MOST_BYTES
    for _ in range(_MOST_READS):
        page = await state.view.tasks(actor, after=found[-1].intent.id if found else "", limit=READ)
        for stored in page:
            room -= len(stored.payload)
            found.append(stored if room >= 0 else replace(stored, payload=b""))
        if len(page) < READ:
            return found, False
    return found, True


class OpenTaskCounts:
    """How many tasks wait for whom: the open tasks are read at most once per person and change."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._held: dict[str, dict[str, tuple[float, str]]] = {}
        self._proposed: dict[str, tuple[float, list[str]]] = {}
        state.feed.watch(self._notified)

    def _notified(self, topic: str) -> None:
        if topic[:6] == "tasks:":
            self._held.pop(topic[6:], None)
        elif topic == "" or topic.startswith("directory:"):
            self._held.clear()
            self._proposed.clear()

    async def of(self, actor: Actor) -> str:
        """The number to show: "" for none, ``99+`` for many."""
        now = asyncio.get_running_loop().time()
        held = self._held.setdefault(actor.workspace, {})
        known = held.get(actor.id)
        if known is None or known[0] <= now:
            known = held[actor.id] = (now + _FRESH_FOR, await self._count(actor))
        return known[1]

    async def changes(self, actor: Actor) -> str:
        """How many proposals this person can confirm or refuse: "" for none."""
        if not permits(actor, Action.END_PROPOSAL):
            return ""
        now = asyncio.get_running_loop().time()
        held = self._proposed.get(actor.workspace)
        if held is None or held[0] <= now:
            found = await self._state.proposals.waiting(actor, _MOST_COUNTED)
            held = self._proposed[actor.workspace] = (now + _FRESH_FOR, [one.row.actor_id for one in found])
        count = sum(proposer != actor.id for proposer in held[1])
        return str(count) if count else ""

    async def _count(self, actor: Actor) -> str:
        count, after = 0, ""
        for _ in range(_MOST_READS):
            page = await self._state.view.tasks(actor, after=after, limit=READ)
            for stored in page:
                task = stored.intent.open
                if isinstance(task, Task) and active_snooze(task, actor.id) is None:
                    count += waits_for(actor, stored.intent, task)
            if count > _MOST_COUNTED:
                return f"{_MOST_COUNTED}+"
            if len(page) < READ:
                break
            after = page[-1].intent.id
        return str(count) if count else ""
