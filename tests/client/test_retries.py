"""Retries: which requests are sent again and when; a write takes effect once even if its response is lost."""

import asyncio
import json
from typing import Any, TypeVar, cast

import pytest

from signoff import (
    AlreadyDecided,
    AsyncClient,
    AuthenticationFailed,
    Client,
    Conflict,
    ConnectionFailed,
    Invalid,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    StaleRevision,
)
from signoff.client import calls
from signoff.client.calls import ApiCall
from signoff.client.drivers import BlockingSession
from signoff.client.flow import Flow, HttpReply, MonotonicDeadline, perform, persist
from signoff.client.resources import Directory, Tasks
from tests.client.conftest import KEY
from tests.client.driving import Driving
from tests.client.stub import INTENT, Answer, Stub, refused

pytestmark = pytest.mark.windows

T = TypeVar("T")
GOT = HttpReply(200, {}, json.dumps({"intent_id": INTENT}).encode())
LOST = ConnectionFailed("cut in the middle")
UNHEARD = ConnectionFailed("nothing listens", unsent=True)
UNSAFE: ApiCall[None] = ApiCall("POST", "/v1/x", lambda _: None, body={})


def said(status: int, retry_after: str | None = None) -> HttpReply:
    headers = {"retry-after": retry_after} if retry_after else {}
    return HttpReply(status, headers, b'{"error": {"code": "busy", "message": "Not now."}}')


def send() -> ApiCall[str]:
    return calls.send_intent({"intent_type": "intent.test.v1"})


def test_pauses_grow_to_five_seconds_until_the_time_for_retries_is_over() -> None:
    world = Driving()
    with pytest.raises(ConnectionFailed):
        world.run(perform(send(), world.retries), *[LOST] * 12)
    assert world.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert world.now <= 30


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_is_obeyed_with_jitter_on_top(status: int) -> None:
    world = Driving()
    assert world.run(perform(send(), world.retries), said(status, "7"), GOT).intent_id == INTENT
    assert world.pauses == [7.1]


def test_retry_after_beyond_the_time_for_retries_is_raised() -> None:
    world = Driving()
    with pytest.raises(ServerBusy) as caught:
        world.run(perform(send(), world.retries), said(503, "60"))
    assert (caught.value.retry_after, world.pauses) == (60.0, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 501])
def test_refusal_is_not_retried(status: int) -> None:
    world = Driving()
    with pytest.raises(RequestRefused):
        world.run(perform(send(), world.retries), said(status))


def test_call_without_a_key_is_not_repeated_after_it_may_have_arrived() -> None:
    world = Driving()
    with pytest.raises(ConnectionFailed):
        world.run(perform(UNSAFE, world.retries), UNHEARD, UNHEARD, LOST)
    with pytest.raises(ServerBusy):
        world.run(perform(UNSAFE, world.retries), said(503))


def test_client_without_retries_fails_at_once() -> None:
    world = Driving()
    with pytest.raises(ConnectionFailed):
        world.run(perform(send(), world.retries, retry_for=0.0), UNHEARD)


def test_wait_without_a_retry_limit_ends_at_its_deadline() -> None:
    world = Driving()
    outage: list[HttpReply | ConnectionFailed] = [LOST, said(500), HttpReply(404, {}, b"no route")]
    got = world.run(
        persist(calls.get_intent(INTENT), world.retries, MonotonicDeadline(None, world.retries.clock)),
        *outage * 20,
        HttpReply(200, {}, b'{"intent": {"status": "WAITING"}}'),
    )
    assert got.status == "WAITING"
    assert world.now > 200


def test_excessive_retry_after_of_a_proxy_is_bounded() -> None:
    world = Driving()
    got = world.run(
        persist(calls.get_intent(INTENT), world.retries, MonotonicDeadline(None, world.retries.clock)),
        said(503, "86400"),
        said(503, "inf"),
        said(503, "nan"),
        said(503, "-5"),
        HttpReply(200, {}, b'{"intent": {"status": "WAITING"}}'),
    )
    assert got.status == "WAITING"
    assert world.pauses == pytest.approx([300.1, 0.2, 0.4, 0.8])


def test_send_over_a_lost_response_uses_one_idempotency_key(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/intents", Answer(hangs_up=True), refused(503, "busy", {"retry-after": "0"}))
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    assert client.send_intent({"intent_type": "intent.test.v1", "payload": {"n": 1}}) == INTENT
    assert client.send_intent({"intent_type": "intent.test.v1"}, idempotency_key="mine") == INTENT
    keys = [asked.headers["idempotency-key"] for asked in stub.seen("POST", "/v1/intents")]
    assert len(keys) == 4
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[3] == "mine"
    assert stub.asked[0].body == {"intent_type": "intent.test.v1", "payload": {"n": 1}}


def test_send_waits_for_a_server_that_is_not_up_yet(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/intents", Answer({"ok": True, "intent_id": INTENT}))
    stub.stop()

    async def go() -> str:
        async with AsyncClient(stub.url, KEY) as patient:
            sending = asyncio.create_task(patient.send_intent({"intent_type": "intent.test.v1"}))
            await asyncio.sleep(0)
            stub.start()
            return await sending

    assert asyncio.run(go()) == INTENT


def test_connection_refused_error_names_the_next_step(stub: Stub) -> None:
    stub.stop()
    with (
        Client(stub.url, KEY, retry_for=0) as client,
        pytest.raises(ConnectionFailed, match="signoff up") as caught,
    ):
        client.me()
    assert caught.value.unsent
    assert KEY not in str(caught.value)


CREATED: Any = [
    (401, "invalid_platform_api_key", AuthenticationFailed),
    (403, "role_required", PermissionDenied),
    (404, "not_found", NotFound),
    (409, "intent_terminal", Conflict),
    (409, "already_decided", AlreadyDecided),
    (409, "stale_revision", StaleRevision),
    (413, "too_large", Invalid),
    (422, "outcome_not_allowed", Invalid),
    (429, "rate_limit_exceeded", RateLimited),
    (500, "internal_error", ServerFailed),
]


@pytest.mark.parametrize(("status", "code", "kind"), CREATED)
def test_each_error_status_has_its_class(
    stub: Stub, status: int, code: str, kind: type[RequestRefused]
) -> None:
    answer = refused(
        status,
        code,
        {"x-request-id": "req-1"},
        field="outcome",
        hint="Look.",
        details={"outcome": "approved"},
    )
    stub.on("GET", "/v1/me", answer)
    with Client(stub.url, KEY, retry_for=0) as client, pytest.raises(kind) as caught:
        client.me()
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.status, error.field, error.hint, error.request_id) == (
        code,
        status,
        "outcome",
        "Look.",
        "req-1",
    )
    assert str(error) == f"No: {code}. [{code}] Look. (request req-1)"
    assert error.details == {"outcome": "approved"}


def test_response_of_another_program_on_the_port_is_recognized(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/me", Answer(b"<html>hello"))
    with pytest.raises(ServerFailed, match="not from a Signoff server") as caught:
        client.me()
    assert not caught.value.genuine
    stub.on("GET", "/health", Answer(b"", 308, {"location": "https://elsewhere.example/"}))
    with pytest.raises(RequestRefused, match="elsewhere"):
        client.health()


def test_unencodable_argument_is_an_error_of_the_caller(client: Client) -> None:
    with pytest.raises(TypeError):
        client.send_intent({"payload": {"at": object()}})
    with pytest.raises(ValueError, match="JSON"):
        client.send_intent({"payload": {"n": float("nan")}})


class Scripted:
    """A session whose flows all receive these responses."""

    def __init__(self, world: Driving, *answers: HttpReply | ConnectionFailed) -> None:
        self._world, self._answers = world, answers

    def run(self, flow: Flow[T]) -> T:
        return cast(T, self._world.run(flow, *self._answers))


def groups(*answers: HttpReply | ConnectionFailed) -> tuple[Tasks, Directory]:
    world = Driving()
    session = cast(BlockingSession, Scripted(world, *answers))
    return Tasks(session, world.retries), Directory(session, world.retries)


def test_request_that_is_not_idempotent_is_not_repeated() -> None:
    with pytest.raises(ConnectionFailed):
        groups(LOST)[1].add_person("ann@acme.example")
    with pytest.raises(ConnectionFailed):
        groups(LOST)[1].confirm("prp_1")


def test_idempotent_request_is_repeated() -> None:
    answered = HttpReply(200, {}, b'{"person": {}, "team": {}, "policy": {}, "task": {}}')
    tasks, directory = groups(LOST, answered)
    assert directory.change_person("ann@acme.example", zone="UTC") == {"warnings": []}
    assert directory.set_team("sre", ["ann@acme.example"]) == {"warnings": []}
    assert directory.set_policy("prod", {}) == {}
    assert tasks.mark_reviewing("019cadc6-9a81-7fbb-8a90-7ec255f00001") == {}
