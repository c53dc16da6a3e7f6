"""Whether enough people have approved. A stage asks for N distinct people, of any of its approver entries or of
each.

An approver entry is a name: a person's id or address, ``team:NAME``, ``role:NAME``. Each person counts once, under
their names at the time of counting: a person who has left a team no longer counts for it. An absent person and their
delegate share one vote; the later answer counts. A person added by escalation may take the place of any one entry, and
lowers no requirement.

If several outcomes of a task mean approve, the quorum must agree on one of them. Every rejection counts, whatever its
outcome; the last one is the task's outcome.
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
    """Whether a person decides on behalf of ``principal`` (possibly themselves) under the current names."""
    if names is None:
        return True
    voter = names.get(person)
    if voter is None or (principal != person and voter.isdisjoint(DECIDING_ROLES)):
        return False  # whoever decides for others must be able to decide
    return bool(for_names & names.get(principal, frozenset()))


def voting_seat(vote: Vote) -> str:
    """Whose vote it is: the voter's own, or that of the person for whom the voter is the delegate."""
    return vote.principal or vote.person


def tally(stage: Stage, at_stage: int, votes: tuple[Vote, ...], names: Names | None = None) -> Vote | None:
    """The vote that decides this stage, or None while it is undecided."""
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
    """How many more people this stage needs at least for this outcome; without one, for the leading one."""
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
