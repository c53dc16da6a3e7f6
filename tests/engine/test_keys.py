"""Keys: whose they are and what ends them; an invalid key reveals nothing."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Person
from signoff.core.errors import Forbidden, NotFound, Unauthenticated
from signoff.engine.clock import FixedClock
from signoff.engine.identity.keys import NewKey, _checksum
from tests.builders import ANN, OTTO, WORKSPACE
from tests.conftest import delete_rows
from tests.engine.engine_env import ROOT, EngineEnv, open_engine_env, settle
from tests.on_loop import on_the_loop

HOUR = timedelta(hours=1)


async def refusal(env: EngineEnv, secret: str) -> str:
    """The error code for this secret."""
    with pytest.raises(Unauthenticated) as refused:
        await env.keys.authenticate(secret, "api")
    assert secret not in str(refused.value) or not secret
    return refused.value.code


async def anns(env: EngineEnv, life: timedelta | None = None) -> NewKey:
    return await env.keys.create(WORKSPACE, ActorKind.PERSON, ANN.id, ANN.id, life)


async def test_key_authenticates_its_person_with_roles_and_entries(env: EngineEnv) -> None:
    await settle(env)
    actor = await env.keys.authenticate((await anns(env)).secret, "cli")
    assert (actor.kind, actor.id, actor.via, actor.roles) == (ActorKind.PERSON, ANN.id, "cli", ANN.roles)
    assert {"ann@acme.example", "role:approver", ANN.id} <= actor.names
    assert actor.sponsors == (ANN.id,)


async def test_key_of_an_agent_authenticates_its_address_and_names_its_creator(env: EngineEnv) -> None:
    await settle(env)
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "checker")
    actor = await env.keys.authenticate((await env.accounts.add_key(ROOT, account)).secret, "api")
    assert (actor.kind, actor.address) == (ActorKind.AGENT, "agent://acme/prod/checker")
    assert actor.sponsors == (ROOT.id,)
    assert actor.roles == frozenset()


async def test_only_the_hash_of_a_key_is_stored(env: EngineEnv) -> None:
    await settle(env)
    made = await anns(env)
    stored = await env.store.directory.key(made.key.id)
    assert stored is not None
    secret_part = made.secret.split("_")[3]
    assert not any(secret_part in str(value) for value in (stored.id, stored.hash, stored.hint))


async def test_malformed_key_is_refused_without_a_query(env: EngineEnv) -> None:
    await settle(env)
    good = (await anns(env)).secret
    await env.store.close()  # an answer that needs the database would now be a Busy
    body, last = good[:-1], good[-1]
    for secret in (
        "", "sgn", "sgn_person", good[4:], good + "x", body, body + ("a" if last != "a" else "b"),
        good.replace("sgn_", "axk_"), good.replace("person", "persom"), good.upper(), good + "\x00", "ä" * 80,
        "\ud800" + good, "_" * 100, "sgn_person_" + "A" * 500,
    ):  # fmt: skip
        assert await refusal(env, secret) == "invalid_platform_api_key"


async def test_well_formed_unknown_key_is_refused(env: EngineEnv) -> None:
    await settle(env)
    made = await anns(env)
    stranger = "sgn_person_" + "A" * 12 + "_" + "B" * 43
    borrowed = made.secret[:-49] + "C" * 43  # the id of a real key, another secret
    for body in (stranger, borrowed):
        assert await refusal(env, body + _checksum(body)) == "invalid_platform_api_key"
    assert (await env.keys.authenticate(made.secret, "api")).id == ANN.id


async def test_key_expires_on_time_while_it_is_in_use(env: EngineEnv, clock: FixedClock) -> None:
    await settle(env)
    secret = (await anns(env, HOUR)).secret
    await env.keys.authenticate(secret, "api")
    clock.move(HOUR - timedelta(seconds=1))
    await env.keys.authenticate(secret, "api")
    clock.move(timedelta(seconds=1))
    assert await refusal(env, secret) == "key_expired"


async def test_revoked_key_ends_at_once_and_revoking_is_idempotent(env: EngineEnv) -> None:
    await settle(env)
    made, other = await anns(env), await anns(env)
    await env.keys.authenticate(made.secret, "api")
    first = await env.keys.revoke(WORKSPACE, made.key.id)
    assert await refusal(env, made.secret) == "key_revoked"
    env.clock.move(HOUR)
    assert (await env.keys.revoke(WORKSPACE, made.key.id)).revoked_at == first.revoked_at
    assert (await env.keys.authenticate(other.secret, "api")).id == ANN.id


async def test_key_revoked_during_its_lookup_is_not_cached_as_valid(env: EngineEnv) -> None:
    await settle(env)
    made = await anns(env)
    for _ in range(20):
        env.keys.forget()
        using = asyncio.create_task(env.keys.authenticate(made.secret, "api"))
        await asyncio.gather(using, env.keys.revoke(WORKSPACE, made.key.id), return_exceptions=True)
        assert await refusal(env, made.secret) == "key_revoked"
        await env.store.write(("update keys set revoked_at = null", {}))


async def test_keys_of_an_account_end_with_it(env: EngineEnv) -> None:
    await settle(env)
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "checker")
    removed = await env.accounts.add_key(ROOT, account)
    await env.keys.authenticate(removed.secret, "api")
    await env.accounts.remove_account(ROOT, account.id)
    assert await refusal(env, removed.secret) == "key_revoked"
    idle, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "idle")
    made = await env.accounts.add_key(ROOT, idle)
    await env.store.people.save([replace(idle, status="suspended")])
    env.directory.changed(WORKSPACE)
    assert await refusal(env, made.secret) == "key_revoked"


async def test_keys_of_another_workspace_cannot_be_seen_or_revoked(env: EngineEnv) -> None:
    await settle(env)
    await settle(env, "globex", "ws_2", (OTTO,))
    made = await env.keys.create("ws_2", ActorKind.PERSON, OTTO.id, OTTO.id)
    for attempt in (env.keys.revoke(WORKSPACE, made.key.id), env.accounts.revoke_key(ROOT, made.key.id)):
        with pytest.raises(NotFound):
            await attempt
    assert (await env.keys.authenticate(made.secret, "api")).workspace == "ws_2"
    assert await env.accounts.keys(ROOT) == []


async def test_service_creates_keys_for_agents_but_none_that_could_decide(env: EngineEnv) -> None:
    await settle(env)
    service = Actor(ActorKind.SERVICE, "sa_ci", WORKSPACE)
    account, _ = await env.accounts.add_account(service, ActorKind.AGENT, "checker")
    assert (await env.accounts.add_key(service, account)).secret.startswith("sgn_agent_")
    person = (await env.store.directory.people(WORKSPACE))[0]
    for attempt in (
        env.accounts.add_key(service, person),
        env.manifests.add_person(service, "eve@acme.example", "Eve", ("owner",)),
        env.accounts.add_account(service, ActorKind.SERVICE, "another"),
    ):
        with pytest.raises(Forbidden):
            await attempt


@pytest.mark.parametrize("kind", [ActorKind.PERSON, ActorKind.AGENT])
async def test_key_of_a_new_person_is_accepted_by_a_server_with_a_stale_directory(
    env: EngineEnv, kind: ActorKind
) -> None:
    await settle(env)
    other = EngineEnv(env.store, env.clock)  # another server, to which no word comes
    await other.directory.of(WORKSPACE)
    if kind is ActorKind.PERSON:
        actor_id = OTTO.id
        otto = Person(OTTO.id, WORKSPACE, "otto@acme.example", "", ("approver",), env.clock.now())
        assert await env.store.directory.add_person(otto)
    else:
        account, _ = await env.accounts.add_account(ROOT, kind, "checker")
        actor_id = account.id
    made = await env.keys.create(WORKSPACE, kind, actor_id)
    assert (await other.keys.authenticate(made.secret, "api")).id == actor_id


async def test_key_of_a_removed_person_reloads_the_directory_once(
    env: EngineEnv,
) -> None:
    await settle(env)
    made = await env.keys.create(WORKSPACE, ActorKind.PERSON, OTTO.id)  # whose row was removed
    assert await refusal(env, made.secret) == "invalid_platform_api_key"
    env.clock.move(timedelta(minutes=1))
    known = await env.directory.of(WORKSPACE)
    assert await refusal(env, made.secret) == "invalid_platform_api_key"
    assert await env.directory.of(WORKSPACE) is known


async def test_revocation_reaches_other_replicas(postgres_url: str, clock: FixedClock) -> None:
    here, there = [await open_engine_env(postgres_url, clock) for _ in range(2)]
    try:
        await delete_rows(here.store)
        await settle(here)
        await there.store.listen(there.feed.hear)
        made = await anns(here)
        await there.keys.authenticate(made.secret, "api")
        announcing = asyncio.create_task(here.feed.run())
        with there.feed.waiting(f"directory:{WORKSPACE}") as waiter:
            await here.keys.revoke(WORKSPACE, made.key.id)
            assert await waiter.wait(60)
        announcing.cancel()
        assert await refusal(there, made.secret) == "key_revoked"
    finally:
        await here.store.close()
        await there.store.close()


async def test_concurrent_requests_read_their_key_once(env: EngineEnv) -> None:
    await settle(env)
    secret = (await anns(env)).secret
    env.keys.forget()

    async def together() -> list[Actor]:
        return await asyncio.gather(*(env.keys.authenticate(secret, "api") for _ in range(20)))

    actors, reads = await on_the_loop(together, "_was_read")
    assert {actor.id for actor in actors} == {ANN.id}
    assert reads == 1


async def test_key_that_changes_while_it_is_read_is_read_again(env: EngineEnv) -> None:
    await settle(env)
    secret = (await anns(env)).secret
    env.keys.forget()

    async def meanwhile() -> None:
        first = asyncio.create_task(env.keys.authenticate(secret, "api"))
        await asyncio.sleep(0)
        env.keys.forget()  # the directory has changed
        await asyncio.gather(first, env.keys.authenticate(secret, "api"))

    _, reads = await on_the_loop(meanwhile, "_was_read")
    assert reads == 2
