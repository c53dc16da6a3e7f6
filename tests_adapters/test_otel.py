"""Traces from a client through the server to an agent and a decision, received by a collector on loopback."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from tests.live import PATIENCE, Live

from signoff import Client, Task
from signoff.client.agent import Agent


class Collector:
    def __init__(self) -> None:
        self.spans: list[Any] = []
        spans = self.spans

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                found = ExportTraceServiceRequest.FromString(body)
                spans.extend(s for r in found.resource_spans for scope in r.scope_spans for s in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.http.shutdown()


STEPS = [
    {"id": "check", "agent": "checker"},
    {"id": "ok", "human": {"title": "Go?", "approvers": ["owner@localhost"]}},
]


def test_work_and_decision_belong_to_the_requesters_trace(tmp_path: Path, collector: Collector) -> None:
    trace.set_tracer_provider(TracerProvider())
    seen: list[str] = []
    live = Live(tmp_path / ".signoff", otel_endpoint=collector.url).start()
    try:
        with Client(url=live.url, api_key=live.owner_key) as owner:
            owner.apply_workflow({"workflow": "w", "intent_type": "intent.traced.v1", "steps": STEPS})
            key = owner.create_key(agent="checker").api_key
            with trace.get_tracer("program").start_as_current_span("release") as span:
                intent = owner.send_intent({"intent_type": "intent.traced.v1", "payload": {}})
                traced = f"{span.get_span_context().trace_id:032x}"
            agent = Agent("checker", url=live.url, api_key=key)

            @agent.on("intent.traced.v1")
            def check(delivery: Any) -> dict[str, Any]:
                seen.append(f"{trace.get_current_span().get_span_context().trace_id:032x}")
                return {"passed": True}

            running = threading.Thread(target=agent.run, daemon=True)
            running.start()
            task = waiting(owner, intent)
            owner.approve(task)
            assert owner.wait_for(intent, timeout=PATIENCE).approved
    finally:
        live.stop()  # sends what is left
    assert seen == [traced]
    names = {span.name for span in collector.spans if span.trace_id.hex() == traced}
    assert {"POST /v1/intents", "work check", "decision ok", "intent intent.traced.v1"} <= names
    decision = next(span for span in collector.spans if span.name == "decision ok")
    said = {pair.key: pair.value.string_value for pair in decision.attributes}
    assert (said["signoff.outcome"], said["signoff.ending"], said["signoff.intent"]) == (
        "approved",
        "approved",
        intent,
    )
    assert decision.end_time_unix_nano > decision.start_time_unix_nano


def waiting(owner: Client, intent: str) -> Task:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := owner.tasks.list(intent_id=intent):
            return found[0]
        time.sleep(0.1)  # polls another process, up to a deadline
    raise AssertionError("no task was opened")
