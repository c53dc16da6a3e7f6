"""Authorization for intent commands. To an actor that may not see the intent, unknown and forbidden look the same
(NotFound); Forbidden is for actors that may see it but not do this.

An agent never answers a task, no matter which endpoint its key tries. A service submits, observes and cancels its own
requests; it may also do the work of a direct request that asks no one. Only an admin, with their own key, may end
other people's requests or act for an agent. Nobody on the requester's side chooses who decides.
"""

from typing import Final, assert_never

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import PROGRAMS, Action, authorize
from signoff.core.directory.killed import refuse_killed
from signoff.core.directory.roles import ADMIN, ADMINS, APPROVER, MEMBER, OWNER
from signoff.core.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from signoff.core.intent import commands as c
from signoff.core.intent.answer_target import stale_stage
from signoff.core.intent.answering_rights import (
    answer_right,
    on_requesters_side,
    requesters_side,
    self_approval,
)
from signoff.core.intent.checks import with_check_results
from signoff.core.intent.model import Delivery, Intent, Task, spec_of
from signoff.core.plan.answers import canonical_outcome, meaning_of_answer
from signoff.core.plan.task_types import Meaning, Strength

_SYSTEM_ONLY: Final = (c.Tick, c.AcceptPush, c.FailPush, c.ReportUnreachable, c.CheckStaffing)
_DECIDING: Final = (c.Answer, c.Delegate, c.Revise)


def can_see(actor: Actor, intent: Intent) -> bool:
    """Whether the intent exists for this actor."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    if actor.workspace != intent.workspace:
        return False
    if actor.kind not in PROGRAMS:
        return True
    return actor.id == intent.requester.id or (actor.address != "" and _is_addressed(actor.address, intent))


def _is_addressed(address: str, intent: Intent) -> bool:
    return address in (intent.to_agent, intent.reply_to) or address in intent.plan.agents


def authorize_command(actor: Actor, command: c.Command, intent: Intent | None) -> None:
    """Return if the actor may issue the command; raise Forbidden or NotFound otherwise. ``intent`` is None for a
    Submit.
    """
    if actor.kind is ActorKind.SYSTEM:
        return
    refuse_killed(actor)
    if isinstance(command, _SYSTEM_ONLY):
        raise Forbidden("system_only", "Only the server itself may do this.")
    if intent is None:
        _may_submit(actor)
        return
    if not can_see(actor, intent):
        raise NotFound("intent_not_found", f"There is no intent {intent.id}.")
    match command:
        case (
            c.Answer()
            | c.Delegate()
            | c.Reassign()
            | c.MarkReviewing()
            | c.Snooze()
            | c.Unsnooze()
            | c.AddComment()
            | c.Revise()
        ):
            _may_answer(actor, command, intent)
        case c.Claim() | c.Renew() | c.Release() | c.Report() | c.ReportProgress():
            _may_act_as_agent(actor, command, intent)
        case c.Recall():
            authorize(actor, Action.KILL_AGENT)
        case c.Resolve():
            _may_resolve(actor, command, intent)
        case c.Cancel() | c.PatchControls():
            _may_steer(actor, intent)
        case c.Submit():
            raise Forbidden("not_allowed", "This command only applies to new intents.")
        case unknown:
            assert_never(unknown)


def allowed(actor: Actor, command: c.Command, intent: Intent) -> bool:
    """Whether the command would be authorized."""
    try:
        authorize_command(actor, command, intent)
    except (Forbidden, NotFound):
        return False
    return True


def require_delivery_access(actor: Actor, agent: str) -> None:
    """Raise Forbidden unless the actor may see and claim the deliveries of ``agent``: the agent itself, or an admin for
    it.
    """
    own = actor.kind is ActorKind.AGENT and actor.address == agent
    if own or actor.kind is ActorKind.SYSTEM or actor.roles & ADMINS:
        return
    if actor.kind is ActorKind.AGENT:
        raise Forbidden("not_your_address", "An agent's key may claim only that agent's deliveries.")
    raise _not_an_agent()


def _not_an_agent() -> Forbidden:
    return Forbidden(
        "agent_required",
        "Only the agent itself, or an owner or admin in its place, may do this.",
        hint="Use the agent's key: signoff keys create --agent ADDRESS.",
    )


def may_rerun(actor: Actor, intent: Intent) -> None:
    """Raise unless the actor is the requester or an admin, as ``authorize_command`` does."""
    if not can_see(actor, intent):
        raise NotFound("intent_not_found", f"There is no intent {intent.id}.")
    _may_submit(actor)
    if not _steers(actor, intent):
        raise Forbidden("not_yours", "Only its requester or an admin may rerun this.")


def may_use(actor: Actor, intent: Intent) -> None:
    """Raise unless the actor may act on the intent's outcome, once: the requester or an admin. Raises as
    ``authorize_command`` does, and Conflict while there is no outcome.
    """
    if not can_see(actor, intent):
        raise NotFound("intent_not_found", f"There is no intent {intent.id}.")
    if not _steers(actor, intent):
        raise Forbidden("not_yours", "Only its requester or an admin may use its outcome.")
    if not intent.final:
        raise Conflict(
            "not_final",
            "This intent has no outcome yet.",
            details={"status": intent.status.value},
            hint="Wait until it is final.",
        )


def _may_submit(actor: Actor) -> None:
    if actor.kind is ActorKind.PERSON and not actor.roles & {OWNER, ADMIN, APPROVER, MEMBER}:
        raise Forbidden(
            "role_required", "Your role may read but not submit.", hint="Ask an admin for the member role."
        )


def _may_answer(actor: Actor, command: c.Command, intent: Intent) -> None:
    if isinstance(command, c.AddComment) and (
        actor.kind is ActorKind.PERSON or actor.id == intent.requester.id
    ):
        return  # everyone who may see it may comment; the requester, including a program, may reply
    if actor.kind is not ActorKind.PERSON:
        holder = "an agent" if actor.kind is ActorKind.AGENT else "a service"
        raise Forbidden(
            "person_required",
            f"Only a person can decide; this key belongs to {holder}.",
            hint="Use a person's key: signoff keys create --person EMAIL.",
        )
    task = intent.open
    if not isinstance(task, Task):
        if intent.plan.direct and not actor.roles & ADMINS:
            raise Forbidden(
                "admin_required", "Only an owner or an admin may end a request in its agent's place."
            )
        return  # ``decide`` explains that this is not possible now
    if isinstance(command, c.Reassign) and not actor.roles & ADMINS:
        raise Forbidden("admin_required", "Only an owner or an admin may ask other people.")
    if on_requesters_side(actor, intent) and not self_approval(actor, intent, task):
        raise _own_request(command, by_key=actor.id not in requesters_side(intent))
    if isinstance(command, c.Reassign):
        _strong_enough(actor, command, intent, task)
        return
    if answer_right(actor, intent, task) is None:
        named = isinstance(command, c.Answer) and command.step_run == task.step_run
        if named and getattr(command, "stage", None) not in (None, task.stage):
            # approvers of an earlier stage get the error that the stage is complete
            raise stale_stage(intent, task)
        raise Forbidden(
            "not_an_approver", "You are not among those who were asked.", hint="See the task's approvers."
        )
    if isinstance(command, _DECIDING) and not _is_rejection(command, intent, task):
        _strong_enough(actor, command, intent, task)


def _own_request(command: c.Command, *, by_key: bool) -> Forbidden:
    if by_key:
        return Forbidden(
            "self_approval",
            "A person on the requester's side created this key, so its answer cannot count.",
            hint="Sign in and answer on the task's page, or create your own key on your settings page.",
        )
    if isinstance(command, c.Reassign):
        return Forbidden(
            "self_approval",
            "You are on the requester's side of this intent, so you may not choose who decides.",
            hint="Another owner or admin must.",
        )
    return Forbidden(
        "self_approval",
        "You are on the requester's side of this intent, so your answer cannot count.",
        hint="Another person must decide.",
    )


def _is_rejection(command: c.Command, intent: Intent, task: Task) -> bool:
    """Whether this is a plain rejection, which is always safe and never requires a stronger sign-in."""
    if not isinstance(command, c.Answer):
        return False
    spec = spec_of(intent, task)
    try:
        outcome = canonical_outcome(spec, command.outcome, task.agreed)
        return meaning_of_answer(spec, outcome, command.data) is Meaning.REJECTS
    except Invalid:
        return False  # refused later, with its specific reason


_LEVELS: Final = {Strength.LINK: 1, Strength.SESSION: 2, Strength.STEP_UP: 3}


def required_assurance(intent: Intent, task: Task) -> Strength:
    """The assurance that this task requires. A check can only raise it. A check of an earlier revision counts until the
    same check has run on this one, so a change does not lower the requirement.
    """
    spec = spec_of(intent, task)
    others = {step: result for step, result in intent.results.items() if step != task.step}
    return with_check_results(spec.strength, spec.risk, others)


def meets_assurance(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether the actor's assurance is sufficient for this task."""
    return _LEVELS[actor.strength] >= _LEVELS[required_assurance(intent, task)]


def _strong_enough(actor: Actor, command: c.Command, intent: Intent, task: Task) -> None:
    """Raise Forbidden unless the actor's assurance is sufficient. An answer without a digest was given without
    reading, so it has only the assurance of a link. A person whose assurance is too low to decide may not choose who
    decides instead, or what is decided.
    """
    if isinstance(command, c.Answer) and command.digest is None:
        actor = replace(actor, strength=Strength.LINK)
    if not meets_assurance(actor, intent, task):
        raise Forbidden(
            "stronger_sign_in_required",
            "This decision requires a sign-in by e-mail; a key, a chat account or a link from a message is not enough.",
            hint="Finish in the browser: open the task's page and sign in there with the link that it e-mails you.",
            details={"strength": required_assurance(intent, task).value},
        )


def _may_act_as_agent(actor: Actor, command: c.Command, intent: Intent) -> None:
    """Raise Forbidden unless the actor may act as the step's agent. A finished step run has no owner; ``decide``
    refuses late reports.
    """
    held = intent.open
    if actor.kind is ActorKind.AGENT:
        current = getattr(command, "step_run", 0) in (0, getattr(held, "step_run", 0))
        if isinstance(held, Delivery) and current and held.agent != actor.address:
            raise Forbidden("not_your_delivery", "This step belongs to another agent.")
    elif not (actor.roles & ADMINS or _does_itself(actor, command, intent)):
        raise _not_an_agent()


def _does_itself(actor: Actor, command: c.Command, intent: Intent) -> bool:
    """Whether the requester may do this work itself: it sent a direct request, which asks no one. It still cannot
    claim deliveries.
    """
    work = isinstance(command, c.Report | c.ReportProgress)
    own = actor.id == intent.requester.id
    return work and own and intent.plan.direct and not intent.plan.has_gate


def _may_resolve(actor: Actor, command: c.Resolve, intent: Intent) -> None:
    if intent.plan.has_gate and command.fault is None:
        raise Forbidden(
            "gate_not_passed",
            "This intent waits for a decision by people; it cannot be marked as completed.",
            hint="Answer its task, or cancel it.",
        )
    holds = isinstance(intent.open, Delivery) and intent.open.agent == actor.address and actor.address != ""
    if not (holds or _steers(actor, intent)):
        raise Forbidden("not_yours", "Only its requester, its agent or an admin may end this intent.")


def may_cancel(actor: Actor, intent: Intent) -> bool:
    """Whether the actor may end the intent now."""
    try:
        authorize_command(actor, c.Cancel(), intent)
    except Refused:
        return False
    return not intent.final


def _may_steer(actor: Actor, intent: Intent) -> None:
    if not _steers(actor, intent):
        raise Forbidden("not_yours", "Only its requester or an admin may do this.")


def _steers(actor: Actor, intent: Intent) -> bool:
    """Whether the actor is the requester or an admin."""
    own = actor.id == intent.requester.id or actor.id in intent.requester.persons
    return own or bool(actor.roles & ADMINS)
