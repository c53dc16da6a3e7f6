"""What a card is made of, gathered before anything is judged."""

from collections.abc import Sequence
from typing import Any

import msgspec

from signoff.core import events as e
from signoff.core.model import Actor, Intent, Task
from signoff.engine.directory import Snapshot
from signoff.web.api.shapes.tasks import Story


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """earlier: the requester's former intents of this type; opened: nothing is to be folded."""

    intent: Intent
    payload: dict[str, Any]
    facts: Sequence[e.Fact]
    story: Story
    book: Snapshot
    reader: Actor
    earlier: Sequence[Intent] = ()
    opened: bool = False

    @property
    def task(self) -> Task | None:
        """The task while it is open."""
        held = self.intent.open
        return held if isinstance(held, Task) and held.visit == self.story.visit else None
