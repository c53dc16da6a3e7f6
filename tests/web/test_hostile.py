"""Hostile input gets an error in the common format, never a 500, and no secret is repeated."""

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from signoff.web.api.routes import ENDPOINTS
from tests.web.web_env import TYPE, Answer, WebEnv

DEEP = b'{"intent_type": "a.b.v1", "payload": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}"
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "text": b'"text"',
    "NaN": b'{"payload": NaN}',
    "twice": b'{"intent_type": "a.b.v1", "intent_type": "c.d.v1"}',
    "deep": DEEP,
    "not UTF-8": b'{"payload": "\xff\xfe"}',
    "half a character": b'{"payload": {"a": "\\ud800"}}',
    "nul": b"\x00" * 10,
    "huge number": b'{"payload": {"a": ' + b"9" * 5000 + b"}}",
    "control characters": b'{"intent_type": "a\\u0000b"}',
}


def check_shape(answer: Answer, name: str = "") -> None:
    """Assert that the error has the common format."""
    assert answer.status < 500, (name, answer.text)
    if answer.status < 400:
        return
    body = answer.json
    assert isinstance(body, dict), (name, answer.text)
    assert body["ok"] is False
    assert body["message"] == body["detail"] == body["error"]["message"] != ""
    assert isinstance(body["error"]["code"], str)
    assert isinstance(body["error"]["details"], dict)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert set(body["error"]) <= {"code", "message", "field", "hint", "details"}


def paths(intent_id: str) -> list[tuple[str, str]]:
    """Every endpoint with a body, its parameters filled in."""
    found = []
    for row in ENDPOINTS:
        if row.method == "GET":
            continue
        path = row.path.replace("{address:path}", "validator")
        for name in ("intent_id", "task_id", "approval_id", "delivery_id", "account_id", "key_id"):
            path = path.replace("{" + name + "}", intent_id)
        found.append((row.method, path))
    return found


@pytest.mark.parametrize("name", BODIES)
async def test_no_body_causes_a_server_error(web: WebEnv, name: str) -> None:
    intent_id, _ = await web.at_gate()
    for method, path in paths(intent_id):
        for who in ("oscar", "agent"):
            check_shape(await web.call(method, path, BODIES[name], who), f"{method} {path}")


@pytest.mark.parametrize("name", [n for n in BODIES if n != "nothing"])
async def test_json_that_is_not_strict_is_refused(web: WebEnv, name: str) -> None:
    answer = await web.call("POST", "/v1/intents", BODIES[name])
    check_shape(answer)
    assert answer.status in (400, 422)


WRONG: list[Any] = [None, True, -1, 1.5, "x" * 5000, "a\x00é😀", [1], {}, {"a": {"b": []}}]


async def test_wrong_types_are_refused_in_every_field(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    rows = {(row.method, row.path): row for row in ENDPOINTS if row.request is not None}
    for row in rows.values():
        fields = row.request.__struct_fields__  # type: ignore[union-attr]
        path = row.path.replace("{address:path}", "validator")
        for name in ("intent_id", "task_id", "approval_id", "delivery_id", "account_id", "key_id"):
            path = path.replace("{" + name + "}", intent_id)
        if path.endswith(("/resolve", "/bulk-cancel")):
            path = path.replace(intent_id, "0190a7de-1111-7222-8333-444455550000")
        for field in fields:
            for value in WRONG:
                answer = await web.call(
                    row.method, path, {field: value, "intent_type": TYPE} | {field: value}, "oscar"
                )
                check_shape(answer, f"{row.method} {path} {field}={value!r}"[:200])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "intent_type",
    "payload",
    "to_agent",
    "human_task",
    "title",
    "task_type",
    "allowed_outcomes",
    "form_schema",
)
MEMBERS = st.dictionaries(
    st.sampled_from(KEYS), JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), max_size=6
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=MEMBERS)
async def test_any_submission_is_accepted_or_refused_in_the_error_format(
    web: WebEnv, body: dict[str, Any]
) -> None:
    check_shape(await web.post("/v1/intents", body))


async def test_oversized_body_is_refused_before_it_is_read(web: WebEnv) -> None:
    big = b'{"intent_type": "a.b.v1", "payload": {"a": "' + b"x" * 1_000_000 + b'"}}'
    answer = await web.call("POST", "/v1/intents", big)
    check_shape(answer)
    assert (answer.status, answer.code) == (413, "payload_too_large")

    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 10_000

    sent = await web.http.post("/v1/intents", content=chunks(), headers={"x-api-key": web.keys["ci"]})
    assert Answer(sent).code == "payload_too_large"


async def test_body_of_exactly_the_limit_is_accepted(web: WebEnv) -> None:
    web.state.settings = replace(web.state.settings, max_body=2000)

    def body(size: int) -> bytes:
        text = b'{"intent_type": "a.b.v1", "payload": {"a": "%s"}}'
        return text % (b"x" * (size - len(text) + 2))

    async def chunks(size: int) -> Any:
        whole = body(size)
        yield whole[:1000]
        yield whole[1000:]

    headers = {"x-api-key": web.keys["ci"]}
    for size, status in ((2000, 200), (2001, 413)):
        assert len(body(size)) == size
        assert (await web.call("POST", "/v1/intents", body(size))).status == status
        sent = await web.http.post("/v1/intents", content=chunks(size), headers=headers)
        assert sent.status_code == status, "without a declared length, too"


async def test_connection_is_closed_after_an_oversized_body(web: WebEnv) -> None:
    web.state.settings = replace(web.state.settings, max_body=2000)
    refused = await web.call("POST", "/v1/intents", b" " * 2001)
    assert (refused.status, refused.headers.get("connection")) == (413, "close")
    wrong = await web.call("POST", "/v1/intents", b"{")
    assert (wrong.status, wrong.headers.get("connection")) == (400, None), "of others it is kept"


async def test_limit_is_the_setting_or_that_of_bundles_if_larger(web: WebEnv) -> None:
    web.state.settings = replace(web.state.settings, max_body=2000)
    body = {"intent_type": "a.b.v1", "payload": {"a": "x" * 2000}}
    assert (await web.post("/v1/intents", body)).code == "payload_too_large"
    assert (await web.post("/v1/scenarios/validate", {"x": "x" * 2000})).status == 200
    web.state.settings = replace(web.state.settings, max_body=1_000_000)
    body["payload"] = {"a": "x" * 900_000}
    assert (await web.post("/v1/intents", body)).status == 200
    assert (await web.post("/v1/scenarios/validate", {"x": "x" * 900_000})).status == 200


async def test_invalid_cursor_is_refused_by_field(web: WebEnv) -> None:
    for path in ("/v1/intents", "/v1/tasks", "/v1/tasks?state=closed&q=b"):
        answer = await web.get(f"{path}{'&' if '?' in path else '?'}cursor=nonsense", "ann")
        assert (answer.status, answer["error"]["field"]) == (422, "cursor")


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 400, "1e9"])
async def test_odd_content_length_changes_nothing(web: WebEnv, length: str) -> None:
    answer = await web.call("POST", "/v1/intents", b'{"intent_type": "a.b.v1"}', content_length=length)
    check_shape(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_request_id": "r" * 100_000},
        {"x_request_id": "a b\tc"},
        {"x_trace_id": "t" * 100_000},
        {"idempotency_key": "k" * 100_000},
        {"x_axme_client": "c" * 100_000},
        {"authorization": "Bearer " + "b" * 100_000},
        {"x_owner_agent": "o" * 100_000},
        {"cookie": "c" * 1_000_000},
    ],
)
async def test_huge_header_causes_no_error(web: WebEnv, headers: dict[str, str]) -> None:
    answer = await web.post("/v1/intents", {"intent_type": "a.b.v1"}, **headers)
    check_shape(answer)
    assert len(answer.headers["x-request-id"]) <= 128
    check_shape(await web.get("/v1/inbox", **headers))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/intents/",
        "/v1/intents/../../etc/passwd",
        "/v1/intents/%00",
        "/v1/intents/%ff%fe",
        "/v1/intents/" + "x" * 5000,
        "/v1/tasks/{}",
        "/v1/agents//intents",
        "/v1/agents/a/b/c/d/e",
        "/v1/agents/%20",
        "/v1/workflows/none",
        "/v1/inbox?owner_agent=" + "x" * 5000,
        "/v1/inbox?owner_agent=a/b/c/d",
        "/v1/intents?cursor=nonsense",
        "/v1/intents?" + "a=b&" * 200,
        "/v1/intents?limit=" + "9" * 500,
        "/v1/intents?limit=inf",
        "/v1/tasks?state=%00",
        "/v1/service-accounts/'; drop table intents; --",
    ],
)
async def test_odd_path_or_query_is_refused_in_the_error_format(web: WebEnv, path: str) -> None:
    check_shape(await web.get(path), path)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "BREW" * 100])
async def test_unsupported_method_is_refused_in_the_error_format(web: WebEnv, method: str) -> None:
    answer = await web.call(method, "/v1/intents")
    check_shape(answer)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_two_owners_in_one_request_are_refused(web: WebEnv) -> None:
    answer = await web.get("/v1/inbox?owner_agent=agent://a/b/c", x_owner_agent="agent://a/b/d")
    assert (answer.status, answer.code) == (400, "owner_conflict")


async def test_unexpected_error_is_reported_without_its_cause(
    web: WebEnv, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise RuntimeError("secret inside")

    web.state.readiness = broken
    with caplog.at_level(logging.ERROR, "signoff.web"):
        answer = await web.get("/ready", "ci", x_request_id="abc-1")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer["request_id"] == "abc-1"
    assert "abc-1" in caplog.text
    assert not any(key in caplog.text for key in web.keys.values())
