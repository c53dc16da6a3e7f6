"""Each client method sends the documented request and parses its response."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from signoff import AsyncClient, Client
from signoff.client import calls
from tests.client.conftest import KEY
from tests.client.stub import INTENT, Answer, Stub, event, intent

pytestmark = pytest.mark.windows

TASK = "0198c0de-0000-7000-8000-000000000001"
Ask = Callable[[Any], Any]
REQUESTS: list[tuple[Ask, str, str, dict[str, str], Any]] = [
    (lambda c: c.get_intent(INTENT), "GET", f"/v1/intents/{INTENT}", {}, None),
    (lambda c: c.events(INTENT, 4), "GET", f"/v1/intents/{INTENT}/events", {"since": "4"}, None),
    (
        lambda c: c.cancel(INTENT, "no longer needed"),
        "POST", f"/v1/intents/{INTENT}/resolve", {}, {"status": "CANCELED", "reason": "no longer needed"},
    ),
    (lambda c: c.audit(INTENT), "GET", f"/v1/intents/{INTENT}/audit", {}, None),
    (
        lambda c: c.list_intents(status="pending", limit=3),
        "GET", "/v1/intents", {"status": "pending", "limit": "3"}, None,
    ),
    (lambda c: c.apply_scenario({"title": "t"}), "POST", "/v1/scenarios/apply", {}, {"title": "t"}),
    (lambda c: c.validate_scenario({"a": 1}), "POST", "/v1/scenarios/validate", {}, {"a": 1}),
    (lambda c: c.apply_workflow({"a": 1}, True), "POST", "/v1/workflows", {"dry_run": "true"}, {"a": 1}),
    (lambda c: c.apply_workflow({"a": 1}), "POST", "/v1/workflows", {}, {"a": 1}),
    (lambda c: c.workflows(), "GET", "/v1/workflows", {}, None),
    (
        lambda c: c.tasks.list(mine=True),
        "GET", "/v1/tasks", {"mine": "true", "state": "open", "limit": "200"}, None,
    ),
    (lambda c: c.tasks.get(TASK), "GET", f"/v1/tasks/{TASK}", {}, None),
    (
        lambda c: c.answer(TASK, "submitted", "ok", {"n": 1}, 2, "d"),
        "POST", f"/v1/tasks/{TASK}/answer", {},
        {"outcome": "submitted", "comment": "ok", "data": {"n": 1}, "revision": 2, "digest": "d"},
    ),
    (lambda c: c.approve(TASK), "POST", f"/v1/tasks/{TASK}/answer", {}, {"outcome": "approved"}),
    (
        lambda c: c.reject(TASK, "too risky", revision=1),
        "POST", f"/v1/tasks/{TASK}/answer", {},
        {"outcome": "rejected", "comment": "too risky", "revision": 1},
    ),
    (lambda c: c.agents(), "GET", "/v1/agents", {}, None),
    (
        lambda c: c.create_key(person="ann@acme.example", roles=("approver",), expires_in=60),
        "POST", "/v1/keys", {},
        {"person": "ann@acme.example", "roles": ["approver"], "expires_in_seconds": 60},
    ),
    (lambda c: c.revoke_key("sak_1"), "POST", "/v1/keys/sak_1/revoke", {}, {}),
    (lambda c: c.kill_agent("bot"), "POST", "/v1/mesh/agents/bot/kill", {}, {}),
    (lambda c: c.resume_agent("bot"), "POST", "/v1/mesh/agents/bot/resume", {}, {}),
    (lambda c: c.me(), "GET", "/v1/me", {}, None),
    (lambda c: c.health(), "GET", "/health", {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "method", "path", "query", "body"), REQUESTS)
def test_both_clients_send_the_same_requests(
    stub: Stub, ask: Ask, method: str, path: str, query: dict[str, str], body: Any
) -> None:
    stub.on(method, path, Answer({"ok": True}))

    async def awaited() -> None:
        async with AsyncClient(stub.url, KEY) as client:
            await ask(client)

    with Client(stub.url, KEY) as client:
        ask(client)
    asyncio.run(awaited())
    for asked in stub.seen(method, path):
        assert (asked.query, asked.body) == (query, body)
        assert asked.headers["user-agent"].startswith("signoff-python/")
    assert len(stub.asked) == 2


def test_the_two_clients_have_the_same_methods() -> None:
    blocking, awaiting = (
        {name: m for name, m in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        for kind in (Client, AsyncClient)
    )
    assert blocking.keys() == awaiting.keys()
    for name, method in blocking.items():
        assert inspect.signature(method).parameters == inspect.signature(awaiting[name]).parameters, name
        assert inspect.getdoc(method), name


def test_warnings_for_the_sender_are_logged(
    stub: Stub, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    stub.on("POST", "/v1/intents", Answer({"intent_id": "i-1", "warnings": ["no agent is registered as x"]}))
    assert client.send_intent({"intent_type": "a.b.v1"}) == "i-1"
    assert [record.getMessage() for record in caplog.records] == ["intent i-1: no agent is registered as x"]


def test_lists_are_read_page_by_page(stub: Stub, client: Client) -> None:
    stub.on(
        "GET",
        "/v1/tasks",
        Answer({"tasks": [{"task_id": "1"}, {"task_id": "2"}], "next_cursor": "two"}),
        Answer({"tasks": [{"task_id": "3"}, {"task_id": "4"}], "next_cursor": "three"}),
    )
    assert [task.task_id for task in client.tasks.list(limit=4)] == ["1", "2", "3", "4"]
    assert [(a.query["limit"], a.query.get("cursor")) for a in stub.asked] == [("4", None), ("2", "two")]


def test_created_key_belongs_to_one_holder_and_its_secret_is_not_in_the_repr(
    stub: Stub, client: Client
) -> None:
    with pytest.raises(TypeError, match="exactly one"):
        client.create_key()
    with pytest.raises(TypeError, match="exactly one"):
        client.create_key(agent="a", service="b")
    stub.on("POST", "/v1/keys", Answer({"kind": "agent", "key_id": "sak_1", "api_key": "sgn_agent_x"}))
    key = client.create_key(agent="validator")
    assert key.api_key == key["api_key"] == "sgn_agent_x"
    assert "sgn_agent_x" not in repr(key)
    assert KEY not in repr(client.settings)


@pytest.mark.parametrize("strange", ["", "  ", "..", None, 7])
def test_invalid_id_is_not_sent(client: Client, strange: Any) -> None:
    with pytest.raises(TypeError):
        client.get_intent(strange)


def test_id_is_escaped_as_one_path_segment(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/intents/a%2F..%2Fb%3Fc", intent("WAITING"))
    assert client.get_intent("a/../b?c").status == "WAITING"


def test_retry_returns_the_id_of_the_new_intent(stub: Stub, client: Client) -> None:
    stub.on(
        "POST", f"/v1/intents/{INTENT}/retry", Answer({"ok": True, "intent_id": "new", "status": "CREATED"})
    )
    assert client.retry(INTENT) == "new"


def test_events_are_read_with_all_fields(stub: Stub, client: Client) -> None:
    wire = event(2, "CREATED", "created").decode().split("data: ")[1]
    stub.on(
        "GET", f"/v1/intents/{INTENT}/events", Answer(('{"ok": true, "events": [' + wire + "]}").encode())
    )
    (first,) = client.events(INTENT)
    assert (first.seq, first.event_type, first.status, first.final) == (2, "intent.created", "CREATED", False)


def test_another_program_is_named_in_the_user_agent(stub: Stub) -> None:
    stub.on("GET", "/health", Answer({"ok": True}))
    with Client(stub.url, KEY, program="signoff-cli") as client:
        assert client.health().ok
    assert stub.asked[0].headers["user-agent"].startswith("signoff-cli/")


def test_empty_idempotency_key_is_refused(client: Client) -> None:
    for call in (
        lambda: calls.send_intent({"intent_type": "a.b.v1"}, ""),
        lambda: calls.retry("i", " "),
        lambda: client.apply_scenario({}, idempotency_key=""),
    ):
        with pytest.raises(ValueError, match="idempotency_key is empty"):
            call()
