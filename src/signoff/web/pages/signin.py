"""Signing in and out. Opening a link shows one button and changes nothing: mail scanners open links too."""

from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from signoff.core.errors import Gone, Invalid, NotFound, Refused, TooMany
from signoff.engine.identity.sessions import SignedIn
from signoff.web.http.call import Page
from signoff.web.pages.kit import cookies
from signoff.web.pages.kit.handler import Visit

_LONGEST_PATH: Final = 2000


def local(path: str) -> str:
    """The path, if it leads to a page of this server; else the inbox."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    own = (
        not parts.scheme and not parts.netloc and path.startswith("/") and not path.startswith(("//", "/\\"))
    )
    # What signs in or out is no place to come back to.
    door = parts.path.partition("/")[0] == "" and parts.path.split("/")[1:2] in (["login"], ["logout"])
    plain = path.isprintable() and path.isascii() and len(path) <= _LONGEST_PATH
    return path if own and plain and not door else "/"


async def ask(visit: Visit) -> Page:
    """GET /login"""
    onward = local(visit.query.get("next", "/"))
    if visit.person is not None:
        return visit.to(onward)
    return await _form(visit, onward)


async def _form(visit: Visit, onward: str, status: int = 200, **said: str | None) -> Page:
    """``said``: problem and hint, or sent: what became of asking for a link by mail."""
    shown: dict[str, Any] = {"problem": "", "hint": "", "sent": ""} | said
    return await visit.page("login.html", status, next=onward, by_mail=visit.parts.mails, **shown)


async def by_mail(visit: Visit) -> Page:
    """POST /login/mail: a link is mailed, if this is anybody's address. Who asks is told the same either way."""
    onward = local(visit.field("next", "/"))
    links = visit.parts.mailed_links
    if links is None or not links.possible:
        raise NotFound("mail_not_set_up", "This server sends no mail.", hint="Sign in with your key.")
    try:
        links.ask(visit.field("email"), visit.call.peer, onward)
    except TooMany as refusal:
        page = await _form(visit, onward, refusal.status, problem=refusal.message, hint=refusal.hint)
        return replace(page, headers=(*page.headers, ("retry-after", str(refusal.retry_after))))
    except Invalid as refusal:
        return await _form(visit, onward, refusal.status, problem=refusal.message)
    said = "If this is the address of somebody here, a sign-in link is on its way. It works once, for 15 minutes."
    return await _form(visit, onward, sent=said)


async def by_key(visit: Visit) -> Page:
    """POST /login: a person's key."""
    onward = local(visit.field("next", "/"))
    try:
        made = await visit.parts.sessions.open_by_key(visit.field("key"))
    except Refused as refusal:
        if refusal.status >= 500:
            raise
        return await _form(visit, onward, refusal.status, problem=refusal.message, hint=refusal.hint)
    return _enter(visit, made, onward)


async def look(visit: Visit) -> Page:
    """GET /login/{token}: one button. Whoever is in already, and opens a used link once more, goes where it led."""
    try:
        link = await visit.parts.sessions.link(visit.params["token"], "login")
    except Gone:
        if visit.person is None:
            raise
        return visit.to(local(visit.query.get("next", "/")))
    book = await visit.parts.directory.of(link.workspace)
    return await visit.page(
        "login_link.html", name=book.display(link.person), next=local(visit.query.get("next", "/"))
    )


async def by_link(visit: Visit) -> Page:
    """POST /login/{token}: the link is used up."""
    made = await visit.parts.sessions.open_by_link(visit.params["token"])
    return _enter(visit, made, local(visit.field("next", "/")))


def _enter(visit: Visit, made: SignedIn, onward: str) -> Page:
    visit.cookies.append(cookies.signed_in(visit.call, made.token))
    return visit.to(onward)


async def leave(visit: Visit) -> Page:
    """GET /logout: one button."""
    return await visit.page("logout.html")


async def left(visit: Visit) -> Page:
    """POST /logout"""
    if visit.token:
        await visit.parts.sessions.close(visit.token)
    visit.cookies.append(cookies.signed_out(visit.call))
    return visit.to("/login")
