"""Agents, services, keys, workflows and scenarios over HTTP."""

from datetime import timedelta

import msgspec
import pytest

from signoff.core.errors import Busy
from signoff.web.axp import scenarios
from signoff.web.http.call import Call
from tests.web.bundles import bundle
from tests.web.web_env import HOME, TYPE, VALIDATOR, WORKFLOW, WebEnv


async def test_agent_is_registered_as_by_axps_command_line(web: WebEnv) -> None:
    body = {"name": "Demo Runner", "display_name": "Demo", "org_id": "acme", "workspace_id": HOME}
    made = await web.post("/v1/service-accounts", body, "ci")
    assert made.status == 200
    account = made["service_account"]
    assert account["name"] == "Demo Runner"
    assert (
        account["address"] == account["agent_address"] == made["address"] == "agent://acme/prod/demo-runner"
    )
    assert account["service_account_id"] == made["service_account_id"] == made["id"]
    assert len(made["webhook_secret"]) > 30
    again = await web.post("/v1/service-accounts", body, "ci")
    assert (again.status, again.code) == (409, "service_account_exists")
    assert again["service_account"]["service_account_id"] == account["service_account_id"]
    assert again["request_id"] == again.headers["x-request-id"]
    listed = (await web.get(f"/v1/service-accounts?org_id=acme&workspace_id={HOME}"))["service_accounts"]
    assert "Demo Runner" in [a["name"] for a in listed]
    key = await web.post(f"/v1/service-accounts/{account['service_account_id']}/keys", {}, "ci")
    assert key["api_key"] == key["key"]["token"]
    assert (key["key"]["status"], key["key"]["expires_at"]) == ("active", None)
    me = await web.get("/v1/me", "", x_api_key=key["api_key"])
    assert me["actor"]["address"] == "agent://acme/prod/demo-runner"


async def test_account_is_changed_and_removed(web: WebEnv) -> None:
    made = await web.post("/v1/service-accounts", {"name": "pusher"}, "oscar")
    path = f"/v1/service-accounts/{made['id']}"
    bad = await web.call("PATCH", path, {"delivery_mode": "http"}, "oscar")
    assert (bad.status, bad.code) == (422, "callback_url_required")
    changes = {"delivery_mode": "http", "callback_url": "http://localhost:9/intent"}
    changed = await web.call("PATCH", path, changes, "oscar")
    assert changed["service_account"]["callback_url"] == "http://localhost:9/intent"
    assert "webhook_secret" not in changed.json
    rotated = await web.call("PATCH", path, {"rotate_webhook_secret": True}, "oscar")
    assert rotated["webhook_secret"] != made["webhook_secret"]
    key = await web.post(f"{path}/keys", {}, "oscar")
    removed = await web.call("DELETE", path, None, "oscar")
    assert removed.json == {"ok": True, "service_account_id": made["id"], "status": "revoked"}
    assert (await web.get("/v1/me", "", x_api_key=key["api_key"])).code == "key_revoked"
    assert (await web.get(path, "oscar")).status == 404


async def test_key_of_an_account_is_revoked_by_its_own_path_only(web: WebEnv) -> None:
    one = await web.post("/v1/service-accounts", {"name": "one"}, "oscar")
    two = await web.post("/v1/service-accounts", {"name": "two"}, "oscar")
    key = (await web.post(f"/v1/service-accounts/{one['id']}/keys", {}, "oscar"))["key"]
    wrong = await web.post(f"/v1/service-accounts/{two['id']}/keys/{key['key_id']}/revoke", None, "oscar")
    assert wrong.status == 404
    right = await web.post(f"/v1/service-accounts/{one['id']}/keys/{key['key_id']}/revoke", None, "oscar")
    assert right["key"]["status"] == "revoked"


async def test_keys_are_created_in_one_call(web: WebEnv) -> None:
    agent = await web.post("/v1/keys", {"agent": "new-agent", "expires_in_seconds": 60}, "oscar")
    assert (agent["kind"], agent["address"]) == ("agent", "agent://acme/prod/new-agent")
    assert agent["expires_at"] == "2026-03-02T09:01:00Z"
    person = await web.post("/v1/keys", {"person": "Eve@Acme.example", "name": "Eve"}, "oscar")
    assert (person["kind"], person["address"]) == ("person", "eve@acme.example")
    me = await web.get("/v1/me", "", x_api_key=person["api_key"])
    assert (me["actor"]["email"], me["actor"]["roles"]) == ("eve@acme.example", ["approver"])
    again = {"person": "eve@acme.example", "roles": ["admin"]}
    assert (
        await web.post("/v1/keys", again, "oscar")
    ).code == "person_exists"  # not a key of fewer rights, in silence
    assert (await web.post("/v1/keys", {**again, "roles": ["approver"]}, "oscar")).status == 200
    listed = (await web.get("/v1/keys", "oscar"))["keys"]
    assert {agent["key_id"], person["key_id"]} <= {k["key_id"] for k in listed}
    for body in (
        {},
        {"agent": "a", "service": "b"},
        {"agnt": "a"},
        {"person": "no-address"},
        {"agent": "a", "roles": 1},
    ):
        assert (await web.post("/v1/keys", body, "oscar")).status == 422, body


async def test_key_expires(web: WebEnv) -> None:
    made = await web.post("/v1/keys", {"agent": "validator", "expires_in_seconds": 60}, "oscar")
    web.clock.move(timedelta(minutes=2))
    answer = await web.get("/v1/me", "", x_api_key=made["api_key"])
    assert (answer.status, answer.code) == (401, "key_expired")


async def test_agents_are_listed_and_found(web: WebEnv) -> None:
    agents = (await web.get("/v1/agents?org_id=acme&limit=10"))["agents"]
    assert VALIDATOR in [a["address"] for a in agents]
    assert "ci" not in [a["name"] for a in agents]
    missing = await web.get("/v1/agents/acme/prod/nobody")
    assert (missing.status, missing.code) == (404, "agent_not_found")


@pytest.mark.parametrize(("field", "longest"), [("display_name", 255), ("callback_url", 2000)])
async def test_agent_description_is_limited_in_length(web: WebEnv, field: str, longest: int) -> None:
    made = await web.post(
        "/v1/service-accounts", {"name": "long", field: "http://x" + "x" * longest}, "oscar"
    )
    assert (made.status, made["error"]["field"]) == (422, field)
    account = (await web.post("/v1/service-accounts", {"name": "long"}, "oscar"))["id"]
    changed = {field: "http://x" + "x" * longest}
    answer = await web.call("PATCH", f"/v1/service-accounts/{account}", changed, "oscar")
    assert (answer.status, answer["error"]["field"]) == (422, field)


async def test_callback_url_of_an_agent_is_hidden_from_other_agents(web: WebEnv) -> None:
    hook = "https://hooks.example/in?token=t0ps3cret"
    pushed = {"name": "pusher", "delivery_mode": "http", "callback_url": hook}
    made = await web.post("/v1/service-accounts", pushed, "oscar")
    key = (await web.post(f"/v1/service-accounts/{made['id']}/keys", {}, "oscar"))["api_key"]
    lists = ("/v1/agents", "/v1/service-accounts")
    for path in (*lists, f"/v1/service-accounts/{made['id']}", "/v1/agents/acme/prod/pusher"):
        assert "t0ps3cret" not in (await web.get(path, "agent")).text, path
        assert hook in (await web.get(path, "", x_api_key=key)).text, path
        assert hook in (await web.get(path, "oscar")).text, path


async def test_workflow_is_applied_once(web: WebEnv) -> None:
    dry = await web.post("/v1/workflows?dry_run=true", WORKFLOW, "oscar")
    assert (dry["changed"], dry["dry_run"], dry["workflow"]["version"]) == (True, True, 1)
    assert (await web.get("/v1/workflows"))["workflows"] == []
    first = await web.post("/v1/workflows", WORKFLOW, "oscar")
    assert (first["changed"], first["workflow"]["version"], first["workflow"]["applied_by"]) == (
        True,
        1,
        "Oscar",
    )
    assert first["workflow"]["steps"] == [
        {"id": "validate", "kind": "agent"},
        {"id": "approve", "kind": "human"},
    ]
    assert first["workflow"]["source"] == WORKFLOW
    again = await web.post("/v1/workflows", WORKFLOW, "oscar")
    assert (again["changed"], again["workflow"]["version"]) == (False, 1)
    other = await web.post("/v1/workflows", {**WORKFLOW, "steps": WORKFLOW["steps"][:1]}, "oscar")
    assert (other["changed"], other["workflow"]["version"]) == (True, 2)
    assert [w["version"] for w in (await web.get("/v1/workflows"))["workflows"]] == [2]
    assert (await web.get(f"/v1/workflows/{TYPE}"))["workflow"]["version"] == 2
    assert (await web.get("/v1/workflows/none")).code == "workflow_not_found"


@pytest.mark.parametrize("who", ["ci", "rita", "ann", "agent"])
async def test_only_owners_and_admins_apply_workflows(web: WebEnv, who: str) -> None:
    assert (await web.post("/v1/workflows", WORKFLOW, who)).status == 403


async def test_mistake_in_a_workflow_is_named(web: WebEnv) -> None:
    answer = await web.post("/v1/workflows", {**WORKFLOW, "stepz": []}, "oscar")
    assert (answer.status, answer.code) == (422, "unknown_field")
    assert "steps" in answer["error"]["hint"]


async def test_bundle_is_applied_and_its_agents_are_registered(web: WebEnv) -> None:
    applied = await web.post("/v1/scenarios/apply", bundle(), "ci")
    assert applied.status == 200, applied.text
    assert applied["scenario_id"] == "durable-approval.demo.v1"
    assert applied["compile_id"] == applied["workflow_compile_id"] != ""
    [agent] = applied["agents_provisioned"]
    assert (agent["address"], agent["created"]) == ("agent://acme/prod/fresh-checker", True)
    assert agent["sa_id"] == agent["service_account_id"] != ""
    assert applied["pending_with"]["ref"] == "agent://acme/prod/fresh-checker"
    intent_id = applied["intent_id"]
    step = intent_id[:-4] + "0001"
    assert (
        await web.post(f"/v1/intents/{step}/resume", {"action": "complete"}, "ci")
    ).code == "agent_required"
    await web.post(f"/v1/intents/{step}/resume", {"action": "complete"}, "oscar")
    assert (await web.get("/v1/me/tasks", "ann"))["tasks"][0]["intent_id"] == intent_id
    done = await web.post(f"/v1/intents/{intent_id}/resume", {"task_result": {"outcome": "approved"}}, "ann")
    assert done["intent"]["status"] == "COMPLETED"
    again = await web.post("/v1/scenarios/apply", bundle(), "ci")
    assert again["intent_id"] != intent_id
    assert again["agents"][0]["created"] is False


async def test_bundle_is_applied_once_per_key_in_body_or_header(web: WebEnv) -> None:
    first = await web.post("/v1/scenarios/apply", bundle(idempotency_key="k"), "ci")
    again = await web.post("/v1/scenarios/apply", bundle(idempotency_key="k"), "ci")
    assert again.json == first.json
    header = await web.post("/v1/scenarios/apply", bundle(), "ci", idempotency_key="h")
    assert (await web.post("/v1/scenarios/apply", bundle(), "ci", idempotency_key="h")).json == header.json


async def test_bundle_is_applied_by_who_may_not_register_agents(web: WebEnv) -> None:
    applied = await web.post("/v1/scenarios/bundle", bundle(), "rita")
    assert applied.status == 200
    assert applied["agents"][0]["service_account_id"] == ""
    assert any("no agent is registered" in warning for warning in applied["warnings"])


async def test_bundle_that_nobody_could_decide_is_refused_and_registers_no_agent(web: WebEnv) -> None:
    for_nobody = bundle(humans=[{"role": "operator", "contact": "nobody@elsewhere.example"}])
    refused = await web.post("/v1/scenarios/apply", for_nobody, "ci")
    checked = await web.post("/v1/scenarios/validate", for_nobody, "ci")
    assert refused.status == 422, refused.text
    assert (checked["valid"], len(checked["errors"])) == (False, 1)
    assert refused["error"]["message"] in checked["errors"][0]
    known = {agent["address"] for agent in (await web.get("/v1/agents", "ci"))["agents"]}
    assert "agent://acme/prod/fresh-checker" not in known


async def test_bundle_is_valid_while_the_database_is_unreachable(web: WebEnv) -> None:
    scope = {"method": "POST", "path": "/v1/scenarios/validate", "query_string": b"", "headers": []}
    call = Call(web.state, scope, "")
    call.actor, call.body = await web.actor("ann"), msgspec.json.encode(bundle())
    assert (await scenarios.validate(call)).valid
    await web.env.store.close()
    web.env.directory.changed(HOME)
    with pytest.raises(Busy):
        await scenarios.validate(call)


async def test_bundle_is_validated_without_side_effects(web: WebEnv) -> None:
    good = await web.post("/v1/scenarios/validate", bundle(), "ci")
    assert (good["valid"], good["errors"]) == (True, [])
    bad = await web.post("/v1/scenarios/validate", bundle(intent={}), "ci")
    assert (bad.status, bad["valid"]) == (200, False)
    assert all(isinstance(error, str) for error in bad["errors"])
    assert (await web.post("/v1/scenarios/apply", bundle(intent={}), "ci")).status == 422
    assert (await web.get("/v1/intents"))["intents"] == []
