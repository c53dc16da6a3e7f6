"""A title with fields has their values everywhere, except in records that outlive the payload."""

import json
from pathlib import Path
from typing import Any

import httpx2

from signoff.cli.output import Output
from signoff.cli.tasks.answer import task_lines
from signoff.config import Config
from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Ending
from signoff.engine.clock import FixedClock
from signoff.serving import running
from signoff.store.store import Store
from tests.builders import ANN
from tests.engine.http_sink import http_sink
from tests.notify.messaging_env import asked, email, messaging_env, webhook
from tests.notify.smtp_sink import smtp_sink

TITLE = "Refund {amount} to {customer.name}?"
PAYLOAD: dict[str, Any] = {"customer": {"name": "*ACME* <b>”"}, "amount": 48200000, "currency": "EUR"}
SHOWN = "Refund “48,200,000 EUR” to “*ACME* <b>'”?"
KEPT = "Refund [amount] to [customer.name]?"


async def test_mail_and_webhook_show_the_values_and_the_record_does_not(
    store: Store, clock: FixedClock
) -> None:
    async with (
        smtp_sink() as server,
        http_sink() as hook,
        messaging_env(store, clock, {**email(server.url), **webhook(f"{hook.url}/", clock)}) as env,
    ):
        intent = await env.submit(asked(title=TITLE), payload=json.dumps(PAYLOAD).encode())
        await env.carry()
        (mail,) = server.mails
        assert mail["subject"] == f"A decision is needed: {SHOWN}"
        posted = json.loads(hook.got[0].body)
        assert (posted["title"], posted["data"]["title"]) == (f"Decision needed: {SHOWN}", SHOWN)
        await env.do(intent.id, c.Answer("rejected"), ANN)
        history = await env.store.intents.history(intent.id)
        kept = b"".join(bytes(row.body) for row in history).decode()
        assert KEPT in kept
        assert "ACME" not in kept
        after = await env.intent(intent.id)
        assert after.ending is Ending.REJECTED
        assert after.fault is not None
        assert after.fault.message == f"{KEPT}: rejected."


async def test_page_list_console_command_line_and_api_show_the_same_title(tmp_path: Path) -> None:
    said: list[str] = []
    workflow = {
        "workflow": "refund",
        "intent_type": "intent.pay.refund.v1",
        "steps": [{"id": "ask", "human": {"type": "approval", "title": TITLE}, "deadline": "1d"}],
    }
    key = lambda: json.loads((tmp_path / "credentials.json").read_text())["api_key"]  # noqa: E731
    async with (
        running(Config(port=0, data=tmp_path), line=said.append) as it,
        httpx2.AsyncClient(base_url=it.base_url, headers={"x-api-key": key()}) as http,
    ):
        assert (await http.post("/v1/workflows", json=workflow)).status_code == 200
        sent = await http.post(
            "/v1/intents", json={"intent_type": "intent.pay.refund.v1", "payload": PAYLOAD}
        )
        intent_id = sent.json()["intent_id"]
        assert f"Decision needed: {SHOWN}" in said[0]
        task = (await http.get(f"/v1/tasks/{intent_id}")).json()["task"]
        assert task["title"] == SHOWN
        assert (await http.get("/v1/tasks")).json()["tasks"][0]["title"] == SHOWN
        assert (await http.get(f"/v1/intents/{intent_id}")).json()["intent"]["human_task"]["title"] == SHOWN
        assert (await http.get("/v1/me/tasks")).json()["tasks"][0]["human_task"]["title"] == SHOWN
        assert f"title        {SHOWN}" in task_lines(task, Output(), whole=False)
