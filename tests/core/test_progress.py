"""When a message about an open task is out of date and must be rewritten."""

from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.core.intent.model import Delegation, Task
from signoff.core.intent.notifications import NotificationKind, progress_of
from signoff.core.plan.task_types import Meaning, Stage, Vote
from tests.builders import ANN
from tests.conftest import NOON
from tests.core.asking import asking


def progress(**changed: Any) -> Any:
    story = asking(Stage(), Stage())
    [*_, sealed] = story.do(c.AddComment("Soon."), ANN).facts
    after = replace(story.intent, open=replace(story.task, **changed))
    return progress_of(story.intent, sealed.fact, after)


@pytest.mark.parametrize(
    "changed",
    [
        {"votes": (Vote("per_ann", "approved", Meaning.APPROVES),)},
        {"stage": 1},
        {"revision": 2},
        {"assigned": ("per_otto",)},
        {"delegations": (Delegation("per_ann", "per_otto", frozenset({"team:sre"})),)},
        {"reviewed_by": "per_ann"},
        {"escalated": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_change_that_a_message_shows_is_progress(changed: dict[str, Any]) -> None:
    made = progress(**changed)
    assert (made.kind, made.step_run, made.by) == (NotificationKind.PROGRESS, 1, "per_ann")
    assert made.stage == changed.get("stage", 0)


@pytest.mark.parametrize("changed", [{}, {"reminded": 1, "reminded_at": NOON}, {"step_run": 2, "stage": 1}])
def test_change_that_no_message_shows_is_no_progress(changed: dict[str, Any]) -> None:
    assert progress(**changed) is None


def test_opening_and_end_of_a_task_are_no_progress() -> None:
    story = asking()
    assert isinstance(story.intent.open, Task)
    [*_, sealed] = story.do(c.AddComment("Soon."), ANN).facts
    assert progress_of(None, sealed.fact, story.intent) is None
    assert progress_of(story.intent, sealed.fact, replace(story.intent, open=None)) is None
