"""Recognizes a repeated answer: a double click, a client that got no response, a proxy's retry, a duplicated
webhook.

Within an open stage the rules detect the repetition (``core/intent/task_commands.py``). Once the stage is complete or
the task is decided, the history shows whether exactly this answer was counted; if so, it gets the same response as the
first one, and nothing is recorded. The answer has to name the digest and, if the task has several, the stage: an
answer that names less might mean something else by now, so it is refused.
"""

from collections.abc import Sequence
from typing import Final

from signoff.core.directory.actors import Actor
from signoff.core.errors import Invalid
from signoff.core.intent.advance import Change
from signoff.core.intent.commands import Answer
from signoff.core.intent.events import Answered, Fact, TaskOpened
from signoff.core.intent.model import Intent
from signoff.core.plan.answers import canonical_outcome
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Meaning
from signoff.engine.planning.form_answers import coerced

# The error codes of an answer whose stage has ended, for this person or for everyone.
ELSEWHERE: Final = frozenset({"already_decided", "stale_stage", "no_open_task", "not_an_approver"})


def repeat_of(actor: Actor, answer: Answer, intent: Intent, facts: Sequence[Fact]) -> Change | None:
    """Return the response if this person's last answer at that stage was exactly this one, else None."""
    own = [
        (fact, fact.event) for fact in facts if isinstance(fact.event, Answered) and fact.actor.id == actor.id
    ]
    there = [
        (fact, event)
        for fact, event in own
        if event.digest == answer.digest
        and answer.step_run in (0, event.step_run)
        and (step := _step(intent, facts, event.step_run)) is not None
        and answer.stage in (event.stage, None if len(step.task.stages) == 1 else event.stage)
    ]
    step = _step(intent, facts, there[-1][1].step_run) if there else None
    if step is None or not _same(*there[-1], answer, step):
        return None
    return Change(before=intent, after=intent, facts=[], wake_at=None, fresh=False, repeated=True)


def _step(intent: Intent, facts: Sequence[Fact], step_run: int) -> HumanStep | None:
    opened = (fact.event for fact in facts if isinstance(fact.event, TaskOpened))
    found = next((event.step for event in opened if event.step_run == step_run), None)
    return intent.plan.human_step(found) if found is not None else None


def _same(fact: Fact, event: Answered, answer: Answer, step: HumanStep) -> bool:
    if answer.revision not in (None, event.revision) or answer.number not in (None, event.number):
        return False
    try:
        agreed = event.outcome if step.task.meaning(event.outcome) is Meaning.APPROVES else ""
        outcome = canonical_outcome(step.task, answer.outcome, agreed)
    except Invalid:
        return False
    comment = fact.note.comment if fact.note else ""
    data = coerced(step.task, answer.outcome, answer.data, agreed)
    return (outcome, answer.comment) == (event.outcome, comment) and event.data in (answer.data, data)
