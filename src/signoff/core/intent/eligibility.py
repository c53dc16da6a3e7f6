"""Who may decide is pinned when a task opens: the members of every party that its stages and its ladder name, and who
may stand in for them. What the directory says later takes people away and never adds any.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from signoff.core.directory.roles import ADMIN, DECIDING_ROLES, OWNER
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.model import Intent
from signoff.core.plan.task_types import TaskSpec

Roster = dict[str, tuple[str, ...]]
StandIns = dict[str, tuple[str, ...]]

RUNNING_PARTIES: Final = frozenset({f"role:{OWNER}", f"role:{ADMIN}"})
_KEPT: Final = 256  # rosters; a request may name whom it likes


class AbsenceCover(NamedTuple):
    """``delegate`` stands in for ``absent`` until ``end``, in an absence that has begun or is planned."""

    absent: str
    delegate: str
    end: datetime


class Membership:
    """The directory as the rules see it: what each active person may be called, and who is named to stand in for whom.

    ``self_approval``: whether the workspace lets the requester's side decide.
    """

    def __init__(
        self,
        active_people: Mapping[str, frozenset[str]],
        covers: Iterable[AbsenceCover] = (),
        self_approval: bool = False,
    ) -> None:
        self.active_people = active_people
        self.self_approval = self_approval
        # only who could decide on their own account stands in for others
        self._covers = [
            one
            for one in covers
            if not active_people.get(one.delegate, frozenset()).isdisjoint(DECIDING_ROLES)
        ]
        self._members: dict[str, tuple[str, ...]] | None = None
        self._rosters: dict[tuple[str, ...], Roster] = {}

    def members(self, party: str) -> tuple[str, ...]:
        """Ids of the active people whom a party means, in order."""
        if self._members is None:
            found: dict[str, list[str]] = {}
            for person in sorted(self.active_people):
                for name in self.active_people[person]:
                    found.setdefault(name, []).append(person)
            self._members = {name: tuple(people) for name, people in found.items()}
        return self._members.get(party, ())

    def roster(self, names: Collection[str]) -> Roster:
        """Who each of these names means now; nobody, where it is the name of somebody who is not active."""
        key = tuple(sorted(set(names)))
        held = self._rosters.get(key)
        if held is None:
            if len(self._rosters) >= _KEPT:
                self._rosters.clear()
            held = self._rosters[key] = {name: self.members(name) for name in key}
        return held

    def stand_ins(self, names: Collection[str], at: datetime) -> StandIns:
        """Who may stand in, by whom they may stand in for: of those whom the names mean, absences that are not over."""
        if not self._covers:
            return {}
        wanted = frozenset(names)
        found: dict[str, set[str]] = {}
        for one in self._covers:
            if one.end > at and not self.active_people.get(one.absent, frozenset()).isdisjoint(wanted):
                found.setdefault(one.absent, set()).add(one.delegate)
        return {absent: tuple(sorted(found[absent])) for absent in sorted(found)}


def named(spec: TaskSpec) -> frozenset[str]:
    """Every party that a task may ask: of all its stages and of its ladder."""
    names = {name for stage in spec.stages for name in stage.approvers or DECIDING_ROLES}
    return frozenset(names.union(*(rung.to for rung in spec.escalate)))


class PinnedEligibility(NamedTuple):
    """How eligibility at the opening differs from what the plan and the request had pinned: see ``TaskOpened``."""

    joined: Roster
    left: Roster
    stand_ins: StandIns | None


NOTHING: Final = PinnedEligibility({}, {}, None)


def pin(intent: Intent, spec: TaskSpec, now: Membership, at: datetime) -> PinnedEligibility:
    """What is pinned when the task opens. Where somebody on the requester's side runs the workspace, nobody counts who
    came after the request: whoever asks does not choose who decides.
    """
    names = named(spec)
    stand_ins = now.stand_ins(names, at)
    known = intent.stand_ins
    runs = any(
        not now.active_people.get(person, frozenset()).isdisjoint(RUNNING_PARTIES)
        for person in requesters_side(intent)
    )
    if runs and known is not None:
        both = {
            absent: tuple(one for one in given if one in known.get(absent, ()))
            for absent, given in stand_ins.items()
        }
        stand_ins = {absent: given for absent, given in both.items() if given}
    joined, left = _changes(spec.roster, now.roster(names), runs)
    return PinnedEligibility(joined, left, None if stand_ins == known else stand_ins)


def _changes(before: Roster, after: Roster, runs: bool) -> tuple[Roster, Roster]:
    if before == after:
        return {}, {}
    joined: Roster = {}
    left: Roster = {}
    for name, people in after.items():
        known = before.get(name)
        if known is None:
            joined[name] = people
        elif known != people:
            more, fewer = _without(people, known), _without(known, people)
            if more and not runs:
                joined[name] = more
            if fewer:
                left[name] = fewer
    return joined, left


def _without(people: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    gone = frozenset(others)
    return tuple(person for person in people if person not in gone)
