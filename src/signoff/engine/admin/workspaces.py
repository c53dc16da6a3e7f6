"""Create, rename and list the workspaces of a server. Workspaces are connected only by the name of their
organization: an owner adds workspaces to their own organization and sees their names; only the operator creates
another organization.
"""

import secrets
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind, system
from signoff.core.directory.agent_address import PLACE, PLACE_IS
from signoff.core.directory.authorization import Action, authorize, others_with_key, permits
from signoff.core.directory.mailboxes import refuse_no_mailbox
from signoff.core.directory.model import DirectoryChange, Person, Workspace
from signoff.core.errors import Conflict, Invalid, NotFound
from signoff.core.ids import uuid7
from signoff.engine.admin.manifest_diff import shown_person
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded, retry_on_conflict
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.keys import new_key
from signoff.store.store import Store
from signoff.store.tables.change_log import ConcurrentChange

_SUBJECT: Final = "workspace"


class NewWorkspace(msgspec.Struct, frozen=True):
    """A workspace that was just created, and its owner. ``secret``: the owner's key, which is not stored; "" if
    none was created.
    """

    workspace: Workspace
    owner: Person
    secret: str


class WorkspaceRequest(msgspec.Struct, frozen=True):
    """A workspace to create. owner: the e-mail address of its first owner."""

    organization: str
    name: str
    owner: str
    owner_name: str = ""


class Workspaces:
    def __init__(self, store: Store, directory: DirectoryCache, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock

    async def visible(self, actor: Actor) -> list[Workspace]:
        """The actor's own workspace first; for an owner also the others of its organization."""
        own = await self._own(actor)
        if not permits(actor, Action.MANAGE_WORKSPACES):
            return [own]
        others = [
            one
            for one in await self._store.directory.workspaces()
            if one.organization == own.organization and one.id != own.id
        ]
        return [own, *others]

    async def create(self, actor: Actor, name: str, owner: str = "", owner_name: str = "") -> NewWorkspace:
        """Create a workspace in the actor's organization. ``owner``: the address of its first owner, by default the
        actor's own. A key is created only if the owner is the actor, and only if nobody else has the key that the
        actor uses now.
        """
        authorize(actor, Action.MANAGE_WORKSPACES)
        own = await self._own(actor)
        me = await self._store.directory.person(actor.id)
        mail = owner.strip().lower() or (me.email if me else "")
        is_self = me is not None and mail == me.email
        shown = owner_name or (me.name if me is not None and is_self else "")
        # Recorded in the workspace where it was decided; the new workspace's log begins with its owner.
        noted = recorded(
            actor,
            self._clock.now(),
            "workspace",
            f"{own.organization}/{name}",
            _SUBJECT,
            None,
            {"owner": mail},
        )
        with_key = is_self and not others_with_key(actor)
        wanted = WorkspaceRequest(own.organization, name, mail, shown)
        made = await create_workspace(self._store, self._clock, wanted, actor.via, with_key, noted)
        self._directory.changed(actor.workspace)
        self._directory.changed(made.workspace.id)
        return made

    async def rename(
        self, actor: Actor, workspace_id: str, organization: str = "", name: str = ""
    ) -> Workspace:
        """Rename the actor's own workspace; "" keeps that part. Addresses with a former name continue to resolve.
        Raises NotFound for any other workspace, Invalid if neither part is given, and Conflict if another workspace
        has or had the new name, or is or was in the new organization. It may return to an organization that it used to
        be in.
        """
        authorize(actor, Action.MANAGE_WORKSPACES)
        if not (organization or name):
            raise Invalid(
                "nothing_to_rename",
                "No new name was given.",
                field="name",
                hint="Pass a name, an organization, or both.",
            )

        async def attempt() -> Workspace:
            own = await self._own(actor)
            if workspace_id not in (own.id, own.name, own.full_name, "current"):
                raise NotFound("workspace_not_found", f"This key has no workspace {workspace_id[:128]!r}.")
            after = replace(own, organization=organization or own.organization, name=name or own.name)
            if after == own:
                return own
            _refuse_unfit(after.organization, after.name)
            others = [one for one in await self._store.directory.workspaces() if one.id != own.id]
            _refuse_taken(others, after.organization, after.name)
            enters = "" if own.was_in(after.organization) else after.organization
            if enters and any(one.was_in(enters) for one in others):
                raise Conflict(
                    "organization_exists",
                    f"Other workspaces have, or had, the organization {enters}.",
                    field="organization",
                    hint="Choose another name.",
                )
            former = tuple(one for one in (*own.former, own.full_name) if one != after.full_name)
            after = replace(after, former=former)
            names = [{"organization": one.organization, "name": one.name} for one in (own, after)]
            change = recorded(actor, self._clock.now(), "workspace", after.name, _SUBJECT, *names)
            since = {own.id: own.last_change}
            await self._store.people.save([after, change], since=since, named=after, enters=enters)
            self._directory.changed(own.id)
            return await self._own(actor)

        return await retry_on_conflict(attempt, lambda: self._directory.forget(actor.workspace))

    async def _own(self, actor: Actor) -> Workspace:
        found = await self._store.directory.workspace(actor.workspace)
        if found is None:
            raise NotFound("workspace_not_found", f"There is no workspace {actor.workspace}.")
        return found


async def create_workspace(
    store: Store,
    clock: Clock,
    wanted: WorkspaceRequest,
    via: str = "cli",
    with_key: bool = True,
    *noted: DirectoryChange,
) -> NewWorkspace:
    """Create a workspace with its first owner and their key, and write ``noted`` to the change log of another
    workspace, in one transaction. Raises Invalid for a malformed name or address, Conflict for a name that a
    workspace has or had.
    """
    organization, name, owner = wanted.organization, wanted.name, wanted.owner.strip().lower()
    _refuse_unfit(organization, name)
    refuse_no_mailbox(owner, "owner")
    _refuse_taken(await store.directory.workspaces(), organization, name)
    now = clock.now()
    id = uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10))
    space = Workspace(id, organization, name, True, now, self_approval_alone=True)
    person = Person(f"per_{_fresh(clock)}", id, owner, wanted.owner_name or "Owner", ("owner",), now)
    by = replace(system(id), via=via)
    came = recorded(by, now, "person", owner, person_subject(person.id), None, shown_person(person))
    rows: list[msgspec.Struct] = [person, came, *noted]
    secret = ""
    if with_key:
        key, secret = new_key(by, now, ActorKind.PERSON, person.id, person.id)
        rows += key
    try:
        await store.people.save(rows, new=space)
    except ConcurrentChange:
        raise _taken(space.full_name) from None
    return NewWorkspace(space, person, secret)


def _fresh(clock: Clock) -> str:
    return uuid7(int(clock.now().timestamp() * 1000), secrets.token_bytes(10)).replace("-", "")


def _refuse_unfit(organization: str, name: str) -> None:
    for field, value in (("organization", organization), ("name", name)):
        if not PLACE.fullmatch(value):
            raise Invalid("invalid_name", f"{field}: {value[:64]!r} is not {PLACE_IS}.", field=field)


def _refuse_taken(others: list[Workspace], organization: str, name: str) -> None:
    """Raise Conflict if the name is taken. A former name is also taken, because addresses and settings may still use
    it.
    """
    full = f"{organization}/{name}"
    if any(full in one.full_names for one in others):
        raise _taken(full)


def _taken(full: str) -> Conflict:
    return Conflict(
        "workspace_exists", f"The name {full} is taken.", field="name", hint="Choose another name."
    )
