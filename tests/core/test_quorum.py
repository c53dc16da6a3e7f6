"""When enough people have approved or rejected: counted by persons, seats and parties."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from signoff.core.intent.quorum import count, counts_toward_quorum, passable, tally, voting_seat
from signoff.core.plan.task_types import Meaning, Stage
from tests.core.asking import vote

TWO = Stage(("team:dba",), need=2)
EACH = Stage(("team:dba", "team:sec"), every=True)
NO = Meaning.REJECTS


def test_vote_that_completes_the_quorum_decides() -> None:
    first, second = vote("ann", "team:dba"), vote("bob", "team:dba")
    assert tally(TWO, 0, ()) is None
    assert tally(TWO, 0, (first,)) is None
    assert tally(TWO, 0, (first, second)) is second


def test_repeated_votes_of_one_person_count_once() -> None:
    assert tally(TWO, 0, (vote("ann", "team:dba"), vote("ann", "team:dba"))) is None


def test_last_vote_of_a_person_replaces_the_earlier_ones() -> None:
    yes, no = vote("ann", "team:dba"), vote("ann", "team:dba", meaning=NO)
    tolerant = Stage(("team:dba",), need=2, reject_after=2)
    assert tally(tolerant, 0, (yes, no, vote("bob", "team:dba"))) is None
    assert tally(tolerant, 0, (no, yes, vote("bob", "team:dba", meaning=NO))) is None
    last = vote("cem", "team:dba")
    assert tally(tolerant, 0, (no, yes, last)) is last


def test_stage_ends_at_its_number_of_rejections() -> None:
    first, second = vote("ann", meaning=NO), vote("bob", meaning=NO, outcome="declined")
    patient = Stage(need=3, reject_after=2)
    assert tally(patient, 0, (first,)) is None
    assert tally(patient, 0, (first, second)) is second
    assert tally(Stage(need=3), 0, (first,)) is first


def test_request_for_changes_decides_at_once() -> None:
    changes = vote("bob", meaning=Meaning.REQUESTS_CHANGES)
    assert tally(Stage(need=5, reject_after=5), 0, (vote("ann"), changes, vote("cem"))) is changes


def test_votes_of_another_stage_do_not_count() -> None:
    before, here = vote("ann", stage=0), vote("bob", stage=1)
    assert tally(Stage(), 1, (before,)) is None
    assert tally(Stage(), 1, (before, here)) is here
    assert tally(Stage(need=2), 1, (before, here)) is None


def test_different_outcomes_do_not_form_a_quorum() -> None:
    blue, green, more = vote("ann", outcome="blue"), vote("bob", outcome="green"), vote("cem", outcome="blue")
    assert tally(Stage(need=2), 0, (blue, green)) is None
    assert tally(Stage(need=2), 0, (blue, green, more)) is more


def test_every_rejecting_outcome_counts_as_a_rejection() -> None:
    last = vote("bob", meaning=NO, outcome="later")
    assert tally(Stage(reject_after=2, need=3), 0, (vote("ann", meaning=NO, outcome="never"), last)) is last


# -- seats


def test_person_and_delegate_share_one_seat_and_the_later_answer_counts() -> None:
    own, stead = vote("ann", "team:dba"), vote("sue", "team:dba", stead="ann")
    assert (voting_seat(own), voting_seat(stead)) == ("ann", "ann")
    assert tally(TWO, 0, (own, stead)) is None
    other = vote("bob", "team:dba")
    assert tally(TWO, 0, (own, stead, other)) is other
    assert (
        tally(Stage(need=2, reject_after=2), 0, (own, vote("sue", stead="ann", meaning=NO), vote("bob")))
        is None
    )


# -- who still counts


def test_every_vote_counts_if_the_directory_is_unknown() -> None:
    assert counts_toward_quorum(vote("ann", "team:dba"), None)


def test_vote_counts_while_its_person_still_has_the_entry() -> None:
    given = vote("ann", "team:dba")
    assert counts_toward_quorum(given, {"ann": frozenset({"team:dba", "role:member"})})
    assert not counts_toward_quorum(given, {"ann": frozenset({"role:approver"})})
    assert not counts_toward_quorum(given, {"bob": frozenset({"team:dba"})})


def test_delegates_vote_counts_while_both_people_are_eligible() -> None:
    stead = vote("sue", "team:dba", stead="ann")
    asked, approver = frozenset({"team:dba"}), frozenset({"role:approver"})
    assert counts_toward_quorum(stead, {"sue": approver, "ann": asked})
    assert not counts_toward_quorum(stead, {"sue": frozenset({"role:member"}), "ann": asked})
    assert not counts_toward_quorum(stead, {"sue": approver, "ann": frozenset({"team:sec"})})
    assert not counts_toward_quorum(stead, {"sue": approver})
    assert not counts_toward_quorum(stead, {"ann": asked})


def test_vote_by_a_named_entry_needs_no_approving_role() -> None:
    assert counts_toward_quorum(vote("ann", "team:dba"), {"ann": frozenset({"team:dba"})})


def test_vote_that_no_longer_counts_decides_nothing() -> None:
    gone, here = vote("ann", "team:dba"), vote("bob", "team:dba")
    names = {"bob": frozenset({"team:dba"})}
    assert tally(TWO, 0, (gone, here), names) is None
    last = vote("cem", "team:dba")
    assert tally(TWO, 0, (gone, here, last), names | {"cem": frozenset({"team:dba"})}) is last


def test_rejection_counts_although_earlier_votes_now_suffice() -> None:
    """They did not when they were given: the approver entries were others, or a person was not in the team."""
    first, second = vote("ann", "team:dba"), vote("bob", "team:dba")
    no = vote("cem", "team:dba", meaning=NO)
    assert tally(TWO, 0, (first, second, no)) is no
    changes = vote("cem", "team:dba", meaning=Meaning.REQUESTS_CHANGES)
    assert tally(TWO, 0, (first, second, changes)) is changes
    patient = Stage(("team:dba",), need=2, reject_after=2)
    assert tally(patient, 0, (first, second, no)) is None, (
        "and it completes nothing, if it does not end the stage"
    )
    last = vote("dan", "team:dba")
    assert tally(patient, 0, (first, second, no, last)) is last
    assert tally(patient, 0, (first, second, no), None, first) is first, "the same approval again"


# -- one of each party


def test_each_entry_needs_its_own_person() -> None:
    both = vote("ann", "team:dba", "team:sec")
    assert tally(EACH, 0, (both,)) is None
    assert tally(EACH, 0, (vote("ann", "team:dba"), vote("bob", "team:dba"))) is None
    last = vote("bob", "team:sec")
    assert tally(EACH, 0, (vote("ann", "team:dba"), last)) is last


def test_person_with_two_entries_counts_for_the_one_that_completes_the_stage() -> None:
    both, one = vote("ann", "team:dba", "team:sec"), vote("bob", "team:dba")
    assert tally(EACH, 0, (both, one)) is one
    assert tally(EACH, 0, (one, both)) is both


def test_matching_of_three_entries_reassigns_two_people() -> None:
    stage = Stage(("a", "b", "c"), every=True)
    votes = (vote("p", "a", "b"), vote("q", "b", "c"), vote("r", "a"))
    assert tally(stage, 0, votes) is votes[-1]
    short = (vote("p", "a"), vote("q", "a"), vote("r", "a", "b", "c"))
    assert tally(stage, 0, short) is None


def test_person_added_by_escalation_counts_for_any_entry() -> None:
    own, added = vote("ann", "team:sec"), vote("eve", "role:owner")
    escalated = replace(EACH, added=frozenset({"role:owner"}))
    assert tally(escalated, 0, (own, added)) is added
    assert tally(escalated, 0, (added,)) is None
    assert tally(escalated, 0, (vote("ann", "team:dba"), vote("bob", "team:dba"), added)) is added


def test_former_approver_counts_as_a_person_but_for_no_entry() -> None:
    former, sec, dba = vote("ann", "per_ann"), vote("emma", "team:sec"), vote("bob", "team:dba")
    assert tally(EACH, 0, (former, sec)) is None
    assert count(EACH, 0, (former,), None).missing == 2
    assert count(EACH, 0, (former, sec), None).missing == 1
    assert tally(EACH, 0, (former, sec, dba)) is dba
    assert tally(replace(EACH, need=3), 0, (former, sec, dba)) is dba
    assert tally(replace(EACH, need=3), 0, (sec, dba)) is None
    assert tally(replace(EACH, every=False, need=2), 0, (former, sec)) is sec


def test_many_former_approvers_do_not_hide_a_person_added_by_escalation() -> None:
    escalated = replace(EACH, added=frozenset({"role:owner"}))
    former = [vote(f"f{number}", "per_f") for number in range(5)]
    assert passable(escalated, [*former, vote("eve", "role:owner"), vote("bob", "team:dba")])
    assert not passable(escalated, [*former, vote("bob", "team:dba")])


# -- how many are missing


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        (Stage(), 1),
        (Stage(need=3), 3),
        (Stage(("a", "b", "c"), need=1), 1),
        (Stage(("a", "b", "c"), need=1, every=True), 3),
        (Stage(("a", "b"), need=3, every=True), 3),
    ],
)
def test_stage_needs_its_number_or_one_person_of_each_entry(stage: Stage, number: int) -> None:
    assert stage.votes_needed == number
    assert count(stage, 0, (), None).missing == number


def test_missing_votes_are_counted_for_the_leading_or_given_outcome() -> None:
    stage = Stage(need=3)
    votes = (
        vote("a", outcome="blue"),
        vote("b", outcome="blue"),
        vote("c", outcome="green"),
        vote("d", meaning=NO),
    )
    assert count(stage, 0, votes, None).missing == 1
    assert count(stage, 0, votes, None, "blue").missing == 1
    assert count(stage, 0, votes, None, "green").missing == 2
    assert count(stage, 0, votes, None, "red").missing == 3
    assert count(stage, 1, votes, None).missing == 3
    assert count(stage, 0, (*votes, vote("e", outcome="blue"), vote("f", outcome="blue")), None).missing == 0
    assert count(stage, 0, (vote("a"), vote("sue", stead="a")), None).missing == 2


def test_vote_that_no_longer_counts_is_missing_again() -> None:
    votes = (vote("ann", "team:dba"), vote("bob", "team:dba"))
    assert count(TWO, 0, votes, {"ann": frozenset({"team:dba"}), "bob": frozenset({"team:dba"})}).missing == 0
    assert count(TWO, 0, votes, {"ann": frozenset({"team:dba"}), "bob": frozenset()}).missing == 1


def test_person_who_changes_their_vote_is_counted_once() -> None:
    told = (vote("ann", "team:dba"), vote("ann", "team:dba", meaning=NO))
    assert (count(TWO, 0, told, None).missing, count(TWO, 0, told, None).rejections) == (2, 1)
    assert count(TWO, 0, told[::-1], None).missing == 1


def test_two_people_of_one_entry_leave_the_other_entry_missing() -> None:
    assert count(EACH, 0, (vote("ann", "team:dba"), vote("bob", "team:dba")), None).missing == 1


@given(st.lists(st.sampled_from([*"abc"]), max_size=6), st.lists(st.sampled_from(["yes", "no"]), max_size=6))
def test_no_vote_is_missing_only_if_the_stage_passes(people: list[str], words: list[str]) -> None:
    stage = Stage(need=2, reject_after=9)
    votes = tuple(
        vote(who, outcome=word, meaning=NO if word == "no" else Meaning.APPROVES)
        for who, word in zip(people, words, strict=False)
    )
    # a stage that has passed takes no further vote
    assume(all(tally(stage, 0, votes[:n]) is None for n in range(len(votes))))
    assert (count(stage, 0, votes, None, "yes").missing == 0) <= (tally(stage, 0, votes) is not None)
    if tally(stage, 0, votes) is None:
        assert count(stage, 0, votes, None, "yes").missing > 0


ENTRIES = st.sets(st.sampled_from(["a", "b", "c", "added", "former"]), min_size=1, max_size=3)


@given(
    st.lists(ENTRIES, max_size=9),
    st.integers(1, 5),
    st.booleans(),
    st.lists(st.sampled_from("xy"), max_size=9),
)
def test_passable_agrees_with_the_tally(
    held: list[set[str]], need: int, every: bool, words: list[str]
) -> None:
    """Asked at once of very many, and only of as many as matter."""
    stage = Stage(("a", "b", "c"), need=need, every=every, added=frozenset({"added"}))
    votes = [
        vote(f"p{number}", *sorted(entries), outcome=word)
        for number, (entries, word) in enumerate(zip(held, [*words, *"x" * 9], strict=False))
    ]
    # whichever of them came last: only the vote just given can complete a quorum
    assert passable(stage, votes) == any(tally(stage, 0, tuple(votes), None, given) for given in votes)
