"""How a person viewed a task is personal data of their answer: outside the hashed body, so erasable."""

from datetime import timedelta

from msgspec.structs import replace

from signoff.core.intent import commands as c
from signoff.core.intent.events import Viewed
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal, verify
from signoff.core.plan.task_types import Stage
from tests.builders import ANN, OTTO, START
from tests.core.asking import asking

SEEN = Viewed(START - timedelta(minutes=3), START, ("web",), "opened")


def test_viewing_data_is_stored_beside_the_body_and_changes_no_vote() -> None:
    story = asking()
    [answered, *_] = story.do(c.Answer("approved", viewed=SEEN), ANN).facts
    assert answered.private is not None
    assert b"opened" not in answered.body
    fact = unseal(answered.body, answered.private)
    assert fact.note is not None
    assert (fact.note.viewed, fact.note.comment) == (SEEN, "")
    assert verify(story.rows, story.intent.seq, story.intent.head, story.intent.id) is None
    assert (
        replace(fold((sealed.fact for sealed in story.facts), story.plan), head=story.intent.head)
        == story.intent
    )


def test_same_answer_with_other_viewing_data_is_the_same_vote() -> None:
    story = asking(Stage(need=2))
    story.do(c.Answer("approved", viewed=SEEN), ANN)
    assert story.task.votes[0].comment is None
    assert story.do(c.Answer("approved"), ANN).facts == []
    story.do(c.Answer("approved", comment="fine", viewed=SEEN), OTTO)
    assert story.facts[-3].fact.note is not None
    assert story.facts[-3].fact.note.comment == "fine"


def test_chain_verifies_after_viewing_data_is_erased() -> None:
    story = asking()
    story.do(c.Answer("approved", viewed=SEEN), ANN)
    rows = [(seq, body, None, link) for seq, body, _, link in story.rows]
    assert verify(rows, story.intent.seq, story.intent.head, story.intent.id) is None
