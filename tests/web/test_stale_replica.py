"""Two servers on one database respond correctly even if one of them remembers an old state of a request."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from signoff.engine.clock import FixedClock
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.web.web_env import WebEnv, web_env

PATIENCE = 45.0  # a guard against hanging
TYPE = "intent.pair.v1"
PAIR = {
    "policies": {"pair": {"approve": [{"any": ["role:approver"], "need": 2}]}},
    "workflows": [
        {
            "workflow": "pair",
            "intent_type": TYPE,
            "steps": [{"id": "check", "agent": "validator"}, {"id": "ok", "human": {"policy": "pair"}}],
        }
    ],
}


@pytest.fixture
async def other(web: WebEnv, store: Store, clock: FixedClock) -> AsyncIterator[WebEnv]:
    async with web_env(store, clock, web.keys) as other:
        yield other


async def sent(web: WebEnv) -> str:
    """A request that waits for its agent, remembered by ``web``; its id without the step run."""
    assert (await web.post("/v1/apply", PAIR, "oscar")).status == 200
    return (await web.send(intent_type=TYPE))[:-4]


async def reported(by: WebEnv, first: str) -> None:
    answer = await by.post(f"/v1/intents/{first}0001/resume", {"action": "complete", "ok": True}, "agent")
    assert answer.status == 200, answer.text


async def test_answer_sees_votes_recorded_by_another_server(web: WebEnv, other: WebEnv) -> None:
    first = await sent(web)
    await reported(web, first)
    assert (await other.answer(f"{first}0002", who="otto")).status == 200
    said = await web.answer(f"{first}0002", who="ann")
    assert {vote["person"] for vote in said["task"]["votes"]} == {"per_ann", "per_otto"}
    assert said["intent"]["status"] == "COMPLETED"


async def test_resume_means_what_the_request_waits_for_now(web: WebEnv, other: WebEnv) -> None:
    first = await sent(web)
    await reported(other, first)  # web still remembers that the agent has it
    assert (await other.get("/v1/me/tasks", "ann")).status == 200  # what she was shown, every server knows
    said = await web.post(f"/v1/intents/{first}0000/resume", {"outcome": "approved"}, "ann")
    assert said.status == 200, said.text
    assert [v["person"] for v in (await web.get(f"/v1/tasks/{first}0002"))["task"]["votes"]] == ["per_ann"]


async def test_revised_payload_is_shown_to_the_next_actor(web: WebEnv, other: WebEnv) -> None:
    first = await sent(web)
    await reported(web, first)
    changed = {"payload": {"migration": "another"}}
    revised = await other.post(f"/v1/tasks/{first}0002/revise", changed, "ann")
    assert revised.status == 200, revised.text
    said = await web.post(f"/v1/intents/{first}0000/controls", {"controls_patch": {"a": 1}}, "ci")
    now = (await web.get(f"/v1/intents/{first}0000"))["intent"]["payload"]
    assert said["intent"]["payload"] == now == {"migration": "another"}


async def test_stream_started_from_the_cache_continues_with_changes_of_another_server(
    empty_postgres_url: str, clock: FixedClock
) -> None:
    async with AsyncExitStack() as stack:
        stores = [open_store(empty_postgres_url, wall=clock.wall, clock=clock.of) for _ in range(2)]
        for store in stores:
            await store.open()
            stack.push_async_callback(store.close)
        here = await stack.enter_async_context(web_env(stores[0], clock))
        there = await stack.enter_async_context(web_env(stores[1], clock, here.keys))
        await stores[0].listen(here.env.on_topics)
        await until(lambda: stores[0].listening)
        first = await sent(here)
        assert here.env.recent.life(f"{first}0000") is not None
        await reported(there, first)  # written, but its announcement is still on its way
        path = f"/v1/intents/{first}0000/events/stream?wait_seconds=60"
        following = asyncio.create_task(here.get(path, x_axme_client="signoff-test/1"))
        await until(lambda: f"{first}0000" in here.state.feed.waiters)
        announcing = asyncio.create_task(there.state.feed.run())
        for who in ("ann", "otto"):
            assert (await there.answer(f"{first}0002", who=who)).status == 200
        async with asyncio.timeout(PATIENCE):
            told = (await following).text
        announcing.cancel()
    assert re.findall("^event: (.*)$", told, re.MULTILINE)[:4] == [
        "intent.created",
        "intent.delivered",
        "intent.in_progress",
        "intent.human_task_assigned",
    ]
    assert "event: intent.completed" in told


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0)
