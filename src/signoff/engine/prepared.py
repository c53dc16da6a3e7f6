"""What a command needs of the directory, given to it under the lock: the rules are pure and know nobody by name.

An answer is counted with what everybody is called now, so whoever left a team meanwhile does not count for it.
"""

import hashlib
from functools import singledispatch

from msgspec.structs import replace

from signoff.core import commands as c
from signoff.core.errors import Conflict, Invalid
from signoff.core.fields import suggestion
from signoff.core.model import Actor, Intent, Task
from signoff.core.standing import DECIDING, requesters_side
from signoff.core.tasks import Stage
from signoff.core.wake import spec_of
from signoff.engine.directory import Snapshot
from signoff.engine.forms import checked_form
from signoff.engine.staffing import barred_from, decidable, nobody, refuse_unknown_teams, spelled
from signoff.store.entries import Person


def prepared(actor: Actor, intent: Intent, command: c.Command, book: Snapshot) -> c.Command:
    """The command with what the directory says; raises Invalid where it names somebody who is not there."""
    return _prepared(command, actor, intent, book)


@singledispatch
def _prepared(command: c.Command, actor: Actor, intent: Intent, book: Snapshot) -> c.Command:
    return command


@_prepared.register
def _answer(command: c.Answer, actor: Actor, intent: Intent, book: Snapshot) -> c.Command:
    return replace(checked_form(intent, command), standing=book.standing)


@_prepared.register
def _delegate(command: c.Delegate, actor: Actor, intent: Intent, book: Snapshot) -> c.Command:
    taker = deciding_person(book, command.to, "to")
    task = intent.open
    if isinstance(task, Task) and taker.id in barred_from(
        spec_of(intent, task), book, requesters_side(intent)
    ):
        raise Invalid(
            "self_approval", f"{taker.name or taker.email} stands on the requester's side.", field="to",
            hint="Hand it over to somebody else.",
        )  # fmt: skip
    return replace(command, to=taker.id)


@_prepared.register
def _reassign(command: c.Reassign, actor: Actor, intent: Intent, book: Snapshot) -> c.Command:
    to = spelled(command.to)
    refuse_unknown_teams(to, book, "to")
    task = intent.open
    if isinstance(task, Task) and to:
        present = spec_of(intent, task).stages[task.stage]
        _refuse_undecidable(intent, task, Stage(to, present.need, present.reject_after, present.every), book)
    return replace(command, to=to)


@_prepared.register
def _revise(command: c.Revise, actor: Actor, intent: Intent, book: Snapshot) -> c.Command:
    task = intent.open
    if isinstance(task, Task):
        for stage in spec_of(intent, task).stages:
            _refuse_undecidable(intent, task, stage, book, actor.id)
    return command


def _refuse_undecidable(intent: Intent, task: Task, stage: Stage, book: Snapshot, editor: str = "") -> None:
    side = requesters_side(intent) | ({editor} if editor else set())
    barred = barred_from(spec_of(intent, task), book, side)
    if not decidable(stage, book, barred):
        raise nobody(task.step, stage, barred)


def deciding_person(book: Snapshot, name: str, field: str) -> Person:
    """An active person of the workspace with an approving role; raises Invalid for anybody else."""
    person = book.person(name)
    if person is None:
        hint = suggestion(name, [p.email for p in book.people.values() if p.active])
        raise Invalid(
            "unknown_person", f"{field}: nobody here is called {name[:128]!r}.", field=field, hint=hint
        )
    if DECIDING.isdisjoint(person.roles):
        raise Invalid(
            "not_an_approver", f"{field}: {person.email} has no approving role.", field=field,
            hint="Whoever decides for others must be able to decide: owner, admin or approver.",
        )  # fmt: skip
    return person


def check_before(intent: Intent, before: bytes) -> None:
    """Raise Conflict unless ``before`` is still what is being decided."""
    if hashlib.sha256(before).hexdigest() != intent.payload_digest:
        raise Conflict(
            "stale_revision", "It was revised by somebody else meanwhile.", details={"revision": intent.revision},
            hint="Read the task again, then revise.",
        )  # fmt: skip
