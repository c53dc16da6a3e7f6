"""The messages about a task or an intent: the channel over which each was sent, and whether it arrived, or why not.
Also the health of each channel.
"""

from typing import Final

from signoff.core.directory.authorization import Action, permits
from signoff.core.intent.events import TaskOpened
from signoff.core.intent.model import Task
from signoff.engine.read.view import Seen
from signoff.engine.read.webhook_bodies import notifications_since
from signoff.web.http.call import Call
from signoff.web.reading import directory_of, visible
from signoff.web.shapes.common import encode
from signoff.web.shapes.messages import channel_out, messages_out, notifications_out
from signoff.wire.messages import ChannelsResponse, MessagesResponse, NotificationsResponse

_BYTES_OF_A_FACT: Final = 500


async def of_task(call: Call) -> MessagesResponse:
    """GET /v1/tasks/{task_id}/messages"""
    seen = await visible(call, call.params["task_id"])
    intent, step_run = seen.stored.intent, seen.step_run
    if not step_run and isinstance(intent.open, Task):
        step_run = intent.open.step_run
    elif not step_run:
        opened = [
            f.event.step_run for f in await call.state.view.all_facts(seen) if isinstance(f.event, TaskOpened)
        ]
        step_run = opened[-1] if opened else 0
    found = await call.state.view.messages_about(call.actor, Seen(seen.stored, step_run))
    return MessagesResponse(messages=messages_out(found, (await directory_of(call)).display))


async def of_intent(call: Call) -> MessagesResponse:
    """GET /v1/intents/{intent_id}/messages"""
    seen = await visible(call, call.params["intent_id"])
    found = await call.state.view.messages_about(call.actor, Seen(seen.stored, 0))
    return MessagesResponse(messages=messages_out(found, (await directory_of(call)).display))


async def notifications(call: Call) -> bytes:
    """GET /v1/intents/{intent_id}/notifications"""
    seen = await visible(call, call.params["intent_id"])
    intent, since = seen.stored.intent, call.number("since", 0, 0, 2**53)
    facts = await call.state.view.all_facts(seen)
    names_people = permits(call.actor, Action.READ_DIRECTORY)

    def made() -> bytes:
        found = notifications_since(facts, intent.plan, seen.stored.payload, since, names_people)
        return encode(NotificationsResponse(seq=intent.seq, notifications=notifications_out(found)))

    return await call.state.off_loop.run(call.actor, made, len(facts) * _BYTES_OF_A_FACT)


async def channels(call: Call) -> ChannelsResponse:
    """GET /v1/channels"""
    state = call.state
    found = await state.view.channels(call.actor, state.channels.configured, state.clock.now())
    return ChannelsResponse(channels=[channel_out(one, state.channels.configured) for one in found])
