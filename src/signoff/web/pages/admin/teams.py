"""Teams: who is in them, who is on call now and in the coming weeks; and the form that changes them."""

from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec

from signoff.core.directory.rotation import Team, absence_at
from signoff.core.errors import NotFound, Refused
from signoff.core.formats.manifest import Charter, read_team
from signoff.core.plan.hours_reader import DAYS
from signoff.core.text.document_reader import document
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.http.call import Page
from signoff.web.pages.admin import leaving
from signoff.web.pages.admin.changes import about
from signoff.web.pages.kit.handler import Visit
from signoff.web.shapes.people import email_of

_WEEKS: Final = 5


class Turn(msgspec.Struct, frozen=True):
    """Who is on call from when; ``instead``: who is told in their stead, as they are away."""

    at: datetime
    name: str
    away: bool
    instead: str


async def teams(visit: Visit) -> Page:
    """GET /teams"""
    return await _teams(visit)


async def _teams(visit: Visit, refusal: Refused | None = None) -> Page:
    book, now = await visit.parts.directory.of(visit.actor.workspace), visit.parts.clock.now()
    rows = [
        {
            "team": team,
            "members": [book.display(m) for m in team.members],
            "turns": _turns(team, book, now)[:2],
        }
        for team in sorted(book.teams.values(), key=lambda team: team.name)
    ]
    return await visit.page(
        "teams.html", refusal.status if refusal is not None else 200, rows=rows, refusal=refusal,
        posted=dict(visit.form) if refusal is not None else {}, people=_people(book),
        chosen=[v for n, v in visit.form if n == "member"],
    )  # fmt: skip


async def team(visit: Visit) -> Page:
    """GET /teams/{name}"""
    return await _team(visit)


async def _team(visit: Visit, refusal: Refused | None = None) -> Page:
    book, now = await visit.parts.directory.of(visit.actor.workspace), visit.parts.clock.now()
    found = book.teams.get(visit.params["name"])
    if found is None:
        raise NotFound("team_not_found", f"There is no team {visit.params['name'][:128]!r}.")
    turns = found.rotation
    chosen = [v for n, v in visit.form if n == "member"] or [email_of(book, m) for m in found.members]
    return await visit.page(
        "team.html", refusal.status if refusal is not None else 200, team=found, turns=_turns(found, book, now),
        members=[(m, book.display(m)) for m in found.members], people=_people(book), chosen=chosen,
        order=[email_of(book, person) for person in turns.order] if turns else [], days=DAYS,
        zones=sorted(available_timezones()), refusal=refusal,
        posted=dict(visit.form) if refusal is not None else {}, changes=await about(visit, f"team:{found.name}"),
    )  # fmt: skip


def _people(book: Snapshot) -> list[tuple[str, str]]:
    active = [(p.email, p.name or p.email) for p in book.people.values() if p.active]
    return sorted(active, key=lambda one: one[1].lower())


def _turns(team: Team, book: Snapshot, now: datetime) -> list[Turn]:
    """Who is on call now, and who follows."""
    if team.rotation is None:
        return []
    found, at = [], now
    for _ in range(_WEEKS):
        person = team.rotation.on_call(at)
        known = book.people.get(person)
        absence = absence_at(known.absences, at) if known else None
        instead = book.display(absence.delegate) if absence and absence.delegate else ""
        found.append(Turn(at, book.display(person), absence is not None, instead))
        at = team.rotation.handover_after(at)
    return found


async def put_new(visit: Visit) -> Page:
    """POST /teams"""
    name = visit.field("name").strip()
    try:
        asking = await _leaves(visit, name, "/teams")
        if asking is not None:
            return asking
        await _put(visit, name)
    except Refused as refusal:
        return await _teams(visit, refusal)
    return visit.to(f"/teams/{name}")


async def put(visit: Visit) -> Page:
    """POST /teams/{name}"""
    try:
        asking = await _leaves(visit, visit.params["name"], f"/teams/{visit.params['name']}")
        if asking is not None:
            return asking
        await _put(visit, visit.params["name"])
    except Refused as refusal:
        return await _team(visit, refusal)
    return visit.to(f"/teams/{visit.params['name']}")


async def _leaves(visit: Visit, name: str, back: str) -> Page | None:
    """What waits for those whom the form takes out of the team, before it does."""
    if not visit.actor_runs:
        return None  # refused for that
    book = await visit.parts.directory.of(visit.actor.workspace)
    known, stay = (
        book.teams.get(name),
        {value.strip().lower() for key, value in visit.form if key == "member"},
    )
    gone = [book.people[id] for id in known.members if id in book.standing] if known is not None else []
    what = f"In the team {name} they decide no more: what too few people are left for moves on as its policy says."
    leavers = [person for person in gone if not stay & {person.id, person.email}]
    return await leaving.first(visit, leavers, what, back, leaving.by_team(name))


async def _put(visit: Visit, name: str) -> None:
    members = [value for key, value in visit.form if key == "member"]
    said: dict[str, Any] = {"members": members}
    order = visit.field("order").replace(",", " ").split()
    if visit.field("rotates") == "1":
        said["rotation"] = {
            "order": order or members,
            "handover": f"{visit.field('day')} {visit.field('at')}",
            "zone": visit.field("zone").strip(),
        }
    wish = read_team(name, document(said))
    await visit.parts.registry.charters.apply(visit.actor, Charter(teams=(wish,)))
