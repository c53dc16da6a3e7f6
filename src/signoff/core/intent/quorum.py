"""Counts whether enough people have approved. A stage needs N distinct people, from any of its approver entries or
from each.

An approver entry is a name: a person's id or address, ``team:NAME``, ``role:NAME``. Each person counts once, under
their names at the time of counting: a person who has left a team no longer counts for it. An absent person and their
delegate share one vote; the later answer counts. A person who was added by escalation may count for any one entry,
but does not lower any requirement. Somebody who voted and is no longer asked, because the stage was reassigned, counts
as one of N people, but for none of the entries that are asked now.

If several outcomes of a task mean approve, the quorum must agree on one of them. Every rejection counts, no matter
which outcome it has; the last one is the task's outcome.
"""

from collections.abc import Mapping, Sequence

import msgspec

from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.plan.task_types import Meaning, Stage, Vote

Names = Mapping[str, frozenset[str]]

_ADDED, _NO_LONGER_ASKED = object(), object()


def counts_toward_quorum(vote: Vote, names: Names | None) -> bool:
    """Whether a vote still counts. ``names``: the current names; None if they have not changed."""
    return may_still_decide(vote.person, voting_seat(vote), vote.for_names, names)


def may_still_decide(person: str, principal: str, for_names: frozenset[str], names: Names | None) -> bool:
    """Whether a person may decide on behalf of ``principal`` (possibly themselves) under the current names."""
    if names is None:
        return True
    voter = names.get(person)
    if voter is None or (principal != person and voter.isdisjoint(DECIDING_ROLES)):
        return False  # a delegate must also be able to decide
    # the names under which the vote was given, not all names: a vote for one team is not one for another
    return bool(for_names & names.get(principal, frozenset()))


def voting_seat(vote: Vote) -> str:
    """Whose vote it is: the voter's own, or the vote of the person for whom the voter is the delegate."""
    return vote.principal or vote.person


def tally(
    stage: Stage,
    at_stage: int,
    votes: tuple[Vote, ...],
    names: Names | None = None,
    latest: Vote | None = None,
) -> Vote | None:
    """The vote that decides this stage, or None while it is open. ``latest``: the vote that has just been given, by
    default the last one.

    Which votes count may have changed in the meantime (the stage was reassigned, somebody has rejoined their team), so
    earlier votes may be sufficient now although they did not decide before. Therefore a rejection or a request for
    changes is checked first, and only a new approval completes a quorum.
    """
    counted = [vote for vote in votes if vote.at_stage == at_stage and counts_toward_quorum(vote, names)]
    seats: dict[str, Vote] = {}
    for vote in counted:
        # one is enough: what the others are voting on is about to change
        if vote.meaning is Meaning.REQUESTS_CHANGES:
            return vote
        _take_seat(seats, vote)
    # by any outcome: people who reject for different reasons reject together
    rejections = [vote for vote in seats.values() if vote.meaning is Meaning.REJECTS]
    if len(rejections) >= stage.reject_after:
        return rejections[-1]
    # only the vote that was just given can complete the quorum; see the docstring
    last = latest if latest is not None else counted[-1] if counted else None
    if last not in counted or last.meaning is not Meaning.APPROVES:
        return None
    return last if _enough(stage, _approvals(seats, last.outcome)) else None


def passable(stage: Stage, votes: Sequence[Vote]) -> bool:
    """Whether these approvals, one per person, would pass the stage."""
    outcomes: dict[str, list[Vote]] = {}
    for vote in votes:
        outcomes.setdefault(vote.outcome, []).append(vote)
    return any(_enough(stage, _as_many_as_matter(stage, yes)) for yes in outcomes.values())


def _as_many_as_matter(stage: Stage, yes: list[Vote]) -> list[Vote]:
    """Keep only as many votes for each approver entry as the stage needs; one always remains for each entry."""
    if not stage.every:
        return yes
    # matching is quadratic in the votes, and a stage may have thousands of eligible people
    kept: dict[int, Vote] = {}
    # Of no single entry: people added by escalation, who count for any, and people who are no longer asked.
    room = dict.fromkeys((*stage.approvers, _ADDED, _NO_LONGER_ASKED), stage.votes_needed)
    for number, vote in enumerate(yes):
        entries = (
            (_ADDED,)
            if _is_added(stage, vote)
            else vote.for_names.intersection(stage.approvers) or (_NO_LONGER_ASKED,)
        )
        for entry in entries:
            if room[entry] > 0:
                room[entry] -= 1
                kept[number] = vote
    return list(kept.values())


class Count(msgspec.Struct, frozen=True):
    """The progress of an open stage. ``missing``: the minimum number of people still needed, 0 if its votes would
    pass it; ``rejections``: how many rejections count.
    """

    missing: int
    rejections: int


def count(
    stage: Stage, at_stage: int, votes: tuple[Vote, ...], names: Names | None, outcome: str = ""
) -> Count:
    """The progress of this stage towards ``outcome``, by default the leading one. Votes count as in ``tally``."""
    seats: dict[str, Vote] = {}
    for vote in votes:
        if vote.at_stage == at_stage and counts_toward_quorum(vote, names):
            _take_seat(seats, vote)
    # the quorum must agree on one outcome, so each is counted on its own
    words = {vote.outcome for vote in seats.values() if vote.meaning is Meaning.APPROVES}
    missing = min(
        _missing(stage, _approvals(seats, word)) for word in ({outcome} if outcome else words or {""})
    )
    return Count(missing, sum(vote.meaning is Meaning.REJECTS for vote in seats.values()))


def _take_seat(seats: dict[str, Vote], vote: Vote) -> None:
    """Record a vote for its seat. A later vote replaces the seat's earlier one and moves to the end."""
    # moved to the end, because the last rejection names the task's outcome
    seats.pop(voting_seat(vote), None)
    seats[voting_seat(vote)] = vote


def _approvals(seats: dict[str, Vote], outcome: str) -> list[Vote]:
    return [vote for vote in seats.values() if vote.meaning is Meaning.APPROVES and vote.outcome == outcome]


def _missing(stage: Stage, yes: list[Vote]) -> int:
    people = max(0, stage.votes_needed - len(yes))
    return max(people, len(stage.approvers) - _entries_with_a_vote(stage, yes)) if stage.every else people


def _enough(stage: Stage, yes: list[Vote]) -> bool:
    return _missing(stage, yes) == 0


def _is_added(stage: Stage, vote: Vote) -> bool:
    return not stage.added.isdisjoint(vote.for_names.difference(stage.approvers))


def _entries_with_a_vote(stage: Stage, yes: list[Vote]) -> int:
    """How many approver entries can be matched with a different person each (bipartite matching with augmenting
    paths).
    """
    chosen: dict[str, str] = {}

    def place(entry: str, tried: set[str]) -> bool:
        for vote in yes:
            # whom escalation has added counts for any one entry
            if vote.person in tried or not (entry in vote.for_names or _is_added(stage, vote)):
                continue
            tried.add(vote.person)
            # Giving each entry the first person found would fail where one person could fill two entries.
            if vote.person not in chosen or place(chosen[vote.person], tried):
                chosen[vote.person] = entry
                return True
        return False

    return sum(place(entry, set()) for entry in stage.approvers)
