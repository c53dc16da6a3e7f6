"""Reruns the failed step of an intent after an approval: checks the current policies for ``core.intent.rerun``."""

from collections.abc import Sequence
from datetime import timedelta

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.authorization import may_rerun
from signoff.core.intent.commands import Submit
from signoff.core.intent.deleted_payload import refuse_deleted
from signoff.core.intent.events import Fact
from signoff.core.intent.model import Intent, Requester
from signoff.core.intent.rerun import refused, rerun_id, rerun_start
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.wording import from_workflow
from signoff.core.policy.default_policy import REFUSE
from signoff.core.text.canonical_json import content_digest
from signoff.engine.commit.engine import Engine
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.view import View

VALID_FOR = timedelta(hours=24)  # how long a rerun may use an approval


class Reruns:
    def __init__(self, engine: Engine, view: View) -> None:
        self._engine = engine
        self._view = view

    async def rerun(
        self, actor: Actor, source: Intent, payload: bytes, facts: Sequence[Fact], directory: Snapshot
    ) -> Intent:
        """Return the new intent, which is the same for every caller. Raises Conflict if people have to be asked
        again.
        """
        may_rerun(actor, source)
        new_id = rerun_id(source)
        if (known := await self._known(actor, new_id)) is not None:
            return known
        refuse_deleted(source, payload)
        digest = content_digest(payload)
        # a time that has certainly passed; the commit checks the database's clock
        rerun = rerun_start(source, facts, digest, source.updated_at)
        _refuse_changed(source, directory)
        command = Submit(
            id=new_id,
            workspace=source.workspace,
            type=source.type,
            requester=Requester(
                actor.kind,
                actor.id,
                actor.address,
                source.requester.claimed,
                tuple(dict.fromkeys((*actor.sponsors, *sorted(requesters_side(source))))),
            ),
            plan=source.plan,
            plan_digest=source.plan_digest,
            payload_digest=source.payload_digest,
            to_agent=source.to_agent,
            reply_to=source.reply_to,
            correlation_id=source.correlation_id,
            traceparent=source.traceparent,
            scenario_id=source.scenario_id,
            deadline_at=source.deadline_at,
            rerun=rerun,
            rerun_until=rerun.decided_at + VALID_FOR,
        )
        try:
            return await self._engine.rerun(actor, source.id, command, payload, directory)
        except Conflict as conflict:  # another server was faster: return its intent
            known = (
                await self._known(actor, new_id)
                if conflict.code in ("write_conflict", "already_rerun")
                else None
            )
            if known is None:
                raise
            return known

    async def _known(self, actor: Actor, intent_id: str) -> Intent | None:
        return await self._view.maybe(actor, intent_id)


def _refuse_changed(source: Intent, directory: Snapshot) -> None:
    """Raise Conflict if the rules for such requests have changed since then, so that other people would be asked
    now, or people would be asked differently.
    """
    workflow = directory.workflows.get(source.type)
    governed = from_workflow(source.plan)
    if governed != (workflow is not None) or (
        workflow is not None and workflow.applied_at > source.created_at
    ):
        raise refused(
            "workflow_changed", f"The workflow of {source.type} has changed since this was submitted."
        )
    if not governed and directory.workspace.unlisted_types == REFUSE:
        raise refused(
            "unlisted_type",
            f"There is no workflow for {source.type} now, and requests without one are refused.",
        )
    for step in source.plan.steps:
        if not isinstance(step, HumanStep):
            continue
        name = step.task.policy.partition("@")[0]
        if not governed and name != directory.workspace.default_policy:
            raise refused("policy_changed", "Requests of this type now have another policy.")
        today = directory.policies.get(name)
        if name and (today is None or today.name != step.task.policy):
            raise refused("policy_changed", f"Policy {name} has changed since this was decided.")
