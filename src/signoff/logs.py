"""What a server logs, and in which format. Below the warning level, only our own loggers are enabled.

At those levels, libraries log addresses and headers, which may contain secrets.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from signoff.config import Config
from signoff.core.text.masking import MASK, mask_text, starred
from signoff.notify.plain_text import one_line


def start_logging(config: Config, stream: TextIO | None = None) -> None:
    """Log to ``stream``, stderr by default, as the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonLines if config.log_format == "json" else Lines)(config.secrets))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("signoff").setLevel(config.log_level.upper())


def _at(record: logging.LogRecord) -> str:
    return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


class Masking(logging.Formatter):
    """Masks secrets of the settings, and everything that looks like a secret, in every line. A record that is marked
    ``harmless`` contains no external text.
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._secrets = secrets

    def clean(self, text: str, record: logging.LogRecord) -> str:
        if getattr(record, "harmless", False):
            return text
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return mask_text(text, starred)


class Lines(Masking):
    """Formats a record as one line for people, with a traceback below it. External text cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        text = one_line(record.getMessage())
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        # Not the logger's name: programs filter by it, and a password may be part of it, such as "signoff".
        return f"{_at(record)} {record.levelname.lower()} {record.name}: {self.clean(text, record)}"


class JsonLines(Masking):
    """Formats a record as a JSON object on one line, with its message and any ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.clean(record.getMessage(), record),
        }
        fields: dict[str, object] = getattr(record, "fields", {})
        for name, value in fields.items():
            members.setdefault(name, self.clean(value, record) if isinstance(value, str) else value)
        if record.exc_info:
            members["traceback"] = self.clean(self.formatException(record.exc_info), record)
        return json.dumps(members)
