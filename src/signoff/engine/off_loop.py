"""Long work, done beside the event loop: whoever denies, cancels or revokes meanwhile is answered."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from signoff.core.directory.actors import Actor
from signoff.engine.directory.snapshot import Snapshot

T = TypeVar("T")

# People of a workspace from which on saying who will be told when is long work.
_MANY: Final = 50
# Bytes of JSON up to which masking, comparing and searching it is short work: some milliseconds at the worst.
SHORT: Final = 4 * 1024


class Aside:
    """Of one actor one piece of work at a time: whoever asks for many waits for their own, and keeps nobody waiting."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, who: Actor | str, work: Callable[[], T], size: int = SHORT + 1) -> T:
        """What ``work`` gives, from a thread; it changes nothing. ``size``: the bytes of JSON that it looks at; short
        work is done at once.
        """
        if size <= SHORT:
            return work()
        turn = self._turns.setdefault(who if isinstance(who, str) else who.id, asyncio.Lock())
        async with turn:
            return await asyncio.to_thread(work)


def populous(directory: Snapshot) -> bool:
    """Whether whatever asks of everybody here is long work."""
    return len(directory.people) > _MANY
