"""The state of an open task, as facts in a message: the stage, the votes, why the reader is asked, and who else is
asked. Pure, except for a small cache: many messages about one event involve the same approvers.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from signoff.core.intent.answering_rights import answered_by, later_stages, stage_now
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.quorum import count, counts_toward_quorum, voting_seat
from signoff.core.plan.task_types import Meaning, TaskSpec, Trait
from signoff.core.plan.wording import later_stages_text, outcome_text
from signoff.engine.directory.contact_schedule import EligiblePerson, who_may_decide
from signoff.engine.directory.snapshot import Snapshot

Fact = tuple[str, str]
_MOST_NAMED: Final = 3
_MOST_VOTES: Final = 5
_REMEMBERED: Final = 64


class Approvers:
    """Who may decide a task now; computed once for each state of the task, and again after a minute (absences begin
    and end).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], tuple[Snapshot, Sequence[EligiblePerson]]] = {}

    def of(self, intent: Intent, task: Task, directory: Snapshot, now: datetime) -> Sequence[EligiblePerson]:
        key = (intent.id, intent.seq, int(now.timestamp()) // 60)
        found = self._known.get(key)
        if found is None or found[0] is not directory:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = (directory, who_may_decide(intent, task, directory, now))
        return found[1]


def asks_still(task: Task, person: str, able: Sequence[EligiblePerson]) -> bool:
    """Whether the task waits for this person's answer."""
    return person not in answered_by(task) and any(one.person == person for one in able)


def open_task_facts(
    intent: Intent,
    task: Task,
    directory: Snapshot,
    person: str,
    able: Sequence[EligiblePerson],
    now: datetime,
) -> Iterator[Fact]:
    """What the others have done and may do, and why ``person`` is asked."""
    spec = spec_of(intent, task)
    if len(spec.stages) > 1:
        actor = directory.actor(person, now)
        later = later_stages(actor, intent, task) if actor is not None else ()
        too = f"; {later_stages_text(later).lower()} you too" if later else ""
        yield "Stage", f"{task.stage + 1} of {len(spec.stages)}{too}"
    yield from _votes(intent, task, spec, directory)
    own = next((one for one in able if one.person == person), None)
    if own is not None:
        yield "Why you", _why(own, directory)
    answered = answered_by(task)
    others = [one.person for one in able if one.person != person and one.person not in answered]
    if others:
        named = [directory.display(one) for one in others[:_MOST_NAMED]]
        more = len(others) - len(named)
        yield (
            "Also asked" if own else "Still asked",
            ", ".join(named) + (f" and {more:,} more" if more else ""),
        )
    if task.reviewed_by:
        yield (
            "Being reviewed by",
            "you" if task.reviewed_by == person else directory.display(task.reviewed_by),
        )


def _votes(intent: Intent, task: Task, spec: TaskSpec, directory: Snapshot) -> Iterator[Fact]:
    stage = stage_now(intent, task)
    here = [vote for vote in task.votes if vote.at_stage == task.stage]
    seats = {voting_seat(vote): vote for vote in here if counts_toward_quorum(vote, directory.active_people)}
    need = stage.votes_needed
    if need == 1 and not seats:
        return
    done = need - min(need, count(stage, task.stage, task.votes, directory.active_people).missing)
    what = "Answers" if Trait.INPUT in spec.type.traits else "Approvals"
    answers = [
        f"{directory.display(vote.person)}"
        f"{f' for {directory.display(seat)}' if seat != vote.person else ''}: {outcome_text(spec, vote.outcome)}"
        for seat, vote in list(seats.items())[-_MOST_VOTES:]
    ]
    yield what, f"{done} of {need}" + (f" ({'; '.join(answers)})" if answers else "")
    if stage.reject_after > 1:
        no = sum(vote.meaning is Meaning.REJECTS for vote in seats.values())
        yield "Rejections", f"{no} of {stage.reject_after}"


def _why(own: EligiblePerson, directory: Snapshot) -> str:
    if own.instead_of:
        return f"delegate of {directory.display(own.instead_of)}"
    teams = [name.partition(":")[2] for name in own.names if name.startswith("team:")]
    roles = [name.partition(":")[2] for name in own.names if name.startswith("role:")]
    if len(teams) + len(roles) < len(own.names):
        return "asked by name"
    if teams:
        return f"member of the team {' and '.join(teams)}"
    return f"role {' and '.join(roles)}"
