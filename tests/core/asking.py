"""Helpers for tests of the rules: open tasks, votes, a directory, refusals."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import Actor
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.eligibility import AbsenceCover, Membership
from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Meaning, Stage, TaskSpec, TaskType, Vote
from tests.builders import SERVICE, START, Story, gate

REVIEW_WORDS = ("approved", "changes_requested", "rejected")
FAR = START + timedelta(days=300)


def step(*stages: Stage, name: str = "ask", deadline: timedelta | None = None, **spec: Any) -> HumanStep:
    return HumanStep(
        id=name, deadline=deadline, task=TaskSpec(**{"title": "Run it?", **spec}, stages=stages or (Stage(),))
    )


def asking(
    *stages: Stage,
    by: Actor = SERVICE,
    deadline: timedelta | None = None,
    deadline_at: datetime | None = None,
    membership: Membership | None = None,
    **spec: Any,
) -> Story:
    """An intent whose one step is an open task with these stages; by default, anyone who may approve is asked."""
    plan = gate(step(*stages, deadline=deadline, **spec))
    return Story(plan, by=by, deadline_at=deadline_at, membership=membership)


def review(*stages: Stage, **spec: Any) -> Story:
    """The same, with changes allowed as an answer."""
    return asking(*stages, type=TaskType.REVIEW, outcomes=REVIEW_WORDS, **spec)


def people(covers: dict[str, str] | None = None, **names: str) -> Membership:
    """A directory: people with their roles and teams (``ann="role:approver team:dba"``), and delegates."""
    held = {f"per_{who}": frozenset({f"per_{who}", *said.split()}) for who, said in names.items()}
    away = [
        AbsenceCover(f"per_{absent}", f"per_{stand_in}", FAR) for absent, stand_in in (covers or {}).items()
    ]
    return Membership(held, away)


def vote(
    who: str,
    *names: str,
    meaning: Meaning = Meaning.APPROVES,
    outcome: str = "",
    stage: int = 0,
    stead: str = "",
) -> Vote:
    """One answer, for these parties; if none are given, for the person's own id."""
    words = {
        Meaning.APPROVES: "approved",
        Meaning.REJECTS: "rejected",
        Meaning.REQUESTS_CHANGES: "changes_requested",
    }
    return Vote(
        who,
        outcome or words[meaning],
        meaning,
        stage,
        principal=stead,
        for_names=frozenset(names or (stead or who,)),
    )


def refusal(act: Callable[[], object]) -> Refused:
    """The refusal that the call raises."""
    with pytest.raises(Refused) as met:
        act()
    return met.value


def refused(story: Story, command: c.Command, by: Actor) -> Refused:
    """The refusal of a command; checks that it changed nothing."""
    before, count = story.intent, len(story.facts)
    met = refusal(lambda: story.do(command, by))
    assert story.intent is before
    assert len(story.facts) == count
    return met
