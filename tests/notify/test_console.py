"""Commits are shown on the server's terminal at once; a closed terminal stops nothing."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from signoff.config import Config
from signoff.serving import running
from tests.live import Live

HOSTILE = "Drop it? \u202etxt.exe"


def _asking(title: str) -> dict[str, Any]:
    return {
        "intent_type": "intent.test.v1",
        "payload": {},
        "human_task": {"type": "approval", "title": title},
    }


async def test_console_prints_a_commit_before_its_caller_gets_the_response(tmp_path: Path) -> None:
    said: list[str] = []
    async with running(Config(port=0, data=tmp_path), line=said.append) as it:
        async with httpx2.AsyncClient(base_url=it.base_url, headers=_owner(tmp_path)) as http:
            task = (await http.post("/v1/intents", json=_asking(HOSTILE))).json()["intent_id"][:-4] + "0001"
            [asked] = said
            first, called, _ = asked.split("\n")
            assert first.endswith(
                "Decision needed: Approve or reject: test"
            )  # the requester's title is no title
            assert "Drop it?" in called
            assert f"signoff tasks approve {task}" in asked
            assert "\\u202etxt.exe" in asked  # shown as what it is, not obeyed
            assert "\u202e" not in asked
            await http.post(f"/v1/tasks/{task}/answer", json={"outcome": "approved"})
            assert "Approved: Approve or reject: test" in said[1]
            assert len(said) == 2  # that it finished is the requester's news, not the terminal's
        assert await it.store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_console_masks_secrets_in_free_text(tmp_path: Path) -> None:
    said: list[str] = []
    title = "Use postgres://ann:hunter22@db/x with sk-abcdefghijklmnopqrst?"
    async with (
        running(Config(port=0, data=tmp_path), line=said.append) as it,
        httpx2.AsyncClient(base_url=it.base_url, headers=_owner(tmp_path)) as http,
    ):
        assert (await http.post("/v1/intents", json=_asking(title))).status_code == 200
    [asked] = said
    assert "Use postgres://ann:[8 characters, fingerprint" in asked
    assert "hunter22" not in asked
    assert "sk-abcdef" not in asked


async def test_closed_terminal_does_not_prevent_decisions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError("the reader is gone")

    async with (
        running(Config(port=0, data=tmp_path), line=closed) as it,
        httpx2.AsyncClient(base_url=it.base_url, headers=_owner(tmp_path)) as http,
    ):
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert (await http.post("/v1/intents", json=_asking("Yes?"))).status_code == 200
    assert [r.message for r in caplog.records if "terminal" in r.message] == [
        "the terminal can no longer be written to (the reader is gone); notifications are not shown there"
    ]


async def test_notifications_of_one_commit_are_printed_together(tmp_path: Path) -> None:
    said: list[str] = []
    async with running(Config(port=0, data=tmp_path), line=said.append) as it:
        await it._cancel(it._tasks[:1])  # the committer: what is asked now waits for it
        async with httpx2.AsyncClient(base_url=it.base_url, headers=_owner(tmp_path)) as http:
            asking = [
                asyncio.create_task(http.post("/v1/intents", json=_asking(f"Number {n}?"))) for n in range(3)
            ]
            while it.committer.queued < 3:
                await asyncio.sleep(0)
            await it.committer.drain()
            assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}
    [together] = said
    assert together.count("Decision needed") == 3
    assert [f"Number {n}?" in together for n in range(3)] == [True] * 3


@pytest.mark.parametrize(("settings", "shows"), [({}, False), ({"console_notifications": "on"}, True)])
def test_console_writes_into_a_file_only_if_configured(
    tmp_path: Path, settings: dict[str, str], shows: bool
) -> None:
    live = Live(tmp_path / "d", **settings)
    try:
        assert live.start().call("POST", "/v1/intents", _asking("Yes?"))[0] == 200
    finally:
        live.stop()
    assert ("Decision needed" in live.log.read_text()) is shows


def _owner(data: Path) -> dict[str, str]:
    key: str = json.loads((data / "credentials.json").read_text())["api_key"]
    return {"x-api-key": key}
