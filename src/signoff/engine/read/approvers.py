"""Why this reader is asked, the other approvers, the status of their messages, and the scheduled contacts. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.intent.answering_rights import answer_right, asked, later_stages, stage_now
from signoff.core.intent.model import Task
from signoff.core.intent.notifications import ASKING
from signoff.core.intent.quorum import count
from signoff.core.intent.upcoming import ContactKind
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Trait
from signoff.core.plan.wording import from_workflow, later_stages_text, outcome_text
from signoff.core.policy.fields import stage_text
from signoff.engine.directory.contact_schedule import (
    ContactSchedule,
    EligiblePerson,
    ExpectedContact,
    explain,
)
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.policy_text import PolicyNames
from signoff.engine.read.task_context import TaskContext
from signoff.notify.registry import label_of
from signoff.store.tables.messages import FAILED, SENT, WAITING, Message

_SHOWN_CONTACTS: Final = 6


_NAMED: Final = 3  # people, in one line of the schedule


class UpcomingContact(msgspec.Struct, frozen=True):
    """A scheduled contact, which happens unless the task is decided first."""

    at: datetime
    text: str


class ApproverLine(msgspec.Struct, frozen=True):
    """A person who may decide now: why, the status of their messages, and their vote."""

    name: str
    why: str
    contacted: str
    unreached: bool
    voted: str


class StageLine(msgspec.Struct, frozen=True):
    """One stage: done, open or next."""

    number: int
    state: str
    text: str
    missing: int


class ApproverOverview(msgspec.Struct, frozen=True):
    """seats: who may answer now. next: the scheduled contacts, in order; ``omitted`` more are not listed. missing: how
    many votes this stage still needs.
    """

    seats: tuple[ApproverLine, ...] = ()
    levels: tuple[StageLine, ...] = ()
    next: tuple[UpcomingContact, ...] = ()
    omitted: int = 0
    needed: int = 1
    missing: int = 1
    reviewed_by: str = ""


def reasons(known: TaskContext, step: HumanStep) -> tuple[str, ...]:
    """Why the reader is asked: the policy, and how it includes the reader."""
    intent = known.intent
    if from_workflow(intent.plan):
        version = next((w for w in known.directory.workflows.values() if w.intent_type == intent.type), None)
        name = f"“{version.name}”" if version else "of this type"
        found = [
            f"The workflow {name} asks for a decision on every request of this type at step “{step.id}”."
        ]
    elif step.task.policy:
        found = [f"The default policy of this workspace says who decides at step “{step.id}”."]
    elif intent.plan.source == "scenario":
        found = [f"The scenario bundle of the request asks at step “{step.id}”."]
    else:
        found = ["The requester asked for a person's decision; this type has no workflow."]
    if step.task.policy:
        name, _, version_ = step.task.policy.partition("@")
        because = f", because {step.task.because}" if step.task.because else ""
        found.append(
            f"The policy is “{name}”" + (f", version {version_}" if version_ else "") + f"{because}."
        )
    task = known.task
    if task is not None:
        found.append(_part(known.reader, known, task))
        found.append(_quorum(known, step, task))
        if later := later_stages(known.reader, known.intent, task):
            found.append(f"{later_stages_text(later)} you too, as things stand.")
    return tuple(text for text in found if text)


def _part(reader: Actor, known: TaskContext, task: Task) -> str:
    right = answer_right(reader, known.intent, task)
    if right is None:
        return ""
    if right.principal != reader.id:
        return f"You are the delegate of {known.directory.display(right.principal)}."
    own = sorted(right.names & asked(known.intent, task))
    roles = [name.partition(":")[2] for name in own if name.startswith("role:")]
    teams = [name.partition(":")[2] for name in own if name.startswith("team:")]
    named = [name for name in own if not name.startswith(("role:", "team:"))]
    if named:
        return "You are named as an approver."
    if teams:
        return f"You may decide as a member of the team {' and '.join(teams)}."
    return f"You may decide as {' and '.join(roles)} of this workspace." if roles else ""


def _quorum(known: TaskContext, step: HumanStep, task: Task) -> str:
    stage = stage_now(known.intent, task)
    need = stage.votes_needed
    place = (
        f"This is stage {task.stage + 1} of {len(step.task.stages)}. " if len(step.task.stages) > 1 else ""
    )
    if need == 1 and place:
        return place + "One approval completes it."
    if need == 1:
        one = "One answer is enough." if Trait.INPUT in step.task.type.traits else "One approval decides."
        return one if len(stage.approvers) != 1 else "Your answer alone decides."
    left = count(stage, task.stage, task.votes, known.directory.active_people).missing
    return (
        f"{place}{need} different people must approve; {left} {'is' if left == 1 else 'are'} still missing."
    )


def approver_overview(known: TaskContext) -> ApproverOverview:
    """The other approvers; empty once the task is closed."""
    task, directory = known.task, known.directory
    if task is None:
        return ApproverOverview(missing=0)
    by_person: dict[str, list[Message]] = {}
    for message in known.messages:
        if message.state in (WAITING, SENT, FAILED) and message.kind in ASKING:
            by_person.setdefault(message.person, []).append(message)
    made = explain(known.intent, task, directory, known.now)
    stage = stage_now(known.intent, task)
    shown, omitted = soon(made.contacts)
    return ApproverOverview(
        seats=tuple(_seat(reach, known, by_person.get(reach.person, [])) for reach in made.may_decide),
        levels=tuple(
            StageLine(view.number, view.state, stage_text(view.stage, PolicyNames(directory)), view.missing)
            for view in made.stages
        ),
        next=tuple(
            UpcomingContact(expected.contact.at, contact_text(expected, made, directory, known.reader.id))
            for expected in shown
        ),
        omitted=omitted,
        needed=stage.votes_needed,
        missing=count(stage, task.stage, task.votes, directory.active_people).missing,
        reviewed_by=directory.display(task.reviewed_by) if task.reviewed_by else "",
    )


def _seat(reach: EligiblePerson, known: TaskContext, messages: Sequence[Message]) -> ApproverLine:
    directory = known.directory
    name = "you" if reach.person == known.reader.id else directory.display(reach.person)
    why = f"for {directory.display(reach.instead_of)}, {reach.why}" if reach.instead_of else reach.why
    return ApproverLine(
        name,
        why.replace("team:", "team ").replace("role:", ""),
        *_contacted(messages, known.now),
        outcome_text(known.intent.plan.human_step(known.history.step).task, reach.voted),
    )


def _contacted(messages: Sequence[Message], now: datetime) -> tuple[str, bool]:
    """Return the delivery status of a person's latest message over all channels, and whether it failed."""
    if not messages:
        return "", False
    seq = max(message.seq for message in messages)
    latest = sorted(
        (one for one in messages if one.seq == seq), key=lambda one: (one.state != FAILED, one.at)
    )
    message = latest[-1]
    how = label_of(message.channel)
    lost = [label_of(one.channel) for one in latest[:-1] if one.state == FAILED]
    after = f", as {' and '.join(lost)} failed" if lost else ""
    if message.state == SENT:
        return f"notified via {how}{after}", False
    if message.state == FAILED:
        return f"could not be notified by {' or '.join(dict.fromkeys([*lost, how]))}", True
    if message.at > now:
        return f"a message via {how} waits for their working hours", False
    tried = (
        f", failed {'once' if message.attempts == 1 else f'{message.attempts} times'} so far"
        if message.error
        else ""
    )
    return f"a message is being sent via {how}{tried}{after}", bool(message.error)


def soon(contacts: list[ExpectedContact]) -> tuple[list[ExpectedContact], int]:
    """Return the next contacts and the last one, which is the deadline; and how many between them are omitted."""
    if len(contacts) <= _SHOWN_CONTACTS:
        return contacts, 0
    return [*contacts[: _SHOWN_CONTACTS - 1], contacts[-1]], len(contacts) - _SHOWN_CONTACTS


def contact_text(
    expected: ExpectedContact, made: ContactSchedule, directory: Snapshot, reader: str = ""
) -> str:
    """What will happen, and whom it will reach in the current state."""
    contact = expected.contact
    names = ["you"] if reader in expected.people else []
    names += [directory.display(person) for person in expected.people if person != reader]
    more = len(names) - _NAMED
    people = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    match contact.kind:
        case ContactKind.OPENING:
            return f"notified when working hours begin: {people}"
        case ContactKind.REMINDER:
            most = made.spec.remind.at_most if made.spec.remind else contact.number
            return f"reminder {contact.number} of {most}" + (f", to {people}" if people else "")
        case ContactKind.ESCALATION:
            may = {reach.person for reach in made.may_decide}
            # It adds only people who may already decide.
            if expected.people and may.issuperset(expected.people):
                return f"also notified: {people}"
            return f"{PolicyNames(directory).approvers(contact.to)} may also decide" + (
                f"; notified: {people}" if people else ""
            )
        case ContactKind.SNOOZE_OVER:
            return "your snooze ends" if people == "you" else f"the snooze of {people} ends"
        case ContactKind.DEADLINE:
            return "the task expires"
