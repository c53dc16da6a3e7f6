"""The server's terminal: one line per notification, with control characters made visible. It shows immediately what
this process has committed. Nothing is queued for it, because nobody needs what a closed terminal would have shown.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from signoff.core.ids import step_run_id
from signoff.core.intent.notifications import ASKING, QUIET, Notification
from signoff.core.text.hidden_characters import escaped
from signoff.core.text.masking import mask_text
from signoff.notify.service_message import title_of

log = logging.getLogger("signoff.console")

_LONGEST: Final = 200


class Console:
    """Writes through ``line``, a function that prints its argument and a newline."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._open = True

    def show(self, notifications: Iterable[Notification]) -> None:
        """Print the notifications that people may want to act on, in one write; never raises."""
        if not self._open:
            return
        texts = [_text(one) for one in notifications if one.kind not in QUIET]
        if not texts:
            return
        try:
            self._line("\n".join(texts))
        except (OSError, ValueError) as error:
            self._open = False
            log.warning(
                "the terminal can no longer be written to (%s); notifications are not shown there", error
            )


def _text(notification: Notification) -> str:
    text = f"{notification.at:%H:%M:%S}Z  {title_of(notification)}"
    if notification.requesters_title or notification.text:
        text += f"\n           {escaped(mask_text(notification.requesters_title or notification.text))[:_LONGEST]}"
    if notification.kind in ASKING:
        text += (
            f"\n           signoff tasks approve {step_run_id(notification.intent, notification.step_run)}"
        )
    return "\n".join(escaped(line) for line in text.split("\n"))
