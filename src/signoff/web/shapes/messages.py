"""Messages and their delivery status on the wire; and the sentence that describes it to a person."""

from collections.abc import Iterable, Sequence

from signoff.core.ids import step_run_id
from signoff.core.intent.notifications import Notification
from signoff.engine.read.delivery_status import ChannelState, message_result, replaced_channel
from signoff.notify.service_message import title_of
from signoff.notify.webhook import body_of
from signoff.store.tables.messages import InFlight
from signoff.web.shapes.common import Display, maybe, verbatim
from signoff.wire.common import ABSENT
from signoff.wire.messages import ChannelOut, MessageOut, NotificationOut


def messages_out(found: Sequence[InFlight], display: Display) -> list[MessageOut]:
    return [_out(one, found, display) for one in found]


def notifications_out(found: Iterable[Notification]) -> list[NotificationOut]:
    made: list[NotificationOut] = []
    for one in found:
        place = made[-1].seq == one.seq if made else False
        title = title_of(one)
        made.append(
            NotificationOut(
                id=f"{one.intent}.{one.seq}.{int(place)}",
                seq=one.seq,
                type=one.kind.value,
                title=title,
                body=verbatim(body_of(one, title)),
            )
        )
    return made


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
        channel=state.channel,
        set_up=state.channel in set_up,
        failing=state.failing,
        since=state.since if state.since is not None else ABSENT,
        retrying=state.retrying,
        failed=state.failed,
        last_error=maybe(state.error),
        target=maybe(state.target),
        last_arrived_at=state.arrived_at if state.arrived_at is not None else ABSENT,
    )
