"""The number of a person's open tasks and of proposals, for every page. They are cached until a task or the directory
changes.
"""

import asyncio
from typing import Final

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, permits
from signoff.web.state import AppState

_MOST_COUNTED: Final = 99
_FRESH_FOR: Final = 20.0  # seconds: absences begin and end without an event


class OpenTaskCounts:
    """Counts how many tasks wait for each person, at most once per person and change."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._held: dict[str, dict[str, tuple[float, str]]] = {}
        self._proposed: dict[str, tuple[float, list[str]]] = {}
        state.feed.watch(self._notified, "tasks", "directory")

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
        count = await self._state.lists.count_mine(actor, _MOST_COUNTED + 1)
        return f"{_MOST_COUNTED}+" if count > _MOST_COUNTED else str(count or "")
