"""Following an intent loses and repeats no event, whatever happens to the connection."""

import asyncio
import json
import threading
from contextlib import aclosing, closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff import AsyncClient, Client, ConnectionFailed, NotFound, WaitTimeout
from signoff.client.flow import HttpReply, Retries
from signoff.client.stream import LARGEST_EVENT, Follower, Frame, SseParser
from tests.client.conftest import KEY
from tests.client.driving import SSE, Driving
from tests.client.stub import INTENT, LIMIT, Answer, Stub, event, idle, intent, refused

pytestmark = pytest.mark.windows

EVENTS = f"/v1/intents/{INTENT}/events"
STREAM = f"{EVENTS}/stream"
GET = f"/v1/intents/{INTENT}"
OPENED = HttpReply(200, SSE)
LOST = ConnectionFailed("cut")


def parse(*chunks: bytes) -> list[Frame]:
    parser = SseParser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


WIRE = (
    'id: 4\nevent: intent.waiting\ndata: {"a": "é"}\n\n: ping\n\ndata:one\ndata: two\nretry: 5\n\nid: 9\n\n'
)
FRAMES = [Frame("intent.waiting", '{"a": "é"}', "4"), Frame("", "one\ntwo", "")]


@given(
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, len(WIRE.encode()) + 20), max_size=8).map(sorted),
)
def test_frames_do_not_depend_on_chunk_boundaries(end: str, cuts: list[int]) -> None:
    wire = WIRE.replace("\n", end).encode()
    edges = [0, *cuts, len(wire)]
    chunks = [wire[a:b] for a, b in pairwise(edges) if wire[a:b]]
    assert parse(*chunks) == FRAMES


def test_truncated_event_is_not_emitted() -> None:
    assert parse(event(2, "WAITING")[:-1]) == []


def test_endless_event_is_bounded_in_memory() -> None:
    parser = SseParser()
    with pytest.raises(ValueError, match="too large"):
        parser.feed(b"data: " + b"x" * LARGEST_EVENT)


def test_pings_do_not_count_towards_the_size_of_an_event() -> None:
    parser = SseParser()
    for _ in range(3):
        parser.feed(b": " + b"x" * (LARGEST_EVENT // 2) + b"\n")


def test_stream_resumes_after_the_last_complete_event() -> None:
    world = Driving()
    half = event(6, "WAITING")[:30]
    world.run(
        Follower(INTENT, 0, None, world.retries).follow(),
        OPENED, event(2, "CREATED") + event(4, "DELIVERED") + half, LOST,
        LOST,
        OPENED, event(4, "DELIVERED") + event(6, "WAITING"), b"",
        OPENED, event(8, "COMPLETED", "completed"),
    )  # fmt: skip
    assert [e.seq for e in world.emitted] == [2, 4, 6, 8]
    assert [q["since"] for q in world.opened] == ["0", "4", "4", "6"]
    assert world.pauses == [0.1, 0.2]


def test_orderly_end_of_a_stream_causes_no_pause() -> None:
    world = Driving()
    world.run(
        Follower(INTENT, 0, None, world.retries).follow(),
        OPENED, event(2, "CREATED") + idle(2), b"",
        OPENED, 30, idle(2), b"",
        OPENED, event(4, "FAILED", "failed"),
    )  # fmt: skip
    assert world.pauses == []


def test_stream_that_ends_at_once_without_events_is_reopened_after_a_pause() -> None:
    world = Driving()
    world.run(
        Follower(INTENT, 0, None, world.retries).follow(),
        OPENED, b"",
        OPENED, b": hello\n\n", idle(0), b"",
        OPENED, event(2, "COMPLETED", "completed"),
    )  # fmt: skip
    assert world.pauses == [0.1, 0.2]


@pytest.mark.parametrize(
    "answer",
    [
        HttpReply(500, {}, b"boom"),
        HttpReply(503, {"retry-after": "1"}, b'{"error": {"code": "busy", "message": "Busy."}}'),
        HttpReply(404, {}, b"404 page not found"),
        HttpReply(200, {"content-type": "text/html"}, b"<html>"),
        HttpReply(429, {}, b"slow down"),
    ],
)
def test_proxy_errors_during_a_restart_do_not_end_the_wait(answer: HttpReply) -> None:
    world = Driving()
    world.run(
        Follower(INTENT, 0, None, world.retries).follow(),
        answer,
        OPENED,
        event(2, "COMPLETED", "completed"),
    )
    assert len(world.pauses) == 1


def test_intent_not_found_ends_the_wait() -> None:
    world = Driving()
    with pytest.raises(NotFound):
        world.run(
            Follower(INTENT, 0, None, world.retries).follow(),
            HttpReply(404, {}, b'{"error": {"code": "not_found", "message": "No."}}'),
        )


def test_wait_ends_at_its_deadline_with_the_last_known_status() -> None:
    world = Driving()
    with pytest.raises(WaitTimeout) as caught:
        world.run(
            Follower(INTENT, 0, 40, world.retries).follow(),
            OPENED, event(2, "WAITING"), 30, idle(2), b"",
            OPENED, 10, LOST,
        )  # fmt: skip
    assert (caught.value.status, caught.value.since) == ("WAITING", 2)
    assert isinstance(caught.value.__cause__, ConnectionFailed)
    assert isinstance(caught.value, TimeoutError)
    assert [q["wait_seconds"] for q in world.opened] == ["30", "10"]


def test_own_timeout_is_not_reported_as_a_failed_stream(caplog: pytest.LogCaptureFixture) -> None:
    world = Driving()
    with pytest.raises(WaitTimeout) as caught:
        world.run(
            Follower(INTENT, 0, 1.5, world.retries).follow(),
            OPENED, event(2, "WAITING"), 1.5, ConnectionFailed("no data in time", timed_out=True),
        )  # fmt: skip
    assert caught.value.__cause__ is None
    assert "stream failed" not in str(caught.value)
    assert caplog.text == ""


def test_stream_with_many_events_cannot_extend_a_wait() -> None:
    world = Driving()
    with pytest.raises(WaitTimeout):
        world.run(Follower(INTENT, 0, 5, world.retries).follow(), OPENED, 3, b": ping\n\n", 3, b": ping\n\n")


def test_wait_of_zero_seconds_reads_the_result_once() -> None:
    world = Driving()
    final = HttpReply(200, {}, json.dumps(intent("COMPLETED").body).encode())
    assert world.run(Follower(INTENT, 0, 0, world.retries).result(), final).completed
    waiting = HttpReply(200, {}, json.dumps(intent("WAITING").body).encode())
    with pytest.raises(WaitTimeout) as caught:
        world.run(Follower(INTENT, 0, 0, world.retries).result(), waiting)
    assert caught.value.status == "WAITING"


def test_server_lost_before_the_result_is_read_is_a_timeout() -> None:
    world = Driving()
    with pytest.raises(WaitTimeout) as caught:
        world.run(
            Follower(INTENT, 0, 5, world.retries).result(),
            OPENED,
            event(2, "COMPLETED", "completed"),
            LOST,
            4.8,
            LOST,
        )
    assert caught.value.status == "COMPLETED"
    assert isinstance(caught.value.__cause__, ConnectionFailed)


def test_observing_from_after_the_last_event_ends() -> None:
    """Resuming with the last event's seq must not wait for another event."""
    world = Driving()
    over = HttpReply(200, {}, json.dumps(intent("COMPLETED").body).encode())
    missed = {"events": [{"seq": 10, "event_type": "intent.completed", "status": "COMPLETED"}]}
    world.run(
        Follower(INTENT, 8, None, world.retries).follow(),
        OPENED,
        idle(8),
        b"",
        over,
        HttpReply(200, {}, json.dumps(missed).encode()),
    )
    assert [e.seq for e in world.emitted] == [10]


def test_wait_for_reads_the_result_after_the_final_event(stub: Stub, client: Client) -> None:
    stub.on("GET", STREAM, Answer(chunks=[event(2, "WAITING"), b"CUT"]))
    stub.on("GET", STREAM, Answer(chunks=[event(4, "FAILED", "failed")]))
    stub.on(
        "GET", GET, intent("FAILED", outcome="rejected", ending="rejected", result={"outcome": "rejected"})
    )
    result = client.wait_for(INTENT, timeout=LIMIT)
    assert (result.status, result["status"], result.outcome) == ("FAILED", "FAILED", "rejected")
    assert [a.query["since"] for a in stub.seen("GET", STREAM)] == ["0", "2"]
    assert stub.asked[0].headers["x-api-key"] == KEY


def test_async_client_follows_events_alike(stub: Stub) -> None:
    stub.on("GET", STREAM, Answer(chunks=[event(2, "WAITING"), b"CUT"]))
    stub.on("GET", STREAM, Answer(chunks=[event(4, "COMPLETED", "completed")]))
    stub.on("GET", GET, intent("COMPLETED", result={"rows": 3}))

    async def go() -> None:
        async with AsyncClient(stub.url, KEY) as client:
            result = await client.wait_for(INTENT, timeout=LIMIT)
            assert result.result == {"rows": 3}
            async with aclosing(client.observe(INTENT, since=2, timeout=LIMIT)) as events:
                assert [e.seq async for e in events] == [4]

    asyncio.run(go())


def test_observing_survives_a_restart_of_the_server(stub: Stub, client: Client) -> None:
    stub.on(
        "GET", STREAM, Answer(chunks=[event(2, "CREATED"), event(4, "WAITING"), b"CUT"]), refused(503, "busy")
    )
    stub.on("GET", STREAM, Answer(chunks=[event(6, "COMPLETED", "completed")]))
    seen = []

    def restart() -> None:
        stub.stop()
        stub.start()

    restarting = threading.Thread(target=restart)
    for e in client.observe(INTENT, timeout=LIMIT):
        seen.append(e.seq)
        if e.seq == 4:
            restarting.start()
    restarting.join()
    assert seen == [2, 4, 6]


def test_abandoned_iterator_closes_its_connection(stub: Stub, client: Client) -> None:
    stub.on("GET", STREAM, Answer(chunks=[event(2, "CREATED"), event(4, "WAITING"), idle(4)]))
    with closing(client.observe(INTENT)) as events:
        assert next(events).seq == 2
    with closing(client.observe(INTENT)) as events:
        assert [next(events).seq, next(events).seq] == [2, 4]


def test_silent_server_cannot_extend_a_wait(stub: Stub, client: Client) -> None:
    release = threading.Event()

    def silent(_: object) -> Answer:
        release.wait(LIMIT)
        return Answer(chunks=[])

    stub.on("GET", STREAM, silent)
    with pytest.raises(WaitTimeout):
        client.wait_for(INTENT, timeout=0.2)
    release.set()


@pytest.mark.parametrize(
    ("seconds", "error"), [(float("nan"), ValueError), ("1", TypeError), (True, TypeError)]
)
def test_wait_without_a_possible_timeout_is_refused(seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout is a number of seconds"):
        Follower(INTENT, 0, seconds, Driving().retries)
    with pytest.raises(error, match="retry_for is a number of seconds"):
        Retries(retry_for=seconds)
