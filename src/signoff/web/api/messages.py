"""What people and services were told of a task or an intent: over which channel, whether it arrived, and why not; and
how each channel does now.
"""

from signoff.core.intent.events import TaskOpened
from signoff.core.intent.model import Task
from signoff.engine.read.view import Seen
from signoff.web.http.call import Call
from signoff.web.reading import book_of, visible
from signoff.web.shapes.told import channel_out, messages_out
from signoff.wire.messages import ChannelsAnswer, MessagesAnswer


async def of_task(call: Call) -> MessagesAnswer:
    """GET /v1/tasks/{task_id}/messages"""
    seen = await visible(call, call.params["task_id"])
    intent, visit = seen.stored.intent, seen.visit
    if not visit and isinstance(intent.open, Task):
        visit = intent.open.visit
    elif not visit:
        opened = [
            f.event.visit for f in await call.parts.view.all_facts(seen) if isinstance(f.event, TaskOpened)
        ]
        visit = opened[-1] if opened else 0
    found = await call.parts.view.told(call.actor, Seen(seen.stored, visit))
    return MessagesAnswer(messages=messages_out(found, (await book_of(call)).display))


async def of_intent(call: Call) -> MessagesAnswer:
    """GET /v1/intents/{intent_id}/messages"""
    seen = await visible(call, call.params["intent_id"])
    found = await call.parts.view.told(call.actor, Seen(seen.stored, 0))
    return MessagesAnswer(messages=messages_out(found, (await book_of(call)).display))


async def channels(call: Call) -> ChannelsAnswer:
    """GET /v1/channels"""
    parts = call.parts
    found = await parts.view.channels(call.actor, parts.channels, parts.clock.now())
    return ChannelsAnswer(channels=[channel_out(one, parts.channels) for one in found])
