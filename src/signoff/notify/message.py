"""Notice -> Message: a title, a few plain sentences, and the link to go to. Agents' text is data, never a title."""

from typing import Final

from signoff.core.ids import visit_ref
from signoff.core.notices import Notice, NoticeKind
from signoff.notify.channel import Message
from signoff.notify.letter import ASKING

_TITLES: Final = {
    NoticeKind.TASK_OPENED: "Decision needed: {title}",
    NoticeKind.REMINDER: "Reminder {number}, still waiting: {title}",
    NoticeKind.ESCALATED: "Escalated to {to}: {title}",
    NoticeKind.REVISED: "Changed, to be decided anew: {title}",
    NoticeKind.DECIDED: "Decided ({outcome}): {title}",
    NoticeKind.MESSAGE: "{text}",
    NoticeKind.FINISHED: "Finished: {type} is {status}",
    NoticeKind.PUSH: "Delivery for {to}",
}


def render(message_id: str, notice: Notice, base_url: str) -> Message:
    """The message for one notice; ``base_url`` is the address people reach the server by."""
    title = _TITLES[notice.kind].format(
        title=notice.title or notice.intent_type,
        number=notice.number,
        to=", ".join(notice.to) or "whoever may decide",
        outcome=notice.outcome,
        type=notice.intent_type,
        status=notice.status,
        text=_one_line(notice.text),
    )
    lines = [f"Intent {notice.intent} ({notice.intent_type})."]
    if notice.deadline_at is not None and notice.kind is not NoticeKind.DECIDED:
        lines.append(
            f"Without a decision by {notice.deadline_at:%Y-%m-%d %H:%M} UTC it expires; silence is not a yes."
        )
    if notice.kind is NoticeKind.DECIDED:
        lines.append(f"By {notice.by} through {notice.via}: {notice.ending}.")
    asks = notice.kind in ASKING
    link = f"{base_url}/tasks/{visit_ref(notice.intent, notice.visit)}" if asks else ""
    return Message(message_id, notice, title, "\n".join(lines), link)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:255]
