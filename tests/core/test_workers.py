"""When an agent's workers last asked for work, in words."""

from datetime import timedelta

import pytest

from signoff.core.directory.workers import PRESENT, Worker, last_seen_text, missing_worker_text
from tests.builders import START


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
