"""The one guarded door: who may do what with an intent. Unknown and forbidden look the same (NotFound) to an
actor that may not even see the intent; Forbidden is for those who see it but may not do this.

An agent never answers a task, whichever endpoint its key tries. A service submits and observes; it may stand in
for the agents of its workspace (AXP's workspace key), never for a person.
"""

from typing import Final

from signoff.core import commands as c
from signoff.core.errors import Forbidden, NotFound
from signoff.core.model import Actor, ActorKind, Delivery, Intent, Task
from signoff.core.plan import AgentStep
from signoff.core.wake import spec_of

OWNER, ADMIN, APPROVER, MEMBER, AUDITOR = ROLES = ("owner", "admin", "approver", "member", "auditor")
DECIDING: Final = frozenset({OWNER, ADMIN, APPROVER})
RUNNING: Final = frozenset({OWNER, ADMIN})


def may_see(actor: Actor, intent: Intent) -> bool:
    """Whether the intent exists for this actor."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    if actor.workspace != intent.workspace:
        return False
    if actor.kind is not ActorKind.AGENT:
        return True
    return actor.id == intent.requester.id or actor.address in _parties(intent)


def _parties(intent: Intent) -> set[str]:
    agents = {step.agent for step in intent.plan.steps if isinstance(step, AgentStep)}
    return agents | {intent.to_agent, intent.reply_to}


def may(actor: Actor, command: c.Command, intent: Intent | None) -> None:
    """Let the command pass, or raise Forbidden / NotFound. ``intent`` is None for a Submit."""
    if actor.kind is ActorKind.SYSTEM:
        return
    if isinstance(command, c.Tick | c.Accept | c.Miss):
        raise Forbidden("system_only", "Only the server itself does this.")
    if intent is None:
        _may_submit(actor)
        return
    if not may_see(actor, intent):
        raise NotFound("intent_not_found", f"There is no intent {intent.id}.")
    match command:
        case c.Answer():
            _may_answer(actor, intent)
        case c.Claim() | c.Renew() | c.Release() | c.Report() | c.Progress():
            _may_act_as_agent(actor, intent)
        case c.Resolve():
            _may_resolve(actor, command, intent)
        case c.Cancel() | c.Patch():
            _may_steer(actor, intent)
        case c.Submit() | c.Tick() | c.Accept() | c.Miss():
            raise Forbidden("not_allowed", "This cannot be asked of an intent that exists.")


def _may_submit(actor: Actor) -> None:
    if actor.kind is ActorKind.PERSON and not actor.roles & {OWNER, ADMIN, APPROVER, MEMBER}:
        raise Forbidden("role_required", "Your role may read, not submit.", hint="Ask an admin for the role member.")


def _may_answer(actor: Actor, intent: Intent) -> None:
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden(
            "person_required",
            f"Only a person can decide; this key belongs to {'an agent' if actor.kind is ActorKind.AGENT else 'a service'}.",
            hint="Use a person's key: signoff keys create --person EMAIL.",
        )
    if not isinstance(intent.open, Task):
        return  # decide says what the state is
    if not actor.self_approval and set(actor.sponsors) & set(intent.requester.persons):
        raise Forbidden(
            "self_approval",
            "You stand on the requester's side of this intent, so your answer cannot count.",
            hint="Somebody else has to decide.",
        )
    if not eligible(actor, intent, intent.open):
        raise Forbidden("not_an_approver", "You are not among those who were asked.", hint="See the task's approvers.")


def eligible(actor: Actor, intent: Intent, task: Task) -> bool:
    """Whether this person is among those asked at the task's present stage, escalations included."""
    if actor.kind is not ActorKind.PERSON:
        return False
    spec = spec_of(intent, task)
    asked = set(spec.stages[task.stage].approvers)
    reached = {name for rung in spec.escalate[: task.escalated] for name in rung.to}
    return bool(actor.names & (asked | reached)) or (not asked and bool(actor.roles & DECIDING))


def _may_act_as_agent(actor: Actor, intent: Intent) -> None:
    if actor.kind is ActorKind.AGENT:
        agent = intent.open.agent if isinstance(intent.open, Delivery) else None
        if agent is not None and agent != actor.address:
            raise Forbidden("not_your_delivery", "This step is with another agent.")
    elif actor.kind is ActorKind.PERSON and not actor.roles & {OWNER, ADMIN, MEMBER, APPROVER}:
        raise Forbidden("role_required", "Your role may read, not act for an agent.")


def _may_resolve(actor: Actor, command: c.Resolve, intent: Intent) -> None:
    if intent.plan.has_gate and command.fault is None:
        raise Forbidden(
            "gate_not_passed",
            "This intent waits for people's decision; it cannot be declared completed.",
            hint="Answer its task, or cancel it.",
        )
    holds = isinstance(intent.open, Delivery) and intent.open.agent == actor.address and actor.address != ""
    if not (holds or _steers(actor, intent)):
        raise Forbidden("not_yours", "Only its requester, its agent or an admin may end this intent.")


def _may_steer(actor: Actor, intent: Intent) -> None:
    if not _steers(actor, intent):
        raise Forbidden("not_yours", "Only its requester or an admin may do this.")


def _steers(actor: Actor, intent: Intent) -> bool:
    if actor.kind is ActorKind.SERVICE:
        return True
    return actor.id == intent.requester.id or bool(actor.roles & RUNNING)
