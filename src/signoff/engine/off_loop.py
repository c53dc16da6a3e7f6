"""Long work of a request, off the event loop: requests that reject, cancel or revoke are answered meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from signoff.core.directory.actors import Actor
from signoff.engine.directory.snapshot import Snapshot

T = TypeVar("T")

# The number of people in a workspace from which computing who will be notified when is long work.
_MANY: Final = 50
# Bytes of JSON up to which masking, comparing and searching it is short work: some milliseconds at the worst.
SHORT: Final = 4 * 1024


class Aside:
    """One piece of work per actor at a time: an actor who asks for many waits for their own, and delays nobody else."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, who: Actor | str, work: Callable[[], T], size: int = SHORT + 1) -> T:
        """The result of ``work``, from a thread; it changes nothing. ``size``: the bytes of JSON that it reads; short
        work is done immediately.
        """
        if size <= SHORT:
            return work()
        turn = self._turns.setdefault(who if isinstance(who, str) else who.id, asyncio.Lock())
        async with turn:
            return await asyncio.to_thread(work)


def populous(directory: Snapshot) -> bool:
    """Whether going through all people of this workspace is long work."""
    return len(directory.people) > _MANY
