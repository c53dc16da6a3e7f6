"""The server logs each decision, sign-in and change of a key, and never what people wrote."""

import logging
from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

COMMENT = "the customer's name is in here"


def lines(caplog: pytest.LogCaptureFixture, logger: str) -> list[dict[str, Any]]:
    """The fields of its log lines."""
    return [vars(record)["fields"] for record in caplog.records if record.name == logger]


async def test_each_decision_is_one_log_line(web: WebEnv, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "signoff")
    await web.apply_workflow()
    intent, task = await web.at_gate()
    assert lines(caplog, "signoff.decisions") == []
    await web.answer(task, "approved", "ann", comment=COMMENT)
    [line] = lines(caplog, "signoff.decisions")
    assert line == {
        "intent": intent,
        "task": task,
        "step": "approve",
        "outcome": "approved",
        "ending": "approved",
        "policy": "",
        "actor": "per_ann",
        "via": "api",
        "event": line["event"],
    }
    assert f"task {task} ended approved: outcome 'approved' by per_ann over api" in caplog.text
    assert COMMENT not in caplog.text
    assert "prod-postgres-main" not in caplog.text


async def test_keys_and_sign_ins_are_logged_without_secrets(
    web: WebEnv, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "signoff")
    made = await web.post("/v1/keys", {"service": "reader"}, "oscar")
    await web.post(f"/v1/keys/{made['key_id']}/revoke", {}, "oscar")
    await reader(web, "ann")
    keys = [line for line in lines(caplog, "signoff.changes") if line["kind"] == "key"]
    assert [(line["act"], line["actor"], line["via"]) for line in keys] == [
        ("added", "per_oscar", "api"),
        ("removed", "per_oscar", "api"),
    ]
    assert [line["actor"] for line in lines(caplog, "signoff.access")] == ["per_ann"]
    assert made["api_key"] not in caplog.text
    assert web.keys["ann"] not in caplog.text
    assert "ann@acme.example" not in caplog.text


async def test_disabled_log_level_creates_no_record(web: WebEnv, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "signoff")
    _, task = await web.ask()
    await web.answer(task, "approved", "ann")
    assert caplog.records == []
