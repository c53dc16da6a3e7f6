"""Traces for programs that use OpenTelemetry: their context is sent with each request, and an agent's handler runs
in the context of the request that it works for. This module imports only what the program has imported itself.
"""

import sys
from collections.abc import Callable
from contextvars import Context
from importlib import import_module
from typing import Any, Final

_API: Final = "opentelemetry.trace"
_CONTEXT: Final = "opentelemetry.context"
_PROPAGATOR: Final = "opentelemetry.trace.propagation.tracecontext"


def add_traceparent(headers: dict[str, str]) -> None:
    """Add the current span's ``traceparent``, and ``tracestate`` if it has one."""
    api: Any = sys.modules.get(_API)
    if api is None:
        return
    context = api.get_current_span().get_span_context()
    if context.is_valid:
        headers["traceparent"] = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        )
        if state := context.trace_state.to_header():
            headers["tracestate"] = state


def begin_work(context: Context, traceparent: str, step: str) -> Callable[[], None]:
    """Begin a span for the work of one delivery, in the requester's trace, and make it the current one of
    ``context``; returns a function that ends it.
    """
    api: Any = sys.modules.get(_API)
    if api is None or not traceparent:
        return _nothing
    propagation: Any = import_module(_PROPAGATOR)
    present: Any = import_module(_CONTEXT)
    parent = propagation.TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    span = api.get_tracer("signoff").start_span(f"handle {step}", context=parent, kind=api.SpanKind.CONSUMER)
    context.run(present.attach, api.set_span_in_context(span, parent))
    return lambda: span.end()


def _nothing() -> None:
    """Used in place of a span that was not begun."""
