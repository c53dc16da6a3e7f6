"""The first start creates exactly one owner, even if it is interrupted or several servers start at once."""

import asyncio
import fcntl
import json
import os
from pathlib import Path

import pytest

from signoff.bootstrap import FirstNames, bootstrap, resume
from signoff.config import Config
from signoff.core.directory.model import Workspace
from signoff.core.errors import Invalid, Refused
from signoff.engine.clock import FixedClock
from tests.builders import START
from tests.engine.engine_env import EngineEnv, open_engine_env


async def env_at(url: str) -> EngineEnv:
    return await open_engine_env(url, FixedClock(START))


async def begin(env: EngineEnv, folder: Path, organization: str = "", workspace: str = "") -> Path | None:
    return await bootstrap(
        env.store, env.keys, env.clock, folder, "http://here", FirstNames(organization, workspace)
    )


async def test_first_start_that_was_killed_is_resumed(tmp_path: Path) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    half = Workspace("00000000-0000-7000-8000-000000000001", "local", "default", True, START)
    assert await env.store.directory.add_workspace(half)
    written = await begin(env, tmp_path)
    assert written is not None
    owner = await env.keys.authenticate(json.loads(written.read_text())["api_key"], "api")
    assert owner.roles == {"owner"}
    assert await begin(env, tmp_path) is None
    await env.store.close()


async def test_database_that_was_set_up_otherwise_is_left_unchanged(tmp_path: Path) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    assert await env.store.directory.add_workspace(Workspace("ws_1", "acme", "prod", False, START))
    assert await begin(env, tmp_path) is None
    assert [space.name for space in await env.store.directory.workspaces()] == ["prod"]
    await env.store.close()


async def test_one_of_several_servers_that_start_at_once_creates_the_owner(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    servers = await asyncio.gather(*(env_at(empty_postgres_url) for _ in range(3)))
    written = await asyncio.gather(*(begin(env, tmp_path / str(n)) for n, env in enumerate(servers)))
    assert len([path for path in written if path is not None]) == 1
    [space] = await servers[0].store.directory.workspaces()
    assert len(await servers[0].store.directory.people(space.id)) == 1
    for env in servers:
        await env.store.close()


async def test_servers_that_start_at_once_create_one_key(empty_postgres_url: str, tmp_path: Path) -> None:
    """Each server has its own folder, in which it could resume an interrupted first start."""
    servers = await asyncio.gather(*(env_at(empty_postgres_url) for _ in range(4)))

    async def start(number: int, env: EngineEnv) -> Path | None:
        folder = tmp_path / str(number)
        written = await begin(env, folder)
        resumed = await resume(env.store, env.keys, env.clock, folder, "http://here")
        return written or resumed

    written = await asyncio.gather(*(start(number, env) for number, env in enumerate(servers)))
    assert len([path for path in written if path is not None]) == 1
    [space] = await servers[0].store.directory.workspaces()
    assert len(await servers[0].store.directory.keys(space.id)) == 1
    assert len(list(tmp_path.glob("*/*credentials*"))) == 1, "no draft is left"
    for env in servers:
        await env.store.close()


async def test_servers_that_start_at_once_on_one_folder_leave_a_valid_key(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    """Containers with a shared volume, whose servers all have the same process id."""
    servers = await asyncio.gather(*(env_at(empty_postgres_url) for _ in range(4)))

    async def start(env: EngineEnv) -> None:
        await begin(env, tmp_path)
        await resume(env.store, env.keys, env.clock, tmp_path, "http://here")

    await asyncio.gather(*map(start, servers))
    said = json.loads((tmp_path / "credentials.json").read_text())
    owner = await servers[0].keys.authenticate(said["api_key"], "api")
    assert owner.roles == {"owner"}
    assert len(await servers[0].store.directory.keys(owner.workspace)) == 1
    for env in servers:
        await env.store.close()


async def test_server_waits_for_the_first_start_of_another_on_the_same_folder(
    tmp_path: Path,
) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    draft = tmp_path / ".credentials.json.1"
    draft.write_text(json.dumps({"api_key": "sgn_person_not_saved_yet"}))
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    second = asyncio.create_task(resume(env.store, env.keys, env.clock, tmp_path, "http://here"))
    ended, _ = await asyncio.wait({second}, timeout=0.3)
    assert not ended
    assert draft.exists(), "the other server's draft is not taken for one of an interrupted start"
    os.close(held)
    assert await second is None
    assert not draft.exists()
    await env.store.close()


async def test_owner_and_key_are_created_in_one_commit(tmp_path: Path) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    written = await begin(env, tmp_path)
    [space] = await env.store.directory.workspaces()
    assert written is not None
    log = await env.store.people.changes(space.id, limit=10)
    assert [(change.kind, change.number) for change in log] == [("key", 2), ("person", 1)]
    for draft in (".credentials.json.1", ".credentials.json.2"):
        (tmp_path / draft).write_text(json.dumps({"api_key": "sgn_person_of_a_start_that_lost"}))
    assert await resume(env.store, env.keys, env.clock, tmp_path, "http://here") is None
    assert list(tmp_path.glob(".credentials*")) == []
    await env.store.close()


async def test_first_start_uses_the_configured_owner(tmp_path: Path) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    written = await bootstrap(
        env.store, env.keys, env.clock, tmp_path, "http://here", FirstNames(owner="Ann@Acme.example")
    )
    assert written is not None
    assert json.loads(written.read_text())["person"] == "ann@acme.example"
    [space] = await env.store.directory.workspaces()
    [owner] = await env.store.directory.people(space.id)
    assert (owner.email, owner.roles) == ("ann@acme.example", ("owner",))
    again = await bootstrap(
        env.store, env.keys, env.clock, tmp_path, "http://here", FirstNames(owner="bob@acme.example")
    )
    assert again is None
    assert [person.email for person in await env.store.directory.people(space.id)] == ["ann@acme.example"]
    await env.store.close()


async def test_servers_that_start_at_once_with_different_owners_create_one(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    servers = await asyncio.gather(*(env_at(empty_postgres_url) for _ in range(3)))
    written = await asyncio.gather(
        *(
            bootstrap(
                env.store,
                env.keys,
                env.clock,
                tmp_path / str(n),
                "http://here",
                FirstNames(owner=f"o{n}@acme.example"),
            )
            for n, env in enumerate(servers)
        )
    )
    assert len([path for path in written if path is not None]) == 1
    [space] = await servers[0].store.directory.workspaces()
    assert len(await servers[0].store.directory.people(space.id)) == 1
    for env in servers:
        await env.store.close()


@pytest.mark.parametrize("address", ["ann", "ann@", "@acme.example", "ann@acme.example bob@acme.example"])
def test_owner_without_a_mailbox_is_refused(address: str) -> None:
    with pytest.raises(Invalid) as refused:
        Config(owner=address)
    assert refused.value.field == "owner"


async def test_first_start_uses_the_configured_organization_and_workspace(tmp_path: Path) -> None:
    env = await env_at(f"sqlite:///{tmp_path}/own.db")
    written = await begin(env, tmp_path, "acme", "prod")
    assert written is not None
    said = json.loads(written.read_text())
    assert (said["organization"], said["workspace"]) == ("acme", "prod")
    [space] = await env.store.directory.workspaces()
    assert (space.organization, space.name) == ("acme", "prod")
    assert await begin(env, tmp_path, "acme", "prod") is None, "said again, it changes nothing"
    assert await begin(env, tmp_path) is None
    for organization, workspace in (("other", ""), ("", "test"), ("other", "prod")):
        with pytest.raises(Refused, match="acme/prod") as refused:
            await begin(env, tmp_path, organization, workspace)
        assert refused.value.code == "workspace_named"
    await env.store.close()


@pytest.mark.parametrize("name", ["Acme", "a/b", "-a", "a-", "a b", "a" * 64, "ä", "agent://x"])
def test_name_that_is_not_valid_in_an_address_is_refused(name: str) -> None:
    for setting in ("organization", "workspace"):
        with pytest.raises(Invalid) as refused:
            Config(**{setting: name})  # type: ignore[arg-type]
        assert refused.value.field == setting
