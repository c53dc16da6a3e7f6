"""The webhook bodies about an intent can be read by those who may see the intent."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from signoff.engine.clock import FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.notify.outbound.post import Poster
from signoff.notify.webhook import Webhook
from signoff.store.store import Store
from tests.engine.engine_env import EngineEnv
from tests.engine.http_sink import HttpSink, http_sink
from tests.web.web_env import TYPE, WebEnv

Hooked = tuple[WebEnv, HttpSink]


@pytest.fixture
async def hooked(store: Store, clock: FixedClock) -> AsyncIterator[Hooked]:
    """The web layer with a webhook, to compare with what was posted."""
    async with http_sink() as sink:
        channels = ChannelRegistry({"webhook": Webhook(f"{sink.url}/hook", "", Poster(True), clock.now)})
        env = EngineEnv(store, clock, channels)
        async with env.running():
            web = WebEnv(env)
            await web.furnish()
            yield web, sink
            web.state.stop()
            await web.http.aclose()


async def read(web: WebEnv, intent: str, who: str = "ann", since: int = 0) -> dict[str, Any]:
    answer = await web.get(f"/v1/intents/{intent}/notifications?since={since}", who)
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def test_notifications_equal_the_bodies_of_the_webhook(hooked: Hooked) -> None:
    web, sink = hooked
    human = {
        "type": "approval",
        "title": "Refund {amount}?",
        "approvers": ["ann@acme.example"],
        "remind": {"after": "5m", "every": "30m", "at_most": 3},
    }
    flow = {"workflow": "refund", "intent_type": TYPE, "steps": [{"id": "ok", "human": human}]}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    intent = await web.send(payload={"amount": 12})
    task = f"{intent[:-4]}0001"
    await web.env.pass_time(timedelta(minutes=6))
    assert (await web.post(f"/v1/tasks/{task}/comment", {"comment": "hush"}, "ann")).status == 200
    digest = (await web.get(f"/v1/tasks/{task}", "ann"))["task"]["digest"]
    answer = {"outcome": "approved", "digest": digest}
    assert (await web.post(f"/v1/tasks/{task}/answer", answer, "ann")).status == 200
    await web.env.carry()
    posted = [json.loads(one.body) for one in sink.got]
    found = await read(web, intent)
    by_place = sorted((one["data"]["seq"], one["type"], json.dumps(one, sort_keys=True)) for one in posted)
    shown = [one["body"] for one in found["notifications"]]
    assert by_place == sorted((b["data"]["seq"], b["type"], json.dumps(b, sort_keys=True)) for b in shown)
    types = [one["type"] for one in found["notifications"]]
    assert types == ["task.opened", "task.reminder", "task.commented", "task.decided", "intent.finished"]
    assert "Refund “12”?" in found["notifications"][0]["title"]
    assert "hush" not in json.dumps(found)


async def test_reading_continues_after_a_number(web: WebEnv) -> None:
    intent, task = await web.ask(assignees=["ann@acme.example"])
    first = await read(web, intent)
    assert [one["type"] for one in first["notifications"]] == ["task.opened"]
    assert (await read(web, intent, since=first["seq"]))["notifications"] == []
    assert (await web.answer(task)).status == 200
    later = await read(web, intent, since=first["seq"])
    assert [one["type"] for one in later["notifications"]] == ["task.decided", "intent.finished"]
    every = (await read(web, intent))["notifications"]
    assert every == [*first["notifications"], *later["notifications"]]
    assert len({one["id"] for one in every}) == len(every)


async def test_program_does_not_see_who_is_asked(web: WebEnv) -> None:
    intent, _ = await web.ask(assignees=["ann@acme.example"])
    assert "ann@acme.example" in json.dumps(await read(web, intent, "ann"))
    assert "ann@acme.example" not in json.dumps(await read(web, intent, "ci"))


@pytest.mark.parametrize("who", ["stranger", "sam"])
async def test_notifications_are_visible_to_who_may_see_the_intent(web: WebEnv, who: str) -> None:
    intent, _ = await web.ask(assignees=["ann@acme.example"])
    refused = await web.get(f"/v1/intents/{intent}/notifications", who)
    assert (refused.status, refused.code) == (404, "intent_not_found")
