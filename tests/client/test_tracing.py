"""Traces with the real OpenTelemetry API: what is sent, and that a failing tracer breaks no request."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from types import SimpleNamespace
from typing import Any

import opentelemetry.context as present
import opentelemetry.trace as api
import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, TraceState

from signoff.client.handlers import Handlers
from signoff.client.tracing import add_traceparent, begin_work
from signoff.client.types import Delivery

TRACE, SPAN = 0xA << 124, 0xB << 60
PARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"


class BrokenError(Exception):
    pass


def broken(*_: object, **__: object) -> Any:
    raise BrokenError


@contextmanager
def current(span: Any) -> Iterator[None]:
    token = present.attach(api.set_span_in_context(span))
    try:
        yield
    finally:
        present.detach(token)


def replaced(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    """The OpenTelemetry API with some parts replaced."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(**{**vars(api), **parts}))


def headers() -> dict[str, str]:
    found: dict[str, str] = {}
    add_traceparent(found)
    return found


def test_current_span_is_sent_with_its_trace_state() -> None:
    assert headers() == {}
    state = TraceState([("vendor", "1"), ("other", "2")])
    with current(NonRecordingSpan(SpanContext(TRACE, SPAN, False, TraceFlags(1), state))):
        assert headers() == {"traceparent": PARENT, "tracestate": "vendor=1,other=2"}
    with current(NonRecordingSpan(SpanContext(0, SPAN, False))):
        assert headers() == {}


class Odd(NonRecordingSpan):
    """A span whose context is an arbitrary value, or a function that raises."""

    def __init__(self, context: Any) -> None:
        super().__init__(SpanContext(TRACE, SPAN, False))
        self.context = context

    def get_span_context(self) -> Any:
        return self.context() if callable(self.context) else self.context


def said(**odd: Any) -> Any:
    whole = {
        "is_valid": True,
        "trace_id": TRACE,
        "span_id": SPAN,
        "trace_flags": 1,
        "trace_state": TraceState(),
    }
    return SimpleNamespace(**{**whole, **odd})


@pytest.mark.parametrize(
    ("context", "parent"),
    [
        (said(), PARENT),
        (said(trace_state=None), PARENT),
        (said(trace_state=SimpleNamespace(to_header=broken)), PARENT),
        (said(trace_state=SimpleNamespace(to_header=lambda: "a=\r\nx-api-key: b")), PARENT),
        (said(trace_state=SimpleNamespace(to_header=lambda: "v=ü")), PARENT),
        (said(trace_state=SimpleNamespace(to_header=lambda: 7)), PARENT),
        (said(trace_flags=None), f"{PARENT[:-2]}00"),
        (said(trace_id="x"), None),
        (said(trace_id=1 << 200), None),
        (said(span_id=-1), None),
        (said(trace_flags="\r\n"), None),
        (SimpleNamespace(is_valid=True), None),
        (None, None),
    ],
)
def test_invalid_span_context_does_not_fail_a_request(context: Any, parent: str | None) -> None:
    with current(Odd(context)):
        assert headers() == ({} if parent is None else {"traceparent": parent})


def test_raising_tracing_api_does_not_fail_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with current(Odd(broken)):
        assert headers() == {}
    replaced(monkeypatch, get_current_span=broken)
    assert headers() == {}


class Recorded(NonRecordingSpan):
    """A span that records the calls."""

    def __init__(self, breaks: str = "") -> None:
        super().__init__(SpanContext(TRACE, SPAN, False, TraceFlags(1)))
        self.breaks = breaks
        self.status: Any = None
        self.raised: list[BaseException] = []
        self.ended = 0

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._break("set_status")
        self.status = status

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:
        self._break("record_exception")
        self.raised.append(exception)

    def end(self, end_time: int | None = None) -> None:
        self._break("end")
        self.ended += 1

    def _break(self, name: str) -> None:
        if name == self.breaks:
            raise BrokenError


def tracer(monkeypatch: pytest.MonkeyPatch, span: Any) -> None:
    replaced(monkeypatch, get_tracer=lambda name: SimpleNamespace(start_span=lambda *_, **__: span))


DELIVERY = Delivery.read({"delivery_id": "d", "step_id": "check", "traceparent": PARENT})


async def done(function: Any) -> Any:
    return await Handlers(asyncio.get_running_loop()).call(function, DELIVERY)


def seen(delivery: Delivery) -> dict[str, Any]:
    return {"span": api.get_current_span()}


def failing(delivery: Delivery) -> dict[str, Any]:
    raise BrokenError


async def test_handler_runs_in_a_span_that_records_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    span = Recorded()
    tracer(monkeypatch, span)
    assert await done(seen) == {"span": span}
    assert (span.status, span.raised, span.ended) == (None, [], 1)
    failed = Recorded()
    tracer(monkeypatch, failed)
    with pytest.raises(BrokenError) as error:
        await done(failing)
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.status.description, failed.raised, failed.ended) == ("BrokenError", [error.value], 1)


@pytest.mark.parametrize("name", ["get_tracer", "set_span_in_context"])
async def test_handler_runs_although_tracing_fails(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    replaced(monkeypatch, **{name: broken})
    assert await done(lambda _: {"n": 1}) == {"n": 1}
    with pytest.raises(BrokenError):
        await done(failing)


@pytest.mark.parametrize("name", ["end", "set_status", "record_exception"])
async def test_span_that_fails_to_end_does_not_fail_the_handler(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    span = Recorded(name)
    tracer(monkeypatch, span)
    assert await done(lambda _: {"n": 1}) == {"n": 1}
    with pytest.raises(BrokenError):
        await done(failing)
    assert span.ended == (0 if name == "end" else 2)


def test_no_span_is_made_without_a_trace_of_the_requester(monkeypatch: pytest.MonkeyPatch) -> None:
    tracer(monkeypatch, broken)
    context: Context = copy_context()
    begin_work(context, "", "check")(None)
