"""Signing in and out. Opening a link only shows a button and changes nothing, because mail scanners open links too."""

from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from signoff.core.errors import Gone, Invalid, NotFound, Refused, TooMany
from signoff.engine.identity.sessions import SignedIn
from signoff.web.http.call import Page
from signoff.web.pages.kit import cookies
from signoff.web.pages.kit.handler import PageRequest

_LONGEST_PATH: Final = 2000
_SENT: Final = (
    "If this address belongs to a person in this workspace, a sign-in link is on its way. "
    "It works once and expires after 15 minutes."
)


def local(path: str) -> str:
    """The path, if it is a page of this server, else the inbox."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    own = (
        not parts.scheme and not parts.netloc and path.startswith("/") and not path.startswith(("//", "/\\"))
    )
    # Nobody is sent back to a page for signing in or out.
    signs_in_or_out = parts.path.partition("/")[0] == "" and parts.path.split("/")[1:2] in (
        ["login"],
        ["logout"],
    )
    plain = path.isprintable() and path.isascii() and len(path) <= _LONGEST_PATH
    return path if own and plain and not signs_in_or_out else "/"


async def ask(request: PageRequest) -> Page:
    """GET /login"""
    onward = local(request.query.get("next", "/"))
    if request.person is not None:
        return request.to(onward)
    return await _form(request, onward)


async def _form(request: PageRequest, onward: str, status: int = 200, **values: str | None) -> Page:
    """The sign-in page. ``values``: problem and hint; sent: the result of a request for a link by e-mail."""
    shown: dict[str, Any] = {"problem": "", "hint": "", "sent": ""} | values
    return await request.page("login.html", status, next=onward, by_mail=request.state.mails, **shown)


async def by_mail(request: PageRequest) -> Page:
    """POST /login/mail: e-mail a link if someone has this address. The reply is the same either way."""
    onward = local(request.field("next", "/"))
    links = request.state.sign_in_requests
    if links is None or not links.possible:
        raise NotFound("mail_not_set_up", "This server sends no mail.", hint="Sign in with your key.")
    try:
        links.ask(request.field("email"), request.call.peer, onward)
    except TooMany as refusal:
        return await _refused(request, onward, refusal)
    except Invalid as refusal:
        return await _form(request, onward, refusal.status, problem=refusal.message)
    return await _form(request, onward, sent=_SENT)


async def by_key(request: PageRequest) -> Page:
    """POST /login: sign in with a person's key."""
    onward = local(request.field("next", "/"))
    try:
        made = await request.state.sessions.open_by_key(request.field("key"))
    except Refused as refusal:
        if refusal.status >= 500:
            raise
        now = request.state.clock.now()
        return await _refused(
            request, onward, request.state.wrong_keys.counted(refusal, request.call.peer, now)
        )
    return _enter(request, made, onward)


async def _refused(request: PageRequest, onward: str, refusal: Refused) -> Page:
    """The form again, with what was wrong."""
    page = await _form(request, onward, refusal.status, problem=refusal.message, hint=refusal.hint)
    if not isinstance(refusal, TooMany):
        return page
    return replace(page, headers=(*page.headers, ("retry-after", str(refusal.retry_after))))


async def look(request: PageRequest) -> Page:
    """GET /login/{token}: shows a button. A person who is already signed in and opens a used link again is redirected
    to its target.
    """
    try:
        link = await request.state.sessions.link(request.params["token"], "login")
    except Gone:
        if request.person is None:
            raise
        return request.to(local(request.query.get("next", "/")))
    directory = await request.state.directory.of(link.workspace)
    return await request.page(
        "login_link.html", name=directory.display(link.person), next=local(request.query.get("next", "/"))
    )


async def by_link(request: PageRequest) -> Page:
    """POST /login/{token}: sign in; uses up the link."""
    made = await request.state.sessions.open_by_link(request.params["token"])
    return _enter(request, made, local(request.field("next", "/")))


def _enter(request: PageRequest, made: SignedIn, onward: str) -> Page:
    request.cookies.append(cookies.signed_in(request.call, made.token))
    return request.to(onward)


async def leave(request: PageRequest) -> Page:
    """GET /logout: shows a button."""
    return await request.page("logout.html")


async def left(request: PageRequest) -> Page:
    """POST /logout"""
    if request.token:
        await request.state.sessions.close(request.token)
    request.cookies.append(cookies.signed_out(request.call))
    return request.to("/login")
