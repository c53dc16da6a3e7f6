"""The answer buttons: the label of each outcome, and what pressing it does. Pure."""

import msgspec

from signoff.core.intent.answering_rights import stage_now
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.quorum import Count, Names, count, voting_seat
from signoff.core.plan.plan import END, AgentStep, DelayStep, HumanStep, NotifyStep, Route, Step
from signoff.core.plan.task_types import Meaning
from signoff.core.plan.wording import label


class AnswerButton(msgspec.Struct, frozen=True):
    """One button. ``tone``: ``yes``, ``changes`` or ``no``; ``effect``: a sentence about what follows."""

    outcome: str
    label: str
    tone: str
    effect: str


def answer_buttons(
    intent: Intent, step: HumanStep, task: Task | None, names: Names, seat: str = ""
) -> tuple[AnswerButton, ...]:
    """The outcomes that the task allows, the approving one first. ``names``: the current names of all active people;
    ``seat``: whose vote the reader's answer would be. An answer replaces that vote, so it is not counted twice.
    """
    words = step.task.open_to(task.agreed) if task else step.task.outcomes
    found = [_choice(outcome, intent, step, task, names, seat) for outcome in words]
    return tuple(sorted(found, key=lambda choice: ("yes", "changes", "no").index(choice.tone)))


def _choice(
    outcome: str, intent: Intent, step: HumanStep, task: Task | None, names: Names, seat: str
) -> AnswerButton:
    text = label(step.task, outcome)
    so_far = _others_so_far(intent, task, names, outcome, seat) if task else None
    route = intent.plan.after_outcome(step, outcome)
    match step.task.meaning(outcome):
        case Meaning.REQUESTS_CHANGES:
            return AnswerButton(outcome, text, "changes", _on_changes(intent, route))
        case Meaning.APPROVES:
            return AnswerButton(outcome, text, "yes", _on_yes(intent, step, task, so_far, outcome))
        case Meaning.REJECTS:
            return AnswerButton(outcome, text, "no", _on_no(intent, step, task, so_far, route))


def _others_so_far(intent: Intent, task: Task, names: Names, outcome: str, seat: str) -> Count:
    others = tuple(vote for vote in task.votes if vote.at_stage != task.stage or voting_seat(vote) != seat)
    return count(stage_now(intent, task), task.stage, others, names, outcome)


def _on_yes(intent: Intent, step: HumanStep, task: Task | None, so_far: Count | None, outcome: str) -> str:
    stages = step.task.stages
    several = len(step.task.outcomes_meaning(Meaning.APPROVES)) > 1
    if task is not None and so_far is not None:
        if so_far.missing > 1:
            of = " of the same outcome" if several else ""
            verb = "is" if so_far.missing == 2 else "are"
            return f"Counts as one approval{of}; {so_far.missing - 1} more {verb} needed."
        if task.stage + 1 < len(stages):
            return f"Completes stage {task.stage + 1} of {len(stages)}; then the next stage opens."
    target = step.task.outcome(outcome).goto or intent.plan.after_success(step)
    if target == END:
        return "Completes the request. The requester is notified."
    return _then(intent, target)


def _on_no(
    intent: Intent, step: HumanStep, task: Task | None, so_far: Count | None, route: Route | None
) -> str:
    if task is not None and so_far is not None:
        limit = step.task.stages[task.stage].reject_after
        if limit - so_far.rejections > 1:
            return f"Counts as one rejection; {limit} rejections end the task."
    if route is not None and route.target != END:
        ends = "The plan counts this as a success." if route.success else "The request then fails."
        return f"{_then(intent, route.target)} {ends}"
    if route is not None and route.success:
        return "Completes the request, as its plan declares; your rejection is recorded."
    return "Ends the request as failed. No more steps run. The requester is notified."


def _on_changes(intent: Intent, route: Route | None) -> str:
    if route is None or route.target == END:
        return "Ends the request as failed: no earlier step can revise it."
    if intent.revisions >= intent.plan.max_revisions:
        return "Ends the request as failed: the maximum number of revisions is reached."
    return f"Sends it back to step “{route.target}” with your comment, for revision {intent.revision + 1}."


def _then(intent: Intent, target: str) -> str:
    return f"Continues with step “{target}”: {_does(intent.plan.by_id[target])}."


def _does(step: Step) -> str:
    match step:
        case AgentStep(agent=agent):
            return f"{agent.rpartition('/')[2] or 'an agent'} runs it"
        case HumanStep():
            return "people are asked again"
        case DelayStep():
            return "a delay"
        case NotifyStep():
            return "people are notified"
