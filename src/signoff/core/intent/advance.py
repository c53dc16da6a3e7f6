"""One command: authorize -> decide -> evolve -> wake_at -> notifications, composed into one ``Change``.

Nothing else changes an intent. The caller saves the change in the transaction in which it locked the row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.commands import Answer, Command
from signoff.core.intent.decide import decide
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.events import Fact, Offered, Released
from signoff.core.intent.hash_chain import Sealed, seal
from signoff.core.intent.model import Delivery, DeliveryState, Intent
from signoff.core.intent.notifications import Notification, notifications_of, progress_of
from signoff.core.intent.transition import Transition
from signoff.core.intent.wake import wake_at

_MADE_CLAIMABLE: Final = (Offered, Released)


Step = tuple[Intent | None, Fact, Intent]


class Change(msgspec.Struct, gc=False, frozen=True):
    """The effect of a command: the intent before and after, the sealed facts, the next timer. ``trail``: each fact
    with the states before and after it.

    ``fresh``: whether a delivery became claimable, so that it gets a new position in its agent's stream.
    ``repeated``: the answer had already been counted, so the command has no effect.
    """

    before: Intent | None
    after: Intent
    facts: list[Sealed]
    wake_at: datetime | None
    fresh: bool
    repeated: bool = False
    trail: Sequence[Step] = ()

    @property
    def notifications(self) -> list[Notification]:
        """What people and programs must be notified of. Computed on each call, because a server without channels
        needs none.
        """
        made = [one for before, fact, after in self.trail for one in notifications_of(before, fact, after)]
        if self.trail and (progress := progress_of(self.before, self.trail[-1][1], self.after)) is not None:
            made.append(progress)
        return made


def advance(
    actor: Actor,
    intent: Intent | None,
    command: Command,
    now: datetime,
    entropy: bytes,
    membership: Membership | None = None,
) -> Change:
    """Apply one command at ``now`` (aware UTC); raises Refused and changes nothing if it is not allowed.

    entropy: 16 random bytes, used to salt personal text; membership: the directory's members, to pin eligibility. The
    times of facts never go backwards within one intent; periods that start now are counted from ``now`` itself.
    """
    authorize_command(actor, command, intent)
    tx = Transition(actor, now, entropy.hex(), intent, membership)
    decide(tx, command)
    head = intent.head if intent else ""
    sealed: list[Sealed] = []
    trail = [step for step in tx.trail if step[1].event.kept]
    for _, fact, _ in trail:
        sealed.append(seal(head, fact))
        head = sealed[-1].hash
    after = replace(tx.intent, head=head)
    return Change(
        before=intent,
        after=after,
        facts=sealed,
        wake_at=wake_at(after),
        fresh=_fresh(sealed, after),
        repeated=isinstance(command, Answer) and not sealed,
        trail=trail,
    )


def _fresh(facts: list[Sealed], after: Intent) -> bool:
    held = after.open
    if not isinstance(held, Delivery) or held.state is not DeliveryState.OFFERED or held.push:
        return False
    return any(isinstance(sealed.fact.event, _MADE_CLAIMABLE) for sealed in facts)
