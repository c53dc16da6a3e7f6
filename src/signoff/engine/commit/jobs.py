"""The jobs of a committer: submit, one command on one intent, claim deliveries, tick."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor, system
from signoff.core.errors import Busy, Conflict, NotFound, Refused
from signoff.core.ids import shard, step_run_id
from signoff.core.intent.advance import Change
from signoff.core.intent.authorization import authorize_command, can_see
from signoff.core.intent.commands import (
    AcceptPush,
    Answer,
    Claim,
    Command,
    Release,
    Renew,
    ReportProgress,
    Revise,
    Submit,
    Tick,
)
from signoff.core.intent.edited_answers import same_fields
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.timers import expired_as_approved
from signoff.core.text import json_value
from signoff.engine.commit.batch import Batch
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.resolve_command import needs_directory, resolve_command, validate_target
from signoff.store.transaction import ClaimableQuery, IdempotencyKey, Resubmitted, SentDelivery

log = logging.getLogger("signoff.jobs")

# Commands that decide nothing and open no task: they do not depend on the directory.
_WORK_ALONE: Final = (AcceptPush, ReportProgress, Release, Renew)
DAMAGED: Final = timedelta(minutes=1)  # pause before an intent whose timers failed is tried again


class Idempotency(msgspec.Struct, frozen=True):
    """An Idempotency-Key: its scope, the request's fingerprint, and how to render the answer.

    ``render`` runs inside the commit; its bytes are stored and returned for a repeated request.
    """

    route: str
    key: str
    fingerprint: str
    render: Callable[[Change], bytes]


class Done(msgspec.Struct, gc=False, frozen=True):
    """Exactly one is set: the effect of the command, or the stored response to its first call."""

    change: Change | None = None
    replay: bytes | None = None


CommandSource = Command | Callable[[Intent], Command]
"""A command, or a function that makes one from the intent's state when the job runs."""


class Outdated(Busy):
    """The directory has changed since the job was created, possibly on another server whose notification has not
    arrived yet. Nothing was written: the job has to be created again from the current directory.
    """

    def __init__(self) -> None:
        super().__init__(
            "directory_changed",
            "People, teams, policies or keys have just changed; nothing was written.",
        )


def require_current(batch: Batch, actor: Actor, directory: Snapshot | None) -> None:
    """Raise Outdated unless the actor and ``directory`` are current: a decision respects every directory change that
    was committed before it, on any server.
    """
    if directory is None:
        return
    last = batch.last_change(directory.workspace.id)
    # both must be current: the directory may be newer than the actor, whose rights were read before
    known = {directory.workspace.last_change, *(() if actor.as_of is None else (actor.as_of,))}
    if last is not None and known != {last}:
        raise Outdated


class OneIntent:
    """Base of the jobs that concern one intent and may carry an Idempotency-Key."""

    def __init__(self, actor: Actor, intent_id: str, once: Idempotency | None) -> None:
        self.actor = actor
        self.intent_id = intent_id
        self._once = once
        self._key = IdempotencyKey(actor.workspace, actor.id, once.route, once.key) if once else None

    def worker_key(self) -> int:
        return shard(self.intent_id)

    def once(self) -> IdempotencyKey | None:
        return self._key

    def claims(self) -> ClaimableQuery | None:
        return None

    def due(self) -> int:
        return 0

    def workspace(self) -> str:
        return ""

    def apply(self, batch: Batch) -> Done:
        if self._once is None or self._key is None:
            return Done(self.act(batch))
        body = batch.replay(self._key, self._once.fingerprint)
        if body is not None:
            return Done(replay=body)
        change = self.act(batch)
        batch.remember(self._key, self._once.fingerprint, self._once.render(change), change.after.id)
        return Done(change)

    def act(self, batch: Batch) -> Change:
        raise NotImplementedError


class SubmitJob(OneIntent):
    def __init__(
        self,
        actor: Actor,
        command: Submit,
        payload: bytes,
        once: Idempotency | None,
        directory: Snapshot | None = None,
    ) -> None:
        super().__init__(actor, command.id, once)
        self._directory = directory
        self._command = command
        self._payload = payload

    def worker_key(self) -> int:
        # the same key must always go to the same worker, or two first calls could both be new
        return hash(self._key) if self._key else shard(self.intent_id)

    def ids(self) -> Sequence[str]:
        return ()

    def workspace(self) -> str:
        return self._directory.workspace.id if self._directory is not None else ""

    def act(self, batch: Batch) -> Change:
        require_current(batch, self.actor, self._directory)
        return batch.create(self.actor, self._command, self._payload, _membership(self._directory))


class RerunJob(OneIntent):
    """The single rerun of an intent. Both intents are locked, so that there cannot be a second one."""

    def __init__(
        self, actor: Actor, source: str, command: Submit, payload: bytes, directory: Snapshot
    ) -> None:
        super().__init__(actor, command.id, None)
        self._source = source
        self._directory = directory
        self._command = command
        self._payload = payload

    def worker_key(self) -> int:
        return shard(self._source)

    def ids(self) -> Sequence[str]:
        return (self._source, self._command.id)

    def workspace(self) -> str:
        return self._directory.workspace.id

    def act(self, batch: Batch) -> Change:
        require_current(batch, self.actor, self._directory)
        if batch.holds(self._command.id):
            raise Conflict("already_rerun", "This intent has already been rerun.")
        return batch.create(self.actor, self._command, self._payload, _membership(self._directory))


class RefusedJob(OneIntent):
    """A request that can no longer be planned: refused, unless it is an idempotent replay."""

    def __init__(self, actor: Actor, once: Idempotency, refusal: Refused) -> None:
        super().__init__(actor, "", once)
        self._refusal = refusal

    def worker_key(self) -> int:
        return hash(self._key)

    def ids(self) -> Sequence[str]:
        return ()

    def act(self, batch: Batch) -> Change:
        raise self._refusal


class CommandJob(OneIntent):
    """One command. ``directory``: for commands that name people, and for tasks that open. ``shown``: the recorded
    targets of this intent that the actor was shown, for an answer that does not name its target.
    """

    def __init__(
        self,
        actor: Actor,
        intent_id: str,
        command: CommandSource,
        once: Idempotency | None,
        directory: Snapshot | None = None,
        shown: frozenset[tuple[int, int, int]] = frozenset(),
    ) -> None:
        super().__init__(actor, intent_id, once)
        self.command = command
        self._directory = directory
        self._shown = shown

    def ids(self) -> Sequence[str]:
        return (self.intent_id,)

    def workspace(self) -> str:
        work = isinstance(self.command, _WORK_ALONE)
        return "" if self._directory is None or work else self._directory.workspace.id

    def act(self, batch: Batch) -> Change:
        require_current(batch, self.actor, self._directory)
        intent = batch.intent(self.intent_id)
        return batch.change(self.actor, intent, self._resolved(intent), _membership(self._directory))

    def _resolved(self, intent: Intent) -> Command:
        if callable(self.command):
            # before the function runs: its errors would say what state the intent is in
            if not can_see(self.actor, intent):
                raise NotFound("intent_not_found", f"There is no intent {self.intent_id}.")
            command = self.command(intent)
        else:
            command = self.command
        if isinstance(command, Answer) and self._shown:
            command = msgspec.structs.replace(command, shown=self._shown)
        if self._directory is None or not needs_directory(command):
            return command
        try:
            return resolve_command(self.actor, intent, command, self._directory)
        except Refused:
            # checked first, so that an unauthorized caller learns no names
            authorize_command(self.actor, command, intent)
            raise


class ReviseJob(CommandJob):
    """A revision with its payload: ``before`` is the replaced one, kept so that the difference can be shown."""

    def __init__(self, job: CommandJob, before: bytes, payload: bytes) -> None:
        command = job.command
        if isinstance(command, Revise) and command.outcome:
            kept = same_fields(json_value.decode(before), json_value.decode(payload))
            command = msgspec.structs.replace(command, same_fields=kept)
        super().__init__(job.actor, job.intent_id, command, job._once, job._directory)
        self._before = before
        self._payload = payload

    def act(self, batch: Batch) -> Change:
        intent = batch.intent(self.intent_id)
        validate_target(intent, self._before)
        change = super().act(batch)
        batch.resubmit(Resubmitted(intent.id, intent.revision, self._before, self._payload))
        return change


def _membership(directory: Snapshot | None) -> Membership | None:
    return directory.membership if directory is not None else None


class _Scan:
    """Base of the jobs that name no intent to lock."""

    def worker_key(self) -> int:
        return 0

    def ids(self) -> Sequence[str]:
        return ()

    def once(self) -> IdempotencyKey | None:
        return None

    def claims(self) -> ClaimableQuery | None:
        return None

    def due(self) -> int:
        return 0

    def workspace(self) -> str:
        return ""


class ClaimJob(_Scan):
    """Claim up to ``limit`` offered deliveries of one agent under a lease."""

    def __init__(self, actor: Actor, agent: str, limit: int, lease: timedelta, holder: str) -> None:
        self._actor = actor
        self._query = ClaimableQuery(actor.workspace, agent, limit)
        self._command = Claim(holder, lease)

    def claims(self) -> ClaimableQuery | None:
        return self._query

    def apply(self, batch: Batch) -> list[Change]:
        taken: list[Change] = []
        for intent_id in batch.found.claimable:
            intent = batch.intent(intent_id)
            try:
                taken.append(batch.change(self._actor, intent, self._command))
            except Conflict:  # another job of this batch was faster
                continue
        return taken


class SentJob(_Scan):
    """Record what is sent on an agent's stream, together with other jobs: a separate commit would cost as much
    again.
    """

    def __init__(self, sent: Sequence[SentDelivery]) -> None:
        self._sent = sent

    def apply(self, batch: Batch) -> None:
        batch.record_sent(self._sent)


class DueJob(_Scan):
    """Tick up to ``limit`` intents that are due; returns how many there were. ``held`` returns a workspace's
    directory if it is in memory; ``asked`` says of tasks, by step run id, whether anyone was asked. Workspaces in
    ``missing`` have to be read before their intents can be ticked, and so have the messages of tasks in ``unknown``.
    """

    def __init__(
        self,
        limit: int,
        held: Callable[[str], Snapshot | None],
        asked: Mapping[str, bool] = MappingProxyType({}),
    ) -> None:
        self._limit = limit
        self._held = held
        self._asked = asked
        self.missing: set[str] = set()
        self.unknown: dict[str, tuple[Intent, Task]] = {}

    def due(self) -> int:
        return self._limit

    def apply(self, batch: Batch) -> int:
        for intent_id in batch.found.due:
            intent: Intent = batch.intent(intent_id)
            directory = self._held(intent.workspace)
            if directory is None:
                self.missing.add(intent.workspace)
                continue
            try:
                tick = self._tick(intent, batch.now)
                if tick is not None:
                    batch.change(system(intent.workspace), intent, tick, directory.membership)
            except Exception:  # one intent that cannot be ticked must not stop the timers of all others
                log.exception("timers of intent %s failed; run signoff doctor", intent_id)
                batch.postpone(intent, DAMAGED)
        return len(batch.found.due)

    def _tick(self, intent: Intent, now: datetime) -> Tick | None:
        """None if it must first be known whether anyone was asked."""
        task = intent.open
        if not isinstance(task, Task) or not expired_as_approved(intent, now):
            return Tick()
        ref = step_run_id(intent.id, task.step_run)
        if ref not in self._asked:
            self.unknown[ref] = intent, task
            return None
        return Tick(asked=self._asked[ref])
