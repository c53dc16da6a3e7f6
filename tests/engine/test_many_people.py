"""Costs in a workspace with thousands of people depend on what a request names, not on people times teams."""

from functools import cached_property, partial
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Account, Person, Team, Workspace
from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.intent.quorum import passable
from signoff.core.plan.plan import Plan
from signoff.core.plan.task_types import Stage
from signoff.engine.admin.manifest_diff import ManifestDiff
from signoff.engine.directory import snapshot
from signoff.engine.directory.eligible_people import eligible, people_named, refuse_impossible
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.planner import MOST_RECORDED, freeze
from tests.builders import START, WORKSPACE
from tests.core.asking import vote
from tests.work import calls

SPACE = Workspace(WORKSPACE, "acme", "prod", False, START)


def person(number: int) -> Person:
    return Person(f"per_{number}", WORKSPACE, f"p{number}@acme.example", "", ("approver",), START)


def crowd(size: int) -> Snapshot:
    people = {one.id: one for one in map(person, range(size))}
    teams = {f"t{n}": Team(f"t{n}", tuple(list(people)[n : n + 3])) for n in range(size // 10)}
    return Snapshot(SPACE, {}, {}, people, {}, teams)


def test_every_derived_value_is_declared() -> None:
    kept = {name for name, value in vars(Snapshot).items() if isinstance(value, cached_property)}
    assert kept - {"made", "_discreet"} == set(snapshot._DERIVED)


def test_changed_directory_equals_one_read_anew() -> None:
    before = crowd(40)
    names = [name for name in snapshot._DERIVED if name != "membership"]
    for name in names:
        getattr(before, name)
    bot = Account(
        "sa_1",
        WORKSPACE,
        ActorKind.AGENT.value,
        "bot",
        "bot",
        "agent://acme/prod/bot",
        "",
        "",
        "poll",
        "",
        "",
        "active",
        "per_1",
        START,
        START,
    )
    parts: tuple[dict[str, Any], ...] = (
        {"people": {**before.people, "per_0": person(77)}},
        {"teams": {"t1": Team("t1", ("per_9",))}},
        {"by_address": {bot.address: bot}},
        {"workspace": SPACE},
        {"policies": {}},
    )
    for part in parts:
        other, fresh = (
            before.but(**part),
            Snapshot(
                SPACE,
                *(
                    part.get(name, getattr(before, name))
                    for name in ("by_address", "by_name", "people", "workflows", "teams")
                ),
            ),
        )
        assert [getattr(other, name) for name in names] == [getattr(fresh, name) for name in names], part
        assert other.membership.active_people == fresh.active_people


def test_people_added_by_a_manifest_are_found_without_changing_the_snapshot() -> None:
    directory = crowd(20)
    draft = ManifestDiff(Actor(ActorKind.PERSON, "per_0", WORKSPACE), directory, START)
    draft.put_person(person(99))
    draft.put_person(person(98))
    assert [draft.directory.anybody(f"p{n}@acme.example") for n in (98, 99)] == [person(98), person(99)]
    assert directory.anybody("p99@acme.example") is None
    assert "per_99" not in directory.people


def test_mailbox_is_found_before_and_after_a_change() -> None:
    before = crowd(20)
    directory = before.but(people={**before.people, "per_5": replace(person(5), active=False)})
    draft = ManifestDiff(Actor(ActorKind.PERSON, "per_0", WORKSPACE), directory, START)
    twin = replace(person(98), email="P3@ACME.example.")
    assert draft.with_same_mailbox(twin) == person(3)
    assert draft.with_same_mailbox(person(3)) is None
    draft.put_person(replace(person(3), active=False))
    assert draft.with_same_mailbox(twin) is None
    draft.put_person(twin)
    assert draft.with_same_mailbox(person(3)) == twin
    draft.put_person(person(5))  # was inactive when the others were read
    assert draft.with_same_mailbox(replace(twin, email="P5@acme.example")) == person(5)
    draft.put_person(replace(twin, email="other@acme.example"))
    assert draft.with_same_mailbox(person(3)) is None


def test_mailboxes_are_normalized_once_per_manifest() -> None:
    draft = ManifestDiff(Actor(ActorKind.PERSON, "per_0", WORKSPACE), crowd(200), START)

    def add() -> None:
        for number in range(300, 330):
            assert draft.with_same_mailbox(person(number)) is None
            draft.put_person(person(number))

    assert calls(add, of="mailbox_key") < 2 * 200 + 30 * 6


def test_lookup_cost_does_not_grow_with_the_directory() -> None:
    def cost(size: int) -> int:
        directory = crowd(size)
        vars(directory)["by_email"], vars(directory)["_teams_of"] = directory.by_email, directory._teams_of
        return calls(lambda: (directory.person(f"p{size - 1}@acme.example"), directory.teams_of("per_5")))

    assert cost(2000) == cost(20)


def test_stage_of_named_people_is_evaluated_in_one_pass() -> None:
    directory = crowd(400)
    stage = Stage(("role:approver", "per_399"), every=True)
    look = partial(refuse_impossible, stage, directory, "it", "policy")
    assert calls(look, of="_entries_with_a_vote") == 1
    with pytest.raises(Invalid):
        look(barred={"per_399"})


def test_matching_of_many_people_to_entries_is_correct() -> None:
    stage = Stage(("a", "b", "c"), every=True)
    crowded = [vote(f"p{n}", "a", "b") for n in range(9)]
    assert not passable(stage, crowded)
    assert not passable(stage, crowded[:2])
    assert passable(stage, [*crowded, vote("last", "c")])
    escalated = replace(stage, added=frozenset({"role:owner"}))
    assert passable(escalated, [*crowded, vote("added", "role:owner")])  # for any entry
    assert not passable(stage, [*crowded, vote("former", "role:owner")])
    assert not passable(stage, [vote("one", "a"), vote("two", "b"), vote("three", "c", outcome="other")])


def asking(steps: int, *approvers: str) -> Plan:
    """A workflow whose steps each ask these people."""
    human = {"title": "Sure?", "approvers": [*approvers]}
    source = {
        "workflow": "w",
        "intent_type": "intent.many.steps.v1",
        "steps": [{"id": f"s{n}", "human": human} for n in range(steps)],
    }
    return compile_workflow(source).plan


def test_steps_with_the_same_approvers_look_them_up_once() -> None:
    def cost(steps: int) -> int:
        directory, plan = crowd(1000), asking(steps, "role:approver")
        assert directory.membership.members("role:approver")
        return calls(lambda: freeze(plan, directory))

    assert cost(40) - cost(20) < 20 * 1000


def test_plan_that_would_pin_too_many_people_is_refused_by_step() -> None:
    directory = crowd(2000)
    fits = MOST_RECORDED // 2000
    plan, _ = freeze(asking(fits, "role:approver"), directory)
    assert len(plan.steps) == fits
    with pytest.raises(Invalid) as refused:
        freeze(asking(fits + 1, "role:approver"), directory)
    assert refused.value.code == "too_many_approvers"
    assert refused.value.field == f"steps.s{fits}.human.approvers"


def test_eligible_people_follow_the_entries_of_the_stage_and_pinned_members() -> None:
    directory = crowd(30)
    stage = Stage(("team:t1", "per_1", "p2@acme.example"))
    assert eligible(stage, directory, barred={"per_1"}) == {
        "per_2": {"p2@acme.example", "team:t1"},
        "per_3": {"team:t1"},
    }
    assert set(eligible(stage, directory, pinned_members={"team:t1": ("per_3", "per_9")})) == {
        "per_1",
        "per_2",
        "per_3",
    }
    assert people_named(directory, ("per_3", "team:t1")) == ["per_1", "per_2", "per_3"]
    assert people_named(directory, ("team:none",)) == []
    assert len(people_named(directory, ())) == 30


def test_stage_is_evaluated_again_after_its_team_changed() -> None:
    plan, before = asking(1, "team:t1"), crowd(30)
    freeze(plan, before)
    with pytest.raises(Invalid) as refused:
        freeze(plan, before.but(teams={"t1": Team("t1", ())}))
    assert refused.value.code == "nobody_eligible"
    gone = {one: replace(known, active=False) for one, known in before.people.items()}
    with pytest.raises(Invalid) as refused:
        freeze(plan, before.but(people=gone))
    assert refused.value.code == "nobody_eligible"
    assert freeze(plan, before.but(workflows={}))
