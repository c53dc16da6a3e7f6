"""Removes a person, a team, a policy or a workflow, with a form on its page."""

from typing import Final

from signoff.core.errors import NotFound
from signoff.core.formats.manifest import Manifest, Removals
from signoff.web.http.call import Page
from signoff.web.pages.admin.confirm_removal import UNDERSTAFFED, confirm_removal, confirm_team_change
from signoff.web.pages.kit.handler import PageRequest

_KINDS: Final = ("people", "teams", "policies", "workflows")


async def erase(request: PageRequest) -> Page:
    """POST /people/{person_id}/erase"""
    await request.state.erasure.erase(request.actor, request.params["person_id"])
    return request.to(f"/people/{request.params['person_id']}")


async def remove(request: PageRequest) -> Page:
    """POST /remove"""
    kind, name = request.field("kind"), request.field("name").strip()
    if kind not in _KINDS:
        raise NotFound("not_found", "There is no such kind of entry.")
    person = None
    if kind == "people" and request.actor_runs:
        person = (await request.directory()).anybody(name)
        if person is not None:
            what = f"{person.name or person.email} can no longer decide. {UNDERSTAFFED}"
            asking = await confirm_removal(request, [person], what, f"/people/{person.id}")
            if asking is not None:
                return asking
    team = (await request.directory()).teams.get(name) if kind == "teams" and request.actor_runs else None
    if team is not None:
        people = (await request.directory()).people
        members = [people[id] for id in team.members if id in people]
        what = f"They can no longer decide as members of the team {name}. {UNDERSTAFFED}"
        asking = await confirm_removal(request, members, what, f"/teams/{name}", confirm_team_change(name))
        if asking is not None:
            return asking
    await request.state.manifests.apply(request.actor, Manifest(remove=Removals(**{kind: (name,)})))
    return request.to(f"/people/{person.id}" if person is not None else f"/{kind}")
