"""What AXP's clients rely on besides intents: addresses, keys, workspaces, and paths that do not exist."""

from typing import Any

import pytest

from tests.web.web_env import HOME, PLAIN, WebEnv


async def sent_to(web: WebEnv, address: str) -> tuple[str, list[str]]:
    sent = await web.post("/v1/intents", {"intent_type": PLAIN, "to_agent": address})
    return sent["intent"]["to_agent"], sent["warnings"]


@pytest.mark.parametrize("address", ["agent://acme-corp/production/validator", "other/prod/validator"])
async def test_address_of_another_organization_means_the_only_agent_of_that_name(
    web: WebEnv, address: str
) -> None:
    to, warnings = await sent_to(web, address)
    assert to == "agent://acme/prod/validator"
    assert any("is not registered; agent://acme/prod/validator" in warning for warning in warnings)
    bare = address.removeprefix("agent://")
    assert len((await web.get(f"/v1/agents/{bare}/intents", "agent"))["intents"]) == 1
    assert (await web.get(f"/v1/agents/{bare}", "agent"))["agent"]["address"] == to
    assert (await web.get(f"/v1/agents/{bare}/intents", "stranger")).status == 403


async def test_address_is_not_resolved_to_one_of_several_or_to_another_registered_agent(
    web: WebEnv,
) -> None:
    await web.post("/v1/keys", {"agent": "agent://acme/test/validator"}, "oscar")
    for address in ("agent://acme/prod/validator", "agent://acme/test/validator"):
        assert (await sent_to(web, address))[0] == address
    to, warnings = await sent_to(web, "agent://elsewhere/prod/validator")
    assert to == "agent://elsewhere/prod/validator"
    assert any("no agent is registered" in warning for warning in warnings)
    assert (await sent_to(web, "validator"))[0] == "agent://acme/prod/validator", "a bare name is one's own"


async def test_name_shared_by_two_foreign_agents_resolves_to_neither(web: WebEnv) -> None:
    for place in ("one", "two"):
        await web.post("/v1/keys", {"agent": f"agent://acme/{place}/twin"}, "oscar")
    assert (await sent_to(web, "twin"))[0] == "agent://acme/prod/twin"


async def test_service_is_not_resolved_as_an_agent_of_its_name(web: WebEnv) -> None:
    assert (await sent_to(web, "agent://elsewhere/prod/ci"))[0] == "agent://elsewhere/prod/ci"


# -- keys


async def decide(web: WebEnv, **headers: str) -> Any:
    intent_id, _ = await web.ask()
    return await web.post(
        f"/v1/intents/{intent_id}/resume", {"task_result": {"outcome": "approved"}}, **headers
    )


async def test_persons_key_with_a_services_key_acts_as_the_person(web: WebEnv) -> None:
    alone = await decide(web, who="ci")
    assert (alone.status, alone.code) == (403, "person_required")
    both = await decide(web, who="ci", authorization=f"Bearer {web.keys['ann']}")
    assert both.status == 200
    assert both["intent"]["decided_by"] == "per_ann"


@pytest.mark.parametrize(
    "token", ["", "stale-session-token", "sgn_person_x", "agent", "stranger", "sam", "a" * 9000]
)
async def test_other_bearer_tokens_with_a_services_key_are_ignored(web: WebEnv, token: str) -> None:
    me = await web.get("/v1/me", "ci", authorization=f"Bearer {web.keys.get(token, token)}")
    assert (me.status, me["actor"]["kind"]) == (200, "service")


async def test_persons_key_with_an_agents_or_persons_key_is_ignored(web: WebEnv) -> None:
    for who, kind, name in (("agent", "agent", "validator"), ("rita", "person", "Rita")):
        me = await web.get("/v1/me", who, authorization=f"Bearer {web.keys['ann']}")
        assert (me["actor"]["kind"], me["actor"]["name"]) == (kind, name)


async def test_key_expires_at_the_requested_time(web: WebEnv) -> None:
    account = (await web.get("/v1/agents/validator", "oscar"))["agent"]["service_account_id"]
    made = await web.post(
        f"/v1/service-accounts/{account}/keys", {"expires_at": "2027-01-01T00:00:00Z"}, "oscar"
    )
    assert made["key"]["expires_at"] == "2027-01-01T00:00:00Z"


# -- the workspace


async def test_workspace_is_selected_by_id_or_name(web: WebEnv) -> None:
    path = "/v1/portal/personal/workspace-selection"
    context = (await web.get("/v1/portal/personal/context", "ann")).json
    for body in ({"org_id": "acme", "workspace_id": HOME}, {"workspace_id": "prod"}, {}):
        assert (await web.post(path, body, "ann")).json == context
    for body in ({"workspace_id": "ws_other"}, {"org_id": "other", "workspace_id": HOME}):
        refused = await web.post(path, body, "ann")
        assert (refused.status, refused.code) == (404, "workspace_not_found")
        assert HOME in refused["error"]["hint"]


# -- what is not there


@pytest.mark.parametrize(
    "agent", ["x", "agent://local/default/x", "a/b/x", "examples/x", "agent%3A%2F%2Fa%2Fb%2Fc"]
)
@pytest.mark.parametrize(
    "suffix",
    ["receive-override", "receive-override/entries", "receive-override/entries/e"],
)
async def test_unsupported_axp_path_is_not_taken_for_a_name(web: WebEnv, agent: str, suffix: str) -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        answer = await web.call(method, f"/v1/agents/{agent}/{suffix}", None, "oscar")
        assert (answer.status, answer.code) == (404, "not_found"), method
        assert answer["message"] == "There is nothing at this path."


@pytest.mark.parametrize("path", ["/v1/inbox/changes", f"/v1/inbox/{HOME}/reply", "/mcp"])
async def test_unsupported_families_are_404(web: WebEnv, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await web.call(method, path, None, "oscar")
        assert (answer.status, answer.code) == (404, "not_found")


async def test_malformed_address_is_refused_by_its_own_field(web: WebEnv) -> None:
    answer = await web.get("/v1/agents/a/b/c/d", "oscar")
    assert (answer.status, answer["error"]["field"]) == (422, "address")
    assert "to_agent" not in answer["message"]


# -- warnings


BUNDLE: dict[str, Any] = {
    "scenario_id": "s.v1",
    "agents": [{"role": "checker", "address": "new-checker", "create_if_missing": True}],
    "workflow": {
        "steps": [
            {"step_id": "check", "tool_id": "tool.nope", "assigned_to": "checker"},
            {
                "step_id": "ask",
                "tool_id": "tool.approval.human_signoff",
                "requires_approval": True,
                "human_task": {"title": "May we?", "notify_email": "outsider@elsewhere.example"},
            },
        ]
    },
    "intent": {"type": "a.b.v1", "payload": {}},
}


async def test_validate_returns_the_warnings_of_apply(web: WebEnv) -> None:
    checked = await web.post("/v1/scenarios/validate", BUNDLE, "oscar")
    applied = await web.post("/v1/scenarios/apply", BUNDLE, "oscar")
    assert checked["valid"] is True
    assert checked["warnings"] == list(applied["warnings"])
    assert any("there is no person outsider@elsewhere.example" in warning for warning in checked["warnings"])
    assert any("tool.nope" in warning for warning in checked["warnings"])


async def test_intent_of_a_bundle_and_a_retry_belong_to_the_requesters_trace(web: WebEnv) -> None:
    first, second = (f"00-{digit * 32}-b7ad6b7169203331-01" for digit in "ab")
    applied = await web.post("/v1/scenarios/apply", BUNDLE, "oscar", traceparent=first)
    assert (await web.env.intent(applied["intent_id"])).traceparent == first
    _, task_id = await web.ask()
    for given, wanted in ((second, second), ("", second), (first, first)):
        assert (await web.answer(task_id, "rejected"))["intent"]["status"] == "FAILED"
        headers = {"traceparent": given} if given else {}
        again = await web.post(f"/v1/intents/{task_id[:-4]}0000/retry", {}, **headers)
        assert (await web.env.intent(again["intent_id"])).traceparent == wanted
        task_id = again["intent_id"][:-4] + "0001"
