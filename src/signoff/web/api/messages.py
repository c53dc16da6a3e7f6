"""What people were told of a task: over which channel, whether it arrived, and why not."""

from datetime import datetime

from msgspec import UNSET, Struct

from signoff.core.events import TaskOpened
from signoff.core.model import Task
from signoff.store.messages import Message
from signoff.web.api.reading import all_facts, book_of, visible
from signoff.web.api.shapes.common import Display, Ok, Text, maybe
from signoff.web.call import Call


class MessageOut(Struct, kw_only=True):
    """``state``: waiting, sent, skipped (there was nothing to say any more) or failed; ``at``: of its last change."""

    message_id: str
    kind: str
    person: str
    name: str
    channel: str
    state: str
    attempts: int
    reference: Text = UNSET
    error: Text = UNSET
    at: datetime


class MessagesAnswer(Ok, kw_only=True):
    """In the order in which they were called for."""

    messages: list[MessageOut]


async def page(call: Call) -> MessagesAnswer:
    """GET /v1/tasks/{task_id}/messages"""
    seen = await visible(call, call.params["task_id"])
    intent, visit = seen.stored.intent, seen.visit
    if not visit and isinstance(intent.open, Task):
        visit = intent.open.visit
    elif not visit:
        opened = [f.event.visit for f in await all_facts(call, seen) if isinstance(f.event, TaskOpened)]
        visit = opened[-1] if opened else 0
    display = (await book_of(call)).display
    found = await call.parts.view.messages(call.actor, intent.id, visit)
    return MessagesAnswer(messages=[_out(message, display) for message in found])


def _out(message: Message, display: Display) -> MessageOut:
    return MessageOut(
        message_id=message.id, kind=message.kind, person=message.person, name=display(message.person),
        channel=message.channel, state=message.state, attempts=message.attempts, reference=maybe(message.reference),
        error=maybe(message.error), at=message.at,
    )  # fmt: skip
