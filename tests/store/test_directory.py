"""The directory: rows are read as they were written, and duplicates are refused."""

import asyncio

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Workspace
from signoff.core.errors import Conflict
from signoff.core.plan.plan import AgentStep, Plan
from signoff.store.rows import plan_digest
from signoff.store.store import Store
from signoff.store.tables.change_log import ConcurrentChange
from tests.conftest import NOON
from tests.store.directory_samples import ANN, BOT, KEY, SPACE, workflow
from tests.store.samples import AGENT, PLAN, SECOND, patiently

CI = replace(BOT, id="sa_ci", kind="service", name="ci", slug="ci", address="", delivery_mode="poll")


@pytest.fixture
async def directory(store: Store) -> Store:
    assert await store.directory.add_workspace(SPACE)
    return store


async def test_workspace_is_stored_and_changed(directory: Store) -> None:
    there = directory.directory
    assert not await there.add_workspace(replace(SPACE, id="wsp_9"))
    assert await there.workspace("wsp_1") == SPACE
    assert await there.workspace("wsp_9") is None
    await directory.people.save([replace(SPACE, self_approval=False)])
    assert await there.workspaces() == [replace(SPACE, self_approval=False)]


async def test_one_of_several_concurrent_renames_gets_the_organization(directory: Store) -> None:
    spaces = [replace(SPACE, id=f"wsp_{number}", organization=f"org-{number}") for number in range(2, 8)]
    for one in spaces:
        assert await directory.directory.add_workspace(one)

    async def move(space: Workspace) -> None:
        after = replace(space, organization="new", name=space.id, former=(space.full_name,))
        await patiently(lambda: directory.people.save([after], named=after, enters="new"))

    await asyncio.gather(*(directory.people.save([one]) for one in spaces))  # each has its connection
    moved = await asyncio.gather(*(move(one) for one in spaces), return_exceptions=True)
    assert sorted(type(one).__name__ for one in moved) == [*["ConcurrentChange"] * 5, "NoneType"]


async def test_former_name_of_a_workspace_is_reserved_at_the_commit(directory: Store) -> None:
    moved = replace(SPACE, organization="new", former=(SPACE.full_name,))
    other = replace(SPACE, id="wsp_2", organization="other")
    assert await directory.directory.add_workspace(other)
    await directory.people.save([moved], named=moved, enters="new")
    taken = replace(other, organization=SPACE.organization, name=SPACE.name)
    with pytest.raises(ConcurrentChange):
        await directory.people.save([taken], named=taken)
    with pytest.raises(ConcurrentChange):
        await directory.people.save([], new=replace(taken, id="wsp_3"))
    free = replace(taken, name="free")
    for organization in ("new", SPACE.organization):  # where one is, and where one was
        into = replace(free, organization=organization)
        with pytest.raises(ConcurrentChange):
            await directory.people.save([into], named=into, enters=organization)
    await directory.people.save([free], named=free)  # it returns
    await directory.people.save([], new=replace(free, id="wsp_3", name="newest"))
    assert sorted(one.name for one in await directory.directory.workspaces()) == ["default", "free", "newest"]


async def test_person_is_stored_and_changed(directory: Store) -> None:
    there = directory.directory
    assert await there.add_person(ANN)
    assert not await there.add_person(replace(ANN, id="per_2"))
    assert await there.person("per_ann") == ANN
    assert await there.person_by_email("wsp_1", ANN.email) == ANN
    assert await there.person_by_email("wsp_2", ANN.email) is None
    changed = replace(ANN, name="Ann B.", roles=())
    await directory.people.save([changed])
    assert await there.people("wsp_1") == [changed]
    assert await there.people("wsp_2") == []


async def test_accounts_are_stored_and_changed(directory: Store) -> None:
    there = directory.directory
    assert await there.add_account(BOT)
    assert await there.add_account(CI)
    assert not await there.add_account(replace(BOT, id="sa_2", address="agent://local/default/two"))
    assert not await there.add_account(replace(BOT, id="sa_2", name="validator bot"))
    assert await there.add_account(replace(CI, id="sa_3", name="cd"))  # services have no address to clash
    assert await there.account("sa_bot") == BOT
    assert await there.account_by_name("wsp_1", "agent", "Validator Bot") == BOT
    assert await there.account_by_name("wsp_1", "service", "Validator Bot") is None
    assert [it.name for it in await there.accounts("wsp_1")] == ["Validator Bot", "cd", "ci"]
    assert await there.accounts("wsp_1", "agent") == [BOT]
    changed = replace(
        BOT,
        status="suspended",
        delivery_mode="http",
        callback_url="https://x",
        updated_at=NOON + SECOND,
        behind={"registered": ("per_ann",), "callback": ("per_otto", "per_ann")},
    )
    await directory.people.save([changed])
    assert await there.account("sa_bot") == changed


async def test_keys_are_stored_and_revoked(directory: Store) -> None:
    there = directory.directory
    later = replace(KEY, id="sak_2", actor_id="per_ann", expires_at=NOON + SECOND, created_at=NOON + SECOND)
    await directory.people.save([KEY, later])
    assert await there.keys("wsp_1") == [KEY, later]
    assert await there.keys("wsp_1", "per_ann") == [later]
    await directory.people.save([replace(KEY, revoked_at=NOON, sponsors=("per_ann", "per_otto"))])
    assert await there.key("sak_1") == replace(KEY, revoked_at=NOON, sponsors=("per_ann", "per_otto"))
    assert await there.key("sak_9") is None


async def test_workflow_versions_are_kept_and_the_latest_applies(directory: Store) -> None:
    there = directory.directory
    other = Plan(steps=(AgentStep(id="other", agent=AGENT),))
    await directory.people.save([workflow(1), workflow(1, type="intent.b.v1")], [PLAN])
    await directory.people.save([workflow(2, other)], [other])
    with pytest.raises(Conflict) as refused:
        await directory.people.save([workflow(2)], [PLAN])
    assert refused.value.code == "changed_meanwhile"
    assert await there.workflow("wsp_1", "intent.a.v1") == workflow(2, other)
    assert await there.workflow("wsp_2", "intent.a.v1") is None
    assert await there.workflows("wsp_1") == [workflow(2, other), workflow(1, type="intent.b.v1")]
    assert await directory.read(
        "select version from workflows where intent_type = 'intent.a.v1' order by 1"
    ) == [
        (1,),
        (2,),
    ]


async def test_plan_is_stored_under_its_digest(directory: Store) -> None:
    for _ in range(2):
        await directory.people.save([], [PLAN])
    assert await directory.directory.get_plan(plan_digest(PLAN)) == PLAN
    assert await directory.directory.get_plan("0" * 64) is None
