"""Compare a manifest with a workspace: what each entry changes, and the former values. Nothing is written here."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.mailboxes import mailbox_key
from signoff.core.directory.model import DirectoryChange, NamedWorkflow, Person, Team
from signoff.core.ids import uuid7
from signoff.core.plan.plan import Plan
from signoff.engine.admin.relaxations import relaxations_of
from signoff.engine.directory.change_log import person_subject, recorded
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.workspace_rules import rules_relaxations

_SORTED: Final = msgspec.json.Encoder(order="sorted")
CREATE, CHANGE, REMOVE, UNCHANGED = "create", "change", "remove", "unchanged"
_GOVERNED: Final = {
    "workspace": "requests without a workflow may set more of their own rules",
    "workflow": "the first workflow for a type that was under the workspace's default policy until now",
}


class _Nothing(msgspec.Struct, frozen=True):
    """Stands for an entry that does not exist."""


_NOTHING: Final = _Nothing()


class PlannedChange(msgspec.Struct, frozen=True):
    """The change to one entry; ``before`` and ``after`` as JSON values, None if absent; ``entry``: as stored, or to be
    stored.
    """

    action: str
    kind: str
    name: str
    before: Any
    after: Any
    entry: msgspec.Struct


def _mailboxes(person: Person) -> set[str]:
    return {mailbox_key(address) for address in (person.email, person.mail_address)}


class ManifestDiff:
    """The workspace as the entries read so far would leave it; nothing is written yet. ``removed``: the former
    values of the teams and policies that it adds again after their removal, by kind and name. ``agents``: the addresses
    of the agents that it registers. ``warnings``: the open tasks that it leaves understaffed.
    """

    def __init__(
        self,
        actor: Actor,
        directory: Snapshot,
        now: datetime,
        removed: Mapping[tuple[str, str], Any] | None = None,
    ) -> None:
        self.removed = removed or {}
        self.actor = actor
        self.now = now
        self.before = self.directory = directory
        self.planned: list[PlannedChange] = []
        self.entries: list[msgspec.Struct] = []
        self.plans: list[Plan] = []
        self.agents: list[str] = []
        self.warnings: tuple[str, ...] = ()
        self._people: dict[str, Person] | None = None
        self._by_mailbox: dict[str, dict[str, Person]] | None = None

    def note(self, kind: str, name: str, before: Any, after: Any, entry: msgspec.Struct) -> None:
        """Add one entry; it is written only if it differs from the current one."""
        if before == after:
            self.planned.append(PlannedChange(UNCHANGED, kind, name, before, after, entry))
            return
        action = CREATE if before is None else REMOVE if after is None else CHANGE
        self.planned.append(PlannedChange(action, kind, name, before, after, entry))
        self.entries.append(entry)

    def absent(self, kind: str, name: str) -> None:
        """Note that an entry to be removed does not exist."""
        self.planned.append(PlannedChange(UNCHANGED, kind, name, None, None, _NOTHING))

    def put_person(self, person: Person) -> None:
        """Add or replace a person in the draft; the cost does not depend on the number of people."""
        if self._people is None:
            self._people = dict(self.before.people)
            self._by_email = dict(self.before.by_email)
        if self._by_mailbox is not None:
            known = self._people.get(person.id)
            for key in _mailboxes(known) if known else ():
                self._by_mailbox.get(key, {}).pop(person.id, None)
            self._index(self._by_mailbox, person)
        self._people[person.id] = person
        self._by_email[person.email] = person
        self.directory = self.directory.but(people=self._people)
        vars(self.directory)["by_email"] = self._by_email

    def with_same_mailbox(self, person: Person) -> Person | None:
        """Another active person who has one of this person's mailboxes."""
        if self._by_mailbox is None:
            self._by_mailbox = {}
            for one in self.directory.people.values():
                self._index(self._by_mailbox, one)
        readers = (self._by_mailbox.get(key, {}) for key in _mailboxes(person))
        return next((one for found in readers for one in found.values() if one.id != person.id), None)

    @staticmethod
    def _index(by_mailbox: dict[str, dict[str, Person]], person: Person) -> None:
        for key in _mailboxes(person) if person.active else ():
            by_mailbox.setdefault(key, {})[person.id] = person

    def fresh_id(self, prefix: str) -> str:
        return prefix + uuid7(int(self.now.timestamp() * 1000), secrets.token_bytes(10)).replace("-", "")

    @property
    def changed(self) -> list[PlannedChange]:
        return [planned for planned in self.planned if planned.action != UNCHANGED]

    def relaxations(self) -> list[PlannedChange]:
        """The changes that need a second admin."""
        return [planned for planned in self.changed if self.relaxations_of(planned)]

    def relaxations_of(self, planned: PlannedChange) -> list[str]:
        """Why this change needs a second admin: in a protected workspace, because it relaxes the rules on who decides.
        A file that the server is started with does not need one, because the operator decided.
        """
        if not needs_second_admin(self.before, self.actor):
            return []
        before = planned.before
        if before is None:  # requests and proposals may name what is added again
            before = self.removed.get((planned.kind, planned.name))
        found = relaxations_of(planned.kind, before, planned.after, self.actor.id)
        if rules_relaxations(planned.kind, planned.before is None, self.before, self.directory):
            found.append(_GOVERNED[planned.kind])
        return found

    @property
    def base_state(self) -> dict[tuple[str, str], Any]:
        """The former state of each entry of the manifest."""
        return {(planned.kind, planned.name): planned.before for planned in self.planned}

    def seen(self) -> str:
        """A digest of the preview: each entry's action, former value, and reasons for a second admin. The new values
        are not included; they follow from the document.
        """
        shown = [
            (one.action, one.kind, one.name, one.before, self.relaxations_of(one)) for one in self.planned
        ]
        return hashlib.sha256(_SORTED.encode(shown)).hexdigest()

    def changes(self, confirmed_by: str = "") -> list[DirectoryChange]:
        """Its change log entry."""
        return [
            replace(
                recorded(self.actor, self.now, one.kind, one.name, subject(one), one.before, one.after),
                confirmed_by=confirmed_by,
            )
            for one in self.changed
        ]


def needs_second_admin(directory: Snapshot, actor: Actor) -> bool:
    """Whether a change that relaxes the rules on who decides needs a second admin."""
    return directory.workspace.protected and actor.kind is not ActorKind.SYSTEM


# -- how each kind of entry is shown in the change log


def shown_person(person: Person) -> dict[str, Any]:
    """A person, without the creation time."""
    built: dict[str, Any] = msgspec.to_builtins(person)
    return {name: value for name, value in built.items() if name not in ("workspace", "created_at")}


def shown_team(team: Team) -> Any:
    return msgspec.to_builtins(replace(team, workspace="", updated_at=None))


def shown_flow(flow: NamedWorkflow) -> dict[str, Any]:
    return {"name": flow.name, "version": flow.version, "plan": flow.plan_digest}


def subject(planned: PlannedChange) -> str:
    """Its subject in the change log."""
    if isinstance(planned.entry, Person):
        return person_subject(planned.entry.id)
    return planned.kind if planned.kind == "workspace" else f"{planned.kind}:{planned.name}"
