"""What a workspace's default policy makes of steps that came with a request. Whoever asks can tighten it and nothing
else: the policy says who decides, whom the request names is told; of the rest the stricter holds.

``unlisted``: what is done with a type of intent for which no workflow is registered.
"""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from signoff.core.plan.plan import AgentStep, HumanStep, Plan, check_plan, reached
from signoff.core.plan.task_types import (
    OUTCOMES,
    Fallback,
    Risk,
    Sign,
    Stage,
    Strength,
    TaskSpec,
    TaskType,
    least_strength,
)
from signoff.core.policy.policy import Policy

ALLOW, GATE, REFUSE = UNLISTED = ("allow", "gate", "refuse")
BECAUSE: Final = "no workflow governs this type of request"
_GATE_STEP: Final = "gate"
# A yes to these is a yes to what is asked for; to the others it is an answer to a question.
_CONSENT: Final = frozenset({TaskType.APPROVAL, TaskType.REVIEW, TaskType.CONFIRMATION, TaskType.OVERRIDE})
_STRENGTHS: Final = tuple(Strength)
_RISKS: Final = tuple(Risk)


def tightened(step: HumanStep, policy: Policy, name: str) -> tuple[HumanStep, tuple[str, ...]]:
    """The requester's step under the policy ``name``, and what the requester should know. A step that was under a
    policy before (a request that is repeated) is put under this one: what the other said is not the requester's word.
    """
    repeated, step = bool(step.task.policy), step.own
    asked = _bare(step.task) if repeated else step.task
    risk = policy.risk if asked.risk is Risk.MEDIUM else max(policy.risk, asked.risk, key=_RISKS.index)
    deadline = min((span for span in (step.deadline, policy.deadline) if span is not None), default=None)
    outcomes = _with_a_no(asked)
    fallback, outcome = _silence(replace(asked, outcomes=outcomes, risk=risk), policy, deadline)
    named = () if repeated else _named(asked)
    task = replace(
        asked,
        outcomes=outcomes,
        stages=_stages(policy, asked),
        self_approval=False if asked.self_approval is False else policy.self_approval,
        remind=policy.remind or asked.remind,
        escalate=policy.escalate,
        notify=tuple(dict.fromkeys((*asked.notify, *named))),
        holder="",
        policy=name,
        because=BECAUSE,
        hours=policy.hours,
        deadline_in_hours=policy.deadline_in_hours,
        fallback=fallback,
        fallback_outcome=outcome,
        strength=max(policy.strength, asked.strength, least_strength(risk), key=_STRENGTHS.index),
        risk=risk,
    )
    stands = fallback is Fallback.EXPIRE
    made = replace(
        step,
        task=task,
        deadline=deadline,
        on_timeout=step.on_timeout if stands else None,
        on_timeout_as=step.on_timeout_as if stands else None,
        lent=("deadline",) if deadline is not None and step.deadline is None else (),
    )
    return made, _remarks(step.id, name, named, len(outcomes) > len(asked.outcomes))


def _bare(spec: TaskSpec) -> TaskSpec:
    """What is asked, without what the policy said that it was under."""
    plain = TaskSpec()
    said = ("stages", "escalate", "self_approval", "fallback", "fallback_outcome", "strength", "risk")
    return replace(spec, **{field: getattr(plain, field) for field in said})


def _named(spec: TaskSpec) -> tuple[str, ...]:
    """Whom the request names to decide, at once or later."""
    stages = (name for stage in spec.stages for name in stage.approvers)
    return tuple(dict.fromkeys((*stages, *(name for rung in spec.escalate for name in rung.to))))


def _stages(policy: Policy, asked: TaskSpec) -> tuple[Stage, ...]:
    """The policy's; where the request wants more people, or fewer rejections, it gets that. One rejection is what a
    request has that says nothing.
    """
    own = (*asked.stages, *(Stage() for _ in policy.stages))
    return tuple(
        replace(
            stage,
            need=max(stage.need, wanted.need),
            reject_after=min(stage.reject_after, wanted.reject_after)
            if wanted.reject_after > 1
            else stage.reject_after,
        )
        for stage, wanted in zip(policy.stages, own, strict=False)
    )


def _with_a_no(spec: TaskSpec) -> tuple[str, ...]:
    """The outcomes, with a no where the request left out the one that its type has."""
    own = [outcome for outcome in OUTCOMES[spec.type] if spec.sign(outcome) is Sign.NEGATIVE]
    said_no = bool(spec.meaning(Sign.NEGATIVE))
    return spec.outcomes if said_no or not own else (*spec.outcomes, own[0])


def _silence(asked: TaskSpec, policy: Policy, deadline: timedelta | None) -> tuple[Fallback, str]:
    """What follows silence: as the policy says, unless that is a yes and anything of the request speaks against it."""
    outcome = policy.fallback_outcome
    if policy.fallback is not Fallback.OUTCOME:
        return policy.fallback, ""
    if asked.sign(outcome) is not Sign.POSITIVE:
        return (Fallback.OUTCOME, outcome) if outcome in asked.outcomes else (Fallback.REJECT, "")
    refused = asked.fallback is Fallback.REJECT or (
        asked.fallback is Fallback.OUTCOME and asked.sign(asked.fallback_outcome) is not Sign.POSITIVE
    )
    sooner = deadline != policy.deadline
    if refused or sooner or outcome not in asked.outcomes or asked.risk is not policy.risk:
        return (Fallback.REJECT if refused else Fallback.EXPIRE), ""
    return Fallback.OUTCOME, outcome


def _remarks(step: str, policy: str, named: tuple[str, ...], no_added: bool) -> tuple[str, ...]:
    found = []
    if named:
        found.append(
            f"step {step!r}: policy {policy} says who decides; {', '.join(named)} "
            f"{'is' if len(named) == 1 else 'are'} told, and may decide only where it names them"
        )
    if no_added:
        found.append(f"step {step!r}: none of its outcomes was a no, so one was added")
    return tuple(found)


def ungated(plan: Plan) -> list[str]:
    """The agent steps that could work before a person has said yes, in order."""
    early = reached(plan, holds=lambda step: isinstance(step, HumanStep) and step.task.type in _CONSENT)
    return [step.id for step in plan.steps if isinstance(step, AgentStep) and step.id in early]


def gated(plan: Plan) -> Plan:
    """The plan with an approval before everything else."""
    taken, number, name = set(plan.by_id), 1, _GATE_STEP
    while name in taken:
        number += 1
        name = f"{_GATE_STEP}-{number}"
    gate = HumanStep(id=name, task=TaskSpec(), on_success=plan.entry or plan.steps[0].id)
    return check_plan(replace(plan, steps=(gate, *plan.steps), entry=name, direct=False))
