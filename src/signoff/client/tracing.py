"""Traces for programs that use OpenTelemetry: their context is sent with each request, and an agent's handler runs
in the context of the request that it works for. This module imports only what the program has imported itself.

A trace is never worth a request: whatever OpenTelemetry raises or returns, the work goes on without one.
"""

import logging
import re
import sys
from collections.abc import Callable
from contextvars import Context
from importlib import import_module
from typing import Any, Final

log = logging.getLogger("signoff")

_API: Final = "opentelemetry.trace"
_CONTEXT: Final = "opentelemetry.context"
_PROPAGATOR: Final = "opentelemetry.trace.propagation.tracecontext"
# What a request may carry (W3C Trace Context); a server, or a proxy in between, refuses other characters.
_PARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?")

End = Callable[[BaseException | None], None]
"""Ends the span of some work; given the exception that it raised, or None."""


def add_traceparent(headers: dict[str, str]) -> None:
    """Add the current span's ``traceparent``, and ``tracestate`` if it has one."""
    api: Any = sys.modules.get(_API)
    if api is None:
        return
    try:
        headers.update(_current(api))
    except Exception:
        log.debug("OpenTelemetry's current span could not be read", exc_info=True)


def _current(api: Any) -> dict[str, str]:
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    flags = int(context.trace_flags or 0) & 0xFF
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"
    if _PARENT.fullmatch(parent) is None:
        return {}
    return {"traceparent": parent, **_state(context)}


def _state(context: Any) -> dict[str, str]:
    try:
        state = context.trace_state.to_header()
    except Exception:
        return {}
    return {"tracestate": state} if isinstance(state, str) and _STATE.fullmatch(state) else {}


def begin_work(context: Context, traceparent: str, step: str) -> End:
    """Begin a span for the work of one delivery, in the requester's trace, and make it the current one of
    ``context``; returns a function that ends it, with an error if the work has failed.
    """
    api: Any = sys.modules.get(_API)
    if api is None or not traceparent:
        return _nothing
    try:
        propagation: Any = import_module(_PROPAGATOR)
        present: Any = import_module(_CONTEXT)
        parent = propagation.TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        span = api.get_tracer("signoff").start_span(
            f"handle {step}", context=parent, kind=api.SpanKind.CONSUMER
        )
        context.run(present.attach, api.set_span_in_context(span, parent))
    except Exception:
        log.debug("no span could be begun for step %s", step, exc_info=True)
        return _nothing

    def end(failure: BaseException | None) -> None:
        if failure is not None:
            _tried(lambda: span.set_status(api.Status(api.StatusCode.ERROR, type(failure).__name__)))
            _tried(lambda: span.record_exception(failure))
        _tried(span.end)

    return end


def _tried(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        log.debug("a span could not be ended", exc_info=True)


def _nothing(failure: BaseException | None) -> None:
    """Used in place of a span that was not started."""
