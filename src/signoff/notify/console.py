"""The terminal in which the server runs: one line a notice, with control characters made visible."""

from collections.abc import Callable

from signoff.core.ids import visit_ref
from signoff.notify.channel import Message, Target


class Console:
    """Writes through ``line``, a function that prints one line."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line

    async def send(self, message: Message, target: Target) -> None:
        notice = message.notice
        text = f"{notice.at:%H:%M:%S}Z  {message.title}"
        if message.link:
            text += f"\n           signoff tasks approve {visit_ref(notice.intent, notice.visit)}"
        self._line("\n".join(plain(line) for line in text.split("\n")))

    async def close(self) -> None:
        """Nothing to close."""


def plain(text: str) -> str:
    """Text that can do nothing to a terminal: control and format characters shown as their code points."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
