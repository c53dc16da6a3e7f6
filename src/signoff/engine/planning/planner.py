"""Makes the plan of an intent. The first match wins: the scenario, the workflow registered for its type, its own
human task, its agent. The plan is then frozen: addresses are resolved, policies applied, people looked up, schemas
checked. Later changes to a policy or team do not affect it.
"""

from collections.abc import Collection, Hashable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.agent_address import SCHEME, canonical, is_internal
from signoff.core.directory.killed import refuse_killed
from signoff.core.directory.model import NamedWorkflow, Workspace
from signoff.core.directory.senders import refuse_sender
from signoff.core.errors import Invalid, Refused
from signoff.core.formats.axp_intent import AxpIntent
from signoff.core.formats.axp_scenario import Scenario
from signoff.core.intent.eligibility import named
from signoff.core.intent.model import Intent
from signoff.core.plan.answers import required_answer
from signoff.core.plan.plan import (
    AgentStep,
    HumanStep,
    NotifyStep,
    Plan,
    Step,
    check_plan,
    with_default_retries,
)
from signoff.core.plan.task_types import Risk, Stage, expiry_approves
from signoff.core.plan.wording import from_workflow, missing_from_titles, misspelled_in_titles
from signoff.core.policy.conditions import choose_policies, variants, with_chosen_policies
from signoff.core.policy.default_policy import GATE, REFUSE
from signoff.engine.directory.eligible_people import (
    Fault,
    barred_from,
    count_eligible,
    faults_of,
    known_person,
    names_somebody,
    normalised,
    pinned_members_of,
    refuse_impossible,
    refuse_unknown_teams,
    stage_name,
)
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.engine.planning.workspace_rules import refuse_unlisted, under_policy, under_workspace_rules
from signoff.store.rows import plan_digest
from signoff.store.store import Store

MOST_RECORDED: Final = 100_000  # approvers recorded in a plan: some megabytes
KEPT: Final = 64  # cached frozen plans per workspace: each names all who could decide
_CACHED: Final = 256
Side = tuple[str, ...]
"""The people on the requester's side."""
Frozen = tuple[Plan, str, tuple[str, ...]]
"""A frozen plan, its digest, and what the caller should know about it."""


class Submission(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """An intent that is ready to be submitted, with a checked, frozen plan and the payload's canonical bytes.

    ``behind``: people on the requester's side in addition to those who control the submitting key; ``directory``: the
    snapshot that it was planned with.
    """

    type: str
    payload: bytes
    payload_digest: str
    plan: Plan
    plan_digest: str
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    claimed_from: str = ""
    behind: Side = ()
    deadline_at: datetime | None = None
    scenario_id: str = ""
    retry_of: str = ""
    warnings: tuple[str, ...] = ()
    directory: Snapshot | None = None
    traceparent: str = ""


class Planner:
    """Plans requests."""

    def __init__(self, store: Store, directory: DirectoryCache) -> None:
        self._store = store
        self._directory = directory
        self._cache: dict[tuple[int, tuple[int, ...]], tuple[Plan, Plan]] = {}

    def _chosen(self, plan: Plan, payload: bytes) -> Plan:
        """The plan with the policies that the payload selects. The same choices return the same object."""
        if not plan.has_choices:
            return plan
        picks = choose_policies(plan, payload)
        held = self._cache.get((id(plan), picks))
        if held is not None and held[0] is plan:
            return held[1]
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        made = with_chosen_policies(plan, picks)
        self._cache[id(plan), picks] = (plan, made)
        return made

    async def plan_request(
        self,
        workspace: str,
        request: AxpIntent,
        payload: bytes,
        digest: str,
        side: Side = (),
        by: Actor | None = None,
    ) -> Submission:
        """Plan a single intent, by its type's workflow or else by its own fields. ``side``: the requester's side."""
        directory = await self._snapshot(workspace, by)
        workflow = directory.workflows.get(request.intent_type)
        plan, warnings = request.plan, request.warnings
        if workflow is not None:
            plan = await self.plan_of(workflow)
            governs = f"ignored: workflow {workflow.name!r} applies to this type"
            warnings = (*warnings, *(f"{name} is {governs}" for name in request.shaping))
            warnings = (*warnings, *_misaddressed(request.to_agent, plan, directory, governs))
        else:
            refuse_unheeded(request.deciders, directory)
            _refuse_demands(request.demands, directory)
            warnings = (*warnings, *request.unused)
        _refuse_killed_author(request.claimed_from, directory)
        behind = _behalf(request, directory)
        plan = self._chosen(plan, payload)
        refuse_unlisted(plan, request.intent_type, directory)
        frozen, digest_of_plan, more = _frozen(plan, directory, tuple(dict.fromkeys((*side, *behind))))
        _refuse_sender(frozen, directory, by, request.claimed_from)
        if workflow is None:
            warnings = (*warnings, *_unhandled(request, frozen, directory.type_nearest(request.intent_type)))
        return Submission(
            type=request.intent_type,
            payload=payload,
            payload_digest=digest,
            plan=frozen,
            plan_digest=digest_of_plan,
            to_agent=directory.resolve(request.to_agent) if request.to_agent else _first_agent(frozen),
            reply_to=request.reply_to,
            correlation_id=request.correlation_id,
            claimed_from=request.claimed_from,
            behind=behind,
            deadline_at=request.deadline_at,
            warnings=(*warnings, *more, *missing_from_titles(frozen, payload)),
            directory=directory,
        )

    async def plan_of(self, workflow: NamedWorkflow) -> Plan:
        """The plan of an active workflow, compiled when it was applied."""
        [plan] = await self.plans_of([workflow])
        return plan

    async def plans_of(self, workflows: Sequence[NamedWorkflow]) -> list[Plan]:
        """The plans of active workflows, in their order, with at most one read."""
        plans = await self._store.directory.get_plans({workflow.plan_digest for workflow in workflows})
        for workflow in workflows:
            if workflow.plan_digest not in plans:
                raise Invalid("workflow_unusable", f"The plan of workflow {workflow.name!r} is not stored.")
        return [plans[workflow.plan_digest] for workflow in workflows]

    async def scenario(
        self,
        workspace: str,
        scenario: Scenario,
        payload: bytes,
        digest: str,
        side: Side = (),
        by: Actor | None = None,
        coming: Collection[str] = (),
    ) -> Submission:
        """Plan a scenario bundle's intent, using the bundle's own steps as far as the workspace allows. ``coming``:
        addresses of agents that will be registered before it is submitted.
        """
        directory = await self._snapshot(workspace, by)
        plan, warnings = await self._left(scenario.plan, scenario.intent_type, directory)
        if plan is scenario.plan:
            refuse_unheeded(scenario.deciders, directory)
            _refuse_demands(scenario.demands, directory)
        refuse_unlisted(plan, scenario.intent_type, directory)
        frozen, digest_of_plan, more = _frozen(self._chosen(plan, payload), directory, side, coming)
        _refuse_sender(frozen, directory, by)
        return Submission(
            type=scenario.intent_type,
            payload=payload,
            payload_digest=digest,
            plan=frozen,
            plan_digest=digest_of_plan,
            to_agent=_first_agent(frozen),
            reply_to=scenario.reply_to,
            deadline_at=scenario.deadline_at,
            scenario_id=scenario.scenario_id,
            warnings=(*scenario.warnings, *warnings, *more, *missing_from_titles(frozen, payload)),
            directory=directory,
        )

    async def _snapshot(self, workspace: str, by: Actor | None) -> Snapshot:
        directory = await self._directory.of(workspace)
        return directory if by is None else directory.as_seen_by(by)

    async def again(self, old: Intent, payload: bytes, side: Side, by: Actor | None = None) -> Frozen:
        """Plan a retried intent: the same plan with the current people and policies."""
        directory = await self._snapshot(old.workspace, by)
        plan, warnings = await self._left(old.plan, old.type, directory)
        refuse_unlisted(plan, old.type, directory)
        frozen, digest, more = _frozen(self._chosen(plan, payload), directory, side)
        _refuse_sender(frozen, directory, by, old.requester.claimed)
        return frozen, digest, (*warnings, *more, *missing_from_titles(frozen, payload))

    async def _left(self, plan: Plan, intent_type: str, directory: Snapshot) -> tuple[Plan, tuple[str, ...]]:
        """A request's own plan, if the workspace allows it. A workspace with a default policy uses its workflows
        instead.
        """
        workflow = directory.workflows.get(intent_type)
        if workflow is None or from_workflow(plan) or not directory.workspace.has_rules_for_requests:
            return plan, ()
        warning = f"the request's own steps are ignored: workflow {workflow.name!r} applies to this type"
        return await self.plan_of(workflow), (warning,)


def _frozen(plan: Plan, directory: Snapshot, side: Side, coming: Collection[str] = ()) -> Frozen:
    """``freeze``, with the plan's digest. A plan that may recur as the same object is cached with the
    snapshot; the least recently used one is dropped first.
    """
    if coming or not (from_workflow(plan) or plan.direct):  # the request's own steps occur only once
        return _digested(plan, directory, side, coming)
    kept: dict[tuple[int, Side], tuple[Plan, Frozen]] = directory.made
    held = kept.pop((id(plan), side), None)
    if held is None:
        made = _digested(plan, directory, side)
        same = next((one for _, one in kept.values() if one[1] == made[1]), made)
        held = plan, (same[0], *made[1:])
    kept[id(plan), side] = held
    if len(kept) > KEPT:
        del kept[next(iter(kept))]
    return held[1]


def _digested(plan: Plan, directory: Snapshot, side: Side, coming: Collection[str] = ()) -> Frozen:
    frozen, warnings = freeze(plan, directory, side, coming)
    return frozen, plan_digest(frozen), warnings


def _misaddressed(to_agent: str, plan: Plan, directory: Snapshot, governs: str) -> tuple[str, ...]:
    """The warning for a request to an agent that the workflow does not call. Naming an agent that it calls is fine."""
    if not to_agent or is_internal(to_agent):
        return ()
    called = {directory.resolve(step.agent) for step in plan.steps if isinstance(step, AgentStep)}
    return (
        ()
        if directory.resolve(to_agent) in called
        else (f"to_agent is {governs}, and it calls no such agent",)
    )


def refuse_unheeded(words: Sequence[str], directory: Snapshot) -> None:
    """Raise Invalid for a field of a request that is meant to narrow who decides but has no effect: without a default
    policy, everyone with an approving role could decide.
    """
    if words and not directory.workspace.default_policy:
        raise Invalid(
            "unknown_field",
            f"{words[0]}: has no effect, so people whom it does not name could decide.",
            field=words[0],
            hint="Name who decides in human_task.assignees; stages and policies belong in a workflow, data in payload.",
        )


def _refuse_demands(words: Sequence[str], directory: Snapshot) -> None:
    """Raise Invalid for a field of a request that is meant to ask people but has no effect, unless the workspace
    refuses such requests anyway or asks people before them.
    """
    if words and directory.workspace.unlisted_types not in (GATE, REFUSE):
        raise Invalid(
            "unknown_field",
            f"{words[0]}: has no effect, so nobody would be asked.",
            field=words[0],
            hint="Ask people with human_task; in a bundle's step with requires_approval: true.",
        )


def _behalf(request: AxpIntent, directory: Snapshot) -> Side:
    """The person on whose behalf the request is submitted, if it names one."""
    if not request.on_behalf_of:
        return ()
    return (known_person(directory, request.on_behalf_of, "on_behalf_of").id,)


def _refuse_killed_author(claimed: str, directory: Snapshot) -> None:
    """Raise Forbidden for a request in the name of an agent that was killed."""
    try:
        author = directory.account(claimed) if claimed else None
    except Invalid:  # it is only a name
        return
    refuse_killed(author)


def _refuse_sender(plan: Plan, directory: Snapshot, by: Actor | None, claimed: str = "") -> None:
    """Raise Forbidden if an agent of the plan gets no work from this sender, whatever the way that the plan was chosen:
    who may send to an agent is decided by its workspace's admins.
    """
    for step in plan.steps:
        if isinstance(step, AgentStep):
            agent = directory.by_address.get(step.agent)
            if agent is not None and agent.senders is not None:
                space = directory.workspace
                refuse_sender(agent, _spellings(by.address if by else "", space), _spellings(claimed, space))


def _spellings(address: str, workspace: Workspace) -> set[str]:
    """The addresses by which a pattern may name a sender: under every name that the workspace has or had."""
    try:
        plain = canonical(address, workspace.organization, workspace.name) if address else ""
    except Invalid:  # it is only a name
        plain = address
    here = next((name for name in workspace.full_names if plain.startswith(f"{SCHEME}{name}/")), "")
    if not here:
        return {plain}
    rest = plain.removeprefix(f"{SCHEME}{here}/")
    return {f"{SCHEME}{name}/{rest}" for name in workspace.full_names}


def _first_agent(plan: Plan) -> str:
    """The default addressee for an intent that does not name one."""
    return next((step.agent for step in plan.steps if isinstance(step, AgentStep)), "")


def freeze(
    plan: Plan, directory: Snapshot, side: Side = (), coming: Collection[str] = ()
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan as it will run in this workspace for the requester's ``side``, and warnings for the caller."""
    warnings: list[str] = []
    plan = under_workspace_rules(plan, directory, warnings)
    steps: list[Step] = []
    recorded = 0
    for step in plan.steps:
        if isinstance(step, AgentStep):
            steps.append(_addressed(step, plan, directory, warnings, coming))
        elif isinstance(step, HumanStep):
            policed = under_policy(step, plan, directory, warnings)
            recorded = _refuse_many(policed, plan, directory, recorded)
            steps.append(_asking(policed, plan, directory, side, warnings))
        else:
            if isinstance(step, NotifyStep):
                _warn_of_strangers(step.id, step.to, directory, warnings)
            steps.append(step)
    return check_plan(with_default_retries(replace(plan, steps=tuple(steps)))), tuple(warnings)


def staffing_faults(plan: Plan, directory: Snapshot, place: tuple[Hashable, ...]) -> Iterator[Fault]:
    """Every stage of a workflow's plan that too few people could decide; ``freeze`` raises only for the first."""
    for step in plan.steps:
        if not isinstance(step, HumanStep):
            continue
        at = (*place, step.id)
        try:
            policed = under_policy(step, plan, directory, [])
        except Refused as refusal:
            yield Fault(at, refusal)
            continue
        field, barred = _place(policed, plan), barred_from(policed.task, directory, ())
        for number, stage in enumerate(policed.task.stages):
            able = replace(stage, approvers=normalised(stage.approvers))
            yield from faults_of(
                partial(_with_enough_people, number, policed, field, directory, barred, None),
                (*at, number),
                partial(count_eligible, able, directory),
            )
        for name in (one for level in policed.task.escalate for one in normalised(level.to)):
            where = f"steps.{step.id}.human.escalate"
            yield from faults_of(partial(refuse_unknown_teams, (name,), directory, where), (*at, name))


def plan_warnings(plan: Plan, directory: Snapshot) -> tuple[str, ...]:
    """Warnings for the author of a workflow about the people, agents and fields that it names. Its agents are
    registered together with it.
    """
    spelling = misspelled_in_titles(plan)
    coming = [directory.resolve(step.agent) for step in plan.steps if isinstance(step, AgentStep)]
    warnings = (one for plan in variants(plan) for one in freeze(plan, directory, coming=coming)[1])
    try:
        return (*spelling, *dict.fromkeys(warnings))
    except Refused as refusal:  # of a workflow that was applied before the people whom it needs left
        return (
            *spelling,
            f"at present such a request is refused: {refusal.message}",
        )


def _unhandled(request: AxpIntent, plan: Plan, nearest: str | None) -> tuple[str, ...]:
    """Warnings that nothing works on a step of this request, or that its type is probably misspelled, so that its own
    fields decide instead of a workflow.
    """
    handles = f"no workflow handles {request.intent_type}"
    meant = f". Did you mean {nearest!r}?" if nearest else ""
    waiting = tuple(
        f"step {step.id!r}: {handles}, and the request names no agent; it waits until the "
        f"step's result is reported through the API{meant}"
        for step in plan.steps
        if not request.to_agent and isinstance(step, AgentStep) and is_internal(step.agent)
    )
    return waiting or ((f"{handles}, so the request's own fields apply{meant}",) if meant else ())


def _addressed(
    step: AgentStep, plan: Plan, directory: Snapshot, warnings: list[str], coming: Collection[str]
) -> Step:
    """The step with its agent's canonical address. Raises Forbidden for a request that is only work for an agent that
    was killed; a step of a longer plan waits until it is resumed.
    """
    address = directory.resolve(step.agent)
    account = directory.by_address.get(address)
    meant = canonical(step.agent, directory.workspace.organization, directory.workspace.name)
    if account is not None and meant != address and "/" in step.agent:
        warnings.append(
            f"step {step.id!r}: {step.agent} is not registered; {address}, the one agent of that name, gets it"
        )
    if account is None and not is_internal(address) and address not in coming:
        warnings.append(f"step {step.id!r}: no agent is registered as {address}; it waits until one listens")
    if account is not None and account.killed_at is not None:
        if plan.direct:
            refuse_killed(account)
        warnings.append(f"step {step.id!r}: {address} was killed; it waits until the agent is resumed")
    push = account is not None and account.delivery_mode == "http" and bool(account.callback_url)
    return replace(step, agent=address, push=push)


def _place(step: HumanStep, plan: Plan) -> str:
    """The field that names who decides the step."""
    if plan.source == "intent":  # the server generated this step, from the caller's human_task
        return "human_task"
    if plan.source == "scenario":
        return f"steps.{step.id}.human_task"
    return f"steps.{step.id}.human.{'policy' if step.task.policy else 'approvers'}"


def _refuse_many(step: HumanStep, plan: Plan, directory: Snapshot, before: int) -> int:
    """Return how many approvers the plan records up to this step; raises Invalid if they are too many. Each step
    records the members of the teams and roles that it may ask.
    """
    count = before + sum(len(directory.membership.members(name)) for name in normalised(named(step.task)))
    if count > MOST_RECORDED:
        raise Invalid(
            "too_many_approvers",
            f"Step {step.id!r}: up to here the steps ask {count} people, counting each once per step; a plan "
            f"records at most {MOST_RECORDED}.",
            field=_place(step, plan),
            hint="Name smaller teams, or ask people in fewer steps.",
        )
    return count


def _asking(step: HumanStep, plan: Plan, directory: Snapshot, side: Side, warnings: list[str]) -> Step:
    task = step.task
    _check_fallback(step, directory)
    barred = barred_from(task, directory, side)
    strict = from_workflow(plan) or bool(task.policy)
    field = _place(step, plan)
    stages = tuple(
        _with_enough_people(number, step, field, directory, barred, None if strict else warnings)
        for number in range(len(task.stages))
    )
    levels = tuple(replace(level, to=normalised(level.to)) for level in task.escalate)
    for number, level in enumerate(levels, 1):
        if strict:
            refuse_unknown_teams(level.to, directory, f"steps.{step.id}.human.escalate")
        if not any(
            person not in barred for name in level.to for person in directory.membership.members(name)
        ):
            warnings.append(
                f"step {step.id!r}: escalation {number} ({', '.join(level.to)}) reaches no eligible person; the "
                "next one follows immediately"
            )
        elif strict:
            _warn_of_strangers(step.id, level.to, directory, warnings)
    _warn_of_strangers(step.id, task.notify, directory, warnings)
    task = replace(task, stages=stages, escalate=levels)
    return replace(step, task=replace(task, pinned_members=pinned_members_of(task, directory)))


def _warn_of_strangers(
    step_id: str, names: Collection[str], directory: Snapshot, warnings: list[str]
) -> None:
    """Warn about names outside the workspace. They are not notified; otherwise a request could use the server as a mail
    relay.
    """
    warnings += (
        f"step {step_id!r}: there is no person {name}, so nothing is sent; add the person: signoff people add"
        for name in names
        if not any(names_somebody(directory, one) for one in normalised((name,)))
    )


def _check_fallback(step: HumanStep, directory: Snapshot) -> None:
    task = step.task
    if not expiry_approves(task):
        return
    if required := required_answer(task):
        raise Invalid(
            "positive_fallback",
            f"Step {step.id!r}: an expiry cannot count as {task.fallback_outcome!r}, which requires {required}.",
            field=f"steps.{step.id}.human.policy",
            hint="Use on_timeout: expire.",
        )
    if task.risk is not Risk.LOW or not directory.workspace.positive_fallback:
        raise Invalid(
            "positive_fallback",
            f"Step {step.id!r}: an unanswered task may count as approved only if the risk is low and the workspace "
            "allows it.",
            field=f"steps.{step.id}.human.policy",
            hint="Use on_timeout: expire; or apply workspace: {positive_fallback: true}.",
        )


def _with_enough_people(
    number: int,
    step: HumanStep,
    field: str,
    directory: Snapshot,
    barred: frozenset[str],
    warnings: list[str] | None,
) -> Stage:
    """Return the stage if enough people can decide it, else raise Invalid. In AXP's requests (``warnings``), unknown
    names among several are dropped, which leaves fewer people to decide.
    """
    stage = step.task.stages[number]
    stage = replace(stage, approvers=normalised(stage.approvers))
    if warnings is None:
        refuse_unknown_teams(stage.approvers, directory, field)
    elif strangers := [name for name in stage.approvers if not names_somebody(directory, name)]:
        if len(strangers) == len(stage.approvers):
            raise Invalid(
                "unknown_assignee",
                f"{field}: there is no person {', '.join(strangers)}, so nobody could decide.",
                field=field,
                hint="Add the people first: signoff people add EMAIL; or name others.",
            )
        warnings.append(f"step {step.id!r}: there is no person {', '.join(strangers)}; the others may decide")
    by_setting = step.task.self_approval is None
    refuse_impossible(
        stage, directory, stage_name(step, step.task, number), field, barred, by_setting=by_setting
    )
    return stage


def plan_summary(plan: Plan) -> list[dict[str, Any]]:
    """The ids and kinds of the steps, as text."""
    kinds = {"AgentStep": "agent", "HumanStep": "human", "DelayStep": "delay", "NotifyStep": "notify"}
    return [{"id": step.id, "kind": kinds[type(step).__name__]} for step in plan.steps]
