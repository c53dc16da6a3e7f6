"""How an intent gets its plan, first match wins: the scenario it came with, the workflow registered for its type,
its own human task, its agent. The plan is frozen here: addresses resolved, people found, schemas checked.
"""

from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.direct import Direct
from signoff.core.errors import Invalid
from signoff.core.plan import AgentStep, HumanStep, Plan, Step, check_plan
from signoff.core.scenario import Scenario
from signoff.core.standing import DECIDING
from signoff.core.tasks import Stage
from signoff.engine.directory import Directory, Snapshot
from signoff.engine.forms import check_schema
from signoff.store.rows import plan_digest
from signoff.store.store import Store

_KEPT: Final = 256


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An intent ready to be submitted: a checked, frozen plan and the payload's canonical bytes."""

    type: str
    payload: bytes
    payload_digest: str
    plan: Plan
    plan_digest: str
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    claimed_from: str = ""
    deadline_at: datetime | None = None
    scenario_id: str = ""
    retry_of: str = ""
    warnings: tuple[str, ...] = ()


class Planner:
    """Makes submissions out of requests."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory
        self._kept: dict[int, tuple[Plan, Snapshot, tuple[Plan, str, tuple[str, ...]]]] = {}

    def _frozen(self, plan: Plan, book: Snapshot) -> tuple[Plan, str, tuple[str, ...]]:
        """``freeze`` with the digest; remembered while the plan is the same object and the directory unchanged."""
        held = self._kept.get(id(plan))
        if held is not None and held[0] is plan and held[1] is book:
            return held[2]
        frozen, warnings = freeze(plan, book)
        made = (frozen, plan_digest(frozen), warnings)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[id(plan)] = (plan, book, made)
        return made

    async def direct(self, workspace: str, request: Direct, payload: bytes, digest: str) -> Submission:
        """A single intent: by its type's workflow, else by what it says itself."""
        book = await self._directory.of(workspace)
        workflow = book.workflows.get(request.intent_type)
        plan, warnings = request.plan, request.warnings
        if workflow is not None:
            stored = await self._store.directory.get_plan(workflow.plan_digest)
            if stored is None:
                raise Invalid("workflow_broken", f"The plan of workflow {workflow.name!r} is not stored.")
            if request.plan.has_gate:
                warnings = (*warnings, f"human_task is ignored: workflow {workflow.name!r} governs this type")
            plan = stored
        frozen, digest_of_plan, more = self._frozen(plan, book)
        return Submission(
            type=request.intent_type,
            payload=payload,
            payload_digest=digest,
            plan=frozen,
            plan_digest=digest_of_plan,
            to_agent=book.resolve(request.to_agent) if request.to_agent else "",
            reply_to=request.reply_to,
            correlation_id=request.correlation_id,
            claimed_from=request.claimed_from,
            deadline_at=request.deadline_at,
            warnings=(*warnings, *more),
        )

    async def scenario(self, workspace: str, scenario: Scenario, payload: bytes, digest: str) -> Submission:
        """A scenario bundle's intent, by the bundle's own steps."""
        book = await self._directory.of(workspace)
        frozen, digest_of_plan, more = self._frozen(scenario.plan, book)
        first = next((s.agent for s in frozen.steps if isinstance(s, AgentStep)), "")
        return Submission(
            type=scenario.intent_type,
            payload=payload,
            payload_digest=digest,
            plan=frozen,
            plan_digest=digest_of_plan,
            to_agent=first,
            reply_to=scenario.reply_to,
            deadline_at=scenario.deadline_at,
            scenario_id=scenario.scenario_id,
            warnings=(*scenario.warnings, *more),
        )


def freeze(plan: Plan, book: Snapshot) -> tuple[Plan, tuple[str, ...]]:
    """The plan as it will run in this workspace, and what the caller should know about it."""
    warnings: list[str] = []
    steps = tuple(_frozen(step, plan, book, warnings) for step in plan.steps)
    return check_plan(replace(plan, steps=steps)), tuple(warnings)


def _frozen(step: Step, plan: Plan, book: Snapshot, warnings: list[str]) -> Step:
    if isinstance(step, AgentStep):
        address = book.resolve(step.agent)
        account = book.by_address.get(address)
        if account is None and not address.endswith("agent_core"):
            warnings.append(f"step {step.id!r}: no agent is registered as {address}; it waits until one listens")
        push = account is not None and account.delivery_mode == "http" and bool(account.callback_url)
        return replace(step, agent=address, push=push)
    if isinstance(step, HumanStep):
        if step.task.form is not None:
            check_schema(step.task.form)
        stages = tuple(_staffed(stage, step, plan, book, warnings) for stage in step.task.stages)
        return replace(step, task=replace(step.task, stages=stages))
    return step


def _staffed(stage: Stage, step: HumanStep, plan: Plan, book: Snapshot, warnings: list[str]) -> Stage:
    """The stage, if somebody can decide it. Refused otherwise; AXP's free-form names fall back to the admins."""
    wanted = tuple(name.lower() if "@" in name else name for name in stage.approvers)
    able = [
        person
        for person in book.people.values()
        if (book.names_of(person) & set(wanted) if wanted else set(person.roles) & DECIDING)
    ]
    if len(able) >= stage.need:
        return replace(stage, approvers=wanted)
    if plan.source.startswith("workflow") or not wanted:
        whom = ", ".join(wanted) or "a person with an approving role"
        raise Invalid(
            "nobody_eligible",
            f"Step {step.id!r}: nobody in this workspace could decide it ({whom}).",
            field=f"steps.{step.id}.human.approvers",
            hint="Add the person first: signoff keys create --person EMAIL.",
        )
    warnings.append(f"step {step.id!r}: nobody here is called {', '.join(wanted)}; owners and admins may decide")
    return replace(stage, approvers=(*wanted, "role:owner", "role:admin"))


def plan_summary(plan: Plan) -> list[dict[str, Any]]:
    """The steps as a person lists them: id and kind."""
    kinds = {"AgentStep": "agent", "HumanStep": "human", "DelayStep": "delay", "NotifyStep": "notify"}
    return [{"id": step.id, "kind": kinds[type(step).__name__]} for step in plan.steps]
