"""The directory of a workspace: its people, teams, programs, keys, policies and sessions, and the log of their
changes.
"""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from signoff.core.directory.agent_limits import AgentLimits
from signoff.core.directory.rotation import Absence, Rotation
from signoff.core.directory.senders import Senders
from signoff.core.plan.working_hours import Hours

REMOVED: Final = "removed:"  # prefix of the address of a removed person, whose row is kept for histories
ALONE: Final = "alone"  # self-approval as the first start sets it, until somebody changes it


class Workspace(Struct, frozen=True):
    """A workspace, which contains intents, with its settings.

    self_approval: the requester's side may decide; self_approval_alone: it may decide only requests that were made
    while the workspace had one person (the setting after the first start); positive_fallback: expiry may approve if
    the risk is low; protected: relaxing the rules on who decides needs two admins; default_policy: the name of the
    policy for steps without a workflow; unlisted_types: what happens to a type without a workflow (allow, gate,
    refuse); last_change: the number of the last recorded change; staffed_change: the last change for which the open
    tasks were checked for enough eligible people; former: its former names, as ``organization/name``.
    """

    id: str
    organization: str
    name: str
    self_approval: bool
    created_at: datetime
    positive_fallback: bool = False
    protected: bool = False
    default_policy: str = ""
    unlisted_types: str = "allow"
    last_change: int = 0
    staffed_change: int = 0
    self_approval_alone: bool = False
    former: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """``organization/name``, as in its agents' addresses."""
        return f"{self.organization}/{self.name}"

    @property
    def full_names(self) -> tuple[str, ...]:
        """The current name and the former ones."""
        return (self.full_name, *self.former)

    def was_in(self, organization: str) -> bool:
        """Whether it is, or was, in this organization."""
        return any(full.partition("/")[0] == organization for full in self.full_names)

    def is_called(self, organization: str, name: str) -> bool:
        """Whether it has, or had, this organization and this name; "" matches any. ``name`` may be its id."""
        if organization == "" and name in ("", self.id):
            return True
        named = (full.partition("/") for full in self.full_names)
        return any(organization in ("", of) and name in ("", self.id, called) for of, _, called in named)

    def allows_self_approval(self, people: int) -> bool:
        """Whether the requester's side may decide a request made now; ``people``: how many the workspace has had."""
        return self.self_approval and (people <= 1 or not self.self_approval_alone)

    @property
    def self_approval_setting(self) -> bool | str:
        """False, ``alone`` or True, as documents and the change log write it."""
        return ALONE if self.self_approval and self.self_approval_alone else self.self_approval

    @property
    def has_rules_for_requests(self) -> bool:
        """Whether the workspace has rules for the steps that a request brings itself."""
        return bool(self.default_policy) or self.unlisted_types != "allow"


class Person(Struct, frozen=True):
    """A natural person of a workspace; ``per_…``. ``addresses``: by channel. An inactive person cannot do anything."""

    id: str
    workspace: str
    email: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    active: bool = True
    addresses: dict[str, str] = {}
    zone: str = ""
    hours: Hours | None = None
    absences: tuple[Absence, ...] = ()
    preferences: dict[str, Any] = {}

    @property
    def removed(self) -> bool:
        """Whether the person was removed and is kept only for histories."""
        return self.email.startswith(REMOVED)

    @property
    def mail_address(self) -> str:
        """The address for mail to this person: the mail channel's address if one is set, else ``email``."""
        return self.addresses.get("email", "") or self.email


class Team(Struct, frozen=True, omit_defaults=True):
    """Members are person ids. With a rotation only the person on call is notified, but all members may decide. The
    team's tasks are also sent to its ``channel`` (``CHAT:ROOM``) and to its ``mailbox``, if it has them.
    """

    name: str
    members: tuple[str, ...]
    rotation: Rotation | None = None
    workspace: str = ""
    updated_at: datetime | None = None
    channel: str = ""
    mailbox: str = ""


class RemovedTeam(Struct, frozen=True):
    """A placeholder for a team that was removed."""

    workspace: str
    name: str


class PolicyVersion(Struct, frozen=True):
    """One version of a named policy; ``source``: as it was applied, empty in the version that removed it."""

    workspace: str
    name: str
    version: int
    source: bytes
    applied_by: str
    applied_at: datetime


class NamedWorkflow(Struct, frozen=True):
    """One version of the template for an intent type. ``source``: as in a policy."""

    workspace: str
    name: str
    intent_type: str
    version: int
    plan_digest: str
    source: bytes
    applied_by: str
    applied_at: datetime


class Account(Struct, frozen=True):
    """An agent or a service; ``sa_…``. ``name``: verbatim; ``address``: "" if it has none. ``behind``: the people who
    control it, by what they did: registered it, set its callback URL (``callback``), created its ``secret``.
    ``killed_at``, ``killed_by``: when an agent was killed, and by which person; None and "" if it was not, or was
    resumed. ``senders``: who may send to an agent; ``limits``: how much work it is given; None if nobody has set it.
    """

    id: str
    workspace: str
    kind: str
    name: str
    slug: str
    address: str
    display_name: str
    description: str
    delivery_mode: str
    callback_url: str
    webhook_secret: str
    status: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    behind: dict[str, tuple[str, ...]] = {}
    killed_at: datetime | None = None
    killed_by: str = ""
    senders: Senders | None = None
    limits: AgentLimits | None = None

    @property
    def restricted(self) -> bool:
        """Whether an admin has killed the agent, or limited its senders or its work."""
        return self.killed_at is not None or self.senders is not None or self.limits is not None


class ApiKey(Struct, frozen=True):
    """A key of one actor; ``sak_…``. Only the secret's hash is stored. ``created_by``: a person's id, or "";
    ``sponsors``: the controllers of the actor that created it; ``name``: the terminal that it was created for, or "".
    """

    id: str
    workspace: str
    actor_kind: str
    actor_id: str
    hash: str
    hint: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    sponsors: tuple[str, ...] = ()
    name: str = ""


class Session(Struct, frozen=True):
    """A person's session on the pages. ``id``: SHA-256 of the cookie's token; ``key_id``: the key that opened it; the
    session ends when the key does.
    """

    id: str
    workspace: str
    person: str
    key_id: str
    created_at: datetime
    expires_at: datetime


class Link(Struct, frozen=True):
    """A link for one person: to sign in (once), or to answer one task in one state (``visit``, ``digest``)."""

    id: str
    workspace: str
    person: str
    purpose: str
    intent_id: str
    visit: int
    digest: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class DeviceLogin(Struct, frozen=True):
    """A terminal that asks to sign in. ``id`` and ``user_code``: the SHA-256 of the terminal's secret and of the code
    that the person types; ``host`` and ``client``: what the terminal reports about itself; ``address``: its IP address;
    ``state``: pending, allowed, denied, or taken once the key was fetched; ``life``: how long the key is valid, in
    seconds.
    """

    id: str
    user_code: str
    host: str
    client: str
    address: str
    state: str
    created_at: datetime
    expires_at: datetime
    workspace: str = ""
    person: str = ""
    life: int = 0


class ChatPerson(Struct, frozen=True):
    """The person to whom ``account`` in ``team`` of ``channel`` belongs."""

    channel: str
    team: str
    account: str
    workspace: str
    person: str
    linked_at: datetime


class ChatCode(Struct, frozen=True):
    """A single-use code that links a chat account. ``id``: the SHA-256 of what the person types."""

    id: str
    channel: str
    workspace: str
    person: str
    expires_at: datetime


class DirectoryChange(Struct, frozen=True):
    """Who changed what in the directory.

    before, after: JSON, "" if there was or is nothing; subject: the entry that it is listed under (``person:per_…``,
    ``account:sa_…``, ``team:NAME``); number: its position in the workspace's change log, assigned when it is saved;
    confirmed_by: the second admin, if one was needed.
    """

    id: str
    workspace: str
    at: datetime
    actor_kind: str
    actor_id: str
    via: str
    kind: str
    name: str
    subject: str
    before: str
    after: str
    confirmed_by: str = ""
    number: int = 0


class StoredProposal(Struct, frozen=True):
    """A change that waits for a second admin: the document as received, and the changes as they were shown."""

    id: str
    workspace: str
    at: datetime
    actor_kind: str
    actor_id: str
    via: str
    source: bytes
    shown: bytes
    expires_at: datetime


class ProposalEnd(Struct, frozen=True):
    """How a proposal ended: ``confirmed`` or ``refused``, by whom. It is added once; adding a second one is an
    error.
    """

    id: str
    state: str
    actor_id: str
    via: str
    at: datetime
