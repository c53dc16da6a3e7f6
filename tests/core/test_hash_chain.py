"""A complete history verifies, and every change to one is found."""

from hypothesis import given
from hypothesis import strategies as st

from signoff.core.intent import commands as c
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import link, unseal, verify
from tests.builders import ANN, Story


def finished() -> Story:
    story = Story().validated()
    story.do(c.Answer("approved", comment="fine by me"), ANN)
    return story


STORY = finished()


def check(rows: list[tuple[int, bytes, bytes | None, str]]) -> int | None:
    broken = verify(rows, STORY.intent.seq, STORY.intent.head, STORY.intent.id)
    return broken.seq if broken else None


def test_complete_history_verifies_and_folds_to_the_row() -> None:
    from msgspec.structs import replace

    assert check(STORY.rows) is None
    folded = fold((unseal(body, private) for _, body, private, _ in STORY.rows), STORY.plan)
    assert replace(folded, head=STORY.intent.head) == STORY.intent


@given(st.data())
def test_changed_byte_names_its_event(data: st.DataObject) -> None:
    rows = STORY.rows
    index = data.draw(st.integers(0, len(rows) - 1))
    seq, body, private, link = rows[index]
    place = data.draw(st.integers(0, len(body) - 1))
    changed = bytes([body[place] ^ data.draw(st.integers(1, 255))])
    rows[index] = (seq, body[:place] + changed + body[place + 1 :], private, link)
    assert check(rows) == seq


def test_missing_added_and_swapped_events_are_detected() -> None:
    rows = STORY.rows
    assert check(rows[:2] + rows[3:]) == 3
    assert check(rows[:-1]) == len(rows)
    assert check([*rows, rows[-1]]) == len(rows) + 1
    assert check([rows[0], rows[2], rows[1], *rows[3:]]) == 2


def test_erased_comment_keeps_the_chain_valid_and_a_changed_one_breaks_it() -> None:
    index = next(i for i, row in enumerate(STORY.rows) if row[2])
    rows = STORY.rows
    seq, body, private, link = rows[index]
    assert private is not None
    assert b"fine by me" not in body
    rows[index] = (seq, body, None, link)
    assert check(rows) is None
    rows[index] = (seq, body, private.replace(b"fine", b"nope"), link)
    assert check(rows) == seq


def first_row(body: bytes) -> str:
    """The findings for a history whose one event has this body, with a correct hash."""
    broken = verify([(1, body, None, link("", body))], 1, link("", body), STORY.intent.id)
    return broken.problem if broken else ""


def test_hashed_body_that_is_not_the_event_of_its_place_is_detected() -> None:
    whole = STORY.rows[0][1]
    assert first_row(whole) == ""
    assert first_row(b"{") == "its body cannot be read"
    assert first_row(STORY.rows[1][1]) == "its body belongs to another position"
    assert (
        first_row(finished().rows[0][1].replace(STORY.intent.id.encode(), b"other"))
        == "its body belongs to another position"
    )
    assert first_row(whole.replace(b"{", b"{ ", 1)) == "its body is not in the canonical encoding"


def test_row_that_differs_from_its_history_is_detected() -> None:
    short = verify(STORY.rows, STORY.intent.seq + 1, STORY.intent.head, STORY.intent.id)
    assert short is not None
    assert "the history" in short.problem
    headless = verify(STORY.rows, STORY.intent.seq, "0" * 64, STORY.intent.id)
    assert headless is not None
    assert (headless.seq, "head" in headless.problem) == (STORY.intent.seq, True)
