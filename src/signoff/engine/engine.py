"""The one way in for everything that changes an intent: build the command, give it to the committer."""

import os
from datetime import timedelta
from typing import Any

import msgspec

from signoff.core.access import may_take
from signoff.core.advance import Change
from signoff.core.commands import Revise, Submit
from signoff.core.errors import Invalid, Refused
from signoff.core.ids import new_intent_id, split_ref
from signoff.core.model import Actor, Requester
from signoff.engine.clock import Clock
from signoff.engine.committer import Committer
from signoff.engine.directory import Directory
from signoff.engine.jobs import (
    ClaimJob,
    CommandJob,
    Done,
    DueJob,
    Once,
    RefusedJob,
    ReviseJob,
    SubmitJob,
    Wish,
)
from signoff.engine.planning import Submission

LONGEST_LEASE = timedelta(hours=1)
SHORTEST_LEASE = timedelta(seconds=1)


class Engine:
    """Writes. Reads are in ``view``; the rules are in ``core``."""

    def __init__(self, committer: Committer, clock: Clock, directory: Directory) -> None:
        self._committer = committer
        self._clock = clock
        self._directory = directory

    async def submit(self, actor: Actor, submission: Submission, once: Once | None = None) -> Done:
        """Create an intent and start its first step: one commit. Raises Refused; Busy when the queue is full."""
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
            correlation_id=submission.correlation_id,
            scenario_id=submission.scenario_id,
            retry_of=submission.retry_of,
            deadline_at=submission.deadline_at,
        )
        book = await self._directory.of(actor.workspace)
        done: Done = await self._committer.do(SubmitJob(actor, command, submission.payload, once, book))
        return done

    async def refuse(self, actor: Actor, refusal: Refused, once: Once | None) -> Done:
        """Raise the refusal of a request that cannot be planned, unless it repeats one that was answered before."""
        if once is None:
            raise refusal
        done: Done = await self._committer.do(RefusedJob(actor, once, refusal))
        return done

    async def handle(self, actor: Actor, ref: str, command: Wish, once: Once | None = None) -> Done:
        """Apply one command to the intent that ``ref`` names; a task's or delivery's id names the visit too."""
        done: Done = await self._committer.do(await self._job(actor, ref, command, once))
        return done

    async def revise(
        self, actor: Actor, ref: str, command: Revise, before: bytes, payload: bytes, once: Once | None = None
    ) -> Done:
        """Change what is being decided. ``before``: the payload that is revised; both in canonical bytes."""
        job = await self._job(actor, ref, msgspec.structs.replace(command, payload=payload), once)
        done: Done = await self._committer.do(ReviseJob(job, before, payload))
        return done

    async def _job(self, actor: Actor, ref: str, command: Wish, once: Once | None) -> CommandJob:
        intent_id, visit = split_ref(ref)
        if visit and getattr(command, "visit", None) == 0:
            command = msgspec.structs.replace(command, visit=visit)  # type: ignore[type-var]
        # read before it is queued: what the directory says now is what counts when the command's turn comes
        book = (await self._directory.of(actor.workspace)).as_seen_by(actor)
        return CommandJob(actor, intent_id, command, once, book)

    async def claim(
        self, actor: Actor, agent: str, limit: int, lease: timedelta, holder: str
    ) -> list[Change]:
        """Take up to ``limit`` ready deliveries of ``agent`` (a canonical address) under a lease."""
        may_take(actor, agent)
        if not SHORTEST_LEASE <= lease <= LONGEST_LEASE:
            raise Invalid("invalid_lease", "A lease lasts 1 to 3600 seconds.", field="lease_seconds")
        taken: list[Change] = await self._committer.do(ClaimJob(actor, agent, limit, lease, holder))
        return taken

    async def tick(self, limit: int) -> int:
        """Let time act on what is due; how many intents there were."""
        job = DueJob(limit, self._directory.held)
        count: Any = await self._committer.do(job)
        for workspace in job.missing:
            await self._directory.of(workspace)
        return int(count)
