"""Who could decide, and who is told: parties become persons here. A gate that nobody could pass is refused, and not
left hanging.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from signoff.core.errors import Invalid
from signoff.core.fields import suggestion
from signoff.core.parties import TEAM, party
from signoff.core.people import absence_at
from signoff.core.quorum import needed, tally
from signoff.core.standing import DECIDING
from signoff.core.tasks import Sign, Stage, TaskSpec, Vote
from signoff.engine.directory import Snapshot

DECIDING_ROLES: Final = tuple(f"role:{role}" for role in sorted(DECIDING))


def called(book: Snapshot, names: Collection[str]) -> list[str]:
    """Ids of the active people whom these names mean, in the order of the directory; no names: whoever may decide."""
    wanted = frozenset(names or DECIDING_ROLES)
    return [person_id for person_id, known in book.standing.items() if known & wanted]


def spelled(names: Collection[str]) -> tuple[str, ...]:
    """The names in their one spelling; what cannot name anybody is kept as it is."""
    return tuple(dict.fromkeys(party(name) or name for name in names))


def decidable(stage: Stage, book: Snapshot, barred: Collection[str] = ()) -> bool:
    """Whether enough distinct people could pass this stage, ``barred`` (person ids) left out."""
    wanted = frozenset(stage.approvers or DECIDING_ROLES)
    votes = tuple(
        Vote(person, "approved", Sign.POSITIVE, for_names=book.standing[person] & wanted)
        for person in called(book, stage.approvers)
        if person not in barred
    )
    return len(votes) >= needed(stage) and tally(stage, 0, votes) is not None


def barred_from(spec: TaskSpec, book: Snapshot, side: Collection[str]) -> frozenset[str]:
    """Those of the requester's ``side`` who may not decide: all of them, unless policy or workspace allow it."""
    allowed = book.workspace.self_approval if spec.self_approval is None else spec.self_approval
    return frozenset() if allowed else frozenset(side)


def nobody(step: str, stage: Stage, barred: Collection[str]) -> Invalid:
    """The refusal of a stage that could never be passed."""
    whom = ", ".join(stage.approvers) or "a person with an approving role"
    count = needed(stage)
    many = (
        f"{count} people are needed, and there are not so many"
        if count > 1
        else "nobody in this workspace could decide it"
    )
    apart = " beside the requester's own side" if barred else ""
    return Invalid(
        "nobody_eligible",
        f"Step {step!r}: {many}{apart} ({whom}).",
        field=f"steps.{step}.human.approvers",
        hint="Add the person first: signoff keys create --person EMAIL.",
    )


def refuse_unknown_teams(names: Collection[str], book: Snapshot, field: str) -> None:
    for name in names:
        if name.startswith(TEAM) and name.removeprefix(TEAM) not in book.teams:
            team = name.removeprefix(TEAM)
            hint = (
                suggestion(team, list(book.teams)) or "Make it first: signoff teams set NAME --member EMAIL."
            )
            raise Invalid("unknown_team", f"{field}: there is no team {team!r}.", field=field, hint=hint)


def roster(spec: TaskSpec, book: Snapshot) -> dict[str, tuple[str, ...]]:
    """Who is in each team and role that the task names, now."""
    names: list[str] = []
    for stage in spec.stages:
        names += stage.approvers or DECIDING_ROLES
    names += [name for rung in spec.escalate for name in rung.to]
    groups = {name for name in names if name.startswith(("team:", "role:"))}
    return {group: tuple(sorted(called(book, (group,)))) for group in sorted(groups)}


def recipients(book: Snapshot, names: Collection[str], at: datetime) -> tuple[str, ...]:
    """Ids of who is told at ``at``: of a team with a rotation who is on call, else all who are meant; a delegate
    instead of who is absent. Somebody is always told: where all are absent without a delegate, all are.
    """
    found: list[str] = []
    for name in names or DECIDING_ROLES:
        team = book.teams.get(name.removeprefix(TEAM)) if name.startswith(TEAM) else None
        if team is not None and team.rotation is not None:
            turn = [person for person in team.rotation.in_order(at) if person in book.standing]
            found += next((here for person in turn if (here := _here(book, person, at))), turn)
        else:
            meant = called(book, (name,))
            found += [told for person in meant for told in _here(book, person, at)] or meant
    return tuple(dict.fromkeys(found))


def _here(book: Snapshot, person_id: str, at: datetime) -> list[str]:
    """The person, or while absent the delegate if that one is here: it is not passed on twice."""
    absence = absence_at(book.people[person_id].absences, at)
    if absence is None:
        return [person_id]
    delegate = book.people.get(absence.delegate)
    if delegate is None or not delegate.active or absence_at(delegate.absences, at) is not None:
        return []
    return [delegate.id]
