"""Checks open tasks after the directory has changed: if too few eligible people are left, the task escalates.

Pending checks are stored with the workspace, so that a restart does not lose them. Tasks are read in pages, with
pauses, so that a change does not slow down other requests, no matter how many tasks are open.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from signoff.core.directory.actors import system
from signoff.core.directory.model import DirectoryChange, Workspace
from signoff.core.errors import Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import CheckStaffing
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.model import Task
from signoff.core.intent.understaffed import Consequence, MissingApprovers, consequence, missing_approvers
from signoff.core.plan.wording import question
from signoff.core.text import json_value
from signoff.engine.commit.engine import Engine
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.store.store import Store
from signoff.store.transaction import Stored

log = logging.getLogger("signoff.understaffed")

_FOLLOWS: Final = {
    Consequence.WAITS: "It escalates at its own time; an admin can reassign it.",
    Consequence.ESCALATES: "It escalates now; an admin can reassign it.",
    Consequence.ENDS: "It ends as undeliverable, and nothing is approved.",
}
_PAGE: Final = 100
_PAUSE: Final = 0.05
_IDLE: Final = 5.0
_CHANGES: Final = 200
LOOKED_AT: Final = 1000  # tasks checked for a response; the loop checks all


class UnderstaffedTask(msgspec.Struct, frozen=True):
    """An open task with too few eligible people left."""

    task: str
    title: str
    lack: MissingApprovers
    follows: Consequence

    @property
    def text(self) -> str:
        left = self.lack.left or "nobody"
        takes = f"stage {self.lack.stage + 1} needs {self.lack.takes}"
        return f"Task {self.task} ({self.title}): {takes}, {left} eligible left. {_FOLLOWS[self.follows]}"


def staffing_shortfall(stored: Stored, now: Membership) -> UnderstaffedTask | None:
    intent = stored.intent
    task = intent.open
    lack = missing_approvers(intent, task, now) if isinstance(task, Task) else None
    if lack is None or not isinstance(task, Task):
        return None
    title = question(intent.plan, intent.plan.human_step(task.step), intent.type, stored.payload)
    follows = consequence(intent, task, lack, now)
    return UnderstaffedTask(step_run_id(intent.id, task.step_run), title, lack, follows)


class UnderstaffedChecks:
    """``page``: how many tasks are read at once."""

    def __init__(self, engine: Engine, store: Store, directory: DirectoryCache, page: int = _PAGE) -> None:
        self._size = page
        self._engine = engine
        self._store = store
        self._directory = directory
        self._passes: dict[
            str, tuple[int, str]
        ] = {}  # by workspace: the change to check for, and the last id that was checked

    async def once(self) -> float:
        """Check one page of tasks in each workspace that has changed; returns the seconds until the next check."""
        waiting = await self._store.directory.unchecked()
        for space in waiting:
            await self._page(space)
        return _PAUSE if waiting else _IDLE

    async def _page(self, space: Workspace) -> None:
        if space.id not in self._passes:
            if not await self._takes_somebody(space):
                await self._store.directory.understaffed_checked(space.id, space.last_change)
                return
            directory = await self._directory.anew(space.id)
            self._passes[space.id] = (directory.workspace.last_change, "")
        change, after = self._passes[space.id]
        membership = (await self._directory.of(space.id)).membership
        found = await self._store.intents.open_tasks(space.id, after, self._size)
        for stored in found:
            await self._recheck(stored, membership)
        if len(found) == self._size:
            self._passes[space.id] = (change, found[-1].intent.id)
            return
        del self._passes[space.id]
        await self._store.directory.understaffed_checked(space.id, change)

    async def _recheck(self, stored: Stored, membership: Membership) -> None:
        intent = stored.intent
        task = intent.open
        if not isinstance(task, Task) or missing_approvers(intent, task, membership) is None:
            return
        try:
            await self._engine.handle(system(intent.workspace), intent.id, CheckStaffing(task.step_run))
        except Refused as refusal:  # it has ended in the meantime
            log.debug("intent %s is no longer understaffed: %s", intent.id, refusal.code)

    async def _takes_somebody(self, space: Workspace) -> bool:
        """Whether one of the changes since then makes someone ineligible."""
        if space.last_change - space.staffed_change > _CHANGES:
            return True
        changes = await self._store.people.changes(space.id, _CHANGES)
        return takes_somebody(one for one in changes if one.number > space.staffed_change)

    async def short(
        self, workspace: str, membership: Membership, limit: int = LOOKED_AT
    ) -> tuple[list[UnderstaffedTask], bool]:
        """Return the understaffed tasks among the ``limit`` oldest open ones, and whether these were all open tasks."""
        found: list[UnderstaffedTask] = []
        after, looked = "", 0
        while looked < limit:
            page = await self._store.intents.open_tasks(workspace, after, _PAGE)
            found += [short for one in page if (short := staffing_shortfall(one, membership)) is not None]
            looked += len(page)
            if len(page) < _PAGE:
                return found, True
            after = page[-1].intent.id
        return found, False

    async def warnings(self, workspace: str, before: Membership, after: Membership) -> tuple[str, ...]:
        """Warnings for the author of a directory change, about the open tasks that it would leave understaffed."""
        if before is after or not removes_eligibility(before, after):
            return ()
        found, whole = await self.short(workspace, after)
        texts = tuple(one.text for one in found[:20])
        if len(found) > len(texts):
            texts += (f"And {len(found) - len(texts)} more tasks are understaffed; see signoff doctor.",)
        if not whole:
            texts += (
                "There are more open tasks than were checked now; owners and admins are notified of each.",
            )
        return texts


def removes_eligibility(before: Membership, after: Membership) -> bool:
    """Whether someone has fewer approver names than before."""
    return any(
        names - after.active_people.get(person, frozenset()) for person, names in before.active_people.items()
    )


def takes_somebody(changes: Iterable[DirectoryChange]) -> bool:
    """Whether one of these changes removes a role, a membership or access."""
    return any(_takes(change) for change in changes)


def _takes(change: DirectoryChange) -> bool:
    if change.kind not in ("person", "team", "workspace") or not change.before:
        return False
    before: dict[str, Any] = json_value.decode(change.before)
    after: dict[str, Any] = json_value.decode(change.after) if change.after else {}
    if change.kind == "workspace":
        return bool(before.get("self_approval")) and not after.get("self_approval")
    if change.kind == "team":
        return bool({*before.get("members", ())} - {*after.get("members", ())})
    gone = {*before.get("roles", ())} - {*after.get("roles", ())}
    off = before.get("active", True) and not after.get("active", True)
    return bool(gone or off or before.get("email") != after.get("email"))
