"""Messages and their delivery status on the wire; and the sentence that describes it to a person."""

from collections.abc import Sequence

from signoff.core.ids import step_run_id
from signoff.engine.read.delivery_status import ChannelState, message_result, replaced_channel
from signoff.store.tables.messages import InFlight
from signoff.web.shapes.common import Display, maybe
from signoff.wire.common import ABSENT
from signoff.wire.messages import ChannelOut, MessageOut


def messages_out(found: Sequence[InFlight], display: Display) -> list[MessageOut]:
    return [_out(one, found, display) for one in found]


def _out(one: InFlight, found: Sequence[InFlight], display: Display) -> MessageOut:
    message = one.message
    return MessageOut(
        message_id=message.id,
        task_id=step_run_id(message.intent_id, message.visit) if message.visit else ABSENT,
        kind=message.kind,
        person=maybe(message.person),
        name=display(message.person) if message.person else ABSENT,
        channel=message.channel,
        target=maybe(message.target),
        state=message.state,
        summary=message_result(one, found),
        attempts=message.attempts,
        reference=maybe(message.reference),
        error=maybe(message.error),
        instead=maybe(replaced_channel(message, found)),
        called_at=message.called_at,
        at=message.at,
        next_attempt_at=one.next_at if one.next_at is not None else ABSENT,
    )


def channel_out(state: ChannelState, set_up: Sequence[str]) -> ChannelOut:
    return ChannelOut(
        channel=state.channel, set_up=state.channel in set_up, failing=state.failing,
        since=state.since if state.since is not None else ABSENT, retrying=state.retrying, failed=state.failed,
        last_error=maybe(state.error), target=maybe(state.target),
        last_arrived_at=state.arrived_at if state.arrived_at is not None else ABSENT,
    )  # fmt: skip
