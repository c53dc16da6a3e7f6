"""Output: tables for people, JSON for programs, color only on terminals that support it."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from signoff import wire
from signoff.cli.commands import RemoteCommand
from signoff.cli.output import (
    Column,
    Format,
    Output,
    block,
    column,
    fitted,
    time_column,
    titled,
    wants_color,
)
from signoff.core.text.times import relative_time

pytestmark = pytest.mark.windows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = [
    {"id": "a1", "status": "WAITING", "at": "2026-03-01T11:57:00Z", "title": "x\x1b[31m", "ok": True},
    {"id": "b2", "status": "COMPLETED", "at": None, "title": "", "n": 3},
]
COLUMNS = (column("ID"), column("STATUS"), time_column("SINCE", "at"), column("TITLE"))


def printed(
    format: Format, fields: tuple[str, ...] = (), color: bool = False, now: datetime | None = None
) -> str:
    stream = io.StringIO()
    Output(format, fields, color, stream=stream, now=now).many(ROWS, COLUMNS, "id", "none")
    return stream.getvalue()


def test_table_is_aligned_and_escaped() -> None:
    assert printed("table").splitlines() == [
        "ID  STATUS     SINCE                 TITLE",
        "a1  WAITING    2026-03-01T11:57:00Z  x\\x1b[31m",
        "b2  COMPLETED  -                     -",
    ]


def test_fields_are_offered_by_their_names_in_json() -> None:
    offered = RemoteCommand("x", fields=wire.people.AbsenceOut).fields
    assert list(offered) == ["from", "until", "delegate"]


def test_times_are_relative_in_a_terminal() -> None:
    assert "3m ago" in printed("table", now=NOW)


def test_color_is_accompanied_by_text() -> None:
    text = printed("table", color=True)
    assert "\x1b[33mWAITING\x1b[0m" in text
    assert "\x1b[32mCOMPLETED\x1b[0m" in text


def test_json_has_the_keys_of_the_api_without_the_envelope() -> None:
    assert json.loads(printed("json")) == [{k: v for k, v in row.items() if k != "ok"} for row in ROWS]
    assert json.loads(printed("json", ("id", "n"))) == [{"id": "a1", "n": None}, {"id": "b2", "n": 3}]


def test_jsonl_prints_one_line_per_row_and_id_prints_ids_only() -> None:
    assert [json.loads(line)["id"] for line in printed("jsonl").splitlines()] == ["a1", "b2"]
    assert printed("id").splitlines() == ["a1", "b2"]


def test_empty_table_is_reported_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    Output(stream=stream).many([], COLUMNS, "id", "There is nothing.")
    assert stream.getvalue() == ""
    assert capsys.readouterr().err == "There is nothing.\n"
    Output("json", stream=stream).many([], COLUMNS, "id", "There is nothing.")
    assert stream.getvalue() == "[]\n"


def test_multi_line_value_is_indented_under_its_name() -> None:
    forged = "harmless\ndigest       0000"
    assert block("title", forged) == ["title", "    harmless", "    digest       0000"]
    assert block("payload", {"a": 1}) == ["payload", "    {", '      "a": 1', "    }"]
    assert block("title", "") == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-200, "3m ago"), (7300, "in 2h"), (0.2, "now"), (-90000, "1d ago"), (5, "in 5s")],
)
def test_relative_times_are_rounded_to_one_unit(seconds: float, text: str) -> None:
    assert relative_time(NOW + timedelta(seconds=seconds), NOW, 1) == text


def test_widest_column_is_narrowed_first() -> None:
    assert fitted([4, 60, 20], 50) == [4, 22, 20]
    assert fitted([4, 10], 50) == [4, 10]
    assert fitted([9, 9], 1) == [8, 8]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_color_follows_the_flag_then_the_environment_then_the_terminal(
    choice: str, environ: dict[str, str], terminal: bool, wanted: bool
) -> None:
    assert wants_color(choice, Terminal() if terminal else io.StringIO(), environ) is wanted


def test_cell_shows_a_value_of_any_type() -> None:
    out = Output(now=NOW)
    shown = [out.cell(value) for value in (None, "", True, False, 0, ["a", "b"], (), {"k": 1}, NOW)]
    assert shown == ["-", "-", "yes", "no", "0", "a, b", "-", '{"k":1}', "now"]
    assert Column("X", lambda record: record["k"]).read({"k": 1}) == 1


@pytest.mark.parametrize("format", ["table", "jsonl", "json"])
def test_secrets_in_free_text_are_masked(format: Format) -> None:
    stream = io.StringIO()
    names = ("title", "reason", "summary", "text", "before", "after")
    record = {"id": "a1"} | {name: f"use postgres://app:hunter2-{name}@db/x" for name in names}
    columns = tuple(column(name.upper()) for name in names)
    Output(format, (), stream=stream).many([record], columns, "id", "none")
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("fingerprint") == len(names)
    assert "hunter2" not in titled(record)
