"""Applies a workspace's default policy to steps that a request brings itself. A requester can only make it stricter:
the policy says who decides, and people whom the request names are notified; in all other fields the stricter value
applies.

``unlisted``: what happens to an intent type without a workflow.
"""

from typing import Final

from msgspec.structs import replace

from signoff.core.plan.plan import AgentStep, HumanStep, Plan, check_plan, reached
from signoff.core.plan.task_types import (
    Fallback,
    Meaning,
    TaskSpec,
    Trait,
)
from signoff.core.policy.fields import RequestSettings, merge_stricter
from signoff.core.policy.policy import TASK_FIELDS, Policy

ALLOW, GATE, REFUSE = UNLISTED = ("allow", "gate", "refuse")
BECAUSE: Final = "this type of request has no workflow"
_GATE_STEP: Final = "gate"


def under_default_policy(step: HumanStep, policy: Policy, name: str) -> tuple[HumanStep, tuple[str, ...]]:
    """Return the requester's step under the policy ``name``, and warnings for the requester. If the step had a policy
    before (in a repeated request), that policy's fields are dropped, because they are not the requester's.
    """
    repeated, step = bool(step.task.policy), step.without_policy_defaults
    asked = _without_policy(step.task) if repeated else step.task
    outcomes = _with_a_rejection(asked)
    merged = merge_stricter(RequestSettings(replace(asked, outcomes=outcomes), step.deadline), policy)
    deadline = merged.pop("deadline")
    named = () if repeated else _named(asked)
    task = replace(
        asked,
        outcomes=outcomes,
        notify=tuple(dict.fromkeys((*asked.notify, *named))),
        holder="",
        policy=name,
        because=BECAUSE,
        **merged,
    )
    stands = task.fallback is Fallback.EXPIRE
    made = replace(
        step,
        task=task,
        deadline=deadline,
        on_timeout=step.on_timeout if stands else None,
        on_timeout_as=step.on_timeout_as if stands else None,
        from_policy=("deadline",) if deadline is not None and step.deadline is None else (),
    )
    return made, _notes(step.id, name, named, len(outcomes) > len(asked.outcomes))


def _without_policy(spec: TaskSpec) -> TaskSpec:
    """The task without the fields of its former policy. Reminders stay: their origin is unknown."""
    plain = TaskSpec()
    return replace(spec, **{name: getattr(plain, name) for name in TASK_FIELDS if name != "remind"})


def _named(spec: TaskSpec) -> tuple[str, ...]:
    """The people whom the request names to decide, immediately or by escalation."""
    stages = (name for stage in spec.stages for name in stage.approvers)
    return tuple(dict.fromkeys((*stages, *(name for level in spec.escalate for name in level.to))))


def _with_a_rejection(spec: TaskSpec) -> tuple[str, ...]:
    """The outcomes, with the rejection of the task's type if the request left it out."""
    own = [outcome for outcome in spec.type.outcomes if spec.meaning(outcome) is Meaning.REJECTS]
    rejects = bool(spec.outcomes_meaning(Meaning.REJECTS))
    return spec.outcomes if rejects or not own else (*spec.outcomes, own[0])


def _notes(step: str, policy: str, named: tuple[str, ...], no_added: bool) -> tuple[str, ...]:
    found = []
    if named:
        found.append(
            f"step {step!r}: policy {policy} says who decides; {', '.join(named)} "
            f"{'is' if len(named) == 1 else 'are'} notified, and may decide only if it names them"
        )
    if no_added:
        found.append(f"step {step!r}: none of its outcomes rejects, so one was added")
    return tuple(found)


def missing_gate(plan: Plan) -> list[str]:
    """The agent steps that could run before a person has approved, in order."""
    early = reached(
        plan, holds=lambda step: isinstance(step, HumanStep) and Trait.CONSENT in step.task.type.traits
    )
    return [step.id for step in plan.steps if isinstance(step, AgentStep) and step.id in early]


def with_gate(plan: Plan) -> Plan:
    """The plan with an approval before everything else."""
    taken, number, name = set(plan.by_id), 1, _GATE_STEP
    while name in taken:
        number += 1
        name = f"{_GATE_STEP}-{number}"
    gate = HumanStep(id=name, task=TaskSpec(), on_success=plan.entry or plan.steps[0].id)
    return check_plan(replace(plan, steps=(gate, *plan.steps), entry=name, direct=False))
