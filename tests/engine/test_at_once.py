"""Two who change the same thing at the same moment: the second is told so, and nothing of the first is undone."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.charter import Charter, compile_charter
from signoff.core.errors import Conflict
from signoff.core.model import Actor
from signoff.store.entries import Person
from tests.builders import ANN, OTTO, START, WORKSPACE
from tests.engine.works import ROOT, Works, settle

OTTOS = "otto@acme.example"


def charter(**document: Any) -> Charter:
    return compile_charter(document)


@pytest.fixture
async def town(works: Works) -> Works:
    await settle(works, people=(ANN, OTTO))
    for name in ("root", "rose"):
        owner = Person(f"per_{name}", WORKSPACE, f"{name}@acme.example", "", ("owner",), START)
        assert await works.store.directory.add_person(owner)
    await works.registry.apply(ROOT, charter(teams={"sre": {"members": [OTTOS]}}))
    return works


CASES: dict[str, tuple[Actor, dict[str, Any], dict[str, Any]]] = {
    "a person": (
        OTTO,
        {"people": {OTTOS: {"active": False}}},
        {"people": {OTTOS: {"zone": "Europe/Berlin"}}},
    ),
    "a team": (
        ROOT,
        {"teams": {"sre": {"members": ["ann@acme.example"]}}},
        {"teams": {"sre": {"members": [OTTOS, "ann@acme.example"]}}},
    ),
    "the workspace": (
        ROOT,
        {"workspace": {"protected": True}},
        {"workspace": {"positive_fallback": True}},
    ),
}


@pytest.mark.parametrize("what", CASES)
async def test_of_two_changes_at_once_the_second_is_refused_and_may_be_made_again(
    town: Works, what: str
) -> None:
    by, first, second = CASES[what]
    told = await asyncio.gather(
        town.registry.apply(ROOT, charter(**first)),
        town.registry.apply(by, charter(**second)),
        return_exceptions=True,
    )
    late = told[1]
    assert isinstance(late, Conflict)
    assert late.code == "changed_meanwhile"
    assert not isinstance(told[0], BaseException)
    book = await town.directory.of(WORKSPACE)
    match what:
        case "a person":
            assert not book.people[OTTO.id].active
        case "a team":
            assert book.teams["sre"].members == (ANN.id,)
        case "the workspace":
            assert book.workspace.protected
            await town.registry.apply(ROOT, charter(people={OTTOS: {"name": "Otto"}}))
    assert len(await town.store.people.changes(WORKSPACE, "", 10)) in (2, 3)


async def test_one_after_the_other_both_are_made(town: Works) -> None:
    for change in ({"zone": "Europe/Berlin"}, {"name": "Otto"}, {"addresses": {"email": "o@acme.example"}}):
        await town.registry.apply(ROOT, charter(people={OTTOS: change}))
    otto = (await town.directory.of(WORKSPACE)).people[OTTO.id]
    assert (otto.zone, otto.name, otto.addresses) == ("Europe/Berlin", "Otto", {"email": "o@acme.example"})


async def test_two_owners_cannot_unmake_each_other(town: Works) -> None:
    rose = replace(ROOT, id="per_rose", sponsors=("per_rose",))
    told = await asyncio.gather(
        town.registry.apply(ROOT, charter(people={"rose@acme.example": {"roles": ["member"]}})),
        town.registry.apply(rose, charter(people={"root@acme.example": {"roles": ["member"]}})),
        return_exceptions=True,
    )
    assert [isinstance(one, Conflict) for one in told] == [False, True]
    people = (await town.directory.of(WORKSPACE)).people.values()
    assert [person.id for person in people if "owner" in person.roles] == ["per_root"]
