"""A gated function runs only after people approved exactly this call, and once for each approval."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from signoff import (
    AlreadyUsed,
    AsyncPendingCall,
    Client,
    ConnectionFailed,
    IntentCanceled,
    IntentExpired,
    IntentRejected,
    IntentWithdrawn,
    InvalidEdit,
    NotConfigured,
    PendingCall,
    WaitTimeout,
    gate,
)
from signoff.testing import Answer, Server

TYPE = "intent.payments.refund.v1"
SECRET = "4929-1234"


class Till:
    """Records the payments that were made."""

    def __init__(self, **options: Any) -> None:
        self.paid: list[tuple[Any, ...]] = []
        self.refund = gate(TYPE, **options)(self._refund())

    def _refund(self) -> Any:
        def refund(order: str, amount: int, card: str = SECRET) -> str:
            """Pay the money back."""
            self.paid.append((order, amount, card))
            return f"paid {amount}"

        return refund


def asked(server: Server, order: str) -> list[Any]:
    return [task for task in server.asked if task.payload.get("order") == order]


def test_gated_call_runs_once_it_is_approved(server: Server) -> None:
    server.approve(TYPE)
    till = Till()
    assert till.refund("run", 10) == "paid 10"
    assert till.paid == [("run", 10, SECRET)]
    [task] = asked(server, "run")
    assert (task.title, task.description) == ("Run refund?", "Pay the money back.")
    assert task.payload == {"order": "run", "amount": 10, "card": SECRET}


def test_plain_function_and_plain_call_are_gated(server: Server) -> None:
    server.approve()

    @gate
    def wipe(path: str) -> str:
        return f"wiped {path}"

    assert wipe("/a") == "wiped /a"
    assert wipe.__name__ == "wipe"
    assert gate(TYPE).call(lambda order: order, "plain") == "plain"
    assert {task.intent_type for task in server.asked if "path" in task.payload} == {"intent.gate.wipe.v1"}


def test_block_gets_the_approved_arguments(server: Server) -> None:
    server.edit(TYPE, amount=5)
    with gate(TYPE).approved(order="block", amount=7) as approved:
        assert dict(approved) == {"order": "block", "amount": 5}
        assert approved.edited
        assert approved.result.approved
    server.reject(TYPE, "No.")
    with pytest.raises(IntentRejected, match="No"), gate(TYPE).approved(order="block 2"):
        raise AssertionError("entered")


def test_options_of_a_block_have_an_effect_or_are_refused(server: Server) -> None:
    for key in ("first", "second"):
        with pytest.raises(WaitTimeout), gate(TYPE, key=key, timeout=0.1).approved(order="keyed"):
            pass
    with (
        pytest.raises(WaitTimeout),
        gate(TYPE, key=lambda order: "first", timeout=0.1).approved(order="keyed"),
    ):
        pass
    assert len({task.intent_id for task in asked(server, "keyed")}) == 2
    before = len(server.asked)
    for wrong in ({"omit": ["card"]}, {"hide": ["cord"]}, {"key": lambda order, card: 1}):
        with pytest.raises(TypeError):
            gate(TYPE, **wrong).approved(order="refused", card=SECRET)
    assert len(server.asked) == before


def test_async_functions_and_blocks_are_gated(server: Server) -> None:
    server.approve()

    @gate(TYPE)
    async def refund(order: str) -> str:
        return f"paid {order}"

    async def main() -> None:
        assert await refund("async") == "paid async"
        pending = await refund.ask("async 2")
        assert isinstance(pending, AsyncPendingCall)
        assert [await pending.wait(), await pending.wait()] == ["paid async 2"] * 2
        assert await gate(TYPE).call(refund.__wrapped__, "async 3") == "paid async 3"  # type: ignore[attr-defined]
        async with gate(TYPE).approved(order="async 4") as approved:
            assert approved["order"] == "async 4"

    asyncio.run(main())


def test_misspelled_type_is_a_warning(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    step = {"id": "approve", "human": {"type": "approval"}}
    server.apply({"workflow": "migrate", "intent_type": "intent.db.migrate.v1", "steps": [step]})
    server.approve()
    warning = "no workflow handles intent.db.migrat.v1, so the request's own fields apply. Did you mean"
    misspelled = gate("intent.db.migrat.v1")

    async def later() -> str:
        return await gate("intent.db.migrat.v1").call(migrated, 2)

    async def migrated(version: int) -> str:
        return f"to {version}"

    assert misspelled.call(lambda version: f"to {version}", 1) == "to 1"
    assert caplog.text.count(warning) == 1
    assert asyncio.run(later()) == "to 2"
    assert caplog.text.count(warning) == 2
    assert gate("intent.db.migrate.v1").call(lambda version: f"to {version}", 3) == "to 3"
    assert gate()(lambda: "unlisted")() == "unlisted"
    assert caplog.text.count("no workflow handles") == 2


def test_call_runs_with_the_edited_arguments(server: Server) -> None:
    till = Till()
    server.edit(TYPE, amount=3)
    assert till.refund("edit", 30) == "paid 3"
    for wrong, why in (
        ({"amount": "much"}, "amount"),
        ({"amount": None}, "amount"),
        ({"more": 1}, "adds or"),
    ):
        server.edit(TYPE, **wrong)
        with pytest.raises(InvalidEdit, match=why):
            till.refund("edit", 31)
    assert till.paid == [("edit", 3, SECRET)]


def test_outcome_other_than_approval_raises_with_the_reason(server: Server) -> None:
    till = Till()
    server.reject(TYPE, "Not our order.")
    with pytest.raises(IntentRejected, match=r"rejected: Not our order\.") as rejected:
        till.refund("no", 1)
    assert rejected.value.result.comment == "Not our order."
    server.leave()
    withdrawn = till.refund.ask("no", 2)
    [task] = [task for task in asked(server, "no") if task.open]
    with server.client() as client:
        client.tasks.withdraw(task.task_id)
    with pytest.raises(IntentWithdrawn):
        withdrawn.wait()
    canceled = till.refund.ask("no", 3)
    canceled.cancel()
    with pytest.raises(IntentCanceled):
        canceled.wait()
    assert till.paid == []


def test_expiry_runs_nothing(server: Server) -> None:
    steps = [{"id": "approve", "human": {"title": "Refund?"}, "deadline": "8h"}]
    server.apply({"workflow": "slow", "intent_type": "intent.gate.slow.v1", "steps": steps})
    paid: list[str] = []
    pending = gate("intent.gate.slow.v1")(paid.append).ask("slow")
    server.move(hours=7)
    with pytest.raises(WaitTimeout):
        pending.wait(0.05)
    server.move(hours=2)
    with pytest.raises(IntentExpired, match="Nobody decided in time"):
        pending.wait()
    assert paid == []


def test_approval_allows_one_call(server: Server) -> None:
    server.approve(TYPE)
    till = Till()
    for _ in range(3):
        till.refund("once", 1)
    assert len({task.intent_id for task in asked(server, "once")}) == 3
    server.reject(TYPE)
    with pytest.raises(IntentRejected):
        till.refund("once", 1)
    server.approve(TYPE)  # a rejection does not apply to the next call
    till.refund("once", 1)
    assert len(till.paid) == 4


def test_changed_call_needs_another_approval(server: Server) -> None:
    till = Till(key=lambda order, amount, card: order)
    first = till.refund.ask("changed", 1)
    others = [till.refund.ask("changed", 2), till.refund.ask("changed", 1, "other card")]
    assert len({first.intent_id, *(other.intent_id for other in others)}) == 3
    assert till.refund.ask("changed", 1).intent_id == first.intent_id
    assert Till(key="x").refund.ask("changed", 1).intent_id != first.intent_id


def test_two_concurrent_identical_calls_need_two_approvals(server: Server) -> None:
    server.approve(TYPE)
    till = Till()
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(till.refund, "at once", 1) for _ in range(4)]
        assert [one.result(60) for one in done] == ["paid 1"] * 4
    assert len({task.intent_id for task in asked(server, "at once")}) == 4


@pytest.mark.parametrize(("again", "ran"), [("ask", 2), ("run", 2), ("refuse", 1)])
def test_earlier_approval_is_asked_anew_refused_or_reused_as_configured(
    server: Server, again: Any, ran: int
) -> None:
    server.approve(TYPE)
    till = Till(again=again)
    order = f"again {again}"
    till.refund(order, 1)
    if again == "refuse":
        with pytest.raises(AlreadyUsed, match="already been used"):
            till.refund(order, 1)
    else:
        till.refund(order, 1)
    assert len(till.paid) == ran
    assert len({task.intent_id for task in asked(server, order)}) == (2 if again == "ask" else 1)


def test_bounded_wait_returns_a_handle(server: Server) -> None:
    till = Till()
    pending = till.refund.within(0.05, "bounded", 1)
    assert isinstance(pending, PendingCall)
    with pytest.raises(WaitTimeout) as late:
        pending.wait(0.05)
    assert late.value.intent_id == pending.intent_id
    with pytest.raises(WaitTimeout):
        Till(timeout=0.05).refund("bounded", 2)
    server.approve(TYPE)
    assert pending.wait() == pending.wait() == "paid 1"
    assert till.refund.within(60, "bounded", 1) == "paid 1"
    assert len(till.paid) == 2


def test_handle_runs_its_call_once(server: Server) -> None:
    server.approve(TYPE)
    till = Till()
    pending = till.refund.ask("many", 1)
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda _: pending.wait(), range(4))] == ["paid 1"] * 4
    assert till.paid == [("many", 1, SECRET)]
    tried: list[str] = []

    def fails(order: str) -> None:
        tried.append(order)
        raise OSError("the bank is closed")

    async def fails_later(order: str) -> None:
        await asyncio.sleep(0)
        fails(order)

    failing = gate(TYPE)(fails).ask("fails")
    for _ in range(2):
        with pytest.raises(OSError, match="bank is closed"):
            failing.wait()

    async def main() -> None:
        pending = await gate(TYPE)(fails_later).ask("fails later")
        done = await asyncio.gather(*(pending.wait() for _ in range(3)), return_exceptions=True)
        assert {str(error) for error in done} == {"the bank is closed"}

    asyncio.run(main())
    assert tried == ["fails", "fails later"]


def test_arguments_that_cannot_be_sent_are_refused_by_name_without_a_request(server: Server) -> None:
    till = Till()
    before = len(server.asked)
    for wrong in (object(), {1: 2}, float("nan"), {"a", "b"}, b"x"):
        with pytest.raises(TypeError, match="the argument order"):
            till.refund(wrong, 1)
    with pytest.raises(TypeError, match="missing a required argument"):
        till.refund("x")
    assert len(server.asked) == before


def test_hidden_argument_is_visible_to_the_call_only(server: Server) -> None:
    till = Till(hide=["card"])
    pending = till.refund.ask("hidden", 1)
    [task] = asked(server, "hidden")
    with server.owner() as owner:
        seen = str([task.raw, owner.get_intent(task.intent_id).raw, owner.audit(task.intent_id).raw])
    assert SECRET not in seen
    assert task.payload["card"].startswith("(hidden) ")
    assert till.refund.ask("hidden", 1, "other").intent_id != pending.intent_id
    server.approve(TYPE)
    pending.wait()
    assert till.paid == [("hidden", 1, SECRET)]
    server.edit(TYPE, card="mine")
    with pytest.raises(InvalidEdit, match="card of refund is hidden"):
        till.refund("hidden", 2)


@pytest.mark.parametrize("hidden", [False, True])
def test_call_runs_with_the_values_that_were_sent(server: Server, hidden: bool) -> None:
    ran: list[Any] = []

    @gate(TYPE, hide=["terms"] if hidden else [])
    def refund(order: str, terms: dict[str, int]) -> None:
        ran.append(dict(terms))

    terms = {"amount": 10}
    pending = refund.ask(f"changed in the meantime {hidden}", terms)
    terms["amount"] = 9999
    server.approve(TYPE)
    pending.wait()
    assert ran == [{"amount": 10}]


def test_arguments_bound_by_a_partial_are_part_of_the_call(server: Server) -> None:
    till = Till()
    shown = partial(till._refund(), "partial", card="x")
    pending = gate(TYPE)(shown).ask(10)
    [task] = asked(server, "partial")
    assert task.payload == {"order": "partial", "amount": 10, "card": "x"}
    other = gate(TYPE)(partial(till._refund(), "another", card="x")).ask(10)
    assert other.intent_id != pending.intent_id
    server.approve(TYPE)
    assert (pending.wait(), till.paid) == ("paid 10", [("partial", 10, "x")])


def test_forked_copy_of_a_waiting_call_needs_its_own_approval(server: Server, tmp_path: Path) -> None:
    order = str(tmp_path / "forked")
    waiting = subprocess.Popen([sys.executable, "-c", FORKED, order])
    until_asked(server, order)
    server.approve(TYPE)
    assert waiting.wait(60) == 0
    assert Path(order).read_text() == "ran\nran\n"
    assert len({task.intent_id for task in asked(server, order)}) == 2


FORKED = """
import os, sys
from signoff import gate

@gate("intent.payments.refund.v1")
def refund(order: str) -> None:
    with open(order, "a") as file:
        print("ran", file=file, flush=True)

pending = refund.ask(sys.argv[1])
child = os.fork()
pending.wait()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(0)
"""


def test_methods_and_omitted_parameters_are_gated(server: Server) -> None:
    server.approve()

    class Shop:
        @gate(omit=["db"])
        def close(self, db: object, shop: str) -> tuple[object, str]:
            return db, shop

    db = object()
    assert Shop().close(db, "north") == (db, "north")
    assert [task.payload for task in server.asked if "shop" in task.payload] == [{"shop": "north"}]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"again": "maybe"}, ValueError),
        ({"hide": "card"}, TypeError),
        ({"hide": ["cord"]}, TypeError),
        ({"omit": ["cord"]}, TypeError),
    ],
)
def test_invalid_gate_is_refused_at_definition(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Till(**options)
    with pytest.raises(TypeError, match="is a generator"):

        @gate
        def lines() -> Iterator[str]:
            yield ""


def test_unreachable_server_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paid: list[str] = []
    with Client("http://127.0.0.1:9", "sgn_x", retry_for=0.1) as nowhere, pytest.raises(ConnectionFailed):
        gate(TYPE, client=nowhere)(paid.append)("down")
    monkeypatch.delenv("SIGNOFF_URL", raising=False)
    monkeypatch.delenv("SIGNOFF_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotConfigured):
        gate(TYPE)(paid.append)("nowhere")
    assert paid == []


def test_canceled_wait_leaves_the_request_to_the_next_call(server: Server) -> None:
    paid: list[str] = []

    @gate(TYPE)
    async def refund(order: str) -> None:
        paid.append(order)

    async def main() -> None:
        waiting = asyncio.ensure_future(refund("canceled"))
        await asyncio.to_thread(until_asked, server, "canceled")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert paid == []
        server.approve(TYPE)
        await refund("canceled")

    asyncio.run(main())
    assert paid == ["canceled"]
    assert len(asked(server, "canceled")) == 1


def until_asked(server: Server, order: str) -> None:
    """Wait until the task about this order is open."""
    found = threading.Event()

    def rule(task: Any) -> Answer | None:
        if task.payload.get("order") == order:
            found.set()
        return None

    server.answer(rule)
    assert found.wait(60)


PROGRAM = """
import os, signal, sys
from signoff import gate

@gate("intent.payments.refund.v1", again=sys.argv[2])
def refund(order: str) -> None:
    with open(order, "a") as file:
        print("ran", file=file, flush=True)
    if os.environ.get("CRASH"):
        os.kill(os.getpid(), signal.SIGKILL)

refund(sys.argv[1])
"""


def program(order: str, again: str = "ask", **environ: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM, order, again], env={**os.environ, **environ})


def test_restart_after_a_crash_while_waiting_sends_no_second_request(server: Server, tmp_path: Path) -> None:
    order = str(tmp_path / "waiting")
    waiting = program(order)
    until_asked(server, order)
    waiting.kill()
    waiting.wait(60)
    server.approve(TYPE)
    assert program(order).wait(60) == 0
    assert Path(order).read_text() == "ran\n"
    assert len({task.intent_id for task in asked(server, order)}) == 1


def test_crash_in_the_function_spends_the_approval(server: Server, tmp_path: Path) -> None:
    server.approve(TYPE)
    order = str(tmp_path / "crashed")
    assert program(order, CRASH="1").wait(60) == -signal.SIGKILL
    for again, code, times, requests in (("refuse", 1, 1, 1), ("run", 0, 2, 1), ("ask", 0, 3, 2)):
        assert program(order, again).wait(60) == code
        assert Path(order).read_text() == "ran\n" * times
        assert len({task.intent_id for task in asked(server, order)}) == requests


def test_rejection_or_expiry_with_a_route_to_success_runs_nothing(server: Server) -> None:
    route = {"goto": "tell", "as": "success"}
    server.apply(
        {
            "workflow": "declared",
            "intent_type": "intent.declared.v1",
            "steps": [
                {
                    "id": "ask",
                    "human": {"title": "Pay?", "approvers": ["role:approver", "role:owner"]},
                    "deadline": "1h",
                    "on_success": "end",
                    "on_failure": route,
                    "on_timeout": route,
                },
                {"id": "tell", "notify": {"message": "Not paid.", "to": ["role:owner"]}, "on_success": "end"},
            ],
        }
    )
    ran: list[str] = []
    pay = gate("intent.declared.v1")(ran.append)
    server.reject("intent.declared.v1", "not today")
    with pytest.raises(IntentRejected, match="not today") as refused:
        pay("rejected")
    assert refused.value.result is not None
    assert (refused.value.result.status, refused.value.result.ending) == ("COMPLETED", "rejected")
    server.leave("intent.declared.v1")
    waiting = pay.ask("expired")
    server.move(hours=2)
    with pytest.raises(IntentExpired):
        waiting.wait()
    assert ran == []
