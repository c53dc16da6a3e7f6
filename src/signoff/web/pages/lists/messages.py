"""The messages about a request and their delivery status; for admins also the health of the channels."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from signoff.core.intent.notifications import NotificationKind
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.delivery_status import message_result
from signoff.notify import registry
from signoff.notify.channel import ChannelKind
from signoff.notify.registry import accepted_by, label_of
from signoff.store.tables.messages import FAILED, SENT, WAITING, InFlight
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_LABELS: Final = {kind.value: kind.label for kind in NotificationKind}


class MessageLine(msgspec.Struct, frozen=True):
    """One message. ``sign``: the symbol: good, bad, waiting or plain."""

    at: datetime
    to: str
    channel: str
    target: str
    what: str
    result: str
    next_at: datetime | None
    sign: str


def lines(messages: Sequence[InFlight], directory: Snapshot) -> list[MessageLine]:
    """All messages as text, in the order of their events."""
    return [
        MessageLine(
            at=one.message.called_at,
            to=directory.display(one.message.person) if one.message.person else "",
            channel=label_of(one.message.channel),
            target=one.message.target,
            what=_LABELS.get(one.message.kind, one.message.kind),
            result=message_result(one, messages),
            next_at=one.next_at if one.message.state == WAITING else None,
            sign=_sign(one),
        )
        for one in messages
    ]


def _sign(one: InFlight) -> str:
    state = one.message.state
    if state == FAILED or (state == WAITING and one.message.error):
        return "bad"
    return {SENT: "good", WAITING: "waiting"}.get(state, "plain")


async def channels(request: PageRequest) -> Page:
    """GET /channels"""
    state = request.state
    found = await state.view.channels(request.actor, state.channels.configured, state.clock.now())
    names = {one.channel: label_of(one.channel) for one in found}
    acceptors = {one.channel: accepted_by(one.channel) for one in found}
    settings = [one.settings[0].name for one in registry.CHANNELS if one.kind is ChannelKind.PERSONAL]
    return await request.page(
        "channels.html",
        channels=found,
        names=names,
        accepted_by=acceptors,
        set_up=state.channels.configured,
        settings=settings,
    )
