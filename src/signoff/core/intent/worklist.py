"""The index of open tasks: under which keys a task is found, and under which keys a reader looks.

By design, keys find a superset: ``waits_for`` checks on the intent itself whether a task waits for somebody. The keys
are precise enough that few unrelated tasks are read. They follow from the intent's facts alone, never from the
directory, so they change only in transactions that change the intent, and can be checked against its facts.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.intent.answering_rights import (
    answered_by,
    asked,
    pinned_members,
    requesters_side,
    waits_for,
)
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.snoozes import snooze_of

# A name that means more people than this gets one key instead of one per person. So opening and closing a task costs
# the same for a team of 500 as for one of 33, and its members skip tasks that they may not answer.
MOST_PEOPLE: Final = 32
EVERYBODY: Final = ""  # a key that every open task of the workspace has
NO_KEY: Final = "none:"  # a key that no task has
EARLY, USUAL, LATE = SECTIONS = (0, 1, 2)  # the person's snooze has ended; there is none; it has not ended
_TEAM: Final = "team:"


class Search(NamedTuple):
    """One list of a reader: the keys of each section, and a check for whether a task that was found belongs to the
    list.
    """

    keys: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    fits: Callable[[Intent, Task], bool]


def keys_of(intent: Intent) -> frozenset[str]:
    """The keys of an intent's open task; none if it has no open task."""
    task = intent.open
    if not isinstance(task, Task):
        return frozenset()
    keys = {EVERYBODY}
    if intent.requester.kind is not ActorKind.PERSON:
        keys.add(requested_by(intent.requester.id))
    spec = intent.plan.tasks.get(task.step)
    if spec is None or task.stage >= len(spec.stages):  # a damaged row must not stop a migration
        return frozenset(keys)
    held, done = pinned_members(intent, task), _done(task)
    # People in whose lists the task is not in its usual place. Their delegates during an absence may still answer.
    aside = done.union([delegation.delegator for delegation in task.delegations])
    barred = requesters_side(intent) if _always_barred(intent, task) else frozenset()
    names = asked(intent, task)
    for name in names:
        if name.startswith(_TEAM):
            keys.add(f"asked:{name}")
        people = held.get(name)
        if people is None or len(people) > MOST_PEOPLE:
            keys.add(f"any:{name}")
            continue
        keys.update(
            f"{'other' if person in aside else 'for'}:{person}:{name}"
            for person in people
            if person not in barred
        )
    for delegation in task.delegations:
        # A delegate who has delegated their own vote still has this one.
        if delegation.names & names and delegation.delegate not in done:
            keys.add(f"for:{delegation.delegate}:")
    for one in task.snoozes:
        keys.add(f"{'early' if one.over else 'late'}:{one.person}")
    return frozenset(keys)


def requested_by(requester: str) -> str:
    """The key of the open tasks of a program's requests."""
    return f"requester:{requester}"


def mine(actor: Actor) -> Search:
    """The tasks that wait for the actor's answer."""
    keys = [f"for:{actor.id}:"]
    for name in sorted(actor.names):
        keys += (f"for:{actor.id}:{name}", f"any:{name}")
    for absent in actor.delegate_for:
        for name in sorted(absent.names):
            keys += (f"for:{absent.person}:{name}", f"other:{absent.person}:{name}", f"any:{name}")
    return _search(actor, tuple(dict.fromkeys(keys)), lambda intent, task: waits_for(actor, intent, task))


def of_my_teams(actor: Actor) -> Search:
    """The tasks that ask one of the actor's teams, no matter which member will answer."""
    teams = frozenset(name for name in actor.names if name.startswith(_TEAM))
    keys = tuple(f"asked:{team}" for team in sorted(teams))
    return _search(actor, keys, lambda intent, task: not teams.isdisjoint(asked(intent, task)))


def of_team(actor: Actor, team: str) -> Search:
    """The tasks that ask one team, no matter which member will answer."""
    return _search(actor, (f"asked:{team}",), lambda intent, task: team in asked(intent, task))


def everything(actor: Actor) -> Search:
    """All open tasks of the workspace. The actor's snoozes affect only the order."""
    return _search(actor, (EVERYBODY,), lambda intent, task: True)


def requested(actor: Actor) -> Search:
    """The tasks of a program's requests."""
    return Search(((), (requested_by(actor.id),), ()), lambda intent, task: True)


def section(task: Task, person: str) -> int:
    """The section of a person's lists that shows the task: a snooze moves it to the end, and a snooze that has ended
    to the front.
    """
    held = snooze_of(task, person)
    return USUAL if held is None else EARLY if held.over else LATE


def _search(actor: Actor, usual: tuple[str, ...], fits: Callable[[Intent, Task], bool]) -> Search:
    return Search(((f"early:{actor.id}",), usual, (f"late:{actor.id}",)), fits)


def _done(task: Task) -> frozenset[str]:
    """People who get no ``for:`` key, no matter what votes they have: they have answered or snoozed the task."""
    return answered_by(task).union([one.person for one in task.snoozes])


def _always_barred(intent: Intent, task: Task) -> bool:
    """Whether the requester's side may not decide, regardless of the workspace's settings."""
    allowed = spec_of(intent, task).self_approval
    return intent.self_approval is False if allowed is None else not allowed
