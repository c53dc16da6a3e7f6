"""A history has a maximum length: beyond it, only decisions and the end of the intent are recorded."""

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict, TooLarge
from signoff.core.intent import commands as c
from signoff.core.intent.history_limit import MOST_EVENTS, MOST_MAP_BYTES, MOST_PATCHES
from signoff.core.intent.model import Status
from tests.builders import ANN, SERVICE, Story, happened
from tests.core.asking import asking, refused


def full() -> Story:
    story = asking()
    story.intent = replace(story.intent, seq=MOST_EVENTS)
    return story


@pytest.mark.parametrize(
    ("command", "who"),
    [
        (c.AddComment("One more."), SERVICE),
        (c.PatchControls(controls={"a": 1}), SERVICE),
        (c.MarkReviewing(), ANN),
        (c.Unsnooze(), ANN),
        (c.Revise("e" * 64), ANN),
    ],
    ids=lambda given: type(given).__name__,
)
def test_full_history_refuses_commands_that_can_wait(command: c.Command, who: object) -> None:
    met = refused(full(), command, who)  # type: ignore[arg-type]
    assert (type(met), met.code) == (Conflict, "history_full")


@pytest.mark.parametrize("outcome", ["approved", "rejected"])
def test_full_history_accepts_every_decision(outcome: str) -> None:
    assert "Answered" in happened(full().do(c.Answer(outcome), ANN))


def test_full_history_accepts_the_end_of_the_intent() -> None:
    story = full()
    story.do(c.Cancel(), SERVICE)
    assert story.intent.status is Status.CANCELED


def test_maps_of_an_intent_are_bounded_by_their_size_after_the_change() -> None:
    story = Story()
    half = "x" * (MOST_MAP_BYTES // 2)
    story.do(c.PatchControls(controls={"a": half}), SERVICE)
    met = refused(story, c.PatchControls(grants={"b": half}), SERVICE)
    assert (type(met), met.code) == (TooLarge, "maps_too_large")
    story.do(c.PatchControls(controls={"a": 1}), SERVICE)
    story.intent = replace(story.intent, generation=MOST_PATCHES)
    assert refused(story, c.PatchControls(controls={"a": 2}), SERVICE).code == "history_full"
