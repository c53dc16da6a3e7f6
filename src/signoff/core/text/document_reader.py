"""Readers of documents. Their errors name the dotted path of the field.

A strict document (our own templates) refuses unknown fields; a lenient one (AXP's documents) warns. ``document``
verifies once that it is plain JSON, and the readers rely on that.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from signoff.core.errors import Invalid
from signoff.core.text.describe import NAME, NAME_HINT, kind_of, printable, suggestion, suggestion_or_list
from signoff.core.text.durations import SHORTEST, parse_duration
from signoff.core.text.hidden_characters import shows
from signoff.core.text.json_text import flaw

T = TypeVar("T")
W = TypeVar("W", bound=str)
_MAX_NOTED: Final = 10
_LONGEST_NAME: Final = 255
# Within these years every time zone can represent every time, even ten years later.
_YEARS: Final = range(1900, 9001)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_PROSE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NUMBER: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def document(value: object, *, lenient: bool = False, kept: bool = False, checked: bool = False) -> "Fields":
    """The fields of a whole document; raises Invalid unless it is plain JSON, at most 32 levels deep. ``kept``: it
    was stored before, possibly by an earlier release that accepted empty values; ``checked``: the server's intake has
    already verified it.
    """
    if not checked and (found := flaw(value)):
        path, problem = found[0].lstrip("."), found[1]
        raise Invalid("invalid_json", f"{path or 'The document'}: {problem}.", field=path or None)
    return Fields(value, lenient=lenient, kept=kept)


def in_utc(at: datetime, field: str) -> datetime:
    """A time in a document, in UTC; raises Invalid for a time without a zone or outside the supported years."""
    if at.tzinfo is None:
        hint = "End it with Z or +01:00."
        raise Invalid("zone_required", f"{field}: the time has no zone.", field=field, hint=hint)
    refuse_unplaced(at, field)
    return at.astimezone(UTC)


def refuse_unplaced(day: date, field: str) -> None:
    """Raise Invalid for a date or time so far in the past or future that it cannot be represented in every time
    zone.
    """
    if day.year not in _YEARS:
        message = f"{field}: the year {day.year} is outside {_YEARS[0]} to {_YEARS[-1]}."
        raise Invalid("moment_out_of_range", message, field=field, hint="Omit it if there is none.")


def refuse_unprintable(name: str, field: str) -> None:
    """Raise Invalid unless a name that a caller chose has 1 to 255 printable characters and is visible."""
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or not shows(name):
        raise Invalid(
            "invalid_name", f"A name must have 1 to {_LONGEST_NAME} printable characters.", field=field
        )


def refuse_two_spellings(value: Mapping[str, Any], spellings: Mapping[str, str]) -> None:
    """Raise Invalid if a field is given in two spellings with different values. ``spellings``: maps the other
    spelling to the field.
    """
    for name in value:
        field = spellings.get(name, name)
        if field != name and field in value and value[field] != value[name]:
            raise Invalid(
                "contradictory_field",
                f"{field} and {name} are the same field and differ; nothing was done.",
                field=name,
                hint="Send one of them.",
            )


class Fields:
    """One object of a document. Every reader raises Invalid naming ``path.name``. Null and blank text count as absent
    in a lenient or stored document; a strict one refuses them (``known``).

    path: the object's path, "" for the whole document; warnings: shared by all readers of one document.
    """

    def __init__(
        self,
        value: object,
        path: str = "",
        *,
        lenient: bool = False,
        kept: bool = False,
        warnings: list[str] | None = None,
    ) -> None:
        if not isinstance(value, dict):
            place = path or "The document"
            raise Invalid(
                "invalid_field", f"{place}: must be an object, not {kind_of(value)}.", field=path or None
            )
        self.value: Mapping[str, Any] = value
        self.path = path
        self.lenient = lenient
        self.kept = kept
        self.warnings: list[str] = [] if warnings is None else warnings

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{printable(name)}" if self.path else printable(name)

    def has(self, name: str) -> bool:
        return self.value.get(name) is not None

    def invalid(
        self, name: str, problem: str, *, hint: str | None = None, code: str = "invalid_field"
    ) -> Invalid:
        """The error for one field, for the caller to raise."""
        path = self.at(name)
        return Invalid(code, f"{path}: {problem}.", field=path, hint=hint)

    def warn(self, name: str, text: str) -> None:
        self.warnings.append(f"{self.at(name)}: {text}.")

    def says(self, name: str) -> bool:
        """Whether the field has a value that could have an effect; zero and empty text count as absent."""
        return self.value.get(name) not in (None, 0, "")

    def refuse_idle(self, name: str, why: str, hint: str) -> None:
        """Raise Invalid if the field is given with any value, because other fields make it ineffective. A stored
        document is not refused for this.
        """
        if self.has(name) and not self.kept:
            raise self.invalid(name, f"has no effect, because {why}", hint=hint, code="no_effect")

    def unused(self, names: Sequence[str], why: str) -> None:
        """Add a warning for each of ``names`` that is given, because it has no effect here."""
        for name in names:
            if self.says(name):
                self.warn(name, f"has no effect: {why}")

    def known(self, *names: str, blank: Sequence[str] = ()) -> None:
        """Refuse every other field (strict), or warn that it is ignored (lenient). A strict document also refuses null
        and blank fields: an ``approvers:`` or ``policy:`` that was left blank would open the decision to everyone.
        ``blank``: fields for which blank text clears the value.
        """
        rest = [name for name in self.value if name not in names]
        if rest and not self.lenient:
            hint = suggestion_or_list(rest[0], names)
            raise self.invalid(rest[0], "unknown field", hint=hint, code="unknown_field")
        if not self.lenient and not self.kept:
            self._refuse_empty(blank)
        for name in rest[:_MAX_NOTED]:
            close = suggestion(name, names)
            self.warn(name, f"unknown field, ignored ({close})" if close else "unknown field, ignored")
        if len(rest) > _MAX_NOTED:
            self.warn(rest[_MAX_NOTED], f"and {len(rest) - _MAX_NOTED} unknown fields in total are ignored")

    def _refuse_empty(self, blank: Sequence[str]) -> None:
        for name, value in self.value.items():
            if value is None or (isinstance(value, str) and not value.strip() and name not in blank):
                raise self.invalid(name, "is empty", hint="Give it a value, or omit it.", code="empty_field")

    def text(self, name: str, *, longest: int = 255) -> str:
        """One line, trimmed; "" when absent."""
        return self._line(self.value.get(name), name, longest)

    def need(self, name: str, *, longest: int = 255) -> str:
        """One line, required."""
        line = self.text(name, longest=longest)
        if not line:
            raise self.invalid(name, "is required", code="missing_field")
        return line

    def word(self, name: str, known: Iterable[W]) -> W | None:
        """One of the known words, or a member of an enumeration; None when absent."""
        words = {str(word): word for word in known}
        line = self.text(name, longest=64)
        if line and line not in words:
            raise self.invalid(name, f"{printable(line)!r} is unknown", hint=suggestion_or_list(line, words))
        return words.get(line)

    def name(self, name: str) -> str:
        """A name of a workflow, step, team or policy; "" when absent."""
        line = self.text(name, longest=100)
        if line and not NAME.fullmatch(line):
            raise self.invalid(name, f"{printable(line)!r} is not a name", hint=NAME_HINT)
        return line

    def prose(self, name: str, *, longest: int = 2000) -> str:
        """Text of several lines; "" when absent."""
        value = self.value.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.invalid(name, f"must be text, not {kind_of(value)}")
        if len(value) > longest:
            raise self.invalid(name, f"is longer than {longest} characters")
        if _CONTROL_IN_PROSE.search(value):
            raise self.invalid(name, "contains control characters")
        return self._seen(value.strip(), name)

    def texts(self, name: str, *, most: int = 20, longest: int = 255) -> tuple[str, ...]:
        """Lines in order, without duplicates; a single string counts as a list of one."""
        value = self.value.get(name)
        if value is None:
            return ()
        lines = []
        for index, item in enumerate(self._list(name, [value] if isinstance(value, str) else value, most)):
            line = self._line(item, f"{name}[{index}]" if isinstance(value, list) else name, longest)
            if line:
                lines.append(line)
            elif not self.lenient:
                raise self.invalid(f"{name}[{index}]" if isinstance(value, list) else name, "is empty")
        return tuple(dict.fromkeys(lines))

    def flag(self, name: str) -> bool | None:
        """True, False, or None when absent."""
        value = self.value.get(name)
        if self.lenient and value in ("true", "false"):
            return bool(value == "true")
        if value is None or isinstance(value, bool):
            return value
        raise self.invalid(name, f"must be true or false, not {kind_of(value)}")

    def count(self, name: str, least: int, most: int) -> int | None:
        """A whole number within the bounds, or None when absent (or zero in a lenient document)."""
        value = self._plain(self.value.get(name))
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise self.invalid(name, f"must be a whole number, not {kind_of(self.value[name])}")
        if self.lenient and value == 0 < least:
            return None
        if not least <= value <= most:
            raise self.invalid(name, f"must be between {least} and {most}")
        return int(value)

    def duration(self, name: str) -> timedelta | None:
        """A timedelta, or None when absent (and for a lenient document's zero)."""
        value = self._plain(self.value.get(name))
        if value is None or (self.lenient and value in (0, "") and not isinstance(value, bool)):
            return None
        if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > 40):
            raise self.invalid(name, f"{kind_of(value)} is not a duration", code="invalid_duration")
        lasts = parse_duration(value, self.at(name))
        if lasts < SHORTEST:
            hint = "Write 1s or more." if not self.lenient else "At least 1 second, or 0 for none."
            raise self.invalid(name, "is shorter than a second", code="invalid_duration", hint=hint)
        return lasts

    def moment(self, name: str) -> datetime | None:
        """An aware UTC datetime from RFC 3339 text, or None when absent."""
        line = self.text(name, longest=64)
        if not line:
            return None
        try:
            at = msgspec.convert(line, datetime)
            if at.tzinfo is None:
                raise ValueError
        except ValueError as unreadable:
            hint = "Write it as 2030-01-31T18:00:00Z, with Z or an offset."
            raise self.invalid(name, f"{line!r} is not a time", hint=hint) from unreadable
        return in_utc(at, self.at(name))

    def data(self, name: str) -> dict[str, Any] | None:
        """Any JSON object, unchanged; None when absent."""
        value = self.value.get(name)
        if value is None or isinstance(value, dict):
            return value
        raise self.invalid(name, f"must be an object, not {kind_of(value)}")

    def inner(self, name: str) -> "Fields | None":
        """The fields of a nested object; None when absent."""
        if not self.has(name):
            return None
        return Fields(
            self.value[name], self.at(name), lenient=self.lenient, kept=self.kept, warnings=self.warnings
        )

    def need_inner(self, name: str) -> "Fields":
        """The fields of a nested object, required."""
        inner = self.inner(name)
        if inner is None:
            raise self.invalid(name, "is required", code="missing_field")
        return inner

    def item(self, name: str, index: int, value: object) -> "Fields":
        """The fields of one object in a list."""
        return Fields(
            value, f"{self.at(name)}[{index}]", lenient=self.lenient, kept=self.kept, warnings=self.warnings
        )

    def moved(self, path: str) -> "Fields":
        """The same object under another path."""
        return Fields(self.value, path, lenient=self.lenient, kept=self.kept, warnings=self.warnings)

    def each(self, name: str, *, most: int, example: str = "") -> list[Any]:
        """The values of a list; empty when absent. ``example``: an item, for the error."""
        hint = f"Write a list: {name}: [{example}]." if example else None
        return [] if not self.has(name) else self._list(name, self.value[name], most, hint)

    def entries(self, name: str, *, most: int, example: str = "") -> Iterator[tuple[str, "Fields"]]:
        """The keys of an object whose values are objects, with the fields of each. ``example``: an entry, for the
        errors.
        """
        self._refuse_other(self.value.get(name), name, self.at(name), example)
        found = self.need_inner(name)
        if len(found.value) > most:
            raise self.invalid(name, f"has {len(found.value)} entries; at most {most} are allowed")
        for key, value in found.value.items():
            path = f"{found.path}.{key[:100]}"
            self._refuse_other(value, name, path, example)
            yield key, Fields(value, path, kept=self.kept)

    def _refuse_other(self, value: object, name: str, path: str, example: str) -> None:
        """Refuse what is not an object; the hint shows how entries are written, without the items of a list."""
        if not (value is None or isinstance(value, dict)) and example:
            hint = f"Write each entry under its key: {name}: {{{example}}}."
            raise Invalid(
                "invalid_field", f"{path}: must be an object, not {kind_of(value)}.", field=path, hint=hint
            )

    def _list(self, name: str, value: object, most: int, hint: str | None = None) -> list[Any]:
        if not isinstance(value, list):
            raise self.invalid(name, f"must be a list, not {kind_of(value)}", hint=hint)
        if len(value) > most:
            raise self.invalid(name, f"has {len(value)} entries; at most {most} are allowed")
        return value

    def _line(self, value: object, name: str, longest: int) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.invalid(name, f"must be text, not {kind_of(value)}")
        line = value.strip()
        if len(line) > longest:
            raise self.invalid(name, f"is longer than {longest} characters")
        if _CONTROL.search(line):
            raise self.invalid(name, "contains control characters")
        return self._seen(line, name)

    def _seen(self, text: str, name: str) -> str:
        """The text, unless it is blank."""
        if text and not shows(text):
            raise self.invalid(name, "contains no visible text", hint="Write text, or omit it.")
        return text

    def _plain(self, value: Any) -> Any:
        """A number that a lenient document wrote as text."""
        if self.lenient and isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return float(value)
        return value


class Problems(list[Invalid]):
    """Collects the problems of a document, so that reading can continue and find more."""

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Return the result of ``read``; None if it found a problem."""
        try:
            return read()
        except Invalid as problem:
            self.append(problem)
            return None

    def collect(self, fields: Fields, name: str, most: int, read: Callable[[Fields], T]) -> list[T]:
        """Return the results of ``read`` for each object of a list, with at most one problem per entry."""
        found = []
        for index, entry in enumerate(self.attempt(lambda: fields.each(name, most=most)) or []):
            try:
                found.append(read(fields.item(name, index, entry)))
            except Invalid as problem:
                self.append(problem)
        return found
