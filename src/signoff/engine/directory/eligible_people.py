"""Resolves approver entries to people: who could decide, and who is notified. A task that nobody could decide is
refused instead of being left open.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from signoff.core.directory.approver_names import TEAM, approver
from signoff.core.directory.model import Person
from signoff.core.directory.roles import DECIDING_ROLES
from signoff.core.directory.rotation import Rotation, absence_at
from signoff.core.errors import Invalid, Refused
from signoff.core.intent.answering_rights import answer_right, asked, lets_requesters_decide, requesters_side
from signoff.core.intent.eligibility import named
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.quorum import passable
from signoff.core.intent.wake import ends_at
from signoff.core.plan.plan import Step
from signoff.core.plan.task_types import Meaning, Stage, TaskSpec, Vote
from signoff.engine.directory.snapshot import Snapshot

Members = Mapping[str, Collection[str]]
NOT_PINNED: Final[Members] = {}
_STAGES_KEPT: Final = 1024


class Fault(NamedTuple):
    """Why a policy or a workflow is refused. place: what is at fault; people: how many could decide there."""

    place: tuple[Hashable, ...]
    refusal: Refused
    people: int = 0

    def was_there(self, before: Collection["Fault"]) -> bool:
        """Whether it was among the faults ``before``, with no more people than now."""
        return any(
            (one.place, one.refusal.code, one.refusal.field)
            == (self.place, self.refusal.code, self.refusal.field)
            and one.people <= self.people
            for one in before
        )


def faults_of(
    check: Callable[[], Any], place: tuple[Hashable, ...], people: Callable[[], int] = int
) -> Iterator[Fault]:
    """The fault for which ``check`` raises Refused, if it does."""
    try:
        check()
    except Refused as refusal:
        yield Fault(place, refusal, people())


def people_named(directory: Snapshot, names: Collection[str]) -> list[str]:
    """Ids of the active people whom these names mean, in the order of the directory; without names, those of the
    default approvers.
    """
    meant = set().union(*map(directory.membership.members, names or DECIDING_ROLES))
    return [person for person in directory.active_people if person in meant] if meant else []


def names_somebody(directory: Snapshot, name: str) -> bool:
    """Whether a name means at least one active person."""
    return bool(directory.membership.members(name))


def normalised(names: Collection[str]) -> tuple[str, ...]:
    """The names in canonical form; a name that cannot mean an approver is left unchanged."""
    return tuple(dict.fromkeys(approver(name) or name for name in names))


def eligible(
    stage: Stage, directory: Snapshot, barred: Collection[str] = (), pinned_members: Members = NOT_PINNED
) -> dict[str, frozenset[str]]:
    """Who could decide a stage, without ``barred`` (person ids), and by which of its names. ``pinned_members``: the
    members of each team and role when the task opened; later members are not eligible.
    """
    found: dict[str, set[str]] = {}
    for name in dict.fromkeys(stage.approvers or DECIDING_ROLES):
        members = directory.membership.members(name)
        if name in pinned_members:
            then = frozenset(pinned_members[name])
            members = tuple(person for person in members if person in then)
        for person in members:
            if person not in barred:
                found.setdefault(person, set()).add(name)
    return {person: frozenset(names) for person, names in found.items()}


def count_eligible(stage: Stage, directory: Snapshot) -> int:
    """How many people could decide a stage."""
    return _able(stage, directory, (), NOT_PINNED)[0]


def _passable(stage: Stage, able: Mapping[str, frozenset[str]]) -> bool:
    votes = tuple(Vote(who, "approved", Meaning.APPROVES, for_names=names) for who, names in able.items())
    return passable(stage, votes)


def barred_from(
    spec: TaskSpec, directory: Snapshot, side: Collection[str], intent: Intent | None = None
) -> frozenset[str]:
    """The people of the requester's ``side`` who may not decide: all of them, unless the policy or the workspace
    allows it. ``intent``: the request, if it exists already.
    """
    allowed = directory.self_approval
    if intent is not None:
        allowed = lets_requesters_decide(spec, intent, directory.workspace.self_approval)
    elif spec.self_approval is not None:
        allowed = spec.self_approval
    return frozenset() if allowed else frozenset(side)


def refuse_impossible(
    stage: Stage,
    directory: Snapshot,
    what: str,
    field: str,
    barred: Collection[str] = (),
    pinned_members: Members = NOT_PINNED,
    by_setting: bool = False,
) -> None:
    """Raise Invalid if a stage could never be passed, or never be rejected, by the people who are not ``barred``.

    ``what``: names the stage in the error: step, policy, number; ``by_setting``: whether the others are barred by
    the workspace's setting self_approval, not by a policy.
    """
    count, possible = _able(stage, directory, barred, pinned_members)
    whom = ", ".join(stage.approvers) or "people with an approving role"
    apart = " apart from the requester's side" if barred else ""
    there = f"there {'are' if count > 1 else 'is'} {count or 'nobody'}{apart} ({whom})"
    if not possible:
        needed = stage.votes_needed
        takes = f"{needed} different people are needed" if needed > 1 else "a person is needed"
        takes += ", one of each" if stage.every else ""
        hint = "Add the people first: signoff people add EMAIL; or name others."
        if by_setting and _able(stage, directory, (), pinned_members)[1]:
            hint += " Or allow requesters to decide: apply workspace: {self_approval: true}."
        raise Invalid("nobody_eligible", f"{what}: {takes}, and {there}.", field=field, hint=hint)
    if stage.reject_after > count:
        raise Invalid(
            "never_rejected",
            f"{what}: {stage.reject_after} rejections would end it, and {there}.",
            field=field,
            hint="Lower reject_after, or name more people.",
        )


def _able(
    stage: Stage, directory: Snapshot, barred: Collection[str], pinned_members: Members
) -> tuple[int, bool]:
    """How many people could decide a stage, and whether they could pass it. Without pinned members the result is cached
    in the snapshot: many workflows have stages with the same approvers.
    """
    if pinned_members:
        able = eligible(stage, directory, barred, pinned_members)
        return len(able), _passable(stage, able)
    known, key = directory.staffing, (stage.approvers, stage.every, stage.votes_needed, frozenset(barred))
    if key not in known:
        if len(known) >= _STAGES_KEPT:
            known.clear()
        able = eligible(stage, directory, barred)
        known[key] = len(able), _passable(stage, able)
    return known[key]


def stage_name(step: Step, spec: TaskSpec, number: int) -> str:
    """The name of a stage for an error: step, policy, number."""
    policy = f", policy {spec.policy}" if spec.policy else ""
    stage = f", stage {number + 1}" if len(spec.stages) > 1 else ""
    return f"Step {step.id!r}{policy}{stage}"


def known_person(directory: Snapshot, name: str, field: str) -> Person:
    """The active person with that id or address; raises Invalid if there is none."""
    person = directory.person(name)
    if person is None:
        emails = [p.email for p in directory.people.values() if p.active]
        hint = directory.suggest(name, emails) or "Add the person first: signoff people add EMAIL."
        raise Invalid(
            "unknown_person", f"{field}: there is no person {name[:128]!r}.", field=field, hint=hint
        )
    return person


def refuse_unknown_teams(names: Collection[str], directory: Snapshot, field: str) -> None:
    for name in names:
        if name.startswith(TEAM) and name.removeprefix(TEAM) not in directory.teams:
            team = name.removeprefix(TEAM)
            hint = (
                directory.suggest(team, directory.teams)
                or "Create it first: signoff teams set NAME --member EMAIL."
            )
            raise Invalid("unknown_team", f"{field}: there is no team {team!r}.", field=field, hint=hint)


def pinned_members_of(spec: TaskSpec, directory: Snapshot) -> dict[str, tuple[str, ...]]:
    """The current people for each approver entry of the task."""
    return directory.membership.members_of(named(spec))


def everyone(person: str) -> bool:
    return True


def recipients(
    directory: Snapshot, names: Collection[str], at: datetime, able: Callable[[str], bool] = everyone
) -> tuple[str, ...]:
    """Ids of the people to notify at ``at``: for a team with a rotation the person on call, else everyone whom the
    names mean; in place of an absent person, their delegate. Only people in ``able`` are notified. If all are absent
    without a delegate, all are notified, so that somebody is.
    """
    found: list[str] = []
    able = cache(able)  # a person whom several names mean is checked once

    @cache
    def here(person: str) -> list[str]:
        return _here(directory, person, at, able)

    for name in names or DECIDING_ROLES:
        turns = rotation_of(directory, name)
        if turns is not None:
            turn = [person for person in turns.in_order(at) if person in directory.active_people]
            notified = next((there for one in turn if (there := here(one))), None)
        else:
            turn = people_named(directory, (name,))
            notified = [person for one in turn for person in here(one)]
        found += notified or [person for person in turn if able(person)]
    return tuple(dict.fromkeys(found))


def rotation_of(directory: Snapshot, name: str) -> Rotation | None:
    """The rotation of the team that an approver entry names, if any."""
    team = directory.teams.get(name.removeprefix(TEAM)) if name.startswith(TEAM) else None
    return team.rotation if team is not None else None


def addressed(
    intent: Intent, task: Task, names: Collection[str], directory: Snapshot, at: datetime
) -> tuple[str, ...]:
    """Ids of the people whom these names mean at ``at`` and who may answer then. People who are only kept informed
    are notified too, unless they are on the requester's side, which is notified of the decision in any case.
    """
    spec = spec_of(intent, task)
    barred = barred_from(spec, directory, requesters_side(intent), intent)

    def able(person: str) -> bool:
        actor = directory.actor(person, at)
        return actor is not None and answer_right(actor, intent, task) is not None

    curious = [name for name in names if name in spec.notify and name not in asked(intent, task)]
    others = [name for name in names if name not in curious]
    found = recipients(directory, others, at, able) if others or not names else ()
    more = recipients(directory, curious, at, lambda person: person not in barred) if curious else ()
    return tuple(dict.fromkeys((*found, *more)))


def still_eligible(
    intent: Intent, task: Task, people: Collection[str], directory: Snapshot, at: datetime
) -> list[str]:
    """Those of these people who may answer at ``at``."""
    actors = [(person, directory.actor(person, at)) for person in people]
    return [
        person
        for person, actor in actors
        if actor is not None and answer_right(actor, intent, task) is not None
    ]


def asked_times(
    intent: Intent, task: Task, names: Collection[str], directory: Snapshot, at: datetime
) -> tuple[tuple[str, datetime], ...]:
    """The people whom these names ask at ``at``, and when each is notified: the person on call immediately; others when
    their working hours begin, or immediately if the deadline is earlier.
    """
    return notify_times(asked_on_call(intent, task, names, directory, at), intent, task, directory, at)


def asked_on_call(
    intent: Intent, task: Task, names: Collection[str], directory: Snapshot, at: datetime
) -> tuple[tuple[str, bool], ...]:
    """The people whom these names ask at ``at``, and whether each is asked as the person on call."""
    turns = [name for name in names if rotation_of(directory, name) is not None]
    on_call = addressed(intent, task, turns, directory, at) if turns else ()
    return tuple((person, person in on_call) for person in addressed(intent, task, names, directory, at))


def notify_times(
    asked: Collection[tuple[str, bool]], intent: Intent, task: Task, directory: Snapshot, at: datetime
) -> tuple[tuple[str, datetime], ...]:
    """When each of these people, who are asked at ``at``, is notified."""
    ends = ends_at(intent, task)
    return tuple(
        (person, at if on_call else _notified_at(directory.people[person], at, ends))
        for person, on_call in asked
    )


def presence(directory: Snapshot, at: datetime) -> Hashable:
    """Who is absent and who is on call at ``at``. At two times with the same value, the same names mean the same
    people.
    """
    away = [absence_at(person.absences, at) for person in directory.people.values() if person.absences]
    return tuple(away), tuple(
        team.rotation.began_on(at) for team in directory.teams.values() if team.rotation
    )


def _notified_at(person: Person, at: datetime, ends: datetime | None) -> datetime:
    begins = person.hours.opens(at) if person.hours is not None else at
    return at if ends is not None and begins >= ends else begins


def _here(directory: Snapshot, person_id: str, at: datetime, able: Callable[[str], bool]) -> list[str]:
    """The person; or while they are absent, their delegate, if that delegate is present. Delegates of delegates are
    not considered.
    """
    absence = absence_at(directory.people[person_id].absences, at)
    if absence is None:
        return [person_id] if able(person_id) else []
    delegate = directory.people.get(absence.delegate)
    if delegate is None or not delegate.active or absence_at(delegate.absences, at) is not None:
        return []
    return [delegate.id] if able(delegate.id) else []
