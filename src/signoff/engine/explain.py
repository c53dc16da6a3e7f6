"""What an open task, or one that a policy would open now, will lead to: who may decide and why, who was asked, has
voted and is next, whom time will contact when, what follows silence. Told by the rules that then do it.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from signoff.core.hours import later
from signoff.core.model import ActorKind, Intent, Requester, Task
from signoff.core.outlook import Contact, ContactKind, outlook
from signoff.core.people import absence_at
from signoff.core.plan import HumanStep, Plan
from signoff.core.policy import applied
from signoff.core.quorum import counts, needed, seat
from signoff.core.standing import asked, requesters_side
from signoff.core.tasks import Sign, Stage, TaskSpec, Vote
from signoff.core.wake import spec_of
from signoff.engine.directory import NamedPolicy, Snapshot
from signoff.engine.staffing import DECIDING_ROLES, barred_from, called, recipients, roster

STEP: Final = "approve"


class Reach(msgspec.Struct, frozen=True):
    """Somebody who may decide: in whose stead ("" for their own), by what names, and whether they have voted."""

    person: str
    instead_of: str
    names: tuple[str, ...]
    why: str
    voted: str = ""


class StageView(msgspec.Struct, frozen=True):
    """One stage: what it takes and how far it is. ``state``: done, open or next."""

    number: int
    state: str
    stage: Stage
    needed: int
    missing: int


class Foretold(msgspec.Struct, frozen=True):
    """A contact to come, with the ids of the people whom it will reach as things stand."""

    contact: Contact
    people: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    spec: TaskSpec
    step: HumanStep
    task: Task
    intent: Intent
    zone: str
    may_decide: list[Reach]
    barred: tuple[str, ...]
    asked: tuple[str, ...]
    stages: list[StageView]
    contacts: list[Foretold]

    @property
    def where(self) -> ZoneInfo:
        """The zone in which its moments are shown."""
        return ZoneInfo(self.zone)


def explain(intent: Intent, task: Task, book: Snapshot, now: datetime) -> Explanation:
    """The explanation of the open task, as things stand at ``now``."""
    spec = spec_of(intent, task)
    step = intent.plan.by_id[task.step]
    if not isinstance(step, HumanStep):
        raise TypeError(f"step {task.step!r} is not a human step")
    barred = barred_from(spec, book, requesters_side(intent))
    contacts = [Foretold(contact, _reached(contact, task, book)) for contact in outlook(intent, task)]
    return Explanation(
        spec=spec,
        step=step,
        task=task,
        intent=intent,
        zone=spec.hours.zone if spec.hours else "UTC",
        may_decide=_reaches(intent, task, book, barred, now),
        barred=tuple(person for person in called(book, tuple(asked(intent, task))) if person in barred),
        asked=recipients(book, task.assigned or spec.stages[task.stage].approvers, now),
        stages=[_stage(number, stage, task, book) for number, stage in enumerate(spec.stages)],
        contacts=contacts,
    )


def _reached(contact: Contact, task: Task, book: Snapshot) -> tuple[str, ...]:
    """Who hears of it: nobody is asked again who has answered this stage, or for whom somebody has."""
    people = recipients(book, contact.to, contact.at)
    if contact.kind is ContactKind.DEADLINE:
        return people
    votes = [vote for vote in task.votes if vote.at_stage == task.stage]
    answered = {vote.person for vote in votes} | {seat(vote) for vote in votes}
    return tuple(person for person in people if person not in answered)


def hypothetical(found: NamedPolicy, book: Snapshot, at: datetime, workspace: str) -> Explanation:
    """The explanation of a task that this policy would open at ``at``, asked for by nobody in particular."""
    bare = HumanStep(
        id=STEP, task=TaskSpec(outcomes=(*TaskSpec().outcomes, found.policy.fallback_outcome or "approved"))
    )
    step = applied(bare, found.policy, found.name, "policy")
    step = replace(step, task=replace(step.task, roster=roster(step.task, book)), on_timeout=None)
    hours = step.task.hours if step.task.deadline_in_hours else None
    task = Task(1, STEP, at, "", deadline_at=later(hours, at, step.deadline) if step.deadline else None)
    intent = Intent(
        id="", workspace=workspace, type="", requester=Requester(ActorKind.SYSTEM, ""), payload_digest="",
        plan_digest="", created_at=at, updated_at=at, plan=Plan((step,)), open=task,
    )  # fmt: skip
    made = explain(intent, task, book, at)
    return replace(made, step=replace(step, on_timeout=found.policy.goto or None))


def _reaches(
    intent: Intent, task: Task, book: Snapshot, barred: frozenset[str], now: datetime
) -> list[Reach]:
    """Everybody who may answer now, their own seat or another's."""
    parties = asked(intent, task)
    spec = spec_of(intent, task)
    found: list[Reach] = []
    handed = {given.giver: given for given in task.handed_over}
    voted = {(v.person, seat(v)): v.outcome for v in task.votes if v.at_stage == task.stage}
    for person_id, known in book.standing.items():
        names = tuple(
            sorted(n for n in known & parties if n not in spec.roster or person_id in spec.roster[n])
        )
        if not names or person_id in barred:
            continue
        if person_id in handed:
            taker, why = handed[person_id].taker, "handed over"
        else:
            found.append(Reach(person_id, "", names, _why(names), voted.get((person_id, person_id), "")))
            absence = absence_at(book.people[person_id].absences, now)
            taker, why = (absence.delegate if absence else ""), "stands in while absent"
        own = book.standing.get(taker, frozenset()) & parties  # their own say comes before anybody else's
        able = taker in book.standing and taker not in barred and (not own or taker in handed)
        if able and (person_id in handed or any(s.person == person_id for s in book.stand_ins(taker, now))):
            found.append(Reach(taker, person_id, names, why, voted.get((taker, person_id), "")))
    return found


def _why(names: tuple[str, ...]) -> str:
    groups = [name for name in names if name.startswith(("team:", "role:"))]
    return "named" if len(groups) < len(names) else ", ".join(groups)


def _stage(number: int, stage: Stage, task: Task, book: Snapshot) -> StageView:
    state = "done" if number < task.stage else "open" if number == task.stage else "next"
    if not stage.approvers:
        stage = replace(stage, approvers=DECIDING_ROLES)
    if number == task.stage and task.assigned:
        stage = replace(stage, approvers=task.assigned)
    yes = {seat(v) for v in task.votes if _counts(v, number, book)}
    takes = needed(stage)
    return StageView(number + 1, state, stage, takes, 0 if state == "done" else max(0, takes - len(yes)))


def _counts(vote: Vote, number: int, book: Snapshot) -> bool:
    return vote.at_stage == number and vote.sign is Sign.POSITIVE and counts(vote, book.standing)
