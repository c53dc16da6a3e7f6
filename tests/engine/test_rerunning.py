"""Rerunning under the same decision creates one new intent, whichever servers are asked at once. On both databases."""

import asyncio
import hashlib
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict
from signoff.core.intent import events as e
from signoff.core.intent.commands import Answer, Report
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Failure, Intent, Status
from signoff.core.plan.plan import AgentStep
from signoff.engine.read.view import View
from signoff.engine.rerun import Reruns
from tests.builders import ANN, RITA, SERVICE, VALIDATOR, WORKSPACE, approve, gate, validate
from tests.engine.engine_env import PAYLOAD, EngineEnv, settle

GATED = gate(validate(), approve(), AgentStep(id="act", agent=VALIDATOR))


async def failed(env: EngineEnv) -> tuple[Intent, list[e.Fact]]:
    """An intent that failed after its approval, and its history."""
    await settle(env, people=(ANN, RITA))
    intent = await env.submit(GATED)
    await env.claim()
    held = await env.intent(intent.id)
    await env.do(intent.id, Report(1, held.open.token, {"n": 1}))  # type: ignore[union-attr]
    task = (await env.intent(intent.id)).open
    await env.do(intent.id, Answer("approved", 2, revision=1, digest=task.digest), ANN)  # type: ignore[union-attr]
    [taken] = await env.claim()
    token = taken.after.open.token  # type: ignore[union-attr]
    await env.do(intent.id, Report(3, token, fault=Failure("down", "It was restarting.")))
    rows = await env.store.intents.history(intent.id)
    after = await env.intent(intent.id)
    assert after.status is Status.FAILED
    return after, [unseal(row.body, row.private) for row in rows]


def reruns(env: EngineEnv) -> Reruns:
    return Reruns(env.engine, View(env.store, env.recent))


async def test_two_servers_create_one_rerun(env: EngineEnv) -> None:
    source, facts = await failed(env)
    other = EngineEnv(env.store, env.clock)
    async with other.running():
        directory = await env.directory.of(WORKSPACE)
        made = await asyncio.gather(
            *(reruns(server).rerun(SERVICE, source, PAYLOAD, facts, directory) for server in (env, other) * 4)
        )
    [new] = {one.id for one in made}
    stored = await env.intent(new)
    assert (stored.rerun_of, stored.ending, stored.results["validate"]) == (source.id, "approved", {"n": 1})
    assert stored.plan_digest == source.plan_digest
    assert await env.happened(new) == ["Created", "RerunStarted", "Offered"]
    assert await env.findings() == []  # the row is what its facts add up to


async def test_rerun_needs_the_decided_payload(env: EngineEnv) -> None:
    source, facts = await failed(env)
    directory = await env.directory.of(WORKSPACE)
    with pytest.raises(Conflict) as refused:
        await reruns(env).rerun(SERVICE, source, PAYLOAD.replace(b"add", b"drop"), facts, directory)
    assert refused.value.code == "digest_mismatch"


async def test_digest_of_an_earlier_release_without_a_step_run_still_verifies(
    env: EngineEnv,
) -> None:
    source, facts = await failed(env)
    opened = next(fact.event for fact in facts if isinstance(fact.event, e.TaskOpened))
    parts = {
        "intent": source.id,
        "type": source.type,
        "payload": source.payload_digest,
        "plan": source.plan_digest,
        "step": "approve",
        "revision": 1,
        "results": {"validate": {"n": 1}},
    }
    said = msgspec.json.encode(parts, order="sorted")
    earlier = hashlib.sha256(b"signoff/envelope/v1\0" + said).hexdigest()
    other = hashlib.sha256(b"signoff/envelope/v1\0" + said.replace(b'"n":1', b'"n":2')).hexdigest()
    assert opened.digest != earlier
    directory = await env.directory.of(WORKSPACE)

    def as_of(digest: str) -> list[e.Fact]:
        return [
            replace(fact, event=replace(fact.event, digest=digest)) if fact.event is opened else fact
            for fact in facts
        ]

    with pytest.raises(Conflict) as refused:
        await reruns(env).rerun(SERVICE, source, PAYLOAD, as_of(other), directory)
    assert refused.value.code == "digest_mismatch"
    new = await reruns(env).rerun(SERVICE, source, PAYLOAD, as_of(earlier), directory)
    assert new.rerun_of == source.id


async def test_age_of_an_approval_is_measured_by_the_databases_clock(env: EngineEnv) -> None:
    source, facts = await failed(env)
    env.clock.move(timedelta(hours=24))
    directory = await env.directory.of(WORKSPACE)
    with pytest.raises(Conflict) as refused:
        await reruns(env).rerun(SERVICE, source, PAYLOAD, facts, directory)
    assert refused.value.code == "decision_too_old"
