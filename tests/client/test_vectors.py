"""The SDK passes the vectors that all clients share, and the scripted server detects deviations."""

import asyncio
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.vectors import (
    LIMIT,
    VECTORS,
    Player,
    play_agent,
    play_async,
    play_blocking,
    scripted,
    vector_server,
)

pytestmark = pytest.mark.windows

CALLS = {name for name, vector in VECTORS.items() if all(s["call"] != "run_agent" for s in vector["steps"])}
ABORTED = {name for name, vector in VECTORS.items() if any("abort_after" in s for s in vector["steps"])}


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with vector_server() as server:
        yield server


def player(server: Any, name: str) -> Player:
    return Player(server, VECTORS[name], uuid.uuid4().hex)


@pytest.mark.parametrize("name", sorted(CALLS - ABORTED))
def test_blocking_client_follows_the_vectors(server: Any, name: str) -> None:
    play_blocking(player(server, name))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_async_client_follows_the_vectors(server: Any, name: str) -> None:
    asyncio.run(play_async(player(server, name)))


@pytest.mark.parametrize("name", sorted(VECTORS.keys() - CALLS))
def test_agent_follows_the_vectors(server: Any, name: str) -> None:
    asyncio.run(play_agent(player(server, name)))


def ask(play: Player, method: str, path: str, **sent: Any) -> int:
    """Send one request, as a client would or with a deviation."""
    headers = {"x-api-key": scripted.KEY, "user-agent": "test/1", **sent.pop("headers", {})}
    content = json.dumps(sent["body"]).encode() if "body" in sent else None
    if content is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(play.base + path, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_scripted_server_reports_deviations(server: Any) -> None:
    sent = VECTORS["send_after_429"]["steps"][0]["with"]["intent"]

    def found(*requests: tuple[str, str, dict[str, Any]], name: str = "send_after_429") -> list[str]:
        play = player(server, name)
        for method, path, more in requests:
            ask(play, method, path, **more)
        return list(play.ask("/_verdict")["mismatches"])

    def send(key: str = "k", **more: Any) -> tuple[str, str, dict[str, Any]]:
        return "POST", "/v1/intents", {"body": sent, "headers": {"idempotency-key": key}, **more}

    missing = "POST /v1/intents did not come"
    assert found() == [missing, missing]
    early = "POST /v1/intents came before the 1 s that the server asked for"
    assert found(send(), send()) == [early]
    assert "differs from the first key" in found(send(), send("other"))[1]
    assert "unexpected GET /v1/elsewhere" in found(("GET", "/v1/elsewhere", {}))[0]
    assert "body.payload: expected" in found(send(body={**sent, "payload": 1}))[0]
    assert "body.more: unexpected" in found(send(body={**sent, "more": 1}))[0]
    assert "header idempotency-key: is absent" in found(send(headers={}))[0]
    assert "header x-api-key" in found(send(headers={"x-api-key": "other", "idempotency-key": "k"}))[0]
    assert (
        "header idempotency-key: expected to be absent"
        in found(("GET", "/v1/me", {"headers": {"idempotency-key": "k"}}), name="me")[0]
    )
    assert "query.limit" in found(("GET", "/v1/people?limit=5", {}), name="people")[0]
    again = found(send("k"), send("k"), name="send_makes_a_key_per_call")
    assert "header idempotency-key: was used before" in again[0]
