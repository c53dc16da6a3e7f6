"""A change to the request that its editor also approves, if the policy says ``edits: approve``.

Values may change, but not fields, because the author of the workflow chose those. Any other change is a proposal, which
others decide.
"""

from typing import Any, Final

from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent.answer_target import stale_stage
from signoff.core.intent.bulk_answers import shape
from signoff.core.intent.commands import Answer, Revise
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.plan.answers import canonical_outcome, meaning_of_answer
from signoff.core.plan.task_types import Edits, Meaning

_PROPOSE: Final = "Propose the change instead, without an outcome; somebody else then decides."


def refuse(intent: Intent, task: Task, command: Revise) -> None:
    """Raise unless the editor may approve this change while making it."""
    spec = spec_of(intent, task)
    if spec.edits is not Edits.APPROVE:
        raise Forbidden(
            "edit_not_approvable",
            "The policy of this task lets people propose a change, not approve their own.",
            hint=_PROPOSE,
        )
    if command.digest is None:
        raise Invalid(
            "digest_required",
            "An edit that is approved in the same step must name the digest of what was shown.",
            field="digest",
            hint="Read the task, then send its digest.",
        )
    if command.stage not in (None, task.stage):
        raise stale_stage(intent, task)
    if task.stage:
        raise Conflict(
            "edit_restarts",
            "A change starts again at the first stage, so it cannot be approved at a later one.",
            hint=_PROPOSE,
        )
    if not command.same_fields:
        raise Invalid(
            "edit_changes_fields",
            "An edit that is approved in the same step may change values, but not fields or their types.",
            field="payload",
            hint=_PROPOSE,
        )
    outcome = canonical_outcome(spec, command.outcome, task.agreed)
    if meaning_of_answer(spec, outcome, command.data) is not Meaning.APPROVES:
        raise Invalid(
            "edit_not_approved",
            f"{command.outcome!r} does not approve, so the change would have no effect.",
            field="outcome",
            hint="Answer without a change, or propose the change without an outcome.",
        )


def same_fields(before: Any, after: Any) -> bool:
    """Whether two payloads have the same fields, with values of the same kinds."""
    return shape(before) == shape(after)


def answer_to(command: Revise, task: Task, revision: int, digest: str) -> Answer:
    """The editor's answer to the changed request."""
    return Answer(
        command.outcome,
        task.step_run,
        command.comment,
        command.data,
        stage=0,
        revision=revision,
        digest=digest,
        active_people=command.active_people,
        viewed=command.viewed,
    )
