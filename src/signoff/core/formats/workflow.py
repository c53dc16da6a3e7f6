"""Our own workflow template, compiled into a plan. A template decides what runs and who must approve, so nothing in it
is guessed: an unknown, misplaced or ineffective field is refused by name.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from signoff.core.directory import agent_address
from signoff.core.directory.approver_names import Approvers
from signoff.core.errors import Invalid
from signoff.core.plan import task_reader
from signoff.core.plan.ineffective import refuse_ineffective, revisable
from signoff.core.plan.outcomes_reader import OutcomeSource, listed_outcomes, read_outcomes
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
)
from signoff.core.plan.policy_choice import ChoiceSource, PolicyChoice, read_choices
from signoff.core.plan.target import MOST, read_target
from signoff.core.plan.task_types import Outcome, Stage, TaskSpec, TaskType, Trait
from signoff.core.policy.fields import read_policy
from signoff.core.policy.policy import (
    Escalate,
    People,
    Policy,
    PolicySource,
    Remind,
    RouteField,
    applied,
    refuse_too_late,
)
from signoff.core.text.document_reader import Fields, document
from signoff.core.text.struct_reader import DocumentStruct, Name, Prose, fields_of, read_struct, reads

_INTENT_TYPE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
# The fields that a policy sets, and their paths. With a policy they would be set twice; without one, only the first
# four apply.
_SIMPLE: Final = ("approvers", "need", "remind", "escalate")
_POLICY: Final = (
    "approve", "stages", "reject_after", "self_approval", "on_timeout", "hours", "strength", "risk", "policies",
)  # fmt: skip
_Address = Annotated[str, Meta(max_length=agent_address.LONGEST)]
_Addresses = Annotated[tuple[_Address, ...], Meta(max_length=20)]
_TITLE: Final = (
    "The question. {amount} and {customer.name} stand for values of the payload; {{ and }} are braces."
)
_Target = Annotated[tuple[str, ...], Meta(max_length=MOST)]
_StepName = Annotated[str, Meta(max_length=100)]


class WorkflowTemplate(msgspec.Struct, frozen=True):
    """A compiled template. Agents' addresses are as written; they are resolved when a request is submitted."""

    name: str
    intent_type: str
    plan: Plan


def compile_workflow(source: object, *, kept: bool = False) -> WorkflowTemplate:
    """Compile a template, a dict as decoded from JSON; raises Invalid with the field and a hint. ``kept``: as in
    ``document``.
    """
    fields = document(source, kept=kept)
    workflow = read_struct(WorkflowSource, fields)
    plan = Plan(
        steps=workflow.steps, source="workflow", max_revisions=workflow.max_revisions, target=workflow.target
    )
    check_plan(plan)
    if not kept:
        refuse_ineffective(plan)
    if workflow.target and not plan.tasks:
        fields.refuse_idle("target", "nobody decides", "Remove it, or add a human step.")
    if not revisable(plan):
        hint = "Use type: review, or an outcome that means: changes."
        fields.refuse_idle("max_revisions", "nobody can request changes", hint)
    return WorkflowTemplate(workflow.name, workflow.intent_type, plan)


# -- the steps as written, by kind


class _StepSource(DocumentStruct, frozen=True, kw_only=True):
    id: Name
    on_success: _StepName | None = None


class _WorkSource(_StepSource, frozen=True, kw_only=True):
    """Fields of steps that may fail or time out."""

    deadline: timedelta | None = None
    on_failure: RouteField | None = None
    on_timeout: RouteField | None = None

    @property
    def ways_out(self) -> dict[str, Any]:
        """The routes of the step. Only a route after a failure or expiry can be declared a success."""
        found: dict[str, Any] = {}
        for name, route in (("on_failure", self.on_failure), ("on_timeout", self.on_timeout)):
            found |= {name: route.goto, f"{name}_as": route.counts_as} if route else {}
        return {"id": self.id, "on_success": self.on_success, "deadline": self.deadline, **found}


class RetrySource(DocumentStruct, frozen=True, kw_only=True):
    max: Annotated[int, Meta(ge=0, le=100)]
    delay: timedelta | None = None

    def check(self, fields: Fields) -> None:
        if self.max == 0:
            fields.refuse_idle("delay", "nothing is retried", "Set max, or omit delay.")


def _read_agent(fields: Fields, name: str) -> str:
    return agent_address.written(fields.need(name, longest=agent_address.LONGEST), fields.at(name))


class AgentStepSource(_WorkSource, frozen=True, kw_only=True):
    agent: Annotated[str, reads(_read_agent, _Address)]
    input: dict[str, Any] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=1000)] | None = None
    retry: RetrySource | None = None

    def compiled(self, fields: Fields) -> AgentStep:
        options: dict[str, Any] = {
            "max_retries": self.retry.max if self.retry else UNSAID,
            "retry_delay": self.retry.delay if self.retry else None,
            "max_attempts": self.max_attempts,
        }
        options = {name: value for name, value in options.items() if value is not None}
        return AgentStep(**self.ways_out, agent=self.agent, input=self.input, **options)


def _read_policy(fields: Fields, name: str) -> str | Policy | tuple[PolicyChoice, ...]:
    """Read a policy's name, the step's own policy, or several policies to choose from."""
    if isinstance(fields.value[name], dict):
        return read_policy(fields.need_inner(name))
    return read_choices(fields, name) if isinstance(fields.value[name], list) else fields.name(name)


class HumanSource(DocumentStruct, frozen=True, kw_only=True):
    type: TaskType = TaskType.APPROVAL
    title: Annotated[str, reads(Fields.text, Annotated[str, Meta(description=_TITLE)])] = ""
    description: Prose = ""
    approvers: Approvers = ()
    need: People = 1
    outcomes: Annotated[tuple[Outcome, ...], reads(read_outcomes, tuple[str | OutcomeSource, ...])] = ()
    comment_required: bool | None = None
    evidence_required: bool | None = None
    form: dict[str, Any] | None = None
    notify: _Addresses = ()
    remind: Remind | None = None
    escalate: Escalate = ()
    policy: Annotated[Any, reads(_read_policy, Name | PolicySource | tuple[ChoiceSource, ...])] = ""

    def task(self, fields: Fields) -> TaskSpec:
        outcomes, own = listed_outcomes(fields, self.outcomes, self.type)
        comment, evidence = self.comment_required, self.evidence_required
        return TaskSpec(
            type=self.type,
            title=task_reader.template(fields, self.type),
            description=self.description,
            outcomes=outcomes,
            own=own,
            comment_required=Trait.COMMENT in self.type.traits if comment is None else comment,
            evidence_required=Trait.EVIDENCE in self.type.traits if evidence is None else evidence,
            form=task_reader.asked_form(fields, "form", self.type),
            stages=(Stage(self.approvers, self.need),),
            notify=self.notify,
            remind=self.remind,
            escalate=self.escalate,
            policy=self.policy if isinstance(self.policy, str) else "",
        )


def _read_human(fields: Fields, name: str) -> HumanSource:
    human = fields.need_inner(name)
    for field_name in human.value:
        if field_name in _SIMPLE and human.has(field_name) and human.has("policy"):
            hint = "Set it in the policy, or remove the policy."
            raise human.invalid(
                field_name,
                "cannot be combined with a policy, which sets it",
                hint=hint,
                code="conflicts_with_policy",
            )
        if field_name in _POLICY:
            hint = (
                "Write policy: {approve: [{any: [team:dba]}], ...}, or policy: NAME of one that was applied."
            )
            raise human.invalid(field_name, "is set in the policy", hint=hint, code="unknown_field")
    return read_struct(HumanSource, human)


class HumanStepSource(_WorkSource, frozen=True, kw_only=True):
    human: Annotated[HumanSource, reads(_read_human, HumanSource)]
    on_changes: _StepName | None = None

    def compiled(self, fields: Fields) -> HumanStep:
        """Compile the step. A policy of its own is applied now; a named one, or one of several, is applied once the
        payload is known.
        """
        human, policy = fields.need_inner("human"), self.human.policy
        refuse_too_late(human, self.human.remind, self.human.escalate, self.deadline)
        made = HumanStep(**self.ways_out, on_changes=self.on_changes, task=self.human.task(human))
        if isinstance(policy, Policy):
            return applied(made, policy, "", human.at("policy"))
        return replace(made, choices=policy) if isinstance(policy, tuple) else made


class DelayStepSource(_StepSource, frozen=True, kw_only=True):
    delay: timedelta

    def compiled(self, fields: Fields) -> DelayStep:
        return DelayStep(id=self.id, on_success=self.on_success, lasts=self.delay)


class NotifySource(DocumentStruct, frozen=True, kw_only=True):
    to: _Addresses
    message: Prose

    def check(self, fields: Fields) -> None:
        task_reader.refuse_placeholders(fields, self.message)


class NotifyStepSource(_StepSource, frozen=True, kw_only=True):
    notify: NotifySource

    def compiled(self, fields: Fields) -> NotifyStep:
        return NotifyStep(
            id=self.id, on_success=self.on_success, to=self.notify.to, message=self.notify.message
        )


StepSource = AgentStepSource | HumanStepSource | DelayStepSource | NotifyStepSource
_KINDS: Final[dict[str, type[StepSource]]] = {
    "agent": AgentStepSource,
    "human": HumanStepSource,
    "delay": DelayStepSource,
    "notify": NotifyStepSource,
}


def _read_steps(fields: Fields, name: str) -> tuple[Step, ...]:
    steps = [fields.item(name, index, step) for index, step in enumerate(fields.each(name, most=MAX_STEPS))]
    if not steps:
        raise fields.invalid(name, "a workflow needs at least one step", code="missing_field")
    return tuple(map(_read_step, steps))


def _read_step(step: Fields) -> Step:
    step_id = step.name("id")
    if not step_id:
        raise step.invalid("id", "is required", code="missing_field")
    if step_id == END:
        raise step.invalid("id", f"{END!r} means the end of a workflow, not a step", code="invalid_step_id")
    step = step.moved(f"steps.{step_id}")
    kinds = [kind for kind in _KINDS if step.has(kind)]
    if len(kinds) != 1:
        problem = "names " + " and ".join(kinds) if kinds else "has no agent, human, delay or notify"
        hint = "Set exactly one of agent, human, delay, notify."
        raise Invalid("invalid_step", f"{step.path}: {problem}.", field=step.path, hint=hint)
    [kind] = kinds
    for name in step.value:
        homes = [other for other, source in _KINDS.items() if name in fields_of(source)]
        if homes and kind not in homes:
            hint = f"It belongs to {' and '.join(homes)} steps."
            problem = f"has no effect on a step of kind {kind}"
            raise step.invalid(name, problem, hint=hint, code="unknown_field")
    return read_struct(_KINDS[kind], step).compiled(step)


def _read_intent_type(fields: Fields, name: str) -> str:
    intent_type = fields.text(name)
    if intent_type and not _INTENT_TYPE.fullmatch(intent_type):
        raise fields.invalid(name, f"{intent_type!r} may only contain letters, digits, '_', '.' and '-'")
    return intent_type


class WorkflowSource(DocumentStruct, frozen=True, kw_only=True):
    """A workflow as written."""

    name: Name = msgspec.field(name="workflow")
    intent_type: Annotated[str, reads(_read_intent_type, Annotated[str, Meta(pattern=_INTENT_TYPE.pattern)])]
    max_revisions: Annotated[int, Meta(ge=0, le=100)] = 5
    target: Annotated[tuple[str, ...], reads(read_target, str | _Target)] = ()
    steps: Annotated[
        tuple[Step, ...], reads(_read_steps, Annotated[tuple[StepSource, ...], Meta(max_length=MAX_STEPS)])
    ]
