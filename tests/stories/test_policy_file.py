"""``signoff up --manifest``: the file is in force before the first response; an invalid one prevents the start."""

import json
from pathlib import Path
from typing import Any

import pytest

from signoff.config import Config
from signoff.core.errors import Invalid
from signoff.engine.clock import Clock
from signoff.serving import running
from signoff.store.opening import open_store
from tests.conftest import delete_rows
from tests.stories.starts import refused_start

GOOD = """\
people:
  dora@acme.example: {name: Dora, zone: Europe/Berlin}
  bob@acme.example: {name: Bob}
teams:
  dba: {members: [dora@acme.example, bob@acme.example]}
policies:
  prod.change:
    approve:
      - any: [team:dba]
        need: 2
workflows:
  - workflow: migrate
    intent_type: migrate.v1
    steps:
      - {id: check, agent: checker}
      - {id: ok, human: {policy: prod.change}}
"""


def config(folder: Path, text: str, name: str = "signoff.yaml", **more: Any) -> Config:
    (folder / name).write_text(text)
    return Config(
        port=0, data=folder / "data", manifest=str(folder / name), console_notifications=False, **more
    )


def quiet(line: str) -> None:
    """Discard a line of the server's output."""


async def changes(database: str) -> list[tuple[str, str, str, str]]:
    """(actor kind, via, kind, name) of every change after those of a first start, oldest first."""
    store = open_store(database, wall=Clock().wall)
    await store.open()
    try:
        [space] = await store.directory.workspaces()
        found = await store.people.changes(space.id, 100)
        return [
            (one.actor_kind, one.via, one.kind, one.name) for one in reversed(found) if one.via != "system"
        ]
    finally:
        await store.close()


async def test_manifest_applies_before_the_first_response_and_a_second_start_changes_nothing(
    tmp_path: Path,
) -> None:
    settings = config(tmp_path, GOOD)
    async with running(settings, quiet) as server:
        [space] = await server.store.directory.workspaces()
        directory = await server.directory.of(space.id)
        assert directory.policies["prod.change"].name == "prod.change@1"
        assert directory.workflows["migrate.v1"].name == "migrate"
        assert "checker" in directory.by_name
    wanted = [
        ("person", "dora@acme.example"),
        ("person", "bob@acme.example"),
        ("team", "dba"),
        ("policy", "prod.change"),
        ("workflow", "migrate.v1"),
        ("agent", "agent://local/default/checker"),
    ]
    recorded = await changes(settings.database)
    assert recorded == [("system", "file", kind, name) for kind, name in wanted]
    async with running(settings, quiet):
        pass
    assert await changes(settings.database) == recorded
    async with running(config(tmp_path, GOOD.replace("need: 2", "need: 1")), quiet) as server:
        directory = await server.directory.of(space.id)
        assert directory.policies["prod.change"].name == "prod.change@2"
    assert (await changes(settings.database))[-1] == ("system", "file", "policy", "prod.change")


async def test_replicas_that_start_at_once_apply_the_manifest_once(tmp_path: Path, store_url: str) -> None:
    store = open_store(store_url, wall=Clock().wall)
    await store.open()
    await delete_rows(store)
    await store.close()
    settings = [config(tmp_path, GOOD, database=store_url) for _ in range(2)]
    if store_url.startswith("sqlite"):
        settings = settings[:1]  # one server a file
    starting = [running(one, quiet) for one in settings]
    servers = [await one.__aenter__() for one in starting]
    try:
        [space] = await servers[0].store.directory.workspaces()
        found = await servers[0].store.people.changes(space.id, 100)
        assert len([one for one in found if one.via == "file"]) == 6
    finally:
        for one in starting:
            await one.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("wrong", "right", "line", "reason"),
    [
        ("need: 2", "ned: 2", 10, "Did you mean 'need'?"),
        ("need: 2", "need: 3", 9, "3 different people are needed, and there are 2 (team:dba)"),
        ("team:dba]", "team:dbs]", 9, "there is no team 'dbs'"),
        ("[dora@acme.example,", "[dorra@acme.example,", 5, "there is no person 'dorra@acme.example'"),
        ("zone: Europe/Berlin", "zone: Europe/Berlni", 2, "is not a time zone"),
        ("policy: prod.change", "policy: prod.chnage", 16, "there is no policy 'prod.chnage'"),
        ("id: ok, human", "id: ok, humn", 16, "has no agent, human, delay or notify"),
        ("people:", "peple:", 1, "peple"),
    ],
)
async def test_invalid_manifest_refuses_the_start_with_line_and_reason(
    tmp_path: Path, wrong: str, right: str, line: int, reason: str
) -> None:
    settings = config(tmp_path, GOOD.replace(wrong, right, 1))
    with pytest.raises(Invalid) as refused:
        async with running(settings, quiet):
            pass
    said = f"{refused.value.message} {refused.value.hint}"
    assert said.startswith(f"{tmp_path / 'signoff.yaml'}, line {line}: "), said
    assert reason in said
    if (settings.data / "signoff.db").exists():
        assert await changes(settings.database) == []


def test_command_reports_why_it_does_not_start_and_reads_the_file_from_the_environment(
    tmp_path: Path,
) -> None:
    data, bad = ("--data", str(tmp_path / "d")), tmp_path / "bad.yaml"
    assert "cannot be read" in refused_start(*data, "--manifest", str(tmp_path / "none.yaml"))
    bad.write_text("people: {\n  ann@acme.example: [}\n")
    assert "line 2" in refused_start(*data, "--manifest", str(bad))
    bad.write_text(json.dumps({"policies": {"p": {"strength": "step_up"}}}, indent=1))
    assert f"{bad}, line 4: policies.p.strength" in refused_start(*data, SIGNOFF_MANIFEST=str(bad))
    assert not (tmp_path / "d").exists()
