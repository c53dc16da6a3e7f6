"""People: the list, the page of one person, and the reader's own settings. Each form is submitted as one entry of a
manifest, so pages can change only what the API can, and everything is recorded.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from signoff.core.directory.authorization import Action, makes_own_key, permits
from signoff.core.directory.model import ChatPerson, Person
from signoff.core.directory.personal_channels import PersonalChannels
from signoff.core.directory.roles import DECIDING, ROLES
from signoff.core.directory.rotation import Absence, absence_at
from signoff.core.errors import Conflict, Invalid, NotFound, Refused
from signoff.core.formats.manifest import Manifest, read_person
from signoff.core.plan.hours_reader import DAYS, hours_text
from signoff.core.text.document_reader import document
from signoff.engine.admin.workspace_warnings import workspace_warnings
from signoff.engine.delivery.chat_answers import LinkCode
from signoff.engine.delivery.recipients import preferred_channels
from signoff.engine.directory.change_log import person_subject
from signoff.engine.directory.snapshot import Snapshot, listed_key
from signoff.engine.identity.keys import key_creators
from signoff.engine.off_loop import populous
from signoff.notify.registry import label_of, link_text, personal_channels
from signoff.web.http.call import Page
from signoff.web.pages.admin import confirm_removal, shown_state
from signoff.web.pages.admin.accounts import lasts
from signoff.web.pages.admin.change_log import about
from signoff.web.pages.kit.handler import PageRequest
from signoff.web.pages.lists.messages import lines
from signoff.web.shapes.people import email_of

_MOST_TESTS: Final = 5
_PAGE: Final = 50
_AT_ONCE: Final = "no"
_DIGESTS: Final = ("5m", "15m", "1h", "4h")


class Away(msgspec.Struct, frozen=True):
    """An absence, as the page shows it. ``days``: the days as text, if it covers whole days in the person's time
    zone.
    """

    start: datetime
    end: datetime
    delegate: str
    now: bool
    over: bool
    days: str = ""


async def people(request: PageRequest) -> Page:
    """GET /people"""
    return await _people(request)


async def _people(
    request: PageRequest, refusal: Refused | None = None, warnings: tuple[str, ...] = ()
) -> Page:
    directory = await request.directory()
    now, words = request.state.clock.now(), request.query.get("q", "").strip()[:200]
    after = _key_of(request.query.get("after", ""), directory)

    def listed() -> tuple[list[dict[str, Any]], bool]:
        page = directory.listed.page(words, after, _PAGE)
        return [
            {
                "person": p,
                "teams": directory.teams_of(p.id),
                "away": _away(absence_at(p.absences, now), now, p, directory),
            }
            for p in page.entries
        ], page.more

    many = populous(directory)
    rows, more = await request.state.off_loop.run(request.actor, listed) if many else listed()
    query = {"q": words} if words else {}
    return await request.page(
        "people.html",
        refusal.status if refusal is not None else 200,
        in_thread=many,
        rows=rows,
        roles=ROLES,
        refusal=refusal,
        q=words,
        warnings=warnings,
        count=len(directory.listed),
        next=urlencode(query | {"after": rows[-1]["person"].id}) if more else "",
        first=f"/people?{urlencode(query)}" if after is not None else "",
        whole=permits(request.actor, Action.READ_ALL),
        posted=dict(request.form) if refusal is not None else {},
    )


def _key_of(after: str, directory: Snapshot) -> tuple[bool, str, str] | None:
    """The place of the last person on the previous page; raises NotFound if there never was one."""
    if not after:
        return None
    last = directory.people.get(after)
    if last is None:
        raise NotFound("page_not_found", "There is no such page.")
    return listed_key(last)


def _away(absence: Absence | None, now: datetime, person: Person, directory: Snapshot) -> Away | None:
    if absence is None:
        return None
    delegate = directory.display(absence.delegate) if absence.delegate else ""
    over, days = absence.end <= now, _days(absence, ZoneInfo(person.zone or "UTC"))
    return Away(absence.start, absence.end, delegate, absence.covers(now), over, days)


def _days(absence: Absence, zone: ZoneInfo) -> str:
    """``1 Jul 2030 to 14 Jul 2030``, in the person's time zone; "" if it begins or ends in the middle of a day."""
    start, end = absence.start.astimezone(zone), absence.end.astimezone(zone)
    if start.time() != time() or end.time() != time():
        return ""
    first, last = (f"{day:%d %b %Y}".lstrip("0") for day in (start, end - timedelta(hours=12)))
    return first if first == last else f"{first} to {last}"


async def add_person(request: PageRequest) -> Page:
    """POST /people"""
    roles = [value for name, value in request.form if name == "role"] or ["approver"]
    email, name = request.field("email").strip(), request.field("name").strip()[:255]
    try:
        directory = await request.directory()
        if email.lower() in directory.by_email:
            raise Conflict("person_exists", f"There is already a person with the address {email[:255]}.")
        await _apply(request, email, {"name": name, "roles": roles})
    except Refused as refusal:
        return await _people(request, refusal)
    after = await request.directory()
    warnings = workspace_warnings(directory, after)
    return await _people(request, warnings=warnings) if warnings else request.to("/people")


async def _apply(
    request: PageRequest, who: str, fields: dict[str, Any], check: Callable[[Snapshot], None] | None = None
) -> None:
    spec = read_person(who, document(fields), personal_channels())
    await request.state.manifests.apply(request.actor, Manifest(people=(spec,)), check=check)


# -- one person


async def me(request: PageRequest) -> Page:
    """GET /me"""
    return await _person(request, request.actor.id)


async def person(request: PageRequest) -> Page:
    """GET /people/{person_id}"""
    if request.params["person_id"] == request.actor.id:
        return request.to("/me")
    return await _person(request, request.params["person_id"])


async def _person(
    request: PageRequest,
    person_id: str,
    refusal: Refused | None = None,
    code: tuple[str, LinkCode] | None = None,
    secret: str = "",
) -> Page:
    directory = await request.directory()
    found = directory.people.get(person_id)
    if found is None:
        raise NotFound("person_not_found", f"There is no person {person_id[:64]}.")
    now, own = request.state.clock.now(), person_id == request.actor.id
    admin = permits(request.actor, Action.CHANGE_DIRECTORY)
    known = personal_channels()
    order = [name for name in preferred_channels(found.preferences) if name in known.names]
    return await request.page(
        "person.html",
        refusal.status if refusal is not None else 200,
        one=found,
        own=own,
        may_change=own or admin,
        whole=permits(request.actor, Action.READ_PERSON, found),
        keys=await _own_keys(request) if own else [],
        secret=secret,
        may_create_key=makes_own_key(request.actor),
        refusal=refusal,
        act=request.params.get("act", ""),
        posted=dict(request.form) if refusal is not None and refusal.code != shown_state.CODE else {},
        shown=shown_state.person_state(found),
        teams=directory.teams_of(found.id),
        roles=ROLES,
        zones=sorted(available_timezones()),
        days=DAYS,
        hours=hours_text(found.hours) if found.hours else "",
        order=order,
        digest=_digest(found),
        digests=dict.fromkeys((*_DIGESTS, *(one for one in (_digest(found),) if one not in ("", _AT_ONCE)))),
        channels={name: label_of(name) for name in known.names},
        addresses=_address_fields(found, known),
        absences=[
            _away(absence, now, found, directory) for absence in sorted(found.absences, key=lambda a: a.start)
        ],
        delegates=_delegates(found, directory),
        local=now.astimezone(ZoneInfo(found.zone or "UTC")),
        chats=await _chats(request, found, code),
        tests=await _tests(request, found) if own or admin else None,
        changes=await about(request, person_subject(found.id)) if admin else None,
        sessions=await request.state.sessions.open_ones(request.actor, person_id, request.token)
        if own or admin
        else [],
    )


def _digest(person: Person) -> str:
    """The value of the form's digest field."""
    written = person.preferences.get("digest", "")
    return _AT_ONCE if written is False else str(written)


def _delegates(person: Person, directory: Snapshot) -> list[tuple[str, str]]:
    able = [
        p for p in directory.people.values() if p.active and p.id != person.id and set(p.roles) & DECIDING
    ]
    return sorted(((p.email, p.name or p.email) for p in able), key=lambda one: one[1].lower())


class LinkedChat(msgspec.Struct, frozen=True):
    """A chat in which people link an account. ``say``: what to type there, if a code has just been created."""

    name: str
    label: str
    configured: bool
    linked: ChatPerson | None
    say: str = ""


async def _chats(request: PageRequest, person: Person, code: tuple[str, LinkCode] | None) -> list[LinkedChat]:
    return [
        LinkedChat(
            name,
            label,
            chat is not None,
            await chat.linked(request.actor.workspace, person.id) if chat else None,
            link_text(name, code[1].text) if code and code[0] == name else "",
        )
        for name, label in personal_channels().linked.items()
        for chat in [request.state.chats.get(name)]
    ]


def _address_fields(person: Person, known: PersonalChannels) -> list[tuple[str, str, str]]:
    """(name, label, value) of each channel whose address people enter on this page."""
    return [(name, label_of(name), person.addresses.get(name, "")) for name in known.addressed]


async def act(request: PageRequest) -> Page:
    """POST /people/{person_id}/{act}"""
    run = _ACTS.get(request.params["act"])
    directory = await request.directory()
    found = directory.people.get(request.params["person_id"])
    if run is None or found is None:
        raise NotFound("not_found", "There is no such action.")
    home = "/me" if found.id == request.actor.id else f"/people/{found.id}"
    check = _check(request, found.id) if request.params["act"] == "details" else None
    try:
        if check is not None:
            check(directory)
        fields = await run(request, found, directory)
        if what := _takes_away(request.params["act"], found, fields):
            asking = await confirm_removal.confirm_removal(request, [found], what, home)
            if asking is not None:
                return asking
        await _apply(request, found.id, fields, check)
    except Refused as refusal:
        return await _person(request, found.id, refusal)
    return request.to(home)


def _check(request: PageRequest, person_id: str) -> Callable[[Snapshot], None]:
    return shown_state.unchanged_since_shown(
        request, lambda directory: shown_state.person_state(directory.people.get(person_id))
    )


def _takes_away(act: str, found: Person, fields: dict[str, Any]) -> str:
    """The consequences for the person's open tasks, as text; "" if there are none."""
    if act == "leave":
        return (
            "The delegate answers tasks that open from now on. Open tasks stay with the people that they "
            "asked, and with the delegates named before they opened."
        )
    if not found.active or act != "details":
        return ""
    if not fields["active"]:
        return f"An inactive person cannot decide. {confirm_removal.UNDERSTAFFED}"
    if DECIDING & (set(found.roles) - set(fields["roles"])):
        return f"Without the role they can no longer decide under it. {confirm_removal.UNDERSTAFFED}"
    return ""


async def sign_out(request: PageRequest) -> Page:
    """POST /people/{person_id}/sessions: end one session, or all except the current one."""
    person_id, sessions = request.params["person_id"], request.state.sessions
    try:
        if request.field("session"):
            await sessions.end(request.actor, person_id, request.field("session"))
        else:
            await sessions.end_all(request.actor, person_id, request.token)
    except Refused as refusal:
        return await _person(request, person_id, refusal)
    return request.to("/me" if person_id == request.actor.id else f"/people/{person_id}")


async def send_test(request: PageRequest) -> Page:
    """POST /people/{person_id}/test-messages"""
    person_id = request.params["person_id"]
    request.params["act"] = "test"
    found = (await request.directory()).people.get(person_id)
    if found is None:
        raise NotFound("not_found", "There is no such person.")
    try:
        await request.state.test_messages.send(request.actor, found, request.field("channel"))
    except Refused as refusal:
        return await _person(request, person_id, refusal)
    return request.to(f"{'/me' if person_id == request.actor.id else f'/people/{person_id}'}#tests")


async def _tests(request: PageRequest, person: Person) -> dict[str, Any]:
    """The channels that reach a person now, and the latest test messages."""
    tests, directory = request.state.test_messages, await request.directory()
    sent = (await tests.sent(request.actor, person))[:_MOST_TESTS]
    return {"over": await tests.channels(person), "sent": lines(sent, directory)}


async def _details(request: PageRequest, found: Person, directory: Snapshot) -> dict[str, Any]:
    return {
        "name": request.field("name").strip()[:255],
        "roles": [value for name, value in request.form if name == "role"],
        "active": request.field("active") == "1",
        "addresses": {
            name: to
            for name in personal_channels().addressed
            if (to := request.field(f"address_{name}").strip())
        },
    }


async def _time(request: PageRequest, found: Person, directory: Snapshot) -> dict[str, Any]:
    zone = request.field("zone").strip()
    fields: dict[str, Any] = {"hours": False}
    days = [value for name, value in request.form if name == "day"]
    if days:
        if not zone:
            raise Invalid("zone_required", "Working hours need a time zone.", field="zone")
        hours = {"zone": zone, "days": days, "from": request.field("from"), "to": request.field("to")}
        fields["hours"] = {name: value for name, value in hours.items() if value}
    return fields | {"zone": zone}


async def _channels(request: PageRequest, found: Person, directory: Snapshot) -> dict[str, Any]:
    wanted = [
        name for name in (request.field("first"), request.field("then")) if name in personal_channels().names
    ]
    chosen = request.field("digest")
    digest = {"digest": False if chosen == _AT_ONCE else chosen} if chosen else {}
    return {"preferences": ({"channels": list(dict.fromkeys(wanted))} if wanted else {}) | digest}


async def _leave(request: PageRequest, found: Person, directory: Snapshot) -> dict[str, Any]:
    new = {"from": request.field("from").strip(), "until": request.field("until").strip()}
    if request.field("delegate"):
        new["delegate"] = request.field("delegate")
    return {"absences": [*_kept(request, found, directory), new]}


async def _back(request: PageRequest, found: Person, directory: Snapshot) -> dict[str, Any]:
    start, planned = request.field("start"), _kept(request, found, directory)
    kept = [away for away in planned if away["from"] != start]
    if len(kept) == len(planned):
        raise NotFound("absence_not_found", "There is no such absence.")
    return {"absences": kept}


def _kept(request: PageRequest, found: Person, directory: Snapshot) -> list[dict[str, str]]:
    """The absences that have not ended. Past ones are dropped, so that they do not accumulate; they are in the
    change log. A delegate who may no longer decide is left out, because it would be refused.
    """
    now = request.state.clock.now()
    deciding = {p.id for p in directory.people.values() if p.active and set(p.roles) & DECIDING}
    return [
        {"from": away.start.isoformat(), "until": away.end.isoformat()}
        | ({"delegate": email_of(directory, away.delegate)} if away.delegate in deciding else {})
        for away in found.absences
        if away.end > now
    ]


Act = Callable[[PageRequest, Person, Snapshot], Awaitable[dict[str, Any]]]
_ACTS: Final[dict[str, Act]] = {
    "details": _details,
    "time": _time,
    "channels": _channels,
    "leave": _leave,
    "back": _back,
}


async def _own_keys(request: PageRequest) -> list[dict[str, Any]]:
    """The person's valid keys, newest first."""
    now, directory = request.state.clock.now(), await request.directory()
    found = await request.state.accounts.keys(request.actor, request.actor.id)
    good = [k for k in found if k.revoked_at is None and (k.expires_at is None or k.expires_at > now)]
    return [
        {
            "key": key,
            "by": ", ".join(directory.display(p) for p in key_creators(key) if p != request.actor.id),
        }
        for key in sorted(good, key=lambda key: key.created_at, reverse=True)
    ]


async def add_key(request: PageRequest) -> Page:
    """POST /me/keys: create a key for oneself; the response shows the secret once."""
    directory = await request.directory()
    request.params["act"] = "key"
    try:
        life = lasts(request.field("life", "90"))
        made = await request.state.accounts.add_key(request.actor, directory.people[request.actor.id], life)
    except Refused as refusal:
        return await _person(request, request.actor.id, refusal)
    return await _person(request, request.actor.id, secret=made.secret)


async def revoke_key(request: PageRequest) -> Page:
    """POST /me/keys/{key_id}/revoke"""
    try:
        if request.params["key_id"] not in {row["key"].id for row in await _own_keys(request)}:
            raise NotFound("key_not_found", "You have no such key.")
        await request.state.accounts.revoke_key(request.actor, request.params["key_id"])
    except Refused as refusal:
        return await _person(request, request.actor.id, refusal)
    return request.to("/me")


async def link_code(request: PageRequest) -> Page:
    """POST /me/channels/{channel}: create a code. The response shows it once; it is not stored."""
    name = request.params["channel"]
    chat = request.state.chats.get(name)
    if chat is None:
        raise NotFound("channel_not_set_up", f"No account can be linked in {label_of(name)[:64]!r} here.")
    return await _person(request, request.actor.id, code=(name, await chat.code(request.actor)))
