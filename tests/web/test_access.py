"""Rights over HTTP: keys, outsiders, and agents that try to approve their own work."""

from typing import Any

import pytest

from tests.web.web_env import TYPE, WebEnv

DECISIONS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/tasks/{task}/answer", {"outcome": "approved"}),
    ("POST", "/v1/tasks/{intent}/answer", {"outcome": "approved"}),
    ("POST", "/v1/approvals/{task}/decision", {"decision": "approve"}),
    ("POST", "/v1/approvals/{intent}/decision", {"decision": "approve"}),
    ("POST", "/v1/intents/{intent}/resume", {"task_result": {"outcome": "approved"}}),
    ("POST", "/v1/intents/{task}/resume", {"task_result": {"outcome": "approved"}}),
    ("POST", "/v1/intents/{intent}/resume", {"outcome": "approved", "task_result": {"approved": True}}),
    ("POST", "/v1/intents/{intent}/resume", {"outcome": "approved"}),
    ("POST", "/v1/intents/{intent}/resume", {"approve_current_step": True, "actor": "agent://acme/prod/ann"}),
    ("POST", "/v1/intents/{task}/resume", {"approve_current_step": True}),
    ("POST", "/v1/intents/{intent}/resolve", {"status": "COMPLETED", "result": {"outcome": "approved"}}),
]


@pytest.mark.parametrize("who", ["agent", "ci"])
@pytest.mark.parametrize(("method", "path", "body"), DECISIONS)
async def test_no_program_decides_by_any_endpoint(
    web: WebEnv, who: str, method: str, path: str, body: Any
) -> None:
    intent_id, task_id = await web.at_gate()
    answer = await web.call(method, path.format(intent=intent_id, task=task_id), body, who)
    assert answer.status == 403, answer.text
    assert await web.status(intent_id) == "WAITING"


@pytest.mark.parametrize("who", ["agent", "ci"])
async def test_no_program_passes_a_human_step_as_an_agents_result(web: WebEnv, who: str) -> None:
    intent_id, task_id = await web.at_gate()
    for path, body in [
        (f"/v1/intents/{task_id}/resolve", {"status": "COMPLETED", "result": {"outcome": "approved"}}),
        (f"/v1/intents/{task_id}/resume", {"action": "complete", "outcome": "done"}),
        (f"/v1/deliveries/{task_id}/report", {"token": 0, "result": {"outcome": "approved"}}),
    ]:
        answer = await web.post(path, body, who)
        assert answer.status == (409 if who == "agent" else 403), answer.text
    assert await web.status(intent_id) == "WAITING"


async def test_unknown_and_forbidden_intents_get_the_same_response(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    unknown = "0190a7de-1111-7222-8333-444455550000"
    reads = [
        "/v1/intents/{}",
        "/v1/intents/{}/events",
        "/v1/intents/{}/events/stream",
        "/v1/intents/{}/audit",
    ]
    reads += ["/v1/tasks/{}", "/v1/inbox/{}"]
    writes = [
        ("/v1/intents/{}/resume", {"task_result": {"outcome": "approved"}}),
        ("/v1/intents/{}/resolve", {"status": "CANCELED"}),
        ("/v1/intents/{}/controls", {}),
        ("/v1/intents/{}/retry", {}),
        ("/v1/tasks/{}/answer", {"outcome": "nonsense"}),
        ("/v1/approvals/{}/decision", {"decision": "approve"}),
    ]
    for who in ("sam", "stranger"):
        for path in reads:
            if who == "stranger" and path.startswith("/v1/tasks"):
                continue
            seen = [await web.get(path.format(ref), who) for ref in (intent_id, unknown)]
            assert [a.status for a in seen] == [404, 404], path
            assert seen[0].code == seen[1].code, path
        for path, body in writes:
            seen = [await web.post(path.format(ref), body, who) for ref in (intent_id, unknown)]
            assert [a.status for a in seen] == [404, 404], path
            assert seen[0].code == seen[1].code, path
    for path in ("/v1/deliveries/{}/release", "/v1/deliveries/{}/renew"):
        seen = [
            await web.post(path.format(ref), {"token": 1}, "sam") for ref in (task_id, unknown[:-4] + "0001")
        ]
        assert [a.status for a in seen] == [404, 404], path


async def test_lists_contain_only_what_the_caller_may_see(web: WebEnv) -> None:
    mine = await web.send(to_agent="validator")
    await web.ask()
    assert len((await web.get("/v1/intents", "rita"))["intents"]) == 2
    assert [i["intent_id"] for i in (await web.get("/v1/intents", "agent"))["intents"]] == [mine]
    for path, name in [
        ("/v1/intents", "intents"),
        ("/v1/tasks", "tasks"),
        ("/v1/agents", "agents"),
        ("/v1/keys", "keys"),
    ]:
        answer = await web.get(path, "sam")
        found = [k for k in answer[name] if name != "keys" or k["holder_id"] != "per_sam"]
        assert found == [], path


async def test_keys_are_read_from_both_headers(web: WebEnv) -> None:
    key = web.keys["ci"]
    assert (await web.get("/v1/me", "", x_api_key=key)).status == 200
    assert (await web.get("/v1/me", "", authorization=f"Bearer {key}")).status == 200
    assert (await web.get("/v1/me", "", authorization=f"bearer  {key} ")).status == 200
    # a stale session beside a service's key changes nothing; the key of a person is who acts
    assert (await web.get("/v1/me", "", x_api_key=key, authorization="Bearer eyJhbGciOi")).status == 200
    both = await web.get("/v1/me", "", x_api_key=key, authorization=f"Bearer {web.keys['ann']}")
    assert (both["actor"]["kind"], both["actor"]["id"]) == ("person", "per_ann")
    for headers, code in [
        ({}, "missing_platform_api_key"),
        ({"x_api_key": " "}, "missing_platform_api_key"),
        ({"authorization": "Basic abc"}, "missing_platform_api_key"),
        ({"x_api_key": "sgn_person_x_y"}, "invalid_platform_api_key"),
        ({"x_api_key": key[:-1] + ("y" if key[-1] == "x" else "x")}, "invalid_platform_api_key"),
        ({"x_api_key": "x" * 9000}, "invalid_platform_api_key"),
        ({"authorization": "Bearer nonsense"}, "invalid_platform_api_key"),
        ({"x_api_key": "bad", "authorization": f"Bearer {key}"}, "invalid_platform_api_key"),
    ]:
        answer = await web.get("/v1/me", "", **headers)
        assert (answer.status, answer.code) == (401, code), headers
        assert key not in answer.text
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_revoked_key_is_refused_at_once(web: WebEnv) -> None:
    made = await web.post("/v1/keys", {"agent": "validator"}, "oscar")
    headers = {"x_api_key": made["api_key"]}
    assert (await web.get("/v1/me", "", **headers)).status == 200
    revoked = await web.post(f"/v1/keys/{made['key_id']}/revoke", None, "oscar")
    assert revoked["key"]["status"] == "revoked"
    answer = await web.get("/v1/me", "", **headers)
    assert (answer.status, answer.code) == (401, "key_revoked")


async def test_agent_claims_only_its_own_deliveries(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    for path in ("/v1/agents/validator/intents/stream", "/v1/agents/validator/intents"):
        answer = await web.get(path, "stranger")
        assert (answer.status, answer.code) == (403, "not_your_address")
    claim = await web.post("/v1/agents/validator/deliveries/claim", {}, "stranger")
    assert (claim.status, claim.code) == (403, "not_your_address")
    assert (await web.get("/v1/inbox?owner_agent=validator", "stranger")).status == 403
    report = await web.post(f"/v1/intents/{intent_id}/resume", {"action": "complete"}, "stranger")
    assert report.status == 404


async def test_lists_contain_no_secret(web: WebEnv) -> None:
    for path in ("/v1/keys", "/v1/service-accounts", "/v1/agents", "/v1/me", "/v1/portal/personal/context"):
        text = (await web.get(path, "oscar")).text
        assert not any(key in text for key in web.keys.values()), path
        assert "webhook_secret" not in text
        assert "hash" not in text


@pytest.mark.parametrize(
    ("who", "body"),
    [
        ("ci", {"person": "eve@acme.example", "roles": ["owner"]}),
        ("ci", {"service": "other"}),
        ("agent", {"agent": "validator"}),
        ("agent", {"person": "eve@acme.example"}),
        ("rita", {"agent": "validator"}),
        ("ann", {"person": "ann@acme.example"}),
        ("aud", {"service": "ci"}),
    ],
)
async def test_nobody_creates_keys_with_more_rights_than_their_own(web: WebEnv, who: str, body: Any) -> None:
    answer = await web.post("/v1/keys", body, who)
    assert answer.status == 403
    assert "sgn_" not in answer.text


async def test_auditor_can_only_read(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    assert (await web.get(f"/v1/intents/{intent_id}/audit", "aud")).status == 200
    for path, body in [
        ("/v1/intents", {"intent_type": TYPE}),
        (f"/v1/intents/{intent_id}/resume", {"action": "complete"}),
        (f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"}),
        (f"/v1/intents/{intent_id}/controls", {}),
        ("/v1/workflows", {"workflow": "w", "intent_type": "a.b.v1", "steps": [{"id": "p", "delay": "1s"}]}),
    ]:
        assert (await web.post(path, body, "aud")).status == 403, path


async def test_a_key_for_a_malformed_agent_names_the_field(web: WebEnv) -> None:
    refused = await web.post("/v1/keys", {"agent": "a b/c"}, "oscar")
    assert (refused.status, refused["error"]["field"]) == (422, "agent")
