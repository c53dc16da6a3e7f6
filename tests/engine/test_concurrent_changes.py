"""Concurrent changes: the second is refused as a conflict, and the first is kept."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.model import Person
from signoff.core.errors import Conflict
from signoff.core.formats.manifest import Manifest, compile_manifest
from signoff.notify.registry import personal_channels
from tests.builders import ANN, OTTO, START, WORKSPACE
from tests.engine.engine_env import ROOT, EngineEnv, settle

OTTOS = "otto@acme.example"


def manifest(**document: Any) -> Manifest:
    return compile_manifest(document, personal_channels())


@pytest.fixture
async def staffed_env(env: EngineEnv) -> EngineEnv:
    await settle(env, people=(ANN, OTTO))
    for name in ("root", "rose"):
        owner = Person(f"per_{name}", WORKSPACE, f"{name}@acme.example", "", ("owner",), START)
        assert await env.store.directory.add_person(owner)
    await env.manifests.apply(ROOT, manifest(teams={"sre": {"members": [OTTOS]}}))
    return env


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
async def test_second_of_two_concurrent_changes_is_refused(staffed_env: EngineEnv, what: str) -> None:
    by, first, second = CASES[what]
    manifests = staffed_env.manifests
    drafts = [
        await manifests.drafted(ROOT, manifest(**first)),
        await manifests.drafted(by, manifest(**second)),
    ]
    await manifests.save(drafts[0])
    with pytest.raises(Conflict) as late:
        await manifests.save(drafts[1])
    assert late.value.code == "changed_meanwhile"
    directory = await staffed_env.directory.of(WORKSPACE)
    match what:
        case "a person":
            assert not directory.people[OTTO.id].active
        case "a team":
            assert directory.teams["sre"].members == (ANN.id,)
        case "the workspace":
            assert directory.workspace.protected
    assert (
        len(await staffed_env.store.people.changes(WORKSPACE, 10)) == 2
    )  # the team, and the first of the two


async def test_consecutive_changes_are_both_made(staffed_env: EngineEnv) -> None:
    for change in ({"zone": "Europe/Berlin"}, {"name": "Otto"}, {"addresses": {"email": "o@acme.example"}}):
        await staffed_env.manifests.apply(ROOT, manifest(people={OTTOS: change}))
    otto = (await staffed_env.directory.of(WORKSPACE)).people[OTTO.id]
    assert (otto.zone, otto.name, otto.addresses) == ("Europe/Berlin", "Otto", {"email": "o@acme.example"})


async def test_two_owners_cannot_remove_each_other(staffed_env: EngineEnv) -> None:
    rose = replace(ROOT, id="per_rose", sponsors=("per_rose",))
    manifests = staffed_env.manifests
    drafts = [
        await manifests.drafted(by, manifest(people={f"{whom}@acme.example": {"roles": ["member"]}}))
        for by, whom in ((ROOT, "rose"), (rose, "root"))
    ]
    await manifests.save(drafts[0])
    with pytest.raises(Conflict):
        await manifests.save(drafts[1])
    people = (await staffed_env.directory.of(WORKSPACE)).people.values()
    assert [person.id for person in people if "owner" in person.roles] == ["per_root"]


async def test_one_of_many_concurrent_changes_is_made(staffed_env: EngineEnv) -> None:
    names = [f"Otto {number}" for number in range(5)]
    told = await asyncio.gather(
        *(staffed_env.manifests.apply(ROOT, manifest(people={OTTOS: {"name": name}})) for name in names),
        return_exceptions=True,
    )
    made = [name for name, one in zip(names, told, strict=True) if not isinstance(one, BaseException)]
    assert made == [(await staffed_env.directory.of(WORKSPACE)).people[OTTO.id].name]
    assert sum(isinstance(one, Conflict) for one in told) == 4
