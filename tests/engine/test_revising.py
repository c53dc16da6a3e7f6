"""A revision is stored with the change of the task; the new payload is current and the old one stays readable."""

import hashlib

import pytest

from signoff.core.errors import Conflict
from signoff.core.intent.commands import Revise
from tests.builders import ANN, OTTO, approve, gate
from tests.engine.engine_env import PAYLOAD, EngineEnv, settle


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


async def test_revision_replaces_the_payload_and_keeps_the_earlier_one(env: EngineEnv) -> None:
    await settle(env, people=(ANN, OTTO))
    intent = await env.submit(gate(approve()))
    new = b'{"change":"smaller"}'
    await env.engine.revise(ANN, intent.id, Revise(digest(new), comment="less"), PAYLOAD, new)
    stored = await env.store.intents.get(intent.id)
    assert stored is not None
    assert (stored.payload, stored.intent.revision, stored.intent.editors) == (new, 2, ("per_ann",))
    assert await env.store.intents.old_payloads(intent.id) == {1: PAYLOAD}
    with pytest.raises(Conflict) as late:
        await env.engine.revise(OTTO, intent.id, Revise(digest(b"{}")), PAYLOAD, b"{}")
    assert late.value.code == "stale_revision"
    assert await env.findings() == []
    assert await env.store.intents.forget(env.clock.now(), 10) == 0
