"""Authorization for every action other than commands on intents: ``RULES`` is the table, ``authorize`` looks actions up
in it.

Commands on an intent are authorized in ``core/intent/authorization``. ``engine/identity/key_restrictions`` also
checks the assurance that a change requires, which depends on the workspace.
"""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Account, ApiKey, Person
from signoff.core.directory.roles import ADMINS, AUDITOR, OWNER
from signoff.core.errors import Forbidden, NotFound, Refused
from signoff.core.plan.task_types import Strength

PROGRAMS: Final = frozenset({ActorKind.AGENT, ActorKind.SERVICE})
REGISTRAR: Final = (
    "registrar"  # the key in ``Account.behind`` for the program that registered it, which does not control it
)
Resource = Person | Account | ApiKey | str | None


class Action(StrEnum):
    """The actions; a comment names the resource, if the rule depends on one."""

    READ_DIRECTORY = "read people, teams and policies"
    READ_ALL = "read all keys and all personal settings"
    READ_PERSON = "read a person's personal settings"  # Person
    READ_ACCOUNT = "read an account's callback URL"  # Account
    READ_CHANGES = "read the change log and proposals"
    READ_METRICS = "read the metrics of the server"
    CHANGE_DIRECTORY = "change people, teams, policies, workflows and settings"
    ERASE_PERSON = "erase the text of a removed person"
    CHANGE_OWNERS = "grant or revoke the role owner"
    CHANGE_PREFERENCES = (
        "change a person's time zone, hours, absences and preferences"  # their name in the manifest
    )
    END_PROPOSAL = "confirm or refuse a proposal"
    REGISTER_AGENT = "register an agent"
    REGISTER_SERVICE = "register a service"
    CHANGE_AGENT = "change or remove an agent, and its keys"  # Account
    CHANGE_SERVICE = "change or remove a service, and its keys"  # Account
    LIST_KEYS = "list keys"
    CREATE_PERSON_KEY = "create a person's key"  # Person
    CREATE_OWNER_KEY = "create an owner's key"
    REVOKE_PERSON_KEY = "revoke a person's key"  # ApiKey
    USE_SESSIONS = "see and end sessions"
    MANAGE_SESSIONS = "see and end a person's sessions"  # the person's id
    ALLOW_TERMINAL = "let a terminal sign in as oneself"
    LINK_CHAT = "link a chat account"
    TEST_MESSAGE = "send a person a test message, and see its delivery status"  # Person
    LIST_TASKS = "list tasks"
    LIST_MESSAGES = "list messages to people"
    READ_INBOX = "read the inbox of an address"  # the address, or an account's id
    READ_OPEN_TASKS = "list a person's open tasks"  # Person
    REASSIGN_ALL = "reassign all open tasks of a person"
    SEND_HEARTBEAT = "report that an agent is running"
    KILL_AGENT = "kill and resume an agent"
    RESTRICT_AGENT = "change who may send to an agent, and how much work it is given"
    READ_RESTRICTIONS = "read who may send to an agent, and what it has reported"  # Account
    READ_CHANNELS = "read the delivery status of channels"
    MANAGE_WORKSPACES = "create and rename workspaces, and list those of the organization"
    MANAGE_KEYS = "open the pages of agents, services and keys"


class Denial(msgspec.Struct, frozen=True):
    """The error for a denied action. ``{holder}`` becomes "An agent's" or "A service's"; ``{resource}`` the target of
    the action.
    """

    code: str
    message: str
    hint: str | None = None
    error: type[Refused] = Forbidden


class AccessRule(msgspec.Struct, frozen=True):
    """The roles and kinds of actors that are allowed; those allowed only if ``condition`` holds; the refusal for all
    others, and special refusals for some kinds.
    """

    allowed: Collection[str]
    refusal: Denial
    conditional: Collection[str] = ()
    condition: Callable[[Actor, Resource], bool] = lambda actor, resource: False
    refusals: dict[str, Denial] = {}


def others_with_key(actor: Actor) -> tuple[str, ...]:
    """The people other than the actor who know the credential in use: those who created its key."""
    return tuple(person for person in actor.sponsors if person != actor.id)


def makes_own_key(actor: Actor) -> bool:
    """Whether this is certainly the person themselves: they presented more than a key, and nobody else has the
    credential.
    """
    return (
        actor.kind is ActorKind.PERSON and actor.strength is not Strength.LINK and not others_with_key(actor)
    )


def _is_self(actor: Actor, resource: Resource) -> bool:
    return actor.id == (resource.id if isinstance(resource, Person | Account) else resource)


def _is_verified_self(actor: Actor, resource: Resource) -> bool:
    return _is_self(actor, resource) and makes_own_key(actor)


def _is_named(actor: Actor, resource: Resource) -> bool:
    return resource in actor.names


def _holds_key(actor: Actor, resource: Resource) -> bool:
    return isinstance(resource, ApiKey) and resource.actor_id == actor.id


def _holds_address(actor: Actor, resource: Resource) -> bool:
    return resource in (actor.address, actor.id)


def _registered(actor: Actor, resource: Resource) -> bool:
    return isinstance(resource, Account) and actor.id in resource.behind.get(REGISTRAR, ())


def _is_self_or_registered(actor: Actor, resource: Resource) -> bool:
    return _is_self(actor, resource) or _registered(actor, resource)


PERSON, AGENT, SERVICE, SYSTEM = ActorKind.PERSON, ActorKind.AGENT, ActorKind.SERVICE, ActorKind.SYSTEM
_ADMINS_AND_SYSTEM: Final = ADMINS | {SYSTEM}
_READERS: Final = _ADMINS_AND_SYSTEM | {AUDITOR}
_ADMIN_REQUIRED: Final = Denial(
    "admin_required", "Only an owner or an admin may do this.", "Use a person's key."
)
_NO_TASKS: Final = Denial("person_required", "Agents have no tasks.")
_PERSON_READS: Final = Denial(
    "person_required", "{holder} key may not read people, teams and policies.", "Use a person's key."
)
_ONLY_PEOPLE_SIGN_IN: Final = Denial("person_required", "Only people have sessions.")
_AUDITOR_REQUIRED: Final = Denial(
    "auditor_required",
    "Only an owner, an admin or an auditor may read the change log.",
    "Ask an admin for the auditor role.",
)
_METRICS_READERS: Final = Denial(
    "auditor_required",
    "Only an owner, an admin or an auditor may read the metrics.",
    "Give the monitoring system an auditor's key, or set SIGNOFF_OPEN_METRICS=true.",
)
_NOT_REGISTRAR: Final = Denial(
    "not_yours",
    "A service may change, and create keys for, only agents that it registered itself.",
    "Use an owner's or an admin's key.",
)

RULES: Final[dict[Action, AccessRule]] = {
    Action.READ_DIRECTORY: AccessRule({PERSON, SYSTEM}, _PERSON_READS),
    Action.READ_ALL: AccessRule(_READERS, _AUDITOR_REQUIRED),
    Action.READ_PERSON: AccessRule(_READERS, _AUDITOR_REQUIRED, {PERSON}, _is_self),
    Action.READ_ACCOUNT: AccessRule(_READERS, _AUDITOR_REQUIRED, {AGENT, SERVICE}, _is_self_or_registered),
    Action.READ_METRICS: AccessRule(_READERS, _METRICS_READERS),
    Action.READ_CHANGES: AccessRule(
        _READERS, _AUDITOR_REQUIRED, refusals={AGENT: _PERSON_READS, SERVICE: _PERSON_READS}
    ),
    Action.CHANGE_DIRECTORY: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED),
    Action.CHANGE_OWNERS: AccessRule(
        {OWNER, SYSTEM}, Denial("owner_required", "Only an owner may grant or revoke the role owner.")
    ),
    Action.ERASE_PERSON: AccessRule(
        {OWNER}, Denial("owner_required", "Only an owner may erase a person's text; it cannot be undone.")
    ),
    Action.CHANGE_PREFERENCES: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED, {PERSON}, _is_named),
    Action.END_PROPOSAL: AccessRule(ADMINS, _ADMIN_REQUIRED),
    Action.REGISTER_AGENT: AccessRule(_ADMINS_AND_SYSTEM | {SERVICE}, _ADMIN_REQUIRED),
    Action.REGISTER_SERVICE: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED),
    Action.CHANGE_AGENT: AccessRule(
        _ADMINS_AND_SYSTEM, _ADMIN_REQUIRED, {SERVICE}, _registered, refusals={SERVICE: _NOT_REGISTRAR}
    ),
    Action.CHANGE_SERVICE: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED),
    Action.LIST_KEYS: AccessRule(
        {PERSON, SERVICE, SYSTEM}, Denial("not_allowed", "An agent's key cannot list keys.")
    ),
    Action.CREATE_PERSON_KEY: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED, {PERSON}, _is_verified_self),
    Action.CREATE_OWNER_KEY: AccessRule(
        {OWNER}, Denial("owner_required", "Only an owner may create an owner's key.")
    ),
    Action.REVOKE_PERSON_KEY: AccessRule(_ADMINS_AND_SYSTEM, _ADMIN_REQUIRED, {PERSON}, _holds_key),
    Action.USE_SESSIONS: AccessRule({PERSON}, _ONLY_PEOPLE_SIGN_IN),
    Action.MANAGE_SESSIONS: AccessRule(
        ADMINS,
        Denial("person_not_found", "There is no person {resource} that you may sign out.", error=NotFound),
        {PERSON},
        _is_self,
        refusals=dict.fromkeys((AGENT, SERVICE, SYSTEM), _ONLY_PEOPLE_SIGN_IN),
    ),
    Action.ALLOW_TERMINAL: AccessRule(
        (),
        Denial(
            "stronger_sign_in_required",
            "You are signed in with a key, and a key alone cannot create another one.",
            "Sign in by e-mail, or give the terminal an existing key: signoff login URL --with-key.",
        ),
        {PERSON},
        _is_verified_self,
        refusals=dict.fromkeys((AGENT, SERVICE, SYSTEM), _ONLY_PEOPLE_SIGN_IN),
    ),
    Action.LINK_CHAT: AccessRule({PERSON}, Denial("person_required", "Only people can link a chat account.")),
    Action.TEST_MESSAGE: AccessRule(
        ADMINS,
        Denial("admin_required", "Only an owner or an admin may send test messages to other people."),
        {PERSON},
        _is_self,
    ),
    Action.LIST_TASKS: AccessRule({PERSON, SERVICE, SYSTEM}, _NO_TASKS),
    Action.LIST_MESSAGES: AccessRule(
        {PERSON, SERVICE, SYSTEM},
        Denial("person_required", "An agent's key may not read messages to people."),
    ),
    Action.READ_INBOX: AccessRule(
        {PERSON, SYSTEM},
        Denial("not_your_address", "A program's key may read only its own inbox."),
        {AGENT, SERVICE},
        _holds_address,
    ),
    Action.READ_OPEN_TASKS: AccessRule(
        ADMINS,
        Denial("admin_required", "Only an owner or an admin may list other people's open tasks."),
        {PERSON},
        _is_self,
    ),
    Action.REASSIGN_ALL: AccessRule(
        ADMINS, Denial("admin_required", "Only an owner or an admin may ask other people.")
    ),
    Action.SEND_HEARTBEAT: AccessRule(
        {AGENT},
        Denial(
            "agent_required",
            "Only agents send heartbeats.",
            "Use the agent's key: signoff keys create --agent ADDRESS.",
        ),
    ),
    Action.KILL_AGENT: AccessRule(
        ADMINS, Denial("admin_required", "Only an owner or an admin may kill or resume an agent.")
    ),
    Action.RESTRICT_AGENT: AccessRule(
        ADMINS,
        Denial(
            "admin_required",
            "Only an owner or an admin may change who may send to an agent, and how much work it is given.",
        ),
    ),
    Action.READ_RESTRICTIONS: AccessRule(
        {PERSON, SYSTEM}, _PERSON_READS, {AGENT, SERVICE}, _is_self_or_registered
    ),
    Action.READ_CHANNELS: AccessRule(
        ADMINS, Denial("admin_required", "Only an owner or an admin may see the status of channels.")
    ),
    Action.MANAGE_WORKSPACES: AccessRule(
        {OWNER}, Denial("owner_required", "Only an owner may create or rename a workspace.")
    ),
    Action.MANAGE_KEYS: AccessRule(
        ADMINS,
        Denial(
            "admin_required",
            "Only owners and admins may see this.",
            "Ask one of them.",
        ),
    ),
}


def permits(actor: Actor, action: Action, resource: Resource = None) -> bool:
    """Whether the actor may perform the action."""
    rule, mine = RULES[action], {actor.kind, *actor.roles}
    if not mine.isdisjoint(rule.allowed):
        return True
    return not mine.isdisjoint(rule.conditional) and rule.condition(actor, resource)


def authorize(actor: Actor, action: Action, resource: Resource = None) -> None:
    """Return if the actor may perform the action; raise the rule's refusal otherwise."""
    if permits(actor, action, resource):
        return
    rule = RULES[action]
    refusal = rule.refusals.get(actor.kind, rule.refusal)
    holder = "An agent's" if actor.kind is ActorKind.AGENT else "A service's"
    message = refusal.message.format(holder=holder, resource=str(resource)[:64])
    raise refusal.error(refusal.code, message, hint=refusal.hint)
