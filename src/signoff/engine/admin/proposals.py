"""A relaxation in a protected workspace needs two admins: one proposes it, another confirms it.

The second admin confirms exactly the proposed change: if anything that it touches has changed in the meantime, the
proposal is void. Proposals are kept after they have ended.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize, permits
from signoff.core.directory.model import ProposalEnd, StoredProposal
from signoff.core.errors import Conflict, Forbidden, NotFound, Refused
from signoff.core.formats.manifest import Manifest, compile_manifest
from signoff.core.plan.task_types import Strength
from signoff.core.text import json_value
from signoff.engine.admin.apply_manifest import ManifestApplier
from signoff.engine.admin.manifest_diff import ManifestDiff
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import retry_on_conflict
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.key_restrictions import refuse_others_key
from signoff.notify.registry import personal_channels
from signoff.store.store import Store
from signoff.store.transaction import OutboxKind, OutboxRow

LIFE: Final = timedelta(days=7)
WAITING, CONFIRMED, REFUSED, EXPIRED = "waiting", "confirmed", "refused", "expired"
_ROW_IDS: Final = uuid.UUID("6f0a4b0e-6c0e-5d0c-9b53-3d1f5a1c2b77")
_JSON: Final = msgspec.json.Encoder(order="sorted")


class ProposedChange(msgspec.Struct, frozen=True):
    """One change as its author saw it. ``loosens``: whether it needs a second admin; ``why``: the reasons, as text."""

    action: str
    kind: str
    name: str
    before: Any
    after: Any
    loosens: bool
    why: tuple[str, ...] = ()

    @property
    def base_state(self) -> tuple[str, str, str, Any]:
        """What must still be the same at confirmation."""
        return self.action, self.kind, self.name, self.before


class ProposalNotification(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outbox row for a proposal in this ``state``; nothing is sent if the state has changed. person: "" until
    the recipients are known; channels: those to try, in order.
    """

    state: str
    person: str = ""
    channels: tuple[str, ...] = msgspec.field(default=(), name="ways")


class Proposal(msgspec.Struct, frozen=True):
    row: StoredProposal
    changes: tuple[ProposedChange, ...]
    state: str
    end: ProposalEnd | None = None


_SHOWN: Final = msgspec.json.Decoder(tuple[ProposedChange, ...])


class Proposals:
    """Creates, lists and ends proposals."""

    def __init__(
        self, store: Store, directory: DirectoryCache, clock: Clock, manifests: ManifestApplier
    ) -> None:
        self._rows = store.people
        self._directory = directory
        self._clock = clock
        self._manifests = manifests

    async def apply(
        self, actor: Actor, manifest: Manifest, source: dict[str, Any], dry_run: bool = False, seen: str = ""
    ) -> tuple[ManifestDiff, Proposal | None]:
        """Apply a manifest, or store it as a proposal if it needs a second admin; with ``dry_run``, only report which
        of the two, with the id "".

        source: the document that the manifest was compiled from; seen: the digest of the preview
        (``ManifestDiff.seen``). Raises Conflict if the result would now differ from what was shown, unless
        nothing is left to change because it has already been applied.
        """

        async def use(draft: ManifestDiff) -> tuple[ManifestDiff, Proposal | None]:
            if seen and draft.changed and draft.seen() != seen:
                raise Conflict(
                    "stale_manifest",
                    "Part of it has changed since it was shown; nothing was applied.",
                    hint="Review the current difference, and apply it again.",
                    details={"seen": draft.seen()},
                )
            if draft.relaxations():
                return draft, await self._proposed(draft, source, dry_run)
            if not dry_run:
                await self._manifests.save(draft)
            return draft, None

        draft, proposal = await self._manifests.with_current_state(actor, manifest, use)
        if proposal is None and not dry_run:
            await self._manifests.register_agents(actor, manifest)
        return draft, proposal

    async def _proposed(self, draft: ManifestDiff, source: dict[str, Any], dry_run: bool) -> Proposal:
        refuse_others_key(draft.actor, "propose a relaxation")
        shown = tuple(
            ProposedChange(one.action, one.kind, one.name, one.before, one.after, bool(why), tuple(why))
            for one in draft.changed
            for why in [draft.relaxations_of(one)]
        )
        row = StoredProposal(
            id="" if dry_run else draft.fresh_id("chg_"),
            workspace=draft.actor.workspace,
            at=draft.now,
            actor_kind=draft.actor.kind.value,
            actor_id=draft.actor.id,
            via=draft.actor.via,
            source=_JSON.encode(source),
            shown=_JSON.encode(shown),
            expires_at=draft.now + LIFE,
        )
        if not dry_run:
            asked = proposal_row(row, ProposalNotification(WAITING), row.at)
            over = proposal_row(row, ProposalNotification(EXPIRED), row.expires_at)
            await self._rows.save([row, asked, over])
            self._directory.changed(row.workspace)
        return Proposal(row, shown, WAITING)

    async def waiting(self, actor: Actor, limit: int) -> list[Proposal]:
        """The proposals that wait for a second admin, newest first."""
        authorize(actor, Action.READ_CHANGES)
        found = await self._rows.proposals(actor.workspace, self._clock.now(), limit)
        return [Proposal(row, shown_in(row), WAITING) for row in found]

    async def ended(self, actor: Actor, limit: int, before: str = "") -> list[Proposal]:
        """Proposals that were confirmed or refused, or have expired, newest first; before: only those with ids below
        this one.
        """
        authorize(actor, Action.READ_CHANGES)
        found = await self._rows.ended_proposals(actor.workspace, self._clock.now(), before, limit)
        return [Proposal(row, shown_in(row), end.state if end else EXPIRED, end) for row, end in found]

    async def get(self, actor: Actor, id: str) -> Proposal:
        authorize(actor, Action.READ_CHANGES)
        found = await self._rows.proposal(actor.workspace, id)
        if found is None:
            raise NotFound("proposal_not_found", f"There is no proposal {id[:64]}.")
        row, end = found
        return Proposal(row, shown_in(row), state_of(row, end, self._clock.now()), end)

    async def understaffed(self, proposal: Proposal) -> tuple[str, ...]:
        """Warnings about the open tasks that confirming it would leave understaffed."""
        if proposal.state != WAITING:
            return ()
        try:
            draft = await self._drafted(proposal)
        except Refused:  # it can no longer be confirmed
            return ()
        return await self._manifests.understaffed(draft)

    async def stale(self, proposal: Proposal) -> str:
        """Why the proposal can no longer be confirmed; "" while it can."""
        try:
            await self._drafted(proposal)
        except Refused as refusal:
            return refusal.message
        return ""

    async def confirm(self, actor: Actor, id: str) -> Proposal:
        """Apply another admin's proposal; the change log names both."""

        async def attempt() -> tuple[Proposal, Manifest]:
            proposal = await self._open(actor, id)
            if actor.id == proposal.row.actor_id:
                raise Forbidden(
                    "second_person_required",
                    "You proposed this; another admin must confirm it.",
                    hint="Ask an owner or an admin: they find it under Changes, Proposals.",
                )
            if actor.strength is Strength.LINK:
                raise Forbidden(
                    "stronger_sign_in_required",
                    "Confirming a change that relaxes the rules on who decides requires a sign-in by e-mail.",
                    hint="Finish in the browser: sign in by e-mail, then open Changes, Proposals.",
                )
            manifest = _manifest(proposal)
            await self._manifests.drafted(actor, manifest)  # both must have the right
            draft = await self._drafted(proposal)
            end = ProposalEnd(proposal.row.id, CONFIRMED, actor.id, actor.via, self._clock.now())
            await self._manifests.save(draft, actor.id, end, _ended_row(proposal, end))
            return msgspec.structs.replace(proposal, state=CONFIRMED, end=end), manifest

        proposal, manifest = await retry_on_conflict(attempt, lambda: self._manifests.forget(actor))
        await self._manifests.register_agents(actor, manifest)
        return proposal

    async def _drafted(self, proposal: Proposal) -> ManifestDiff:
        """The changes of a proposal, authorized as its author. Raises Conflict if they are no longer what the author
        saw.
        """
        row = proposal.row
        directory = await self._directory.of(row.workspace)
        proposer = directory.actor(row.actor_id, self._clock.now(), row.via)
        if proposer is None or not permits(proposer, Action.END_PROPOSAL):
            raise Conflict(
                "stale_proposal",
                "The author of this proposal may no longer make this change.",
                hint="Propose it again.",
            )
        draft = await self._manifests.drafted(proposer, _manifest(proposal))
        base_state = [(one.action, one.kind, one.name, one.before) for one in draft.changed]
        if _JSON.encode(base_state) != _JSON.encode([one.base_state for one in proposal.changes]):
            raise Conflict(
                "stale_proposal",
                "The entries have changed since this was proposed.",
                hint="Propose it again.",
            )
        return draft

    async def refuse(self, actor: Actor, id: str) -> Proposal:
        """End a proposal without applying it; its author withdraws it in the same way."""

        async def attempt() -> Proposal:
            proposal = await self._open(actor, id)
            end = ProposalEnd(proposal.row.id, REFUSED, actor.id, actor.via, self._clock.now())
            await self._rows.save([end, _ended_row(proposal, end)])
            self._directory.changed(actor.workspace)
            return msgspec.structs.replace(proposal, state=REFUSED, end=end)

        return await retry_on_conflict(attempt, lambda: self._manifests.forget(actor))

    async def _open(self, actor: Actor, id: str) -> Proposal:
        authorize(actor, Action.END_PROPOSAL)
        proposal = await self.get(actor, id)
        if proposal.state != WAITING:
            raise Conflict("proposal_ended", f"This proposal is {proposal.state}.", hint="Propose it again.")
        return proposal


def proposal_row(proposal: StoredProposal, notification: ProposalNotification, due_at: datetime) -> OutboxRow:
    """An outbox row about a proposal. Its id is stable for the same state, person and channels."""
    id = str(
        uuid.uuid5(
            _ROW_IDS,
            "/".join(
                (
                    proposal.id,
                    notification.state,
                    notification.person,
                    *notification.channels,
                    due_at.isoformat(),
                )
            ),
        )
    )
    return OutboxRow(
        id,
        proposal.workspace,
        proposal.id,
        0,
        OutboxKind.ADMIN,
        "proposals",
        notification.person,
        msgspec.json.encode(notification),
        due_at,
    )


def _ended_row(proposal: Proposal, end: ProposalEnd) -> OutboxRow:
    return proposal_row(proposal.row, ProposalNotification(end.state), end.at)


def state_of(row: StoredProposal, end: ProposalEnd | None, now: datetime) -> str:
    return end.state if end else EXPIRED if row.expires_at <= now else WAITING


def shown_in(row: StoredProposal) -> tuple[ProposedChange, ...]:
    return _SHOWN.decode(row.shown)


def reasons(shown: Iterable[ProposedChange]) -> list[str]:
    """Why a second admin is needed, one line per reason."""
    return [
        f"{one.kind} {one.name}: {why}"
        for one in shown
        for why in (one.why or ("relaxes the rules on who decides",))
        if one.loosens
    ]


def _manifest(proposal: Proposal) -> Manifest:
    return compile_manifest(json_value.decode(proposal.row.source), personal_channels(), kept=True)
