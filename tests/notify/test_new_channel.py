"""A channel is one file (``pigeon``) and one line (``one_line``); everything else derives from its declaration."""

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
from tests.notify import pigeon
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


@pytest.fixture(autouse=True)
def one_line() -> Iterator[None]:
    registry.CHANNELS.append(pigeon.CHANNEL)
    yield
    registry.CHANNELS.pop()


@pytest.fixture
async def web(store: Store, clock: FixedClock, tmp_path: Path) -> AsyncIterator[WebEnv]:
    config = load({}, {"SIGNOFF_PIGEON_LOFT": str(tmp_path / "loft")}).config
    env = EngineEnv(store, clock, open_channels(config, clock))
    async with env.running():
        web_env = WebEnv(env)
        await web_env.furnish()
        yield web_env
        web_env.state.stop()
        await web_env.http.aclose()


def test_setting_of_a_new_channel_is_a_server_setting(tmp_path: Path) -> None:
    loaded = load({}, {"SIGNOFF_PIGEON_LOFT": "loft"})
    assert (loaded.warnings, loaded.origins["pigeon_loft"]) == ((), "SIGNOFF_PIGEON_LOFT")
    with pytest.raises(Invalid, match="pigeon_loft"):
        loaded.config.check_urls()
    assert "pigeon_loft" in [flag.name for flag in flags()]
    assert "pigeon" not in open_channels(Config(data=tmp_path), Clock()).configured


async def test_task_is_sent_retried_and_listed_over_a_new_channel(web: WebEnv, tmp_path: Path) -> None:
    ann = "/v1/people/ann@acme.example"
    unknown = await web.call("PATCH", ann, {"preferences": {"channels": ["pidgeon"]}}, "oscar")
    assert (unknown.status, "pigeon" in unknown.text) == (422, True)
    fields = [("role", "approver"), ("active", "1"), ("name", "Ann"), ("address_pigeon", "roof")]
    oscar = await reader(web, "oscar")
    assert "Address for carrier pigeon" in (await oscar.get("/people/per_ann")).text
    assert (await oscar.post("/people/per_ann/details", fields)).status == 303
    assert (await (await reader(web, "ann")).post("/people/per_ann/channels", first="pigeon")).status == 303
    assert "First by carrier pigeon" in (await oscar.get("/people/per_ann")).text

    _, task = await web.ask(title="Open the window?", assignees=["ann@acme.example"])
    await web.env.carry()
    [waiting] = (await web.get(f"/v1/tasks/{task}/messages", "ann"))["messages"]
    assert (waiting["channel"], waiting["target"], waiting["state"]) == ("pigeon", "roof", "waiting")
    assert waiting["error"] == "the pigeon did not find its loft"
    page = (await (await reader(web, "ann")).get(f"/tasks/{task}")).text
    assert "carrier pigeon" in page
    [channel] = (await web.get("/v1/channels", "oscar"))["channels"]
    assert (channel["channel"], channel["failing"], channel["retrying"]) == ("pigeon", True, 1)
    assert "carrier pigeon failing" in (await oscar.get("/channels")).text

    loft = tmp_path / "loft"
    loft.mkdir()
    web.clock.move(timedelta(seconds=5))
    await web.env.carry()
    [landed] = loft.iterdir()
    assert landed.name == f"roof-{waiting['message_id']}"
    assert "Approve or reject: without workflow" in landed.read_text("utf-8")
    [sent] = (await web.get(f"/v1/tasks/{task}/messages", "ann"))["messages"]
    assert (sent["state"], sent["summary"]) == ("sent", "accepted by carrier pigeon at attempt 2")
    [channel] = (await web.get("/v1/channels", "oscar"))["channels"]
    assert (channel["set_up"], channel["failing"]) == (True, False)
    assert "carrier pigeon working" in (await oscar.get("/channels")).text


async def test_accounts_of_a_new_channel_can_be_linked_if_it_declares_so(web: WebEnv, tmp_path: Path) -> None:
    linked = replace(pigeon.CHANNEL, address=AddressSource.LINK, link_command="coo {code}")
    registry.CHANNELS[-1] = linked
    server = Server(Config(data=tmp_path, channel_settings={"pigeon_loft": "/tmp"}))
    assert list(server.chats) == ["pigeon"]
    env = web.env
    web.state.chats = {"pigeon": Chat("pigeon", env.engine, env.store, env.keys, env.directory, env.clock)}
    given = await web.call("PATCH", "/v1/people/ann@acme.example", {"addresses": {"pigeon": "x"}}, "oscar")
    assert (given.status, given.json["error"]["field"]) == (422, "addresses.pigeon")
    page = (await (await reader(web, "ann")).get("/me")).text
    assert "No carrier pigeon account linked" in page
