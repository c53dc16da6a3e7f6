"""Changing who and what a workspace knows: agents, services, people, keys, workflows. The directory reads; this writes.

Owners and admins may do all of it. A service (AXP's workspace key) may register agents and make their keys, and
nothing that would let it decide: no people, no people's keys, no workflows.
"""

import secrets
from datetime import timedelta
from typing import Any, Final

from msgspec.structs import replace

from signoff.core.access import RUNNING
from signoff.core.address import canonical, is_internal, slug
from signoff.core.charter import Charter, PersonWish
from signoff.core.errors import Forbidden, Invalid, NotFound
from signoff.core.ids import uuid7
from signoff.core.model import Actor, ActorKind
from signoff.core.plan import AgentStep
from signoff.core.standing import ROLES
from signoff.core.workflow import WorkflowTemplate
from signoff.engine.charter import Charters, Planned
from signoff.engine.clock import Clock
from signoff.engine.directory import Directory
from signoff.engine.keys import Keys, NewKey
from signoff.engine.proposals import Proposal, Proposals
from signoff.store.entries import Account, ApiKey, Person
from signoff.store.store import Store

DELIVERY_MODES: Final = ("stream", "poll", "http", "inbox")
_LONGEST_NAME: Final = 255


class Registry:
    def __init__(self, store: Store, directory: Directory, keys: Keys, clock: Clock) -> None:
        self._rows = store.directory
        self.charters = Charters(store, directory, clock)
        self.proposals = Proposals(store, directory, clock, self.charters)
        self._directory = directory
        self._keys = keys
        self._clock = clock

    def _fresh_id(self, prefix: str) -> str:
        millis = int(self._clock.now().timestamp() * 1000)
        return f"{prefix}_{uuid7(millis, secrets.token_bytes(10)).replace('-', '')}"

    # -- agents and services

    async def add_account(
        self, actor: Actor, kind: ActorKind, name: str, **fields: Any
    ) -> tuple[Account, bool]:
        """(account, created): an existing one of that name is returned as it is.

        fields: display_name, description, delivery_mode, callback_url. ``name`` may be a full address.
        """
        _may_register(actor, kind)
        name = name.strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise Invalid("invalid_name", "A name has 1 to 255 printable characters.", field="name")
        known = await self._rows.account_by_name(actor.workspace, kind.value, name)
        if known is not None and known.status != "revoked":
            return known, False
        book = await self._directory.of(actor.workspace)
        address = canonical(name, book.workspace.organization, book.workspace.name, field="name")
        taken = book.by_address.get(address)
        if taken is not None and taken.kind == kind.value:
            return taken, False
        if taken is not None:
            raise _taken(address)
        account = self._new_account(actor, kind, name, address, fields)
        if known is not None:  # removed before: it comes back as the same account, with nothing of the old
            account = replace(account, id=known.id)
            await self._rows.update_account(account)
        elif not await self._rows.add_account(account):  # somebody was faster
            known = await self._rows.account_by_name(actor.workspace, kind.value, name)
            if known is None:
                raise _taken(address)
            return known, False
        self._directory.changed(actor.workspace)
        return account, True

    def _new_account(
        self, actor: Actor, kind: ActorKind, name: str, address: str, fields: dict[str, Any]
    ) -> Account:
        now = self._clock.now()
        return _checked(
            Account(
                id=self._fresh_id("sa"),
                workspace=actor.workspace,
                kind=kind.value,
                name=name,
                slug=slug(name),
                address=address,
                display_name=fields.get("display_name") or "",
                description=fields.get("description") or "",
                delivery_mode=fields.get("delivery_mode") or "stream",
                callback_url=fields.get("callback_url") or "",
                webhook_secret=secrets.token_urlsafe(32),
                status="active",
                created_by=_sponsor(actor),
                created_at=now,
                updated_at=now,
            )
        )

    async def account(self, actor: Actor, account_id: str) -> Account:
        """An account of the actor's workspace; NotFound for any other id."""
        account = await self._rows.account(account_id)
        if account is None or account.workspace != actor.workspace or account.status == "revoked":
            raise NotFound("account_not_found", f"There is no account {account_id[:64]}.")
        return account

    async def accounts(self, actor: Actor, kind: ActorKind | None = None) -> list[Account]:
        found = await self._rows.accounts(actor.workspace, kind.value if kind else None)
        return [account for account in found if account.status != "revoked"]

    async def update_account(self, actor: Actor, account_id: str, **fields: Any) -> Account:
        """Change display_name, description, delivery_mode, callback_url or webhook_secret; None leaves as is."""
        account = await self.account(actor, account_id)
        _may_register(actor, ActorKind(account.kind))
        given = {name: value for name, value in fields.items() if value is not None}
        account = _checked(replace(account, updated_at=self._clock.now(), **given))
        await self._rows.update_account(account)
        self._directory.changed(actor.workspace)
        return account

    async def remove_account(self, actor: Actor, account_id: str) -> Account:
        """Revoke an account and all its keys."""
        account = await self.account(actor, account_id)
        _may_register(actor, ActorKind(account.kind))
        for key in await self._rows.keys(actor.workspace, account.id):
            await self._keys.revoke(actor.workspace, key.id)
        account = replace(account, status="revoked", updated_at=self._clock.now())
        await self._rows.update_account(account)
        self._directory.changed(actor.workspace)
        return account

    # -- people and what they agree on

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
        _may_run(actor)
        known = await self._rows.person_by_email(actor.workspace, email.strip().lower())
        if known is None:
            unknown = [role for role in roles if role not in ROLES]
            if unknown:
                raise Invalid(
                    "unknown_role", f"There is no role {unknown[0]!r}.", field="roles", hint=", ".join(ROLES)
                )
            wish = PersonWish(who=email, name=name, roles=roles)
            await self.charters.apply(actor, Charter(people=(wish,)))
        made = known or await self._rows.person_by_email(actor.workspace, email.strip().lower())
        if made is None:
            raise NotFound("person_not_found", f"There is no person {email[:128]}.")
        return made, known is None

    # -- keys

    async def add_key(self, actor: Actor, holder: Account | Person, life: timedelta | None = None) -> NewKey:
        """A new key for an account or a person."""
        kind = ActorKind.PERSON if isinstance(holder, Person) else ActorKind(holder.kind)
        if isinstance(holder, Person):
            _may_run(actor)
            if "owner" in holder.roles and "owner" not in actor.roles:
                raise Forbidden("owner_required", "Only an owner can make an owner's key.")
            book = await self._directory.of(actor.workspace)
            if book.workspace.protected and holder.id != actor.id:
                raise Forbidden(
                    "protected_workspace", "In a protected workspace nobody makes a key with which another decides.",
                    hint="They sign in on the pages, by the link in their mail.",
                )  # fmt: skip
        else:
            _may_register(actor, kind)
        return await self._keys.create(actor.workspace, kind, holder.id, _sponsor(actor), life)

    async def keys(self, actor: Actor, holder: str | None = None) -> list[ApiKey]:
        """Keys of the workspace (of one holder), without any secret."""
        if actor.kind is ActorKind.AGENT:
            raise Forbidden("not_allowed", "An agent's key cannot list keys.")
        return await self._rows.keys(actor.workspace, holder)

    async def revoke_key(self, actor: Actor, key_id: str) -> ApiKey:
        key = await self._rows.key(key_id)
        if key is None or key.workspace != actor.workspace:
            raise NotFound("key_not_found", f"There is no key {key_id[:64]}.")
        if key.actor_id != actor.id:
            if key.actor_kind == ActorKind.PERSON.value:
                _may_run(actor)
            else:
                _may_register(actor, ActorKind(key.actor_kind))
        return await self._keys.revoke(actor.workspace, key_id)

    # -- workflows

    async def _register_agents(self, actor: Actor, template: WorkflowTemplate) -> None:
        """Agents that the workflow names exist from now on (without a key), so that their bare names mean them."""
        book = await self._directory.of(actor.workspace)
        for step in template.plan.steps:
            if (
                isinstance(step, AgentStep)
                and not is_internal(step.agent)
                and book.account(step.agent) is None
            ):
                await self.add_account(actor, ActorKind.AGENT, step.agent)


def _taken(address: str) -> Invalid:
    return Invalid("address_taken", f"{address} is taken.", field="name", hint="Choose another name.")


def _sponsor(actor: Actor) -> str:
    return actor.sponsors[0] if actor.sponsors else ""


def _may_run(actor: Actor) -> None:
    if not (actor.kind is ActorKind.SYSTEM or actor.roles & RUNNING):
        raise Forbidden(
            "admin_required", "Only an owner or an admin may do this.", hint="Use a person's key."
        )


def _may_register(actor: Actor, kind: ActorKind) -> None:
    if actor.kind is ActorKind.SERVICE and kind is ActorKind.AGENT:
        return
    _may_run(actor)


def _checked(account: Account) -> Account:
    if account.delivery_mode not in DELIVERY_MODES:
        raise Invalid(
            "invalid_delivery_mode", f"{account.delivery_mode!r} is not a delivery mode.", field="delivery_mode",
            hint=", ".join(DELIVERY_MODES),
        )  # fmt: skip
    if account.callback_url and not account.callback_url.startswith(("http://", "https://")):
        raise Invalid(
            "invalid_callback_url", "A callback URL begins with http:// or https://.", field="callback_url"
        )
    if account.delivery_mode == "http" and not account.callback_url:
        raise Invalid("callback_url_required", "Delivery by http needs a callback_url.", field="callback_url")
    return account
