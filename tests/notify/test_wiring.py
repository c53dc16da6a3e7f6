"""The settings of a real server: configured channels exist, and invalid settings stop the start."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from signoff.channels import open_channels
from signoff.config import Config
from signoff.core.errors import Invalid
from signoff.core.intent import commands as c
from signoff.engine.clock import Clock, FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.serving import running
from tests.builders import START, Story
from tests.notify.smtp_sink import smtp_sink
from tests.on_loop import on_the_loop

TOKENS = "xoxb-1 8f742231b10e8888abcd99yyyzzz85a5"


async def test_notifications_for_people_are_created_only_if_a_channel_reaches_them() -> None:
    change = Story().do(c.Report(step_run=1, result={}))
    for settings, routed, made in (
        ({}, 0, 0),
        ({"smtp_url": "smtp://localhost?from=a@b.example"}, 1, len(change.facts)),
    ):
        channels = open_channels(Config(channel_settings=settings), FixedClock(START))

        async def route(channels: ChannelRegistry = channels) -> int:
            return len(channels.routes(change))

        assert await on_the_loop(route, "notifications_of") == (routed, made)


async def test_server_with_a_mail_server_sends_the_question_with_a_working_link(tmp_path: Path) -> None:
    async with smtp_sink() as server:
        config = Config(
            port=0,
            data=tmp_path,
            channel_settings={"smtp_url": server.url, "slack_tokens": TOKENS},
            console_notifications=False,
        )
        async with (
            running(config, line=lambda line: None) as it,
            httpx2.AsyncClient(base_url=it.base_url) as http,
        ):
            rows = it.store.directory
            [workspace] = await rows.workspaces()
            [owner] = await rows.people(workspace.id)
            key = await _key(it, workspace.id, owner.id)
            body = {
                "intent_type": "intent.test.v1",
                "payload": {"a": 1},
                "human_task": {"type": "approval", "title": "Evil"},
            }
            created = (await http.post("/v1/intents", json=body, headers={"x-api-key": key})).json()
            await _arrived(server, 1)
            assert server.mails[0]["Subject"] == "A decision is needed: Approve or reject: test"
            text = server.mails[0].get_body(("plain",)).get_content()
            [link] = re.findall(rf"{it.base_url}(/t/\S+)", text)
            assert (await http.get(link)).status_code == 200
            answered = {"outcome": "approved"}
            task = created["intent_id"][:-4] + "0001"
            await http.post(f"/v1/tasks/{task}/answer", json=answered, headers={"x-api-key": key})
            assert (await http.get(link)).status_code == 410
            told = (await http.get(f"/v1/tasks/{task}/messages", headers={"x-api-key": key})).json()
            assert {m["state"] for m in told["messages"]} <= {"sent", "waiting"}
            assert (await http.post("/v1/slack/actions", content=b"x")).status_code == 401


async def _key(it: object, workspace: str, person: str) -> str:
    from signoff.core.directory.actors import ActorKind

    made = await it.keys.create(workspace, ActorKind.PERSON, person, person)  # type: ignore[attr-defined]
    secret: str = made.secret
    return secret


async def test_server_notifies_other_admins_of_a_proposal(tmp_path: Path) -> None:
    rules = {
        "people": {"second@acme.example": {"roles": ["admin"]}},
        "policies": {"guarded": {"approve": {"need": 2}, "deadline": "8h"}},
        "workspace": {"protected": True},
    }
    looser = {"policies": {"guarded": {"approve": {"need": 2}, "deadline": "9h"}}}
    async with smtp_sink() as server:
        config = Config(
            port=0, data=tmp_path, channel_settings={"smtp_url": server.url}, console_notifications=False
        )
        async with running(config, line=lambda line: None) as it:
            rows = it.store.directory
            [workspace] = await rows.workspaces()
            [owner] = await rows.people(workspace.id)
            key = await _key(it, workspace.id, owner.id)
            async with httpx2.AsyncClient(base_url=it.base_url, headers={"x-api-key": key}) as http:
                for document in (rules, looser):
                    applied = await http.post("/v1/apply", json=document)
                    assert applied.status_code == 200, applied.text
            assert applied.json()["proposal"]["state"] == "waiting"
            await _arrived(server, 1)
    [mail] = server.to("second@acme.example")
    assert mail["Subject"].startswith("A second admin is needed")


async def _arrived(server: object, count: int) -> None:
    import asyncio

    async with asyncio.timeout(60):
        while len(server.mails) < count:  # type: ignore[attr-defined]
            server.arrived.clear()  # type: ignore[attr-defined]
            await server.arrived.wait()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "setting",
    [{"smtp_url": "http://me:s3cret@host"}, {"slack_tokens": "s3cret"}, {"apprise_urls": "json://s3cret"}],
)
def test_invalid_channel_setting_stops_the_start_without_being_quoted(
    setting: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Invalid) as refusal:
        open_channels(Config(data=tmp_path, channel_settings=setting), Clock())
    assert "s3cret" not in str(refusal.value)
    assert "s3cret" not in repr(Config(data=tmp_path, channel_settings=setting))


def test_libraries_of_a_channel_are_imported_when_it_sends() -> None:
    program = (
        "import sys, signoff.serving\n"
        "from signoff.channels import open_channels\n"
        "from signoff.config import Config\n"
        "from signoff.engine.clock import Clock\n"
        f"slack, mail = {TOKENS!r}, 'smtp://h?from=a@b.example'\n"
        "settings = {'smtp_url': mail, 'slack_tokens': slack, 'apprise_urls': 'ntfy://t'}\n"
        "config = Config(channel_settings=settings)\n"
        "open_channels(config, Clock())\n"
        "print([m for m in ('aiosmtplib', 'slack_sdk', 'apprise', 'jinja2', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_command_line_lists_the_delivery_status_of_each_message(tmp_path: Path) -> None:
    async with smtp_sink() as server:
        config = Config(
            port=0,
            data=tmp_path / ".signoff",
            channel_settings={"smtp_url": server.url},
            console_notifications=False,
        )
        async with running(config, line=lambda line: None) as it:
            rows = it.store.directory
            [workspace] = await rows.workspaces()
            [owner] = await rows.people(workspace.id)
            server.refused = {owner.email: "550 no such mailbox"}
            key = await _key(it, workspace.id, owner.id)
            async with httpx2.AsyncClient(base_url=it.base_url, headers={"x-api-key": key}) as http:
                body = {"intent_type": "intent.test.v1", "payload": {}, "human_task": {"type": "approval"}}
                task = (await http.post("/v1/intents", json=body)).json()["intent_id"][:-4] + "0001"
                async with asyncio.timeout(60):
                    while not [m for m in await it.store.messages.of_task(task[:-4] + "0000", 1) if m.error]:
                        await it.outbox.once()
            environment = os.environ | {"SIGNOFF_URL": it.base_url, "SIGNOFF_API_KEY": key}
            shell = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "signoff.cli",
                "tasks",
                "messages",
                task,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await shell.communicate()
        assert shell.returncode == 0
        assert "failed" in out.decode()
        assert "refused the address: 550" in out.decode()
