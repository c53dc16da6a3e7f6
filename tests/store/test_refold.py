"""A migration that adds a derived value rebuilds the rows of open intents from their events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from signoff.engine.clock import FixedClock
from signoff.store.opening import open_store
from signoff.store.store import Store
from tests.builders import START
from tests.web.web_env import WebEnv, web_env

POLICY: dict[str, Any] = {
    "approve": [
        {"any": [f"{name}@acme.example" for name in ("ann", "otto", "emma")], "need": 2, "reject_after": 2}
    ],
    "deadline": "1h",
    "on_timeout": "outcome:approved",
    "risk": "low",
}
FLOW = {"workflow": "quiet", "intent_type": "quiet.v1", "steps": [{"id": "ok", "human": {"policy": "quiet"}}]}


@asynccontextmanager
async def opened(url: str, clock: FixedClock) -> AsyncIterator[Store]:
    store = open_store(url, wall=clock.wall, clock=clock.of, hear=clock.hear)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def rejected_and_revised(web: WebEnv) -> str:
    manifest = {"workspace": {"positive_fallback": True}, "policies": {"quiet": POLICY}, "workflows": [FLOW]}
    applied = await web.post("/v1/apply", manifest, "oscar")
    assert applied.status == 200, applied.text
    intent_id = await web.send(intent_type="quiet.v1")
    task_id = intent_id[:-4] + "0001"
    assert (await web.answer(task_id, "rejected", "ann")).status == 200
    revision = {"payload": {"target": "staging"}, "comment": "smaller"}
    assert (await web.post(f"/v1/tasks/{task_id}/revise", revision, "otto")).status == 200
    return intent_id


async def test_a_rejection_of_an_earlier_revision_survives_the_upgrade(own_url: str) -> None:
    clock = FixedClock(START)
    async with opened(own_url, clock) as store:
        async with web_env(store, clock) as web:
            keys, intent_id = web.keys, await rejected_and_revised(web)
        [[state]] = await store.read("select state from intents")
        row = json.loads(state)
        assert len(row.pop("objected_by")) == 1
        older = {"state": json.dumps(row).encode()}
        await store.write(
            ("update intents set state = :state", older),
            ("delete from schema_version where name = 'objections'", {}),
        )
    async with opened(own_url, clock) as store, web_env(store, clock, keys) as web:
        assert await web.env.findings() == []
        await web.env.pass_time(timedelta(hours=2))
        assert await web.status(intent_id) == "FAILED"
