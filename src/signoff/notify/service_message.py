"""Renders a notification for a service: a title, a few plain sentences and a link. Agents' text is data, never a
title.
"""

from msgspec import Struct

from signoff.core.ids import step_run_id
from signoff.core.intent.notifications import ASKING, Notification, NotificationKind
from signoff.core.plan.task_types import Ending
from signoff.core.plan.wording import ended, type_text, what_now
from signoff.core.text.masking import mask_text


class ServiceMessage(Struct, frozen=True):
    """``id``: the same for all attempts, so that receivers can drop duplicates."""

    id: str
    notification: Notification
    title: str
    text: str
    link: str


def render(message_id: str, notification: Notification, base_url: str, by: str = "") -> ServiceMessage:
    """``base_url``: the server's public address; ``by``: the name of the person who acted. Secrets in other people's
    text are masked.
    """
    asks = notification.kind in ASKING or notification.kind is NotificationKind.COMMENTED
    link = f"{base_url}/tasks/{step_run_id(notification.intent, notification.step_run)}" if asks else ""
    text = "\n".join(_lines(notification, by or notification.by))
    return ServiceMessage(message_id, notification, title_of(notification), mask_text(text), link)


def title_of(notification: Notification) -> str:
    """The message's first line, with secrets masked."""
    title = notification.kind.title_template.format(
        title=notification.title or type_text(notification.intent_type),
        number=notification.number,
        to=", ".join(notification.to),
        ended=_ended(notification),
        type=type_text(notification.intent_type),
        status=notification.status,
    )
    return mask_text(title)


def _lines(notification: Notification, by: str) -> list[str]:
    lines = [f"Requester's title: {notification.requesters_title}"] if notification.requesters_title else []
    if notification.text:
        lines.append(notification.text)
    if notification.kind in ASKING and notification.deadline_at is not None:
        lines.append(
            f"Answer by {notification.deadline_at:%a %d %b %Y, %H:%M} UTC. Silence is never consent."
        )
    if notification.kind is NotificationKind.COMMENTED:
        lines.append(f"By {by}, through {notification.via}. Read it on the page.")
    if notification.kind is NotificationKind.DECIDED:
        lines.append(
            what_now(Ending(notification.ending), notification.outcome, notification.means)
            or f"By {by}, through {notification.via}."
        )
    lines.append(f"Intent {notification.intent} ({notification.intent_type}).")
    return lines


def _ended(notification: Notification) -> str:
    return (
        ended(Ending(notification.ending), notification.outcome)
        if notification.kind is NotificationKind.DECIDED
        else ""
    )
