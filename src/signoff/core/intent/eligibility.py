"""Eligibility is pinned when a task opens: the members of every approver entry that its stages and escalation name, and
their delegates. Later changes to the directory can remove people, but never add any.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from signoff.core.directory.roles import ADMIN_ROLES, DECIDING_ROLES
from signoff.core.intent.answering_rights import requesters_side
from signoff.core.intent.model import Intent
from signoff.core.plan.task_types import TaskSpec

Members = dict[str, tuple[str, ...]]
Delegates = dict[str, tuple[str, ...]]

_KEPT: Final = 256  # maximum number of cached answers of ``members_of``, because requests may name anyone


class AbsenceCover(NamedTuple):
    """``delegate`` answers for ``absent`` until ``end``; the absence has begun or is planned."""

    absent: str
    delegate: str
    end: datetime


class Membership:
    """What the rules need from the directory: the approver names of each active person, and who is whose delegate.

    ``self_approval``: whether the workspace lets the requester's side decide; ``new_self_approval``: whether that also
    applies to requests made from now on.
    """

    def __init__(
        self,
        active_people: Mapping[str, frozenset[str]],
        covers: Iterable[AbsenceCover] = (),
        self_approval: bool = False,
        new_self_approval: bool | None = None,
    ) -> None:
        self.active_people = active_people
        self.self_approval = self_approval
        self.new_self_approval = self_approval if new_self_approval is None else new_self_approval
        # only people who could decide in their own right are delegates
        self._covers = [
            one
            for one in covers
            if not active_people.get(one.delegate, frozenset()).isdisjoint(DECIDING_ROLES)
        ]
        self._members: dict[str, tuple[str, ...]] | None = None
        self._cached: dict[tuple[str, ...], Members] = {}

    def members(self, entry: str) -> tuple[str, ...]:
        """Ids of the active people that an approver entry means, in order."""
        if self._members is None:
            found: dict[str, list[str]] = {}
            for person in sorted(self.active_people):
                for name in self.active_people[person]:
                    found.setdefault(name, []).append(person)
            self._members = {name: tuple(people) for name, people in found.items()}
        return self._members.get(entry, ())

    def any_admin(self, people: Iterable[str]) -> bool:
        """Whether one of these people is an owner or an admin."""
        return any(
            not self.active_people.get(person, frozenset()).isdisjoint(ADMIN_ROLES) for person in people
        )

    def members_of(self, names: Collection[str]) -> Members:
        """The people whom each of these names means now; nobody for the name of an inactive person."""
        key = tuple(sorted(set(names)))
        held = self._cached.get(key)
        if held is None:
            if len(self._cached) >= _KEPT:
                self._cached.clear()
            held = self._cached[key] = {name: self.members(name) for name in key}
        return held

    def delegates(self, names: Collection[str], at: datetime) -> Delegates:
        """The delegates of the people whom the names mean, by delegate, without absences that have ended."""
        if not self._covers:
            return {}
        wanted = frozenset(names)
        found: dict[str, set[str]] = {}
        for one in self._covers:
            if one.end > at and not self.active_people.get(one.absent, frozenset()).isdisjoint(wanted):
                found.setdefault(one.absent, set()).add(one.delegate)
        return {absent: tuple(sorted(found[absent])) for absent in sorted(found)}


def named(spec: TaskSpec) -> frozenset[str]:
    """Every approver entry that a task may ask, in all its stages and its escalation."""
    names = {name for stage in spec.stages for name in stage.approvers or DECIDING_ROLES}
    return frozenset(names.union(*(level.to for level in spec.escalate)))


class PinnedEligibility(NamedTuple):
    """How eligibility at the opening of the task differs from what the plan and the request pinned: see
    ``TaskOpened``.
    """

    joined: Members
    left: Members
    delegates: Delegates | None


NOTHING: Final = PinnedEligibility({}, {}, None)


def pin(intent: Intent, spec: TaskSpec, now: Membership, at: datetime) -> PinnedEligibility:
    """What is pinned when the task opens. If an admin of the workspace is on the requester's side, or was when the
    request was made, nobody who joined after the request counts: a requester must not choose who decides.
    """
    names = named(spec)
    delegates = now.delegates(names, at)
    known = intent.delegates
    runs = intent.by_admin or now.any_admin(requesters_side(intent))
    if runs and known is not None:
        both = {
            absent: tuple(one for one in people if one in known.get(absent, ()))
            for absent, people in delegates.items()
        }
        delegates = {absent: people for absent, people in both.items() if people}
    joined, left = _changes(spec.pinned_members, now.members_of(names), runs)
    return PinnedEligibility(joined, left, None if delegates == known else delegates)


def _changes(before: Members, after: Members, runs: bool) -> tuple[Members, Members]:
    if before == after:
        return {}, {}
    joined: Members = {}
    left: Members = {}
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
