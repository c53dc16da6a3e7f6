"""Streams over a real socket: framing, cursors, when they end, and how a stopping server ends them."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from signoff.web.api.stream import LONGEST_LINE, MOST_AT_ONCE
from tests.on_loop import on_the_loop
from tests.web.serving import serving
from tests.web.web_env import VALIDATOR, WebEnv

PYTHON = {"x-axme-client": "axme-sdk-python/0.2.0"}


class Reader:
    """Reads streams to their end, or event by event."""

    def __init__(self, web_env: WebEnv, url: str) -> None:
        self.web = web_env
        self.http = httpx2.AsyncClient(base_url=url, timeout=90)

    async def whole(self, path: str, who: str = "ci", **headers: str) -> list[tuple[str, dict[str, Any]]]:
        """(event name, data) of a stream that is read to its end."""
        key = {"x-api-key": self.web.keys[who]}
        response = await self.http.get(path, headers=key | headers)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(parse(response.text))

    async def open(
        self, path: str, who: str = "ci", **headers: str
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yields events as they arrive."""
        key = {"x-api-key": self.web.keys[who]}
        text = ""
        async with self.http.stream("GET", path, headers=key | headers) as response:
            async for chunk in response.aiter_text():
                text += chunk
                while "\n\n" in text:
                    block, _, text = text.partition("\n\n")
                    for event in parse(block + "\n\n"):
                        yield event
        assert text == "", "the stream was torn"


def parse(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Parse as the strictest AXP client does: a space after the colon, one line of data, a blank line."""
    events = []
    assert text.endswith("\n\n") or not text
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields["data"]) < 60_000
        data = json.loads(fields["data"])
        if "id" in fields:
            assert int(fields["id"]) == data["seq"]
        events.append((fields["event"], data))
    return events


@pytest.fixture
async def reader(web: WebEnv) -> AsyncIterator[Reader]:
    async with serving(web) as url:
        made = Reader(web, url)
        yield made
        await made.http.aclose()


async def waiting_for(web: WebEnv) -> None:
    """Wait until there is a listener."""
    while not web.state.feed.waiters:
        await asyncio.sleep(0)


async def test_backlog_is_sent_at_once_and_the_stream_ends(reader: Reader) -> None:
    intent_id = await reader.web.send(to_agent="validator")
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=60"
    held = asyncio.create_task(
        reader.whole(f"{path}&since=4")
    )  # begun before, for as long, with nothing to say
    await waiting_for(reader.web)
    events = await reader.whole(f"{path}&since=0")
    assert not held.done()
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    assert [name for name, _ in events] == ["intent.created", "intent.delivered", "stream.timeout"]
    assert events[-1][1] == {"ok": True, "next_seq": 5}


@pytest.mark.parametrize(("since", "seqs"), [(0, [2, 4]), (1, [2, 4]), (2, [4]), (3, [4]), (4, []), (5, [])])
async def test_cursors_are_exclusive(reader: Reader, since: int, seqs: list[int]) -> None:
    intent_id = await reader.web.send(to_agent="validator")
    events = await reader.whole(f"/v1/intents/{intent_id}/events/stream?since={since}&wait_seconds=1")
    assert [data["seq"] for _, data in events[:-1]] == seqs


async def test_idle_stream_is_held_and_woken(reader: Reader) -> None:
    web = reader.web
    intent_id, task_id = await web.ask()
    path = f"/v1/intents/{intent_id}/events/stream?since=4&wait_seconds=60"
    reading = asyncio.create_task(reader.whole(path))
    await waiting_for(web)
    await web.answer(task_id)
    events = await asyncio.wait_for(reading, 45)
    assert [name for name, _ in events] == [
        "intent.answered",
        "intent.in_progress",
        "intent.completed",
        "stream.timeout",
    ]
    assert events[2][1]["result"]["outcome"] == "approved"
    assert not web.state.feed.waiters


async def test_client_that_reads_line_by_line_keeps_its_stream(reader: Reader) -> None:
    web = reader.web
    intent_id, task_id = await web.ask()
    names = []
    async for name, _ in reader.open(f"/v1/intents/{intent_id}/events/stream?wait_seconds=60", **PYTHON):
        names.append(name)
        if name == "intent.human_task_assigned":
            await web.answer(task_id)
    assert names[:2] == ["intent.created", "intent.human_task_assigned"]
    assert names[-2:] == ["intent.completed", "stream.timeout"]


async def test_stream_ends_at_once_after_the_final_event(reader: Reader) -> None:
    web = reader.web
    intent_id = await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"})
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=60&since=4"
    events = await asyncio.wait_for(reader.whole(path, **PYTHON), 45)
    last = events[-2][1]["seq"]
    assert events[-2][0] == "intent.canceled"
    assert events[-1] == ("stream.timeout", {"ok": True, "next_seq": last + 1})


async def test_stream_of_a_final_intent_without_new_events_is_held(reader: Reader) -> None:
    web = reader.web
    intent_id = await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{intent_id}/resolve", {"status": "CANCELED"})
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=60&since=100"
    reading = asyncio.create_task(reader.whole(path))
    await waiting_for(web)  # whoever asks forever does not ask a thousand times a second
    assert not reading.done()
    web.state.stop()
    assert await reading == [("stream.timeout", {"ok": True, "next_seq": 101})]


async def test_watcher_that_continues_from_next_seq_misses_nothing(reader: Reader) -> None:
    """The published CLI watches like this: idle responses move its cursor, which must not skip facts."""
    web = reader.web
    intent_id, task_id = await web.ask()
    path = f"/v1/intents/{intent_id}/events/stream?wait_seconds=1&since="
    seen, since = [], 1
    for turn in range(6):
        if turn == 4:
            await web.answer(task_id)
        for name, data in await reader.whole(f"{path}{since}"):
            if name == "stream.timeout":
                since = data["next_seq"]
            else:
                seen.append(name)
                since = data["seq"]
    every = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert seen == [event["event_type"] for event in every]


@pytest.mark.parametrize("wait", ["0", "-5", "0.2"])
async def test_odd_wait_is_clamped(reader: Reader, wait: str) -> None:
    intent_id = await reader.web.send(to_agent="validator")
    path = f"/v1/intents/{intent_id}/events/stream?since=4&wait_seconds={wait}"
    assert [name for name, _ in await reader.whole(path)] == ["stream.timeout"]


async def test_stream_of_an_agent_lists_its_claimable_work(reader: Reader) -> None:
    web = reader.web
    await web.apply_workflow()
    intent_id = await web.send()
    direct = await web.send(to_agent="validator", intent_type="a.direct.v1")
    events = await reader.whole("/v1/agents/validator/intents/stream?since=0&wait_seconds=1", "agent")
    shown = [data for name, data in events if name == "intent.delivered"]
    assert [data["intent_id"] for data in shown] == [intent_id[:-4] + "0001", direct]
    assert {data["status"] for data in shown} == {"DELIVERED"}
    assert (shown[0]["step_id"], shown[0]["parent_intent_id"]) == ("validate", intent_id)
    assert "parent_intent_id" not in shown[1]
    assert shown[0]["to_agent"] == VALIDATOR
    assert shown[0]["seq"] < shown[1]["seq"]
    rest = await reader.whole(
        f"/v1/agents/validator/intents/stream?since={shown[0]['seq']}&wait_seconds=1", "agent"
    )
    assert [data["intent_id"] for _, data in rest[:-1]] == [direct]


async def test_restarted_agent_sees_open_deliveries(reader: Reader) -> None:
    web = reader.web
    first = await web.send(to_agent="validator")
    second = await web.send(to_agent="validator")
    await web.post(f"/v1/intents/{first}/resume", {"action": "complete"}, "agent")
    events = await reader.whole("/v1/agents/validator/intents/stream?since=0&wait_seconds=1", "agent")
    assert [data["intent_id"] for _, data in events[:-1]] == [second]


async def test_waiting_agent_is_woken(reader: Reader) -> None:
    web = reader.web
    reading = asyncio.create_task(
        reader.whole("/v1/agents/acme/prod/validator/intents/stream?since=0&wait_seconds=60", "agent")
    )
    await waiting_for(web)
    intent_id = await web.send(to_agent="validator")
    [(name, data), last] = await asyncio.wait_for(reading, 45)
    assert (name, data["intent_id"], last[0]) == ("intent.delivered", intent_id, "stream.timeout")
    assert last[1]["next_seq"] == data["seq"] + 1


async def test_delivery_to_an_open_stream_is_recorded_in_the_commit_that_offers_it(reader: Reader) -> None:
    web, path = reader.web, "/v1/agents/validator/intents/stream?wait_seconds=60&since="
    reading = asyncio.create_task(reader.whole(path + "0", "agent"))
    await waiting_for(web)

    async def deliver() -> list[tuple[str, dict[str, Any]]]:
        await web.send(to_agent="validator")
        return await asyncio.wait_for(reading, 45)

    [(_, sent), _], transactions = await on_the_loop(deliver, "writes")
    assert transactions == 1
    web.clock.move(timedelta(seconds=5))
    again = await reader.whole(
        f"/v1/agents/validator/intents/stream?wait_seconds=1&since={sent['seq']}", "agent"
    )
    assert [data["intent_id"] for _, data in again[:-1]] == [sent["intent_id"]]


async def test_unread_delivery_is_sent_again(reader: Reader) -> None:
    web = reader.web
    read, unread = [await web.send(to_agent="validator") for _ in range(2)]
    path = "/v1/agents/validator/intents/stream?wait_seconds=1&since="
    first = await reader.whole(path + "0", "agent")
    cursor = first[-2][1]["seq"]
    await web.get(f"/v1/intents/{read}", "agent")
    for who in ("oscar", "ci", "rita"):  # who only looks has not read it for the agent
        await web.get(f"/v1/intents/{unread}", who)
    again = await reader.whole(path + str(cursor), "agent")
    assert [name for name, _ in again] == ["stream.timeout"], "too soon"
    web.clock.move(timedelta(seconds=5))
    again = await reader.whole(path + str(cursor), "agent")
    assert [data["intent_id"] for _, data in again[:-1]] == [unread]
    assert again[0][1]["seq"] > cursor
    web.clock.move(timedelta(seconds=5))
    await web.post(f"/v1/intents/{unread}/resume", {"action": "complete"}, "agent")
    cursor = again[0][1]["seq"]
    assert [name for name, _ in await reader.whole(path + str(cursor), "agent")] == ["stream.timeout"]


async def test_stopping_server_ends_every_stream_properly(web: WebEnv) -> None:
    intent_id, _ = await web.ask()
    async with serving(web) as url:
        reader = Reader(web, url)
        paths = [f"/v1/intents/{intent_id}/events/stream?since=4&wait_seconds=60"] * 3
        paths += ["/v1/agents/validator/intents/stream?wait_seconds=60"] * 3
        reading = [
            asyncio.create_task(reader.whole(path, "agent" if "/agents/" in path else "ci")) for path in paths
        ]
        while sum(map(len, web.state.feed.waiters.values())) < 6:
            await asyncio.sleep(0)
    # the server is down now, before its grace was over
    for events in await asyncio.gather(*reading):
        assert [name for name, _ in events] == ["stream.timeout"]
    await reader.http.aclose()


@pytest.mark.parametrize("what", ["agent", "intent"])
async def test_stream_ends_with_its_connection(web: WebEnv, what: str) -> None:
    """It is no longer counted, sent to, or attributed to its caller."""
    intent_id, _ = await web.at_gate()
    path = {
        "agent": "/v1/agents/validator/intents/stream",
        "intent": f"/v1/intents/{intent_id}/events/stream",
    }[what]
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    sent = list[Any]()
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"since=1000000&wait_seconds=60",
        "headers": [(b"x-api-key", web.keys["agent" if what == "agent" else "oscar"].encode())],
    }

    async def send(message: Any) -> None:
        sent.append(message)

    async def serve() -> None:
        await web.app(scope, messages.get, send)

    waiting = asyncio.create_task(serve())
    await waiting_for(web)
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(waiting, 20)
    assert not web.state.feed.waiters
    assert not any(message.get("body") for message in sent)


async def test_large_result_is_omitted(reader: Reader) -> None:
    web = reader.web
    intent_id = await web.send(to_agent="validator")
    body = {"action": "complete", "log": "x" * 100_000}
    assert (await web.post(f"/v1/intents/{intent_id}/resume", body, "agent")).status == 200
    events = await reader.whole(f"/v1/intents/{intent_id}/events/stream")
    completed = next(data for name, data in events if name == "intent.completed")
    assert completed["details"] == {"truncated": True}
    assert len((await web.get(f"/v1/intents/{intent_id}"))["result"]["log"]) == 100_000


async def test_errors_are_returned_before_a_stream_begins(reader: Reader) -> None:
    answer = await reader.http.get("/v1/agents/validator/intents/stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_platform_api_key")
    key = {"x-api-key": reader.web.keys["ci"]}
    answer = await reader.http.get("/v1/intents/none/events/stream", headers=key)
    assert answer.status_code == 404


async def parts(web: WebEnv, path: str, who: str) -> list[bytes]:
    """A stream's body in the chunks in which it was passed to the connection."""
    target, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"signoff.test"), (b"x-api-key", web.keys[who].encode())],
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("signoff.test", 80),
        "root_path": "",
    }
    got: list[bytes] = []
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in asked:
            return message
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        got.append(message.get("body", b""))

    await web.app(scope, receive, send)
    return got


@pytest.mark.parametrize("what", ["deliveries", "an intent"])
async def test_backlog_is_read_and_sent_in_bounded_parts(web: WebEnv, what: str) -> None:
    if what == "deliveries":
        sent = [await web.send(to_agent="validator") for _ in range(50)]
        got = await parts(web, f"/v1/agents/{VALIDATOR}/intents/stream?wait_seconds=60", "agent")
        told = [data["intent_id"] for _, data in parse(b"".join(got).decode())[:-1]]
        assert told == sent
    else:
        intent_id, task_id = await web.ask()
        for n in range(150):
            said = {"comment": f"{n} " + "x" * 3900}
            assert (await web.post(f"/v1/tasks/{task_id}/comment", said, "ann")).status == 200
        got = await parts(web, f"/v1/intents/{intent_id}/events/stream?wait_seconds=60", "ann")
        events = parse(b"".join(got).decode())[:-1]
        everything = (await web.get(f"/v1/intents/{intent_id}/events", "ann"))["events"]
        assert [data["seq"] for _, data in events] == [one["seq"] for one in everything]
        assert len(events) > 50
    assert len(got) >= 5  # the headers, three parts, the end
    assert max(map(len, got)) < MOST_AT_ONCE + LONGEST_LINE
