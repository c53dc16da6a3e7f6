"""Traces for OpenTelemetry. They are off unless a collector is configured; until then nothing is imported or measured.

An intent belongs to the trace of the program that submitted it (``traceparent``). Work and decisions take longer than
any HTTP request, so their spans are created from the committed facts, with the facts' times.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from signoff.core.errors import Invalid
from signoff.core.intent import events as e
from signoff.core.intent.advance import Change
from signoff.core.intent.model import Delivery, Intent, Task

_SDK: Final = ("opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export", "opentelemetry.sdk.resources")
_EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Tracer:
    """Sends spans to the collector at ``endpoint`` (OTLP over HTTP), in the background. Raises Invalid if the libraries
    are missing.
    """

    def __init__(self, endpoint: str, version: str) -> None:
        try:
            self._api: Any = import_module("opentelemetry.trace")
            propagation: Any = import_module("opentelemetry.trace.propagation.tracecontext")
            sdk, export, resources = map(import_module, _SDK)
            exporter: Any = import_module(_EXPORTER)
        except ImportError as missing:
            raise Invalid(
                "missing_extra",
                f"otel_endpoint: {missing.name} is not installed.",
                field="otel_endpoint",
                hint="Install it: pip install 'signoff[server,otel]'.",
            ) from missing
        self._context = propagation.TraceContextTextMapPropagator()
        resource = resources.Resource.create({"service.name": "signoff", "service.version": version})
        self._provider = sdk.TracerProvider(resource=resource)
        sender = exporter.OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(export.BatchSpanProcessor(sender))
        self._tracer = self._provider.get_tracer("signoff", version)

    def request(self, method: str, path: str, status: int, seconds: float, traceparent: str) -> None:
        """Record a request that was just answered. ``path``: its path template."""
        end = time.time_ns()
        fields = {"http.request.method": method, "http.route": path, "http.response.status_code": status}
        self._span(
            f"{method} {path}", traceparent, end - int(seconds * 1e9), end, fields, self._api.SpanKind.SERVER
        )

    def begun(self, intent_type: str) -> str:
        """The ``traceparent`` of a new trace, for an intent whose requester sent none."""
        span = self._tracer.start_span(f"submit {intent_type}")
        carrier: dict[str, str] = {}
        self._context.inject(carrier, self._api.set_span_in_context(span))
        span.end()
        return carrier.get("traceparent", "")

    def committed(self, changes: Iterable[Change]) -> None:
        """Record the work, the decisions and the ends of intents in a batch."""
        for change in changes:
            intent = change.after
            if not intent.traceparent:
                continue
            for sealed in change.facts:
                fact = sealed.fact
                match fact.event:
                    case e.Reported(step=step, fault=fault):
                        fields = {"signoff.step": step, "signoff.failed": fault is not None}
                        self._since(f"work {step}", intent, _offered(change), fact.at, fields)
                    case e.Decided(step=step, outcome=outcome, ending=ending):
                        fields = {
                            "signoff.step": step,
                            "signoff.outcome": outcome,
                            "signoff.ending": ending.value,
                            "signoff.via": fact.via,
                            "signoff.actor": fact.actor.id,
                        }
                        self._since(f"decision {step}", intent, _opened(change), fact.at, fields)
            if intent.final and (change.before is None or not change.before.final):
                fields = {"signoff.status": intent.status.value}
                self._since(f"intent {intent.type}", intent, intent.created_at, intent.updated_at, fields)

    def close(self) -> None:
        """Send the remaining spans; waits for at most a few seconds."""
        self._provider.force_flush(3_000)
        self._provider.shutdown()

    def _since(
        self, name: str, intent: Intent, begin: datetime, end: datetime, attributes: dict[str, Any]
    ) -> None:
        attributes |= {"signoff.intent": intent.id, "signoff.type": intent.type}
        self._span(
            name, intent.traceparent, _nanos(begin), _nanos(end), attributes, self._api.SpanKind.INTERNAL
        )

    def _span(
        self, name: str, traceparent: str, begin: int, end: int, attributes: dict[str, Any], kind: Any
    ) -> None:
        parent = self._context.extract({"traceparent": traceparent}) if traceparent else None
        span = self._tracer.start_span(
            name, context=parent, kind=kind, attributes=attributes, start_time=begin
        )
        span.end(end_time=end)


def _nanos(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1000


def _offered(change: Change) -> datetime:
    """When the work was last offered or claimed."""
    before = change.before
    return (
        before.updated_at
        if before is not None and isinstance(before.open, Delivery)
        else change.after.updated_at
    )


def _opened(change: Change) -> datetime:
    before = change.before
    if before is not None and isinstance(before.open, Task):
        return before.open.opened_at
    return change.after.updated_at
