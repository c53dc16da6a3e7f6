"""Why this reader is asked, who else is, who comes next, and when. Pure."""

from datetime import datetime

import msgspec

from signoff.core.hours import later
from signoff.core.model import Actor, Task
from signoff.core.plan import HumanStep
from signoff.core.quorum import missing, needed
from signoff.core.standing import asked, standing
from signoff.core.wake import began_at, escalation_at, reminder_at
from signoff.engine.directory import Snapshot
from signoff.web.inbox.known import Known


class Contact(msgspec.Struct, frozen=True):
    """Something that will happen by itself, unless somebody decides before."""

    at: datetime
    text: str


class Others(msgspec.Struct, frozen=True):
    """asked: who may answer now; next: what is planned, in order; needed and missing: votes of this stage."""

    asked: tuple[str, ...] = ()
    next: tuple[Contact, ...] = ()
    needed: int = 1
    missing: int = 1
    stage: int = 1
    stages: int = 1
    taken_by: str = ""


def party(name: str, book: Snapshot) -> str:
    """What a task calls its approvers, as a person reads it: roles and teams with whom they mean today."""
    if name.startswith(("role:", "team:")):
        kind, _, word = name.partition(":")
        people = sorted(p.name or p.email for p in book.people.values() if name in book.names_of(p))
        listed = ", ".join(people[:6]) + (f" and {len(people) - 6} more" if len(people) > 6 else "")
        return f"{kind} {word} ({listed or 'nobody at the moment'})"
    person = next((p for p in book.people.values() if name in book.names_of(p)), None)
    return (person.name or person.email) if person else name


def reasons(known: Known, step: HumanStep) -> tuple[str, ...]:
    """Why the reader is asked: the rule and their part in it."""
    intent = known.intent
    if intent.plan.source.startswith("workflow"):
        version = next((w for w in known.book.workflows.values() if w.intent_type == intent.type), None)
        name = f"“{version.name}”" if version else "of this type"
        found = [f"The workflow {name} holds every request of this type at step {step.id}."]
    elif intent.plan.source == "scenario":
        found = [f"The scenario that the request came with asks at step {step.id}."]
    else:
        found = ["The requester asked for a person's decision; no workflow governs this type."]
    if step.task.policy:
        found.append(f"The policy is “{step.task.policy}”.")
    task = known.task
    if task is not None:
        found.append(_part(known.reader, known, task))
        found.append(_quorum(step, task))
    return tuple(text for text in found if text)


def _part(reader: Actor, known: Known, task: Task) -> str:
    ground = standing(reader, known.intent, task)
    if ground is None:
        return ""
    if ground.principal != reader.id:
        return f"You stand in for {known.book.display(ground.principal)}."
    own = sorted(ground.names & asked(known.intent, task))
    roles = [name.partition(":")[2] for name in own if name.startswith("role:")]
    teams = [name.partition(":")[2] for name in own if name.startswith("team:")]
    named = [name for name in own if not name.startswith(("role:", "team:"))]
    if named:
        return "You are named as one of those who may decide."
    if teams:
        return f"You may decide as a member of the team {' and '.join(teams)}."
    return f"You may decide as {' and '.join(roles)} of this workspace." if roles else ""


def _quorum(step: HumanStep, task: Task) -> str:
    stage = step.task.stages[task.stage]
    need = needed(stage)
    place = (
        f"This is stage {task.stage + 1} of {len(step.task.stages)}. " if len(step.task.stages) > 1 else ""
    )
    if need == 1:
        return (
            place + "One yes decides." if place or len(stage.approvers) != 1 else "Your answer alone decides."
        )
    left = missing(stage, task.stage, task.votes)
    return f"{place}{need} different people have to say yes; {left} still {'is' if left == 1 else 'are'} missing."


def others(known: Known, step: HumanStep) -> Others:
    """Everybody else in it; empty once the task is closed."""
    task, book = known.task, known.book
    if task is None:
        return Others(missing=0)
    stage = step.task.stages[task.stage]
    return Others(
        asked=tuple(party(name, book) for name in sorted(asked(known.intent, task))),
        next=tuple(sorted(_next(known, step, task), key=lambda contact: contact.at)),
        needed=needed(stage),
        missing=missing(stage, task.stage, task.votes),
        stage=task.stage + 1,
        stages=len(step.task.stages),
        taken_by=book.display(task.taken_by) if task.taken_by else "",
    )


def _next(known: Known, step: HumanStep, task: Task) -> list[Contact]:
    spec, found = step.task, []
    reminder = reminder_at(known.intent, task)
    if reminder is not None and spec.remind is not None:
        found.append(Contact(reminder, f"reminder {task.reminded + 1} of {spec.remind.at_most}"))
    for level, rung in enumerate(spec.escalate):
        if level < task.escalated:
            continue
        at = escalation_at(known.intent, task) if level == task.escalated else None
        whom = ", ".join(party(name, known.book) for name in rung.to)
        found.append(Contact(at or later(spec.hours, began_at(task), rung.after), f"{whom} may decide too"))
    if known.story.deadline_at is not None:
        found.append(Contact(known.story.deadline_at, "the task expires"))
    return found
