"""Manifests, proposals, and the change log."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, Object, Ok, OrEmpty, OrNone, PageAnswer, Strict


class ChangeOut(Struct, kw_only=True):
    """What an apply does to one entry: create, change or unchanged; ``fields``: those that differ."""

    action: str
    kind: str
    name: str
    fields: list[str]
    before: OrEmpty[dict[str, Any]] = ABSENT
    after: OrEmpty[dict[str, Any]] = ABSENT


class ProposalOut(Struct, kw_only=True):
    """A change that needs a second admin, because it relaxes who decides. state: waiting, confirmed, refused, expired;
    ``relaxations``: kind and name of the relaxed entries; ``why``: the reasons in plain words.
    """

    id: str
    state: str
    proposed_by: ActorOut
    proposed_at: datetime
    expires_at: datetime
    changes: list[ChangeOut]
    relaxations: list[str]
    why: list[str]
    ended_by: OrNone[ActorOut] = ABSENT
    ended_at: OrNone[datetime] = ABSENT


class ProposalAnswer(Ok, kw_only=True):
    """One proposed change."""

    proposal: ProposalOut


class ProposalList(Ok, kw_only=True):
    """The proposals that wait for a second admin, newest first."""

    proposals: list[ProposalOut]


class ManifestAnswer(Ok, kw_only=True):
    """What was, or (dry run) would be, changed, in order. ``proposal``: nothing is applied until another admin has
    confirmed it (its id is empty in a dry run). warnings: which open tasks it leaves with too few people. ``seen``: the
    digest of what was found and is done; sent with the real run, it is that or nothing.
    """

    dry_run: bool
    changed: bool
    changes: list[ChangeOut]
    seen: str
    warnings: tuple[str, ...] = ()
    proposal: OrNone[ProposalOut] = ABSENT


class RecordedChange(ChangeOut, kw_only=True):
    """A change, with its author, and who confirmed it if a second admin was needed. action: create, change or remove;
    ``number``: its position in the workspace's change log.
    """

    id: str
    number: int
    at: datetime
    actor: ActorOut
    via: str
    confirmed_by: OrNone[ActorOut] = ABSENT


class ChangesAnswer(PageAnswer, kw_only=True):
    """The change log, newest first."""

    changes: list[RecordedChange]


class ManifestRequest(Strict, kw_only=True):
    """A manifest: people (by address), teams and policies (by name), workflows, settings of the workspace."""

    people: Object = {}
    teams: Object = {}
    policies: Object = {}
    workflows: list[Object] = []
    workspace: Object = {}
