"""Streams and cursors as the published clients in five languages need them."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.live import Live
from tests.stories.axp_env import AxpEnv, Listening, Streamed, read_stream, take
from tests.stories.servers import until

TASK = {"intent_type": "task.v1", "payload": {}}
INCREMENTAL = "axme-sdk-python/0.2.0"


def events_path(intent_id: str, since: int = 0, wait_seconds: int = 60) -> str:
    return f"/v1/intents/{intent_id}/events/stream?since={since}&wait_seconds={wait_seconds}"


def post_path(address: str, since: int = 0, wait_seconds: int = 60, more: str = "") -> str:
    return f"/v1/agents/{address}/intents/stream?since={since}&wait_seconds={wait_seconds}{more}"


@contextmanager
def held(axp: AxpEnv) -> Iterator[None]:
    """An idle stream, held open for the maximum time: what finishes before it does was not held."""
    stream = Listening(axp.live, events_path(axp.owner.send_intent(TASK), since=4))
    try:
        yield
        assert stream.goes_on()
    finally:
        stream.close()


def test_backlog_is_sent_and_the_stream_ends(axp: AxpEnv) -> None:
    # The clients that read the whole body before they look at it would get each event 15 seconds late.
    intent_id = axp.owner.send_intent(TASK)
    with held(axp):
        streamed = read_stream(axp.live, events_path(intent_id))
    assert streamed.names == ["intent.created", "intent.delivered"]
    assert streamed.seqs == [2, 4]
    assert streamed.last == {"ok": True, "next_seq": 5}


def test_stream_without_events_is_held_for_the_requested_time(axp: AxpEnv) -> None:
    # A client that is sent away at once comes back at once, forever.
    intent_id = axp.owner.send_intent(TASK)
    with held(axp):  # which was asked for longer
        streamed = read_stream(axp.live, events_path(intent_id, since=4, wait_seconds=1))
    assert (streamed.events, streamed.last) == ([], {"ok": True, "next_seq": 5})


def test_events_during_a_held_stream_are_sent_at_once(axp: AxpEnv) -> None:
    name = axp.name("runner")
    intent_id = axp.owner.send_intent({**TASK, "to_agent": name})
    with held(axp):
        watching = Listening(axp.live, events_path(intent_id, since=4))
        listening = Listening(axp.live, post_path(name, since=2))
        axp.owner.resolve_intent(intent_id, {"status": "COMPLETED"})
        axp.owner.send_intent({**TASK, "to_agent": name})
        assert Streamed(watching.rest()).names == ["intent.in_progress", "intent.completed"]
        assert Streamed(listening.rest()).seqs == [4]


def test_client_that_keeps_reading_keeps_its_stream(axp: AxpEnv) -> None:
    intent_id = axp.owner.send_intent(TASK)
    with held(axp):
        watching = Listening(axp.live, events_path(intent_id), client=INCREMENTAL)
        assert [watching.event(), watching.event()] == ["intent.created", "intent.delivered"]
        axp.owner.resume_intent(intent_id, {"approve_current_step": True})
        assert watching.event() == "intent.in_progress"
        axp.owner.resolve_intent(intent_id, {"status": "FAILED", "error": {"code": "x", "message": "no"}})
        assert Streamed(watching.rest()).names == ["intent.failed"]


def test_cursors_are_even_so_that_the_last_and_the_next_are_equivalent(axp: AxpEnv) -> None:
    name = axp.name("runner")
    intent_id = axp.owner.send_intent({**TASK, "to_agent": name})
    axp.owner.send_intent({**TASK, "to_agent": name})
    axp.owner.resolve_intent(intent_id, {"status": "COMPLETED"})
    for since, seqs in (
        (0, [2, 4, 6, 8]),
        (1, [2, 4, 6, 8]),
        (2, [4, 6, 8]),
        (3, [4, 6, 8]),
        (7, [8]),
        (8, []),
    ):
        listed = axp.owner.list_intent_events(intent_id, since=since)["events"]
        assert [event["seq"] for event in listed] == seqs
        assert read_stream(axp.live, events_path(intent_id, since, 1)).events == listed
    for since, seqs in ((0, [4]), (1, [4]), (2, [4]), (3, [4])):
        assert read_stream(axp.live, post_path(name, since, 1)).seqs == seqs
    assert (
        axp.owner.list_intent_events(intent_id)["events"]
        == axp.owner.list_intent_events(intent_id, since=0)["events"]
    )


def test_watching_like_the_published_cli_skips_no_event(axp: AxpEnv) -> None:
    # It asks for the last number plus one, and gets one event a connection at worst.
    intent_id = axp.owner.send_intent(TASK)
    seen, since = [], 1
    for act in (
        lambda: None,
        lambda: axp.owner.resume_intent(intent_id, {"approve_current_step": True}),
        lambda: axp.owner.resolve_intent(intent_id, {"status": "COMPLETED"}),
    ):
        act()
        streamed = read_stream(axp.live, events_path(intent_id, since, 1))
        seen += streamed.names
        since = streamed.seqs[-1] + 1
        assert streamed.last["next_seq"] == since
    assert seen == ["intent.created", "intent.delivered", "intent.in_progress", "intent.completed"]


def test_stream_of_an_agent_lists_open_deliveries_with_its_own_cursors(axp: AxpEnv) -> None:
    name = axp.name("runner")
    agent = axp.agent(name)
    sent = [axp.owner.send_intent({**TASK, "to_agent": name}) for _ in range(3)]
    first = take(agent, name, 3)
    assert [(d["intent_id"], d["seq"]) for d in first] == list(zip(sent, (2, 4, 6), strict=True))
    assert {d["status"] for d in first} == {"DELIVERED"}
    assert all("payload" not in d for d in first)
    agent.resume_intent(sent[1], {"action": "complete"})
    # An agent that was started again asks from the beginning and gets what is still to be done.
    assert [d["intent_id"] for d in take(agent, name, 2)] == [sent[0], sent[2]]
    assert [d["intent_id"] for d in take(agent, name, 1, since=4)] == [sent[2]]
    _, polled = axp.call("GET", f"/v1/agents/{name}/intents?since=2")
    assert ([d["intent_id"] for d in polled["intents"]], polled["next_cursor"]) == ([sent[2]], 6)


def test_every_listener_of_an_address_sees_each_delivery_and_one_claims_it(axp: AxpEnv) -> None:
    name = axp.name("runner")
    agent = axp.agent(name)
    listening = [Listening(axp.live, post_path(name)) for _ in range(3)]
    intent_id = axp.owner.send_intent({**TASK, "to_agent": name})
    for one in listening:
        assert [event["intent_id"] for event in Streamed(one.rest()).events] == [intent_id]
    assert agent.resume_intent(intent_id, {"winner": 1})["applied"] is True
    status, late = axp.call("POST", f"/v1/intents/{intent_id}/resume", {"winner": 2}, agent._config.api_key)
    assert (status, late["error"]["code"]) == (409, "intent_terminal")
    assert axp.owner.get_intent(intent_id)["result"] == {"winner": 1}


@pytest.mark.parametrize("wait_seconds", ["0", "-5", "1e9", ""])
def test_odd_wait_times_are_clamped(axp: AxpEnv, wait_seconds: str) -> None:
    intent_id = axp.owner.send_intent(TASK)
    path = f"/v1/intents/{intent_id}/events/stream?since=0&wait_seconds={wait_seconds}"
    assert read_stream(axp.live, path).seqs == [2, 4]


def test_oversized_result_is_omitted_from_the_stream_and_can_be_fetched(axp: AxpEnv) -> None:
    intent_id = axp.owner.send_intent(TASK)
    result = {"log": "x" * 70_000}
    axp.owner.resolve_intent(intent_id, {"status": "COMPLETED", "result": result})
    streamed = read_stream(axp.live, events_path(intent_id))
    assert streamed.events[-1]["details"] == {"truncated": True}
    assert axp.owner.get_intent(intent_id)["result"] == result


def test_delivery_that_was_sent_but_never_read_is_sent_again(sqlite_axp: AxpEnv) -> None:
    # The published example agents first drain their stream and throw away what they see.
    axp, name = sqlite_axp, "drainer"
    agent = axp.agent(name)
    lost = axp.owner.send_intent({**TASK, "to_agent": name})
    kept = axp.owner.send_intent({**TASK, "to_agent": name})
    last = [d["seq"] for d in take(agent, name, 2)][-1]
    agent.get_intent(kept)
    again = until(lambda: read_stream(axp.live, post_path(name, last, 1)).events)
    assert [event["intent_id"] for event in again] == [lost]
    assert again[0]["seq"] > last
    assert again[0]["delivery_attempt"] == 1


def test_stopping_server_ends_its_streams_properly(sqlite_live: Live) -> None:
    # A stream torn off is an exception in the published client's loop, and the agent's death.
    _, sent = sqlite_live.call("POST", "/v1/intents", TASK)
    watching = Listening(sqlite_live, events_path(sent["intent_id"], since=4, wait_seconds=60))
    listening = Listening(sqlite_live, post_path("anybody", wait_seconds=60))
    sqlite_live.stop()  # which waits for less than they asked for
    assert Streamed(watching.rest()).last == {"ok": True, "next_seq": 5}
    assert Streamed(listening.rest()).last == {"ok": True, "next_seq": 1}
    with pytest.raises(ConnectionError):
        http.client.HTTPConnection("127.0.0.1", sqlite_live.port, timeout=1).connect()
