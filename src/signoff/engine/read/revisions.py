"""The revisions of what a task decides, and what each changed, for the page and for the API. Pure.

A new revision starts when somebody revises the request, and when people are asked again after requesting changes.
Agents' results belong to the revision that the agents worked on.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from signoff.core.intent import events as e
from signoff.core.intent.model import Intent
from signoff.core.plan.task_types import Meaning
from signoff.core.plan.title_template import filled
from signoff.core.text.json_diff import Leaf, changed_leaves

MOST: Final = 20  # changes that are listed individually; older ones are at /v1/intents/{id}/revisions


class AskedRevision(msgspec.Struct, frozen=True):
    """One revision of the content, and the fact that started it."""

    digest: str
    revision: int
    step_run: int
    fact: e.Fact


class RevisionChange(msgspec.Struct, frozen=True):
    """The change between two revisions: which ones, by whom, and the difference."""

    before: AskedRevision
    after: AskedRevision
    leaves: tuple[Leaf, ...]

    @property
    def by(self) -> str:
        """The person who revised it; "" if people were asked again."""
        fact = self.after.fact
        return fact.actor.id if isinstance(fact.event, e.Revised) else ""

    @property
    def comment(self) -> str:
        note = self.after.fact.note
        return note.comment if note is not None and self.by else ""


class SinceApproved(msgspec.Struct, frozen=True):
    """The difference from the last approved request with the same target; ``target``: its fields and values;
    ``leaves``: empty if nothing differs.
    """

    before: Intent
    target: tuple[tuple[str, str], ...]
    leaves: tuple[Leaf, ...]


def since_approved(declared: Sequence[str], before: Intent, approved: Any, present: Any) -> SinceApproved:
    """``approved``: the payload of the request ``before``; ``present``: the payload of the request to be decided."""
    target = tuple((name, filled(f"{{{name}}}", present)) for name in declared)
    return SinceApproved(before, target, changed_leaves(approved, present))


def asked(facts: Sequence[e.Fact], step: str) -> list[AskedRevision]:
    """Every revision of a step so far, in order."""
    found: list[AskedRevision] = []
    step_runs: set[int] = set()
    for fact in facts:
        match fact.event:
            case e.TaskOpened(step=opened, digest=digest, revision=revision, step_run=step_run) if (
                opened == step
            ):
                step_runs.add(step_run)
                found.append(AskedRevision(digest, revision, step_run, fact))
            case e.Revised(digest=digest, revision=revision, step_run=step_run) if step_run in step_runs:
                found.append(AskedRevision(digest, revision, step_run, fact))
    return found


def changes(
    facts: Sequence[e.Fact], step: str, digest: str, present: Any, old: Mapping[int, Any]
) -> tuple[RevisionChange, ...]:
    """The differences, revision by revision, up to the one with this digest. ``present``: the current payload;
    ``old``: the replaced ones, by the last revision that had each.
    """
    all_asked = asked(facts, step)
    until = next((at for at, one in enumerate(all_asked) if one.digest == digest), -1)
    pairs = list(pairwise(all_asked[: until + 1]))
    return tuple(
        RevisionChange(one, two, difference(facts, step, one, two, present, old))
        for one, two in pairs[-MOST:]
    )


def difference(
    facts: Sequence[e.Fact],
    step: str,
    one: AskedRevision,
    two: AskedRevision,
    present: Any,
    old: Mapping[int, Any],
) -> tuple[Leaf, ...]:
    """What the second revision changed: in the request, and in the results of earlier steps."""
    was, now = (payload_at(which.revision, present, old) for which in (one, two))
    reported, since = (_others(results_before(facts, which.step_run), step) for which in (one, two))
    return (*changed_leaves(was, now), *changed_leaves(reported, since))


def _others(results: Mapping[str, Any], step: str) -> dict[str, Any]:
    return {name: result for name, result in results.items() if name != step}


def payload_at(revision: int, present: Any, old: Mapping[int, Any]) -> Any:
    """The payload that was decided on under a revision."""
    later = [last for last in old if last >= revision]
    return old[min(later)] if later else present


def results_before(facts: Sequence[e.Fact], step_run: int) -> dict[str, Any]:
    """The steps' results when this step run's task opened, which its digest covers."""
    return {step: result for step, (result, _) in reported_before(facts, step_run).items()}


def reported_before(facts: Sequence[e.Fact], step_run: int) -> dict[str, tuple[Any, int]]:
    """The same results, each with its revision. If a fact does not name its revision, the revision is counted from the
    earlier facts.
    """
    found: dict[str, tuple[Any, int]] = {}
    revision = 1
    for fact in facts:
        match fact.event:
            case e.TaskOpened(step_run=opened, revision=number):
                revision = number
                if opened == step_run:
                    return found
            case e.Revised(revision=number):
                revision = number
            case e.Reported(step=step, result=result, fault=fault, retry_at=None) as event:
                report = {"error": fault.message, "code": fault.code} if fault else result
                found[step] = report, event.revision or revision
            case e.Decided(step=step, outcome=outcome, ending=ending, meaning=meaning):
                found[step] = {"outcome": outcome, "ending": ending.value}, revision
                revision += meaning is Meaning.REQUESTS_CHANGES
    return found
