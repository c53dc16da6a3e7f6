"""A first start that is interrupted, or has nowhere to write, does not lock out the owner."""

import json
from pathlib import Path
from typing import Any

import pytest

from signoff.bootstrap import bootstrap
from signoff.core.errors import Refused
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import START
from tests.engine.engine_env import EngineEnv
from tests.live import Live
from tests.stories.servers import KINDS, serving, signoff


def credentials(live: Live) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((live.data / "credentials.json").read_text())
    return found


def works(live: Live, key: str) -> bool:
    return live.call("GET", "/v1/me", None, key)[0] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_first_start_that_ended_before_its_key_was_written_is_resumed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with serving(request, tmp_path / "d", kind, console_notifications="off") as live:
        live.stop()
        first = credentials(live)
        (live.data / "credentials.json").rename(live.data / ".credentials.json.4711")  # as a kill leaves it
        live.start()
        second = credentials(live)
        assert second == first
        assert works(live, second["api_key"])
        assert "Key       " + str(live.data / "credentials.json") in live.log.read_text()
        assert [file.name for file in live.data.glob(".credentials*")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_first_start_with_an_unreadable_key_creates_another_one(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with serving(request, tmp_path / "d", kind, console_notifications="off") as live:
        live.stop()
        first = credentials(live)
        (live.data / "credentials.json").unlink()
        half = json.dumps(first)[:40]  # as a full disk or a power failure leaves it
        (live.data / ".credentials.json.4711").write_text(half)
        live.start()
        second = credentials(live)
        assert second["api_key"] != first["api_key"]
        assert (second["person"], second["workspace"]) == (first["person"], first["workspace"])
        assert works(live, second["api_key"])
        assert [file.name for file in live.data.glob(".credentials*")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_lost_key_of_a_used_workspace_is_replaced_by_hand_only(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with serving(request, tmp_path / "d", kind, console_notifications="off") as live:
        live.call("POST", "/v1/intents", {"intent_type": "a.b.v1", "human_task": {"title": "?"}})
        live.stop()
        (live.data / "credentials.json").unlink()
        live.start()
        assert not (live.data / "credentials.json").exists()
        log = live.log.read_text()
        assert f"signoff db owner-key --data {live.data}" in log
        assert "creates another one" in log
        where = "--data", str(live.data), *(("--database", live.database) if live.database else ())
        made = signoff(tmp_path, "db", "owner-key", *where, "--output", "json")
        assert made.returncode == 0, made.stderr
        key = json.loads(made.stdout)["api_key"]
        assert works(live, key)
        _, changes = live.call("GET", "/v1/changes", None, key)
        assert (changes["changes"][0]["kind"], changes["changes"][0]["actor"]["id"]) == ("key", "operator")
        nobody = signoff(tmp_path, "db", "owner-key", "ann@acme.example", *where)
        assert (nobody.returncode, "ann@acme.example" in nobody.stderr) == (5, True)


@pytest.mark.parametrize("text", ["", '{"url": "http://x", "api_', "[]", "{}", "\0"])
def test_unusable_credentials_file_does_not_stop_the_start(
    request: pytest.FixtureRequest, tmp_path: Path, text: str
) -> None:
    """The file as a power failure or an editor leaves it."""
    with serving(request, tmp_path / "d", console_notifications="off") as live:
        file = live.data / "credentials.json"
        live.stop()
        file.write_text(text)
        live.start()  # nobody has done anything so far: it is made again
        key = credentials(live)["api_key"]
        assert works(live, key)
        live.call("POST", "/v1/intents", {"intent_type": "a.b.v1", "human_task": {"title": "?"}}, key)
        live.stop()
        file.write_text(text)
        said = live.log.stat().st_size
        live.start()
        assert file.read_text() == text
        assert "not stored here; signoff db owner-key" in live.log.read_text()[said:]
        link = signoff(tmp_path, "db", "signin-link", "owner@localhost", "--data", str(live.data))
        assert (link.returncode, "/login/" in link.stdout) == (0, True), link.stderr


async def test_unwritable_folder_is_refused_before_anything_is_created(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    clock = FixedClock(START)
    it = EngineEnv(store, clock)
    for folder in (file, file / "below"):
        with pytest.raises(Refused) as refused:
            await bootstrap(store, it.keys, clock, folder, "http://x")
        assert refused.value.code == "folder_not_writable"
        assert "--data" in str(refused.value.hint)
    assert await store.directory.workspaces() == []
    assert await bootstrap(store, it.keys, clock, tmp_path / "d", "http://x") is not None
    [space] = await store.directory.workspaces()
    assert space.self_approval_setting == "alone"
