"""The buttons: what each outcome is called, and what pressing it will do, said before it is pressed. Pure."""

from typing import Final

import msgspec

from signoff.core.model import Intent, Task
from signoff.core.plan import END, AgentStep, DelayStep, HumanStep, NotifyStep, Step
from signoff.core.quorum import missing
from signoff.core.tasks import Sign, sign_of

_LABELS: Final = {
    "approved": "Approve",
    "rejected": "Reject",
    "changes_requested": "Ask for changes",
    "confirmed": "Confirm",
    "denied": "Deny",
    "submitted": "Submit",
    "provided": "Send the answer",
    "declined": "Decline",
    "assigned": "Assign",
    "completed": "Mark as done",
    "failed": "Mark as failed",
    "override_approved": "Allow the exception",
}


class Choice(msgspec.Struct, frozen=True):
    """One button. ``tone``: yes, changes or no; ``effect``: a sentence about what follows."""

    outcome: str
    label: str
    tone: str
    effect: str


def choices(intent: Intent, step: HumanStep, task: Task | None) -> tuple[Choice, ...]:
    """The outcomes that the task allows, the yes first."""
    found = [_choice(outcome, intent, step, task) for outcome in step.task.outcomes]
    return tuple(sorted(found, key=lambda choice: ("yes", "changes", "no").index(choice.tone)))


def label_of(outcome: str) -> str:
    """The word on the button. An outcome of the requester's own making is shown as what it is, an outcome."""
    return _LABELS.get(outcome, f"Answer “{outcome}”")


def _choice(outcome: str, intent: Intent, step: HumanStep, task: Task | None) -> Choice:
    sign = sign_of(outcome, {})
    if sign is Sign.CHANGES:
        return Choice(outcome, label_of(outcome), "changes", _on_changes(intent, step))
    if sign is Sign.POSITIVE:
        return Choice(outcome, label_of(outcome), "yes", _on_yes(intent, step, task))
    return Choice(outcome, label_of(outcome), "no", _on_no(intent, step, task))


def _on_yes(intent: Intent, step: HumanStep, task: Task | None) -> str:
    stages = step.task.stages
    if task is not None:
        left = missing(stages[task.stage], task.stage, task.votes)
        if left > 1:
            return f"Counts as one yes; {left - 1} more will still be needed."
        if task.stage + 1 < len(stages):
            return f"Completes stage {task.stage + 1} of {len(stages)}; then the next stage is asked."
    return _then(intent, intent.plan.after_success(step))


def _on_no(intent: Intent, step: HumanStep, task: Task | None) -> str:
    if task is not None:
        limit = step.task.stages[task.stage].reject_after
        given = {v.person for v in task.votes if v.at_stage == task.stage and v.sign is Sign.NEGATIVE}
        if limit - len(given) > 1:
            return f"Counts as one no; {limit} of them end the request."
    if step.on_failure:
        return _then(intent, step.on_failure)
    return "Ends the request as failed. Nothing further runs, and the requester is told."


def _on_changes(intent: Intent, step: HumanStep) -> str:
    most = intent.plan.max_revisions
    target = intent.plan.after_changes(step)
    if target is None or intent.revisions >= most:
        return "Ends the request as failed: it cannot be revised again."
    return f"Sends it back to step “{target}” with your comment, for revision {intent.revision + 1}."


def _then(intent: Intent, target: str) -> str:
    if target == END:
        return "Completes the request. The requester is told and goes ahead."
    return f"Goes on to step “{target}”: {_does(intent.plan.by_id[target])}."


def _does(step: Step) -> str:
    match step:
        case AgentStep(agent=agent):
            return f"{agent.rpartition('/')[2] or 'an agent'} runs it"
        case HumanStep():
            return "people are asked again"
        case DelayStep():
            return "it waits for a while"
        case NotifyStep():
            return "people are told"
