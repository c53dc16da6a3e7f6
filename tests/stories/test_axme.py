"""The published AXP client, unmodified, against the real server: what its users' programs do."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.stories.axp_env import AxpEnv, result_of, sink, take, work
from tests.stories.servers import until

CHANGE = {"change_type": "database_migration", "target": "prod-postgres-main"}


def gate(axp: AxpEnv, agent: str, **approve: Any) -> str:
    """Register validate -> approve for its own intent type; returns the type."""
    kind = f"intent.infra.{agent.replace('-', '_')}.v1"
    steps = [
        {"id": "validate", "agent": agent, "deadline": "5m"},
        {"id": "approve", "human": {"type": "approval", "title": "Run it?"} | approve, "deadline": "8h"},
    ]
    status, _ = axp.call("POST", "/v1/workflows", {"workflow": agent, "intent_type": kind, "steps": steps})
    assert status == 200
    return kind


def bundle(agent: str, **intent: Any) -> dict[str, Any]:
    """A scenario as in the published demos: an agent checks, a person signs off."""
    return {
        "scenario_id": "durable-execution-human-approval.demo.v1",
        "title": "A change that waits for a person",
        "agents": [
            {
                "role": "checker",
                "address": agent,
                "display_name": "Checker",
                "delivery_mode": "stream",
                "create_if_missing": True,
            }
        ],
        "humans": [{"role": "operator", "display_name": "Operations"}],
        "workflow": {
            "steps": [
                {
                    "step_id": "check",
                    "tool_id": "tool.agent.task.v1",
                    "assigned_to": "checker",
                    "step_deadline_seconds": 120,
                    "requires_approval": False,
                },
                {
                    "step_id": "signoff",
                    "tool_id": "tool.approval.human_signoff",
                    "assigned_to": "operator",
                    "requires_approval": True,
                    "remind_after_seconds": 600,
                    "max_reminders": 2,
                },
            ]
        },
        "intent": {"type": "intent.demo.change.v1", "payload": CHANGE} | intent,
    }


def test_request_passes_validation_and_a_persons_approval(axp: AxpEnv) -> None:
    name = axp.name("validator")
    agent, initiator = axp.agent(name), axp.service()
    kind = gate(axp, name)
    working = axp.meanwhile(work, agent, name, {"passed": True})

    intent_id = initiator.send_intent({"intent_type": kind, "to_agent": name, "payload": CHANGE})
    waiting = axp.meanwhile(initiator.wait_for, intent_id, timeout_seconds=60)

    step = result_of(working)
    assert step["payload"]["parent_payload"] == CHANGE
    assert step["parent_intent_id"] == intent_id
    task = axp.waiting(intent_id)["human_task"]
    assert (task["title"], task["task_type"]) == ("Run it?", "approval")
    assert intent_id in {task["intent_id"] for task in axp.call("GET", "/v1/me/tasks")[1]["tasks"]}
    decided = axp.owner.resume_intent(intent_id, {"task_result": {"outcome": "approved", "comment": "go"}})
    assert (decided["applied"], decided["event"]["event_type"]) == (True, "intent.completed")

    done = result_of(waiting)
    assert (done["event_type"], done["status"]) == ("intent.completed", "COMPLETED")
    assert (done["result"]["outcome"], done["result"]["steps"]["validate"]["passed"]) == ("approved", True)
    story = [event["event_type"] for event in initiator.list_intent_events(intent_id)["events"]]
    assert story == [
        "intent.created",
        "intent.delivered",
        "intent.in_progress",
        "intent.human_task_assigned",
        "intent.answered",
        "intent.in_progress",
        "intent.completed",
    ]


def test_rejection_by_a_person_fails_the_intent(axp: AxpEnv) -> None:
    name = axp.name("validator")
    agent, initiator = axp.agent(name), axp.service()
    intent_id = initiator.send_intent({"intent_type": gate(axp, name), "payload": CHANGE})
    work(agent, name, {"passed": True})
    axp.waiting(intent_id)
    axp.owner.resume_intent(intent_id, {"task_result": {"outcome": "rejected", "comment": "not on a Friday"}})
    done = initiator.wait_for(intent_id, timeout_seconds=60)
    assert (done["event_type"], done["status"]) == ("intent.failed", "FAILED")
    intent = initiator.get_intent(intent_id)["intent"]
    assert (intent["result"]["outcome"], intent["error"]["code"]) == ("rejected", "human_rejected")


def test_failed_agent_step_ends_the_intent_before_any_person_is_asked(axp: AxpEnv) -> None:
    name = axp.name("validator")
    agent, initiator = axp.agent(name), axp.service()
    intent_id = initiator.send_intent({"intent_type": gate(axp, name), "payload": CHANGE})
    (delivery,) = take(agent, name)
    agent.resume_intent(delivery["intent_id"], {"action": "fail", "reason": "the table is locked"})
    assert initiator.wait_for(intent_id, timeout_seconds=60)["status"] == "FAILED"
    assert "the table is locked" in initiator.get_intent(intent_id)["intent"]["error"]["message"]


@pytest.mark.parametrize("spelling", ["{name}", "agent://local/default/{name}", "local/default/{name}"])
def test_direct_intent_reaches_its_agent_by_every_spelling_of_the_address(axp: AxpEnv, spelling: str) -> None:
    name = axp.name("runner")
    agent, initiator = axp.agent(name), axp.service()
    listening = axp.meanwhile(take, agent, spelling.format(name=name))
    request = {"intent_type": "task.v1", "to_agent": spelling.format(name=name), "payload": {"n": 1}}
    created = initiator.create_intent(request, correlation_id="0f8fad5b-d9cb-469f-a165-70867728950e")
    intent_id = created["intent_id"]
    assert created["status"] == "DELIVERED"
    assert len(initiator.list_intent_events(intent_id)["events"]) >= 2

    (delivery,) = result_of(listening)
    assert delivery["intent_id"] == intent_id
    assert (delivery["event_type"], delivery["status"]) == ("intent.delivered", "DELIVERED")
    assert delivery["correlation_id"] == "0f8fad5b-d9cb-469f-a165-70867728950e"
    resumed = agent.resume_intent(intent_id, {"action": "complete", "rows": 7}, owner_agent=name)
    assert resumed["applied"] is True

    events = list(initiator.observe(intent_id, timeout_seconds=60))
    assert [event["status"] for event in events] == ["CREATED", "DELIVERED", "IN_PROGRESS", "COMPLETED"]
    assert [event["seq"] for event in events] == [2, 4, 6, 8]
    got = initiator.get_intent(intent_id)
    assert (got["status"], got["result"], got["payload"]) == ("COMPLETED", {"rows": 7}, {"n": 1})
    assert got["intent"]["lifecycle_status"] == "COMPLETED"


def test_observing_yields_each_event_once(axp: AxpEnv) -> None:
    name = axp.name("runner")
    agent, initiator = axp.agent(name), axp.service()
    intent_id = initiator.send_intent({"intent_type": gate(axp, name), "payload": CHANGE})
    watching = axp.meanwhile(
        lambda: list(initiator.observe(intent_id, poll_interval_seconds=0.05, timeout_seconds=60))
    )
    work(agent, name, {})
    axp.waiting(intent_id)
    axp.owner.decide_approval(intent_id, decision="approve", comment="fine")
    assert result_of(watching) == initiator.list_intent_events(intent_id)["events"]
    assert [e["seq"] for e in initiator.observe(intent_id, since=6, timeout_seconds=60)] == [8, 10, 12, 14]


def test_scenario_is_validated_applied_and_decided_on_the_parent(axp: AxpEnv) -> None:
    name = axp.name("checker")
    initiator = axp.service()
    assert initiator.validate_scenario(bundle(name))["errors"] == []
    applied = initiator.apply_scenario(bundle(name))
    (provisioned,) = applied["agents_provisioned"]
    assert provisioned["created"] is True
    assert applied["scenario_id"] == "durable-execution-human-approval.demo.v1"
    assert applied["compile_id"]
    key = initiator.create_service_account_key(provisioned["service_account_id"], {})["key"]["token"]
    step = work(axp.client(key), name, {"risk": "low"})
    assert (step["payload"]["parent_payload"], step["payload"]["step_id"]) == (CHANGE, "check")
    axp.waiting(applied["intent_id"])
    axp.owner.resume_intent(applied["intent_id"], {"outcome": "approved", "task_result": {"approved": True}})
    done = initiator.wait_for(applied["intent_id"], timeout_seconds=60)
    assert done["status"] == "COMPLETED"
    assert done["result"]["steps"]["check"]["risk"] == "low"


def test_invalid_scenario_is_explained_and_creates_nothing(axp: AxpEnv) -> None:
    name = axp.name("checker")
    wrong = bundle(name)
    wrong["workflow"]["steps"][0]["on_success"] = "nowhere"
    found = axp.owner.validate_scenario(wrong)
    assert found["valid"] is False
    assert any("nowhere" in error for error in found["errors"])
    assert name not in {account["name"] for account in accounts(axp)}


def accounts(axp: AxpEnv) -> list[dict[str, Any]]:
    listed = axp.owner.list_service_accounts(org_id="local", workspace_id="default")["service_accounts"]
    assert isinstance(listed, list)
    return listed


@pytest.mark.parametrize(
    ("ask", "answer", "status", "outcome"),
    [
        ({"title": "Ship it?"}, {"task_result": {"outcome": "approved"}}, "COMPLETED", "approved"),
        ({}, {"approve_current_step": True, "reason": "looks right"}, "COMPLETED", "approved"),
        ({}, {"approve_current_step": False}, "FAILED", "rejected"),
        ({"task_type": "confirmation"}, {"task_result": {"outcome": "rejected"}}, "FAILED", "denied"),
        (
            {"task_type": "form", "form_schema": {"type": "object", "required": ["rows"],
             "properties": {"rows": {"type": "integer"}}}},
            {"task_result": {"outcome": "approved", "rows": "7"}}, "COMPLETED", "submitted",
        ),
        (
            {"task_type": "manual_action"},
            {"task_result": {"outcome": "completed", "data": {"evidence": "#9"}}}, "COMPLETED", "completed",
        ),
    ],
)  # fmt: skip
def test_human_task_is_decided_by_every_body_that_clients_send(
    axp: AxpEnv, ask: dict[str, Any], answer: dict[str, Any], status: str, outcome: str
) -> None:
    created = axp.service().create_intent(
        {
            "intent_type": "human_approval.v1",
            "to_agent": "agent://agent_core",
            "payload": {},
            "human_task": ask,
        },
        correlation_id="0f8fad5b-d9cb-469f-a165-70867728950e",
    )
    assert created["status"] == "WAITING"
    assert axp.owner.resume_intent(created["intent_id"], answer)["intent"]["status"] == status
    assert axp.owner.get_intent(created["intent_id"])["intent"]["result"]["outcome"] == outcome


def test_pushed_deliveries_are_signed_and_acknowledged(axp: AxpEnv) -> None:
    name = axp.name("pushed")
    with sink() as callback:
        account = axp.owner.create_service_account(
            {"name": name, "delivery_mode": "http", "callback_url": callback.url}
        )
        key = axp.owner.create_service_account_key(account["service_account_id"], {})["key"]["token"]
        intent_id = axp.service().send_intent({"intent_type": "task.v1", "to_agent": name, "payload": CHANGE})
        until(lambda: callback.posted)
        headers, body = callback.posted[0]
        expected = hmac.new(account["webhook_secret"].encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-axme-signature"] == f"sha256={expected}"
        assert json.loads(body)["intent_id"] == intent_id
        until(lambda: axp.owner.get_intent(intent_id)["status"] == "ACKNOWLEDGED")
        agent = axp.client(key)
        assert agent.get_intent(intent_id)["payload"] == CHANGE
        agent.resume_intent(intent_id, {"action": "complete", "done": True})
        assert axp.owner.wait_for(intent_id, timeout_seconds=60)["status"] == "COMPLETED"
        assert len(callback.posted) == 1


def test_result_is_in_the_named_inbox(axp: AxpEnv) -> None:
    owner = f"initiator://{axp.name('forget')}"
    intent_id = axp.owner.send_intent({"intent_type": "task.v1", "payload": {"q": 1}, "reply_to": owner})
    assert [thread["status"] for thread in axp.owner.list_inbox(owner_agent=owner)["threads"]] == ["pending"]
    resolved = axp.owner.resolve_intent(intent_id, {"status": "COMPLETED", "result": {"a": 2}})
    assert resolved["completion_delivery"]["thread_id"] == intent_id
    (thread,) = axp.owner.list_inbox(owner_agent=owner)["threads"]
    assert (thread["thread_id"], thread["status"]) == (intent_id, "done")
    messages = axp.owner.get_inbox_thread(intent_id, owner_agent=owner)["messages"]
    assert [message["content"] for message in messages] == [{"q": 1}, {"a": 2}]
    assert axp.owner.list_inbox(owner_agent=axp.name("nobody"))["threads"] == []


def test_controls_and_policy_increment_a_generation_that_stale_writers_fail_on(axp: AxpEnv) -> None:
    intent_id = axp.owner.send_intent({"intent_type": "task.v1", "payload": {}})
    patch = {"controls_patch": {"timeout_seconds": 60}, "expected_policy_generation": 0}
    first = axp.owner.update_intent_controls(intent_id, patch)
    assert (first["applied"], first["policy_generation"]) == (True, 1)
    late = axp.owner.update_intent_controls(intent_id, patch)
    assert (late["applied"], late["reason"]) == (False, "stale_policy_generation")
    grants = {"grants_patch": {"delegate:agent://ops": {"allow": ["resume"]}}}
    assert axp.owner.update_intent_policy(intent_id, grants)["policy_generation"] == 2
    intent = axp.owner.get_intent(intent_id)["intent"]
    assert intent["workflow_control_policy"]["controls"] == {"timeout_seconds": 60}
    assert intent["workflow_control_policy"]["grants"] == grants["grants_patch"]
    stale = {"status": "COMPLETED", "expected_policy_generation": 1}
    assert axp.owner.resolve_intent(intent_id, stale)["applied"] is False
    assert axp.owner.get_intent(intent_id)["status"] == "DELIVERED"


def test_accounts_and_keys_are_created_listed_and_revoked(axp: AxpEnv) -> None:
    name = axp.name("Demo Runner")
    made = axp.owner.create_service_account({"name": name, "display_name": "Runner"})["service_account"]
    assert made["name"] == name
    assert (
        made["address"] == made["agent_address"] == f"agent://local/default/{name.lower().replace(' ', '-')}"
    )
    account_id = made["service_account_id"]
    assert account_id in {account["service_account_id"] for account in accounts(axp)}
    assert axp.owner.get_service_account(account_id)["service_account"]["display_name"] == "Runner"
    assert axp.owner.get_agent(made["address"])["agent"]["status"] == "active"
    listed = axp.owner.list_agents(org_id="local", workspace_id="default", limit=1000)["agents"]
    assert made["address"] in {agent["address"] for agent in listed}
    key = axp.owner.create_service_account_key(account_id, {})
    assert key["key"]["token"] == key["api_key"]
    assert axp.call("GET", "/v1/me", key=key["api_key"])[0] == 200
    axp.owner.revoke_service_account_key(account_id, key["key"]["key_id"])
    assert axp.call("GET", "/v1/me", key=key["api_key"])[0] == 401


def test_bulk_cancel_has_a_dry_run(axp: AxpEnv) -> None:
    mine = [axp.owner.send_intent({"intent_type": "task.v1", "payload": {"n": n}}) for n in range(3)]
    ask = {"older_than_hours": 0, "status_filter": ["DELIVERED", "WAITING"], "reason": "cleanup"}
    status, would = axp.call("POST", "/v1/intents/bulk-cancel", ask)
    assert (status, would["dry_run"]) == (200, True)
    assert set(mine) <= set(would["intent_ids"])
    assert axp.owner.get_intent(mine[0])["status"] == "DELIVERED"
    _, recent = axp.call("POST", "/v1/intents/bulk-cancel", ask | {"older_than_hours": 1})
    assert recent["would_cancel"] == 0
    _, done = axp.call("POST", "/v1/intents/bulk-cancel", ask | {"dry_run": False})
    assert done["canceled"] >= 3
    for intent_id in mine:
        assert axp.owner.wait_for(intent_id, timeout_seconds=60)["event_type"] == "intent.canceled"
