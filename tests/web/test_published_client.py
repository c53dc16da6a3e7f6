"""The published AXP client for Python, unchanged except for its base URL."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
from axme import AxmeAuthError, AxmeClient, AxmeClientConfig, AxmeValidationError

from tests.web.bundles import bundle
from tests.web.serving import serving
from tests.web.web_env import PAYLOAD, PLAIN, TYPE, WebEnv

T = TypeVar("T")
DEMO_REACTS_TO = ("DELIVERED", "CREATED", "IN_PROGRESS")


class Published:
    """Clients of several personas; each call runs in a thread, as in the programs that use it."""

    def __init__(self, web_env: WebEnv, url: str) -> None:
        self.web = web_env
        self._url = url
        self._made: list[AxmeClient] = []

    def client(self, who: str) -> AxmeClient:
        made = AxmeClient(
            AxmeClientConfig(
                base_url=self._url, api_key=self.web.keys.get(who, who), max_retries=0, timeout_seconds=60
            )
        )
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()


async def run(work: Callable[[], T]) -> T:
    return await asyncio.wait_for(asyncio.to_thread(work), 90)


@pytest.fixture
async def published(web: WebEnv) -> AsyncIterator[Published]:
    async with serving(web) as url:
        made = Published(web, url)
        yield made
        made.close()


def demo_agent(client: AxmeClient, address: str, result: dict[str, Any]) -> str:
    """Listen, fetch, resume, as every published demo agent does."""
    for event in client.listen(address, wait_seconds=5, timeout_seconds=60):
        if event.get("status") not in DEMO_REACTS_TO:
            continue
        intent_id = str(event["intent_id"])
        intent = client.get_intent(intent_id)
        payload = intent.get("intent", intent).get("payload", {})
        payload = payload.get("parent_payload", payload)
        assert payload == PAYLOAD
        client.resume_intent(intent_id, {"action": "complete", **result}, owner_agent=address)
        return intent_id
    raise AssertionError("nothing came")


async def test_request_runs_from_submission_to_completion(published: Published) -> None:
    web = published.web
    await web.apply_workflow()
    agent, service, person = (published.client(who) for who in ("agent", "ci", "ann"))
    working = asyncio.create_task(run(lambda: demo_agent(agent, "validator", {"passed": True})))
    intent_id = await run(lambda: service.send_intent({"intent_type": TYPE, "payload": PAYLOAD}))
    waiting = asyncio.create_task(run(lambda: service.wait_for(intent_id, timeout_seconds=60)))
    assert await working == intent_id[:-4] + "0001"
    answer = {"outcome": "approved", "task_result": {"approved": True, "comment": "go"}}
    with pytest.raises(Exception, match="you have not been shown the current task"):
        await run(lambda: person.resume_intent(intent_id, answer))
    assert (await run(lambda: person.get_intent(intent_id)))["intent"]["human_task"]["title"]
    resumed = await run(lambda: person.resume_intent(intent_id, answer))
    assert resumed["applied"] is True
    terminal = await waiting
    assert (terminal["event_type"], terminal["status"]) == ("intent.completed", "COMPLETED")
    result = (await run(lambda: service.get_intent(intent_id)))["intent"]["result"]
    assert (result["outcome"], result["steps"]["validate"]) == ("approved", {"passed": True})


async def test_direct_intent_to_an_unregistered_agent_names_the_next_step(published: Published) -> None:
    web, service = published.web, published.client("ci")
    sent = {"intent_type": "test.v1", "to_agent": "agent://conformance/receiver", "payload": PAYLOAD}
    intent_id = await run(lambda: service.send_intent(sent))
    with pytest.raises(AxmeAuthError) as refused:  # a service takes nobody's deliveries
        await run(lambda: next(service.listen("conformance/receiver", wait_seconds=1, timeout_seconds=60)))
    assert "signoff keys create --agent" in str(refused.value.body)
    receiver = "agent://conformance/receiver"
    web.keys["receiver"] = (await web.post("/v1/keys", {"agent": receiver}, "oscar"))["api_key"]
    agent = published.client("receiver")
    assert await run(lambda: demo_agent(agent, "conformance/receiver", {"n": 1})) == intent_id
    terminal = await run(lambda: service.wait_for(intent_id, timeout_seconds=60))
    assert terminal["result"] == {"n": 1}
    observed = await run(lambda: [e["status"] for e in service.observe(intent_id, timeout_seconds=60)])
    assert observed == ["CREATED", "DELIVERED", "IN_PROGRESS", "COMPLETED"]


async def test_older_create_resume_and_resolve_calls_work(published: Published) -> None:
    service = published.client("ci")
    body = {
        "intent_type": "intent.demo.v1",
        "from_agent": "agent://examples/requester",
        "to_agent": "agent://examples/approver",
        "payload": PAYLOAD,
    }
    correlation = "0190a7de-1111-7222-8333-444455556666"
    made = await run(lambda: service.create_intent(body, correlation_id=correlation, idempotency_key="k"))
    again = await run(lambda: service.create_intent(body, correlation_id=correlation, idempotency_key="k"))
    assert again == made
    intent_id = made["intent_id"]
    admin = published.client("oscar")
    resumed = await run(
        lambda: admin.resume_intent(
            intent_id,
            {"approve_current_step": True, "reason": "fine"},
            owner_agent="agent://examples/requester",
        )
    )
    assert (resumed["applied"], resumed["policy_generation"]) == (True, 0)
    resolved = await run(
        lambda: service.resolve_intent(intent_id, {"status": "COMPLETED", "result": {"ok": True}})
    )
    assert resolved["event"]["status"] == "COMPLETED"
    with pytest.raises(AxmeValidationError) as refused:
        await run(lambda: service.resolve_intent(intent_id, {"status": "COMPLETED", "result": {}}))
    assert refused.value.status_code == 409
    assert "final" in str(refused.value)


async def test_scenario_bundle_is_validated_and_applied(published: Published) -> None:
    service = published.client("ci")
    assert (await run(lambda: service.validate_scenario(bundle())))["valid"] is True
    applied = await run(lambda: service.apply_scenario(bundle()))
    assert applied["intent_id"]
    assert applied["agents_provisioned"][0]["address"] == "agent://acme/prod/fresh-checker"


async def test_reading_calls_and_keys_work(published: Published) -> None:
    admin = published.client("oscar")
    assert (await run(admin.health))["ok"] is True
    account = (await run(lambda: admin.create_service_account({"name": "sdk-made"})))["service_account"]
    key = await run(lambda: admin.create_service_account_key(account["service_account_id"], {}))
    fresh = published.client(key["key"]["token"])
    own = "agent://acme/prod/sdk-made"
    assert (await run(lambda: fresh.get_agent(own)))["agent"]["address"] == own
    events = await run(lambda: list(itertools.islice(_until_time(fresh, own), 1)))
    assert events == []
    with pytest.raises(AxmeAuthError):
        await run(lambda: next(fresh.listen("validator", wait_seconds=1, timeout_seconds=60)))
    with pytest.raises(AxmeAuthError):
        await run(lambda: published.client("nonsense").list_inbox())
    assert (await run(fresh.list_inbox))["threads"] == []


def _until_time(client: AxmeClient, address: str) -> Any:
    try:
        yield from client.listen(address, wait_seconds=1, timeout_seconds=1)
    except TimeoutError:
        return


async def test_controls_and_an_approval_work(published: Published) -> None:
    service, person = published.client("ci"), published.client("ann")
    sent = {"intent_type": PLAIN, "human_task": {"title": "Sure?"}, "payload": PAYLOAD}
    intent_id = await run(lambda: service.send_intent(sent))
    patched = await run(lambda: service.update_intent_controls(intent_id, {"controls_patch": {"a": 1}}))
    assert patched["policy_generation"] == 1
    decided = await run(lambda: person.decide_approval(intent_id, decision="approve"))
    assert decided["approval"]["decision"] == "approve"
    terminal = await run(lambda: service.wait_for(intent_id, timeout_seconds=60))
    assert terminal["status"] == "COMPLETED"


async def test_program_that_checks_for_completed_does_not_continue_after_a_routed_rejection(
    published: Published,
) -> None:
    """As the published examples do it: wait, then check only the status."""
    web = published.web
    tell = {"id": "tell", "notify": {"to": ["ann@acme.example"], "message": "No."}, "on_success": "end"}
    gate = {
        "id": "ask",
        "human": {"title": "Go on?", "approvers": ["ann@acme.example"]},
        "on_success": "end",
        "on_failure": "tell",
    }
    flow = {"workflow": "w", "intent_type": "intent.going.on.v1", "steps": [gate, tell]}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    client, person = published.client("ci"), published.client("ann")
    for decision, status in (("reject", "FAILED"), ("approve", "COMPLETED")):
        body = {"intent_type": "intent.going.on.v1", "correlation_id": str(uuid.uuid4()), "payload": {}}
        intent_id = str(
            (await run(lambda body=body: client.create_intent(body, correlation_id=body["correlation_id"])))[
                "intent_id"
            ]
        )
        outcome = {"reject": "rejected", "approve": "approved"}[decision]
        answered = await web.answer(f"{intent_id[:-4]}0001", outcome, "ann")
        assert answered.status == 200, answered.text
        last = await run(lambda intent_id=intent_id: client.wait_for(intent_id, timeout_seconds=60))
        assert last["status"] == status
        intent = (await run(lambda intent_id=intent_id: person.get_intent(intent_id)))["intent"]
        assert (intent["status"], intent["ending"]) == (status, outcome)
