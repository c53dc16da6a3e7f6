"""What a command prints: data on stdout, everything else on stderr.

One record or many, as a table for people or as json, jsonl or ids for programs. JSON keys are the API's. Color is used
only on a terminal that supports it, and never carries information on its own.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from signoff.cli.text_safety import clip, safe_json, visible, visible_lines, width
from signoff.core.text.masking import mask_text, masked
from signoff.core.text.times import relative_time

Format = Literal["table", "json", "jsonl", "id"]
FORMATS: Final[tuple[Format, ...]] = ("table", "json", "jsonl", "id")
Fields = Sequence[str]

# Fields with untrusted JSON or text; everything else in a record comes from Signoff.
_CONTENT: Final = frozenset({
    "payload", "previous_results", "next_steps", "result", "results", "error", "details", "data", "input",
    "description", "comment", "comments", "votes", "evidence", "message", "human_task", "fault",
    "title", "reason", "changes", "summary", "text", "before", "after", "correlation_id", "display_name",
})  # fmt: skip
_READABLE: Final = 24  # minimum width of text before other columns are left out
_NARROWEST: Final = 8
_COLORS: Final = {"good": "32", "bad": "31", "wait": "33", "dim": "2", "bold": "1"}
_MOOD: Final = {
    "COMPLETED": "good", "approved": "good", "confirmed": "good", "ok": "good", "active": "good",
    "FAILED": "bad", "TIMED_OUT": "bad", "rejected": "bad", "problem": "bad", "revoked": "bad",
    "WAITING": "wait", "open": "wait", "warning": "wait", "CANCELED": "dim", "closed": "dim",
}  # fmt: skip


class Painted(str):
    """A line that is safe to print, with its color for terminals that have colors."""

    mood: str

    def __new__(cls, text: str, mood: str) -> "Painted":
        made = super().__new__(cls, text)
        made.mood = mood
        return made


@dataclass(frozen=True)
class Column:
    """One column of a table. read: gets its value from a record; on a terminal a datetime is shown as a relative time.

    whole: never cut it, because people copy it into commands. drop: on a narrow terminal, columns with a higher
    number are left out first, and those with 0 never.
    """

    title: str
    read: Callable[[Mapping[str, Any]], object]
    whole: bool = False
    drop: int = 0


def column(title: str, name: str = "", *, whole: bool = False, drop: int = 0) -> Column:
    """The column that shows the key ``name`` (by default the title in lower case)."""
    key = name or title.lower().replace(" ", "_")
    return Column(title, lambda record: record.get(key), whole, drop)


def time_column(title: str, name: str, drop: int = 0) -> Column:
    """The column that shows the RFC 3339 time under the key ``name``."""
    return Column(title, lambda record: as_moment(record.get(name)), whole=True, drop=drop)


def as_moment(value: object) -> datetime | None:
    """An aware datetime from RFC 3339 text; None for anything else."""
    try:
        at = datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


@dataclass
class Output:
    """How one command prints.

    fields: the keys of a record that json and jsonl contain, empty for all. now: the time for relative times; None
    for absolute ones, if the output is not a terminal.
    """

    format: Format = "table"
    fields: Fields = ()
    color: bool = False
    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stdout)
    now: datetime | None = None

    @property
    def for_people(self) -> bool:
        return self.format == "table"

    def many(
        self, records: Iterable[Mapping[str, Any]], columns: Sequence[Column], key: str, empty: str
    ) -> None:
        """Print a list. key: the name of each record's id; empty: the sentence for people if the list is empty."""
        rows = [plain(record) for record in records]
        if self.format == "table":
            self._table(rows, columns, empty)
        elif self.format == "json":
            self.line(safe_json([self._picked(row) for row in rows], indent=2))
        else:
            for row in rows:
                self.each(row, key)

    def more(self, found: Sequence[object], limit: int) -> None:
        """Print a note that there are more records than the list shows."""
        if len(found) > limit:
            self.note(f"There are more; --limit shows more than {limit}.")

    def each(self, record: Mapping[str, Any], key: str) -> None:
        """Print one record of a list that grows while it is printed, as JSON lines or ids."""
        row = plain(record)
        self.line(visible(row.get(key, "")) if self.format == "id" else safe_json(self._picked(row)))

    def one(
        self, record: Mapping[str, Any], key: str, lines: Iterable[str], *, followed: bool = False
    ) -> None:
        """Print a single record. lines: its form for people, already passed through ``visible``. ``followed``:
        whether others follow, so that JSON is one line each.
        """
        row = plain(record)
        if self.format == "table":
            for line in lines:
                self.line(self.colored(line))
        elif self.format == "json" and not followed:
            self.line(safe_json(self._picked(row), indent=2))
        else:
            self.each(row, key)

    def line(self, line: str) -> None:
        """Write one line to stdout unchanged, and flush."""
        print(line, file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """Print a message for the person on stderr, unless --quiet."""
        if not self.quiet:
            print(visible(text), file=sys.stderr)

    def paint(self, text: str) -> str:
        """The text in the color for its value, if colors are on."""
        mood = _MOOD.get(text.split(" ")[0])
        return self.tint(text, mood) if mood else text

    def tint(self, text: str, mood: str) -> str:
        return f"\x1b[{_COLORS[mood]}m{text}\x1b[0m" if self.color else text

    def colored(self, line: str) -> str:
        """A line in its own color, if it has one and colors are on."""
        return self.tint(line, line.mood) if isinstance(line, Painted) and line.mood else line

    def cell(self, value: object) -> str:
        """One value as a single line, escaped."""
        if value is None or value == "":
            return "-"
        if isinstance(value, datetime):
            return relative_time(value, self.now) if self.now else utc(value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list | tuple):
            return visible(", ".join(str(item) for item in value)) or "-"
        return visible(safe_json(value) if isinstance(value, dict) else value)

    def _picked(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: row.get(name) for name in self.fields} if self.fields else row

    def _table(self, rows: list[dict[str, Any]], columns: Sequence[Column], empty: str) -> None:
        if not rows:
            self.note(empty)
            return
        if self.now is not None:
            columns = kept_columns(columns, self._widths(rows, columns), shutil.get_terminal_size().columns)
        widths = self._widths(rows, columns)
        if self.now is not None:
            widths = fitted(widths, shutil.get_terminal_size().columns, [item.whole for item in columns])
        self.line(self.tint(_line([item.title for item in columns], widths, str), "bold"))
        for row in rows:
            self.line(_line([self.cell(item.read(row)) for item in columns], widths, self.paint))

    def _widths(self, rows: list[dict[str, Any]], columns: Sequence[Column]) -> list[int]:
        return [
            max(width(item.title), *(width(self.cell(item.read(row))) for row in rows)) for item in columns
        ]


def kept_columns(columns: Sequence[Column], widths: Sequence[int], terminal: int) -> list[Column]:
    """The columns that fit on a terminal and stay readable. Columns that may be dropped are left out one by one."""
    kept = list(zip(columns, widths, strict=True))
    while any(item.drop for item, _ in kept):
        least = sum(wide if item.whole else min(wide, _READABLE) for item, wide in kept)
        if least + 2 * (len(kept) - 1) <= terminal:
            break
        kept.remove(max(kept, key=lambda one: one[0].drop))
    return [item for item, _ in kept]


def fitted(widths: list[int], columns: int, whole: Sequence[bool] = ()) -> list[int]:
    """Column widths that fit on a terminal: the widest column shrinks first, but none below eight. Whole columns never
    shrink, even if lines are then longer than the terminal.
    """
    widths = list(widths)
    texts = [at for at in range(len(widths)) if not (whole and whole[at])]
    while sum(widths) + 2 * (len(widths) - 1) > columns and texts:
        widest = max(texts, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], paint: Callable[[str], str]) -> str:
    shown = [clip(cell, columns) for cell, columns in zip(cells, widths, strict=True)]
    padded = [
        paint(text) + " " * (columns - width(text)) for text, columns in zip(shown, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a record, without ``ok``, and with secrets in requests and results masked, as on the pages."""
    return {
        name: masked(value) if name in _CONTENT else value for name, value in record.items() if name != "ok"
    }


def titled(record: Mapping[str, Any]) -> str:
    """A task's title, as shown on one line."""
    return mask_text(str(record.get("title") or ""))


def utc(at: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def block(label: str, value: object) -> list[str]:
    """``label value`` on one line, or the label with the value indented below if it has several lines; secrets are
    masked.
    """
    value = masked(value)
    if isinstance(value, dict | list):
        value = safe_json(value, indent=2) if value else ""
    lines = visible_lines(value) if value not in (None, "") else []
    if not lines:
        return []
    return [f"{label:<12} {lines[0]}"] if len(lines) == 1 else [label, *(f"    {line}" for line in lines)]


def wants_color(choice: str, stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to use colors. The first of these decides: the flag, NO_COLOR, CLICOLOR_FORCE or FORCE_COLOR, the
    terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("CLICOLOR_FORCE", "FORCE_COLOR")):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"


def local_now() -> datetime:
    """This machine's clock, only for showing relative times."""
    return datetime.fromtimestamp(time.time(), UTC)
