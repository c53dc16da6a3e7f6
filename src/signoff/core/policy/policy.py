"""A policy: who decides and how, apart from what is decided. Named in the workspace, or written into a workflow's step.

Nothing in it is guessed: an unknown field is refused by name, and so is whatever could never have an effect.
"""

import re
from datetime import time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from signoff.core.directory.approver_names import parties
from signoff.core.errors import Invalid
from signoff.core.plan import task_reader
from signoff.core.plan.ineffective import of_rules
from signoff.core.plan.plan import SUCCESS, HumanStep
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import (
    Escalation,
    Fallback,
    Risk,
    Sign,
    Stage,
    Strength,
    least_strength,
    meaning_of,
)
from signoff.core.plan.working_hours import Hours
from signoff.core.text.document_reader import Fields, document, shown, suggestion
from signoff.core.text.durations import show_duration

MAX_STAGES: Final = 10
MAX_RUNGS: Final = 20
_LONG_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS: Final = tuple(day[:3] for day in _LONG_DAYS)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_NEVER: Final = timedelta.max
FIELDS: Final = (
    "approve", "self_approval", "remind", "escalate", "deadline", "on_timeout", "hours", "strength", "risk",
)  # fmt: skip


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A compiled policy. ``goto``: the step to go on with after silence, in a workflow that has it; ``goto_as``:
    ``success``, where that may complete the request.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    self_approval: bool | None = None
    remind: Reminders | None = None
    escalate: tuple[Escalation, ...] = ()
    deadline: timedelta | None = None
    deadline_in_hours: bool = False
    fallback: Fallback = Fallback.EXPIRE
    fallback_outcome: str = ""
    goto: str = ""
    hours: Hours | None = None
    strength: Strength = Strength.LINK
    risk: Risk = Risk.MEDIUM
    goto_as: str = ""


def compile_policy(source: object, path: str = "") -> Policy:
    """Compile a policy (a JSON-able dict) that was taken before and stands at ``path``; raises Invalid naming the
    field, with a hint.
    """
    return read_policy(document(source, kept=True).moved(path))


def read_policy(fields: Fields) -> Policy:
    """The policy that an object of a document holds."""
    fields.known(*FIELDS)
    deadline = fields.duration("deadline")
    risk = Risk(_word(fields, "risk", [risk.value for risk in Risk]) or Risk.MEDIUM)
    fallback, outcome, goto, goto_as = _on_timeout(fields, deadline, risk)
    working = fields.inner("hours")
    return Policy(
        stages=_stages(fields),
        self_approval=fields.flag("self_approval"),
        remind=reminders(fields, deadline),
        escalate=ladder(fields, deadline),
        deadline=deadline,
        deadline_in_hours=bool(working and working.flag("deadline")),
        fallback=fallback,
        fallback_outcome=outcome,
        goto=goto,
        goto_as=goto_as,
        hours=hours(working, "deadline") if working else None,
        strength=_strength(fields, risk),
        risk=risk,
    )


def refuse_idle(policy: Policy, path: str) -> None:
    """Raise Invalid for what a policy by itself says without effect, whatever step it is applied to."""
    later = policy.deadline or (
        _NEVER if policy.deadline_in_hours else None
    )  # a step may have a deadline of its own
    for one in of_rules(
        path, policy.remind, policy.escalate, policy.hours, deadline=later, in_hours=policy.deadline_in_hours
    ):
        raise one.refusal


def applied(step: HumanStep, policy: Policy, name: str, path: str) -> HumanStep:
    """The step under the policy; ``name`` is kept with it. Its own deadline and route stand, where it says them; what
    a policy lent it before does not.
    """
    step = step.own
    if step.on_timeout is not None and policy.fallback is not Fallback.EXPIRE:
        raise Invalid(
            "two_fallbacks", f"{path}: both the step and its policy say what follows silence.", field=path,
            hint="Take on_timeout out of one of them.",
        )  # fmt: skip
    if policy.fallback is Fallback.OUTCOME and policy.fallback_outcome not in step.task.outcomes:
        allowed = ", ".join(step.task.outcomes)
        raise Invalid(
            "outcome_not_allowed", f"{path}: on_timeout: {policy.fallback_outcome!r} is no outcome of this task.",
            field=path, hint=f"Allowed: {allowed}.",
        )  # fmt: skip
    if policy.fallback is Fallback.OUTCOME:
        _refuse_fallback(step.task.sign(policy.fallback_outcome), policy.risk, path)
    task = replace(
        step.task,
        policy=name,
        stages=policy.stages,
        self_approval=policy.self_approval,
        remind=policy.remind,
        escalate=policy.escalate,
        hours=policy.hours,
        deadline_in_hours=policy.deadline_in_hours,
        fallback=policy.fallback,
        fallback_outcome=policy.fallback_outcome,
        strength=policy.strength,
        risk=policy.risk,
    )
    lent: dict[str, Any] = {}
    if policy.deadline and step.deadline is None:
        lent["deadline"] = policy.deadline
    if policy.goto and step.on_timeout is None:
        lent |= {"on_timeout": policy.goto} | ({"on_timeout_as": policy.goto_as} if policy.goto_as else {})
    return replace(step, task=task, **lent, lent=tuple(lent) if name else ())


def _refuse_fallback(sign: Sign, risk: Risk, path: str) -> None:
    """Raise Invalid where silence would bring about what only people can, or what takes a low risk."""
    if sign is Sign.CHANGES:
        problem, hint = "silence cannot ask for changes", "Use expire, reject or goto:STEP."
    elif sign is Sign.POSITIVE and risk is not Risk.LOW:
        problem = "a yes may follow from silence only where the risk is low"
        hint = "Use expire or reject; or say risk: low, where the workspace allows it."
    else:
        return
    raise Invalid("invalid_field", f"{path}: {problem}.", field=path, hint=hint)


def _stages(fields: Fields) -> tuple[Stage, ...]:
    if not fields.has("approve"):
        return (Stage(),)
    single = isinstance(fields.value["approve"], dict)
    listed = [fields.value["approve"]] if single else fields.each("approve", most=MAX_STAGES)
    if not listed:
        raise fields.invalid("approve", "names no stage", hint="For example: approve: [{any: [team:dba]}].")
    return tuple(
        _stage(fields.need_inner("approve") if single else fields.item("approve", index, stage))
        for index, stage in enumerate(listed)
    )


def _stage(stage: Fields) -> Stage:
    stage.known("any", "all", "need", "reject_after")
    if stage.has("any") and stage.has("all"):
        raise stage.invalid("all", "stands beside any", hint="One of them: any of these, or each of these.")
    every = stage.has("all")
    named = "all" if every else "any"
    approvers = parties(stage, named)
    if stage.has(named) and not approvers:
        raise stage.invalid(named, "names nobody")
    if every and stage.has("need"):
        raise stage.invalid("need", "has no effect beside all, which takes one person of each")
    return Stage(approvers, stage.count("need", 1, 100) or 1, stage.count("reject_after", 1, 100) or 1, every)


def reminders(fields: Fields, deadline: timedelta | None) -> Reminders | None:
    """``remind: 5m`` or ``remind: {after, every, at_most}``."""
    if not isinstance(fields.value.get("remind"), dict):
        after = fields.duration("remind")
        every, most, where = after, None, fields.at("remind")
    else:
        remind = fields.need_inner("remind")
        remind.known("after", "every", "at_most")
        remind.need_duration("after")
        after, every = remind.duration("after"), remind.duration("every")
        most, where = remind.count("at_most", 1, task_reader.MAX_REMINDERS), remind.at("after")
    if after is None:
        return None
    _refuse_too_late(where, after, deadline)
    return Reminders(after=after, every=every or after, at_most=most or 3)


def ladder(fields: Fields, deadline: timedelta | None) -> tuple[Escalation, ...]:
    """``escalate: [{after, to}, ...]``, each rung later than the one before."""
    if isinstance(fields.value.get("escalate"), dict):
        rungs = [fields.need_inner("escalate")]
    else:
        listed = fields.each("escalate", most=MAX_RUNGS)
        rungs = [fields.item("escalate", index, rung) for index, rung in enumerate(listed)]
    compiled: list[Escalation] = []
    for rung in rungs:
        rung.known("after", "to")
        after = rung.need_duration("after")
        if compiled and after <= compiled[-1].after:
            raise rung.invalid("after", "must be later than the one before")
        _refuse_too_late(rung.at("after"), after, deadline)
        to = parties(rung, "to")
        if not to:
            raise rung.invalid("to", "is required", code="missing_field")
        compiled.append(Escalation(after=after, to=to))
    return tuple(compiled)


def _refuse_too_late(path: str, after: timedelta, deadline: timedelta | None) -> None:
    if deadline is not None and after >= deadline:
        message = f"{path}: never happens, because the step's deadline is {show_duration(deadline)}."
        raise Invalid("never_due", message, field=path, hint="Make it shorter, or the deadline longer.")


def _on_timeout(fields: Fields, deadline: timedelta | None, risk: Risk) -> tuple[Fallback, str, str, str]:
    """(fallback, its outcome, the step it goes to, what that counts as)."""
    if isinstance(fields.value.get("on_timeout"), dict):
        target, counts_as = route(fields, "on_timeout")
        word = f"goto:{target}"
    else:
        word, counts_as = fields.text("on_timeout", longest=200), ""
    if word and deadline is None and word != "expire":
        raise fields.invalid(
            "on_timeout", "never happens, because there is no deadline", hint="Add deadline: 8h."
        )
    kind, _, target = (part.strip() for part in word.partition(":"))
    if word in ("", "expire", "reject"):
        return Fallback(word or "expire"), "", "", ""
    if kind == "goto" and target:
        return Fallback.EXPIRE, "", target, counts_as
    if kind != "outcome" or not target:
        hint = suggestion(word, ("expire", "reject")) or "Known: expire, reject, goto:STEP, outcome:OUTCOME."
        raise fields.invalid("on_timeout", f"{shown(word)!r} is no fallback", hint=hint)
    # What a word of a workflow's own means is known, and judged, when the policy is applied to its step.
    _refuse_fallback(meaning_of(target), risk, fields.at("on_timeout"))
    return Fallback.OUTCOME, target, "", ""


def route(fields: Fields, name: str) -> tuple[str, str]:
    """(step, ``success`` or ""): a step's name, or ``{goto: STEP, as: success}``."""
    if not isinstance(fields.value.get(name), dict):
        return fields.text(name, longest=100), ""
    way = fields.need_inner(name)
    way.known("goto", "as")
    target = way.need("goto", longest=100)
    word = way.text("as", longest=64)
    if word not in ("", SUCCESS):
        hint = "as: success, or leave it out: then the request fails at its end, unless somebody says yes."
        raise way.invalid("as", f"{shown(word)!r} is unknown here", hint=hint)
    return target, word


def _strength(fields: Fields, risk: Risk) -> Strength:
    least = least_strength(risk)
    word = _word(fields, "strength", [strength.value for strength in Strength])
    if word == Strength.STEP_UP:
        hint = "Use session: the strongest there is until people can register a second factor."
        raise fields.invalid(
            "strength",
            "there is no second factor yet, so nobody could decide",
            hint=hint,
            code="not_supported",
        )
    if word == Strength.LINK and least is not Strength.LINK:
        raise fields.invalid(
            "strength", f"a link is too weak where the risk is {risk.value}", hint="Use session."
        )
    return Strength(word) if word else least


def _word(fields: Fields, name: str, known: list[str]) -> str:
    word = fields.text(name, longest=64)
    if word and word not in known:
        hint = suggestion(word, known) or "Known: " + ", ".join(known) + "."
        raise fields.invalid(name, f"{shown(word)!r} is unknown here", hint=hint)
    return word


def hours(fields: Fields, *more: str) -> Hours:
    """Working hours: zone, days, from, to (and the fields ``more``, read elsewhere)."""
    fields.known("zone", "days", "from", "to", *more)
    named: dict[str, Any] = {
        "start": clock(fields, "from"),
        "end": clock(fields, "to", end=True),
        "days": _days(fields) or None,
    }
    given = {name: value for name, value in named.items() if value is not None}
    return Hours(zone(fields, "zone", needed=True), **given)


def zone(fields: Fields, name: str, *, needed: bool = False) -> str:
    """An IANA time zone's name, "" when absent."""
    word = fields.need(name, longest=64) if needed else fields.text(name, longest=64)
    try:
        if word:
            ZoneInfo(word)
    except (KeyError, ValueError, OSError) as unknown:
        hint = "Write an IANA name such as Europe/Berlin."
        raise fields.invalid(name, f"{shown(word)!r} is no time zone", hint=hint) from unknown
    return word


def clock(fields: Fields, name: str, *, end: bool = False) -> time | None:
    """A time of day, ``08:00``; None when absent. ``24:00`` is the midnight at which a day ends, and begins none."""
    word = fields.text(name, longest=16)
    if end and word == "24:00":
        return time(0)
    match = _CLOCK.fullmatch(word)
    if word and not match:
        raise fields.invalid(
            name, f"{shown(word)!r} is no time of day", hint='Write it as "08:00", in quotes.'
        )
    return time(int(match[1]), int(match[2])) if match else None


def weekday(fields: Fields, name: str, word: str) -> int:
    """0 for ``mon`` or ``monday``, and so on."""
    day = word.strip().lower()
    meant = [number for number, long in enumerate(_LONG_DAYS) if len(day) > 2 and long.startswith(day)]
    if not meant:
        hint = "Known: " + ", ".join(DAYS) + "; from one to another as mon-fri."
        raise fields.invalid(name, f"{shown(word)!r} is no day", hint=hint)
    return meant[0]


def _days(fields: Fields) -> tuple[int, ...]:
    found: set[int] = set()
    for written in fields.texts("days"):
        for part in written.split(","):
            first, _, last = part.partition("-")
            start, end = weekday(fields, "days", first), weekday(fields, "days", last or first)
            found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(found))
