"""The ASGI application: the table of endpoints behind Starlette's routers, one per path prefix, so that no request is
compared with paths under another prefix. ``server.py`` starts and stops it.
"""

from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from signoff.web.api.docs import PAGES
from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Endpoint
from signoff.web.http.endpoint import EndpointHandler, NotFoundHandler
from signoff.web.pages.routes import inbox_routes, no_page
from signoff.web.state import AppState

# Unsupported paths of AXP. Without this list, a parameter would take their last segment for a name.
ABSENT: Final = (
    *(
        f"/v1/agents/{{address:path}}/{last}{more}"
        for last in ("receive-override",)
        for more in ("", "/entries", "/entries/{entry_id}")
    ),
    "/v1/inbox/changes",
)


def build_app(state: AppState, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole web layer: the API, the pages, and ``more`` routes."""
    nowhere = UnknownPath(no_page(state), NotFoundHandler(state))
    return PrefixRouter(api_routes(state), [*inbox_routes(state), *more], nowhere)


class UnknownPath:
    """Handles paths that are not in the table: a page for a browser, otherwise the API's error."""

    def __init__(self, page: ASGIApp, error: ASGIApp) -> None:
        self._page = page
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        browser = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and wants_page(scope)
        await (self._page if browser else self._error)(scope, receive, send)


def wants_page(scope: Scope) -> bool:
    """Whether a request asks for HTML, as browsers do, outside the API."""
    if scope["path"].startswith("/v1/"):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def api_routes(state: AppState) -> list[Route]:
    """One route per path, in the table's order; the methods of a path share a handler."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for row in (*ENDPOINTS, *PAGES):
        paths.setdefault(row.path, {})[row.method] = row
    routes = [Route(path, EndpointHandler(state, methods)) for path, methods in paths.items()]
    # directly before the first route that would match it, but after the most frequent ones
    for path in ABSENT:
        taken = next(at for at, route in enumerate(routes) if route.path_regex.match(path))
        routes.insert(taken, Route(path, NotFoundHandler(state)))
    return routes


class PrefixRouter:
    """Routes by prefix: ``/v1/intents/…`` has one list of routes, ``/v1/tasks/…`` another; all other paths share one
    router.
    """

    def __init__(self, routes: Sequence[Route], more: Sequence[BaseRoute], nowhere: ASGIApp) -> None:
        self.routes: dict[str, list[Route]] = {}
        for route in routes:
            self.routes.setdefault(prefix_of(route.path), []).append(route)
        rest = [*self.routes.pop("", []), *more]
        self._rest = Router(rest, redirect_slashes=False, default=nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Calls the handler directly: every open stream would keep each frame in between in memory. Parameters are
        # plain text.
        await self._app_for(scope)(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        """The handler of the request's path; sets the path's parameters."""
        path = scope["path"]
        for route in self.routes.get(prefix_of(path), ()):
            found = route.path_regex.match(path)
            if found is not None:
                scope["path_params"] = found.groupdict()
                return route.app
        return self._rest


def prefix_of(path: str) -> str:
    """The segment after ``/v1/``; "" for every other path."""
    return path[4:].partition("/")[0] if path.startswith("/v1/") else ""
