"""The input of a decision card, loaded before anything is computed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.directory.workers import Worker
from signoff.core.intent import events as e
from signoff.core.intent.model import Intent, Task
from signoff.core.plan.task_types import Meaning
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.revisions import AskedRevision, SinceApproved, asked
from signoff.engine.read.task_history import TaskHistory
from signoff.store.tables.messages import Message


class TaskContext(msgspec.Struct, frozen=True, kw_only=True):
    """payload: the payload that the task decided on. old: replaced payloads, by the last revision that had each.
    earlier: the requester's former intents of this type. messages: those about the task. opened: whether to show
    everything expanded. workers: when work was last requested, by agent. deleted: whether the payloads were deleted.
    approved: the difference from the last approved request with the same target.
    """

    intent: Intent
    payload: dict[str, Any]
    facts: Sequence[e.Fact]
    history: TaskHistory
    directory: Snapshot
    reader: Actor
    now: datetime
    messages: Sequence[Message] = ()
    earlier: Sequence[Intent] = ()
    opened: bool = False
    old: dict[int, dict[str, Any]] = {}
    workers: dict[str, Worker] = {}
    deleted: bool = False
    approved: SinceApproved | None = None

    @property
    def task(self) -> Task | None:
        """The task, if it is open."""
        held = self.intent.open
        return held if isinstance(held, Task) and held.step_run == self.history.step_run else None

    def asked(self) -> list[AskedRevision]:
        """Every revision of this step so far, in order."""
        return asked(self.facts, self.history.step)

    def changes_requested(self) -> list[e.Fact]:
        """The answers that requested changes in this step's previous task."""
        before = {one.step_run for one in self.asked() if one.step_run < self.history.step_run}
        return [
            fact
            for fact in self.facts
            if isinstance(fact.event, e.Answered)
            and before
            and fact.event.step_run == max(before)
            and fact.event.meaning is Meaning.REQUESTS_CHANGES
        ]
