"""The terminal in which the server runs: one line a notice, with control characters made visible. It shows what this
process has committed, at once; nothing is queued for it, as a terminal that was closed has missed nothing to be told.
"""

import logging
from collections.abc import Callable
from typing import Final

from signoff.core.ids import visit_ref
from signoff.core.intent.notices import Notice, NoticeKind
from signoff.core.text.hidden_characters import escaped
from signoff.core.text.masking import mask_text
from signoff.notify.letter import ASKING
from signoff.notify.message import render

log = logging.getLogger("signoff.console")

_LONGEST: Final = 200
_SILENT: Final = frozenset({NoticeKind.CHANGED, NoticeKind.SNOOZE_OVER, NoticeKind.FINISHED, NoticeKind.PUSH})


class Console:
    """Writes through ``line``, a function that prints one line."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._open = True

    def show(self, notice: Notice, base_url: str) -> None:
        """Print a notice that people may want to act on; never raises."""
        if not self._open or notice.kind in _SILENT:
            return
        message = render("", notice, base_url)
        text = f"{notice.at:%H:%M:%S}Z  {message.title}"
        if notice.called or notice.text:
            text += f"\n           {escaped(mask_text(notice.called or notice.text))[:_LONGEST]}"
        if notice.kind in ASKING:
            text += f"\n           signoff tasks approve {visit_ref(notice.intent, notice.visit)}"
        try:
            self._line("\n".join(escaped(line) for line in text.split("\n")))
        except (OSError, ValueError) as error:
            self._open = False
            log.warning("the terminal cannot be written to any more (%s); notices are not shown there", error)
