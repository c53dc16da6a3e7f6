"""The CLI escapes untrusted text on a terminal and leaves it unchanged in JSON output."""

import json

import pytest

from signoff.cli.text_safety import clip, safe_json, visible, visible_lines, width
from signoff.core.text.hidden_characters import hidden
from tests.hostile import CORPUS

pytestmark = pytest.mark.windows

HOSTILE = [
    *CORPUS.values(),
    "\x1b[2J\x1b]0;owned\x07",
    "safe\rEVIL",
    "back\x08\x08",
    "\x9b31m",
    "abc\u202egnp.exe",
    "\u2066hidden\u2069",
    "zero\u200bwidth\ufeff",
    "tag\U000e0041",
    "\x00\x7f\x85",
    "line\u2028separator",
    "\u3164filler",
    "lone \ud800 surrogate",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_and_hidden_characters_are_escaped_in_the_terminal(text: str) -> None:
    for shown in (visible(text), *visible_lines(text), safe_json({"k": text, text: 1})):
        assert all(c.isprintable() for c in shown), ascii(shown)
        assert not [c for c in shown if hidden(c)], ascii(shown)


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_json_decodes_to_the_same_value(text: str) -> None:
    assert json.loads(safe_json({"k": [text]}, indent=2)) == {"k": [text]}


def test_ordinary_text_is_unchanged() -> None:
    for text in ["Add index users_email", "Über 10 €", "承認してください", "نعم", "👍 e\u0301"]:
        assert visible(text) == text
        assert safe_json(text) == f'"{text}"'


def test_line_breaks_are_escaped_on_one_line_and_kept_in_several() -> None:
    assert visible("a\nb\tc\r") == "a\\nb\\tc\\r"
    assert visible_lines("a\r\nb\rc\n") == ["a", "b\\rc", ""]


def test_hidden_characters_are_shown_as_their_code() -> None:
    assert visible("\x1b[0m\u202e\U000e0041") == "\\x1b[0m\\u202e\\U000e0041"


def test_width_counts_columns_rather_than_characters() -> None:
    assert [width(text) for text in ("abc", "承認", "e\u0301")] == [3, 4, 1]
    assert clip("abcdef", 4) == "abc…"
    assert clip("承認して", 5) == "承認…"
    assert clip("abc", 3) == "abc"
