"""When have enough people said yes? A stage asks for N distinct natural persons, of any of its parties or of each.

A party is a name: a person's id or address, ``team:NAME``, ``role:NAME``. Each person counts once, for what they
are called at the moment of counting: who has left a team meanwhile does not count for it any more. Somebody absent
and whoever stands in for them are two people on one seat: the later answer of the two is the seat's. Somebody whom the
ladder has added may take the place of any one party, and lowers nothing.

Where a task has several outcomes that mean yes, only a quorum for one and the same passes: two people who want
different things have not agreed. Every no counts, whatever its word; the last of them is the outcome.
"""

from collections import Counter
from collections.abc import Mapping

from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.plan.task_types import Meaning, Stage, Vote

Names = Mapping[str, frozenset[str]]


def counts_toward_quorum(vote: Vote, names: Names | None) -> bool:
    """Whether a vote still counts; ``names`` None means that nothing is known to have changed."""
    return has_say(vote.person, voting_seat(vote), vote.for_names, names)


def has_say(person: str, principal: str, for_names: frozenset[str], names: Names | None) -> bool:
    """Whether a person decides for what ``principal``, who may be they themselves, is called now."""
    if names is None:
        return True
    voter = names.get(person)
    if voter is None or (principal != person and voter.isdisjoint(DECIDING_ROLES)):
        return False  # whoever decides for others must be able to decide
    return bool(for_names & names.get(principal, frozenset()))


def voting_seat(vote: Vote) -> str:
    """Whose say a vote is: the voter's own, or that of the person whom the voter stands in for."""
    return vote.principal or vote.person


def tally(stage: Stage, at_stage: int, votes: tuple[Vote, ...], names: Names | None = None) -> Vote | None:
    """The vote that decides this stage, or None while it is open."""
    yes: dict[str, Vote] = {}
    no: dict[str, Vote] = {}
    for vote in votes:
        if vote.at_stage != at_stage or not counts_toward_quorum(vote, names):
            continue
        if vote.meaning is Meaning.REQUESTS_CHANGES:
            return vote
        for held in (yes, no):
            held.pop(voting_seat(vote), None)
        (yes if vote.meaning is Meaning.APPROVES else no)[voting_seat(vote)] = vote
        same = [one for one in yes.values() if one.outcome == vote.outcome]
        if len(no) >= stage.reject_after or _enough(stage, same):
            return vote
    return None


def missing(stage: Stage, at_stage: int, votes: tuple[Vote, ...], outcome: str = "") -> int:
    """How many more persons this stage needs at least for this outcome; without one, for the one ahead."""
    said = {
        voting_seat(vote): vote.outcome
        for vote in votes
        if vote.at_stage == at_stage and vote.meaning is Meaning.APPROVES
    }
    chosen = Counter(said.values())
    return max(0, stage.votes_needed - (chosen[outcome] if outcome else max(chosen.values(), default=0)))


def _enough(stage: Stage, yes: list[Vote]) -> bool:
    if len(yes) < stage.votes_needed:
        return False
    return not stage.every or _covered(stage.approvers, yes)


def _covered(parties: tuple[str, ...], yes: list[Vote]) -> bool:
    """Whether every party can be given a person of its own (a matching, grown by augmenting paths)."""
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
