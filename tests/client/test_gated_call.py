"""The flow of a gated call: which use of an outcome counts, and which outcomes let it run."""

import json
from typing import Any

import pytest

from signoff import IntentFailed
from signoff.client import gated_call
from signoff.client.credentials import Settings
from signoff.client.errors import refusal
from signoff.client.flow import Exchange, HttpReply, Stepper
from signoff.client.gated_call import GatedCall, GateTerms, failure_of
from signoff.client.types import Result
from tests.client.driving import Driving

FIRST, SECOND = "0198c0de-0000-7000-8000-000000000000", "0198c0de-0000-7000-8000-111111110000"
USED = refusal(
    409, {}, json.dumps({"ok": False, "error": {"code": "already_used", "message": "No."}}).encode()
)


def call_of(url: str, key: str) -> GatedCall:
    settings = Settings(url, key) if url else None
    return GateTerms("intent.payments.refund.v1").call("refund", {"order": "A"}, settings=settings)


def reply(**body: Any) -> HttpReply:
    return HttpReply(200, {}, json.dumps({"ok": True, **body}).encode())


def ended(intent_id: str, **more: Any) -> HttpReply:
    intent = {"intent_id": intent_id, "status": "COMPLETED", "ending": "approved", "payload": {"order": "A"}}
    return reply(intent=intent | more)


def key_of_first_request(call: GatedCall) -> str:
    effect = Stepper(call.submit(Driving().retries)).effect
    assert isinstance(effect, Exchange)
    return effect.call.key


def used_up(call: GatedCall) -> None:
    """The first request's approval is used up, so the flow asks again."""
    script = [
        reply(intent_id=FIRST),
        ended(FIRST),
        USED,
        reply(intent_id=SECOND),
        ended(SECOND, status="WAITING"),
    ]
    if call.intent_id:
        del script[0]
    Driving().run(call.submit(Driving().retries), *script)


def test_used_requests_are_remembered_per_server_and_key() -> None:
    gated_call._used_before.clear()
    used_up(call_of("http://one", "sgn_a"))
    assert key_of_first_request(call_of("http://one", "sgn_a")).endswith("-1")
    for url, key in [("http://two", "sgn_a"), ("http://one", "sgn_b"), ("", "")]:
        assert not key_of_first_request(call_of(url, key)).endswith("-1"), (url, key)
    assert "sgn_a" not in repr(gated_call._used_before)


def test_caller_without_a_principal_shares_nothing() -> None:
    gated_call._used_before.clear()
    used_up(call_of("", ""))
    assert not gated_call._used_before
    assert not key_of_first_request(call_of("", "")).endswith("-1")


def test_slow_waiter_does_not_send_a_second_request() -> None:
    gated_call._used_before.clear()
    call, world = call_of("http://one", "sgn_a"), Driving()
    slow = Stepper(call.submit(world.retries))
    slow.give(reply(intent_id=FIRST))
    slow.give(ended(FIRST))
    used_up(call)
    assert call.intent_id == SECOND
    slow.fail(USED)
    assert call.intent_id == SECOND
    assert isinstance(slow.effect, Exchange)
    assert slow.effect.call.path == f"/v1/intents/{SECOND}"


def test_slow_submission_does_not_return_a_used_request() -> None:
    gated_call._used_before.clear()
    call, world = call_of("http://one", "sgn_a"), Driving()
    slow = Stepper(call.submit(world.retries))
    used_up(call)
    slow.give(reply(intent_id=FIRST))
    assert call.intent_id == SECOND


@pytest.mark.parametrize("ending", [{}, [], 0, False, None, {"name": ""}, {"name": "approved"}])
def test_ending_that_is_not_text_runs_nothing(ending: Any) -> None:
    result = Result.read({"intent_id": FIRST, "status": "COMPLETED", "ending": ending})
    assert failure_of(result) is IntentFailed
    assert not result.approved


@pytest.mark.parametrize("ending", [{}, {"ending": ""}, {"ending": "approved"}])
def test_approval_or_workflow_without_approvers_runs_the_call(ending: dict[str, str]) -> None:
    assert failure_of(Result.read({"intent_id": FIRST, "status": "COMPLETED", **ending})) is None
