"""What the operator may do without being a person of the workspace. All of it is recorded in the change log. No API
key may do this: the holder of a key that creates another person's sign-in link could sign in as that person.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind, system
from signoff.core.directory.model import Person, Workspace
from signoff.core.errors import Invalid, NotFound
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded
from signoff.engine.identity.keys import new_key
from signoff.engine.identity.sessions import new_login_link
from signoff.store.store import Store

LIFE: Final = timedelta(minutes=15)
OPERATOR: Final = "operator"


class NewSignInLink(msgspec.Struct, frozen=True):
    """A sign-in link that was just created; ``token`` is shown once and not stored."""

    token: str
    person: Person
    workspace: Workspace
    expires_at: datetime


async def make_signin_link(store: Store, clock: Clock, email: str, workspace: str = "") -> NewSignInLink:
    """Create a single-use sign-in link for the person with this address, valid for 15 minutes. ``workspace``
    (``organization/name``): required if several workspaces have the address.
    """
    space, person = await _found(store, email.strip().lower(), workspace)
    now = clock.now()
    token, link = new_login_link(space.id, person.id, now, LIFE)
    actor = replace(system(space.id), id=OPERATOR, via="cli")
    fields = {"works_until": link.expires_at.isoformat(), "works": "once"}
    change = recorded(actor, now, "sign-in link", person.email, person_subject(person.id), None, fields)
    await store.people.save([link, change])
    return NewSignInLink(token, person, space, link.expires_at)


async def make_owner_key(
    store: Store, clock: Clock, email: str = "", workspace: str = ""
) -> tuple[Person, Workspace, str]:
    """Create a key for an owner (by default the first), for an operator who has lost every key."""
    if email:
        space, person = await _found(store, email.strip().lower(), workspace)
    else:
        space, person = await _first_owner(store, workspace)
    if "owner" not in person.roles:
        raise Invalid(
            "not_an_owner",
            f"{person.email} is not an owner of {space.organization}/{space.name}.",
            field="email",
            hint="Omit the address; or use signoff db signin-link EMAIL, which signs any person in, once.",
        )
    actor = replace(system(space.id), id=OPERATOR, via="cli")
    rows, secret = new_key(actor, clock.now(), ActorKind.PERSON, person.id, person.id)
    await store.people.save(rows)
    return person, space, secret


async def _first_owner(store: Store, workspace: str) -> tuple[Workspace, Person]:
    for space in await store.directory.workspaces():
        if workspace in ("", space.id, *space.full_names):
            for person in await store.directory.people(space.id):
                if person.active and "owner" in person.roles:
                    return space, person
    raise NotFound(
        "person_not_found", "There is no active owner.", hint="The first start of `signoff up` creates one."
    )


async def _found(store: Store, email: str, workspace: str) -> tuple[Workspace, Person]:
    found = []
    for space in await store.directory.workspaces():
        if workspace in ("", space.id, *space.full_names):
            person = await store.directory.person_by_email(space.id, email)
            if person is not None and person.active:
                found.append((space, person))
    if not found:
        raise NotFound(
            "person_not_found",
            f"There is no active person with the address {email[:128]!r}.",
            hint="Use their e-mail address: signoff people list.",
        )
    if len(found) > 1:
        names = ", ".join(f"{space.organization}/{space.name}" for space, _ in found)
        raise Invalid(
            "several_workspaces",
            f"{email} exists in several workspaces.",
            field="workspace",
            hint=f"Pass --workspace with one of: {names}",
        )
    return found[0]
