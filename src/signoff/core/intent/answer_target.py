"""The target of an answer: one task, one stage, one revision, one digest. The answer counts there or not at all.

Everything that an answer names must be current when it is counted. What it does not name is unambiguous in these cases:

* the task, if it is the intent's first step: no other task was ever open there;
* the stage, if it is the task's first: no later one has begun;
* the revision, if the request was never revised.

Otherwise the person must have been shown the current state of the task: this step run, this stage, this revision. The
server records what each person was shown. The approvers are not part of the target: an answer that was given before a
reassignment has the same target, and eligibility is checked when it is counted.
"""

from typing import Final

from signoff.core.directory.actors import Actor
from signoff.core.errors import Conflict
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import Answer
from signoff.core.intent.events import AnyEvent, Decided, Revised, StagePassed, TaskOpened
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.plan.task_types import Vote

Target = tuple[int, int, int]
NOT_SHOWN: Final = "not_shown"


def target_of(task: Task) -> Target:
    """The target that a person sees who reads the task now."""
    return task.step_run, task.stage, task.revision


def target_after(before: Target | None, event: AnyEvent) -> Target | None:
    """The target that was shown to a person who has read the events up to this one."""
    match event:
        case TaskOpened(step_run=step_run, revision=revision) | Revised(step_run=step_run, revision=revision):
            return step_run, 0, revision
        case StagePassed(step_run=step_run, stage=stage):
            return step_run, stage, before[2] if before else 1
        case Decided():
            return None
    return before


def refuse_other(intent: Intent, task: Task, answer: Answer) -> None:
    """Raise Conflict unless the answer is for the current state of the task."""
    if answer.revision not in (None, task.revision) or answer.digest not in (None, task.digest):
        raise stale_revision(intent, task)
    if answer.stage not in (None, task.stage):
        raise stale_stage(intent, task)
    if target_of(task) in answer.shown:
        return
    if answer.stage is None and task.stage:
        raise stale_stage(intent, task)
    if not _unambiguous(intent, task, answer):
        raise Conflict(
            NOT_SHOWN,
            "Your answer does not name its target, and you have not been shown the current task.",
            details=_now(intent, task),
            hint="Read the task, then answer; or name task, stage, revision and digest in the answer.",
        )


def _unambiguous(intent: Intent, task: Task, answer: Answer) -> bool:
    """Whether the answer can only be for this task and revision."""
    if answer.digest is not None:
        return True
    revised = intent.revision != 1 + intent.revisions
    return bool(answer.step_run or task.step_run == 1) and (answer.revision is not None or not revised)


def counts_unshown(intent: Intent, answer: Answer) -> bool:
    """Whether the answer can only mean the open task: it has a single stage, and the request was not revised. Such an
    answer counts even if nothing was recorded as shown.
    """
    task = intent.open
    return (
        isinstance(task, Task)
        and answer.step_run in (0, task.step_run)
        and len(spec_of(intent, task).stages) == 1
        and _unambiguous(intent, task, answer)
    )


def names_all(digest: object, stage: object) -> bool:
    """Whether the answer names its whole target. An incomplete one may have been meant for something else."""
    return digest is not None and stage is not None


def stale_revision(intent: Intent, task: Task) -> Conflict:
    return Conflict(
        "stale_revision",
        "What you were shown is no longer what is being decided.",
        details=_now(intent, task),
        hint="Read the task again, then answer.",
    )


def stale_stage(intent: Intent, task: Task) -> Conflict:
    return Conflict(
        "stale_stage",
        f"Stage {task.stage + 1} is open now; your answer was for another stage and was not counted.",
        details=_now(intent, task),
        hint="Read the task again; if this stage asks you too, answer again.",
    )


def _now(intent: Intent, task: Task) -> dict[str, object]:
    ref = step_run_id(intent.id, task.step_run)
    return {"task_id": ref, "stage": task.stage + 1, "revision": task.revision, "digest": task.digest}


def own_vote(actor: Actor, task: Task) -> Vote | None:
    """This person's answer at the current stage, if they gave one."""
    mine = (vote for vote in task.votes if (vote.person, vote.at_stage) == (actor.id, task.stage))
    return next(mine, None)


def given(vote: Vote | None) -> int:
    """How many answers this person has given at this stage."""
    return max(vote.number, 1) if vote else 0


def refuse_ahead(vote: Vote | None, answer: Answer) -> None:
    """Raise Conflict for an answer whose number implies earlier answers that are not recorded."""
    if answer.number is None or answer.number <= given(vote) + 1:
        return
    so_far = {0: "no answer", 1: "one answer"}.get(given(vote), f"{given(vote)} answers")
    raise Conflict(
        "answer_number",
        f"You have given {so_far} at this stage, so this cannot be number {answer.number}.",
        field="number",
        hint="Read the task again; omit the number for a first answer.",
    )


def refuse_replaced(outcome: str, vote: Vote | None, answer: Answer) -> None:
    """Raise Conflict for an answer that the person has already replaced. It may be a late or duplicated copy, so it
    is accepted only if the caller states that it is the person's next answer.
    """
    if vote is None or outcome not in vote.replaced or answer.number == given(vote) + 1:
        return
    raise Conflict(
        "answer_replaced",
        f"You answered {outcome!r} before and have changed it to {vote.outcome!r} since; the later answer counts.",
        details={"outcome": vote.outcome, "number": given(vote)},
        hint=f"If you have changed your mind again, answer with number {given(vote) + 1}, or on the task's page.",
    )
