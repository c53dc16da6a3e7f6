"""Cases of Airflow alone: the trigger and the sensor. test_page.py runs the page's DAG in Airflow's own runner."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from signoff.testing import Server
from tests_adapters.harness import REFUND
from tests_adapters.harness_airflow import (  # which chooses Airflow's folder before it imports Airflow
    AirflowFailException,
    ApprovalOperator,
    DecisionSensor,
    DecisionTrigger,
    TaskDeferred,
)


def test_trigger_holds_no_secret_and_survives_serialization(server: Server) -> None:
    path, fields = DecisionTrigger("some-intent").serialize()
    assert (path, fields) == ("signoff.integrations.airflow.DecisionTrigger", {"intent_id": "some-intent"})


def sensor(intent_id: str, **options: object) -> DecisionSensor:
    return DecisionSensor(task_id="decided", intent_id=intent_id, **options)


def test_sensor_waits_for_the_request_of_another_program(server: Server, order: str) -> None:
    with server.client() as client:
        sent = client.send_intent(
            {"intent_type": REFUND, "payload": {"order": order}, "human_task": {"title": "Refund?"}}
        )
    context = {"ti": SimpleNamespace()}
    with pytest.raises(TaskDeferred) as deferred:
        sensor(sent, timeout=timedelta(hours=1).total_seconds()).execute(context)
    assert deferred.value.timeout == timedelta(hours=1)
    assert not sensor(sent, deferrable=False).poke(context)
    server.approve(comment="Fine.")
    with server.client() as client:
        client.wait_for(sent, timeout=30)
    said = sensor(sent).execute_complete(context, {"intent_id": sent})
    assert (said["outcome"], said["comment"]) == ("approved", "Fine.")
    assert said["payload"] == {"order": order}


def test_sensor_fails_with_the_reason_of_a_rejection(server: Server, order: str) -> None:
    server.reject(reason="Not our order.")
    with server.client() as client:
        sent = client.send_intent(
            {"intent_type": REFUND, "payload": {"order": order}, "human_task": {"title": "Refund?"}}
        )
        client.wait_for(sent, timeout=30)
    with pytest.raises(AirflowFailException, match="Not our order"):
        sensor(sent).execute({"ti": SimpleNamespace()})


def test_run_deleted_and_created_again_sends_a_new_request(server: Server, order: str) -> None:
    """Its run_id and try number equal those of the deleted run."""

    def task(id: str) -> Any:
        ti = SimpleNamespace(
            id=id, dag_id="refunds", run_id="daily", task_id="approve", map_index=-1, try_number=1
        )
        operator = ApprovalOperator(task_id="approve", tool="refund", arguments={"order": order})
        return operator.execute_complete({"ti": ti})

    with pytest.raises(TaskDeferred) as deferred:
        task("first")
    server.approve()
    with server.client() as client:
        client.wait_for(deferred.value.trigger.intent_id, timeout=30)
    assert task("first")["arguments"] == {"order": order}
    assert task("first")["arguments"] == {"order": order}  # the same try, resumed twice
    server.leave()
    with pytest.raises(TaskDeferred):
        task("second")
