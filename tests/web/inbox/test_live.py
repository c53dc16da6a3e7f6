"""How an open page learns that it is out of date, and the page for errors."""

import asyncio
from typing import Any

from starlette.routing import Route

from signoff.core.errors import Busy
from signoff.web.app import build_app
from signoff.web.http.call import Call, Page
from signoff.web.pages.kit.handler import PageHandler, PageRequest, PageRoute
from signoff.web.pages.kit.live import beating
from signoff.web.pages.kit.open_task_counts import OpenTaskCounts
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


async def quiet() -> Any:
    """A client that stays connected and sends nothing."""
    await asyncio.Event().wait()


async def test_every_heartbeat_may_be_a_change_if_other_servers_are_not_heard(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    cookie = f"signoff_session={ann.http.cookies.get('signoff_session')}"
    scope = {"method": "GET", "path": "/live", "query_string": b"", "headers": [(b"cookie", cookie.encode())]}
    said: asyncio.Queue[bytes] = asyncio.Queue()
    for deaf, second in ((False, b": \n\n"), (True, b"event: changed\ndata:\n\n")):
        web.state.feed.reread = 0.001 if deaf else 20.0
        request = PageRequest(Call(web.state, scope, ""), OpenTaskCounts(web.state))
        request.call.receive = quiet
        request.call.identified_by = lambda _, token=request.token: web.state.sessions.actor(token)
        request.call.actor = await request.call.identify()
        stream = asyncio.create_task(beating(request, "no word", 0.01)(said.put))
        async with asyncio.timeout(30):
            assert (await said.get()).startswith(b"retry:")
            assert await said.get() == second
        stream.cancel()
        await asyncio.wait([stream])


async def test_error_is_shown_even_if_the_page_frame_cannot_be_read(web: WebEnv) -> None:
    async def gone(request: PageRequest) -> Page:
        await web.env.store.close()
        web.env.directory.changed(request.actor.workspace)
        raise Busy("database_unavailable", "The database cannot be reached.")

    door = PageHandler(web.state, {"GET": PageRoute("GET", "/gone", gone)}, OpenTaskCounts(web.state))
    web.app = build_app(web.state, [Route("/gone", door)])
    page = await (await reader(web, "ann")).get("/gone")
    assert (page.status, "The database cannot be reached." in page.text) == (503, True)
