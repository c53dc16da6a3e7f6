"""Logs have the configured level and format, and no input can forge a line."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from signoff.config import Config
from signoff.logs import start_logging


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("signoff")
    before = root.handlers, root.level, ours.level
    yield
    root.handlers = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def logged(**settings: str) -> str:
    stream = io.StringIO()
    start_logging(Config(**settings), stream)
    log = logging.getLogger("signoff.outbox")
    log.debug("quiet")
    log.info("a mail to %s", "ann\nerror signoff: forged \x1b[2J")
    log.warning("late")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.exception("broken")
    # A library's chatter holds addresses and headers, whatever our own level is.
    logging.getLogger("httpx2").info("GET https://hooks.example/SECRET")
    return stream.getvalue()


def test_log_line_has_time_level_and_source_on_one_line() -> None:
    lines = logged().splitlines()
    assert [line.split(" ", 1)[1] for line in lines[:3]] == [
        "info signoff.outbox: a mail to ann[U+000A]error signoff: forged [U+001B][2J",
        "warning signoff.outbox: late",
        "error signoff.outbox: broken",
    ]
    assert lines[3].startswith("Traceback")
    assert "SECRET" not in logged(log_level="debug")


@pytest.mark.parametrize(
    ("level", "first"), [("debug", "quiet"), ("info", "a mail"), ("warning", "late"), ("error", "broken")]
)
def test_log_level_is_the_lowest_level_logged(level: str, first: str) -> None:
    assert f"signoff.outbox: {first}" in logged(log_level=level).splitlines()[0]


def test_json_log_has_one_object_per_line() -> None:
    lines = [json.loads(line) for line in logged(log_format="json", log_level="warning").splitlines()]
    assert [(one["level"], one["logger"], one["message"]) for one in lines] == [
        ("warning", "signoff.outbox", "late"),
        ("error", "signoff.outbox", "broken"),
    ]
    assert "ZeroDivisionError" in lines[1]["traceback"]


def test_fields_of_a_record_are_logged_beside_the_message_and_masked() -> None:
    stream = io.StringIO()
    start_logging(Config(log_format="json"), stream)
    fields = {
        "task": "t1",
        "event": 7,
        "message": "cannot be replaced",
        "link": "https://u:hunter22@x.example",
    }
    logging.getLogger("signoff.decisions").info("task %(task)s ended", fields, extra={"fields": fields})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["task"], line["event"]) == ("task t1 ended", "t1", 7)
    assert "hunter22" not in stream.getvalue()


def test_only_records_marked_as_harmless_are_not_searched_for_secrets() -> None:
    stream = io.StringIO()
    start_logging(Config(), stream)
    log, text = logging.getLogger("signoff.decisions"), "task t1 at https://u:hunter22@x.example"
    log.info(text)
    assert "hunter22" not in stream.getvalue()
    log.info(text, extra={"harmless": True})
    assert "hunter22" in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_password_that_is_part_of_a_logger_name_does_not_mask_the_name(form: str) -> None:
    stream = io.StringIO()
    start_logging(Config(log_format=form, database="postgresql://signoff:signoff@db/signoff"), stream)
    logging.getLogger("signoff.server").info("the password is signoff")
    assert "signoff.server" in stream.getvalue()
    assert "is signoff" not in stream.getvalue()
