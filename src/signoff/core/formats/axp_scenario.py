"""AXP's ScenarioBundle, compiled into a plan and the agents that it needs.

In practice, bundles have fields that are in no schema, and lack fields that AXP's schema requires. Unknown fields
around the steps cause warnings; inside a step they are refused, except notes. Anything that would silently drop an
approval is an error: a bundle that asks for an approval never gets a plan without one.
"""

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from signoff.core.directory import agent_address
from signoff.core.errors import Invalid
from signoff.core.formats.axp_deciders import (
    deciders,
    deciders_in_human,
    deciders_in_task,
    demands,
    refuse_misspelt,
    refuse_unknown,
)
from signoff.core.formats.axp_intent import (
    AGENT_STEP,
    ASK,
    ASKS_NOBODY,
    CALLS_NOBODY,
    HUMAN_STEP,
    MAX_ATTEMPTS,
    TIMING,
    agent_step,
    read_intent_type,
    task_spec,
)
from signoff.core.formats.axp_roles import HUMAN, RoleMap, is_anybody, person_behind, read_roles
from signoff.core.formats.axp_roles import BundleAgent as BundleAgent
from signoff.core.plan import task_reader
from signoff.core.plan.plan import (
    END,
    MAX_STEPS,
    UNSAID,
    AgentStep,
    DelayStep,
    HumanStep,
    NotifyStep,
    Plan,
    Step,
    check_plan,
    unreached,
)
from signoff.core.text.describe import printable, suggestion
from signoff.core.text.document_reader import Fields, Problems, document

_TOP: Final = (
    "scenario_id", "title", "description", "idempotency_key", "agents", "humans", "workflow", "intent",
)  # fmt: skip
_INTENT: Final = (
    "type", "payload", "deadline_at", "max_delivery_attempts", "human_task", "reply_to", *TIMING,
)  # fmt: skip
_WORKFLOW: Final = ("steps", "entry_step", "macro_id", "parameters")
_PARAMETERS: Final = ("step_deadline_seconds", *TIMING)
_STEP: Final = (
    "step_id", "tool_id", "runtime_type", "runtime_config", "config", "assigned_to", "requires_approval",
    "human_task", "step_deadline_seconds", "input", "on_success", "on_failure", "retry", "title",
    "description", *TIMING,
)  # fmt: skip
_DURATIONS: Final = ("delay_seconds", "duration_seconds", "seconds", "duration", "delay")


class _Kind(StrEnum):
    AGENT = "agent"
    HUMAN = "human"
    DELAY = "delay"
    NOTIFY = "notify"


_OWNER_TOOL: Final = "tool.notification.notify_owner"
_TOOLS: Final = {
    "tool.agent.task.v1": _Kind.AGENT,
    "tool.approval.check_window": _Kind.AGENT,
    "tool.approval.risk_assessment": _Kind.AGENT,
    "tool.approval.human_signoff": _Kind.HUMAN,
    "tool.human.approval.v1": _Kind.HUMAN,
    _OWNER_TOOL: _Kind.HUMAN,
    "tool.internal.delay": _Kind.DELAY,
    "tool.internal.notification": _Kind.NOTIFY,
    "tool.internal.escalation": _Kind.NOTIFY,
}
_RUNTIMES: Final = {
    "human_approval": _Kind.HUMAN,
    "delay": _Kind.DELAY,
    "timeout": _Kind.DELAY,
    "reminder": _Kind.NOTIFY,
    "escalation": _Kind.NOTIFY,
    "notification": _Kind.NOTIFY,
}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled bundle. Addresses are as written; deadline_at is aware UTC, possibly in the past."""

    scenario_id: str
    plan: Plan
    intent_type: str
    payload: dict[str, Any]
    agents: tuple[BundleAgent, ...] = ()
    deadline_at: datetime | None = None
    reply_to: str = ""
    idempotency_key: str = ""
    warnings: tuple[str, ...] = ()
    deciders: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()


class _Bundle(msgspec.Struct, frozen=True):
    """What applies to all steps of a bundle: its roles, and the fields of its intent and macro."""

    roles: RoleMap
    intent: Fields
    parameters: Fields
    attempts: int | None
    deciders: list[str]
    demands: list[str]


def compile_scenario(bundle: object) -> Scenario:
    """Compile a bundle; raises Invalid with the first problem, naming its field."""
    scenario, problems, _ = _read(bundle)
    if scenario is None or problems:
        raise problems[0]
    return scenario


def validate_scenario(bundle: object) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings of a bundle as sentences, with at most one error per step. Never raises."""
    _, problems, warnings = _read(bundle)
    return [f"{p.message} {p.hint}" if p.hint else p.message for p in problems], warnings


def _read(bundle: object) -> tuple[Scenario | None, Problems, list[str]]:
    problems = Problems()
    top = problems.attempt(lambda: document(bundle, lenient=True))
    if top is None:
        return None, problems, []
    top.known(*_TOP, "workflow_steps")
    if top.has("workflow_steps") and not top.has("workflow"):
        hint = "Put the steps under workflow.steps."
        problems.append(top.invalid("workflow_steps", "is not a field of a bundle", hint=hint))
    roles = read_roles(top, problems)
    intent = problems.attempt(lambda: top.need_inner("intent"))
    plan, given = _plan(top, roles, intent or _nothing(top, "intent"), problems)
    scenario = _scenario(top, roles, intent, plan, problems) if intent else None
    if scenario is not None:
        scenario = msgspec.structs.replace(
            scenario,
            deciders=tuple(dict.fromkeys(given.deciders)),
            demands=tuple(dict.fromkeys(given.demands)),
        )
    return scenario, problems, top.warnings


def _nothing(top: Fields, path: str) -> Fields:
    return Fields({}, path, lenient=True, warnings=top.warnings)


def _scenario(top: Fields, roles: RoleMap, intent: Fields, plan: Plan, problems: Problems) -> Scenario:
    intent.known(*_INTENT)
    read = problems.attempt
    return Scenario(
        scenario_id=read(lambda: top.text("scenario_id")) or _named_by_content(top),
        plan=plan,
        intent_type=read(lambda: read_intent_type(intent, "type")) or "",
        payload=read(lambda: intent.data("payload") or {}) or {},
        agents=tuple(roles.agents.values()),
        deadline_at=read(lambda: intent.moment("deadline_at")),
        reply_to=read(lambda: intent.text("reply_to", longest=agent_address.LONGEST)) or "",
        idempotency_key=read(lambda: top.text("idempotency_key")) or "",
        warnings=tuple(top.warnings),
    )


def _named_by_content(top: Fields) -> str:
    return f"scenario_{hashlib.sha256(msgspec.json.encode(top.value, order='sorted')).hexdigest()[:16]}"


def _plan(top: Fields, roles: RoleMap, intent: Fields, problems: Problems) -> tuple[Plan, _Bundle]:
    """Return the bundle's plan, which is empty if there are problems, and what applies to all of its steps."""
    workflow = problems.attempt(lambda: top.inner("workflow"))
    problems.attempt(lambda: refuse_misspelt(top, _TOP, ("workflow",)))
    if workflow:
        problems.attempt(lambda: refuse_misspelt(workflow, _WORKFLOW, ("steps", "entry_step")))
        judged = (*deciders(workflow, _WORKFLOW), *demands(workflow, _WORKFLOW))
        problems.attempt(lambda: refuse_unknown(workflow, _WORKFLOW, judged))
    given = workflow and problems.attempt(lambda: workflow.inner("parameters"))
    parameters = given or _nothing(top, "workflow.parameters")
    attempts = problems.attempt(lambda: intent.count("max_delivery_attempts", 1, MAX_ATTEMPTS))
    bundle = _Bundle(roles, intent, parameters, attempts, [], [])
    entry = ""
    if workflow and (workflow.has("steps") or workflow.has("macro_id")):
        workflow.known(*_WORKFLOW)
        parameters.known(*_PARAMETERS)
        steps = _steps(workflow, bundle, problems)
        entry = problems.attempt(lambda: workflow.text("entry_step", longest=100)) or ""
        direct = False
    else:
        steps = [] if problems else problems.attempt(lambda: _implied(bundle)) or []
        direct = len(steps) == 1 and isinstance(steps[0], AgentStep)
    plan = Plan(steps=tuple(steps), entry=entry, source="scenario", direct=direct)
    if problems:
        _check_routes(workflow, problems)
        return Plan(), bundle
    if problems.attempt(lambda: check_plan(plan)) is None:
        return Plan(), bundle
    _note_misplaced(top, workflow, bundle, asked=plan.has_gate)
    if not plan.has_gate:
        intent.unused(TIMING, ASKS_NOBODY)
        parameters.unused(TIMING, ASKS_NOBODY)
    if not plan.calls_agents:
        intent.unused(("max_delivery_attempts",), CALLS_NOBODY)
    for step_id in unreached(plan):
        intent.warnings.append(f"workflow.steps: no route leads to step {step_id!r}, so it will never run.")
    return plan, bundle


def _note_misplaced(top: Fields, workflow: Fields | None, bundle: _Bundle, *, asked: bool) -> None:
    """Record the fields around the steps that say who decides or ask for people's decisions, because they have no
    effect there.
    """
    around = ((top, _TOP), (workflow, _WORKFLOW), (bundle.parameters, _PARAMETERS), (bundle.intent, _INTENT))
    for fields, known in around:
        if fields is not None and asked:
            bundle.deciders.extend(deciders(fields, known))
        elif fields is not None:
            bundle.demands.extend(demands(fields, known))
    if asked:
        for human in bundle.roles.nameless:
            bundle.deciders.extend(deciders_in_human(human, HUMAN))
        inherited = bundle.intent.inner("human_task")
        bundle.deciders.extend(deciders_in_task(inherited, ASK) if inherited else ())


def _check_routes(workflow: Fields | None, problems: Problems) -> None:
    """Check ids and routes as written. This also runs if some steps cannot be read and there is no plan to check, so
    that all errors are reported together.
    """
    entries = workflow.value.get("steps") if workflow else None
    steps = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    ids = Counter(id for entry in steps if isinstance(id := entry.get("step_id"), str))
    twice = next((id for id, times in ids.items() if times > 1), None)
    if twice is not None:
        problems.append(
            Invalid("duplicate_step", f"Two steps have the id {printable(twice)!r}.", field="steps")
        )
    for entry in steps:
        for route in ("on_success", "on_failure"):
            target = entry.get(route)
            if isinstance(target, str) and target and target not in ids and target != END:
                where = f"steps.{printable(str(entry.get('step_id')))}.{route}"
                message = f"{where}: points to {printable(target)!r}, which does not exist."
                problems.append(Invalid("unknown_step", message, field=where))


def _implied(bundle: _Bundle) -> list[Step]:
    """The steps without a workflow: the first agent's step, then the intent's human task; at least one is required."""
    steps: list[Step] = []
    agents = list(bundle.roles.agents.values())
    humans = bundle.roles.humans
    for agent in agents[:1]:
        step = agent_step(AGENT_STEP, agent.address, bundle.attempts)
        steps.append(msgspec.structs.replace(step, push=agent.delivery_mode == "http"))
    if agents[1:]:
        bundle.intent.warnings.append(f"agents: without a workflow only {agents[0].role!r} is called.")
    ask = bundle.intent.inner("human_task")
    if ask is not None:
        assigned = next(iter(humans)) if len(humans) == 1 else ""
        spec = task_spec(ask, [bundle.intent], None, humans, assigned)
        steps.append(HumanStep(id=HUMAN_STEP, task=spec))
    elif humans:
        bundle.intent.warnings.append(
            "humans: no one is asked, because there is no workflow and no human_task."
        )
    if not steps:
        raise Invalid(
            "nothing_to_do",
            "workflow: missing, and there are no agents or intent.human_task to derive one from.",
            field="workflow",
            hint="Set workflow.steps, agents, or intent.human_task.",
        )
    return steps


def _steps(workflow: Fields, bundle: _Bundle, problems: Problems) -> list[Step]:
    macro = problems.attempt(lambda: workflow.text("macro_id")) or ""
    if not workflow.has("steps"):
        hint = "This server has no macros: write the steps under workflow.steps."
        problems.append(workflow.invalid("macro_id", f"unknown macro {macro!r}", hint=hint))
        return []
    if macro:
        workflow.warn("macro_id", "is not used; the steps are")
    steps = problems.collect(workflow, "steps", MAX_STEPS, lambda entry: _step(entry, bundle))
    asked = any(isinstance(step, HumanStep) for step in steps)
    if bundle.intent.has("human_task") and not asked and not problems:
        problem = "the workflow has no human step for it"
        problems.append(bundle.intent.invalid("human_task", problem))
    return steps


def _step(step: Fields, bundle: _Bundle) -> Step:
    step_id = step.need("step_id", longest=100)
    step = step.moved(f"steps.{step_id}")
    step.known(*_STEP)
    refuse_misspelt(step, _STEP, ("on_success", "on_failure"))
    on_failure = step.text("on_failure", longest=100) or None
    routes: dict[str, Any] = {
        "id": step_id,
        "on_success": step.text("on_success", longest=100) or None,
        "on_failure": on_failure,
        "on_timeout": on_failure,  # AXP has no on_timeout: a step that passes its deadline fails
    }
    assigned = step.text("assigned_to", longest=agent_address.LONGEST)
    deadline = step.duration("step_deadline_seconds") or bundle.parameters.duration("step_deadline_seconds")
    kind = _kind(step, bundle.roles, assigned)
    if kind is not _Kind.HUMAN:
        asking = ("escalate_to",) if kind is _Kind.NOTIFY else ()
        step.unused([name for name in TIMING if name not in asking], "this step does not ask anybody")
        bundle.demands.extend(demands(step, _STEP))
    # checked later: who decides, with the policy that applies; a demand for people's decisions, with the whole plan
    asks = kind is _Kind.HUMAN
    refuse_unknown(step, _STEP, (deciders if asks else demands)(step, _STEP), asks=asks)
    match kind:
        case _Kind.AGENT:
            return _agent_step(step, bundle, assigned, routes | {"deadline": deadline})
        case _Kind.HUMAN:
            return _human_step(step, bundle, assigned, routes | {"deadline": deadline})
        case _Kind.DELAY:
            return DelayStep(**routes, lasts=_lasts(step, deadline))
        case _Kind.NOTIFY:
            return _notify_step(step, bundle, assigned, routes)


def _kind(step: Fields, roles: RoleMap, assigned: str) -> _Kind:
    """The kind of a step: by its assignee, then by its runtime type or tool.

    A human assignee, ``requires_approval`` or a ``human_task`` make a human step, no matter which tool it names; only
    ``requires_approval: false`` lets an internal tool notify the human without waiting for an answer.
    """
    named = _named_kind(step)
    approval = step.flag("requires_approval")
    agent = roles.agent(assigned) if assigned not in roles.humans else None
    if approval or (step.has("human_task") and approval is None):
        if agent:
            step.warn("assigned_to", f"the agent {assigned!r} is not called: this is a human step")
        return _Kind.HUMAN
    if assigned in roles.humans or (assigned and agent_address.is_person(assigned)):
        return named if approval is False and named in (_Kind.DELAY, _Kind.NOTIFY) else _Kind.HUMAN
    if agent or (len(agent_address.parts_of(assigned)) > 1 and not is_anybody(assigned)):
        if named is _Kind.HUMAN:
            raise step.invalid("assigned_to", f"an agent cannot give a human's sign-off {assigned!r}")
        if step.has("human_task"):
            hint = "Set requires_approval to true, or move the human_task to its own step."
            raise step.invalid("human_task", f"the agent {assigned!r} cannot be asked this", hint=hint)
        if named is not _Kind.AGENT and step.has("tool_id"):
            step.warn(
                "tool_id", f"{step.text('tool_id')!r} is delivered to the agent {assigned!r} as its task"
            )
        return _Kind.AGENT
    if named is None and is_anybody(assigned):
        return _refuse_unknown(step)
    _warn_of_tool(step)
    if named in (None, _Kind.AGENT) and not is_anybody(assigned):
        close = suggestion(assigned, [*roles.agents, *roles.humans])
        warning = f"{assigned!r} is not a role of agents or humans; it is used as an agent's address"
        step.warn("assigned_to", f"{warning} ({close})" if close else warning)
    return named or _Kind.AGENT


def _warn_of_tool(step: Fields) -> None:
    """Warn about an unknown tool. A step that has an assignee is neither refused nor skipped because of it."""
    tool = step.text("tool_id")
    if tool and tool not in _TOOLS:
        close = suggestion(tool, [*_TOOLS])
        step.warn("tool_id", f"{tool!r} is unknown ({close})" if close else f"{tool!r} is unknown")


def _named_kind(step: Fields) -> _Kind | None:
    """The kind of a step by its runtime type, or else by its tool; None if neither is known."""
    runtime, tool = step.text("runtime_type"), step.text("tool_id")
    if runtime in _RUNTIMES:
        return _RUNTIMES[runtime]
    if runtime:
        step.warn("runtime_type", f"{runtime!r} is not known")
    if tool == _OWNER_TOOL and step.flag("requires_approval") is False:
        return _Kind.NOTIFY
    return _TOOLS.get(tool)


def _refuse_unknown(step: Fields) -> _Kind:
    for name, known in (("runtime_type", [*_RUNTIMES]), ("tool_id", [*_TOOLS])):
        word = step.text(name)
        if word:
            hint = suggestion(word, known) or "Known: " + ", ".join(known) + "."
            raise step.invalid(name, f"unknown {name}: {word}", hint=hint)
    hint = "Set assigned_to, tool_id or runtime_type."
    raise step.invalid("tool_id", "the kind of this step is not given", hint=hint, code="missing_field")


def _agent_step(step: Fields, bundle: _Bundle, assigned: str, base: dict[str, Any]) -> AgentStep:
    agents = list(bundle.roles.agents.values())
    agent = bundle.roles.agent(assigned)
    if not assigned:
        if len(agents) != 1:
            raise step.invalid("assigned_to", "is required: it names the agent", code="missing_field")
        agent = agents[0]
    retry = step.inner("retry") or _nothing(step, step.at("retry"))
    retry.known("max_retries", "retry_delay_seconds")
    retries = retry.count("max_retries", 0, 100)
    made = agent_step(
        base["id"],
        agent.address if agent else agent_address.written(assigned, step.at("assigned_to")),
        bundle.attempts,
    )
    return msgspec.structs.replace(
        made,
        **base,
        input=step.data("input"),
        max_retries=UNSAID if retries is None else retries,
        retry_delay=retry.duration("retry_delay_seconds") or made.retry_delay,
        push=agent is not None and agent.delivery_mode == "http",
    )


def _human_step(step: Fields, bundle: _Bundle, assigned: str, base: dict[str, Any]) -> HumanStep:
    humans = bundle.roles.humans
    if bundle.roles.agent(assigned) and assigned not in humans:
        assigned = ""
    if not assigned and len(humans) == 1:
        assigned = next(iter(humans))
    inherited = bundle.intent.inner("human_task")
    own = step.inner("human_task")
    ask = own or inherited or _nothing(step, step.at("human_task"))
    if own and inherited:
        ask = _with_assignees(own, inherited, step.text("assigned_to", longest=agent_address.LONGEST))
    bundle.deciders.extend((*deciders(step, _STEP), *deciders_in_task(ask, ASK)))
    for settings in _settings(step):  # the settings of internal steps, which have no effect here
        bundle.deciders.extend(deciders(settings, ()))
    levels = [step, bundle.parameters, bundle.intent]
    return HumanStep(**base, task=task_spec(ask, levels, base["deadline"], humans, assigned))


def _with_assignees(own: Fields, inherited: Fields, assigned: str) -> Fields:
    """The step's human task. If the step names no assignees, those of the bundle's human task apply."""
    if own.has("assignees") or not inherited.has("assignees") or not is_anybody(assigned):
        return own
    whole = {**own.value, "assignees": inherited.value["assignees"]}
    return Fields(whole, own.path, lenient=True, warnings=own.warnings)


def _settings(step: Fields) -> list[Fields]:
    """The objects that may contain the settings of an internal step; AXP's published CLI only forwards ``input``."""
    found = (step.inner(name) for name in ("runtime_config", "config", "input"))
    return [settings for settings in found if settings is not None]


def _lasts(step: Fields, deadline: timedelta | None) -> timedelta:
    for settings in _settings(step):
        for name in _DURATIONS:
            lasts = settings.duration(name)
            if lasts:
                return lasts
    if deadline:
        return deadline
    hint = 'For example "runtime_config": {"delay_seconds": 60}.'
    raise step.invalid("runtime_config.delay_seconds", "is required", hint=hint, code="missing_field")


def _notify_step(step: Fields, bundle: _Bundle, assigned: str, base: dict[str, Any]) -> NotifyStep:
    """The notify step with its recipients: as set, or else the escalation's target, the assignee, or every human with
    a contact.
    """
    settings = _settings(step)
    humans = bundle.roles.humans
    set_names = (s.texts("to", longest=agent_address.LONGEST) for s in settings)
    names = next((to for to in set_names if to), ())
    names = (
        names
        or step.texts("escalate_to", longest=agent_address.LONGEST)
        or (() if is_anybody(assigned) else (assigned,))
    )
    names = names or tuple(role for role, human in humans.items() if human.contact)
    if not names:
        step.warn("runtime_config.to", "nobody is named, so the requester is notified")
    lines = [
        next((text for s in settings if (text := s.prose(name))), "")
        for name in ("subject", "message", "body")
    ]
    message = "\n\n".join(line for line in lines if line)
    ask = step.inner("human_task") or step
    message = message or ask.prose("description") or ask.text("title") or step.text("step_id")
    task_reader.refuse_placeholders(step, message)
    to = dict.fromkeys(person_behind(name, humans) or name for name in names)
    return NotifyStep(**base, to=tuple(to), message=message)
