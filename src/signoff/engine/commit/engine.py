"""The entry point for every change to an intent: builds the command and passes it to the committer."""

import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Account
from signoff.core.errors import Busy, Conflict, Invalid, Refused, TooMany
from signoff.core.ids import new_intent_id, split_ref, uuid7
from signoff.core.intent.advance import Change
from signoff.core.intent.answer_target import NOT_SHOWN, Target, counts_unshown, names_all
from signoff.core.intent.authorization import can_see, require_delivery_access
from signoff.core.intent.commands import Answer, Revise, Submit
from signoff.core.intent.evolve import rfc3339
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent, Requester, Task
from signoff.core.intent.notifications import ASKING
from signoff.core.intent.wake import began_at
from signoff.core.plan.schedules import LONGEST_LEASE
from signoff.engine.clock import Clock
from signoff.engine.commit.committer import Committer
from signoff.engine.commit.jobs import (
    ClaimJob,
    CommandJob,
    CommandSource,
    Done,
    DueJob,
    Idempotency,
    Outdated,
    RefusedJob,
    RerunJob,
    ReviseJob,
    SentJob,
    SubmitJob,
)
from signoff.engine.commit.recent import RecentCommits
from signoff.engine.commit.repeated_answers import ELSEWHERE, repeat_of
from signoff.engine.directory.agent_usage import AgentUsage, limited_agents
from signoff.engine.directory.contact_schedule import who_may_decide_of
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.engine.planning.planner import Submission
from signoff.store.database import ConnectionLost
from signoff.store.store import Store
from signoff.store.tables.messages import SENT, Message
from signoff.store.tables.showings import ShownTarget
from signoff.store.tables.uses import Use
from signoff.store.transaction import OutboxKind, SentDelivery

log = logging.getLogger("signoff.engine")

SHORTEST_LEASE = timedelta(seconds=1)
_REMEMBERED = 10_000
_QUEUED = 1000  # rows of one intent in the outbox that are looked through
_TRIES = 4  # attempts of one command while the directory changes


class Engine:
    """All changes to intents. For reads see ``engine.read.view``; the rules are in ``core``."""

    def __init__(
        self,
        committer: Committer,
        clock: Clock,
        directory: DirectoryCache,
        store: Store,
        recent: RecentCommits,
        admission: Admission | None = None,
    ) -> None:
        self._committer = committer
        self._clock = clock
        self._directory = directory
        self._store = store
        self._recent = recent
        self._shown: OrderedDict[ShownTarget, None] = OrderedDict()
        self._recorded: OrderedDict[SentDelivery, None] = OrderedDict()
        self._admission = admission or Admission(KeyLimits())
        self._usage = AgentUsage(store, clock)

    async def submit(self, actor: Actor, submission: Submission, once: Idempotency | None = None) -> Done:
        """Create an intent and start its first step in one commit. Raises Refused; Busy if the queue is full. Beyond
        the limit on open intents, an idempotent replay still gets its stored answer.
        """
        try:
            async with self._admission.another_intent(actor):
                directory = submission.directory or await self._directory.of(actor.workspace)
                limited = limited_agents(submission.plan, directory)
                return await self._counted(limited, lambda: self._submit(actor, submission, once))
        except TooMany as refusal:
            return await self.refuse(actor, refusal, once)

    async def _counted(self, agents: Sequence[Account], submit: Callable[[], Awaitable[Done]]) -> Done:
        """Submit a request that counts for these agents; raises TooMany if one has reached a limit."""
        if not agents:
            return await submit()
        counted = await self._usage.count(agents)
        try:
            done = await submit()
        except ConnectionLost:  # it may have been created
            raise
        except Refused:
            await self._usage.give_back(counted)
            raise
        if done.change is None:  # the stored answer to its first call, which was counted
            await self._usage.give_back(counted)
        return done

    async def _submit(self, actor: Actor, submission: Submission, once: Idempotency | None) -> Done:
        millis = int(self._clock.now().timestamp() * 1000)
        command = Submit(
            id=new_intent_id(millis, os.urandom(10)),
            workspace=actor.workspace,
            type=submission.type,
            requester=Requester(
                actor.kind,
                actor.id,
                actor.address,
                submission.claimed_from,
                tuple(dict.fromkeys((*actor.sponsors, *submission.behind))),
            ),
            plan=submission.plan,
            plan_digest=submission.plan_digest,
            payload_digest=submission.payload_digest,
            to_agent=submission.to_agent,
            reply_to=submission.reply_to,
            # ordered by time, like intent ids, so that its index grows at one end
            correlation_id=submission.correlation_id or uuid7(millis, os.urandom(10)),
            traceparent=submission.traceparent,
            scenario_id=submission.scenario_id,
            retry_of=submission.retry_of,
            deadline_at=submission.deadline_at,
        )
        directory = submission.directory or await self._directory.of(actor.workspace)
        return await self._created(SubmitJob(actor, command, submission.payload, once, directory))

    async def _created(self, job: SubmitJob | RerunJob) -> Done:
        """Commit the job. Raises Outdated if the directory has changed since its plan was made; the caller
        then plans again.
        """
        try:
            done: Done = await self._committer.do(job)
        except Outdated:
            self._directory.outdated(job.actor.workspace)
            raise
        return done

    async def rerun(
        self, actor: Actor, source: str, command: Submit, payload: bytes, directory: Snapshot
    ) -> Intent:
        """Create an intent that reruns the failed ``source``, if ``directory`` allows it. Raises
        Conflict(``already_rerun``) if it has already been rerun.
        """
        job = RerunJob(actor, source, command, payload, directory)
        async with self._admission.another_intent(actor):
            done = await self._counted(limited_agents(command.plan, directory), lambda: self._created(job))
        if done.change is None:
            raise TypeError("a rerun has no stored response")
        return done.change.after

    async def refuse(self, actor: Actor, refusal: Refused, once: Idempotency | None) -> Done:
        """Refuse a request that cannot be planned, unless it is an idempotent replay."""
        if once is None:
            raise refusal
        done: Done = await self._committer.do(RefusedJob(actor, once, refusal))
        return done

    async def handle(
        self, actor: Actor, ref: str, command: CommandSource, once: Idempotency | None = None
    ) -> Done:
        """Apply one command to the intent that ``ref`` names; a task's or a delivery's id also names the step run."""
        job = await self._job(actor, ref, command, once)
        try:
            return await self._on_current_directory(
                actor, job, lambda who: self._job(who, ref, command, once)
            )
        except Refused as refusal:
            if refusal.code == NOT_SHOWN:
                self._recent.forget((job.intent_id,))  # another server may have revised the request
            repeat = None
            if isinstance(job.command, Answer) and refusal.code in ELSEWHERE:
                repeat = await self._repeated(actor, job.intent_id, job.command)
            if repeat is None:
                raise
            return Done(change=repeat)

    async def _on_current_directory(
        self, actor: Actor, job: CommandJob, again: Callable[[Actor], Awaitable[CommandJob]]
    ) -> Done:
        """Commit the job. If the directory has changed since the job was created, create it ``again`` with the actor's
        current rights.
        """
        for _ in range(_TRIES - 1):
            try:
                done: Done = await self._committer.do(job)
            except Outdated:
                self._directory.outdated(actor.workspace)
                actor = await self._directory.present(actor, self._clock.now())
                job = await again(actor)
            else:
                return done
        done = await self._committer.do(job)
        return done

    async def repeated(self, actor: Actor, ref: str, answer: Answer) -> Change | None:
        """The stored effect of exactly this answer; None if it is not the person's last one at that stage."""
        intent_id, step_run = split_ref(ref)
        return await self._repeated(actor, intent_id, replace(answer, step_run=answer.step_run or step_run))

    async def _repeated(self, actor: Actor, intent_id: str, answer: Answer) -> Change | None:
        if actor.kind is not ActorKind.PERSON or answer.digest is None:
            return None
        stored = await self._store.intents.get(intent_id)
        if stored is None or not can_see(actor, stored.intent):
            return None
        rows = await self._store.intents.whole_history(intent_id)
        return repeat_of(actor, answer, stored.intent, [unseal(row.body, row.private) for row in rows])

    async def record_shown(self, actor: Actor, shown: Iterable[tuple[str, Target]]) -> None:
        """Record that this person was shown these tasks, for answers that do not name their target. Called before the
        response is sent. If it cannot be written, the person has to read the task again before giving such an answer.
        """
        if actor.kind is not ActorKind.PERSON:
            return
        targets = (ShownTarget(intent_id, actor.id, *place) for intent_id, place in shown)
        new = [one for one in targets if one not in self._shown]
        if not new:
            return
        try:
            await self._store.showings.add(new)
        except Busy as busy:
            log.warning("could not record what %s was shown: %s", actor.id, busy)
            return
        self._shown.update(dict.fromkeys(new))
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)

    async def use(self, actor: Actor, intent: Intent, use: str) -> Use:
        """Record the one use of a final intent's outcome. Raises Conflict(``already_used``) for any later use. This
        adds no fact to the intent, whose history is complete.
        """
        held = await self._store.uses.add(Use(intent.id, use, actor.id, self._clock.now()))
        if (held.use, held.actor) != (use, actor.id):
            raise Conflict(
                "already_used",
                "The outcome of this intent has already been used: it can be used only once.",
                details={"used_at": rfc3339(held.used_at)},
                hint="Ask again: send a new intent.",
            )
        return held

    async def revise(
        self,
        actor: Actor,
        ref: str,
        command: Revise,
        before: bytes,
        payload: bytes,
        once: Idempotency | None = None,
    ) -> Done:
        """Change what is being decided. ``before``: the payload that is replaced. Both payloads are canonical bytes."""

        async def made(who: Actor) -> CommandJob:
            job = await self._job(who, ref, replace(command, payload=payload), once)
            return ReviseJob(job, before, payload)

        return await self._on_current_directory(actor, await made(actor), made)

    async def _job(
        self, actor: Actor, ref: str, command: CommandSource, once: Idempotency | None
    ) -> CommandJob:
        intent_id, step_run = split_ref(ref)
        if step_run and getattr(command, "step_run", None) == 0:
            command = replace(command, step_run=step_run)  # type: ignore[type-var]
        # read before the job is queued: the directory as it is when the command arrives counts
        directory = (await self._directory.of(actor.workspace)).as_seen_by(actor)
        shown = frozenset[Target]()
        if actor.kind is ActorKind.PERSON and self._leaves_open(intent_id, command):
            # read now: what they are shown while the job waits is not what they answered
            shown = await self._store.showings.of(intent_id, actor.id)
        return CommandJob(actor, intent_id, command, once, directory, shown)

    def _leaves_open(self, intent_id: str, command: CommandSource) -> bool:
        """Whether this may be an answer that counts only if its author was shown the target."""
        if not isinstance(command, Answer):
            return callable(command)
        if names_all(command.digest, command.stage):
            return False
        known = self._recent.current(intent_id)
        return known is None or not counts_unshown(known, command)

    async def claim(
        self, actor: Actor, agent: str, limit: int, lease: timedelta, holder: str
    ) -> list[Change]:
        """Claim up to ``limit`` offered deliveries of ``agent`` (a canonical address) under a lease."""
        require_delivery_access(actor, agent)
        if not SHORTEST_LEASE <= lease <= LONGEST_LEASE:
            raise Invalid("invalid_lease", "A lease must last from 1 to 3600 seconds.", field="lease_seconds")
        taken: list[Change] = await self._committer.do(ClaimJob(actor, agent, limit, lease, holder))
        return taken

    async def sent(self, actor: Actor, agent: str, deliveries: Sequence[tuple[str, int]]) -> None:
        """Record, with the next commit, deliveries (intent, cursor) that are about to be sent on the agent's stream.
        Most have already been recorded by the commit that made them.
        """
        sent = [SentDelivery(actor.workspace, agent, *one) for one in deliveries]
        if new := [one for one in sent if one not in self._recorded]:
            await self._committer.do(SentJob(new))

    def note_recorded(self, recorded: Iterable[SentDelivery]) -> None:
        """Note that these deliveries were recorded as sent before a stream has read them."""
        self._recorded.update(dict.fromkeys(recorded))
        while len(self._recorded) > _REMEMBERED:
            self._recorded.popitem(last=False)

    async def tick(self, limit: int) -> int:
        """Tick intents that are due; returns how many there were."""
        job = DueJob(limit, self._directory.held)
        count: Any = await self._committer.do(job)
        for workspace in job.missing:
            await self._directory.of(workspace)
        if job.unknown:
            asked = {ref: await self._expiry_approves(*found) for ref, found in job.unknown.items()}
            await self._committer.do(DueJob(limit, self._directory.held, asked))
        return int(count)

    async def was_asked(self, intent: Intent, task: Task) -> bool:
        """Whether a message that asks for the open task's answer has been sent, since its stage began, to anyone who
        may answer it now, or to a room of theirs.
        """
        sent = {m.person for m in await self._asking(intent, task) if m.state == SENT}
        directory = await self._directory.of(intent.workspace)
        people = (one for one, names in directory.active_people.items() if not sent.isdisjoint(names))
        return self._any_may_decide(people, intent, task, directory)

    async def _expiry_approves(self, intent: Intent, task: Task) -> bool:
        """Whether an expiry may approve the open task: someone who may answer it was asked, by a message or, where no
        channel is configured and so nobody gets one, by the pages.
        """
        if await self._asking(intent, task):
            return await self.was_asked(intent, task)
        queued = await self._store.messages.queued(intent.id, _QUEUED)
        if any(row.kind == OutboxKind.PEOPLE for row in queued):
            return False
        directory = await self._directory.of(intent.workspace)
        return self._any_may_decide(directory.active_people, intent, task, directory)

    async def _asking(self, intent: Intent, task: Task) -> list[Message]:
        """The messages to people that ask for the open task's answer, also those to people who may not answer it, or
        no longer.
        """
        messages = await self._store.messages.of_task(intent.id, task.step_run)
        return [m for m in messages if m.person and m.kind in ASKING and m.at >= began_at(task)]

    def _any_may_decide(self, people: Iterable[str], intent: Intent, task: Task, directory: Snapshot) -> bool:
        """Whether any of these people may answer the open task now."""
        return any(who_may_decide_of(people, intent, task, directory, self._clock.now()))
