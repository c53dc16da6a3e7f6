"""Fields of a request without effect are named in the response, or refused."""

import json
from typing import Any

import pytest

from tests.web.bundles import bundle
from tests.web.web_env import PAYLOAD, PLAIN, TYPE, WebEnv


def noted(answer: Any, name: str) -> bool:
    assert answer.status == 200, answer.text
    return any(warning.startswith(f"{name}") or f".{name}" in warning for warning in answer["warnings"])


REMINDING = {"remind_after_seconds": 60, "remind_interval_seconds": 60, "max_reminders": 2}
TIMING = {**REMINDING, "escalate_to": "otto@acme.example"}
ASK = {"title": "Sure?"}


@pytest.mark.parametrize("name", TIMING)
async def test_reminders_and_escalation_without_a_task_are_noted(web: WebEnv, name: str) -> None:
    base = {"intent_type": PLAIN, "payload": PAYLOAD, name: TIMING[name]}
    assert noted(await web.post("/v1/intents", {**base, "to_agent": "validator"}), name)
    asking = await web.post("/v1/intents", {**base, **TIMING, "human_task": ASK})
    assert not noted(asking, name)


@pytest.mark.parametrize("name", ["remind_interval_seconds", "max_reminders"])
async def test_interval_or_count_without_a_first_reminder_is_noted(web: WebEnv, name: str) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, name: 5}
    assert noted(await web.post("/v1/intents", body), name)


async def test_attempts_without_an_agent_are_noted(web: WebEnv) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, "max_delivery_attempts": 2}
    assert noted(await web.post("/v1/intents", body), "max_delivery_attempts")
    assert not noted(
        await web.post("/v1/intents", {**body, "to_agent": "validator"}), "max_delivery_attempts"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [*TIMING.items(), ("human_task", ASK), ("max_delivery_attempts", 2), ("to_agent", "somebody-else")],
)
async def test_fields_that_a_workflow_overrides_are_noted(web: WebEnv, name: str, value: Any) -> None:
    await web.apply_workflow()
    body = {"intent_type": TYPE, "payload": PAYLOAD}
    answer = await web.post("/v1/intents", {**body, name: value})
    assert noted(answer, f"{name} is ignored: workflow")
    assert not noted(await web.post("/v1/intents", {**body, "to_agent": "validator"}), "to_agent")


async def test_validate_returns_the_same_notes_for_a_bundle(web: WebEnv) -> None:
    steps = [{"step_id": "check", "assigned_to": "checker", **TIMING}]
    given = {"agents": [{"role": "checker", "address": "validator"}], "workflow": {"steps": steps}}
    intent = {**bundle()["intent"], **TIMING}
    intent.pop("human_task", None)
    answer = await web.post("/v1/scenarios/validate", {"scenario_id": "s", "intent": intent, **given})
    for name in TIMING:
        assert noted(answer, f"intent.{name}: has no effect"), answer["warnings"]
        assert noted(answer, f"steps.check.{name}: has no effect"), answer["warnings"]


@pytest.mark.parametrize("blank", ["", "  "])
async def test_blank_on_behalf_of_is_refused(web: WebEnv, blank: str) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": ASK, "on_behalf_of": blank}
    refused = await web.post("/v1/intents", body)
    assert (refused.status, refused["error"]["field"]) == (422, "on_behalf_of")


async def test_ending_names_fields_that_it_does_not_keep(web: WebEnv) -> None:
    for ending, unused in (
        ({"status": "FAILED", "error": {"code": "x"}, "result": {"a": 1}}, "result"),
        ({"status": "CANCELED", "error": {"code": "x"}}, "error"),
        ({"status": "COMPLETED", "result": {"a": 1}, "reason": "fine"}, "reason"),
        ({"status": "COMPLETED", "result": {"a": 1}}, ""),
        ({"status": "CANCELED", "reason": "late"}, ""),
    ):
        intent_id = await web.send(to_agent="validator")
        answer = await web.post(f"/v1/intents/{intent_id}/resolve", ending)
        assert answer.status == 200
        assert answer.json.get("warnings", []) == (
            [f"{unused}: not stored for {ending['status']}."] if unused else []
        )


async def test_error_with_a_successful_status_is_refused(web: WebEnv) -> None:
    intent_id = await web.send(to_agent="validator")
    body = {"status": "COMPLETED", "error": {"code": "x"}}
    refused = await web.post(f"/v1/intents/{intent_id}/resolve", body)
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, "contradictory_ending", "error")
    assert await web.status(intent_id) == "DELIVERED"


async def test_empty_idempotency_key_is_refused(web: WebEnv) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD}
    for path, sent in (("/v1/intents", body), ("/v1/scenarios/apply", bundle())):
        refused = await web.post(path, sent, idempotency_key="")
        assert (refused.status, refused.code) == (422, "invalid_idempotency_key"), path
    two = await web.post("/v1/scenarios/apply", {**bundle(), "idempotency_key": "one"}, idempotency_key="two")
    assert (two.status, two.code) == (422, "contradictory_key")


@pytest.mark.parametrize("name", ["x-api-key", "idempotency-key", "authorization"])
async def test_repeated_header_with_two_values_is_refused(web: WebEnv, name: str) -> None:
    values = {"x-api-key": ("ci", "agent"), "idempotency-key": ("a", "b"), "authorization": ("x", "y")}[name]
    said = [web.keys[one] if name == "x-api-key" else one for one in values]
    headers = [("x-api-key", web.keys["ci"])] if name != "x-api-key" else []
    body = json.dumps({"intent_type": PLAIN, "payload": PAYLOAD}).encode()
    twice = await web.http.request(
        "POST", "/v1/intents", content=body, headers=[*headers, *((name, one) for one in said)]
    )
    assert (twice.status_code, twice.json()["error"]["code"]) == (422, "repeated_header")
    same = await web.http.request("GET", "/v1/me", headers=[("x-api-key", web.keys["ci"])] * 2)
    assert same.status_code == 200


# -- empty, unknown, twice


@pytest.mark.parametrize("empty", [None, "", " "])
@pytest.mark.parametrize("name", ["any", "need"])
async def test_empty_stage_is_refused_and_not_open_to_everybody(
    web: WebEnv, name: str, empty: str | None
) -> None:
    policy = {"approve": [{"need": 2, "any": ["ann@acme.example", "role:owner"], name: empty}]}
    for path, body in (
        ("/v1/policies", {"name": "p", "policy": policy}),
        ("/v1/apply", {"policies": {"p": policy}}),
    ):
        refused = await web.post(path, body, "oscar")
        assert (refused.status, refused.code) == (422, "empty_field"), refused.text
        assert refused["error"]["field"].endswith(f"approve[0].{name}")


async def test_empty_policy_of_a_workflow_is_refused(web: WebEnv) -> None:
    for empty in (None, ""):
        step = {"id": "ok", "human": {"title": "Sure?", "policy": empty}}
        body = {"workflow": "w", "intent_type": "intent.w.v1", "steps": [step]}
        refused = await web.post("/v1/workflows", body, "oscar")
        assert (refused.status, refused.code) == (422, "empty_field"), refused.text


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"addresses": {"slack": "U1"}}, "addresses.slack"),
        ({"addresses": {"pager": "7"}}, "addresses.pager"),
        ({"preferences": {"chanels": ["email"]}}, "preferences.chanels"),
        ({"preferences": {"channels": ["pigeon"]}}, "preferences.channels"),
        ({"preferences": {"channels": {"a": 1}}}, "preferences.channels"),
    ],
)
async def test_unknown_channel_is_refused(web: WebEnv, said: Any, field: str) -> None:
    ann = {"people": {"ann@acme.example": said}}
    for method, path, body in (("POST", "/v1/apply", ann), ("PATCH", "/v1/people/per_ann", said)):
        refused = await web.call(method, path, body, "oscar")
        assert refused.status == 422, refused.text
        assert refused["error"]["field"].endswith(field)


async def test_key_of_a_program_takes_no_name_or_roles(web: WebEnv) -> None:
    for said in ({"name": "N"}, {"roles": ["admin"]}):
        for holder in ("agent", "service"):
            refused = await web.post("/v1/keys", {holder: "new", **said}, "oscar")
            assert (refused.status, refused.code) == (422, "unknown_field"), refused.text
    other = await web.post("/v1/keys", {"person": "ann@acme.example", "name": "Somebody else"}, "oscar")
    assert (other.status, other.code) == (409, "person_exists")


async def test_field_in_two_contradictory_spellings_is_refused(web: WebEnv) -> None:
    cancel = {"older_than_hours": 0, "dry_run": False, "dryRun": True}
    refused = await web.post("/v1/intents/bulk-cancel", cancel, "oscar")
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, "contradictory_field", "dryRun")
    intent_id = await web.send(human_task=ASK)
    for body in (
        {"approve_current_step": True, "approveCurrentStep": False},
        {"task_result": {"outcome": "approved"}, "taskResult": {"outcome": "rejected"}},
        {"outcome": "approved", "approveCurrentStep": False},
    ):
        refused = await web.post(f"/v1/intents/{intent_id}/resume", body, "ann")
        assert refused.status == 422, refused.text
        assert refused.code in ("contradictory_field", "contradictory_answer")
    assert await web.status(intent_id) == "WAITING"


@pytest.mark.parametrize("name", ["ghost@acme.example", "sre_oncall", "per_nobody", "team:nosuch"])
async def test_unknown_assignee_is_refused_without_a_substitute(web: WebEnv, name: str) -> None:
    body = {"intent_type": PLAIN, "payload": PAYLOAD, "human_task": {**ASK, "assignees": [name]}}
    refused = await web.post("/v1/intents", body)
    assert (refused.status, refused.code, refused["error"]["field"]) == (
        422,
        "unknown_assignee",
        "human_task",
    )
    step = {"step_id": "ok", "tool_id": "tool.human.approval.v1", "human_task": {"assignees": [name]}}
    given = {"intent": {"type": PLAIN, "payload": PAYLOAD}, "workflow": {"steps": [step]}}
    assert (await web.post("/v1/scenarios/apply", given)).code == "unknown_assignee"
    checked = await web.post("/v1/scenarios/validate", given)
    assert checked["valid"] is False
    assert name in checked["errors"][0]
    both = {**body, "human_task": {**ASK, "assignees": [name, "ann@acme.example"]}}
    narrowed = await web.post("/v1/intents", both)
    assert narrowed.status == 200
    assert any(f"there is no person {name}" in warning for warning in narrowed["warnings"])


async def test_applying_a_workflow_warns_of_a_field_that_its_title_misspells(web: WebEnv) -> None:
    step = {"id": "ask", "human": {"title": "Refund {custmer}?", "approvers": ["ann@acme.example"]}}
    flow = {"workflow": "refund", "intent_type": "intent.refund.v1", "target": ["customer"], "steps": [step]}
    for path, body in (("/v1/workflows", flow), ("/v1/apply?dry_run=true", {"workflows": [flow]})):
        answer = await web.post(path, body, "oscar")
        assert [text for text in answer["warnings"] if "title" in text] == [
            "step 'ask': its title names {custmer}, but the workflow's other fields name 'customer'. "
            "Did you mean that?"
        ]
