"""The entry point of every page, as raw ASGI: the session, the CSRF check, one format for every refusal.

A GET or HEAD reaches only functions that read. Private pages are never cached, framed or sent as a referrer.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.types import Receive, Scope, Send

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, permits
from signoff.core.errors import Busy, Invalid, Malformed, Refused, TooMany, Unauthenticated
from signoff.core.text.hidden_characters import shows
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.hosts import check_host
from signoff.web.http.call import Call, Page, Stream
from signoff.web.http.endpoint import GoneAwayError, ResponseWriter, WrongMethod, read_body
from signoff.web.pages.kit import cookies
from signoff.web.pages.kit.csrf import check_origin, form_token
from signoff.web.pages.kit.open_task_counts import OpenTaskCounts
from signoff.web.pages.kit.render import load, loaded, render
from signoff.web.state import AppState
from signoff.wire.common import LONGEST_COMMENT

log = logging.getLogger("signoff.web")

_FORM_LIMIT: Final = 256 * 1024
_MAX_FIELDS: Final = 1100  # two for each task of the largest bulk answer
_HTML: Final = "text/html; charset=utf-8"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PRIVATE: Final = (
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex, nofollow"),
)
# Browsers accept these only over https, and otherwise warn about the second one.
_OVER_TLS: Final = (
    ("strict-transport-security", "max-age=31536000"),
    ("cross-origin-opener-policy", "same-origin"),
)


class PageRequest:
    """One request to a page. ``person``: the person who is signed in, or None; ``form``: the posted form."""

    def __init__(self, call: Call, waiting: OpenTaskCounts) -> None:
        self.call = call
        self._waiting = waiting
        self.state = call.state
        self.query = call.query
        self.params = call.params
        self.token = cookies.session_of(call)
        self.person: Actor | None = None
        self.form: list[tuple[str, str]] = []
        self.cookies: list[tuple[str, str]] = []
        self._binding = cookies.binding_of(call)

    @property
    def actor(self) -> Actor:
        """The person who is signed in, on pages that require it."""
        if self.person is None:
            raise TypeError("an open page has no person")
        return self.person

    @property
    def actor_runs(self) -> bool:
        """Whether an owner or an admin is signed in."""
        return self.person is not None and permits(self.person, Action.CHANGE_DIRECTORY)

    async def directory(self) -> Snapshot:
        """The directory of the signed-in person's workspace."""
        return await self.state.directory.of(self.actor.workspace)

    @property
    def binding(self) -> str:
        """The value that binds forms to this browser; created, and set as a cookie, if there was none."""
        if not self._binding:
            self._binding = secrets.token_urlsafe(24)
            self.cookies.append(cookies.bound(self.call, self._binding))
        return self._binding

    def field(self, name: str, default: str = "") -> str:
        """A posted field's last value."""
        return next((value for key, value in reversed(self.form) if key == name), default)

    def words(self, name: str) -> str:
        """A posted comment or reason; raises Invalid if it is longer than the API allows."""
        text = self.field(name).strip().replace("\r\n", "\n")
        text = text if shows(text) else ""
        if len(text) > LONGEST_COMMENT:
            problem = f"The text has {len(text):,} characters; the maximum is {LONGEST_COMMENT:,}."
            raise Invalid("too_long", problem, field=name, hint="Shorten it. Nothing was recorded.")
        return text

    async def page(self, template: str, status: int = 200, *, in_thread: bool = False, **values: Any) -> Page:
        """Render a page with everything that its frame needs. ``in_thread``: for a page that is slow to render, so that
        other requests are not held up.
        """
        shown: dict[str, Any] = {
            "person": None,
            "directory": None,
            "admin": False,
            "reads": False,
            "waiting": "",
            "zone": "",
            "proposed": "",
        }
        if self.person is not None:
            directory = await self.state.directory.of(self.person.workspace)
            waiting = await self._waiting.of(self.person)
            person = directory.people.get(self.person.id)
            shown = {"person": person, "directory": directory, "admin": self.actor_runs, "waiting": waiting}
            shown["reads"] = permits(self.person, Action.READ_CHANGES)
            shown["zone"] = person.zone if person else ""
            shown["proposed"] = await self._waiting.changes(self.person)
        made = partial(
            render,
            template,
            actor=self.person,
            path=self.call.path,
            now=self.state.clock.now(),
            form_token=form_token(self.binding),
            **shown | values,
        )
        if not loaded():
            await asyncio.to_thread(load)
        body = await asyncio.to_thread(made) if in_thread else made()
        return self._private(Page(body, _HTML, status))

    def to(self, where: str) -> Page:
        """Redirect to another page, with a GET."""
        return self._private(Page(b"", _HTML, 303, (("location", where),)))

    def _private(self, page: Page) -> Page:
        safe = (*_PRIVATE, *_OVER_TLS) if self.state.settings.base_url.startswith("https://") else _PRIVATE
        return msgspec.structs.replace(page, headers=(*page.headers, *safe, *self.cookies))


Run = Callable[[PageRequest], Awaitable[Page | Stream]]


class PageRoute(msgspec.Struct, frozen=True):
    """One row of the table of pages. ``open``: no session is required."""

    method: str
    path: str
    run: Run
    open: bool = False


class PageHandler:
    """One path: its pages by method."""

    def __init__(self, state: AppState, rows: Mapping[str, PageRoute], waiting: OpenTaskCounts) -> None:
        self._state = state
        self._waiting = waiting
        self._rows = dict(rows)
        self._path = next(iter(rows.values())).path
        if "GET" in rows:
            self._rows["HEAD"] = rows["GET"]
        self._allow = ", ".join(sorted(self._rows))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._state, scope, "")
        reply = ResponseWriter(call, send)
        began = monotonic()
        try:
            await self._reply(scope, call, reply, receive)
        finally:
            reply.counted(self._path, began)

    async def _reply(self, scope: Scope, call: Call, reply: ResponseWriter, receive: Receive) -> None:
        settings = self._state.settings
        try:
            check_host(scope["headers"], settings.base_url, settings.allowed_hosts)
        except Refused as refusal:
            body = f"{refusal.message}\n{refusal.hint or ''}\n".encode()
            await reply.page(Page(body, "text/plain; charset=utf-8", refusal.status, _PRIVATE))
            return
        try:
            request = PageRequest(call, self._waiting)
            answer = await self._answer(request, receive)
            if isinstance(answer, Page):
                await reply.page(answer)
                return
            with self._state.admission.stream(request.actor):
                await reply.stream(answer)
        except GoneAwayError:
            return
        except Refused as refusal:  # not a page's error: an invalid query, too many streams
            await reply.refuse(refusal)

    async def _answer(self, request: PageRequest, receive: Receive) -> "Page | Stream":
        call = request.call
        row = self._rows.get(call.method)
        try:
            if row is None:
                raise WrongMethod(
                    "method_not_allowed", f"{call.method[:16]} is not supported here.", hint=self._allow
                )
            if call.method not in ("GET", "HEAD"):
                await self._read(request, receive)
            call.receive = receive
            await self._identify(request, row)
            return await row.run(request)
        except Unauthenticated as refusal:
            return await self._sign_in(request, refusal)
        except Refused as refusal:
            return await error_page(request, self._counted(call, refusal, row))
        except GoneAwayError:
            raise
        except Exception:
            log.exception("page %s failed", call.request_id)
            broken = Refused("internal_error", "Internal server error. This page recorded nothing.")
            return await error_page(request, broken, 500)

    def _counted(self, call: Call, refusal: Refused, row: PageRoute | None) -> Refused:
        """The error to respond with. On an open page a refusal counts against the caller; beyond the limit it becomes
        TooMany.
        """
        if row is not None and row.open and refusal.status in (401, 404, 410):
            return self._state.failures.counted(refusal, call.peer, self._state.clock.now())
        return refusal

    async def _read(self, request: PageRequest, receive: Receive) -> None:
        """The posted form; raises Forbidden unless it came from one of our pages."""
        body = await read_body(request.call, receive, _FORM_LIMIT)
        if (
            request.call.header(b"content-type").partition(";")[0].strip()
            != "application/x-www-form-urlencoded"
        ):
            raise Malformed("not_a_form", "Expected a posted form.")
        try:
            request.form = parse_qsl(
                body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
            )
        except ValueError:
            raise Malformed("not_a_form", "The posted form cannot be read.") from None
        check_origin(request.call, cookies.bindings_of(request.call), request.field("form_token"))

    async def _identify(self, request: PageRequest, row: PageRoute) -> None:
        if not request.token:
            if not row.open:
                raise Unauthenticated("signed_out", "You are not signed in.")
            return
        token = request.token
        request.call.identified_by = lambda _: self._state.sessions.actor(token)
        try:
            request.person = request.call.actor = await request.call.identify()
        except Unauthenticated:
            if not row.open:
                raise
            return
        self._state.admission.request(request.person, asyncio.get_running_loop().time())
        if request.call.method == "POST":
            await self._state.sessions.renew(request.token)

    async def _sign_in(self, request: PageRequest, refusal: Unauthenticated) -> Page:
        call = request.call
        if call.method != "POST":
            path = _path_of(call) + ("?" + call.query_string.decode("latin-1") if call.query_string else "")
            return request.to("/login" + ("?next=" + quote(path, safe="") if path != "/" else ""))
        sentence = "Your session has ended. Nothing was recorded. Sign in and try again."
        onward = _path_of(call) if "GET" in self._rows else "/"
        return await request.page(
            "login.html",
            401,
            next=onward,
            problem=sentence,
            hint=refusal.hint,
            sent="",
            by_mail=self._state.mails,
        )


def _path_of(call: Call) -> str:
    """The path as in the address bar; the server has decoded it."""
    return quote(call.path, safe="/:@!$&'()*+,;=~-._")


async def error_page(request: PageRequest, refusal: Refused, status: int = 0) -> Page:
    """An error as a page: what is wrong and what to do next."""
    shown: dict[str, Any] = {"refusal": refusal, "request_id": request.call.request_id}
    try:
        page = await request.page("error.html", status or refusal.status, **shown)
    except Refused:  # the frame of a page needs the database, which may be down
        request.person = None
        page = await request.page("error.html", status or refusal.status, **shown)
    if isinstance(refusal, Busy | TooMany):
        page = msgspec.structs.replace(
            page, headers=(*page.headers, ("retry-after", str(refusal.retry_after)))
        )
    return page
