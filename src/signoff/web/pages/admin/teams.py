"""Teams: their members, who is on call now and in the coming weeks, and the form to change them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec

from signoff.core.directory.model import Team
from signoff.core.directory.rotation import absence_at
from signoff.core.errors import Conflict, NotFound, Refused
from signoff.core.formats.manifest import Manifest, read_team
from signoff.core.plan.hours_reader import DAYS
from signoff.core.text.document_reader import document
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.off_loop import populous
from signoff.notify.registry import label_of, personal_channels
from signoff.web.http.call import Page
from signoff.web.pages.admin import confirm_removal, shown_state
from signoff.web.pages.admin.change_log import about
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.shapes.people import email_of

_WEEKS: Final = 5


class OnCallTurn(msgspec.Struct, frozen=True):
    """Who is on call, and from when. ``instead``: the delegate who is notified if the person is absent."""

    at: datetime
    name: str
    away: bool
    instead: str


async def teams(request: PageRequest) -> Page:
    """GET /teams"""
    return await _teams(request)


async def _teams(request: PageRequest, refusal: Refused | None = None) -> Page:
    directory, now = await request.directory(), request.state.clock.now()
    rows = [
        {
            "team": team,
            "members": [directory.display(m) for m in team.members],
            "turns": _turns(team, directory, now)[:2],
        }
        for team in sorted(directory.teams.values(), key=lambda team: team.name)
    ]
    return await request.page(
        "teams.html",
        refusal.status if refusal is not None else 200,
        in_thread=populous(directory),
        rows=rows,
        refusal=refusal,
        posted=dict(request.form) if refusal is not None else {},
        people=_people(directory),
        chosen=[v for n, v in request.form if n == "member"],
    )


async def team(request: PageRequest) -> Page:
    """GET /teams/{name}"""
    return await _team(request)


async def _team(request: PageRequest, refusal: Refused | None = None) -> Page:
    directory, now = await request.directory(), request.state.clock.now()
    found = directory.teams.get(request.params["name"])
    if found is None:
        raise NotFound("team_not_found", f"There is no team {request.params['name'][:128]!r}.")
    turns = found.rotation
    stale = refusal is not None and refusal.code == shown_state.CODE
    posted = [] if stale else [v for n, v in request.form if n == "member"]
    return await request.page(
        "team.html",
        refusal.status if refusal is not None else 200,
        in_thread=populous(directory),
        team=found,
        turns=_turns(found, directory, now),
        members=[(m, directory.display(m)) for m in found.members],
        people=_people(directory),
        chosen=posted or [email_of(directory, m) for m in found.members],
        shown=shown_state.team_state(found),
        order=[email_of(directory, person) for person in turns.order] if turns else [],
        rooms=[(name, label_of(name)) for name in personal_channels().rooms],
        days=DAYS,
        zones=sorted(available_timezones()),
        refusal=refusal,
        posted=dict(request.form) if refusal is not None and not stale else {},
        changes=await about(request, f"team:{found.name}"),
    )


def _people(directory: Snapshot) -> list[tuple[str, str]]:
    active = [(p.email, p.name or p.email) for p in directory.people.values() if p.active]
    return sorted(active, key=lambda one: one[1].lower())


def _turns(team: Team, directory: Snapshot, now: datetime) -> list[OnCallTurn]:
    """Who is on call now, and who follows."""
    if team.rotation is None:
        return []
    found, at = [], now
    for _ in range(_WEEKS):
        person = team.rotation.on_call(at)
        known = directory.people.get(person)
        absence = absence_at(known.absences, at) if known else None
        instead = directory.display(absence.delegate) if absence and absence.delegate else ""
        found.append(OnCallTurn(at, directory.display(person), absence is not None, instead))
        at = team.rotation.handover_after(at)
    return found


async def put_new(request: PageRequest) -> Page:
    """POST /teams"""
    name = request.field("name").strip()

    def check(directory: Snapshot) -> None:
        if name in directory.teams:
            raise Conflict("team_exists", f"There is already a team {name[:100]}.", field="name")

    try:
        await _put(request, name, check)
    except Refused as refusal:
        return await _teams(request, refusal)
    return request.to(f"/teams/{name}")


async def put(request: PageRequest) -> Page:
    """POST /teams/{name}"""
    name = request.params["name"]
    check = shown_state.unchanged_since_shown(
        request, lambda directory: shown_state.team_state(directory.teams.get(name))
    )
    try:
        check(await request.directory())
        asking = await _leaves(request, name, f"/teams/{name}")
        if asking is not None:
            return asking
        await _put(request, name, check)
    except Refused as refusal:
        return await _team(request, refusal)
    return request.to(f"/teams/{name}")


async def _leaves(request: PageRequest, name: str, back: str) -> Page | None:
    """The page that asks for confirmation if the form removes people with open tasks from the team."""
    if not request.actor_runs:
        return None  # applying the form is refused with that reason
    directory = await request.directory()
    known, stay = (
        directory.teams.get(name),
        {value.strip().lower() for key, value in request.form if key == "member"},
    )
    gone = (
        [directory.people[id] for id in known.members if id in directory.active_people]
        if known is not None
        else []
    )
    what = f"They can no longer decide as members of the team {name}. {confirm_removal.UNDERSTAFFED}"
    leavers = [person for person in gone if not stay & {person.id, person.email}]
    return await confirm_removal.confirm_removal(
        request, leavers, what, back, confirm_removal.confirm_team_change(name)
    )


async def _put(request: PageRequest, name: str, check: Callable[[Snapshot], None]) -> None:
    members = [value for key, value in request.form if key == "member"]
    fields: dict[str, Any] = {"members": members}
    order = request.field("order").replace(",", " ").split()
    if request.field("rotates") == "1":
        fields["rotation"] = {
            "order": order or members,
            "handover": f"{request.field('day')} {request.field('at')}",
            "zone": request.field("zone").strip(),
        }
    fields |= {field: value for field in ("channel", "mailbox") if (value := request.field(field).strip())}
    spec = read_team(name, document(fields), personal_channels())
    await request.state.manifests.apply(request.actor, Manifest(teams=(spec,)), check=check)
