"""People: who is there, one person with all that concerns them, and one's own settings. Each form is one wish of a
charter, so a page can say nothing that the API could not, and everything is on record.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from signoff.core.directory.roles import DECIDING, ROLES
from signoff.core.directory.rotation import Absence, absence_at
from signoff.core.errors import Conflict, Invalid, NotFound, Refused
from signoff.core.formats.manifest import CHANNELS, Charter, read_person
from signoff.core.intent.authorization import RUNNING, reads_all
from signoff.core.plan.hours_reader import DAYS, hours_text
from signoff.core.text.document_reader import document
from signoff.engine.admin.accounts import makes_own_key
from signoff.engine.delivery.chat_answers import Code
from signoff.engine.delivery.recipients import preferred
from signoff.engine.directory.change_log import person_subject
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.identity.keys import makers
from signoff.store.tables.chats import ChatPerson
from signoff.store.tables.entries import Person
from signoff.web.http.call import Page
from signoff.web.pages.admin import leaving
from signoff.web.pages.admin.accounts import lasts
from signoff.web.pages.admin.changes import about
from signoff.web.pages.kit.handler import Visit
from signoff.web.shapes.people import email_of


class Away(msgspec.Struct, frozen=True):
    """An absence, as the page shows it. ``days``: in words, where it is whole days of the person's own."""

    start: datetime
    end: datetime
    delegate: str
    now: bool
    over: bool
    days: str = ""


async def people(visit: Visit) -> Page:
    """GET /people"""
    return await _people(visit)


async def _people(visit: Visit, refusal: Refused | None = None) -> Page:
    book = await visit.parts.directory.of(visit.actor.workspace)
    now, words = visit.parts.clock.now(), visit.query.get("q", "").strip()[:200]
    rows = [
        {"person": p, "teams": _teams(p, book), "away": _away(absence_at(p.absences, now), now, p, book)}
        for p in sorted(book.people.values(), key=lambda p: (not p.active, (p.name or p.email).lower()))
        if _fits(p, words, book)
    ]
    return await visit.page(
        "people.html", refusal.status if refusal is not None else 200, rows=rows, roles=ROLES, refusal=refusal, q=words,
        whole=reads_all(visit.actor),
        posted=dict(visit.form) if refusal is not None else {},
    )  # fmt: skip


def _fits(person: Person, words: str, book: Snapshot) -> bool:
    hay = " ".join((person.name, person.email, *person.roles, *_teams(person, book))).lower()
    return all(word in hay for word in words.lower().split())


def _teams(person: Person, book: Snapshot) -> list[str]:
    return [team.name for team in book.teams.values() if person.id in team.members]


def _away(absence: Absence | None, now: datetime, person: Person, book: Snapshot) -> Away | None:
    if absence is None:
        return None
    delegate = book.display(absence.delegate) if absence.delegate else ""
    over, days = absence.end <= now, _days(absence, ZoneInfo(person.zone or "UTC"))
    return Away(absence.start, absence.end, delegate, absence.covers(now), over, days)


def _days(absence: Absence, zone: ZoneInfo) -> str:
    """``1 Jul 2030 to 14 Jul 2030``, by the person's own calendar; "" where it begins or ends within a day."""
    start, end = absence.start.astimezone(zone), absence.end.astimezone(zone)
    if start.time() != time() or end.time() != time():
        return ""
    first, last = (f"{day:%d %b %Y}".lstrip("0") for day in (start, end - timedelta(hours=12)))
    return first if first == last else f"{first} to {last}"


async def add_person(visit: Visit) -> Page:
    """POST /people"""
    roles = [value for name, value in visit.form if name == "role"] or ["approver"]
    email, name = visit.field("email").strip(), visit.field("name").strip()[:255]
    try:
        book = await visit.parts.directory.of(visit.actor.workspace)
        if any(person.email == email.lower() for person in book.people.values()):
            raise Conflict("person_exists", f"{email[:255]} is here already.")
        await _wish(visit, email, {"name": name, "roles": roles})
    except Refused as refusal:
        return await _people(visit, refusal)
    return visit.to("/people")


async def _wish(visit: Visit, who: str, said: dict[str, Any]) -> None:
    wish = read_person(who, document(said))
    await visit.parts.registry.charters.apply(visit.actor, Charter(people=(wish,)))


# -- one person


async def me(visit: Visit) -> Page:
    """GET /me"""
    return await _person(visit, visit.actor.id)


async def person(visit: Visit) -> Page:
    """GET /people/{person_id}"""
    if visit.params["person_id"] == visit.actor.id:
        return visit.to("/me")
    return await _person(visit, visit.params["person_id"])


async def _person(
    visit: Visit, person_id: str, refusal: Refused | None = None, code: Code | None = None, secret: str = ""
) -> Page:
    book = await visit.parts.directory.of(visit.actor.workspace)
    found = book.people.get(person_id)
    if found is None:
        raise NotFound("person_not_found", f"There is no person {person_id[:64]}.")
    now, own = visit.parts.clock.now(), person_id == visit.actor.id
    admin = bool(visit.actor.roles & RUNNING)
    order = [name for name in preferred(found.preferences) if name in CHANNELS]
    return await visit.page(
        "person.html", refusal.status if refusal is not None else 200, one=found, own=own, may_change=own or admin,
        whole=own or reads_all(visit.actor),
        keys=await _own_keys(visit) if own else [], secret=secret, surely=makes_own_key(visit.actor),
        refusal=refusal, act=visit.params.get("act", ""), posted=dict(visit.form) if refusal is not None else {},
        teams=_teams(found, book), roles=ROLES, zones=sorted(available_timezones()), days=DAYS,
        hours=hours_text(found.hours) if found.hours else "", order=order, channels=CHANNELS,
        absences=[_away(absence, now, found, book) for absence in sorted(found.absences, key=lambda a: a.start)],
        delegates=_delegates(found, book), local=now.astimezone(ZoneInfo(found.zone or "UTC")),
        slack=visit.parts.slack is not None, linked=await _linked(visit, found), code=code,
        changes=await about(visit, person_subject(found.id)) if admin else None,
        sessions=await visit.parts.sessions.open_ones(visit.actor, person_id, visit.token) if own or admin else [],
    )  # fmt: skip


def _delegates(person: Person, book: Snapshot) -> list[tuple[str, str]]:
    able = [p for p in book.people.values() if p.active and p.id != person.id and set(p.roles) & DECIDING]
    return sorted(((p.email, p.name or p.email) for p in able), key=lambda one: one[1].lower())


async def _linked(visit: Visit, person: Person) -> ChatPerson | None:
    desk = visit.parts.slack
    return await desk.chat.linked(visit.actor.workspace, person.id) if desk is not None else None


async def act(visit: Visit) -> Page:
    """POST /people/{person_id}/{act}"""
    run = _ACTS.get(visit.params["act"])
    book = await visit.parts.directory.of(visit.actor.workspace)
    found = book.people.get(visit.params["person_id"])
    if run is None or found is None:
        raise NotFound("not_found", "There is nothing to do by this name.")
    home = "/me" if found.id == visit.actor.id else f"/people/{found.id}"
    try:
        said = await run(visit, found, book)
        if what := _takes_away(visit.params["act"], found, said):
            asking = await leaving.first(visit, [found], what, home)
            if asking is not None:
                return asking
        await _wish(visit, found.id, said)
    except Refused as refusal:
        return await _person(visit, found.id, refusal)
    return visit.to(home)


def _takes_away(act: str, found: Person, said: dict[str, Any]) -> str:
    """What it means for what waits for the person, in words; "" where they decide as before."""
    if act == "leave":
        return (
            "Whoever stands in answers what is asked from now on. What is open already is answered by whom it asked, "
            "and by whoever was named to stand in before it was asked."
        )
    if not found.active or act != "details":
        return ""
    if not said["active"]:
        return (
            "Who is not active decides nothing: what too few people are left for moves on as its policy says."
        )
    if DECIDING & (set(found.roles) - set(said["roles"])):
        return "Without the role their say by it ends: what too few people are left for moves on as its policy says."
    return ""


async def sign_out(visit: Visit) -> Page:
    """POST /people/{person_id}/sessions: end one sign-in, or all but the one that asks."""
    person_id, sessions = visit.params["person_id"], visit.parts.sessions
    try:
        if visit.field("session"):
            await sessions.end(visit.actor, person_id, visit.field("session"))
        else:
            await sessions.end_all(visit.actor, person_id, visit.token)
    except Refused as refusal:
        return await _person(visit, person_id, refusal)
    return visit.to("/me" if person_id == visit.actor.id else f"/people/{person_id}")


async def _details(visit: Visit, found: Person, book: Snapshot) -> dict[str, Any]:
    return {
        "name": visit.field("name").strip()[:255],
        "roles": [value for name, value in visit.form if name == "role"],
        "active": visit.field("active") == "1",
        "addresses": {"email": to} if (to := visit.field("address").strip()) else {},
    }


async def _time(visit: Visit, found: Person, book: Snapshot) -> dict[str, Any]:
    zone = visit.field("zone").strip()
    said: dict[str, Any] = {"hours": False}
    days = [value for name, value in visit.form if name == "day"]
    if days:
        if not zone:
            raise Invalid("zone_required", "Working hours need a time zone.", field="zone")
        hours = {"zone": zone, "days": days, "from": visit.field("from"), "to": visit.field("to")}
        said["hours"] = {name: value for name, value in hours.items() if value}
    return said | {"zone": zone}


async def _channels(visit: Visit, found: Person, book: Snapshot) -> dict[str, Any]:
    wanted = [name for name in (visit.field("first"), visit.field("then")) if name in CHANNELS]
    return {"preferences": {"channels": list(dict.fromkeys(wanted))} if wanted else {}}


async def _leave(visit: Visit, found: Person, book: Snapshot) -> dict[str, Any]:
    new = {"from": visit.field("from").strip(), "until": visit.field("until").strip()}
    if visit.field("delegate"):
        new["delegate"] = visit.field("delegate")
    return {"absences": [*_kept(visit, found, book), new]}


async def _back(visit: Visit, found: Person, book: Snapshot) -> dict[str, Any]:
    start, planned = visit.field("start"), _kept(visit, found, book)
    kept = [away for away in planned if away["from"] != start]
    if len(kept) == len(planned):
        raise NotFound("absence_not_found", "This absence is not there any more.")
    return {"absences": kept}


def _kept(visit: Visit, found: Person, book: Snapshot) -> list[dict[str, str]]:
    """The absences that are not over; those before are on record, and would only add up. A delegate who may not decide
    any more is left out, as it would be refused.
    """
    now = visit.parts.clock.now()
    deciding = {p.id for p in book.people.values() if p.active and set(p.roles) & DECIDING}
    return [
        {"from": away.start.isoformat(), "until": away.end.isoformat()}
        | ({"delegate": email_of(book, away.delegate)} if away.delegate in deciding else {})
        for away in found.absences
        if away.end > now
    ]


Act = Callable[[Visit, Person, Snapshot], Awaitable[dict[str, Any]]]
_ACTS: Final[dict[str, Act]] = {
    "details": _details,
    "time": _time,
    "channels": _channels,
    "leave": _leave,
    "back": _back,
}


async def _own_keys(visit: Visit) -> list[dict[str, Any]]:
    """The person's keys that are still good, newest first."""
    now, book = visit.parts.clock.now(), await visit.parts.directory.of(visit.actor.workspace)
    found = await visit.parts.registry.keys(visit.actor, visit.actor.id)
    good = [k for k in found if k.revoked_at is None and (k.expires_at is None or k.expires_at > now)]
    return [
        {"key": key, "by": ", ".join(book.display(p) for p in makers(key) if p != visit.actor.id)}
        for key in sorted(good, key=lambda key: key.created_at, reverse=True)
    ]


async def add_key(visit: Visit) -> Page:
    """POST /me/keys: a key of one's own; the answer shows the secret, once."""
    book = await visit.parts.directory.of(visit.actor.workspace)
    visit.params["act"] = "key"
    try:
        life = lasts(visit.field("life", "90"))
        made = await visit.parts.registry.add_key(visit.actor, book.people[visit.actor.id], life)
    except Refused as refusal:
        return await _person(visit, visit.actor.id, refusal)
    return await _person(visit, visit.actor.id, secret=made.secret)


async def revoke_key(visit: Visit) -> Page:
    """POST /me/keys/{key_id}/revoke"""
    try:
        if visit.params["key_id"] not in {row["key"].id for row in await _own_keys(visit)}:
            raise NotFound("key_not_found", "You have no such key any more.")
        await visit.parts.registry.revoke_key(visit.actor, visit.params["key_id"])
    except Refused as refusal:
        return await _person(visit, visit.actor.id, refusal)
    return visit.to("/me")


async def slack_code(visit: Visit) -> Page:
    """POST /me/slack: the answer shows the code, once; it is kept nowhere and cannot be fetched again."""
    desk = visit.parts.slack
    if desk is None:
        raise NotFound("slack_not_set_up", "Slack is not set up here.", hint="An admin sets slack_tokens.")
    return await _person(visit, visit.actor.id, code=await desk.chat.code(visit.actor))
