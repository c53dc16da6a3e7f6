"""Everything that changes who and what a workspace knows: agents, services and keys, and beside them people and what
they agree on. What a charter names exists from then on.
"""

from typing import Any

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.agent_address import is_internal
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Person
from signoff.core.directory.roles import ROLES
from signoff.core.errors import Invalid, NotFound
from signoff.core.formats.manifest import Charter, PersonSpec
from signoff.core.formats.workflow import WorkflowTemplate
from signoff.core.plan.plan import AgentStep
from signoff.engine.admin.accounts import Accounts
from signoff.engine.admin.apply_manifest import Charters
from signoff.engine.admin.manifest_diff import Planned
from signoff.engine.admin.proposals import Proposal, Proposals
from signoff.engine.clock import Clock
from signoff.engine.directory.snapshot import Directory
from signoff.engine.identity.keys import Keys
from signoff.store.store import Store


class Registry(Accounts):
    """``private_callbacks``: whether agents in the own network, or without TLS, are called."""

    def __init__(
        self, store: Store, directory: Directory, keys: Keys, clock: Clock, private_callbacks: bool = False
    ) -> None:
        super().__init__(store, directory, keys, clock, private_callbacks)
        self.charters = Charters(store, directory, clock)
        self.proposals = Proposals(store, directory, clock, self.charters)

    async def apply(self, actor: Actor, charter: Charter, dry_run: bool = False) -> list[Planned]:
        """All that one document asks for, or nothing; its workflows' agents exist from then on."""
        planned = await self.charters.apply(actor, charter, dry_run)
        if not dry_run:
            await self._register_all(actor, charter)
        return planned

    async def apply_or_propose(
        self, actor: Actor, charter: Charter, source: dict[str, Any], dry_run: bool = False
    ) -> tuple[list[Planned], Proposal | None]:
        """The same, or a proposal where the workspace is protected and it takes a second admin."""
        planned, proposal = await self.proposals.apply(actor, charter, source, dry_run)
        if proposal is None and not dry_run:
            await self._register_all(actor, charter)
        return planned, proposal

    async def confirm(self, actor: Actor, id: str) -> Proposal:
        """Apply what another admin has proposed."""
        proposal, charter = await self.proposals.confirm(actor, id)
        await self._register_all(actor, charter)
        return proposal

    async def _register_all(self, actor: Actor, charter: Charter) -> None:
        for flow in charter.workflows:
            await self._register_agents(actor, flow.template)

    async def add_person(
        self, actor: Actor, email: str, name: str, roles: tuple[str, ...]
    ) -> tuple[Person, bool]:
        """(person, created); an existing one is returned as it is."""
        authorize(actor, Action.CHANGE_DIRECTORY)
        known = await self._rows.person_by_email(actor.workspace, email.strip().lower())
        if known is None:
            unknown = [role for role in roles if role not in ROLES]
            if unknown:
                raise Invalid(
                    "unknown_role", f"There is no role {unknown[0]!r}.", field="roles", hint=", ".join(ROLES)
                )
            wish = PersonSpec(who=email, name=name, roles=roles)
            await self.charters.apply(actor, Charter(people=(wish,)))
        made = known or await self._rows.person_by_email(actor.workspace, email.strip().lower())
        if made is None:
            raise NotFound("person_not_found", f"There is no person {email[:128]}.")
        return made, known is None

    async def _register_agents(self, actor: Actor, template: WorkflowTemplate) -> None:
        """Agents that the workflow names exist from now on (without a key), so that their bare names mean them."""
        directory = await self._directory.of(actor.workspace)
        for step in template.plan.steps:
            if (
                isinstance(step, AgentStep)
                and not is_internal(step.agent)
                and directory.account(step.agent) is None
            ):
                await self.add_account(actor, ActorKind.AGENT, step.agent)
