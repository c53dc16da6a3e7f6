"""A direct AXP intent: the fields of ``POST /v1/intents``, and the plan it implies if no workflow applies.

AXP's published clients send unknown fields, camelCase names, numbers as text, and sometimes no payload. All of that
is accepted, with a warning for each unused field. A value of the wrong type is refused.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory import agent_address
from signoff.core.formats.axp_deciders import deciders, deciders_in_task, demands, flat_deciders, flat_demands
from signoff.core.formats.axp_roles import Human, is_anybody, person_behind
from signoff.core.plan import task_reader
from signoff.core.plan.plan import UNSAID, AgentStep, HumanStep, Plan
from signoff.core.plan.schedules import MAX_REMINDERS, Reminders
from signoff.core.plan.task_types import BUILT_IN, Escalation, TaskSpec, TaskType, Trait
from signoff.core.text.describe import printable, suggestion
from signoff.core.text.document_reader import Fields, document, refuse_two_spellings
from signoff.core.text.durations import LONGEST

AGENT_STEP: Final = "agent"
HUMAN_STEP: Final = "human"
MAX_ATTEMPTS: Final = 1000
ASK: Final = (
    "title", "description", "task_type", "allowed_outcomes", "required_comment", "evidence_required",
    "assignees", "notify_email", "form_schema",
)  # fmt: skip
TIMING: Final = ("remind_after_seconds", "remind_interval_seconds", "max_reminders", "escalate_to")
ASKS_NOBODY: Final = "the request itself asks no one"
CALLS_NOBODY: Final = "the request itself calls no agent"
_SHAPING: Final = ("human_task", "max_delivery_attempts", *TIMING)
_REMINDING: Final = ("remind_interval_seconds", "max_reminders")
_KNOWN: Final = (
    "intent_type", "correlation_id", "to_agent", "from_agent", "reply_to", "payload", "deadline_at",
    "max_delivery_attempts", "human_task", "on_behalf_of", *TIMING,
)  # fmt: skip
_CAMEL: Final = {re.sub("_([a-z])", lambda hit: hit[1].upper(), name): name for name in _KNOWN if "_" in name}
_INTENT_TYPE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_PUBLISHED_TYPE: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+\.v[0-9]+")
# AXP's published schema has more task types; each behaves like one of ours.
_TYPE_ALIASES: Final = {
    "provide_data": TaskType.FORM,
    "attach_file": TaskType.FORM,
    "validate_real_world": TaskType.CONFIRMATION,
    "validate_output": TaskType.REVIEW,
    "delegation": TaskType.ASSIGNMENT,
    "reroute": TaskType.ASSIGNMENT,
    "escalate": TaskType.APPROVAL,
}
# Many requests differ only in their payload and correlation id, so the result of compiling these fields is cached. A
# request with other fields is not cached, because it may contain free text about people.
_REPEATED: Final = frozenset(
    {
        "intent_type",
        "to_agent",
        "from_agent",
        "reply_to",
        "max_delivery_attempts",
        "payload",
        "correlation_id",
    }
)
_REPEATED_SIZE: Final = 1024  # maximum bytes of these fields
_TO_JSON: Final = msgspec.json.Encoder()
_FROM_JSON: Final = msgspec.json.Decoder(float_hook=float)
_NOTHING_SET: Final = timedelta(hours=1)


class AxpIntent(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """A direct intent as submitted. Addresses are as written; ``plan`` is used if no workflow applies.

    claimed_from: the name that the client calls itself. on_behalf_of: the person whom it is for, who then may not
    decide it. deadline_at: aware UTC, possibly in the past. shaping: the given fields that say what happens, which
    have no effect if a workflow applies. unused: the fields that have no effect in ``plan`` either. deciders: unknown
    fields that say who decides. demands: unknown fields that ask for people's decisions, if ``plan`` has none.
    """

    intent_type: str
    payload: dict[str, Any]
    plan: Plan
    to_agent: str = ""
    reply_to: str = ""
    correlation_id: str = ""
    claimed_from: str = ""
    on_behalf_of: str = ""
    deadline_at: datetime | None = None
    warnings: tuple[str, ...] = ()
    shaping: tuple[str, ...] = ()
    deciders: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def compile_axp_intent(body: object, *, checked: bool = False) -> AxpIntent:
    """Read the body of ``POST /v1/intents``; raises Invalid naming the field. ``checked``: as in ``document``.

    The plan: ``human_task`` on an intent addressed to nobody, to the internal runtime or to a human is one human
    step; a human's address alone is the same, with the default question. Together with an agent's address, the
    agent's step comes first and the human's second. An agent's address alone is one agent step, ``direct``: the
    agent gets the intent itself. With neither, that step is addressed to the internal runtime, so it waits
    for a control resume.
    """
    if checked and isinstance(body, dict) and body.keys() <= _REPEATED and type(body.get("payload")) is dict:
        fields = {name: value for name, value in body.items() if name not in ("payload", "correlation_id")}
        encoded = _TO_JSON.encode(fields)
        if len(encoded) <= _REPEATED_SIZE:
            correlation_id = Fields(body, lenient=True).text("correlation_id")
            return replace(_compiled(encoded), payload=body["payload"], correlation_id=correlation_id)
    return _compile(body, checked=checked)


@lru_cache(maxsize=256)
def _compiled(fields: bytes) -> AxpIntent:
    """Compile these fields, given as JSON, of a request with a payload."""
    return _compile({**_FROM_JSON.decode(fields), "payload": {}}, checked=True)


def _compile(body: object, *, checked: bool) -> AxpIntent:
    request = _renamed(document(body, lenient=True, checked=checked))
    intent_type = read_intent_type(request, "intent_type")
    payload = request.data("payload")
    if payload is None and "payload" not in request.value:
        payload = {name: value for name, value in request.value.items() if name not in _KNOWN}
    else:
        request.known(*_KNOWN)
    to_agent = request.text("to_agent", longest=agent_address.LONGEST)
    if to_agent:
        to_agent = agent_address.written(to_agent, "to_agent")
    if request.has("on_behalf_of") and not request.text("on_behalf_of"):
        # an empty name, for instance from a script, would let that person approve their own request
        raise request.invalid("on_behalf_of", "is empty", hint="Name the person, or omit it.")
    plan = _plan(request, to_agent)
    return AxpIntent(
        intent_type=intent_type,
        payload=payload or {},
        plan=plan,
        to_agent=to_agent,
        reply_to=request.text("reply_to", longest=agent_address.LONGEST),
        correlation_id=request.text("correlation_id"),
        claimed_from=request.text("from_agent", longest=agent_address.LONGEST),
        on_behalf_of=request.text("on_behalf_of"),
        deadline_at=request.moment("deadline_at"),
        warnings=tuple(request.warnings),
        shaping=tuple(name for name in _SHAPING if request.says(name)),
        deciders=_deciders(request, plan),
        demands=_demands(request, plan),
        unused=_unused(request, plan),
    )


def _deciders(request: Fields, plan: Plan) -> tuple[str, ...]:
    """The fields that say who decides, in the task and next to it."""
    if not plan.has_gate:
        return ()
    ask = request.inner("human_task")
    within = deciders_in_task(ask, ASK) if ask is not None else ()
    beside = deciders if "payload" in request.value else flat_deciders
    return (*within, *beside(request, _KNOWN))


def _demands(request: Fields, plan: Plan) -> tuple[str, ...]:
    """The fields that ask for people's decisions, in a request without any."""
    if plan.has_gate:
        return ()
    return (demands if "payload" in request.value else flat_demands)(request, _KNOWN)


def _unused(request: Fields, plan: Plan) -> tuple[str, ...]:
    """The fields of the request that its own plan does not use, as text."""
    noted = Fields(request.value, lenient=True, warnings=[])
    if not plan.has_gate:
        noted.unused(TIMING, ASKS_NOBODY)
    if not plan.calls_agents:
        noted.unused(("max_delivery_attempts",), CALLS_NOBODY)
    return tuple(noted.warnings)


def read_intent_type(fields: Fields, name: str) -> str:
    """The type of an intent: letters, digits, ``_ . -``. A type that does not match AXP's published pattern causes a
    warning.
    """
    intent_type = fields.need(name)
    if not _INTENT_TYPE.fullmatch(intent_type):
        raise fields.invalid(name, "may only contain letters, digits, '_', '.' and '-'")
    if fields.lenient and not _PUBLISHED_TYPE.fullmatch(intent_type):
        fields.warn(name, f"{intent_type!r} is not of the form intent.area.name.v1")
    return intent_type


def _renamed(request: Fields) -> Fields:
    """The request with known camelCase field names in snake_case, unless the snake_case field is given as well."""
    if _CAMEL.keys().isdisjoint(request.value):
        return request
    refuse_two_spellings(request.value, _CAMEL)
    renamed: dict[str, Any] = {}
    for name, value in request.value.items():
        ours = _CAMEL.get(name, name)
        renamed[name if ours in request.value else ours] = value
    return Fields(renamed, lenient=True, warnings=request.warnings)


def _plan(request: Fields, to_agent: str) -> Plan:
    attempts = request.count("max_delivery_attempts", 1, MAX_ATTEMPTS)
    ask = request.inner("human_task")
    person = bool(to_agent) and agent_address.is_person(to_agent)
    agent = "" if person or not to_agent or agent_address.is_internal(to_agent) else to_agent
    if ask is None and not person:
        return _agent_plan(agent or agent_address.INTERNAL, attempts)
    asked = ask or Fields({}, "human_task", lenient=True, warnings=request.warnings)
    spec = task_spec(asked, [request], None, {}, to_agent if person else "")
    gate = HumanStep(id=HUMAN_STEP, task=spec)
    return Plan(steps=(agent_step(AGENT_STEP, agent, attempts), gate) if agent else (gate,))


@lru_cache(maxsize=1024)
def _agent_plan(agent: str, attempts: int | None) -> Plan:
    """The plan with one agent step; cached, so that many intents to one agent share it and everything derived from
    it.
    """
    return Plan(steps=(agent_step(AGENT_STEP, agent, attempts),), direct=True)


def agent_step(step_id: str, agent: str, attempts: int | None) -> AgentStep:
    """An agent step with only an address and AXP's ``max_delivery_attempts`` (None: the default)."""
    if attempts is None:
        return AgentStep(id=step_id, agent=agent, max_retries=UNSAID)
    return AgentStep(id=step_id, agent=agent, max_retries=UNSAID, max_attempts=attempts)


def task_spec(
    ask: Fields,
    levels: Sequence[Fields],
    deadline: timedelta | None,
    humans: Mapping[str, Human],
    assigned: str,
) -> TaskSpec:
    """The task that AXP's ``human_task`` describes.

    levels: the objects in which reminders and escalation may be set, the nearest first (step, macro parameters,
    intent); deadline: the step's deadline; humans: the bundle's role aliases; assigned: the step's assignee, or "".
    """
    ask.known(*ASK)
    kind = _kind(ask)
    allowed = task_reader.outcomes(ask, "allowed_outcomes", kind)
    if unknown := [word for word in allowed if word not in BUILT_IN]:
        words = ", ".join(repr(printable(word)) for word in unknown)
        ask.warn("allowed_outcomes", f"{words}: its meaning is unknown, so this answer rejects")
    if not task_reader.can_say_yes(allowed):
        ask.warn("allowed_outcomes", "none of these approves, so every answer ends the step as rejected")
    remind = _reminders(levels)
    comment, evidence = ask.flag("required_comment"), ask.flag("evidence_required")
    approvers, holder = _approvers(ask, humans, assigned)
    return TaskSpec(
        type=kind,
        title=task_reader.title(ask, kind),
        description=ask.prose("description"),
        outcomes=allowed,
        comment_required=Trait.COMMENT in kind.traits if comment is None else comment,
        evidence_required=Trait.EVIDENCE in kind.traits if evidence is None else evidence,
        form=task_reader.asked_form(ask, "form_schema", kind),
        stages=task_reader.one_decision(approvers),
        notify=ask.texts("notify_email"),
        remind=remind,
        escalate=_escalation(levels, remind, deadline, humans),
        holder=holder,
    )


def _kind(ask: Fields) -> TaskType:
    word = ask.text("task_type")
    if not word:
        return TaskType.APPROVAL
    known = {**_TYPE_ALIASES, **{kind.value: kind for kind in TaskType}}
    if word not in known:
        ask.warn("task_type", f"{word!r} is not a known task type; it is treated as an approval")
    return known.get(word, TaskType.APPROVAL)


def _approvers(ask: Fields, humans: Mapping[str, Human], assigned: str) -> tuple[tuple[str, ...], str]:
    """Return who may answer, and the assignee's name: the task's assignees, or else the step's assignee.

    A role of the bundle without a person only labels the task, which is then open to everyone with an approving role.
    An unknown name never widens who decides: it is refused if the bundle lists its humans, and otherwise kept for the
    workspace to resolve.
    """
    if ask.has("assignees") and not ask.texts("assignees"):
        # if a script forgot to fill in a name, everybody could decide
        raise ask.invalid("assignees", "names nobody", hint="Name an approver, or omit the field.")
    names = ask.texts("assignees") or (() if is_anybody(assigned) else (assigned,))
    behind = {name: person_behind(name, humans) for name in names}
    for name in names:
        if humans and not behind[name] and name not in humans:
            raise ask.invalid(
                "assignees",
                f"{name!r} is not one of the bundle's humans",
                hint=suggestion(name, list(humans)) or "Known: " + ", ".join(humans) + ".",
            )
    meant = (behind[name] or ("" if name in humans else name) for name in names)
    found = tuple(dict.fromkeys(person for person in meant if person))
    first = humans.get(assigned) or humans.get(names[0] if names else "")
    return found, first.label if first else (names[0] if names else "")


def _reminders(levels: Sequence[Fields]) -> Reminders | None:
    """The reminders, from the nearest level that sets the first one.

    An interval from a farther level does not apply to a first reminder from a nearer one; without one, the interval
    equals the first delay.
    """
    counts = [level.count("max_reminders", 0, MAX_REMINDERS) for level in levels]
    most = next((count for count in counts if count is not None), 3)
    every: timedelta | None = None
    for level in levels:
        every = every or level.duration("remind_interval_seconds")
        after = level.duration("remind_after_seconds")
        if after:
            return Reminders(after=after, every=every or after, at_most=most) if most else None
    for level in levels:
        if not level.says("remind_after_seconds"):
            level.unused(_REMINDING, "remind_after_seconds is missing")
    return None


def _escalation(
    levels: Sequence[Fields],
    remind: Reminders | None,
    deadline: timedelta | None,
    humans: Mapping[str, Human],
) -> tuple[Escalation, ...]:
    """AXP's ``escalate_to``, which takes effect one interval after the last reminder.

    Without reminders, it takes effect halfway to the step's deadline, or after an hour if the step has none.
    """
    for level in levels:
        names = level.texts("escalate_to", longest=agent_address.LONGEST)
        if not names:
            continue
        unasked = deadline / 2 if deadline else _NOTHING_SET
        after = remind.after + remind.every * remind.at_most if remind else unasked
        if deadline and after >= deadline:
            level.warn("escalate_to", "would come after the step's deadline, so it is never sent")
        after = min(after, LONGEST)
        return (Escalation(after=after, to=tuple(person_behind(name, humans) or name for name in names)),)
    return ()
