"""``GET /metrics``: the metrics of this server and all its workers, for Prometheus. Metrics of a workspace are shown
only to keys of that workspace, or to everybody if the metrics are open.
"""

import asyncio
from collections.abc import Mapping
from importlib import import_module

from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Busy
from signoff.engine.read.totals import Total, Values
from signoff.web.http.call import Call, Page
from signoff.web.http.endpoint import identify


async def show(call: Call) -> Page:
    """GET /metrics"""
    state, only = call.state, ""
    if not state.settings.open_metrics:
        call.actor = await identify(call)
        authorize(call.actor, Action.READ_METRICS)
        only = call.actor.workspace
    # The library takes a while to import: do it only when needed, and off the event loop.
    exposition = await asyncio.to_thread(import_module, "signoff.web.api.exposition")
    totals: Mapping[Total, Values] = {}
    spaces: Mapping[str, str] = {}
    reachable = True
    try:
        totals, spaces = await state.totals.read()
    except Busy:  # the other metrics matter most then
        reachable = False
    build = (state.settings.version, state.settings.database)
    body, media = exposition.write(
        state.snapshots(), totals, reachable, build, call.header(b"accept"), spaces, only
    )
    return Page(body, media=media, headers=(("cache-control", "no-store"),))
