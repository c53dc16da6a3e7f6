"""The ASGI application: the table of endpoints behind Starlette's router. ``server.py`` starts it."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route, Router

from signoff.web.api.docs import PAGES
from signoff.web.api.routes import ENDPOINTS
from signoff.web.call import Endpoint
from signoff.web.edge import Door, Nowhere
from signoff.web.parts import Parts


def build_app(parts: Parts, more: Sequence[BaseRoute] = ()) -> Router:
    """The whole web layer over these parts; ``more``: routes beside the API, such as the inbox's pages."""
    return Router([*api_routes(parts), *more], redirect_slashes=False, default=Nowhere(parts))


def api_routes(parts: Parts) -> list[Route]:
    """One route per path, in the table's order; the methods of a path share a door."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for row in (*ENDPOINTS, *PAGES):
        paths.setdefault(row.path, {})[row.method] = row
    return [Route(path, Door(parts, methods)) for path, methods in paths.items()]
