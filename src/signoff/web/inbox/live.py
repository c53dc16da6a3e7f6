"""What tells an open page that it is out of date: server-sent events that carry no content and no authority.

Each page fetches itself again when it hears something. A stream ends with its session, and when the server stops.
"""

import asyncio
from typing import Final

from signoff.core.errors import Refused
from signoff.engine.feed import tasks_word
from signoff.web.call import Stream, Write
from signoff.web.inbox.door import Visit

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
        until = clock() + _LONGEST
        gone = asyncio.create_task(visit.call.hung_up())
        try:
            with parts.feed.waiting(word) as waiter:
                # the page was read before this stream listened: let it read once more, so that nothing is missed
                await write(b"retry: 3000\nevent: changed\ndata:\n\n")
                while not parts.stopping.is_set() and not gone.done() and clock() < until:
                    # where other servers' words are not heard, any beat may be a change
                    changed = await waiter.wait(beat) or parts.feed.reread < beat
                    if not await _still_in(visit):
                        await write(b"event: over\ndata:\n\n")
                        return
                    await write(b"event: changed\ndata:\n\n" if changed else b": \n\n")
        finally:
            gone.cancel()

    return run


async def _still_in(visit: Visit) -> bool:
    try:
        await visit.parts.sessions.actor(visit.token)
    except Refused:
        return False
    return True
