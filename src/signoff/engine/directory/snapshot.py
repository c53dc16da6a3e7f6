"""The people, agents, services and workflows of a workspace, as one snapshot in memory.

A snapshot is reloaded when the feed announces a change to the directory, and every few seconds in any case. Addresses
are resolved here; docs/axp.md describes the order.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property
from time import monotonic
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson, Actor, ActorKind
from signoff.core.directory.agent_address import SCHEME, canonical, is_internal
from signoff.core.directory.authorization import PROGRAMS
from signoff.core.directory.model import Account, NamedWorkflow, Person, PolicyVersion, Team, Workspace
from signoff.core.directory.roles import DECIDING
from signoff.core.directory.rotation import absence_at
from signoff.core.errors import Invalid, NotFound, Unauthenticated
from signoff.core.intent.eligibility import AbsenceCover, Membership
from signoff.core.policy.fields import compile_policy
from signoff.core.policy.policy import Policy
from signoff.core.text import json_value
from signoff.core.text.describe import suggestion
from signoff.engine.directory.listed import Listed
from signoff.engine.feed import Feed, directory_topic, session_topic
from signoff.store.store import Store

_FRESH_FOR: Final = 5.0
# Longer types are not compared with others, because that takes the square of their length.
_COMPARED: Final = 64
# Values that are derived from a snapshot once, with the parts that they depend on.
_DERIVED: Final = {
    "by_email": {"people"},
    "accounts": {"by_address"},
    "active_people": {"people", "teams"},
    "membership": {"people", "teams", "workspace"},
    "staffing": {"people", "teams"},
    "_by_last_part": {"by_address"},
    "_own": {"workspace"},
    "_absent_by_delegate": {"people"},
    "_teams_of": {"teams"},
    "listed": {"people", "teams"},
    "listed_workflows": {"workflows"},
    "_types_without_one_character": {"workflows"},
}


class NamedPolicy(msgspec.Struct, frozen=True):
    """A policy of the workspace in its current version. ``fault``: why this release cannot use a policy that an older
    one accepted.
    """

    row: PolicyVersion
    compiled: Policy | None
    fault: str = ""

    @property
    def policy(self) -> Policy:
        """The compiled policy; raises Invalid if it cannot be used."""
        if self.compiled is None:
            raise Invalid(
                "policy_unusable",
                f"Policy {self.row.name!r}, version {self.row.version}, cannot be used by this release: {self.fault}",
                field=f"policies.{self.row.name}",
                hint="An admin must correct it and apply it again: signoff apply -f FILE.",
            )
        return self.compiled

    @property
    def name(self) -> str:
        """The policy's name and version, as recorded in a frozen plan."""
        return f"{self.row.name}@{self.row.version}"


def listed_key(person: Person) -> tuple[bool, str, str]:
    """The position of a person in lists: active people first, by name."""
    return not person.active, (person.name or person.email).lower(), person.id


class Snapshot(msgspec.Struct, frozen=True, dict=True):
    """One workspace's directory at one point in time. ``discreet``: whether hints must not name anybody; ``ended``: the
    last versions of removed policies and workflows, by kind and name; ``withheld``: the addresses of removed agents
    that were restricted, which mean no other agent.
    """

    workspace: Workspace
    by_address: dict[str, Account]
    by_name: dict[str, Account]
    people: dict[str, Person]
    workflows: dict[str, NamedWorkflow]
    teams: dict[str, Team] = {}
    policies: dict[str, NamedPolicy] = {}
    discreet: bool = False
    ended: dict[tuple[str, str], int] = {}
    withheld: frozenset[str] = frozenset()

    def but(self, **parts: Any) -> "Snapshot":
        """The snapshot with some parts replaced. Values derived from the other parts are kept; otherwise, applying a
        thousand policies together would take time proportional to the number of people for each of them.
        """
        other = replace(self, **parts)
        known, fresh = vars(self), vars(other)
        fresh.update(
            (name, known[name]) for name, of in _DERIVED.items() if name in known and of.isdisjoint(parts)
        )
        return other

    def suggest(self, word: str, known: Collection[str]) -> str | None:
        """ "Did you mean ...?", for callers that may list the entries."""
        return None if self.discreet else suggestion(word, list(known))

    def type_nearest(self, intent_type: str) -> str | None:
        """The listed type with one character more, less, different or elsewhere; None if there is none. Every caller
        may list the types. It takes a few look-ups per character, because any request may be the reason for it.
        """
        if len(intent_type) > _COMPARED:
            return None
        shorter = _without_one_character(intent_type)
        near = self._types_without_one_character
        return (
            near.get(intent_type)
            or next((one for one in shorter if one in self.workflows), None)
            or next((near[one] for one in shorter if one in near), None)
        )

    @cached_property
    def _types_without_one_character(self) -> dict[str, str]:
        return {
            shorter: intent_type
            for intent_type in self.workflows
            if len(intent_type) <= _COMPARED
            for shorter in _without_one_character(intent_type)
        }

    @cached_property
    def _discreet(self) -> "Snapshot":
        return replace(self, discreet=True)

    def as_seen_by(self, actor: Actor) -> "Snapshot":
        """The same directory for a caller. Hints for a program do not name anybody whom the program did not name
        itself.
        """
        return self._discreet if actor.kind in PROGRAMS else self

    def resolve(self, address: str) -> str:
        """The canonical address for ``address`` in this workspace; an unknown address is its own canonical form. An
        address of another workspace means the agent here with that name, if there is exactly one. The address of a
        removed agent that was restricted means no other agent: otherwise a service that registers one would
        lift the restriction.

        Raises Invalid(``invalid_agent_address``) for text that cannot be an address.
        """
        full = self._spelled(address)
        if (
            full in self.by_address
            or full in self.withheld
            or is_internal(full)
            or not full.startswith(SCHEME)
        ):
            return full
        return self._by_last_part.get(full.rpartition("/")[2]) or full

    def registered(self, address: str, field: str = "to_agent") -> Account | None:
        """The account with exactly this name or address: an agent of another workspace with the same name does not
        match. Raises Invalid naming ``field`` for text that cannot be an address.
        """
        return self.by_address.get(self._spelled(address, field))

    def _spelled(self, address: str, field: str = "to_agent") -> str:
        full = canonical(address, self.workspace.organization, self.workspace.name, field=field)
        if full in self.by_address or full in self.withheld:
            return full
        short = full.rpartition("/")[2]
        known = self.by_name.get(address) or (self.by_name.get(short) if full.startswith(self._own) else None)
        return known.address if known else full

    @cached_property
    def _own(self) -> tuple[str, ...]:
        """The prefixes of this workspace's addresses: with its current name or a former one."""
        return tuple(f"{SCHEME}{name}/" for name in self.workspace.full_names)

    @cached_property
    def _by_last_part(self) -> dict[str, str]:
        """The agents' addresses by their last part, if only one agent has it."""
        found: dict[str, set[str]] = {}
        for address, account in self.by_address.items():
            if account.kind == ActorKind.AGENT.value:
                found.setdefault(address.rpartition("/")[2], set()).add(address)
        return {last: next(iter(agents)) for last, agents in found.items() if len(agents) == 1}

    def account(self, address: str) -> Account | None:
        return self.by_address.get(self.resolve(address))

    def knows(self, actor_id: str) -> bool:
        """Whether a person, agent or service with this id exists."""
        return actor_id in self.people or actor_id in self.accounts

    def names_of(self, person: Person) -> frozenset[str]:
        """The names that match this person in approver lists; none for an inactive person."""
        return self.active_people.get(person.id, frozenset())

    @cached_property
    def made(self) -> dict[Any, Any]:
        """A cache of values derived from this snapshot, for its lifetime."""
        return {}

    @cached_property
    def staffing(self) -> dict[Any, tuple[int, bool]]:
        """A cache: how many people could decide a stage, and whether they could pass it."""
        return {}

    @cached_property
    def by_email(self) -> dict[str, Person]:
        """The people, active or not, by their address."""
        return {p.email: p for p in reversed(self.people.values())}

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The agents and services by their ids."""
        return {a.id: a for a in reversed(self.by_address.values())}

    @cached_property
    def _teams_of(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for team in self.teams.values():
            for member in dict.fromkeys(team.members):
                found.setdefault(member, []).append(team.name)
        return found

    def teams_of(self, person_id: str) -> Sequence[str]:
        """The names of the teams with this member."""
        return self._teams_of.get(person_id, ())

    @cached_property
    def listed(self) -> Listed[Person]:
        """The people who were not removed: active ones first, by name."""
        return Listed(
            (
                listed_key(p),
                " ".join((p.name, p.email, *p.roles, *self.teams_of(p.id))),
                p,
            )
            for p in self.people.values()
            if not p.removed
        )

    @cached_property
    def listed_workflows(self) -> Listed[NamedWorkflow]:
        """The workflows by name."""
        return Listed(
            ((flow.name.lower(), flow.intent_type), f"{flow.name} {flow.intent_type}", flow)
            for flow in self.workflows.values()
        )

    @cached_property
    def active_people(self) -> dict[str, frozenset[str]]:
        """The names of each active person, by id."""
        return {
            p.id: frozenset(
                {
                    p.id,
                    p.email.lower(),
                    *(f"role:{role}" for role in p.roles),
                    *(f"team:{team}" for team in self.teams_of(p.id)),
                }
            )
            for p in self.people.values()
            if p.active
        }

    @cached_property
    def membership(self) -> Membership:
        """What the rules need to know about the directory."""
        covers = (
            AbsenceCover(person.id, absence.delegate, absence.end)
            for person in self.people.values()
            if person.active
            for absence in person.absences
            if absence.delegate
        )
        return Membership(self.active_people, covers, self.workspace.self_approval, self.self_approval)

    @cached_property
    def _absent_by_delegate(self) -> dict[str, list[Person]]:
        """The people who named each delegate for an absence, by delegate."""
        absent: dict[str, list[Person]] = {}
        for person in self.people.values():
            for delegate in {absence.delegate for absence in person.absences if absence.delegate}:
                absent.setdefault(delegate, []).append(person)
        return absent

    def delegate_for(self, person_id: str, at: datetime) -> tuple[AbsentPerson, ...]:
        """The people whose delegate this person is at ``at``, without those who could not decide in their own right."""
        person = self.people.get(person_id)
        if person is None or not person.active or DECIDING.isdisjoint(person.roles):
            return ()
        away = [
            (absent, absence_at(absent.absences, at))
            for absent in self._absent_by_delegate.get(person_id, ())
        ]
        return tuple(
            AbsentPerson(absent.id, self.names_of(absent))
            for absent, absence in away
            if absent.active and absence is not None and absence.delegate == person_id
        )

    @property
    def self_approval(self) -> bool:
        """Whether the requester's side may decide a request made now. Deactivated people count too; otherwise an
        admin could turn self-approval back on by deactivating everybody else.
        """
        return self.workspace.allows_self_approval(len(self.people))

    @property
    def is_trial(self) -> bool:
        """Whether this is a trial workspace with one person, who may approve their own requests, and which nobody else
        has ever joined.
        """
        return self.workspace.self_approval and len(self.people) == 1

    def actor(self, person_id: str, at: datetime, via: str = "") -> Actor | None:
        """The person as an actor at ``at``; None if there is no such active person."""
        person = self.people.get(person_id)
        if person is None or not person.active:
            return None
        return Actor(
            ActorKind.PERSON,
            person.id,
            self.workspace.id,
            names=self.names_of(person),
            roles=frozenset(person.roles),
            sponsors=(person.id,),
            via=via,
            self_approval=self.workspace.self_approval,
            delegate_for=self.delegate_for(person.id, at),
            as_of=self.workspace.last_change,
        )

    def person(self, name: str) -> Person | None:
        """The active person with that id or address."""
        name = name.strip().removeprefix("person:")
        found = self.anybody(name)
        return found if found is not None and found.active else None

    def anybody(self, name: str) -> Person | None:
        """The person with that id or address, active or not."""
        return self.people.get(name) or self.by_email.get(name.lower())

    def display(self, actor_id: str) -> str:
        """A display name for an actor; the id if there is none."""
        person = self.people.get(actor_id)
        if person:
            return person.name or person.email
        account = self.accounts.get(actor_id)
        return (account.display_name or account.name) if account else actor_id


class DirectoryCache:
    """A cache of the snapshots of workspaces; ``store.tables.directory`` holds the rows."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed
        self._held: dict[str, tuple[float, Snapshot]] = {}
        self._loading: dict[str, asyncio.Task[tuple[float, Snapshot]]] = {}
        feed.watch(self._notified, "directory")

    def _notified(self, topic: str) -> None:
        if topic == "":
            self._held.clear()
            self._loading.clear()
        elif topic.startswith("directory:"):
            self.forget(topic.partition(":")[2])

    def forget(self, workspace: str) -> None:
        """Read it again on the next access."""
        self._held.pop(workspace, None)
        self._loading.pop(workspace, None)  # the snapshot being loaded may be older than the change

    def changed(self, workspace: str) -> None:
        """Announce, here and to other replicas, that this workspace's directory has changed."""
        self._feed.publish([directory_topic(workspace)])

    def sessions_changed(self, person: str) -> None:
        """Announce, here and to other replicas, that someone was signed out."""
        self._feed.publish([session_topic(person)])

    @property
    def fresh_for(self) -> float:
        """For how many seconds a snapshot is valid: fewer if announcements from other replicas do not
        arrive.
        """
        return min(_FRESH_FOR, self._feed.reread)

    async def of(self, workspace: str) -> Snapshot:
        """The snapshot of a workspace, at most a few seconds old; NotFound if there is no such workspace."""
        held = self._held.get(workspace)
        now = monotonic()
        if held is not None and now - held[0] < self.fresh_for:
            return held[1]
        loading = self._loading.get(workspace)
        if loading is None:
            loading = self._loading[workspace] = asyncio.create_task(self._load(workspace))
            loading.add_done_callback(lambda task: self._loaded(workspace, task))
        return (await asyncio.shield(loading))[1]

    def held(self, workspace: str) -> Snapshot | None:
        """The snapshot of a workspace, if a valid one is in memory."""
        held = self._held.get(workspace)
        if held is None or monotonic() - held[0] >= self.fresh_for:
            return None
        return held[1]

    async def anew(self, workspace: str) -> Snapshot:
        """Read a new snapshot, for callers that found the cached one outdated."""
        self._notified(directory_topic(workspace))
        return await self.of(workspace)

    def outdated(self, workspace: str) -> None:
        """Drop the cached snapshot and everything derived from it, because it is outdated."""
        self._feed.hear([directory_topic(workspace)])

    async def present(self, actor: Actor, at: datetime) -> Actor:
        """The actor with the rights that the database currently gives; raises Unauthenticated if they no longer have
        access.
        """
        if actor.kind is ActorKind.SYSTEM:
            return actor
        directory = await self.anew(actor.workspace)
        key = await self._store.directory.key(actor.key) if actor.key else None
        revoked = actor.key != "" and (key is None or key.revoked_at is not None)
        if actor.kind is not ActorKind.PERSON:
            account = directory.accounts.get(actor.id)
            if revoked or account is None or account.status != "active":
                raise Unauthenticated("key_revoked", "This key was revoked, or its account is not active.")
            return replace(actor, as_of=directory.workspace.last_change, killed_at=account.killed_at)
        person = directory.actor(actor.id, at, actor.via)
        if revoked or person is None:
            raise Unauthenticated("key_revoked", "This key was revoked, or its person is no longer active.")
        return replace(person, sponsors=actor.sponsors, strength=actor.strength, key=actor.key)

    def _loaded(self, workspace: str, task: "asyncio.Task[tuple[float, Snapshot]]") -> None:
        if self._loading.get(workspace) is task:
            del self._loading[workspace]
            if not task.cancelled() and task.exception() is None:
                self._held[workspace] = task.result()

    async def _load(self, workspace: str) -> tuple[float, Snapshot]:
        now = monotonic()
        rows = self._store.directory
        found = await rows.workspace(workspace)
        if found is None:
            raise NotFound("workspace_not_found", f"There is no workspace {workspace}.")
        held = self._held.get(workspace)
        # The number of the last change is the same, so nothing has changed.
        if held is not None and held[1].workspace == found:
            return now, held[1]
        known = await rows.accounts(workspace, None)
        accounts = [a for a in known if a.status != "revoked"]
        named: dict[str, dict[str, Account]] = {}
        for account in accounts:
            for name in (account.name, account.slug, account.address.rpartition("/")[2]):
                named.setdefault(name, {})[account.address] = account
        # an ambiguous name does not resolve: chance must not decide who gets the work
        by_name = {name: next(iter(one.values())) for name, one in named.items() if len(one) == 1}
        policies: dict[str, NamedPolicy] = {}
        ended: dict[tuple[str, str], int] = {}
        flows = await rows.workflows(workspace)
        ended |= {("workflow", flow.intent_type): flow.version for flow in flows if not flow.source}
        for policy in await self._store.people.policies(workspace):
            if not policy.source:
                ended["policy", policy.name] = policy.version
                continue
            policies[policy.name] = _compiled(policy)
            await asyncio.sleep(0)  # so that a thousand policies do not block the event loop
        snapshot = Snapshot(
            workspace=found,
            by_address={a.address: a for a in accounts},
            by_name=by_name,
            people={p.id: p for p in await rows.people(workspace)},
            workflows={flow.intent_type: flow for flow in flows if flow.source},
            teams={team.name: team for team in await self._store.people.teams(workspace)},
            policies=policies,
            ended=ended,
            withheld=frozenset(a.address for a in known if a.status == "revoked" and a.restricted),
        )
        return now, snapshot


def _without_one_character(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def _compiled(row: PolicyVersion) -> NamedPolicy:
    """Compile a policy. One that cannot be used is kept with the reason, so that only its uses are refused."""
    try:
        return NamedPolicy(row, compile_policy(json_value.decode(row.source), f"policies.{row.name}"))
    except Invalid as refusal:
        return NamedPolicy(row, None, f"{refusal.message} {refusal.hint or ''}".strip())
    except msgspec.DecodeError as damage:
        return NamedPolicy(replace(row, source=b"{}"), None, f"it is damaged: {damage}")
