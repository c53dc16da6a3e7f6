"""``GET /metrics``: its content in the Prometheus formats, and who may read it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from signoff.core.errors import Busy
from signoff.engine.metrics import GAUGES, METRICS, OTHER, REQUESTS, Metrics
from signoff.store.transaction import OutboxKind, OutboxRow
from tests.web.policy_steps import applied
from tests.web.web_env import HOME, TYPE, WebEnv

INTENT = "0190a7de-1111-7222-8333-444455550000"
HERE = {("worker", "0"), ("workspace", "acme/prod")}
Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def numbers(text: str) -> Numbers:
    """Each sample by its name and labels, without worker 0 and the workspace."""
    return {
        (sample.name, frozenset(sample.labels.items() - HERE)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped(web: WebEnv) -> Numbers:
    answer = await web.get("/metrics", "aud")
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return numbers(answer.text)


def of(found: Numbers, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def counted_again(web: WebEnv) -> None:
    """As after 15 seconds."""
    web.state.totals._at = None


async def test_approval_is_counted_from_request_to_decision(web: WebEnv) -> None:
    steps = [{"id": "approve", "human": {"policy": "prod"}}]
    prod = {"approve": [{"any": ["ann@acme.example"]}], "deadline": "8h", "risk": "low"}
    workflow = {"workflow": "change", "intent_type": TYPE, "steps": steps}
    await applied(web, {"policies": {"prod": prod}, "workflows": [workflow]})
    intent = await web.send(intent_type=TYPE)
    before = await scraped(web)
    assert of(before, "signoff_tasks_open", policy="prod") == 1
    assert of(before, "signoff_tasks_opened_total", policy="prod") == 1
    assert of(before, "signoff_intents_created_total") == 1
    web.clock.move(timedelta(minutes=2))
    assert (await web.post(f"/v1/tasks/{intent}/answer", {"outcome": "approved"}, "ann")).status == 200
    counted_again(web)
    after = await scraped(web)
    assert of(after, "signoff_tasks_open", policy="prod") == 0
    labels = {"policy": "prod", "ending": "approved"}
    assert of(after, "signoff_task_duration_seconds_sum", **labels) == 120
    assert of(after, "signoff_task_duration_seconds_bucket", le="60.0", **labels) == 0
    assert of(after, "signoff_task_duration_seconds_bucket", le="300.0", **labels) == 1
    assert of(after, "signoff_task_duration_seconds_bucket", le="+Inf", **labels) == 1
    assert of(after, "signoff_intents_ended_total", status="COMPLETED", ending="approved") == 1
    answer = {"method": "POST", "path": "/v1/tasks/{task_id}/answer"}
    assert of(after, "signoff_http_requests_total", status="200", **answer) == 1
    assert of(after, "signoff_http_request_duration_seconds_count", **answer) == 1
    assert of(after, "signoff_commit_batch_jobs_count") > of(before, "signoff_commit_batch_jobs_count") > 0
    assert of(after, "signoff_commit_duration_seconds_sum") > 0
    assert of(after, "signoff_up") == 1


async def test_waiting_messages_and_active_workers_are_measured(web: WebEnv) -> None:
    outbox, due = web.env.store.outbox, web.clock.now() - timedelta(minutes=3)
    rows = [
        OutboxRow(id, HOME, INTENT, 0, OutboxKind.PERSON, "email", "ann", b"{}", due)
        for id in ("one", "two", "three", "four")
    ]
    for row in rows:
        await outbox.put(row)
    await outbox.again(rows[1], due + timedelta(hours=1), "refused")
    await outbox.dead(rows[2], "no such address")
    await web.get("/v1/agents/acme/prod/validator/intents/stream?wait_seconds=1&since=0", "agent")
    await web.env.loops["workers"]._once()
    found = await scraped(web)
    for state, count in {"waiting": 2, "retrying": 1, "dead": 1}.items():
        assert of(found, "signoff_outbox_messages", channel="email", state=state) == count
    assert 180 <= of(found, "signoff_outbox_overdue_seconds", channel="email") < 181
    seen = of(found, "signoff_agent_last_seen_timestamp_seconds", agent="agent://acme/prod/validator")
    assert abs(seen - web.clock.now().timestamp()) < 60
    await outbox.done(rows)
    assert (await scraped(web))[
        "signoff_outbox_messages", frozenset({("channel", "email"), ("state", "dead")})
    ]
    counted_again(web)
    assert of(await scraped(web), "signoff_outbox_messages", channel="email", state="dead") == 0


async def test_late_timer_is_measured(web: WebEnv) -> None:
    await web.apply_workflow()
    await web.at_gate()
    web.clock.move(timedelta(minutes=5, seconds=20))  # its first reminder was due after five
    await web.env.loops["timekeeper"]._once()
    found = await scraped(web)
    assert of(found, "signoff_wake_lag_seconds_count") == 1
    assert 20 <= of(found, "signoff_wake_lag_seconds_sum") < 21


async def test_long_polling_request_has_no_duration(web: WebEnv) -> None:
    """Its duration would say nothing about the server."""
    claim = {"method": "POST", "path": "/v1/agents/{address:path}/deliveries/claim"}
    for wait, measured in ((0, 1), (0.3, 1)):
        await web.post("/v1/agents/validator/deliveries/claim", {"wait_seconds": wait}, "agent")
        found = await scraped(web)
        assert of(found, "signoff_http_request_duration_seconds_count", **claim) == measured
    assert of(found, "signoff_http_requests_total", status="200", **claim) == 2


async def test_metrics_are_for_owners_admins_and_auditors_unless_open(web: WebEnv) -> None:
    await web.join("adam", "admin")
    for who, status in {
        "oscar": 200,
        "adam": 200,
        "aud": 200,
        "ann": 403,
        "rita": 403,
        "agent": 403,
        "ci": 403,
        "": 401,
    }.items():
        assert (await web.get("/metrics", who)).status == status, who
    web.state.settings = replace(web.state.settings, open_metrics=True)
    assert (await web.get("/metrics", "")).status == 200


async def test_requested_format_is_returned(web: WebEnv) -> None:
    answer = await web.get("/metrics", "aud", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "signoff_up" in {family.name for family in open_metrics(answer.text)}


@pytest.mark.parametrize("version", ['"1.0.0"', "1e9", "..", "abc"])
async def test_invalid_format_version_returns_the_text_format(web: WebEnv, version: str) -> None:
    answer = await web.get("/metrics", "aud", accept=f"application/openmetrics-text; version={version}")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")


async def test_database_outage_leaves_the_other_metrics(web: WebEnv) -> None:
    async def down() -> None:
        raise Busy("database_unavailable", "down")

    web.state.settings = replace(web.state.settings, open_metrics=True)
    web.state.totals.read = down  # type: ignore[method-assign, assignment]
    found = numbers((await web.get("/metrics", "")).text)
    assert of(found, "signoff_up") == 0
    assert ("signoff_commit_queue_jobs", frozenset()) in found


async def test_every_metric_and_gauge_has_a_help_line(web: WebEnv) -> None:
    text = (await web.get("/metrics", "aud")).text
    for metric in METRICS:
        assert f"# HELP {metric.name}" in text
    for name, about in GAUGES.items():
        assert f"# HELP {name} {about}" in text


async def test_outside_text_creates_no_label_and_no_unbounded_series(web: WebEnv) -> None:
    for number in range(30):
        await web.call("BREW", f"/v1/nothing/{number}", None, "aud")
        await web.get(f"/v1/intents/{number}", "aud")
    found = await scraped(web)
    paths = {dict(labels)["path"] for name, labels in found if name == "signoff_http_requests_total"}
    assert paths <= {"", "/v1/intents/{intent_id}", "/metrics"}
    assert of(found, "signoff_http_requests_total", method=OTHER, path="", status="404") == 30


def test_metric_has_a_limit_of_series() -> None:
    metrics = Metrics()
    for number in range(5_000):
        metrics.request("GET", f"/{number}", 200, 0.001)
    series = dict(metrics.snapshot().series[METRICS.index(REQUESTS)])
    assert len(series) == 2_001
    assert series[OTHER, OTHER, OTHER] == [3_000]
