"""Live updates of open pages, by server-sent events without content.

A page that receives one reloads itself. A stream ends with its session, and when the server stops.
"""

import asyncio
from typing import Final

from signoff.core.errors import Refused
from signoff.engine.feed import tasks_topic
from signoff.web.http.call import Stream, Write
from signoff.web.http.held_requests import HeldRequest
from signoff.web.pages.kit.handler import PageRequest

_BEAT: Final = 15.0
_LONGEST: Final = 30 * 60.0


async def inbox(request: PageRequest) -> Stream:
    """GET /live: something about the workspace's tasks changed."""
    return _stream(request, tasks_topic(request.actor.workspace))


async def intent(request: PageRequest) -> Stream:
    """GET /live/{intent_id}: something about this intent changed."""
    seen = await request.state.view.intent(request.actor, request.params["intent_id"])
    return _stream(request, seen.stored.intent.id)


def _stream(request: PageRequest, topic: str) -> Stream:
    return beating(request, topic, _BEAT)


def beating(request: PageRequest, topic: str, beat: float) -> Stream:
    """Sends ``changed`` when the topic is published, and a keep-alive every ``beat`` seconds."""
    state = request.state

    async def run(write: Write) -> None:
        clock = asyncio.get_running_loop().time
        until = last_sent = clock()
        until += _LONGEST
        with HeldRequest(request.call, topic) as waiter:
            waiter.watch()
            # the page was rendered before this stream started to listen, so let it reload once
            await write(b"retry: 3000\nevent: changed\ndata:\n\n")
            while not state.stopping.is_set() and not waiter.hung_up() and clock() < until:
                try:
                    changed = await waiter.wait(last_sent + beat - clock())
                except Refused:
                    await write(b"event: over\ndata:\n\n")
                    return
                if waiter.hung_up():
                    return
                if changed or clock() >= last_sent + beat:
                    last_sent = clock()
                    # without notifications of other servers, assume a change at every beat
                    changed = changed or state.feed.reread < beat
                    await write(b"event: changed\ndata:\n\n" if changed else b": \n\n")

    return run
