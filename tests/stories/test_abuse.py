"""Mistakes of users, programs and machines: each gets a clear error, and nothing is left half-done or damaged."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest

from tests.live import PATIENCE, Live
from tests.odd_values import places, with_odd
from tests.stories.crash import GATE, WORKFLOW, ask, count, fresh_database, sent, stopped_at_the_end
from tests.stories.servers import KINDS, self_approving, until


@pytest.fixture(scope="module", params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all invalid requests; its log must have no traceback."""
    folder = tmp_path_factory.mktemp("abused") / ".signoff"
    with (
        fresh_database(request, request.param) as url,
        stopped_at_the_end(Live(folder, url, console_notifications="off", max_rate="0")) as live,
    ):
        assert ask(live, "POST", "/v1/workflows", WORKFLOW).status == 200
        yield self_approving(live)


# -- requests that say nonsense


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"intent_type": "a.v1", "payload": {"x": 1, "x": 2}}', 400, "duplicate_key"),
        (b'{"intent_type": "a.v1", "payload": {"x": NaN}}', 400, "not_a_number"),
        (b'{"intent_type": "a.v1", "payload": {"x": -Infinity}}', 400, "not_a_number"),
        (b'{"intent_type": "a.v1", "payload": {"x": 1e999}}', 400, "number_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": 9007199254740993}}', 400, "integer_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": 1' + b"0" * 4000 + b"}}", 400, "integer_out_of_range"),
        (b'{"intent_type": "a.v1", "payload": {"x": "\\ud800"}}', 400, "lone_surrogate"),
        (b'{"intent_type": "a.v1", "payload": {"\\udc00x": 1}}', 400, "lone_surrogate"),
        (b'{"intent_type": "a.v1", "payload": {"x": "\xff"}}', 400, "invalid_utf8"),
        (b'{"payload": ' + b'{"x":' * 50 + b"1" + b"}" * 51, 400, "too_deep"),
        (b"[" * 100_000 + b"]" * 20_000, 400, "too_deep"),
        (b'{"a":' * 20_000, 400, "invalid_json"),
        (b'{"intent_type": "a.v1"', 400, "invalid_json"),
        (b'{"intent_type": "a.v1"} trailing', 400, "invalid_json"),
        (b"[1, 2]", 400, "not_an_object"),
        (b"null", 400, "not_an_object"),
        (b"\x00\x01\x02", 400, "invalid_json"),
        (b'{"intent_type": "a.v1", "payload": {"x": "' + b"y" * 1_000_000 + b'"}}', 413, "payload_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_json_that_is_not_strict_is_refused(live: Live, body: bytes, status: int, code: str) -> None:
    gate = sent(live)
    before = count(live)
    for path in ("/v1/intents", f"/v1/tasks/{gate}/answer", f"/v1/intents/{gate}/resume", "/v1/workflows"):
        answer = ask(live, "POST", path, body)
        codes = {code, "too_deep"} if len(body) > 50_000 else {code}
        assert (answer.status, answer.code in codes) == (status, True), (path, answer)
        assert answer.json["error"]["message"]
        assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert count(live) == before
    assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"


def test_body_with_a_false_length_is_refused_and_an_endless_one_is_cut_off(live: Live) -> None:
    headers = f"host: x\r\nx-api-key: {live.owner_key}\r\ntransfer-encoding: chunked\r\n\r\n"
    head = b"POST /v1/intents HTTP/1.1\r\n" + headers.encode()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", live.port), PATIENCE) as raw:
        with suppress(ConnectionError):  # it need not read what it has refused
            raw.sendall(head + chunk * 4 + b"0\r\n\r\n")
        assert b" 413 " in raw.recv(65536).split(b"\r\n")[0]
    with socket.create_connection(("127.0.0.1", live.port), PATIENCE) as raw:
        raw.sendall(head)
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(10_000):
                raw.sendall(chunk)
    assert ask(live, "GET", "/health").status == 200


GOOD: dict[str, dict[str, Any]] = {
    "/v1/intents": {
        "intent_type": "intent.odd.v1",
        "to_agent": "odd",
        "reply_to": "r",
        "correlation_id": "c",
        "from_agent": "f",
        "deadline_at": "2090-01-01T00:00:00Z",
        "payload": {"a": 1},
        "max_delivery_attempts": 3,
        "remind_after_seconds": 60,
        "human_task": {
            "title": "t",
            "description": "d",
            "task_type": "approval",
            "assignees": ["role:owner"],
            "allowed_outcomes": ["approved", "rejected"],
            "form_schema": {"type": "object"},
        },
    },
    "/v1/intents/{gate}/resume": {"task_result": {"outcome": "odd", "comment": "c"}, "reason": "r"},
    "/v1/intents/{gate}/resolve": {"status": "odd", "result": {}, "error": {"code": "c", "message": "m"}},
    "/v1/tasks/{gate}/answer": {"outcome": "odd", "comment": "c", "data": {}, "revision": 7, "digest": "d"},
    "/v1/agents/odd/deliveries/claim": {"limit": 1, "lease_seconds": 30, "holder": "h", "wait_seconds": 0},
    "/v1/service-accounts": {
        "name": "odd",
        "display_name": "d",
        "description": "x",
        "delivery_mode": "stream",
    },
    "/v1/keys": {"person": "odd@b.example", "name": "n", "roles": ["member"], "expires_in_seconds": 60},
    "/v1/workflows?dry_run=true": {
        "workflow": "odd",
        "intent_type": "intent.odd.v1",
        "max_revisions": 5,
        "steps": [
            {"id": "a", "agent": "odd", "deadline": "5m", "retry": {"max": 2, "delay": "30s"}},
            {
                "id": "b",
                "human": {"type": "approval", "approvers": ["role:owner"], "remind": {"after": "5m"}},
            },
        ],
    },
}
ODD: list[Any] = [
    "nul\0inside", "", " ", "\u202e\x07", "x" * 3000, "../../x", "'; drop table intents; --", -1, 2**53 - 1, 1e308,
    True, None, [], {}, [[{}]], "9999-12-31T23:59:59Z", {f"k{n}": n for n in range(300)},
]  # fmt: skip
LISTS = ("/v1/intents?intent_type={}", "/v1/intents?cursor={}", "/v1/intents?limit={}", "/v1/tasks?state={}")
READS = (
    "/v1/intents/{}",
    "/v1/tasks/{}",
    "/v1/agents/{}",
    "/v1/service-accounts/{}",
    "/v1/inbox/{}",
    "/v1/workflows/{}",
)


@pytest.mark.parametrize("path", GOOD)
def test_odd_values_are_accepted_or_refused_without_a_server_error(live: Live, path: str) -> None:
    path, body = path.format(gate=sent(live)), GOOD[path]
    asked = [(place, odd, with_odd(body, place, odd)) for place in places(body) for odd in ODD]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda one: ask(live, "POST", path, one[2]), asked))
    for (place, odd, _), answer in zip(asked, answers, strict=True):
        assert answer.status < 500, (place, str(odd)[:40], answer)
        assert answer.status < 400 or (answer.code and answer.json["error"]["message"]), (place, odd, answer)


def test_odd_paths_are_refused_as_unknown_or_invalid(live: Live) -> None:
    for template in (*READS, *LISTS):
        for odd in ("nul\0inside", "%00", "x" * 3000, "..", "-1", "1e400", "é\U0001f600", "agent://a/b/c/d"):
            answer = ask(live, "GET", template.format(quote(odd, safe="")))
            assert answer.status in (200, 400, 404, 422), (template, odd[:40], answer)


# -- requests that ask for what cannot be


def test_workflow_with_an_unknown_route_or_endless_cycle_is_refused(live: Live) -> None:
    approve: dict[str, Any] = {"id": "approve", "human": {"type": "approval"}}
    for steps, code, field in (
        ([{**approve, "on_failure": "aprove"}], "unknown_step", "steps.approve.on_failure"),
        ([{**approve, "on_success": "approve"}], "cycle_without_exit", "steps.approve"),
        ([approve, approve], "duplicate_step", "steps"),
    ):
        source = {"workflow": "w", "intent_type": "intent.lost.v1", "steps": steps}
        answer = ask(live, "POST", "/v1/workflows", source)
        assert (answer.status, answer.code, answer.json["error"]["field"]) == (422, code, field)
        assert answer.json["error"]["hint"]
    assert ask(live, "GET", "/v1/workflows/intent.lost.v1").status == 404


def test_unknown_agent_is_a_warning_and_the_delivery_waits(live: Live) -> None:
    answer = ask(live, "POST", "/v1/intents", {"intent_type": "intent.new.v1", "to_agent": "newcomer"})
    assert (answer.status, answer.json["status"]) == (200, "DELIVERED")
    assert "newcomer" in answer.json["warnings"][0]
    found = ask(live, "POST", "/v1/agents/newcomer/deliveries/claim", {"holder": "h"}).json["deliveries"]
    assert [one["intent_id"] for one in found] == [answer.json["intent_id"]]


def test_expired_revoked_and_missing_keys_are_refused(live: Live) -> None:
    short = ask(live, "POST", "/v1/keys", {"service": "ci", "expires_in_seconds": 1}).json
    until(lambda: ask(live, "GET", "/v1/me", key=short["api_key"]).code == "key_expired")
    revoked = ask(live, "POST", "/v1/keys", {"service": "ci"}).json
    assert ask(live, "GET", "/v1/me", key=revoked["api_key"]).status == 200
    assert ask(live, "POST", f"/v1/keys/{revoked['key_id']}/revoke", {}).status == 200
    for key, code in (
        (short["api_key"], "key_expired"),
        (revoked["api_key"], "key_revoked"),
        (revoked["api_key"][:-1], "invalid_platform_api_key"),
        ("nonsense", "invalid_platform_api_key"),
        (" ", "missing_platform_api_key"),
    ):
        for method, path in (("POST", "/v1/intents"), ("GET", "/v1/intents"), ("GET", "/v1/me")):
            answer = ask(live, method, path, GATE if method == "POST" else None, key=key)
            assert (answer.status, answer.code) == (401, code)
            assert key.strip() == "" or key not in json.dumps(answer.json)


def test_final_intent_accepts_no_command(live: Live) -> None:
    gate = sent(live)
    assert ask(live, "POST", f"/v1/tasks/{gate}/answer", {"outcome": "approved"}).status == 200
    events = ask(live, "GET", f"/v1/intents/{gate}/events").json
    for path, body, codes in (
        ("resume", {"action": "complete", "x": 1}, {"intent_terminal", "already_decided"}),
        ("resume", {"approve_current_step": True}, {"intent_terminal", "already_decided"}),
        ("resume", {"task_result": {"outcome": "rejected"}}, {"already_decided"}),
        ("resolve", {"status": "FAILED"}, {"intent_terminal"}),
        ("resolve", {"status": "CANCELED"}, {"intent_terminal"}),
        ("controls", {"controls_patch": {"a": 1}}, {"intent_terminal"}),
    ):
        answer = ask(live, "POST", f"/v1/intents/{gate}/{path}", body)
        assert answer.status in (403, 409), (path, answer)
        assert answer.status == 403 or answer.code in codes, (path, answer)
    assert ask(live, "GET", f"/v1/intents/{gate}/events").json == events


def test_wrong_agent_sees_and_ends_nothing(live: Live) -> None:
    keys = {
        name: ask(live, "POST", "/v1/keys", {"agent": name}).json["api_key"] for name in ("right", "wrong")
    }
    intent_id = ask(live, "POST", "/v1/intents", {"intent_type": "intent.one.v1", "to_agent": "right"}).json[
        "intent_id"
    ]
    assert ask(live, "GET", f"/v1/intents/{intent_id}", key=keys["wrong"]).status == 404
    for path, said in (
        (f"/v1/intents/{intent_id}/resume", {"action": "complete"}),
        (f"/v1/intents/{intent_id}/resolve", {"status": "COMPLETED"}),
        (f"/v1/tasks/{intent_id}/answer", {"outcome": "approved"}),
    ):
        assert ask(live, "POST", path, said, key=keys["wrong"]).status in (403, 404)
    claim = ask(live, "POST", "/v1/agents/right/deliveries/claim", {"holder": "h"}, key=keys["wrong"])
    assert (claim.status, claim.code) == (403, "not_your_address")
    gate = sent(live)
    for body in (
        {"action": "complete"},
        {"task_result": {"outcome": "approved"}},
        {"approve_current_step": True},
    ):
        assert ask(live, "POST", f"/v1/intents/{gate}/resume", body, key=keys["right"]).status in (403, 404)
    assert ask(live, "GET", f"/v1/intents/{gate}").json["status"] == "WAITING"
    done = ask(live, "POST", f"/v1/intents/{intent_id}/resume", {"action": "complete"}, key=keys["right"])
    assert (done.status, ask(live, "GET", f"/v1/intents/{intent_id}").json["status"]) == (200, "COMPLETED")


def test_idempotency_key_of_another_request_is_a_conflict(live: Live) -> None:
    first = ask(live, "POST", "/v1/intents", GATE, idempotency_key="mine")
    again = ask(live, "POST", "/v1/intents", GATE, idempotency_key="mine")
    assert (again.status, again.json) == (200, first.json)
    other = ask(live, "POST", "/v1/intents", GATE | {"payload": {"x": 1}}, idempotency_key="mine")
    assert (other.status, other.code) == (409, "idempotency_conflict")
