"""What tells an open page that it is out of date: server-sent events that carry no content and no authority.

Each page fetches itself again when it hears something. A stream ends with its session, and when the server stops.
"""

import asyncio
from typing import Final

from signoff.core.errors import Refused
from signoff.engine.feed import tasks_word
from signoff.web.http.call import Stream, Write
from signoff.web.http.held_requests import Wait
from signoff.web.pages.kit.handler import Visit

_BEAT: Final = 15.0
_LONGEST: Final = 30 * 60.0


async def inbox(visit: Visit) -> Stream:
    """GET /live: something about the workspace's tasks changed."""
    return _stream(visit, tasks_word(visit.actor.workspace))


async def intent(visit: Visit) -> Stream:
    """GET /live/{intent_id}: something about this intent changed."""
    seen = await visit.parts.view.intent(visit.actor, visit.params["intent_id"])
    return _stream(visit, seen.stored.intent.id)


def _stream(visit: Visit, word: str) -> Stream:
    return beating(visit, word, _BEAT)


def beating(visit: Visit, word: str, beat: float) -> Stream:
    """Says ``changed`` when the word is spoken, and shows at each ``beat`` (seconds) that it is alive."""
    parts = visit.parts

    async def run(write: Write) -> None:
        clock = asyncio.get_running_loop().time
        until = spoken = clock()
        until += _LONGEST
        with Wait(visit.call, word) as waiter:
            waiter.watch()
            # the page was read before this stream listened: let it read once more, so that nothing is missed
            await write(b"retry: 3000\nevent: changed\ndata:\n\n")
            while not parts.stopping.is_set() and not waiter.hung_up() and clock() < until:
                try:
                    changed = await waiter.wait(spoken + beat - clock())
                except Refused:
                    await write(b"event: over\ndata:\n\n")
                    return
                if waiter.hung_up():
                    return
                if changed or clock() >= spoken + beat:
                    spoken = clock()
                    # where other servers' words are not heard, any beat may be a change
                    changed = changed or parts.feed.reread < beat
                    await write(b"event: changed\ndata:\n\n" if changed else b": \n\n")

    return run
