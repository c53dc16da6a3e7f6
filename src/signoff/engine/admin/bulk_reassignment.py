"""Reassign all open tasks of one person to another. Only admins may do it; each task is reassigned and recorded
separately.
"""

from typing import Final

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Person
from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.errors import Conflict, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.answering_rights import pinned_members, stage_now
from signoff.core.intent.commands import Reassign
from signoff.core.intent.model import Intent, Task
from signoff.core.plan.wording import question
from signoff.engine.commit.engine import Engine
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.store.store import Store
from signoff.store.transaction import Stored

_PAGE: Final = 100
MOST: Final = 1000  # maximum number of tasks per call


class HeldTask(msgspec.Struct, frozen=True):
    """An open task that a person may answer now. ``alone``: nobody else belongs to the approver entry that makes them
    eligible.
    """

    task: str
    title: str
    alone: bool
    intent: Intent


class ReassignmentResult(msgspec.Struct, frozen=True):
    """``refused``: the tasks left unchanged, with the reason; ``whole``: whether all open tasks of the person
    were checked.
    """

    done: list[str]
    refused: list[tuple[str, Refused]]
    whole: bool


class BulkReassignment:
    def __init__(self, engine: Engine, store: Store, directory: DirectoryCache) -> None:
        self._engine = engine
        self._store = store
        self._directory = directory

    async def waiting(self, actor: Actor, person: Person) -> tuple[list[HeldTask], bool]:
        """Return the open tasks that ask the person, by name, team or role, and that they have not answered; and
        whether these are all.
        """
        authorize(actor, Action.READ_OPEN_TASKS, person)
        directory = await self._directory.of(person.workspace)
        found: list[HeldTask] = []
        after = ""
        for _ in range(MOST // _PAGE):
            page = await self._store.intents.open_tasks(person.workspace, after, _PAGE)
            found += [held for one in page if (held := waiting_task(one, person, directory)) is not None]
            if len(page) < _PAGE:
                return found, True
            after = page[-1].intent.id
        return found, False

    async def reassign_all(
        self, actor: Actor, current: Person, other: Person, comment: str
    ) -> ReassignmentResult:
        """Replace one person with the other in each of these tasks."""
        authorize(actor, Action.REASSIGN_ALL)
        found, whole = await self.waiting(actor, current)
        done: list[str] = []
        refused: list[tuple[str, Refused]] = []
        for held in found:
            try:
                await self._engine.handle(
                    actor, held.task, lambda intent: replacement(intent, current, other, comment)
                )
                done.append(held.task)
            except Refused as refusal:
                refused.append((held.task, refusal))
        return ReassignmentResult(done, refused, whole)


def waiting_task(stored: Stored, person: Person, directory: Snapshot) -> HeldTask | None:
    """Return the open task of this intent if it asks the person now, else None."""
    intent = stored.intent
    task = intent.open
    if not isinstance(task, Task):
        return None
    mine = [name for name in _asked(intent, task) if _means(intent, task, name, person)]
    answered = any(vote.person == person.id and vote.at_stage == task.stage for vote in task.votes)
    if not mine or answered:
        return None
    held = pinned_members(intent, task)
    others = {one for name in mine for one in held.get(name, directory.membership.members(name))} - {
        person.id
    }
    alone = not any(one in directory.active_people for one in others)
    title = question(intent.plan, intent.plan.human_step(task.step), intent.type, stored.payload)
    return HeldTask(step_run_id(intent.id, task.step_run), title, alone, intent)


def replacement(intent: Intent, current: Person, other: Person, comment: str) -> Reassign:
    """The reassignment that replaces one person with another. It replaces the person's own entry; if they are asked
    as a member of a team or role, it adds the other person and keeps the remaining members.
    """
    task = intent.open
    if not isinstance(task, Task):
        raise Conflict("no_open_task", "This task is no longer open.")
    stage, places = stage_now(intent, task), []
    for name in _asked(intent, task):
        if not _means(intent, task, name, current):
            places.append(name)
        elif _own(name, current):
            places.append(other.id)
        else:
            # alone in the entry: if every entry must approve, the replacement takes the entry's place
            places += [other.id] if stage.every else [name, other.id]
    return Reassign(tuple(dict.fromkeys(places)), task.step_run, comment, keep=True)


def _asked(intent: Intent, task: Task) -> tuple[str, ...]:
    return stage_now(intent, task).approvers or DECIDING_ROLES


def _own(name: str, person: Person) -> bool:
    return name in (person.id, person.email.lower())


def _means(intent: Intent, task: Task, name: str, person: Person) -> bool:
    pinned = pinned_members(intent, task)
    return person.id in pinned[name] if name in pinned else _own(name, person)
