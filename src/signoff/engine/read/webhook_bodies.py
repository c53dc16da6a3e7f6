"""What a webhook carries about an intent, computed again from its history: for developers who follow it without one."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from signoff.core.intent.events import Fact
from signoff.core.intent.evolve import created, evolve
from signoff.core.intent.model import Intent
from signoff.core.intent.notifications import (
    PERSONAL,
    Notification,
    NotificationKind,
    notifications_of,
    with_values,
)
from signoff.core.plan.plan import Plan

_NOT_POSTED = PERSONAL | {NotificationKind.PUSH}


def notifications_since(
    facts: Sequence[Fact], plan: Plan, payload: bytes, since: int, names_people: bool
) -> Iterator[Notification]:
    """The notifications that follow from the facts after ``since``, in order. ``names_people``: whether the reader may
    know who is asked.
    """
    intent: Intent | None = None
    for fact in facts:
        after = evolve(intent, fact) if intent is not None else created(fact, plan)
        for one in notifications_of(intent, fact, after) if fact.seq > since else ():
            if one.kind not in _NOT_POSTED:
                shown = with_values(one, payload)
                yield shown if names_people else replace(shown, to=(), voided=())
        intent = after
