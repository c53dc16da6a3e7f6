"""The contact schedule of an open task, or of one that a policy would open now: who may decide and why, who was
asked, who has voted, who comes next, who will be contacted when, and what follows expiry. It is computed with the same
rules that are applied later.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind
from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.intent.answering_rights import answer_right, answered_by, asked, requesters_side, stage_now
from signoff.core.intent.eligibility import named
from signoff.core.intent.model import Intent, Requester, Task, spec_of
from signoff.core.intent.notifications import notified_names
from signoff.core.intent.quorum import count, voting_seat
from signoff.core.intent.snoozes import suppressed
from signoff.core.intent.upcoming import ContactKind, ScheduledContact, scheduled_contacts
from signoff.core.intent.wake import began_at
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Stage, TaskSpec
from signoff.core.plan.working_hours import later
from signoff.core.policy.policy import applied
from signoff.engine.directory.eligible_people import (
    addressed,
    asked_on_call,
    asked_times,
    barred_from,
    notify_times,
    people_named,
    pinned_members_of,
    presence,
    still_eligible,
)
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot

STEP: Final = "approve"


class EligiblePerson(msgspec.Struct, frozen=True):
    """A person who may decide: on whose behalf ("" for their own), by which approver names, and whether they have
    voted.
    """

    person: str
    instead_of: str
    names: tuple[str, ...]
    why: str
    voted: str = ""


class StageView(msgspec.Struct, frozen=True):
    """One stage: its requirements and its progress. ``state``: done, open or next."""

    number: int
    state: str
    stage: Stage
    needed: int
    missing: int


class ExpectedContact(msgspec.Struct, frozen=True):
    """A scheduled contact, with the ids of the people whom it will reach in the current state. ``zone``: their time
    zone, if it waits for their working hours.
    """

    contact: ScheduledContact
    people: tuple[str, ...]
    zone: str = ""


class ContactSchedule(msgspec.Struct, frozen=True):
    """``zone``: the time zone in which its times are shown."""

    spec: TaskSpec
    step: HumanStep
    task: Task
    intent: Intent
    zone: str
    may_decide: list[EligiblePerson]
    barred: tuple[str, ...]
    asked: tuple[str, ...]
    stages: list[StageView]
    contacts: list[ExpectedContact]


def explain(intent: Intent, task: Task, directory: Snapshot, now: datetime) -> ContactSchedule:
    """The contact schedule of the open task, as of ``now``."""
    spec = spec_of(intent, task)
    step = intent.plan.human_step(task.step)
    barred = barred_from(spec, directory, requesters_side(intent), intent)
    return ContactSchedule(
        spec=spec,
        step=step,
        task=task,
        intent=intent,
        zone=spec.hours.zone if spec.hours else "UTC",
        may_decide=who_may_decide(intent, task, directory, now),
        barred=tuple(
            person for person in people_named(directory, tuple(asked(intent, task))) if person in barred
        ),
        asked=addressed(intent, task, notified_names(spec, task), directory, now),
        stages=[
            _stage(number, stage_now(intent, task) if number == task.stage else stage, task, directory)
            for number, stage in enumerate(spec.stages)
        ],
        contacts=_expected_contacts(intent, task, directory, now),
    )


def _expected_contacts(
    intent: Intent, task: Task, directory: Snapshot, now: datetime
) -> list[ExpectedContact]:
    """The people whom each contact will reach, and when. People who have answered this stage, or whose delegate has,
    are left out. Messages that wait for the same person's working hours become one.
    """
    answered = answered_by(task)
    found: dict[tuple[str, datetime], ExpectedContact] = {}
    merged: list[ExpectedContact] = []
    asked = _Asked(intent, directory)
    notified: dict[str, None] = {}
    past = _called_for(intent, task)
    for contact in [*past, *scheduled_contacts(intent, task)]:
        if contact.kind is ContactKind.DEADLINE:  # everyone who was notified by then, and the requester
            side = (person for person in sorted(requesters_side(intent)) if person in directory.active_people)
            merged.append(ExpectedContact(contact, tuple(dict.fromkeys((*notified, *side)))))
            continue
        if contact.kind is ContactKind.ESCALATION:  # they may decide from then on
            task = replace(task, escalated=max(task.escalated, contact.number))
        if contact.kind is ContactKind.SNOOZE_OVER:
            able = still_eligible(intent, task, contact.to, directory, contact.at)
            people = tuple(one for one in able if one not in answered)
            merged += [ExpectedContact(contact, people)] if people else []
            continue
        when = notify_times(asked.at(task, contact), intent, task, directory, contact.at)
        silent = {*answered, *_snoozed_by(contact, task, when)}
        if contact in past:  # people who have answered since then were notified too
            notified |= dict.fromkeys(person for person, _ in when)
        notified |= dict.fromkeys(person for person, _ in when if person not in silent)
        at_once = tuple(person for person, at in when if at == contact.at and person not in silent)
        if contact not in past and (at_once or not when):
            merged.append(ExpectedContact(contact, at_once))
        for person, at in when:
            if at > max(contact.at, now) and person not in silent:
                hours = directory.people[person].hours
                later = ExpectedContact(replace(contact, at=at), (person,), hours.zone if hours else "")
                found.setdefault((person, at), later)
    return sorted(
        [*merged, *found.values()], key=lambda one: (one.contact.at, one.contact.kind is ContactKind.DEADLINE)
    )


class _Asked:
    """The people whom a contact asks. Computed once for all times at which the same people are absent and on call."""

    def __init__(self, intent: Intent, directory: Snapshot) -> None:
        self._intent = intent
        self._directory = directory
        self._known: dict[Hashable, tuple[tuple[str, bool], ...]] = {}

    def at(self, task: Task, contact: ScheduledContact) -> tuple[tuple[str, bool], ...]:
        key = (contact.to, task.escalated, presence(self._directory, contact.at))
        if key not in self._known:
            self._known[key] = asked_on_call(self._intent, task, contact.to, self._directory, contact.at)
        return self._known[key]


def _snoozed_by(contact: ScheduledContact, task: Task, when: Sequence[tuple[str, datetime]]) -> set[str]:
    """The people whom it would reach during their snooze."""
    reminder = contact.kind is ContactKind.REMINDER
    return {
        person
        for person, at in when
        if suppressed(task, person, reminder=reminder, called_at=contact.at, notified_at=at)
    }


def delayed_contact(
    intent: Intent, task: Task, directory: Snapshot, person: str, now: datetime
) -> ScheduledContact | None:
    """Contacts that waited for the person's working hours and have not been sent yet."""
    for contact in _called_for(intent, task):
        when = asked_times(intent, task, contact.to, directory, contact.at)
        waited = any(one == person and contact.at < at <= now for one, at in when)
        if waited and person not in _snoozed_by(contact, task, when):
            return contact
    return None


def _called_for(intent: Intent, task: Task) -> list[ScheduledContact]:
    """The contacts of this stage that have been triggered; some may still be waiting for working hours."""
    spec = spec_of(intent, task)
    people = notified_names(spec, task)
    made = [ScheduledContact(ContactKind.OPENING, began_at(task), 1, people)]
    for number, at in enumerate(task.reached_at, 1):
        made.append(ScheduledContact(ContactKind.ESCALATION, at, number, spec.escalate[number - 1].to))
    if task.reminded_at is not None:
        made.append(ScheduledContact(ContactKind.REMINDER, task.reminded_at, task.reminded, people))
    return sorted(made, key=lambda contact: contact.at)


def preview(found: NamedPolicy, directory: Snapshot, at: datetime, workspace: str) -> ContactSchedule:
    """The contact schedule of a task that this policy would open at ``at``, without a particular requester."""
    bare = HumanStep(
        id=STEP, task=TaskSpec(outcomes=(*TaskSpec().outcomes, found.policy.fallback_outcome or "approved"))
    )
    step = applied(bare, found.policy, found.name, "policy")
    step = replace(
        step,
        task=replace(step.task, pinned_members=pinned_members_of(step.task, directory)),
        on_timeout=None,
        on_timeout_as=None,
    )
    hours = step.task.hours if step.task.deadline_in_hours else None
    task = Task(1, STEP, at, "", deadline_at=later(hours, at, step.deadline) if step.deadline else None)
    intent = Intent(
        id="",
        workspace=workspace,
        type="",
        requester=Requester(ActorKind.SYSTEM, ""),
        payload_digest="",
        plan_digest="",
        created_at=at,
        updated_at=at,
        plan=Plan((step,)),
        open=task,
        delegates=directory.membership.delegates(named(step.task), at),
        self_approval=directory.self_approval,
    )
    made = explain(intent, task, directory, at)
    policy = found.policy
    return replace(
        made,
        step=replace(step, on_timeout=policy.goto or None, on_timeout_as=policy.goto_as or None),
    )


def who_may_decide(intent: Intent, task: Task, directory: Snapshot, now: datetime) -> list[EligiblePerson]:
    """Everyone who may answer now, for themselves or as a delegate, by the same rule that is applied to an answer."""
    return list(who_may_decide_of(directory.active_people, intent, task, directory, now))


def who_may_decide_of(
    people: Iterable[str], intent: Intent, task: Task, directory: Snapshot, now: datetime
) -> Iterator[EligiblePerson]:
    """``who_may_decide``, of these people and one at a time: in a large directory, checking everyone takes long."""
    voted = {(v.person, voting_seat(v)): v.outcome for v in task.votes if v.at_stage == task.stage}
    for person in people:
        actor = directory.actor(person, now)
        right = answer_right(actor, intent, task) if actor is not None else None
        if right is None:
            continue
        names, own = tuple(sorted(right.names)), right.principal == person
        delegated = any(
            (one.delegator, one.delegate) == (right.principal, person) for one in task.delegations
        )
        why = _why(names) if own else "handed over" if delegated else "is the delegate while absent"
        instead_of = "" if own else right.principal
        yield EligiblePerson(person, instead_of, names, why, voted.get((person, right.principal), ""))


def _why(names: tuple[str, ...]) -> str:
    groups = [name for name in names if name.startswith(("team:", "role:"))]
    return "named" if len(groups) < len(names) else ", ".join(groups)


def _stage(number: int, stage: Stage, task: Task, directory: Snapshot) -> StageView:
    state = "done" if number < task.stage else "open" if number == task.stage else "next"
    if not stage.approvers:
        stage = replace(stage, approvers=DECIDING_ROLES)
    missing = count(stage, number, task.votes, directory.active_people).missing
    return StageView(number + 1, state, stage, stage.votes_needed, 0 if state == "done" else missing)
