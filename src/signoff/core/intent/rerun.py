"""Reruns of a step that failed after an approval, once, under the same decision: which intents qualify, and where
they start.

The decision was for one payload and one plan, which its digest covers. Both are the same in the new intent, whose
history names the intent, the fact and the digest that it relies on. In all other cases people are asked again.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from signoff.core.errors import Conflict
from signoff.core.ids import new_intent_id
from signoff.core.intent import decision_digest
from signoff.core.intent import events as e
from signoff.core.intent.evolve import fold
from signoff.core.intent.model import Intent, Status
from signoff.core.plan.task_types import Ending, Meaning

ASK_AGAIN = "Ask people again with signoff intents retry."


def refused(code: str, why: str) -> Conflict:
    return Conflict(code, why, hint=ASK_AGAIN)


def too_old() -> Conflict:
    return refused("decision_too_old", "The decision is too old for a rerun.")


def rerun_id(source: Intent) -> str:
    """The only id that a rerun of this intent can have, so that there cannot be a second rerun."""
    millis = int(source.updated_at.timestamp() * 1000)
    return new_intent_id(millis, sha256(b"signoff/rerun/" + source.id.encode()).digest()[:10])


def rerun_start(
    source: Intent, facts: Sequence[e.Fact], payload_digest: str, now: datetime
) -> e.RerunStarted:
    """Where a rerun of an intent starts, computed from its whole history; raises Conflict if it may not be rerun."""
    if source.status is not Status.FAILED:
        raise Conflict(
            "not_rerunnable", f"The intent is {source.status.value}: only a failed intent can be rerun."
        )
    if source.rerun_of:
        raise refused(
            "decision_used", "This intent is itself a rerun, so its decision has already been used twice."
        )
    if source.deadline_at is not None and source.deadline_at <= now:
        raise refused("deadline_passed", "The deadline of the request has passed.")
    failed, place = _failed_step(facts)
    if source.generation:
        raise refused("policy_changed", "Its controls, grants or envelope were changed while it ran.")
    decided = next((fact for fact in reversed(facts[:place]) if isinstance(fact.event, e.Decided)), None)
    event = decided.event if decided else None
    if decided is None or not isinstance(event, e.Decided):
        raise refused("not_rerunnable", "No one had approved before it failed.")
    if event.meaning is not Meaning.APPROVES or event.ending is not Ending.APPROVED:
        raise refused(
            "not_rerunnable",
            f"The last decision before it failed was not a person's approval: {event.ending.value}.",
        )
    if fold(facts[:place], source.plan).setback is not None:
        raise refused("not_rerunnable", "Another step had failed before the last one.")
    before = fold(facts[: decided.seq - 1], source.plan)
    digest = _shown(facts, event.step_run)
    if not decision_digest.names(digest, before, event.step, event.step_run, before.revision, payload_digest):
        raise refused("digest_mismatch", "What would run is not what was decided.")
    results = {step: result for step, result in source.results.items() if step != failed}
    return e.RerunStarted(
        source=source.id,
        seq=decided.seq,
        step=event.step,
        step_run=event.step_run,
        digest=digest,
        outcome=event.outcome,
        decided_at=decided.at,
        start=failed,
        results=results,
        revision=source.revision,
    )


def _failed_step(facts: Sequence[e.Fact]) -> tuple[str, int]:
    """Return the agent step whose failure ended the intent, and the position of that fact. If anything but notify
    steps has run since then, the decision no longer applies.
    """
    steps = {fact.event.step_run: fact.event.step for fact in facts if isinstance(fact.event, e.Offered)}
    for place in range(len(facts) - 1, -1, -1):
        match facts[place].event:
            case e.Failed() | e.Notified() | e.ControlsPatched():
                continue
            case e.Reported(step_run=step_run, fault=fault, retry_at=None) if (
                fault is not None and step_run in steps
            ):
                return steps[step_run], place
            case e.AttemptFailed(step_run=step_run, retry_at=None) | e.StepTimedOut(step_run=step_run) if (
                step_run in steps
            ):
                return steps[step_run], place
        break
    raise refused("not_rerunnable", "It did not end with a failed agent step.")


def _shown(facts: Sequence[e.Fact], step_run: int) -> str:
    """The digest under which a task was decided."""
    found = ""
    for fact in facts:
        if isinstance(fact.event, e.TaskOpened | e.Revised) and fact.event.step_run == step_run:
            found = fact.event.digest
    return found
