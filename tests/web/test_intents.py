"""Intents over HTTP: submitting, reading, listing, ending."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from tests.web.web_env import HOME, PAYLOAD, TYPE, VALIDATOR, WebEnv


async def test_submitted_intent_can_be_read_and_has_two_events(web: WebEnv) -> None:
    sent = await web.post("/v1/intents", {"intent_type": TYPE, "to_agent": VALIDATOR, "payload": PAYLOAD})
    assert sent.status == 200
    assert sent["ok"] is True
    assert sent["status"] == "DELIVERED"
    assert sent["warnings"] == []
    read = await web.get(f"/v1/intents/{sent['intent_id']}")
    assert read["intent"]["payload"] == read["payload"] == PAYLOAD
    assert read["status"] == read["intent"]["lifecycle_status"] == "DELIVERED"
    assert read["intent"]["to_agent"] == VALIDATOR
    assert read["intent"]["pending_with"] == {"type": "agent", "ref": VALIDATOR, "name": VALIDATOR}
    assert "reply_to" not in read["intent"]
    events = (await web.get(f"/v1/intents/{sent['intent_id']}/events"))["events"]
    assert [(e["event_type"], e["seq"], e["status"]) for e in events] == [
        ("intent.created", 2, "CREATED"),
        ("intent.delivered", 4, "DELIVERED"),
    ]


async def test_workflow_of_the_type_is_the_plan(web: WebEnv) -> None:
    await web.apply_workflow()
    sent = await web.post("/v1/intents", {"intent_type": TYPE, "payload": PAYLOAD})
    steps = sent["intent"]["steps"]
    assert [(s["step_id"], s["kind"], s["state"]) for s in steps] == [
        ("validate", "agent", "open"),
        ("approve", "human", "pending"),
    ]


async def test_dry_run_of_a_workflow_creates_nothing(web: WebEnv) -> None:
    flow = {"workflow": "new", "intent_type": "intent.new.v1", "steps": [{"id": "run", "agent": "newcomer"}]}
    for query, there in (("?dry_run=true", False), ("", True)):
        answer = await web.post(f"/v1/workflows{query}", flow, "oscar")
        assert answer.status == 200, answer.text
        agents = [one["name"] for one in (await web.get("/v1/agents", "oscar"))["agents"]]
        assert ("newcomer" in agents) == there
        assert ((await web.get("/v1/workflows/intent.new.v1", "oscar")).status == 200) == there


async def test_camel_case_and_top_level_members_are_accepted(web: WebEnv) -> None:
    body = {"intentType": "test.v1", "toAgent": "validator", "amount": 12, "note": None}
    sent = await web.post("/v1/intents", body)
    assert sent.status == 200
    assert sent["intent"]["payload"] == {"amount": 12, "note": None}
    assert sent["intent"]["to_agent"] == VALIDATOR


async def test_unknown_members_beside_a_payload_are_warnings(web: WebEnv) -> None:
    sent = await web.post(
        "/v1/intents", {"intent_type": TYPE, "payload": {}, "notify_email": "x@acme.example"}
    )
    assert sent.status == 200
    assert any("notify_email" in warning for warning in sent["warnings"])


async def test_repeated_idempotency_key_returns_the_first_response(web: WebEnv) -> None:
    body = {"intent_type": TYPE, "payload": {"a": 1, "b": 2}}
    first = await web.post("/v1/intents", body, idempotency_key="k1")
    same = b'{"payload": {"b": 2.0, "a": 1}, "intent_type": "' + TYPE.encode() + b'"}'
    again = await web.call("POST", "/v1/intents", same, idempotency_key="k1")
    assert again.json == first.json
    other = await web.post("/v1/intents", {**body, "payload": {"a": 2}}, idempotency_key="k1")
    assert (other.status, other.code) == (409, "idempotency_conflict")
    elsewhere = await web.post("/v1/intents", body, "rita", idempotency_key="k1")
    assert elsewhere["intent_id"] != first["intent_id"]


async def test_repeated_request_is_answered_although_it_would_be_refused_now(web: WebEnv) -> None:
    await web.apply_workflow()
    failed = await web.send()
    await web.post(f"/v1/intents/{failed}/resolve", {"status": "CANCELED"})
    bundle: dict[str, Any] = {
        "scenario_id": "s",
        "humans": [{"role": "boss", "contact": "ann@acme.example"}],
        "intent": {"type": "a.b.v1", "human_task": {"title": "May we?"}},
    }
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/v1/intents", {"intent_type": TYPE}),
        (f"/v1/intents/{failed}/retry", {}),
        ("/v1/scenarios/apply", bundle),
    ]
    first = [await web.post(path, body, idempotency_key="k") for path, body in requests]
    for person in await web.env.store.directory.people(HOME):
        if "owner" not in person.roles:
            await web.env.store.people.save([replace(person, active=False)])
    web.env.directory.changed(HOME)
    codes = ("nobody_eligible", "nobody_eligible", "unknown_assignee")
    for (path, body), before, refused in zip(requests, first, codes, strict=True):
        assert (before.status, (await web.post(path, body, idempotency_key="k")).json) == (200, before.json)
        assert (await web.post(path, body, idempotency_key="another")).code == refused
        assert (await web.post(path, body)).code == refused


async def test_malformed_idempotency_key_is_refused(web: WebEnv) -> None:
    answer = await web.post("/v1/intents", {"intent_type": TYPE}, idempotency_key="k" * 256)
    assert (answer.status, answer.code) == (422, "invalid_idempotency_key")


async def test_lists_are_newest_first_and_paged(web: WebEnv) -> None:
    sent = [await web.send() for _ in range(5)]
    first = await web.get("/v1/intents?limit=2")
    second = await web.get(f"/v1/intents?limit=2&cursor={first['next_cursor']}")
    third = await web.get(f"/v1/intents?limit=2&cursor={second['next_cursor']}")
    found = [i["intent_id"] for page in (first, second, third) for i in page["intents"]]
    assert found == sent[::-1]
    assert "next_cursor" not in third.json


async def test_lists_are_filtered_by_status(web: WebEnv) -> None:
    waiting, _ = await web.ask()
    gone = await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{gone}/resolve", {"status": "CANCELED"})
    for query, expected in [
        ("status=waiting", {waiting}),
        ("status=CANCELED", {gone}),
        ("status=pending", {waiting}),
        ("status=WAITING,canceled", {waiting, gone}),
        ("limit=1", {gone}),
    ]:
        answer = await web.get(f"/v1/intents?{query}")
        assert {i["intent_id"] for i in answer["intents"]} == expected, query
    for query in ("status=DONE", "status=,", "limit=0", "limit=many"):
        assert (await web.get(f"/v1/intents?{query}")).code == "validation_error", query
    assert (await web.get("/v1/intents?status=")).code == "empty_parameter"


async def test_resolving_as_completed_records_progress_first(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator", reply_to="agent://acme/prod/ci")
    done = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "completed", "result": {"n": 1}})
    assert done["applied"] is True
    assert done["event"]["event_type"] == "intent.completed"
    assert "result" not in done["event"]
    assert done["intent"]["result"] == {"n": 1}
    assert done["completion_delivery"]["thread_id"] == intent_id
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert [e["event_type"] for e in events][-2:] == ["intent.in_progress", "intent.completed"]
    assert events[-1]["result"] == {"n": 1}
    again = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "FAILED"})
    assert (again.status, again.code) == (409, "intent_terminal")


async def test_resolving_as_failed_records_the_reason(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    body = {"status": "FAILED", "error": {"code": "boom", "message": "It broke."}}
    done = await web.post(f"/v1/intents/{intent_id}/resolve", body)
    assert done["intent"]["error"] == {"code": "boom", "message": "It broke.", "retryable": False}
    assert done["completion_delivery"] == {"delivered": False, "reason": "reply_to_not_set"}


async def test_resolving_with_another_status_is_refused(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    answer = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "DONE"})
    assert (answer.status, answer["error"]["field"]) == (422, "status")


async def test_human_step_cannot_be_resolved_as_completed(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    answer = await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "COMPLETED"})
    assert (answer.status, answer.code) == (403, "gate_not_passed")


async def test_step_is_resolved_without_resolving_the_intent(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send()
    step = intent_id[:-4] + "0001"
    done = await web.post(
        f"/v1/intents/{step}/resolve", {"status": "COMPLETED", "result": {"ok": 1}}, "agent"
    )
    assert done.status == 200
    assert await web.status(intent_id) == "WAITING"
    assert (await web.get(f"/v1/intents/{step}"))["result"] == {"ok": 1}


async def test_controls_and_policy_count_generations(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    controls = f"/v1/intents/{intent_id}/controls"
    first = await web.post(controls, {"controls_patch": {"timeout_seconds": 5}})
    assert (first["applied"], first["policy_generation"]) == (True, 1)
    assert first["event"]["event_type"] == "intent.updated"
    assert first["event"]["status"] == "DELIVERED"
    stale = await web.call("PATCH", controls, {"controls_patch": {}, "expected_policy_generation": 0})
    assert stale.status == 200
    assert (stale["applied"], stale["reason"]) == (False, "stale_policy_generation")
    grants = {"delegate:agent://ops": {"allow": ["resume"]}}
    second = await web.post(f"/v1/intents/{intent_id}/policy", {"grants_patch": grants})
    assert second["intent"]["workflow_control_policy"]["grants"] == grants
    assert second["policy_generation"] == 2


async def test_bulk_cancel_has_a_dry_run(web: WebEnv) -> None:
    old = await web.send(to_agent="validator")
    web.clock.move(timedelta(hours=25))
    fresh = await web.send(to_agent="validator")
    dry = await web.post("/v1/intents/bulk-cancel", {"older_than_hours": 24, "status_filter": ["DELIVERED"]})
    assert (dry["would_cancel"], dry["intent_ids"]) == (1, [old])
    assert await web.status(old) == "DELIVERED"
    done = await web.post("/v1/intents/bulk-cancel", {"dry_run": False})
    assert done["canceled"] == 1
    assert (await web.status(old), await web.status(fresh)) == ("CANCELED", "DELIVERED")


async def test_bulk_cancel_with_a_full_queue_can_be_retried(web: WebEnv) -> None:
    old = [await web.send(to_agent="validator") for _ in range(3)]
    web.clock.move(timedelta(hours=25))
    limit, web.env.committer._limit = web.env.committer._limit, 0
    answer = await web.post("/v1/intents/bulk-cancel", {"dry_run": False, "older_than_hours": 24})
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "queue_full", "1")
    assert "0 of 3" in answer["message"]
    web.env.committer._limit = limit
    again = await web.post("/v1/intents/bulk-cancel", {"dry_run": False, "older_than_hours": 24})
    assert (again.status, again["canceled"]) == (200, 3)
    assert {await web.status(intent_id) for intent_id in old} == {"CANCELED"}


async def test_failed_intent_is_retried_as_a_new_one(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator", human_task={"title": "May we?"})
    early = await web.post(f"/v1/intents/{intent_id}/retry")
    assert (early.status, early.code) == (409, "not_retryable")
    await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"})
    again = await web.post(f"/v1/intents/{intent_id}/retry", idempotency_key="once")
    same = await web.post(f"/v1/intents/{intent_id}/retry", idempotency_key="once")
    assert again["retry_of"] == intent_id
    assert same.json == again.json
    read = await web.get(f"/v1/intents/{again['intent_id']}")
    assert read["payload"] == PAYLOAD
    assert read["intent"]["retry_of"] == intent_id
    assert [s["kind"] for s in read["intent"]["steps"]] == ["agent", "human"]


async def test_deadline_in_the_past_is_refused(web: WebEnv) -> None:
    answer = await web.post("/v1/intents", {"intent_type": TYPE, "deadline_at": "2020-01-01T00:00:00Z"})
    assert (answer.status, answer["error"]["field"]) == (422, "deadline_at")


async def test_intent_times_out_at_its_deadline(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator", deadline_at="2026-03-02T10:00:00Z")
    await web.env.pass_time(timedelta(hours=2))
    read = await web.get(f"/v1/intents/{intent_id}")
    assert read["status"] == "TIMED_OUT"
    events = (await web.get(f"/v1/intents/{intent_id}/events?since=2"))["events"]
    assert [e["event_type"] for e in events] == ["intent.delivered", "intent.timed_out"]
