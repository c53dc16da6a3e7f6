"""Killing and resuming agents, on both databases and two servers: a killed agent gets no work and cannot report
results, even on a server with an outdated directory.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Account
from signoff.core.errors import Conflict, Forbidden, NotFound
from signoff.core.intent import commands as c
from signoff.core.intent.model import Delivery, DeliveryState, Intent, Status
from signoff.core.plan.plan import Plan
from signoff.engine.clock import FixedClock
from signoff.engine.commit.jobs import Outdated
from tests.builders import ANN, approve, gate, validate
from tests.engine.engine_env import ROOT, EngineEnv, settle, submission
from tests.engine.test_stale_directory import pair


async def agent(env: EngineEnv, name: str = "validator") -> tuple[Account, Actor]:
    """An agent, and the actor of its key."""
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, name)
    key = await env.keys.create(ROOT.workspace, ActorKind.AGENT, account.id, ROOT.id, by=ROOT)
    return account, await env.keys.authenticate(key.secret, "api")


def plan_for(account: Account, **step: int) -> Plan:
    return gate(validate(agent=account.address, **step), approve())


def held(intent: Intent) -> Delivery:
    assert isinstance(intent.open, Delivery)
    return intent.open


async def test_killed_agent_claims_nothing_until_it_is_resumed(env: EngineEnv) -> None:
    await settle(env)
    account, actor = await agent(env)
    other, _ = await agent(env, "other")
    first, second = [await env.submit(plan_for(account)) for _ in range(2)]
    killed = await env.kill_switch.kill(ROOT, account.id)
    assert (killed.killed_at, killed.killed_by) == (env.clock.now(), ROOT.id)
    assert await env.claim(actor, limit=9) == []
    assert await env.claim(replace(ROOT, address=account.address), limit=9) == [], "nor an admin in its place"
    again = await env.kill_switch.kill(replace(ROOT, id=ANN.id), account.id)
    assert (again.killed_at, again.killed_by) == (killed.killed_at, ROOT.id), "the first kill stands"
    resumed = await env.kill_switch.resume(ROOT, account.id)
    assert (resumed.killed_at, resumed.killed_by) == (None, "")
    assert await env.kill_switch.resume(ROOT, other.id) == other
    assert {change.after.id for change in await env.claim(actor, limit=9)} == {first.id, second.id}
    log = await env.store.people.changes(ROOT.workspace, 9)
    states = [(one.before, one.after) for one in log if one.kind == "agent" and one.name == account.address]
    assert len(states) == 3, "registered, killed, resumed"
    assert '"status":"killed"' in states[1][1]
    assert '"status":"killed"' in states[0][0]
    assert '"status":"active"' in states[0][1]
    trick = replace(ROOT, id="per_trick")
    await env.accounts.update_account(trick, account.id, description='{"status":"killed"}')
    for wanted, times in ((True, 1), (False, 1), (None, 2)):
        events = await env.kill_switch.events(ROOT, 9, wanted)
        assert [one.actor_id for one in events] == [ROOT.id] * times
    assert [one.after for one in await env.kill_switch.events(ROOT, 1, None)] == [states[0][1]]


@pytest.mark.parametrize("max_attempts", [1, 3])
async def test_held_delivery_of_a_killed_agent_fails_and_its_result_is_refused(
    env: EngineEnv, max_attempts: int
) -> None:
    await settle(env)
    account, actor = await agent(env)
    intent = await env.submit(plan_for(account, max_attempts=max_attempts))
    [taken] = await env.claim(actor)
    token = held(taken.after).token
    await env.kill_switch.kill(ROOT, account.id)
    facts = await env.happened(intent.id)
    if max_attempts == 1:
        assert facts[-2:] == ["AttemptFailed", "Failed"], "a step that may not run twice is not run twice"
        assert (await env.intent(intent.id)).status is Status.FAILED
        return
    assert facts[-1] == "AttemptFailed"
    with pytest.raises(Forbidden) as refused:
        await env.do(intent.id, c.Report(1, token), replace(actor, killed_at=env.clock.now()))
    assert refused.value.code == "agent_killed"
    await env.pass_time(timedelta(minutes=1))
    assert held(await env.intent(intent.id)).state is DeliveryState.OFFERED
    assert await env.claim(actor) == []
    await env.kill_switch.resume(ROOT, account.id)
    fresh = await env.keys.authenticate(
        (await env.keys.create(ROOT.workspace, ActorKind.AGENT, account.id, ROOT.id, by=ROOT)).secret, "api"
    )
    with pytest.raises(Conflict) as stale:
        await env.do(intent.id, c.Report(1, token), fresh)
    assert stale.value.code == "stale_delivery"
    [change] = await env.claim(fresh)
    assert held(change.after).attempt == 2
    assert await env.findings() == []


async def test_only_owners_and_admins_kill_an_agent(env: EngineEnv) -> None:
    await settle(env)
    account, actor = await agent(env)
    person = replace(ROOT, roles=frozenset({"approver", "member"}))
    for who in (person, actor, Actor(ActorKind.SERVICE, "sa_x", ROOT.workspace)):
        for act in (env.kill_switch.kill, env.kill_switch.resume):
            with pytest.raises(Forbidden) as refused:
                await act(who, account.id)
            assert refused.value.code == "admin_required"
    service, _ = await env.accounts.add_account(ROOT, ActorKind.SERVICE, "ci")
    for id in (service.id, "sa_none"):
        with pytest.raises(NotFound):
            await env.kill_switch.kill(ROOT, id)
    assert (await env.accounts.account(ROOT, account.id)).killed_at is None


async def test_registering_a_killed_agent_again_does_not_resume_it(env: EngineEnv) -> None:
    await settle(env)
    service, _ = await env.accounts.add_account(ROOT, ActorKind.SERVICE, "ci")
    ci = Actor(ActorKind.SERVICE, service.id, ROOT.workspace)
    account, _ = await env.accounts.add_account(ci, ActorKind.AGENT, "mine")
    await env.kill_switch.kill(ROOT, account.id)
    await env.accounts.update_account(ci, account.id, display_name="Mine")
    with pytest.raises(Forbidden) as refusal:
        await env.accounts.remove_account(ci, account.id)
    assert refusal.value.code == "admin_required"
    await env.accounts.remove_account(ROOT, account.id)
    again, created = await env.accounts.add_account(ci, ActorKind.AGENT, "mine")
    assert (created, again.id) == (True, account.id)
    assert again.killed_at is not None
    with pytest.raises(Forbidden):
        await env.kill_switch.resume(ci, again.id)


async def test_kill_applies_at_once_on_a_server_with_a_stale_directory(
    postgres_url: str, clock: FixedClock
) -> None:
    async with pair(postgres_url, clock) as (here, there):
        account, actor = await agent(here)
        intent = await here.submit(plan_for(account, max_attempts=3))
        [taken] = await there.claim(actor)
        token = held(taken.after).token
        waiting = await here.submit(plan_for(account))
        assert (await there.directory.of(ROOT.workspace)).accounts[account.id].killed_at is None
        await here.kill_switch.kill(ROOT, account.id)
        assert (await there.directory.of(ROOT.workspace)).accounts[account.id].killed_at is None
        assert await there.claim(actor) == []
        for command in (c.Report(1, token), c.Report(), c.Cancel()):
            with pytest.raises(Forbidden) as refused:
                await there.do(intent.id, command, actor)
            assert refused.value.code == "agent_killed"
        known = await there.directory.of(ROOT.workspace)
        with pytest.raises(Outdated):  # the web layer plans it again, with the agent as it is now
            await there.engine.submit(actor, submission(plan_for(account), directory=known))
        assert await here.happened(waiting.id) == ["Created", "Offered"]


async def test_claim_that_missed_the_kill_is_recalled_on_resume(postgres_url: str, clock: FixedClock) -> None:
    async with pair(postgres_url, clock) as (here, there):
        account, actor = await agent(here)
        intent = await here.submit(plan_for(account, max_attempts=3))
        await here.kill_switch.kill(ROOT, account.id)
        # as a claim that began before the kill and was committed after it
        taken = await there.do(intent.id, c.Claim("late"), replace(actor, as_of=None))
        token = held(taken.after).token
        await here.kill_switch.resume(ROOT, account.id)
        with pytest.raises(Conflict) as stale:
            await here.do(intent.id, c.Report(1, token), replace(actor, as_of=None))
        assert stale.value.code == "stale_delivery"
