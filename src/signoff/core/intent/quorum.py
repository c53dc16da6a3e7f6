"""Whether enough people have approved. A stage asks for N distinct people, of any of its approver entries or of
each.

An approver entry is a name: a person's id or address, ``team:NAME``, ``role:NAME``. Each person counts once, under
their names at the time of counting: a person who has left a team no longer counts for it. An absent person and their
delegate share one vote; the later answer counts. A person added by escalation may take the place of any one entry, and
lowers no requirement.

If several outcomes of a task mean approve, the quorum must agree on one of them. Every rejection counts, whatever its
outcome; the last one is the task's outcome.
"""

from collections.abc import Mapping, Sequence

import msgspec

from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.plan.task_types import Meaning, Stage, Vote

Names = Mapping[str, frozenset[str]]


def counts_toward_quorum(vote: Vote, names: Names | None) -> bool:
    """Whether a vote still counts; ``names`` None means that nothing is known to have changed."""
    return has_say(vote.person, voting_seat(vote), vote.for_names, names)


def has_say(person: str, principal: str, for_names: frozenset[str], names: Names | None) -> bool:
    """Whether a person decides on behalf of ``principal`` (possibly themselves) under the current names."""
    if names is None:
        return True
    voter = names.get(person)
    if voter is None or (principal != person and voter.isdisjoint(DECIDING_ROLES)):
        return False  # a delegate must be able to decide
    return bool(for_names & names.get(principal, frozenset()))


def voting_seat(vote: Vote) -> str:
    """Whose vote it is: the voter's own, or that of the person for whom the voter is the delegate."""
    return vote.principal or vote.person


def tally(
    stage: Stage,
    at_stage: int,
    votes: tuple[Vote, ...],
    names: Names | None = None,
    given: Vote | None = None,
) -> Vote | None:
    """The vote that decides this stage, or None while it is open. ``given``: the vote that was just given, by default
    the last one.

    Which votes count may have changed since (the stage was reassigned, somebody is in their team again), so the
    earlier votes may suffice now without having decided. Therefore a rejection and a request for changes come first,
    and only an approval completes a quorum.
    """
    counted = [vote for vote in votes if vote.at_stage == at_stage and counts_toward_quorum(vote, names)]
    seats: dict[str, Vote] = {}
    for vote in counted:
        if vote.meaning is Meaning.REQUESTS_CHANGES:
            return vote
        _take_seat(seats, vote)
    rejections = [vote for vote in seats.values() if vote.meaning is Meaning.REJECTS]
    if len(rejections) >= stage.reject_after:
        return rejections[-1]
    last = given if given is not None else counted[-1] if counted else None
    if last not in counted or last.meaning is not Meaning.APPROVES:
        return None
    return last if _enough(stage, _approvals(seats, last.outcome)) else None


def passable(stage: Stage, votes: Sequence[Vote]) -> bool:
    """Whether these approvals, one per person, would pass the stage: ``tally`` of them, in one look."""
    outcomes: dict[str, list[Vote]] = {}
    for vote in votes:
        outcomes.setdefault(vote.outcome, []).append(vote)
    return any(_enough(stage, _as_many_as_matter(stage, yes)) for yes in outcomes.values())


def _as_many_as_matter(stage: Stage, yes: list[Vote]) -> list[Vote]:
    """Keeps as many votes for each approver entry as the stage needs, so that one always remains for the entry."""
    if not stage.every:
        return yes
    kept: dict[int, Vote] = {}
    # None: added by escalation, for any of them.
    room = dict.fromkeys((*stage.approvers, None), stage.votes_needed)
    for number, vote in enumerate(yes):
        added = not vote.for_names.issubset(stage.approvers)
        for entry in (None,) if added else vote.for_names:
            if room[entry] > 0:
                room[entry] -= 1
                kept[number] = vote
    return list(kept.values())


class Count(msgspec.Struct, frozen=True):
    """How far an open stage is: persons still ``missing`` at least (0 where its votes would pass it), and the
    ``rejections`` that count.
    """

    missing: int
    rejections: int


def count(
    stage: Stage, at_stage: int, votes: tuple[Vote, ...], names: Names | None, outcome: str = ""
) -> Count:
    """How far this stage is towards ``outcome``, by default the leading one. Counts as ``tally`` does."""
    seats: dict[str, Vote] = {}
    for vote in votes:
        if vote.at_stage == at_stage and counts_toward_quorum(vote, names):
            _take_seat(seats, vote)
    words = {vote.outcome for vote in seats.values() if vote.meaning is Meaning.APPROVES}
    missing = min(
        _missing(stage, _approvals(seats, word)) for word in ({outcome} if outcome else words or {""})
    )
    return Count(missing, sum(vote.meaning is Meaning.REJECTS for vote in seats.values()))


def _take_seat(seats: dict[str, Vote], vote: Vote) -> None:
    """The later vote of a seat is the seat's, and the last of all."""
    seats.pop(voting_seat(vote), None)
    seats[voting_seat(vote)] = vote


def _approvals(seats: dict[str, Vote], outcome: str) -> list[Vote]:
    return [vote for vote in seats.values() if vote.meaning is Meaning.APPROVES and vote.outcome == outcome]


def _missing(stage: Stage, yes: list[Vote]) -> int:
    return 0 if _enough(stage, yes) else max(1, stage.votes_needed - len(yes))


def _enough(stage: Stage, yes: list[Vote]) -> bool:
    if len(yes) < stage.votes_needed:
        return False
    return not stage.every or _covered(stage.approvers, yes)


def _covered(parties: tuple[str, ...], yes: list[Vote]) -> bool:
    """Whether every approver entry can be matched with a different person (bipartite matching with augmenting
    paths).
    """
    chosen: dict[str, str] = {}

    def place(party: str, tried: set[str]) -> bool:
        for vote in yes:
            added = not vote.for_names.issubset(parties)
            if vote.person in tried or not (added or party in vote.for_names):
                continue
            tried.add(vote.person)
            if vote.person not in chosen or place(chosen[vote.person], tried):
                chosen[vote.person] = party
                return True
        return False

    return all(place(party, set()) for party in parties)
