"""Adds to a command, under the lock, what the rules need from the directory: they are pure and cannot look it
up.

An answer is counted with everyone's current approver names, so a person who has left a team no longer counts for it.
"""

from functools import singledispatch

from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.model import Person
from signoff.core.directory.roles import DECIDING
from signoff.core.errors import Conflict, Forbidden, Invalid
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import answer_right, pinned_members, requesters_side, stage_now
from signoff.core.intent.model import Delegation, Intent, Task, spec_of
from signoff.core.intent.understaffed import MissingApprovers, missing_approvers
from signoff.core.plan.task_types import Stage
from signoff.core.text.canonical_json import content_digest
from signoff.engine.directory.eligible_people import (
    barred_from,
    eligible,
    known_person,
    normalised,
    refuse_impossible,
    refuse_unknown_teams,
    stage_name,
)
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.form_answers import checked_form


def needs_directory(command: c.Command) -> bool:
    """Whether a command of this kind has to be completed from the directory."""
    return type(command) in _prepared.registry


def resolve_command(actor: Actor, intent: Intent, command: c.Command, directory: Snapshot) -> c.Command:
    """The command completed from the directory; raises Invalid if it names someone who does not exist."""
    return _prepared(command, actor, intent, directory)


@singledispatch
def _prepared(command: c.Command, actor: Actor, intent: Intent, directory: Snapshot) -> c.Command:
    return command


@_prepared.register
def _answer(command: c.Answer, actor: Actor, intent: Intent, directory: Snapshot) -> c.Command:
    return replace(checked_form(intent, command), active_people=directory.active_people)


@_prepared.register
def _delegate(command: c.Delegate, actor: Actor, intent: Intent, directory: Snapshot) -> c.Command:
    delegate = deciding_person(directory, command.to, "to")
    task = intent.open
    if not isinstance(task, Task):
        return replace(command, to=delegate.id)
    barred = barred_from(spec_of(intent, task), directory, requesters_side(intent), intent)
    if delegate.id in barred:
        raise Invalid(
            "self_approval",
            f"{delegate.name or delegate.email} is on the requester's side.",
            field="to",
            hint="Delegate it to someone else.",
        )
    # A person who may already decide gets no second vote, so too few people would remain.
    if _short(intent, task, directory) is None and _short(
        intent, _delegated(actor, delegate.id, intent, task), directory
    ):
        raise Invalid(
            "understaffed",
            f"{delegate.name or delegate.email} may already decide this, and each person counts only once.",
            field="to",
            hint="Delegate it to someone who has not been asked.",
        )
    return replace(command, to=delegate.id)


def _short(intent: Intent, task: Task, directory: Snapshot) -> MissingApprovers | None:
    return missing_approvers(replace(intent, open=task), task, directory.membership)


def _delegated(actor: Actor, to: str, intent: Intent, task: Task) -> Task:
    """The task as it would be after the delegation."""
    right = answer_right(actor, intent, task)
    if right is None:
        return task  # the rules refuse this
    delegation = Delegation(right.principal, to, right.names)
    before = (one for one in task.delegations if one.delegator != delegation.delegator)
    return replace(task, delegations=(*before, delegation))


@_prepared.register
def _reassign(command: c.Reassign, actor: Actor, intent: Intent, directory: Snapshot) -> c.Command:
    to = normalised(command.to)
    refuse_unknown_teams(to, directory, "to")
    task = intent.open
    if isinstance(task, Task) and to:
        present = spec_of(intent, task).stages[task.stage]
        stage = Stage(to, present.need, present.reject_after, present.every)
        barred = barred_from(spec_of(intent, task), directory, requesters_side(intent), intent)
        refuse_impossible(stage, directory, f"Step {task.step!r}", "to", barred)
        if directory.workspace.protected:
            _refuse_beyond_policy(intent, task, stage, directory)
    return replace(command, to=to)


def _refuse_beyond_policy(intent: Intent, task: Task, asked_instead: Stage, directory: Snapshot) -> None:
    """Raise Forbidden if a single admin asks people whom the policy does not name for this stage or its escalation."""
    spec = spec_of(intent, task)
    named = spec.stages[task.stage]
    levels = [name for level in spec.escalate for name in level.to]
    allowed = eligible(named, directory, pinned_members=spec.pinned_members) | eligible(
        Stage((*levels, "-")), directory, pinned_members=spec.pinned_members
    )
    if beyond := set(eligible(asked_instead, directory)) - set(allowed):
        who = ", ".join(sorted(directory.people[person].email for person in beyond))
        raise Forbidden(
            "protected_workspace",
            f"The workspace is protected, and the policy does not name {who}.",
            hint="Ask people from its stage or escalation; or change the policy and submit the request again.",
        )
    for entry in named.approvers if named.every else ():
        stays = eligible(Stage((entry, *(levels or ("-",)))), directory, pinned_members=spec.pinned_members)
        if not any(set(eligible(Stage((one,)), directory)) <= set(stays) for one in asked_instead.approvers):
            raise Forbidden(
                "protected_workspace",
                f"The workspace is protected, and nobody would be left to decide for {entry}.",
                hint=f"Name somebody of {entry} too; or change the policy and submit the request again.",
            )


@_prepared.register
def _revise(command: c.Revise, actor: Actor, intent: Intent, directory: Snapshot) -> c.Command:
    task = intent.open
    if isinstance(task, Task):
        step, spec = intent.plan.by_id[task.step], spec_of(intent, task)
        joins = frozenset() if command.outcome else {actor.id}
        barred = barred_from(spec, directory, requesters_side(intent) | joins, intent)
        for number, stage in enumerate(spec.stages):
            asked_now = stage_now(intent, task) if number == task.stage == 0 else stage
            what = stage_name(step, spec, number)
            refuse_impossible(asked_now, directory, what, "payload", barred, pinned_members(intent, task))
    if not command.outcome:
        return command
    answer = checked_form(intent, c.Answer(command.outcome, command.step_run, command.comment, command.data))
    return replace(command, data=answer.data, active_people=directory.active_people)


def deciding_person(directory: Snapshot, name: str, field: str) -> Person:
    """An active person of the workspace with an approving role; raises Invalid for anyone else."""
    person = known_person(directory, name, field)
    if DECIDING.isdisjoint(person.roles):
        raise Invalid(
            "not_an_approver",
            f"{field}: {person.email} has no approving role.",
            field=field,
            hint="A delegate must be able to decide: owner, admin or approver.",
        )
    return person


def validate_target(intent: Intent, before: bytes) -> None:
    """Raise Conflict unless ``before`` is still what is being decided."""
    if content_digest(before) != intent.payload_digest:
        raise Conflict(
            "stale_revision",
            "Someone else has revised it in the meantime.",
            details={"revision": intent.revision},
            hint="Read the task again, then revise.",
        )
