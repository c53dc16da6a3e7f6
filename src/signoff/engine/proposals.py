"""Two admins for what loosens who decides, where a workspace is protected: one proposes, another confirms.

What was shown when it was proposed is what is confirmed: if anything it touches has changed meanwhile, it is void.
Every proposal, and how it ended, is kept.
"""

from datetime import timedelta
from typing import Any, Final

import msgspec

from signoff.core.access import RUNNING
from signoff.core.charter import Charter, compile_charter
from signoff.core.errors import Conflict, Forbidden, NotFound
from signoff.core.model import Actor, ActorKind
from signoff.core.tasks import Strength
from signoff.engine.charter import Charters, Planned
from signoff.engine.clock import Clock
from signoff.engine.directory import Directory
from signoff.store.entries import ProposalEnd, ProposalRow
from signoff.store.store import Store

LIFE: Final = timedelta(days=7)
WAITING, CONFIRMED, REFUSED, EXPIRED = "waiting", "confirmed", "refused", "expired"
_JSON: Final = msgspec.json.Encoder(order="sorted")


class Shown(msgspec.Struct, frozen=True):
    """One change as it was shown to whoever proposed it; ``loosens``: whether this is why it takes two."""

    action: str
    kind: str
    name: str
    before: Any
    after: Any
    loosens: bool

    @property
    def premise(self) -> tuple[str, str, str, Any]:
        """What has to be the same still when it is confirmed."""
        return self.action, self.kind, self.name, self.before


class Proposal(msgspec.Struct, frozen=True):
    row: ProposalRow
    changes: tuple[Shown, ...]
    state: str
    end: ProposalEnd | None = None


_SHOWN: Final = msgspec.json.Decoder(tuple[Shown, ...])


class Proposals:
    """Takes up, lists and ends proposals."""

    def __init__(self, store: Store, directory: Directory, clock: Clock, charters: Charters) -> None:
        self._rows = store.people
        self._directory = directory
        self._clock = clock
        self._charters = charters

    async def apply(
        self, actor: Actor, charter: Charter, source: dict[str, Any], dry_run: bool = False
    ) -> tuple[list[Planned], Proposal | None]:
        """Apply it, or keep it as a proposal where it takes two; with ``dry_run`` only say which, under the id "".

        source: the document that the charter was compiled from.
        """
        draft = await self._charters.drafted(actor, charter)
        loosening = draft.loosening()
        if not loosening:
            if not dry_run:
                await self._charters.save(draft)
            return draft.planned, None
        now = self._clock.now()
        shown = tuple(
            Shown(one.action, one.kind, one.name, one.before, one.after, one in loosening)
            for one in draft.changed
        )
        row = ProposalRow(
            id="" if dry_run else draft.fresh_id("chg_"),
            workspace=actor.workspace,
            at=now,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            via=actor.via,
            source=_JSON.encode(source),
            shown=_JSON.encode(shown),
            expires_at=now + LIFE,
        )
        if not dry_run:
            await self._rows.save([row])
        return draft.planned, Proposal(row, shown, WAITING)

    async def waiting(self, actor: Actor, limit: int) -> list[Proposal]:
        """What waits for a second admin, newest first."""
        _may_look(actor)
        found = await self._rows.proposals(actor.workspace, self._clock.now(), limit)
        return [Proposal(row, _SHOWN.decode(row.shown), WAITING) for row in found]

    async def get(self, actor: Actor, id: str) -> Proposal:
        _may_look(actor)
        found = await self._rows.proposal(actor.workspace, id)
        if found is None:
            raise NotFound("proposal_not_found", f"There is no proposed change {id[:64]}.")
        row, end = found
        late = EXPIRED if row.expires_at <= self._clock.now() else WAITING
        return Proposal(row, _SHOWN.decode(row.shown), end.state if end else late, end)

    async def confirm(self, actor: Actor, id: str) -> tuple[Proposal, Charter]:
        """Apply what somebody else has proposed, on the word of both."""
        proposal = await self._open(actor, id)
        row = proposal.row
        if actor.id == row.actor_id:
            raise Forbidden(
                "second_person_required", "You proposed this; it takes another admin.",
                hint="Ask an owner or an admin: they find it under Changes.",
            )  # fmt: skip
        if actor.strength is Strength.LINK:
            raise Forbidden(
                "stronger_sign_in_required", "A change that loosens who decides is confirmed after a sign-in by mail.",
                hint="Finish in the browser: sign in by mail, then open Changes.",
            )  # fmt: skip
        charter = compile_charter(msgspec.json.decode(row.source))
        book = await self._directory.of(actor.workspace)
        proposer = book.actor(row.actor_id, self._clock.now(), row.via)
        if proposer is None or proposer.roles.isdisjoint(RUNNING):
            raise Conflict(
                "stale_proposal", "Whoever proposed this may not any more.", hint="Propose it again."
            )
        await self._charters.drafted(actor, charter)  # it takes two who both may
        draft = await self._charters.drafted(proposer, charter)
        premises = [(one.action, one.kind, one.name, one.before) for one in draft.changed]
        if _JSON.encode(premises) != _JSON.encode([one.premise for one in proposal.changes]):
            raise Conflict(
                "stale_proposal",
                "What this would change has changed since it was proposed.",
                hint="Propose it again.",
            )
        end = ProposalEnd(row.id, CONFIRMED, actor.id, actor.via, self._clock.now())
        await self._charters.save(draft, actor.id, end)
        return msgspec.structs.replace(proposal, state=CONFIRMED, end=end), charter

    async def refuse(self, actor: Actor, id: str) -> Proposal:
        """End it unapplied; whoever proposed it takes it back so."""
        proposal = await self._open(actor, id)
        end = ProposalEnd(proposal.row.id, REFUSED, actor.id, actor.via, self._clock.now())
        await self._rows.save([end])
        return msgspec.structs.replace(proposal, state=REFUSED, end=end)

    async def _open(self, actor: Actor, id: str) -> Proposal:
        if actor.kind is not ActorKind.PERSON or actor.roles.isdisjoint(RUNNING):
            raise Forbidden(
                "admin_required", "Only an owner or an admin may do this.", hint="Use a person's key."
            )
        proposal = await self.get(actor, id)
        if proposal.state != WAITING:
            raise Conflict(
                "proposal_ended", f"This proposed change is {proposal.state}.", hint="Propose it again."
            )
        return proposal


def _may_look(actor: Actor) -> None:
    if actor.kind is ActorKind.AGENT:
        raise Forbidden("not_allowed", "An agent's key does not read who decides.")
