"""A channel is one file (``folder_channel``) and one line (``one_line``); the rest derives from its declaration."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from signoff.channels import open_channels
from signoff.cli.up import flags
from signoff.config import Config, load
from signoff.core.errors import Invalid
from signoff.engine.clock import Clock, FixedClock
from signoff.engine.delivery.chat_answers import Chat
from signoff.notify import registry
from signoff.notify.channel import AddressSource
from signoff.server import Server
from signoff.store.store import Store
from tests.engine.engine_env import EngineEnv
from tests.notify import folder_channel
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


@pytest.fixture(autouse=True)
def one_line() -> Iterator[None]:
    registry.CHANNELS.append(folder_channel.CHANNEL)
    yield
    registry.CHANNELS.pop()


@pytest.fixture
async def web(store: Store, clock: FixedClock, tmp_path: Path) -> AsyncIterator[WebEnv]:
    config = load({}, {"SIGNOFF_DROP_FOLDER": str(tmp_path / "folder")}).config
    env = EngineEnv(store, clock, open_channels(config, clock))
    async with env.running():
        web_env = WebEnv(env)
        await web_env.furnish()
        yield web_env
        web_env.state.stop()
        await web_env.http.aclose()


def test_setting_of_a_new_channel_is_a_server_setting(tmp_path: Path) -> None:
    loaded = load({}, {"SIGNOFF_DROP_FOLDER": "folder"})
    assert (loaded.warnings, loaded.origins["drop_folder"]) == ((), "SIGNOFF_DROP_FOLDER")
    with pytest.raises(Invalid, match="drop_folder"):
        loaded.config.check_urls()
    assert "drop_folder" in [flag.name for flag in flags()]
    assert "drop" not in open_channels(Config(data=tmp_path), Clock()).configured


async def test_task_is_sent_retried_and_listed_over_a_new_channel(web: WebEnv, tmp_path: Path) -> None:
    ann = "/v1/people/ann@acme.example"
    unknown = await web.call("PATCH", ann, {"preferences": {"channels": ["droop"]}}, "oscar")
    assert (unknown.status, "drop" in unknown.text) == (422, True)
    fields = [("role", "approver"), ("active", "1"), ("name", "Ann"), ("address_drop", "roof")]
    oscar = await reader(web, "oscar")
    assert "Address for drop folder" in (await oscar.get("/people/per_ann")).text
    assert (await oscar.post("/people/per_ann/details", fields)).status == 303
    assert (await (await reader(web, "ann")).post("/people/per_ann/channels", first="drop")).status == 303
    assert "First by drop folder" in (await oscar.get("/people/per_ann")).text

    _, task = await web.ask(title="Open the window?", assignees=["ann@acme.example"])
    await web.env.carry()
    [waiting] = (await web.get(f"/v1/tasks/{task}/messages", "ann"))["messages"]
    assert (waiting["channel"], waiting["target"], waiting["state"]) == ("drop", "roof", "waiting")
    assert waiting["error"] == "the folder does not exist"
    page = (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
    assert "drop folder" in page
    [channel] = (await web.get("/v1/channels", "oscar"))["channels"]
    assert (channel["channel"], channel["failing"], channel["retrying"]) == ("drop", True, 1)
    assert "drop folder failing" in (await oscar.get("/channels")).text

    folder = tmp_path / "folder"
    folder.mkdir()
    web.clock.move(timedelta(seconds=5))
    await web.env.carry()
    [written] = folder.iterdir()
    assert written.name == f"roof-{waiting['message_id']}"
    assert "Approve or reject: without workflow" in written.read_text("utf-8")
    [sent] = (await web.get(f"/v1/tasks/{task}/messages", "ann"))["messages"]
    assert (sent["state"], sent["summary"]) == ("sent", "accepted by drop folder at attempt 2")
    [channel] = (await web.get("/v1/channels", "oscar"))["channels"]
    assert (channel["set_up"], channel["failing"]) == (True, False)
    assert "drop folder working" in (await oscar.get("/channels")).text


async def test_accounts_of_a_new_channel_can_be_linked_if_it_declares_so(web: WebEnv, tmp_path: Path) -> None:
    linked = replace(folder_channel.CHANNEL, address=AddressSource.LINK, link_command="link {code}")
    registry.CHANNELS[-1] = linked
    server = Server(Config(data=tmp_path, channel_settings={"drop_folder": "/tmp"}))
    assert list(server.chats) == ["drop"]
    env = web.env
    web.state.chats = {"drop": Chat("drop", env.engine, env.store, env.keys, env.directory, env.clock)}
    given = await web.call("PATCH", "/v1/people/ann@acme.example", {"addresses": {"drop": "x"}}, "oscar")
    assert (given.status, given.json["error"]["field"]) == (422, "addresses.drop")
    page = (await (await reader(web, "ann")).get("/me")).text
    assert "No drop folder account linked" in page
