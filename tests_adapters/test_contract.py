"""The contract that every adapter keeps, with the real framework and a scripted model. The first line of each case's
docstring is its row in docs/reference/adapters.md.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from signoff import Client, ConnectionFailed, WaitTimeout
from signoff.testing import Answer, Server
from tests_adapters.harness import CARD, CLOSE, REFUND, Call, Harness, Outcome, Script, until


def refund(order: str, amount: Any = 10, id: str = "", **more: Any) -> Call:
    return Call("refund", {"order": order, "amount": amount, **more}, id or f"call-{order}")


def paid(order: str, amount: int = 10, **more: Any) -> tuple[str, dict[str, Any]]:
    return "refund", {"order": order, "amount": amount, **more}


def asked(server: Server, order: str) -> list[Any]:
    return [task for task in server.asked if task.payload.get("order") == order]


def requests(server: Server, order: str) -> int:
    return len({task.intent_id for task in asked(server, order)})


async def run(harness: Harness, *calls: Call, **options: Any) -> Outcome:
    return await harness.run(Script(calls), f"thread-{calls[0].id}", **options)


async def test_approve(harness: Harness, server: Server, order: str) -> None:
    """An approved call runs once, with its arguments"""
    server.approve()
    done = await run(harness, refund(order))
    assert done.ran == [paid(order)]
    assert done.told == {f"call-{order}": "paid 10"}


async def test_what_people_see(harness: Harness, server: Server, order: str) -> None:
    """People see the tool and exactly its arguments"""
    server.approve()
    await run(harness, refund(order, lines=["a", "b"]))
    [task] = asked(server, order)
    assert task.payload == {"order": order, "amount": 10, "lines": ["a", "b"]}
    assert "refund" in task.title


async def test_reject(harness: Harness, server: Server, order: str) -> None:
    """A rejected call never runs, and the model gets the reason"""
    server.reject(reason="Not our order.")
    done = await run(harness, refund(order))
    assert done.ran == []
    assert "Not our order." in done.told[f"call-{order}"]


async def test_reject_without_a_reason(harness: Harness, server: Server, order: str) -> None:
    """The model learns of a rejection without a reason"""
    server.reject()
    done = await run(harness, refund(order))
    assert done.ran == []
    assert "rejected" in done.told[f"call-{order}"]


async def test_edit(harness: Harness, server: Server, order: str) -> None:
    """Edited arguments run, the original ones never"""
    server.edit(amount=3)
    done = await run(harness, refund(order, 30))
    assert done.ran == [paid(order, 3)]
    assert requests(server, order) == 1


async def test_edit_of_a_list(harness: Harness, server: Server, order: str) -> None:
    """Lists can be edited"""
    server.edit(lines=["b"])
    assert (await run(harness, refund(order, lines=["a", "b"]))).ran == [paid(order, lines=["b"])]


async def test_edit_that_does_not_fit(harness: Harness, server: Server, order: str) -> None:
    """An edit of the wrong type does not run"""
    server.edit(amount="much")
    done = await run(harness, refund(order))
    assert done.ran == []


async def test_edit_that_adds(harness: Harness, server: Server, order: str) -> None:
    """An edit that adds an argument does not run"""
    server.edit(extra=1)
    done = await run(harness, refund(order))
    assert done.ran == []
    assert "adds or removes arguments: extra" in done.told[f"call-{order}"]


async def test_expiry(harness: Harness, server: Server, order: str) -> None:
    """Silence is not a yes: after the deadline the call does not run"""
    steps = [{"id": "approve", "human": {"title": "Refund?"}, "deadline": "8h"}]
    server.apply({"workflow": "refund", "intent_type": REFUND, "steps": steps})
    try:
        running = asyncio.ensure_future(run(harness, refund(order)))
        await until(lambda: asked(server, order), running)
        await asyncio.to_thread(server.move, hours=9)
        done = await running
    finally:
        server.apply(
            {"workflow": "refund", "intent_type": REFUND, "steps": [{**steps[0], "deadline": "365d"}]}
        )
    assert done.ran == []
    assert "Nobody decided in time" in done.told[f"call-{order}"]


async def test_withdraw(harness: Harness, server: Server, order: str) -> None:
    """A withdrawn request does not run"""
    running = asyncio.ensure_future(run(harness, refund(order)))
    await until(lambda: asked(server, order), running)
    with server.client() as client:
        client.tasks.withdraw(asked(server, order)[0].task_id)
    done = await running
    assert done.ran == []
    assert "withdrawn" in done.told[f"call-{order}"]


async def test_cancel(harness: Harness, server: Server, order: str) -> None:
    """A canceled request does not run"""
    running = asyncio.ensure_future(run(harness, refund(order)))
    await until(lambda: asked(server, order), running)
    with server.client() as client:
        client.cancel(asked(server, order)[0].intent_id)
    done = await running
    assert done.ran == []
    assert done.told[f"call-{order}"]


async def test_quorum(harness: Harness, server: Server, order: str) -> None:
    """A policy's second approval is waited for"""
    two = {"approve": [{"any": ["role:approver"], "need": 2}]}
    with server.owner() as owner:
        owner.directory.set_policy("two", two)
    step = {"id": "approve", "human": {"title": "Close it?", "policy": "two"}}
    server.apply({"workflow": "close", "intent_type": CLOSE, "steps": [step]})
    running = asyncio.ensure_future(harness.run(Script([Call("close_shop", {}, order)]), order))
    await until(lambda: any(task.intent_type == CLOSE and task.open for task in server.asked), running)
    server.approve(CLOSE, by="ann@example.test")
    await until(
        lambda: any(task.votes and task.open for task in server.asked if task.intent_type == CLOSE), running
    )
    assert harness.tools.ran == []
    server.approve(CLOSE)
    assert (await running).ran == [("close_shop", {})]


async def test_without_arguments(harness: Harness, server: Server, order: str) -> None:
    """A tool without arguments"""
    server.approve()
    assert (await harness.run(Script([Call("close_shop", {}, order)]), order)).ran == [("close_shop", {})]


async def test_tools_that_are_not_gated(harness: Harness, server: Server, order: str) -> None:
    """A tool that is not gated runs without asking"""
    done = await harness.run(Script([Call("look_up", {"order": order}, order)]), order)
    assert done.ran == [("look_up", {"order": order})]
    assert asked(server, order) == []


async def test_two_calls_at_once(harness: Harness, server: Server, order: str) -> None:
    """Two calls of one turn, each with its own answer"""
    server.answer(lambda task: Answer("approved" if task.payload.get("amount") == 1 else "rejected", "So."))
    done = await run(harness, refund(order, 1, "one" + order), refund(order, 2, "two" + order))
    assert done.ran == [paid(order, 1)]
    assert "So." in done.told["two" + order]
    assert done.told["one" + order] == "paid 1"


async def test_two_identical_calls_at_once(harness: Harness, server: Server, order: str) -> None:
    """Two identical calls of one turn need two approvals"""
    server.approve()
    done = await run(harness, refund(order, id="one" + order), refund(order, id="two" + order))
    assert done.ran == [paid(order)] * 2
    assert requests(server, order) == 2


async def test_side_by_side(harness: Harness, server: Server, order: str) -> None:
    """People see all calls of one turn at once"""
    calls = [refund(order, 1, "one" + order), refund(order, 2, "two" + order)]
    running = asyncio.ensure_future(run(harness, *calls))
    await until(lambda: requests(server, order) == 2, running)
    assert harness.tools.ran == []
    server.approve()
    assert sorted(args["amount"] for _, args in (await running).ran) == [1, 2]


async def test_two_turns(harness: Harness, server: Server, order: str) -> None:
    """The same call in a later turn is asked again"""
    server.approve()
    script = Script([refund(order, id="one" + order)], [refund(order, id="two" + order)])
    done = await harness.run(script, order)
    assert done.ran == [paid(order)] * 2
    assert requests(server, order) == 2


async def test_restart_before_the_answer(harness: Harness, server: Server, order: str) -> None:
    """After a restart between ask and answer nobody is asked again, and the call runs once"""
    script = Script([refund(order)])
    saved = await harness.begin(script, order, server)
    running = asyncio.ensure_future(harness.go_on(saved, script, order))
    server.approve()
    assert (await running).ran == [paid(order)]
    assert requests(server, order) == 1


async def test_restart_after_the_answer(harness: Harness, server: Server, order: str) -> None:
    """An approval given while the agent was down counts"""
    script = Script([refund(order)])
    saved = await harness.begin(script, order, server)
    server.approve()
    await until(lambda: not asked(server, order)[0].open)
    assert (await harness.go_on(saved, script, order)).ran == [paid(order)]
    assert requests(server, order) == 1


async def test_restart_after_a_rejection(harness: Harness, server: Server, order: str) -> None:
    """A rejection given while the agent was down counts"""
    script = Script([refund(order)])
    saved = await harness.begin(script, order, server)
    server.reject(reason="Too late.")
    await until(lambda: not asked(server, order)[0].open)
    done = await harness.go_on(saved, script, order)
    assert done.ran == []
    assert "Too late." in done.told[f"call-{order}"]
    assert requests(server, order) == 1


async def test_restart_with_two_calls(harness: Harness, server: Server, order: str) -> None:
    """After a restart with two open calls each is asked once"""
    calls = [refund(order, 1, "one" + order), refund(order, 2, "two" + order)]
    saved = await harness.begin(Script(calls), order, server)
    server.approve()
    done = await harness.go_on(saved, Script(calls), order)
    assert sorted(args["amount"] for _, args in done.ran) == [1, 2]
    assert requests(server, order) == 2


async def test_exactly_these_arguments(harness: Harness, server: Server, order: str) -> None:
    """A decision is for exactly its arguments: the same call id with others is asked again"""
    await harness.begin(Script([refund(order, 1)]), order, server)
    server.approve()
    server.answer(lambda task: Answer("rejected") if task.payload.get("amount") == 2 else None)
    done = await type(harness)().run(Script([refund(order, 2)]), order + "-2")
    assert done.ran == []
    assert requests(server, order) == 2


async def test_an_approval_is_used_once(harness: Harness, server: Server, order: str) -> None:
    """An approval is used once: a replayed run asks again"""
    server.approve()
    await run(harness, refund(order))
    server.reject()
    done = await run(type(harness)(), refund(order))
    assert done.ran == []
    assert requests(server, order) == 2


async def test_a_tool_that_fails(harness: Harness, server: Server, order: str) -> None:
    """A tool that fails after its approval ran once, and nobody is asked again"""
    server.approve()
    harness.tools.fails = True
    try:
        said = (await run(harness, refund(order))).told[f"call-{order}"]
    except RuntimeError as error:
        said = str(error)
    assert "the bank is closed" in said
    assert harness.tools.ran == [paid(order)]
    assert requests(server, order) == 1


async def test_hidden_arguments(harness: Harness, server: Server, order: str) -> None:
    """A hidden argument reaches the tool and nobody else"""
    server.approve()
    done = await run(harness, refund(order, card=CARD), hide=["card"])
    assert done.ran == [paid(order, card=CARD)]
    assert CARD not in str(asked(server, order)[0].raw)


async def test_edit_of_a_hidden_argument(harness: Harness, server: Server, order: str) -> None:
    """A hidden argument cannot be edited"""
    server.edit(card="mine")
    done = await run(harness, refund(order, card=CARD), hide=["card"])
    assert done.ran == []
    assert CARD not in str(done.told)


async def test_edit_beside_a_hidden_argument(harness: Harness, server: Server, order: str) -> None:
    """Other arguments can be edited next to a hidden one"""
    server.edit(amount=3)
    done = await run(harness, refund(order, card=CARD), hide=["card"])
    assert done.ran == [paid(order, 3, card=CARD)]


async def test_intent_type(harness: Harness, server: Server, order: str) -> None:
    """The workflow of the tool's intent type decides who is asked"""
    server.approve()
    await run(harness, refund(order))
    assert asked(server, order)[0].intent_type == REFUND


async def test_server_down(harness: Harness, server: Server, order: str) -> None:
    """Without a server the call does not run, and the run fails"""
    with Client("http://127.0.0.1:9", "sgn_x", retry_for=0.1) as nowhere:
        failure = await failure_of(run(harness, refund(order), client=nowhere))
    assert _has(failure, ConnectionFailed)
    assert harness.tools.ran == []


async def test_canceled_wait(harness: Harness, server: Server, order: str) -> None:
    """A canceled wait leaves the request open; nothing runs"""
    await harness.begin(Script([refund(order)]), order, server)
    assert harness.tools.ran == []
    assert asked(server, order)[0].open


async def test_bounded_wait(harness: Harness, server: Server, order: str) -> None:
    """A bounded wait ends the run with WaitTimeout; the same call continues to wait later"""
    script = Script([refund(order)])
    saved = await harness.begin(script, order, server)
    assert _has(await failure_of(harness.go_on(saved, script, order, timeout=0.1)), WaitTimeout)
    server.approve()
    assert (await harness.go_on(saved, script, order)).ran == [paid(order)]
    assert requests(server, order) == 1


async def test_text(harness: Harness, server: Server, order: str) -> None:
    """Text arrives as it was written"""
    server.approve()
    odd = f'{order} "é" 漢字\n{{}} \\ </script>'
    assert (await run(harness, refund(odd, id=order))).ran == [paid(odd)]


async def failure_of(running: Awaitable[Outcome]) -> Exception:
    """What it raises; it may be wrapped by the framework."""
    try:
        done = await running
    except Exception as error:
        return error
    raise AssertionError(f"it ran to the end: {done}")


def _has(error: BaseException | None, kind: type[BaseException]) -> bool:
    inner = getattr(error, "exceptions", ())
    return error is not None and (
        isinstance(error, kind)
        or any(_has(one, kind) for one in (error.__cause__, error.__context__, *inner))
    )
