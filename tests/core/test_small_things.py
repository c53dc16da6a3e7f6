"""Ids, differences, unneeded work, refusals with a time, single-line texts: one rule each."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from signoff.core.directory.rotation import Rotation
from signoff.core.directory.workers import PRESENT, Worker, last_seen_text, missing_worker_text
from signoff.core.errors import Busy, TooMany
from signoff.core.ids import new_intent_id, shard, split_ref, step_run_id
from signoff.core.text.hidden_characters import escaped, glance, one_line, plain_json
from signoff.core.text.json_text import DuplicateKeyError, unique
from tests.builders import START
from tests.core.asking import refusal

AN_ID = new_intent_id(1_700_000_000_000, bytes(range(10)))


def test_step_run_id_names_its_intent_and_number() -> None:
    assert split_ref(step_run_id(AN_ID, 7)) == (AN_ID, 7)
    assert split_ref(step_run_id(AN_ID, 0xFFFF).upper()) == (AN_ID, 0xFFFF)
    assert split_ref(AN_ID) == (AN_ID, 0)
    assert step_run_id(AN_ID, 0) == AN_ID
    assert AN_ID[14] == "7", "a UUID of version 7"


@pytest.mark.parametrize("text", ["", "x", AN_ID[:-1], AN_ID + "0", f"{AN_ID} ", AN_ID.replace("-", "_")])
def test_malformed_id_is_not_found(text: str) -> None:
    assert refusal(lambda: split_ref(text)).code == "not_found"


def test_ids_are_spread_over_256_shards() -> None:
    found = {shard(new_intent_id(0, bytes([0] * 4 + [byte] + [0] * 5))) for byte in range(256)}
    assert (min(found), max(found), len(found)) == (0, 255, 256)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(0), "now"),
        (PRESENT - timedelta(seconds=1), "now"),
        (PRESENT, "3m ago"),
        (timedelta(hours=5, minutes=59), "5h ago"),
        (timedelta(days=3, hours=23), "3d ago"),
    ],
)
def test_last_claim_is_shown_in_one_unit(ago: timedelta, words: str) -> None:
    assert last_seen_text(START, START + ago) == words
    said = missing_worker_text("a", Worker("a", START), START + ago)
    assert said == (
        "" if words == "now" else f"No worker has asked for the work of a for {words.removesuffix(' ago')}."
    )


def test_agent_that_never_claimed_is_shown_as_never() -> None:
    assert last_seen_text(None, START) == "never"
    assert missing_worker_text("a", None, START) == "No worker has ever asked for the work of a."


def test_temporary_refusal_says_when_to_try_again() -> None:
    many, busy = TooMany("rate_limited", "Too often.", retry_after=7), Busy("busy", "Full.")
    assert (many.status, many.retry_after, many.hint) == (429, 7, "Try again in 7 s.")
    assert (busy.status, busy.retry_after, busy.hint) == (503, 1, "Try again in 1 s.")
    assert Busy("busy", "Full.", hint="Ask the operator.").hint == "Ask the operator."


def test_duplicate_key_of_an_object_is_refused() -> None:
    assert unique([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    with pytest.raises(DuplicateKeyError, match="'b' is duplicated") as met:
        unique([("a", 1), ("b", 2), ("b", 3), ("a", 4)])
    assert met.value.key == "b"


# -- texts in places of one line


def test_control_and_hidden_characters_are_escaped_for_terminals() -> None:
    assert escaped("plain \u4e2d") == "plain \u4e2d"
    assert escaped("\x1b[2J") == "\\x1b[2J"
    assert escaped("a\nb\tc\r") == "a\\nb\\tc\\r"
    assert escaped("a\u202eb\U000e0041") == "a\\u202eb\\U000e0041"


def test_hidden_characters_of_json_are_escaped_without_changing_it() -> None:
    text = json.dumps({"a": "x\u202ey\U000e0041 \u4e2d"}, ensure_ascii=False)
    plain = plain_json(text)
    assert json.loads(plain) == json.loads(text)
    assert "\u202e" not in plain
    assert "\\u202e" in plain
    assert "\u4e2d" in plain


def test_line_ends_are_shown_as_pictures_on_one_line() -> None:
    assert one_line("a\r\nb\nc") == "a\u240d\u240ab\u240ac"


def test_lookalike_texts_have_one_glance_form() -> None:
    assert glance("\u0410\u200bnn") == glance("ann") == glance("A N N")
    assert glance("Bob") != glance("Ann")


# -- turns


def test_rotation_of_one_member_never_changes() -> None:
    alone = Rotation(("per_ann",), date(2026, 3, 2))
    assert {alone.on_call(START + timedelta(weeks=weeks)) for weeks in range(-3, 4)} == {"per_ann"}
    assert alone.handover_after(datetime(2026, 3, 2, 9, tzinfo=UTC)) == datetime(2026, 3, 9, 9, tzinfo=UTC)
