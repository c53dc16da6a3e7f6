"""Reports fields of a finished plan that can never have an effect, so that nobody relies on them.

A step that names its policy may get missing fields from it, so it is checked after the policy is applied. A field
that another field of the same document makes ineffective is refused when it is read (``Fields.refuse_idle``):
only then is it known which fields are present, including those that equal their default.
"""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from signoff.core.errors import Invalid
from signoff.core.plan.plan import AgentStep, HumanStep, Plan
from signoff.core.plan.schedules import Reminders
from signoff.core.plan.task_types import Escalation, Meaning
from signoff.core.plan.working_hours import Hours


class Ineffective(msgspec.Struct, frozen=True):
    """A field that has no effect, why, and what to do about it."""

    field: str
    problem: str
    hint: str

    @property
    def refusal(self) -> Invalid:
        message = f"{self.field}: has no effect, because {self.problem}."
        return Invalid("no_effect", message, field=self.field, hint=self.hint)


def ineffective(plan: Plan) -> Iterator[Ineffective]:
    """All fields without effect, in the order of the steps."""
    for step in plan.steps:
        path = f"steps.{step.id}"
        if isinstance(step, HumanStep):
            yield from _of_people(step, path)
        elif isinstance(step, AgentStep) and step.on_timeout and step.deadline is None:
            yield _never_late(path)


def _of_people(step: HumanStep, path: str) -> Iterator[Ineffective]:
    task = step.task
    if step.on_changes and not _changes(step):
        yield Ineffective(
            f"{path}.on_changes",
            "no outcome of this task requests changes",
            "Use type: review, or an outcome that means: changes.",
        )
    if step.choices or (task.policy and "@" not in task.policy):
        return  # its policy is not known yet
    if step.on_timeout and step.deadline is None:
        yield _never_late(path)
    yield from of_rules(
        f"{path}.human",
        task.remind,
        task.escalate,
        task.hours,
        deadline=step.deadline,
        in_hours=task.deadline_in_hours,
    )


def refuse_ineffective(*plans: Plan) -> None:
    """Raise Invalid for the first field without effect. If the plans are variants, a field must have an effect in at
    least one of them.
    """
    first, *others = (list(ineffective(plan)) for plan in plans)
    for one in first:
        if all(any(one.field == other.field for other in found) for found in others):
            raise one.refusal


def of_rules(
    path: str,
    remind: Reminders | None,
    escalate: tuple[Escalation, ...],
    hours: Hours | None,
    *,
    deadline: timedelta | None,
    in_hours: bool,
) -> Iterator[Ineffective]:
    """The fields about time, of a policy or of a step without one, that have no effect."""
    at = f"{path}." if path else ""
    if hours is None:
        return
    if in_hours and deadline is None:
        yield Ineffective(f"{at}hours.deadline", "there is no deadline", "Add deadline: 8h, or omit it.")
    elif remind is None and not escalate and not in_hours:
        yield Ineffective(
            f"{at}hours",
            "there are no reminders, no escalation and no deadline in working hours",
            "Add remind, escalate or hours: {deadline: true}; or omit the hours.",
        )


def revisable(plan: Plan) -> bool:
    """Whether somebody can request changes."""
    return any(isinstance(step, HumanStep) and _changes(step) for step in plan.steps)


def _changes(step: HumanStep) -> bool:
    return bool(step.task.outcomes_meaning(Meaning.REQUESTS_CHANGES))


def _never_late(path: str) -> Ineffective:
    return Ineffective(f"{path}.on_timeout", "the step has no deadline", "Add deadline: 8h, or omit it.")
