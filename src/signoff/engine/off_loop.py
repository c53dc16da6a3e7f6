"""Runs a request's long work off the event loop, so that requests that reject, cancel or revoke are not held
up.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from signoff.core.directory.actors import Actor
from signoff.engine.directory.snapshot import Snapshot

T = TypeVar("T")

# In a workspace with more people than this, computing who will be notified when is slow.
_MANY: Final = 50
# Bytes of JSON that can be masked, compared and searched quickly: in a few milliseconds at worst.
SHORT: Final = 4 * 1024


class OffLoop:
    """Runs one piece of work per actor at a time, so that an actor with many requests delays nobody else."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, who: Actor | str, work: Callable[[], T], size: int = SHORT + 1) -> T:
        """Run ``work``, which must change nothing, in a thread, and return its result. ``size``: how many bytes of
        JSON it reads; short work is done immediately.
        """
        if size <= SHORT:
            return work()
        turn = self._turns.setdefault(who if isinstance(who, str) else who.id, asyncio.Lock())
        async with turn:
            return await asyncio.to_thread(work)


def populous(directory: Snapshot) -> bool:
    """Whether this workspace has so many people that going through all of them is slow."""
    return len(directory.people) > _MANY
