"""Agents, services and keys: creates, changes and revokes them, each with an entry in the change log.

Owners and admins may do all of it. A service (AXP's workspace key) may register agents and create their keys, but
nothing that would let it decide.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.agent_address import SCHEME, canonical, slug
from signoff.core.directory.agent_limits import AgentLimits
from signoff.core.directory.authorization import PROGRAMS, REGISTRAR, Action, authorize, permits
from signoff.core.directory.model import Account, ApiKey, DirectoryChange, Person, Workspace
from signoff.core.directory.roles import OWNER
from signoff.core.directory.senders import Senders
from signoff.core.errors import Conflict, Forbidden, Invalid, NotFound
from signoff.core.ids import uuid7
from signoff.core.text.document_reader import refuse_unprintable
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import account_subject, recorded, retry_on_conflict, shown_account
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.keys import Keys, NewKey
from signoff.notify.outbound.post import refuse_uncallable
from signoff.store.store import Store

_RESTRICTIONS: Final = ("killed_at", "killed_by", "senders", "limits")
_KINDS: Final = {ActorKind.AGENT.value: "an agent", ActorKind.SERVICE.value: "a service"}
DELIVERY_MODES: Final = ("stream", "poll", "http", "inbox")


class Accounts:
    """``private_callbacks``: whether the server calls agents in private networks, or without TLS."""

    def __init__(
        self,
        store: Store,
        directory: DirectoryCache,
        keys: Keys,
        clock: Clock,
        private_callbacks: bool = False,
    ) -> None:
        self._store = store
        self._rows = store.directory
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._private_callbacks = private_callbacks
        self.mails: Callable[[], bool] = lambda: False  # whether sign-in links can be e-mailed

    # -- agents and services

    async def add_account(
        self, actor: Actor, kind: ActorKind, name: str, **fields: Any
    ) -> tuple[Account, bool]:
        """Return (account, whether it was created); an existing account with that name is returned unchanged.

        fields: display_name, description, delivery_mode, callback_url. ``name`` may be a full address.
        """
        authorize(actor, Action.REGISTER_AGENT if kind is ActorKind.AGENT else Action.REGISTER_SERVICE)
        name = name.strip()
        refuse_unprintable(name, "name")
        return await retry_on_conflict(
            lambda: self._add(actor, kind, name, fields), lambda: self._directory.forget(actor.workspace)
        )

    async def _add(
        self, actor: Actor, kind: ActorKind, name: str, fields: dict[str, Any]
    ) -> tuple[Account, bool]:
        since = await self._since(actor.workspace)
        known = await self._rows.account_by_name(actor.workspace, kind.value, name)
        if known is not None and known.status != "revoked":
            return known, False
        directory = await self._directory.of(actor.workspace)
        address = canonical(name, directory.workspace.organization, directory.workspace.name, field="name")
        address = await self._address_in_use(directory.workspace, address)
        taken = directory.by_address.get(address)
        if taken is not None and taken.kind == kind.value:
            return taken, False
        if taken is not None:
            raise Invalid("address_taken", f"{address} is taken.", field="name", hint="Choose another name.")
        known = known or await self._rows.account_by_address(actor.workspace, address)
        if known is not None and known.kind != kind.value:
            raise Invalid(
                "address_taken",
                f"{address} is the address of {_KINDS[known.kind]} that was removed.",
                field="name",
                hint="Choose another name.",
            )
        account = self._new_account(actor, kind, name, address, fields)
        if known is None:
            await self._save(actor, None, account, since={})
        else:  # removed before: it returns as the same account, without its former settings
            # but what restricts an agent stays: registering it again does not lift it
            kept = {name: getattr(known, name) for name in _RESTRICTIONS}
            account = replace(account, id=known.id, **kept)
            await self._save(actor, None, account, since)
        return account, True

    async def _address_in_use(self, workspace: Workspace, address: str) -> str:
        """The address for a new account. If work is waiting under a former name of the workspace, the address keeps
        that name, so that the worker finds the work.
        """
        own = f"{SCHEME}{workspace.full_name}/"
        if not workspace.former or not address.startswith(own):
            return address
        short = address.removeprefix(own)
        former = [f"{SCHEME}{name}/{short}" for name in workspace.former]
        waiting = await self._store.intents.waiting_for(workspace.id, former)
        return next((one for one in former if one in waiting), address)

    def _new_account(
        self, actor: Actor, kind: ActorKind, name: str, address: str, fields: dict[str, Any]
    ) -> Account:
        now = self._clock.now()
        account = Account(
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
            created_by=sponsor(actor),
            created_at=now,
            updated_at=now,
            behind={"registered": actor.sponsors}
            | ({REGISTRAR: (actor.id,)} if actor.kind in PROGRAMS else {}),
        )
        self._check(account, account.callback_url)
        return account

    def _fresh_id(self, prefix: str) -> str:
        millis = int(self._clock.now().timestamp() * 1000)
        return f"{prefix}_{uuid7(millis, secrets.token_bytes(10)).replace('-', '')}"

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
        """Change display_name, description, delivery_mode, callback_url or webhook_secret; None leaves a field
        unchanged.
        """
        changes = {name: value for name, value in fields.items() if value is not None}

        async def attempt() -> Account:
            since = await self._since(actor.workspace)
            before = await self.account(actor, account_id)
            _authorize_change(actor, before)
            after = replace(before, **changes)
            if after == before:
                return before
            self._check(after, changes.get("callback_url", ""))
            after = replace(after, updated_at=self._clock.now(), behind=_behind(before, after, actor))
            await self._save(actor, before, after, since)
            return after

        return await retry_on_conflict(attempt, lambda: self._directory.forget(actor.workspace))

    async def remove_account(self, actor: Actor, account_id: str) -> Account:
        """Revoke an account and all its keys. An agent that an admin has restricted is removed by admins only; its
        address then means no other agent (``Snapshot.withheld``).
        """

        async def attempt() -> Account:
            since = await self._since(actor.workspace)
            before = await self.account(actor, account_id)
            _authorize_change(actor, before)
            if before.killed_at is not None:
                authorize(actor, Action.KILL_AGENT)
            if before.limits is not None or before.senders is not None:
                authorize(actor, Action.RESTRICT_AGENT)
            after = replace(before, status="revoked", updated_at=self._clock.now())
            keys = await self._rows.keys(actor.workspace, account_id)
            good = [key for key in keys if key.revoked_at is None]
            await self._save(actor, before, after, since, *self._keys.revoked(good, actor))
            return after

        return await retry_on_conflict(attempt, lambda: self._directory.forget(actor.workspace))

    async def set_killed(self, actor: Actor, account_id: str, killed: bool) -> Account:
        """Kill or resume an agent; without effect if it is in that state already."""
        authorize(actor, Action.KILL_AGENT)

        def marked(agent: Account) -> Account:
            if (agent.killed_at is not None) is killed:
                return agent
            return replace(
                agent,
                killed_at=self._clock.now() if killed else None,
                killed_by=actor.id if killed else "",
            )

        return await self._change_agent(actor, account_id, marked)

    async def change_senders(
        self, actor: Actor, account_id: str, change: Callable[[Senders], Senders]
    ) -> Account:
        """Change who may send to an agent."""
        authorize(actor, Action.RESTRICT_AGENT)
        return await self._change_agent(
            actor, account_id, lambda agent: replace(agent, senders=change(agent.senders or Senders()))
        )

    async def set_limits(self, actor: Actor, account_id: str, limits: AgentLimits | None) -> Account:
        """Set how much work an agent is given; None removes its limits."""
        authorize(actor, Action.RESTRICT_AGENT)
        return await self._change_agent(actor, account_id, lambda agent: replace(agent, limits=limits))

    async def _change_agent(
        self, actor: Actor, account_id: str, change: Callable[[Account], Account]
    ) -> Account:
        async def attempt() -> Account:
            since = await self._since(actor.workspace)
            before = await self.account(actor, account_id)
            if before.kind != ActorKind.AGENT.value:
                raise NotFound("agent_not_found", f"There is no agent {account_id[:64]}.")
            after = change(before)
            if after == before:
                return before
            after = replace(after, updated_at=self._clock.now())
            await self._save(actor, before, after, since)
            return after

        return await retry_on_conflict(attempt, lambda: self._directory.forget(actor.workspace))

    async def _save(
        self,
        actor: Actor,
        before: Account | None,
        after: Account,
        since: dict[str, int],
        *more: ApiKey | DirectoryChange,
    ) -> None:
        """Write an account with a change log entry."""
        anew = before is not None and before.webhook_secret != after.webhook_secret
        was = None if before is None else shown_account(before, "the secret before" if anew else "")
        now = shown_account(after, "a new secret" if anew else "")
        name = after.address if after.kind == ActorKind.AGENT.value else after.name
        change = recorded(
            actor,
            self._clock.now(),
            after.kind,
            name,
            account_subject(after.id),
            was,
            None if after.status == "revoked" else now,
        )
        await self._store.people.save([after, change, *more], since=since)
        self._directory.changed(actor.workspace)

    async def _since(self, workspace: str) -> dict[str, int]:
        """The number of the workspace's last change. Read it before reading anything else that the next change depends
        on.
        """
        space = await self._rows.workspace(workspace)
        return {workspace: space.last_change} if space else {}

    def _check(self, account: Account, callback_url: str) -> None:
        """Raises Invalid. callback_url: the new value, if there is one; an existing URL is not checked again."""
        if account.delivery_mode not in DELIVERY_MODES:
            raise Invalid(
                "invalid_delivery_mode",
                f"{account.delivery_mode!r} is not a delivery mode.",
                field="delivery_mode",
                hint=", ".join(DELIVERY_MODES),
            )
        if callback_url:
            refuse_uncallable(callback_url, self._private_callbacks, "callback_url")
        if account.delivery_mode == "http" and not account.callback_url:
            raise Invalid(
                "callback_url_required", "Delivery mode http requires a callback_url.", field="callback_url"
            )

    # -- keys

    async def add_key(
        self, actor: Actor, holder: Account | Person, life: timedelta | datetime | None = None
    ) -> NewKey:
        """Create a key for an account or a person; ``life``: its lifetime or expiry. People who are signed in by e-mail
        create their own keys.
        """
        kind = ActorKind.PERSON if isinstance(holder, Person) else ActorKind(holder.kind)
        if isinstance(holder, Person):
            authorize(actor, Action.CREATE_PERSON_KEY, holder)
            if OWNER in holder.roles:
                authorize(actor, Action.CREATE_OWNER_KEY)
            directory = await self._directory.of(actor.workspace)
            if directory.workspace.protected and holder.id != actor.id:
                raise Forbidden(
                    "protected_workspace",
                    "In a protected workspace no one may create a key with which another person can decide.",
                    hint="They can sign in on the pages with a link sent by e-mail.",
                )
        else:
            _authorize_change(actor, holder)
        return await self._keys.create(actor.workspace, kind, holder.id, sponsor(actor), life, actor)

    async def keys(self, actor: Actor, holder: str | None = None) -> list[ApiKey]:
        """List keys (of one holder), without secrets. An actor that may read everything sees all; others see their
        own, and a service also those of the agents that it registered.
        """
        authorize(actor, Action.LIST_KEYS)
        found = await self._rows.keys(actor.workspace, holder)
        if permits(actor, Action.READ_ALL):
            return found
        holders = {actor.id}
        if actor.kind is ActorKind.SERVICE:
            accounts = await self._rows.accounts(actor.workspace, None)
            holders |= {one.id for one in accounts if actor.id in one.behind.get(REGISTRAR, ())}
        return [key for key in found if key.actor_id in holders]

    async def revocations(self, actor: Actor, holder: str) -> list[ApiKey | DirectoryChange]:
        """The rows that revoke all keys of a holder, with their change log entries."""
        keys = await self._rows.keys(actor.workspace, holder)
        return self._keys.revoked([key for key in keys if key.revoked_at is None], actor)

    async def revoke_key(self, actor: Actor, key_id: str) -> ApiKey:
        key = await self._rows.key(key_id)
        if key is None or key.workspace != actor.workspace:
            raise NotFound("key_not_found", f"There is no key {key_id[:64]}.")
        if key.actor_kind == ActorKind.PERSON.value:
            authorize(actor, Action.REVOKE_PERSON_KEY, key)
        elif key.actor_id != actor.id:
            _authorize_change(actor, await self.account(actor, key.actor_id))
        await self._keep_a_way_in(key)
        return await self._keys.revoke(actor.workspace, key_id, actor)

    async def _keep_a_way_in(self, key: ApiKey) -> None:
        """Raise Conflict if this is the last key of the last owner and the server cannot e-mail sign-in links."""
        directory = await self._directory.of(key.workspace)
        owners = [one.id for one in directory.people.values() if one.active and "owner" in one.roles]
        if self.mails() or owners != [key.actor_id] or key.revoked_at is not None:
            return
        now = self._clock.now()
        others = [
            one
            for one in await self._rows.keys(key.workspace, key.actor_id)
            if one.id != key.id
            and one.revoked_at is None
            and (one.expires_at is None or one.expires_at > now)
        ]
        if not others:
            raise Conflict(
                "last_owner",
                "It is the last key of the last owner, and this server cannot e-mail sign-in links.",
                hint="Create another key first: signoff keys create --person EMAIL.",
            )


def sponsor(actor: Actor) -> str:
    """The person who is recorded as the key's creator."""
    return actor.sponsors[0] if actor.sponsors else ""


def _authorize_change(actor: Actor, account: Account) -> None:
    agent = account.kind == ActorKind.AGENT.value
    authorize(actor, Action.CHANGE_AGENT if agent else Action.CHANGE_SERVICE, account)


def _behind(before: Account, after: Account, actor: Actor) -> dict[str, tuple[str, ...]]:
    """The people who control the account after this change."""
    behind = dict(before.behind)
    if (before.callback_url, before.delivery_mode) != (after.callback_url, after.delivery_mode):
        behind["callback"] = actor.sponsors
    if before.webhook_secret != after.webhook_secret:
        behind["secret"] = actor.sponsors
    return behind
