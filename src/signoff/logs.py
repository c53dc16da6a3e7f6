"""What a server logs, and how a line looks: only our own loggers speak below a warning.

Libraries log addresses and headers at their lower levels, and what is written there may hold secrets.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from signoff.config import Config
from signoff.notify.plain import one_line


def start_logging(config: Config, stream: TextIO | None = None) -> None:
    """From now on log to ``stream``, stderr by default, as the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if config.log_format == "json" else Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("signoff").setLevel(config.log_level.upper())


def _at(record: logging.LogRecord) -> str:
    return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


class Lines(logging.Formatter):
    """One line for a person; a traceback stands below it. Text from outside cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_at(record)} {record.levelname.lower()} {record.name}: {one_line(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)
