"""When have enough people said yes? A stage asks for N distinct natural persons, of any of its parties or of each.

A party is a name: a person's id or address, ``team:NAME``, ``role:NAME``. Each person counts once, for what they
are called at the moment of counting: who has left a team meanwhile does not count for it any more.
"""

from collections.abc import Mapping

from signoff.core.tasks import Sign, Stage, Vote

Names = Mapping[str, frozenset[str]]


def counts(vote: Vote, names: Names | None) -> bool:
    """Whether a vote still counts; ``names`` None means that nothing is known to have changed."""
    return names is None or bool(vote.for_names & names.get(vote.principal or vote.person, frozenset()))


def tally(stage: Stage, at_stage: int, votes: tuple[Vote, ...], names: Names | None = None) -> Vote | None:
    """The vote that decides this stage, or None while it is open."""
    yes: dict[str, Vote] = {}
    no: set[str] = set()
    for vote in votes:
        if vote.at_stage != at_stage or not counts(vote, names):
            continue
        if vote.sign is Sign.CHANGES:
            return vote
        if vote.sign is Sign.POSITIVE:
            yes[vote.person] = vote
        else:
            no.add(vote.person)
        if len(no) >= stage.reject_after or _enough(stage, list(yes.values())):
            return vote
    return None


def missing(stage: Stage, at_stage: int, votes: tuple[Vote, ...]) -> int:
    """How many more persons this stage needs at least."""
    yes = {vote.person for vote in votes if vote.at_stage == at_stage and vote.sign is Sign.POSITIVE}
    return max(0, needed(stage) - len(yes))


def needed(stage: Stage) -> int:
    return max(stage.need, len(stage.approvers)) if stage.every else stage.need


def _enough(stage: Stage, yes: list[Vote]) -> bool:
    if len(yes) < needed(stage):
        return False
    return not stage.every or _covered(stage.approvers, yes)


def _covered(parties: tuple[str, ...], yes: list[Vote]) -> bool:
    """Whether every party can be given a person of its own (a matching, grown by augmenting paths)."""
    chosen: dict[str, str] = {}

    def place(party: str, tried: set[str]) -> bool:
        for vote in yes:
            if party not in vote.for_names or vote.person in tried:
                continue
            tried.add(vote.person)
            if vote.person not in chosen or place(chosen[vote.person], tried):
                chosen[vote.person] = party
                return True
        return False

    return all(place(party, set()) for party in parties)
