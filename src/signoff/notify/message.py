"""Notice -> Message: a title, a few plain sentences, and the link to go to. Agents' text is data, never a title."""

from typing import Final

from signoff.core.ids import visit_ref
from signoff.core.intent.notices import Notice, NoticeKind
from signoff.core.plan.task_types import Ending
from signoff.core.plan.wording import ended, kind_words, what_now
from signoff.core.text.masking import mask_text
from signoff.notify.channel import Message
from signoff.notify.letter import ASKING

_TITLES: Final = {
    NoticeKind.TASK_OPENED: "Decision needed: {title}",
    NoticeKind.REMINDER: "Reminder {number}, still waiting: {title}",
    NoticeKind.ESCALATED: "Escalated, still waiting: {title}",
    NoticeKind.REVISED: "Changed, to be decided anew: {title}",
    NoticeKind.SNOOZE_OVER: "Put off until now: {title}",
    NoticeKind.REMARKED: "Question or comment: {title}",
    NoticeKind.CHANGED: "Changed: {title}",
    NoticeKind.DECIDED: "{ended}: {title}",
    NoticeKind.MESSAGE: "For your information: {type}",
    NoticeKind.FINISHED: "Finished: {type} is {status}",
    NoticeKind.PUSH: "Delivery for {to}",
}


def render(message_id: str, notice: Notice, base_url: str, by: str = "") -> Message:
    """The message for one notice; ``base_url`` is the address people reach the server by, ``by`` the name of whoever
    brought it about. Secrets in what others have written are hidden: people read it.
    """
    title = _TITLES[notice.kind].format(
        title=notice.title or kind_words(notice.intent_type),
        number=notice.number,
        to=", ".join(notice.to),
        ended=_ended(notice),
        type=kind_words(notice.intent_type),
        status=notice.status,
    )
    asks = notice.kind in ASKING or notice.kind is NoticeKind.REMARKED
    link = f"{base_url}/tasks/{visit_ref(notice.intent, notice.visit)}" if asks else ""
    text = "\n".join(_lines(notice, by or notice.by))
    return Message(message_id, notice, mask_text(title), mask_text(text), link)


def _lines(notice: Notice, by: str) -> list[str]:
    lines = [f"The requester calls it: {notice.called}"] if notice.called else []
    if notice.text:
        lines.append(notice.text)
    if notice.kind in ASKING and notice.deadline_at is not None:
        lines.append(f"Answer by {notice.deadline_at:%a %d %b %Y, %H:%M} UTC. Silence is not a yes.")
    if notice.kind is NoticeKind.REMARKED:
        lines.append(f"By {by}, through {notice.via}. The words stand on the page.")
    if notice.kind is NoticeKind.DECIDED:
        lines.append(
            what_now(Ending(notice.ending), notice.outcome, notice.means) or f"By {by}, through {notice.via}."
        )
    lines.append(f"Intent {notice.intent} ({notice.intent_type}).")
    return lines


def _ended(notice: Notice) -> str:
    return ended(Ending(notice.ending), notice.outcome) if notice.kind is NoticeKind.DECIDED else ""
