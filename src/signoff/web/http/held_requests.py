"""An open request that waits for changes, and ends as soon as its caller's access ends. All waiting requests use this
module: streams, long polls, claims, and the live streams of pages.

When a key is revoked or expires, an account or person is removed, or a session ends, the directory or the
session changes; every waiting request, on every server, listens for that. The caller is authenticated again at every
notification, before anything is returned.
"""

import asyncio
from types import TracebackType

from signoff.core.errors import Unauthenticated
from signoff.core.intent.advance import Change
from signoff.engine.feed import directory_topic, session_topic
from signoff.web.http.call import Call


class HeldRequest:
    """A registered wait, as a context manager. Leaving it releases everything."""

    __slots__ = ("_call", "_hung_up", "_waiter", "_watcher")

    def __init__(self, call: Call, *topics: str) -> None:
        actor, feed = call.actor, call.state.feed
        self._call = call
        self._waiter = feed.waiting(*topics, directory_topic(actor.workspace), session_topic(actor.id))
        self._hung_up = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> "HeldRequest":
        self._waiter.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._waiter.__exit__(kind, error, tb)
        if self._watcher is not None:
            self._watcher.cancel()
        elif (connection := self._call.connection) is not None:
            connection.on_leaving(None)

    def watch(self) -> None:
        """From now on, a disconnect of the client also ends the wait. May only be called after the body has been
        read.
        """
        if (connection := self._call.connection) is not None:
            connection.on_leaving(self._left)
        else:  # plain ASGI: a task for each held request, which takes 2 KiB
            self._watcher = asyncio.create_task(self._call.hung_up())
            self._watcher.add_done_callback(lambda _: self._left())

    def _left(self) -> None:
        self._hung_up = True
        self._waiter.wake()

    def hung_up(self) -> bool:
        """Whether the client has disconnected, so that a response would be lost."""
        return self._hung_up

    def take_changes(self) -> list[Change]:
        """The changes that were passed to it since the last call."""
        return self._waiter.take_changes()

    async def wait(self, seconds: float) -> bool:
        """True if notified within ``seconds``; waits for less time if notifications from other servers are not being
        received. Raises Unauthenticated if the caller no longer has access.
        """
        self._call.held = True
        notified = await self._waiter.wait(min(seconds, self._call.state.feed.reread))
        await self.still()
        return notified

    async def still(self) -> None:
        """Authenticate the caller again, and continue with their current rights; raises Unauthenticated."""
        was = self._call.actor
        now = await self._call.identify()
        if (now.id, now.workspace) != (was.id, was.workspace):
            raise Unauthenticated("signed_out", "The key now belongs to another actor.")
        self._call.actor = now
