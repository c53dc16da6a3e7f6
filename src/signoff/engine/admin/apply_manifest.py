"""Apply a manifest: the people, teams, policies and workflows of one workspace. The manifest is first compared with
the current state; then all of it is written, or nothing. Every change is logged with its author and the former value. A
dry run returns the same comparison.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.agent_address import is_internal
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.mailboxes import refuse_no_mailbox
from signoff.core.directory.model import (
    DirectoryChange,
    NamedWorkflow,
    Person,
    Workspace,
)
from signoff.core.directory.roles import ADMINS, ROLES
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.formats.manifest import (
    Manifest,
    PersonSpec,
    WorkflowSpec,
)
from signoff.core.plan.ineffective import refuse_ineffective
from signoff.core.plan.plan import AgentStep, Plan, refuse_unreached
from signoff.core.policy.conditions import variants
from signoff.core.text import json_value
from signoff.engine.admin.accounts import Accounts
from signoff.engine.admin.manifest_diff import (
    ManifestDiff,
    needs_second_admin,
    shown_flow,
)
from signoff.engine.admin.manifest_people import (
    keep_an_owner,
    plan_absences,
    plan_person,
    plan_team,
    refuse_twice,
)
from signoff.engine.admin.manifest_policies import plan_policy, refuse_new_faults
from signoff.engine.admin.removals import remove
from signoff.engine.clock import Clock
from signoff.engine.commit.understaffed_checks import UnderstaffedChecks
from signoff.engine.directory.change_log import retry_on_conflict
from signoff.engine.directory.eligible_people import (
    Fault,
    faults_of,
)
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.engine.identity.key_restrictions import (
    AddressChange,
    address_changes,
    refuse_self_approval,
)
from signoff.engine.planning.planner import freeze, staffing_faults
from signoff.engine.planning.workspace_rules import refuse_default
from signoff.store.rows import plan_digest
from signoff.store.store import Store
from signoff.store.tables.change_log import ConcurrentChange

_SORTED: Final = msgspec.json.Encoder(order="sorted")
_OWN: Final = frozenset({"who", "zone", "hours", "absences", "preferences"})
T = TypeVar("T")


class ManifestApplier:
    """Compares and applies manifests. ``on_moved``: called after the change, for each person whose e-mail address
    changed.
    """

    on_moved: Callable[[AddressChange], None] | None = None

    def __init__(
        self,
        store: Store,
        directory: DirectoryCache,
        clock: Clock,
        accounts: Accounts,
        understaffed_checks: UnderstaffedChecks,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._directory = directory
        self._clock = clock
        self._understaffed_checks = understaffed_checks

    async def apply(
        self,
        actor: Actor,
        manifest: Manifest,
        dry_run: bool = False,
        check: Callable[[Snapshot], None] | None = None,
    ) -> ManifestDiff:
        """Return the changes, and apply them unless ``dry_run``. Raises Refused without changing anything,
        including if the workspace is protected and the manifest relaxes the rules on who decides (``Proposals`` handles
        that case). ``check``: raises Refused if the current state is not the one that the author saw.
        """

        async def use(draft: ManifestDiff) -> ManifestDiff:
            if check is not None:
                check(draft.before)
            if draft.relaxations():
                raise Conflict(
                    "confirmation_needed",
                    "This relaxes the rules on who decides in a protected workspace.",
                    hint="Propose it with signoff apply -f FILE; another admin then confirms it.",
                )
            if not dry_run:
                await self.save(draft)
            return draft

        draft = await self.with_current_state(actor, manifest, use)
        if not dry_run:
            await self.register_agents(actor, manifest)
        return draft

    async def add_person(
        self, actor: Actor, email: str, name: str, roles: tuple[str, ...]
    ) -> tuple[Person, bool]:
        """Return (person, whether they were created); an existing person is returned unchanged."""
        authorize(actor, Action.CHANGE_DIRECTORY)
        email = email.strip().lower()
        refuse_no_mailbox(email, "person")
        known = await self._store.directory.person_by_email(actor.workspace, email)
        if known is not None:
            return known, False
        if unknown := [role for role in roles if role not in ROLES]:
            raise Invalid(
                "unknown_role", f"Unknown role {unknown[0]!r}.", field="roles", hint=", ".join(ROLES)
            )
        await self.apply(actor, Manifest(people=(PersonSpec(who=email, name=name, roles=roles),)))
        made = await self._store.directory.person_by_email(actor.workspace, email)
        if made is None:
            raise NotFound("person_not_found", f"There is no person {email[:128]}.")
        return made, True

    async def register_agents(self, actor: Actor, manifest: Manifest) -> None:
        """Create the agents that the manifest's workflows name (without keys), so that their short names resolve."""
        for name in unregistered_agents(await self._directory.of(actor.workspace), manifest).values():
            await self._accounts.add_account(actor, ActorKind.AGENT, name)

    async def with_current_state(
        self, actor: Actor, manifest: Manifest, use: Callable[[ManifestDiff], Awaitable[T]]
    ) -> T:
        """Call ``use`` with the comparison and return its result. If something else has changed in the meantime, the
        manifest is compared again with the new state. If one of the manifest's own entries has changed, raise Conflict,
        because the author has not seen that change.
        """
        first: ManifestDiff | None = None

        async def attempt() -> T:
            nonlocal first
            draft = await self.drafted(actor, manifest)
            if first is not None and first.base_state != draft.base_state:
                raise ConcurrentChange(committed=True)
            first = first or draft
            draft.warnings = await self.understaffed(draft)
            return await use(draft)

        return await retry_on_conflict(attempt, lambda: self.forget(actor))

    async def understaffed(self, draft: ManifestDiff) -> tuple[str, ...]:
        """Warnings about the open tasks that the changes leave understaffed. Read before they are applied: afterwards,
        any server may already have moved these tasks on.
        """
        return await self._understaffed_checks.warnings(
            draft.before.workspace.id, draft.before.membership, draft.directory.membership
        )

    def forget(self, actor: Actor) -> None:
        """Drop the cached state of the actor's workspace; the next access reads it again."""
        self._directory.forget(actor.workspace)

    async def drafted(self, actor: Actor, manifest: Manifest) -> ManifestDiff:
        """Return the workspace as the manifest would leave it; raises Refused if the change is not allowed or not
        possible.
        """
        _authorize(actor, manifest)
        directory = await self._directory.of(actor.workspace)
        removed = await self._removed(directory, manifest) if needs_second_admin(directory, actor) else {}
        draft = ManifestDiff(actor, directory, self._clock.now(), removed)
        _settings(draft, manifest)
        refuse_twice(draft, manifest.people)
        for spec in manifest.people:
            plan_person(draft, spec)
            await asyncio.sleep(0)  # let other requests run between two entries
        for spec in manifest.people:  # delegates may be people of the same manifest
            plan_absences(draft, spec)
        keep_an_owner(draft)
        for team in manifest.teams:
            plan_team(draft, team)
            await asyncio.sleep(0)
        for policy in manifest.policies:
            plan_policy(draft, policy)
            await asyncio.sleep(0)
        refuse_default(draft.before, draft.directory)
        for flow in manifest.workflows:
            await self._workflow(draft, flow)
            await asyncio.sleep(0)
        await self._remove(draft, manifest)
        draft.agents = list(unregistered_agents(draft.directory, manifest))
        if (
            manifest.workspace.protected
            and not draft.before.workspace.protected
            and len(_admins(draft.directory)) < 2
        ):
            raise Invalid(
                "too_few_admins",
                "workspace.protected: protection needs two admins.",
                field="workspace.protected",
                hint="Give a second person the admin role first.",
            )
        return draft

    async def _removed(self, directory: Snapshot, manifest: Manifest) -> dict[tuple[str, str], Any]:
        """The last state of the teams and policies that the manifest adds again after their removal."""
        added = [("team", one.name) for one in manifest.teams if one.name not in directory.teams]
        added += [("policy", one.name) for one in manifest.policies if one.name not in directory.policies]
        if not added:
            return {}
        entries = {f"{kind}:{name}": (kind, name) for kind, name in added}
        last = await self._store.people.last_changes(directory.workspace.id, entries)
        return {entries[one.subject]: json_value.decode(one.before.encode()) for one in last if one.before}

    async def _remove(self, draft: ManifestDiff, manifest: Manifest) -> None:
        if not manifest.removes:
            return
        plans = {flow.template.intent_type: flow.template.plan for flow in manifest.workflows}
        for type, flow in draft.directory.workflows.items():
            plan = plans.get(type) or await self._store.directory.get_plan(flow.plan_digest)
            if plan is not None:
                plans[type] = plan
        remove(draft, manifest.remove, plans)
        for one in list(draft.changed):
            if one.after is None and isinstance(one.entry, Person):
                draft.entries += await self._accounts.revocations(draft.actor, one.entry.id)
        keep_an_owner(draft)
        refuse_default(draft.before, draft.directory)

    async def save(self, draft: ManifestDiff, confirmed_by: str = "", *more: msgspec.Struct) -> None:
        """Write the compared changes, their change log entries, and ``more``, in one transaction. Raises Conflict if
        the base state has changed since the comparison.
        """
        entries = [*_last(draft.entries), *draft.changes(confirmed_by), *more]
        if entries:
            space = draft.before.workspace
            try:
                await self._store.people.save(entries, draft.plans, {space.id: space.last_change})
            finally:  # even if it was refused: the cached state is outdated
                self._directory.changed(space.id)
            for one in address_changes(draft.before, draft.directory, draft.actor):
                if self.on_moved is not None:
                    self.on_moved(one)

    async def changes(
        self, actor: Actor, limit: int, before: int = 0, subject: str = ""
    ) -> list[DirectoryChange]:
        """The change log, newest first: entries with a number below ``before``, about one ``subject`` or all."""
        authorize(actor, Action.READ_CHANGES)
        return await self._store.people.changes(actor.workspace, limit, before, subject)

    async def _workflow(self, draft: ManifestDiff, spec: WorkflowSpec) -> None:
        template = spec.template
        digest = plan_digest(template.plan)
        present = draft.directory.workflows.get(template.intent_type)
        same = present is not None and present.plan_digest == digest
        refuse_new_faults(draft, same, lambda directory: _plan_faults(directory, template.plan))
        before = shown_flow(present) if present else None
        version = (
            present.version if present else draft.directory.ended.get(("workflow", template.intent_type), 0)
        )
        if present is None or (present.plan_digest, present.name) != (digest, template.name):
            version += 1
        flow = NamedWorkflow(
            draft.actor.workspace,
            template.name,
            template.intent_type,
            version,
            digest,
            _SORTED.encode(spec.source),
            draft.actor.id,
            draft.now,
        )
        if present is None or version > present.version:
            draft.plans.append(template.plan)
        if present is not None and present.version == version:
            flow = present
        draft.note("workflow", template.intent_type, before, shown_flow(flow), flow)
        draft.directory = draft.directory.but(
            workflows={**draft.directory.workflows, template.intent_type: flow}
        )


def unregistered_agents(directory: Snapshot, manifest: Manifest) -> dict[str, str]:
    """The agents that the manifest's workflows name and that are not registered: address -> name in it."""
    steps = (step for flow in manifest.workflows for step in flow.template.plan.steps)
    named = (step.agent for step in steps if isinstance(step, AgentStep) and not is_internal(step.agent))
    found = {directory.resolve(agent): agent for agent in named}
    return {address: name for address, name in found.items() if address not in directory.by_address}


def _refuse_unusable_plan(directory: Snapshot, plan: Plan) -> None:
    # only now, because a policy may add a route
    frozen = [freeze(one, directory)[0] for one in variants(plan)]
    refuse_unreached(*frozen)
    refuse_ineffective(*frozen)


def _plan_faults(directory: Snapshot, plan: Plan) -> Iterator[Fault]:
    """Why requests of a workflow would be refused."""
    for first in faults_of(lambda: _refuse_unusable_plan(directory, plan), ()):
        found = [
            fault
            for number, one in enumerate(variants(plan))
            for fault in staffing_faults(one, directory, (number,))
        ]
        if all(str(fault.refusal) != str(first.refusal) for fault in found):
            yield first
        yield from found


def _last(entries: list[msgspec.Struct]) -> list[msgspec.Struct]:
    """Keep only the last entry for each person: a spec may have been added in two steps."""
    people = {entry.id: entry for entry in entries if isinstance(entry, Person)}
    return [*people.values(), *(entry for entry in entries if not isinstance(entry, Person))]


def authorize_document(actor: Actor, source: Mapping[str, Any]) -> None:
    """Refuse a document that only an owner or admin may apply. Called before it is compiled, which is slow."""
    people = source.get("people")
    if not isinstance(people, Mapping) or len(people) != 1 or len(source) != 1:
        authorize(actor, Action.CHANGE_DIRECTORY)


def _authorize(actor: Actor, manifest: Manifest) -> None:
    """People may change their own personal settings; other changes need an owner or admin."""
    others = (
        manifest.teams or manifest.policies or manifest.workflows or manifest.settings or manifest.removes
    )
    if manifest.people and not others and all(_given(spec) <= _OWN for spec in manifest.people):
        for spec in manifest.people:
            authorize(actor, Action.CHANGE_PREFERENCES, spec.who)
    else:
        authorize(actor, Action.CHANGE_DIRECTORY)


def _given(spec: PersonSpec) -> set[str]:
    return {name for name in spec.__struct_fields__ if getattr(spec, name) is not None}


def _settings(draft: ManifestDiff, manifest: Manifest) -> None:
    if not manifest.settings:
        return
    space = draft.directory.workspace
    after = replace(space, **manifest.settings)
    if "self_approval" in manifest.settings:
        after = replace(after, self_approval_alone=False)
    refuse_self_approval(draft.actor, draft.before, after)
    values = [_values_of(one, manifest.settings) for one in (space, after)]
    draft.note("workspace", space.name, values[0], values[1], after)
    draft.directory = draft.directory.but(workspace=after)


def _values_of(space: Workspace, names: Iterable[str]) -> dict[str, Any]:
    """These settings as the change log stores them."""
    fields = {name: getattr(space, name) for name in names}
    return fields | {"self_approval": space.self_approval_setting} if "self_approval" in fields else fields


def _admins(directory: Snapshot) -> list[Person]:
    return [one for one in directory.people.values() if one.active and not ADMINS.isdisjoint(one.roles)]
