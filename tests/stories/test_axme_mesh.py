"""The published AXP client's mesh, unmodified, against the real server."""

import pytest
from axme import AxmeAuthError, AxmeHttpError

from tests.stories.axp_env import AxpEnv
from tests.stories.servers import until


def test_agent_that_sends_heartbeats_is_listed_as_healthy(axp: AxpEnv) -> None:
    name = axp.name("beating")
    agent, observer = axp.agent(name), axp.service()
    address = axp.owner.get_agent(name)["agent"]["address"]
    before = observer.mesh.get_agent(address)["agent"]
    assert before["health_status"] == "unknown"

    assert agent.mesh.heartbeat()["health_status"] == "healthy"

    listed = observer.mesh.list_agents(health="healthy")
    mine = next(one for one in listed["agents"] if one["address"] == address)
    assert listed["summary"]["healthy"] >= 1
    assert mine["last_heartbeat_at"]
    for said in (address, mine["address_id"]):
        found = observer.mesh.get_agent(said)["agent"]
        assert {**found, "last_heartbeat_at": mine["last_heartbeat_at"]} == mine


def test_heartbeat_thread_of_the_client_reports_metrics(axp: AxpEnv) -> None:
    name = axp.name("thread")
    agent = axp.agent(name)
    agent.mesh.report_metric(success=True, latency_ms=12, cost_usd=0.01)
    agent.mesh.start_heartbeat(interval_seconds=0.05)
    try:
        until(lambda: "metrics" in axp.owner.mesh.get_agent(name)["agent"])
    finally:
        agent.mesh.stop_heartbeat()
    found = axp.owner.mesh.get_agent(name)["agent"]
    assert (found["intents_period"], found["cost_period"]) == (1, 0.01)
    assert found["metrics"]["avg_latency_ms"] == 12


def test_agent_is_killed_and_resumed(axp: AxpEnv) -> None:
    name = axp.name("killed")
    agent, service = axp.agent(name), axp.service()
    address = axp.owner.get_agent(name)["agent"]["address"]
    address_id = axp.owner.mesh.get_agent(address)["agent"]["address_id"]

    assert axp.owner.mesh.kill(address)["status"] == "killed"  # as the kill switch's example does

    assert agent.mesh.heartbeat()["health_status"] == "killed"
    assert axp.owner.mesh.list_agents(health="killed")["summary"]["killed"] >= 1
    request = {"intent_type": "demo.work.v1", "to_agent": address, "payload": {}}
    for send in (lambda: service.send_intent(request), lambda: next(iter(agent.listen(address)))):
        with pytest.raises(AxmeAuthError) as refused:
            send()
        assert refused.value.status_code == 403

    assert axp.owner.mesh.resume(address_id)["status"] == "active"
    mine = [one for one in axp.owner.mesh.list_events()["events"] if one["address"] == address]
    assert [one["event_type"] for one in mine] == ["agent.resumed", "agent.killed"]

    assert agent.mesh.heartbeat()["health_status"] == "healthy"
    intent_id = service.send_intent(request)
    assert next(iter(agent.listen(address, wait_seconds=5)))["intent_id"] == intent_id


def test_unsupported_mesh_calls_are_refused(axp: AxpEnv) -> None:
    name = axp.name("alive")
    agent = axp.agent(name)
    with pytest.raises(AxmeAuthError) as service:
        axp.service().mesh.heartbeat()
    assert service.value.status_code == 403
    for call in (axp.service().mesh.kill, agent.mesh.kill, agent.mesh.resume):
        with pytest.raises(AxmeAuthError) as denied:
            call(name)
        assert denied.value.status_code == 403
    with pytest.raises(AxmeHttpError) as other:
        axp.owner.mesh.list_events(event_type="agent.degraded")
    assert other.value.status_code == 422


def test_capabilities_list_what_is_supported(axp: AxpEnv) -> None:
    found = axp.service().get_capabilities()
    assert {"intents", "inbox", "mesh"} <= {*found["capabilities"]}
    assert isinstance(found["supported_intent_types"], list)
