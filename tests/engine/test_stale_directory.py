"""A server with an outdated directory does not overwrite what another server changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import Conflict, Forbidden, Unauthenticated
from signoff.core.formats.manifest import compile_manifest
from signoff.core.intent.commands import Answer, Cancel, Delegate
from signoff.core.intent.model import Status
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Stage, Strength, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.engine.commit.jobs import Outdated
from tests.builders import ANN, OTTO, RITA, SERVICE, WORKSPACE
from tests.conftest import delete_rows
from tests.engine.engine_env import ROOT, EngineEnv, open_engine_env, settle

SERVICE_OF_NOBODY = replace(SERVICE, sponsors=())


async def apply(env: EngineEnv, who: str = "ann", **said: Any) -> None:
    await env.manifests.apply(ROOT, compile_manifest({"people": {f"{who}@acme.example": said}}))


async def test_stale_server_does_not_reactivate_a_deactivated_person(
    postgres_url: str, clock: FixedClock
) -> None:
    here, there = [await open_engine_env(postgres_url, clock) for _ in range(2)]
    try:
        await delete_rows(here.store)
        await settle(here, people=(ANN, OTTO))
        assert (
            (await there.directory.of(WORKSPACE)).people[ANN.id].active
        )  # it hears of nothing, and believes it
        await apply(here, active=False)
        with pytest.raises(Conflict) as told:
            await apply(there, zone="Europe/Berlin")
        assert told.value.code == "changed_meanwhile"
        await apply(there, zone="Europe/Berlin")
        person = await here.store.directory.person(ANN.id)
        assert person is not None
        assert (person.active, person.zone) == (False, "Europe/Berlin")
        last, first = await here.store.people.changes(WORKSPACE, 9)
        assert (last.before, last.number) == (first.after, 2)
    finally:
        await here.store.close()
        await there.store.close()


async def test_unrelated_change_on_another_server_is_seen_and_does_not_conflict(
    postgres_url: str, clock: FixedClock
) -> None:
    here, there = [await open_engine_env(postgres_url, clock) for _ in range(2)]
    try:
        await delete_rows(here.store)
        await settle(here, people=(ANN, OTTO))
        await there.directory.of(WORKSPACE)
        for who in ("ann", "otto"):
            await apply(here, who, roles=["admin", "approver"])
        await here.manifests.apply(ROOT, compile_manifest({"workspace": {"protected": True}}))
        with pytest.raises(Conflict) as held_up:  # it does not know yet that the workspace is protected
            await apply(there, "new", roles=["approver"])
        assert held_up.value.code == "confirmation_needed"
        await apply(here, zone="Europe/Berlin")
        await apply(there, "new", roles=["member"])
    finally:
        await here.store.close()
        await there.store.close()


@asynccontextmanager
async def pair(url: str, clock: FixedClock) -> AsyncIterator[tuple[EngineEnv, EngineEnv]]:
    """Two servers that receive none of each other's announcements."""
    here, there = [await open_engine_env(url, clock) for _ in range(2)]
    try:
        await delete_rows(here.store)
        await settle(here, people=(ANN, OTTO, RITA))
        async with here.running(), there.running():
            yield here, there
    finally:
        await here.store.close()
        await there.store.close()


async def asked(env: EngineEnv, *approvers: str, need: int = 1) -> str:
    """The id of a request that asks these people and was made by none of them."""
    stage = Stage(approvers, need)
    step = HumanStep(id="ask", task=TaskSpec(title="Run it?", stages=(stage,), strength=Strength.LINK))
    intent = await env.submit(Plan((step,)), by=SERVICE_OF_NOBODY)
    return intent.id


async def known(env: EngineEnv, actor: Actor) -> Actor:
    """The person in this server's directory, which may be outdated."""
    found = await env.keys.person(WORKSPACE, actor.id, "api")
    assert found is not None
    return found


YES = Answer("approved")


async def test_person_deactivated_on_one_server_decides_nothing_on_another(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        task = await asked(here, "ann@acme.example")
        ann = await known(there, ANN)
        await apply(here, active=False)
        with pytest.raises(Unauthenticated):
            await there.do(task, YES, ann)
        assert await there.happened(task) == ["Created", "TaskOpened"]


async def test_member_removed_from_a_team_on_one_server_decides_nothing_on_another(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        await team(here, "ann", "otto")
        task = await asked(here, "team:sre")
        there.directory.forget(WORKSPACE)
        ann = await known(there, ANN)
        await team(here, "otto")
        with pytest.raises(Forbidden) as told:
            await there.do(task, YES, ann)
        assert told.value.code == "not_an_approver"
        await there.do(task, YES, await known(there, OTTO))
        assert (await here.intent(task)).status is Status.COMPLETED


async def test_vote_of_a_person_deactivated_elsewhere_is_not_counted_with_the_next(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        await team(here, "ann", "otto", "rita")
        task = await asked(here, "team:sre", need=2)
        there.directory.forget(WORKSPACE)
        await there.do(task, YES, await known(there, ANN))
        await team(here, "otto", "rita")
        await there.do(task, YES, await known(there, OTTO))
        assert (await here.intent(task)).ending is None


async def test_key_revoked_on_one_server_decides_nothing_on_another(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        task = await asked(here, "ann@acme.example")
        made = await here.keys.create(WORKSPACE, ActorKind.PERSON, ANN.id)
        ann = await there.keys.authenticate(made.secret, "api")
        await here.keys.revoke(WORKSPACE, made.key.id)
        with pytest.raises(Unauthenticated) as told:
            await there.do(task, YES, ann)
        assert told.value.code == "key_revoked"


async def test_actor_older_than_the_directory_is_authenticated_again(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        await apply(here, roles=["admin"])
        task = await asked(here, "otto@acme.example")
        made = await here.keys.create(WORKSPACE, ActorKind.PERSON, ANN.id)
        there.directory.outdated(WORKSPACE)
        ann = await there.keys.authenticate(made.secret, "api")
        await apply(here, roles=["member"])
        there.directory.forget(WORKSPACE)  # read anew, while what the key means is still remembered
        with pytest.raises(Forbidden):
            await there.do(task, Cancel("no need"), ann)
        assert (await here.intent(task)).ending is None


async def test_delegate_of_a_former_approver_cannot_answer(postgres_url: str, clock: FixedClock) -> None:
    async with pair(postgres_url, clock) as (here, _):
        await team(here, "ann", "rita")
        task = await asked(here, "team:sre")
        await here.do(task, Delegate(OTTO.id), await known(here, ANN))
        await team(here, "rita")
        with pytest.raises(Forbidden) as told:  # recorded, it would count for nothing
            await here.do(task, YES, await known(here, OTTO))
        assert told.value.code == "not_an_approver"


async def test_plan_from_a_stale_directory_is_refused_as_outdated(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        await team(here, "ann", "otto")
        there.directory.forget(WORKSPACE)
        directory = await there.directory.of(WORKSPACE)
        await team(here, "otto")
        plan = Plan((HumanStep(id="ask", task=TaskSpec(title="Run it?", stages=(Stage(("team:sre",)),))),))
        with pytest.raises(Outdated):  # planned by what was so before: whoever asked plans it anew
            await there.submit(plan, by=SERVICE_OF_NOBODY, directory=directory)
        assert (await there.directory.of(WORKSPACE)).teams["sre"].members == (OTTO.id,)


async def team(env: EngineEnv, *members: str) -> None:
    people = [f"{name}@acme.example" for name in members]
    await env.manifests.apply(ROOT, compile_manifest({"teams": {"sre": {"members": people}}}))


async def test_unchanged_change_number_keeps_the_directory_snapshot(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        before = await there.directory.of(WORKSPACE)
        there.directory._held[WORKSPACE] = (float("-inf"), before)  # longer ago than it is believed
        assert await there.directory.of(WORKSPACE) is before
        await apply(here, name="Annabel")  # there hears nothing of it
        assert (await there.directory.of(WORKSPACE)).people[ANN.id].name != "Annabel"
        there.directory._held[WORKSPACE] = (float("-inf"), before)
        after = await there.directory.of(WORKSPACE)
        assert (after.people[ANN.id].name, after.workspace.last_change) == (
            "Annabel",
            before.workspace.last_change + 1,
        )
