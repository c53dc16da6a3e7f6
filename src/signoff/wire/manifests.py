"""Manifests, proposals, and the change log."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from msgspec import Struct

from signoff.wire.common import ABSENT, ActorOut, Object, Ok, OrEmpty, OrNone, PageResponse, Strict
from signoff.wire.fields import CHANGE_KINDS, At, DryRun, ExpiresAt, Via, Warnings, about, time


class ChangeOut(Struct, kw_only=True):
    """What an apply does to one entry: create, change, remove or unchanged. ``fields``: the fields that differ."""

    action: Annotated[
        str, about("What happens to the entry.", "change", words=("create", "change", "unchanged", "remove"))
    ]
    kind: Annotated[str, about("What the entry is.", "policy", words=CHANGE_KINDS)]
    name: Annotated[str, about("The entry's name.", "production")]
    fields: Annotated[list[str], about("The fields that differ.", ["approve"])]
    before: Annotated[
        OrEmpty[dict[str, Any]], about("The entry before.", {"approve": [{"any": ["team:sre"]}]})
    ] = ABSENT
    after: Annotated[
        OrEmpty[dict[str, Any]], about("The entry after.", {"approve": [{"any": ["team:sre"], "need": 2}]})
    ] = ABSENT


class ProposalOut(Struct, kw_only=True):
    """A change that needs a second admin, because it relaxes the rules on who decides. state: waiting, confirmed,
    refused, expired; ``relaxations``: kind and name of the relaxed entries; ``why``: the reasons, as text.
    """

    id: Annotated[str, about("The proposal's id.", "prop_01998a3c6f007d1e8a4bc35d9e7f1b25")]
    state: Annotated[
        str, about("Its state.", "waiting", words=("waiting", "confirmed", "refused", "expired"))
    ]
    proposed_by: Annotated[ActorOut, about("Who proposed it.")]
    proposed_at: Annotated[datetime, time("When it was proposed.")]
    expires_at: ExpiresAt
    changes: Annotated[list[ChangeOut], about("What it changes.")]
    relaxations: Annotated[list[str], about("The entries that it relaxes.", ["policy production"])]
    why: Annotated[
        list[str], about("Why it needs a second admin.", ["policy production: 1 approval instead of 2"])
    ]
    ended_by: Annotated[OrNone[ActorOut], about("Who confirmed or refused it.")] = ABSENT
    ended_at: Annotated[OrNone[datetime], time("When that was.")] = ABSENT
    warnings: Annotated[
        OrNone[tuple[str, ...]],
        about(
            "The open tasks that confirming it would leave with too few people, as text; while it waits, in the "
            "response about this proposal alone.",
            [
                "Task 01998a3c (Deploy?): stage 1 needs 2, 1 eligible left. It escalates now; an admin can reassign it."
            ],
        ),
    ] = ABSENT


class ProposalResponse(Ok, kw_only=True):
    """One proposed change."""

    proposal: Annotated[ProposalOut, about("The proposal.")]


class ProposalList(Ok, kw_only=True):
    """The proposals that wait for a second admin, newest first."""

    proposals: Annotated[list[ProposalOut], about("The proposals.")]


class ManifestResponse(Ok, kw_only=True):
    """What was changed, or in a dry run would be, in order. ``proposal``: the proposal that another admin has to
    confirm before anything is applied; its id is empty in a dry run. warnings: the open tasks that it leaves with
    too few people. ``seen``: the digest of the shown changes; a real run that sends it applies exactly these or
    nothing.
    """

    dry_run: DryRun
    changed: Annotated[bool, about("Whether anything was, or would be, changed.", True)]
    changes: Annotated[list[ChangeOut], about("What was, or would be, changed, in order.")]
    seen: Annotated[
        str,
        about(
            "The digest of the shown changes; a real run that sends it applies exactly these or nothing.",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
    ]
    warnings: Warnings = ()
    proposal: Annotated[
        OrNone[ProposalOut],
        about("The proposal that waits for a second admin; nothing is applied before they confirm it."),
    ] = ABSENT


class RecordedChange(ChangeOut, kw_only=True):
    """A change, with its author, and who confirmed it if a second admin was needed. action: create, change or remove;
    ``number``: its position in the workspace's change log.
    """

    kind: Annotated[str, about("What the entry is: as in a manifest, or agent, service or key.", "policy")]
    id: Annotated[str, about("The change's id.", "chg_01998a3c6f007d1e8a4bc35d9e7f1b26")]
    number: Annotated[int, about("Its position in the workspace's change log.", 12)]
    at: At
    actor: Annotated[ActorOut, about("Who made it.")]
    via: Via
    confirmed_by: Annotated[OrNone[ActorOut], about("The second admin who confirmed it.")] = ABSENT


class ChangesResponse(PageResponse, kw_only=True):
    """The change log, newest first."""

    changes: Annotated[list[RecordedChange], about("The changes.")]


class ManifestRequest(Strict, kw_only=True):
    """A manifest: people (by address), teams and policies (by name), workflows, settings of the workspace,
    and what to ``remove``: names of people, teams, policies and workflows.
    """

    _EXAMPLE: ClassVar = ("people", "teams", "policies")

    people: Annotated[
        Object,
        about("People, by address.", {"ann@acme.example": {"name": "Ann Berg", "roles": ["approver"]}}),
    ] = {}
    teams: Annotated[Object, about("Teams, by name.", {"sre": {"members": ["ann@acme.example"]}})] = {}
    policies: Annotated[
        Object,
        about("Policies, by name.", {"production": {"approve": [{"any": ["team:sre"]}], "risk": "high"}}),
    ] = {}
    workflows: Annotated[
        list[Object],
        about(
            "Workflows, as in their files.",
            [
                {
                    "workflow": "migrate",
                    "intent_type": "intent.db.migrate.v1",
                    "steps": [
                        {"id": "approve", "human": {"title": "Migrate users?", "policy": "production"}}
                    ],
                }
            ],
        ),
    ] = []
    workspace: Annotated[Object, about("Settings of the workspace.", {"default_policy": "production"})] = {}
    remove: Annotated[
        Object,
        about(
            "What to remove: people, teams, policies and workflows (by intent type).",
            {"teams": ["night-shift"], "workflows": ["intent.old.v1"]},
        ),
    ] = {}
