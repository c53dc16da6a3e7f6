"""Requests that the server refuses, as the error classes of the published AXP client."""

import http.client
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from axme import AxmeAuthError, AxmeClient, AxmeHttpError, AxmeValidationError

from tests.stories.axp_env import AxpEnv, work
from tests.stories.servers import until

Calls = list[Callable[[], object]]
TASK = {"intent_type": "task.v1", "payload": {}}


def error_code(error: AxmeHttpError) -> str:
    """The error's code; checks that the body has the one shape in which every client finds the message."""
    body = error.body
    assert isinstance(body, dict)
    assert body["ok"] is False
    assert body["error"]["message"] == body["message"] == body["detail"] == error.message
    assert body["request_id"] == error.request_id
    code = body["error"]["code"]
    assert isinstance(code, str)
    return code


def test_unknown_key_gets_401(axp: AxpEnv) -> None:
    stranger = axp.client("axme_sa_demo.secret")
    assert stranger.health()["ok"] is True
    calls: Calls = [lambda: stranger.send_intent(TASK), lambda: next(stranger.listen("anybody"))]
    for call in calls:
        with pytest.raises(AxmeAuthError) as caught:
            call()
        assert (caught.value.status_code, error_code(caught.value)) == (401, "invalid_platform_api_key")
    assert axp.live.call("GET", "/v1/intents", key="\t")[1]["error"]["code"] == "missing_platform_api_key"


def test_deliveries_of_another_agent_are_403_and_its_intents_404(axp: AxpEnv) -> None:
    mine, other = axp.name("mine"), axp.name("other")
    agent = axp.agent(mine)
    axp.agent(other)
    with pytest.raises(AxmeAuthError) as caught:
        next(agent.listen(other, wait_seconds=1))
    assert (caught.value.status_code, error_code(caught.value)) == (403, "not_your_address")
    intent_id = axp.owner.send_intent({**TASK, "to_agent": other})
    unknown = str(uuid.uuid4())
    for ref in (intent_id, unknown):
        for call in (
            agent.get_intent,
            agent.list_intent_events,
            partial(agent.resume_intent, payload={"action": "complete"}),
            partial(agent.resolve_intent, payload={"status": "CANCELED"}),
        ):
            with pytest.raises(AxmeHttpError) as hidden:
                call(ref)
            assert type(hidden.value) is AxmeHttpError
            assert (hidden.value.status_code, error_code(hidden.value)) == (404, "intent_not_found")


def test_command_on_a_final_intent_is_409(axp: AxpEnv) -> None:
    intent_id = axp.owner.send_intent(TASK)
    axp.owner.resolve_intent(intent_id, {"status": "COMPLETED", "result": {"a": 1}})
    calls: Calls = [
        lambda: axp.owner.resolve_intent(intent_id, {"status": "CANCELED", "reason": "late"}),
        lambda: axp.owner.resume_intent(intent_id, {"action": "complete"}),
    ]
    for call in calls:
        with pytest.raises(AxmeValidationError) as caught:
            call()
        assert (caught.value.status_code, error_code(caught.value)) == (409, "intent_terminal")


def test_step_is_reported_once(axp: AxpEnv) -> None:
    name = axp.name("runner")
    agent = axp.agent(name)
    steps = [{"id": "one", "agent": name}, {"id": "two", "agent": "somebody-else"}]
    kind = f"intent.{name.replace('-', '_')}.v1"
    assert (
        axp.call("POST", "/v1/workflows", {"workflow": name, "intent_type": kind, "steps": steps})[0] == 200
    )
    axp.owner.send_intent({"intent_type": kind, "payload": {}})
    step = work(agent, name, {"n": 1})
    with pytest.raises(AxmeValidationError) as caught:
        agent.resume_intent(step["intent_id"], {"action": "complete", "n": 2})
    assert (caught.value.status_code, error_code(caught.value)) == (409, "step_finished")


def test_invalid_body_is_422_and_an_oversized_one_413(axp: AxpEnv) -> None:
    created = axp.owner.create_intent(
        {**TASK, "human_task": {"allowed_outcomes": ["approved", "rejected"]}},
        correlation_id=str(uuid.uuid4()),
    )
    calls: Calls = [
        lambda: axp.owner.send_intent({"intent_type": "not a type!", "payload": {}}),
        lambda: axp.owner.send_intent({"payload": {}}),
        lambda: axp.owner.send_intent({**TASK, "to_agent": "agent://a//b"}),
        lambda: axp.owner.resolve_intent(created["intent_id"], {"status": "DONE"}),
        lambda: axp.owner.resume_intent(created["intent_id"], {"task_result": {"outcome": "perhaps"}}),
        lambda: axp.owner.apply_scenario({"scenario_id": "empty", "intent": {"type": "intent.x.v1"}}),
    ]
    for call in calls:
        with pytest.raises(AxmeValidationError) as caught:
            call()
        assert caught.value.status_code == 422
        assert error_code(caught.value)
    with pytest.raises(AxmeValidationError) as large:
        axp.owner.send_intent({"intent_type": "task.v1", "payload": {"text": "x" * 140_000}})
    assert (large.value.status_code, error_code(large.value)) == (413, "payload_too_large")
    assert axp.owner.get_intent(created["intent_id"])["status"] == "WAITING"


def test_invalid_form_changes_nothing(axp: AxpEnv) -> None:
    form = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "integer", "minimum": 1}}}
    ask = {"task_type": "form", "form_schema": form}
    intent_id = axp.owner.send_intent({**TASK, "human_task": ask})
    for rows in ("none", 0, None):
        with pytest.raises(AxmeValidationError) as caught:
            axp.owner.resume_intent(intent_id, {"task_result": {"outcome": "submitted", "rows": rows}})
        assert caught.value.status_code == 422
    assert axp.owner.get_intent(intent_id)["status"] == "WAITING"
    axp.owner.resume_intent(intent_id, {"task_result": {"outcome": "submitted", "rows": 1}})
    assert axp.owner.get_intent(intent_id)["result"]["rows"] == 1


def test_idempotency_key_creates_one_intent(axp: AxpEnv) -> None:
    key = axp.name("once")
    first = axp.owner.send_intent(TASK | {"payload": {"n": 1, "m": 2}}, idempotency_key=key)
    # A program that was started again does not know the correlation id it sent before.
    assert axp.owner.send_intent(TASK | {"payload": {"m": 2, "n": 1}}, idempotency_key=key) == first
    with pytest.raises(AxmeValidationError) as caught:
        axp.owner.send_intent(TASK | {"payload": {"n": 2}}, idempotency_key=key)
    assert caught.value.status_code == 409
    assert "idempotency" in error_code(caught.value)
    assert axp.service().send_intent(TASK, idempotency_key=key) != first
    done = axp.owner.resolve_intent(first, {"status": "COMPLETED"}, idempotency_key="done")
    assert axp.owner.resolve_intent(first, {"status": "COMPLETED"}, idempotency_key="done") == done
    same = str(uuid.uuid4())
    assert axp.owner.send_intent(TASK, correlation_id=same) != axp.owner.send_intent(
        TASK, correlation_id=same
    )


def test_scenario_with_a_key_starts_once(axp: AxpEnv) -> None:
    bundle = {
        "scenario_id": "one-step",
        "agents": [{"role": "r", "address": axp.name("runner"), "create_if_missing": True}],
        "intent": {"type": "intent.demo.once.v1", "payload": {}},
    }
    key = axp.name("apply")
    first = axp.owner.apply_scenario(bundle, idempotency_key=key)["intent_id"]
    assert axp.owner.apply_scenario(bundle, idempotency_key=key)["intent_id"] == first
    assert axp.owner.apply_scenario(bundle)["intent_id"] != first


@pytest.fixture
def gated(axp: AxpEnv) -> tuple[AxmeClient, str]:
    """(an agent that has finished its step, the intent that now waits for a person)."""
    name = axp.name("selfish")
    agent = axp.agent(name)
    intent_id = axp.owner.send_intent({**TASK, "to_agent": name, "human_task": {"title": "Really?"}})
    work(agent, name, {"passed": True})
    until(lambda: axp.owner.get_intent(intent_id)["status"] == "WAITING")
    return agent, intent_id


def attempts(agent: AxmeClient, intent_id: str, task_id: str) -> Calls:
    """Every call by which the published client could decide, with each of the two ids."""
    decisions: list[dict[str, Any]] = [
        {"task_result": {"outcome": "approved"}},
        {"outcome": "approved", "task_result": {"approved": True}},
        {"approve_current_step": True, "reason": "I am sure"},
        {"outcome": "approved"},
    ]
    endings: list[dict[str, Any]] = [
        {"status": "COMPLETED", "result": {"ok": True}},
        {"status": "FAILED", "error": {}},
        {"status": "CANCELED"},
    ]
    refs = (intent_id, task_id)
    return [
        *(partial(agent.resolve_intent, intent_id, body) for body in endings),
        *(partial(agent.resume_intent, ref, body) for ref in refs for body in decisions),
        *(partial(agent.decide_approval, ref, decision="approve") for ref in refs),
    ]


def test_key_of_an_agent_never_decides(axp: AxpEnv, gated: tuple[AxmeClient, str]) -> None:
    agent, intent_id = gated
    (task,) = [t for t in axp.call("GET", "/v1/tasks")[1]["tasks"] if t["intent_id"] == intent_id]
    before = axp.owner.list_intent_events(intent_id)
    for attempt in attempts(agent, intent_id, task["task_id"]):
        with pytest.raises(AxmeAuthError) as caught:
            attempt()
        assert caught.value.status_code == 403, attempt
        assert error_code(caught.value) in ("person_required", "gate_not_passed", "not_yours"), attempt
    key, refs = agent._config.api_key, (intent_id, task["task_id"])
    for ref in refs:
        status, _ = axp.call("POST", f"/v1/tasks/{ref}/answer", {"outcome": "approved"}, key)
        assert status == 403
    # These are no decisions at all: a result, "go on", an end of the step.
    results: list[dict[str, Any]] = [
        {"action": "complete", "approved": True},
        {"action": "fail"},
        {"ok": True},
        {},
    ]
    late: Calls = [partial(agent.resume_intent, ref, body) for ref in refs for body in results]
    late += [partial(agent.resolve_intent, task["task_id"], {"status": s}) for s in ("COMPLETED", "FAILED")]
    for attempt in late:
        with pytest.raises(AxmeValidationError) as refused:
            attempt()
        assert (refused.value.status_code, error_code(refused.value)) == (409, "awaiting_decision"), attempt
    assert axp.call("GET", "/v1/me/tasks", key=key)[0] == 403
    assert axp.owner.list_intent_events(intent_id) == before
    axp.owner.resume_intent(intent_id, {"task_result": {"outcome": "approved"}})
    assert axp.owner.get_intent(intent_id)["status"] == "COMPLETED"


def test_key_of_a_service_never_decides(axp: AxpEnv) -> None:
    service = axp.service()
    intent_id = service.send_intent({**TASK, "human_task": {"title": "Really?"}})
    for body in ({"task_result": {"outcome": "approved"}}, {"approve_current_step": True}):
        with pytest.raises(AxmeAuthError) as caught:
            service.resume_intent(intent_id, body)
        assert (caught.value.status_code, error_code(caught.value)) == (403, "person_required")
    with pytest.raises(AxmeAuthError) as resolved:
        service.resolve_intent(intent_id, {"status": "COMPLETED"})
    assert error_code(resolved.value) == "gate_not_passed"
    assert axp.owner.get_intent(intent_id)["status"] == "WAITING"
    assert service.resolve_intent(intent_id, {"status": "CANCELED"})["event"]["status"] == "CANCELED"


def test_intents_of_others_are_not_found_for_a_service(axp: AxpEnv) -> None:
    service, others = axp.service(), axp.service()
    bodies: list[dict[str, Any]] = [{"action": "complete"}, {}, {"task_result": {"outcome": "approved"}}]
    for asked in (TASK, {**TASK, "human_task": {"title": "Really?"}}):
        intent_id = others.send_intent(asked)
        before = axp.owner.list_intent_events(intent_id)
        calls: Calls = [
            partial(service.get_intent, intent_id),
            *(partial(service.resume_intent, intent_id, body) for body in bodies),
            *(partial(service.resolve_intent, intent_id, {"status": s}) for s in ("COMPLETED", "CANCELED")),
        ]
        for call in calls:
            with pytest.raises(AxmeHttpError) as caught:
                call()
            assert (caught.value.status_code, error_code(caught.value)) == (404, "intent_not_found")
        assert axp.owner.list_intent_events(intent_id) == before


def test_key_is_accepted_as_a_bearer_token(axp: AxpEnv) -> None:
    for scheme, expected in (("Bearer", 200), ("bearer", 200), ("Basic", 401)):
        connection = http.client.HTTPConnection("127.0.0.1", axp.live.port, timeout=60)
        connection.request("GET", "/v1/me", headers={"Authorization": f"{scheme} {axp.live.owner_key}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == expected
