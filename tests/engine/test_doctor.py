"""``doctor`` finds and names every single change to stored data, and reports nothing for an intact database."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from signoff.core.intent import commands as c
from signoff.core.intent.model import Delivery
from signoff.store.rows import Plans
from tests.builders import ANN, RITA, approve, gate, minutes, validate
from tests.engine.engine_env import PAYLOAD, EngineEnv


class Patients:
    """Intents in many states: decided with a comment, leased and renewed, waiting for a person."""

    decided: str
    leased: str
    waiting: str


@pytest.fixture
async def patients(env: EngineEnv) -> Patients:
    patients = Patients()
    decided, waiting, leased, _, canceled = [await env.submit(by=RITA) for _ in range(5)]
    patients.decided, patients.waiting, patients.leased = decided.id, waiting.id, leased.id
    for change in await env.claim(limit=2, lease=minutes(1)):
        assert isinstance(change.after.open, Delivery)
        await env.do(change.after.id, c.Report(1, change.after.open.token, {"passed": True}))
    await env.do(decided.id, c.Answer("approved", comment="looks fine"), ANN)
    [held] = await env.claim(lease=minutes(1))
    assert held.after.id == leased.id
    assert isinstance(held.after.open, Delivery)
    await env.do(leased.id, c.Renew(1, held.after.open.token, minutes(30)))
    await env.do(canceled.id, c.Cancel("no more"), RITA)
    await env.submit(gate(validate(push=True), approve()))
    await env.pass_time(timedelta(minutes=6))
    return patients


async def damage(env: EngineEnv, statement: str, **values: object) -> list[tuple[str, int, str]]:
    """Change stored data directly; returns the findings of a doctor without cached data."""
    await env.store.write((statement, dict(values)))
    env.store.plans = Plans()
    return [(finding.intent, finding.seq, finding.problem) for finding in await env.findings()]


async def bytes_of(env: EngineEnv, table: str, column: str, where: str, **values: object) -> bytes:
    [[found]] = await env.store.read(f"select {column} from {table} where {where}", **values)
    assert isinstance(found, bytes)
    return found


async def test_healthy_database_has_no_findings(env: EngineEnv, patients: Patients) -> None:
    env.store.plans = Plans()
    assert len(await env.store.intents.ids()) == 6
    assert await env.findings() == []


async def test_any_changed_byte_of_an_event_is_found(env: EngineEnv, patients: Patients) -> None:
    rows = await env.store.intents.history(patients.decided)
    put = "update events set body = :body where intent_id = :id and seq = :seq"
    for row in rows:
        for at in {0, len(row.body) // 3, len(row.body) - 1}:
            body = row.body[:at] + bytes([row.body[at] ^ 1]) + row.body[at + 1 :]
            found = await damage(env, put, body=body, id=patients.decided, seq=row.seq)
            assert found == [(patients.decided, row.seq, "its bytes do not match its hash")]
        assert await damage(env, put, body=row.body, id=patients.decided, seq=row.seq) == []


async def test_changed_comment_is_found(env: EngineEnv, patients: Patients) -> None:
    where = "intent_id = :id and private is not null"
    comment = await bytes_of(env, "events", "private", where, id=patients.decided)
    changed = comment.replace(b"looks fine", b"looks grim")
    put = f"update events set private = :private where {where}"
    [(_, seq, problem)] = await damage(env, put, private=changed, id=patients.decided)
    assert "private text" in problem
    assert seq == 6  # created, delivered, claimed, reported, opened, answered


async def test_only_a_comment_may_be_erased(env: EngineEnv, patients: Patients) -> None:
    await env.do(patients.waiting, c.AddComment("call me"), ANN)
    erase = "update events set private = null where private is not null"
    assert await damage(env, erase) == []
    state = await bytes_of(env, "intents", "state", "id = :id", id=patients.decided)
    put = "update intents set state = :state where id = :id"
    gone = state.replace(b"looks fine", b"")
    assert await damage(env, put, state=gone, id=patients.decided) == []  # from the row too, or not
    forged = state.replace(b'"outcome":"approved"', b'"outcome":"rejected"')
    found = await damage(env, put, state=forged, id=patients.decided)
    assert found == [(patients.decided, 0, "the row differs from the fold of its events")]


async def test_missing_event_is_found(env: EngineEnv, patients: Patients) -> None:
    drop = "delete from events where intent_id = :id and seq = :seq"
    [(_, seq, problem)] = await damage(env, drop, id=patients.decided, seq=3)
    assert (seq, problem) == (3, "event 3 is missing")
    last = (await env.intent(patients.waiting)).seq
    found = await damage(env, drop, id=patients.waiting, seq=last)
    assert (patients.waiting, last, f"the row has {last} events, the history {last - 1}") in found


async def test_swapped_events_are_found(env: EngineEnv, patients: Patients) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        move = "update events set seq = :new where intent_id = :id and seq = :old"
        found = await damage(env, move, id=patients.decided, old=old, new=new)
    assert [(intent, seq) for intent, seq, _ in found] == [(patients.decided, 2)]


async def test_row_that_differs_from_its_events_is_found(env: EngineEnv, patients: Patients) -> None:
    state = await bytes_of(env, "intents", "state", "id = :id", id=patients.decided)
    forged = state.replace(b'"outcome":"approved"', b'"outcome":"rejected"')
    assert forged != state
    put = "update intents set state = :state where id = :id"
    found = await damage(env, put, state=forged, id=patients.decided)
    assert found == [(patients.decided, 0, "the row differs from the fold of its events")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("wake_at", "null"),
        ("wake_at", "wake_at + 60000000"),
        ("status", "'DELIVERED'"),
        ("waiting", "null"),
        ("type", "'intent.other.v1'"),
        ("requester", "'per_eve'"),
        ("workspace", "'ws_other'"),
    ],
)
async def test_column_that_differs_from_the_state_is_found(
    env: EngineEnv, patients: Patients, column: str, value: str
) -> None:
    found = await damage(env, f"update intents set {column} = {value} where id = :id", id=patients.waiting)
    assert found == [(patients.waiting, 0, f"its columns do not match its state: {column}")]


@pytest.mark.parametrize("change", ["shard = (shard + 1) % 256", "id = 'odd'"])
async def test_intent_in_a_wrong_shard_is_found(env: EngineEnv, patients: Patients, change: str) -> None:
    found = await damage(env, f"update intents set {change} where id = :id", id=patients.decided)
    lost = "odd" if "odd" in change else patients.decided
    assert (lost, 0, "its shard does not follow from its id, so that no request finds it") in found


async def test_replaced_payload_is_found(env: EngineEnv, patients: Patients) -> None:
    put = "update submissions set payload = :payload where intent_id = :id"
    found = await damage(env, put, payload=b'{"change":"drop_table"}', id=patients.waiting)
    assert found == [(patients.waiting, 1, "the payload is not the one that was submitted")]


async def test_missing_payload_or_unreadable_state_is_found(env: EngineEnv, patients: Patients) -> None:
    found = await damage(
        env, "update intents set state = :state where id = :id", state=b"{", id=patients.waiting
    )
    assert found == [(patients.waiting, 0, "its state or its plan cannot be read")]
    found = await damage(env, "delete from submissions where intent_id = :id", id=patients.decided)
    assert (patients.decided, 0, "its payload is missing") in found


async def test_changed_payload_of_an_earlier_revision_is_found(env: EngineEnv, patients: Patients) -> None:
    before, after = PAYLOAD, b'{"change":"add_index","where":"users"}'
    command = c.Revise(hashlib.sha256(after).hexdigest())
    await env.engine.revise(ANN, patients.waiting, command, before, after)
    assert await env.findings() == []
    put = "update revisions set payload = :payload where intent_id = :id"
    found = await damage(env, put, payload=after, id=patients.waiting)
    assert found == [(patients.waiting, 0, "the revised payloads do not match the decisions")]
    gone = await damage(env, "delete from revisions where intent_id = :id", id=patients.waiting)
    assert gone == found


async def test_changed_plan_is_found_in_every_intent_that_uses_it(env: EngineEnv, patients: Patients) -> None:
    digest = (await env.intent(patients.waiting)).plan_digest
    body = await bytes_of(env, "plans", "body", "digest = :digest", digest=digest)
    put = "update plans set body = :body where digest = :digest"
    found = await damage(env, put, body=body.replace(b"Run the migration?", b"Run it?"), digest=digest)
    assert {problem for *_, problem in found} == {"the plan is not the one that it was submitted with"}
    assert len(found) == 5


async def test_intent_that_changes_during_the_check_is_not_reported(env: EngineEnv) -> None:
    intents = [await env.submit() for _ in range(30)]

    async def live() -> None:
        for intent in intents:
            await env.do(intent.id, c.Report(result={"passed": True}))
            await env.do(intent.id, c.Answer("approved"), ANN)

    moving = asyncio.create_task(live())
    while not moving.done():
        assert await env.findings() == []
    await moving
