"""The index of open tasks: everyone a task waits for finds it, and few others read it."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from signoff.core.directory.actors import AbsentPerson, Actor
from signoff.core.intent import commands as c
from signoff.core.intent.answering_rights import waits_for
from signoff.core.intent.model import Intent, Task
from signoff.core.intent.worklist import (
    EARLY,
    EVERYBODY,
    LATE,
    MOST_PEOPLE,
    SECTIONS,
    USUAL,
    everything,
    keys_of,
    mine,
    of_my_teams,
    requested,
    section,
)
from signoff.core.plan.task_types import Stage
from tests.builders import ANN, OTTO, SERVICE, START, Story
from tests.core.asking import asking, people


def listed(actor: Actor, intent: Intent, search: Any = mine) -> list[int]:
    """The sections in which a reader sees the task."""
    return [one for one in SECTIONS if not keys_of(intent).isdisjoint(search(actor).keys[one])]


def person(name: str, *names: str, **fields: Any) -> Actor:
    id = f"per_{name}"
    return replace(ANN, id=id, names=frozenset({id, *names}), sponsors=(id,), **fields)


def team_of(count: int) -> Story:
    members = {f"m{number}": "role:approver team:dba" for number in range(count)}
    return asking(
        Stage(approvers=("team:dba",)), pinned_members={"team:dba": tuple(people(**members).active_people)}
    )


def test_task_is_listed_for_its_people_and_not_for_later_members() -> None:
    intent = team_of(3).intent
    assert listed(person("m1", "team:dba"), intent) == [USUAL]
    assert listed(person("late", "team:dba"), intent) == []
    assert listed(person("m1"), intent) == []  # who left the team is not asked any more
    assert listed(person("late", "team:dba"), intent, of_my_teams) == [USUAL]
    assert listed(ANN, intent, everything) == [USUAL]


def test_entry_with_many_people_is_one_key() -> None:
    few, many = keys_of(team_of(MOST_PEOPLE).intent), keys_of(team_of(MOST_PEOPLE + 1).intent)
    assert len(few) == MOST_PEOPLE + 3
    assert len(many) == 4
    assert listed(person("m1", "team:dba"), team_of(500).intent) == [USUAL]


def test_task_is_not_listed_for_the_requesters_side() -> None:
    pinned_members = {"role:approver": ("per_ann", "per_otto")}
    for allowed, found in ((False, []), (True, [USUAL]), (None, [USUAL])):
        by = replace(SERVICE, sponsors=("per_ann",))
        story = asking(
            Stage(approvers=("role:approver",)), by=by, self_approval=allowed, pinned_members=pinned_members
        )
        assert listed(person("ann", "role:approver"), story.intent) == found
        assert listed(person("otto", "role:approver"), story.intent) == [USUAL]


def test_task_is_not_listed_for_who_answered_but_for_their_delegate() -> None:
    story = asking(
        Stage(approvers=("role:approver",), need=2), pinned_members={"role:approver": ("per_ann", "per_otto")}
    )
    ann = person("ann", "role:approver")
    assert listed(ann, story.intent) == [USUAL]
    story.do(c.Answer("approved"), ann)
    assert listed(ann, story.intent) == []
    assert listed(person("otto", "role:approver"), story.intent) == [USUAL]
    assert listed(person("eve", delegate_for=(AbsentPerson(ann.id, ann.names),)), story.intent) == [USUAL]


def test_snooze_moves_a_task_to_the_end_of_the_list() -> None:
    story = asking(
        Stage(approvers=("role:approver",)), pinned_members={"role:approver": ("per_ann", "per_otto")}
    )
    ann = person("ann", "role:approver")
    story.do(c.Snooze(START + timedelta(hours=2)), ann)
    assert listed(ann, story.intent) == [LATE]
    assert listed(person("otto", "role:approver"), story.intent) == [USUAL]
    task = story.intent.open
    assert isinstance(task, Task)
    ended = replace(task, snoozes=tuple(replace(one, over=True) for one in task.snoozes))
    intent = replace(story.intent, open=ended)
    assert listed(ann, intent) == [EARLY]
    assert section(ended, ann.id) == EARLY
    assert waits_for(ann, intent, ended)


def test_intent_without_an_open_task_is_not_listed() -> None:
    story = asking(Stage())
    assert EVERYBODY in keys_of(story.intent)
    story.do(c.Answer("approved"), OTTO)
    assert keys_of(story.intent) == frozenset()


def test_delegated_vote_is_listed_for_the_delegate_only() -> None:
    members = people(ann="role:approver", otto="role:approver", eve="role:approver")
    story = asking(
        Stage(approvers=("per_ann", "per_otto"), need=2),
        membership=members,
        pinned_members={"per_ann": ("per_ann",), "per_otto": ("per_otto",)},
    )
    ann, eve = person("ann", "role:approver"), person("eve", "role:approver")
    assert listed(eve, story.intent) == []
    story.do(c.Delegate("per_eve"), ann)
    assert listed(eve, story.intent) == [USUAL]
    assert listed(ann, story.intent) == []


def test_person_who_delegated_still_sees_a_vote_delegated_to_them() -> None:
    members = people(ann="role:approver", otto="role:approver", eve="role:approver")
    story = asking(
        Stage(approvers=("per_ann", "per_otto"), need=2),
        membership=members,
        pinned_members={"per_ann": ("per_ann",), "per_otto": ("per_otto",)},
    )
    ann, otto = person("ann", "role:approver"), person("otto", "role:approver")
    story.do(c.Delegate("per_otto"), ann)
    story.do(c.Delegate("per_eve"), otto)
    assert isinstance(task := story.intent.open, Task)
    assert waits_for(otto, story.intent, task)
    assert listed(otto, story.intent) == [USUAL]
    story.do(c.Answer("approved"), otto)
    assert listed(otto, story.intent) == []


def test_program_sees_the_tasks_of_its_own_requests() -> None:
    story = asking(Stage())
    assert listed(SERVICE, story.intent, requested) == [USUAL]
    assert listed(replace(SERVICE, id="svc_other"), story.intent, requested) == []


def test_task_unknown_to_its_plan_is_listed_in_full_views_only() -> None:
    story = asking(Stage())
    task = story.intent.open
    assert isinstance(task, Task)
    for damaged in (replace(task, step="gone"), replace(task, stage=7)):
        intent = replace(story.intent, open=damaged)
        assert listed(ANN, intent, everything) == [USUAL]
        assert listed(OTTO, intent) == []
