"""A background loop: a failed turn is retried, and a turn that hangs is reported."""

import asyncio

import pytest

from signoff.core.errors import Busy
from signoff.engine.loop import Loop


class Turns:
    """Turns that end when the test says; ``begun`` is set when one runs."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.trouble: Exception | None = None
        self.now = 0.0

    async def once(self) -> float:
        self.begun.set()
        await self.go_on.wait()
        self.begun.clear()
        self.go_on.clear()
        if self.trouble is not None:
            raise self.trouble
        return 0.0

    async def end(self) -> None:
        """End the current turn and start the next."""
        await self.begun.wait()
        self.begun.clear()
        self.go_on.set()
        await self.begun.wait()


async def test_iteration_that_does_not_end_is_reported_as_stuck() -> None:
    turns = Turns()
    loop = Loop("courier", turns.once, clock=lambda: turns.now)
    running = asyncio.create_task(loop.run())
    await turns.begun.wait()
    turns.now = 299.0
    assert loop.state == "ok"
    turns.now = 301.0
    assert loop.state == "stuck"
    await turns.end()
    assert loop.state == "ok"
    running.cancel()


@pytest.mark.parametrize(
    "trouble", [Busy("storage_full", "No room."), ZeroDivisionError()], ids=["busy", "bug"]
)
async def test_three_failed_iterations_are_failing_and_one_success_is_ok(trouble: Exception) -> None:
    turns = Turns()
    loop = Loop("courier", turns.once)
    running = asyncio.create_task(loop.run())
    turns.trouble = trouble
    for state in ("ok", "ok", "failing"):
        await turns.begun.wait()
        turns.begun.clear()
        turns.go_on.set()
        while loop.failures == 0 or turns.go_on.is_set():
            await asyncio.sleep(0)
        loop.nudge()
        await turns.begun.wait()
        assert loop.state == state
    turns.trouble = None
    await turns.end()
    assert loop.state == "ok"
    running.cancel()


@pytest.mark.parametrize("between", range(4))
async def test_loop_ends_when_canceled_even_if_it_is_woken_at_once(between: int) -> None:
    resting = asyncio.Event()

    async def once() -> float:
        resting.set()
        return 3600.0

    loop = Loop("courier", once)
    running = asyncio.create_task(loop.run())
    await resting.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    loop.nudge()
    for _ in range(between):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=30)
    assert running.cancelled()


async def test_outage_is_logged_in_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    turns = 0

    async def once() -> float:
        nonlocal turns
        turns += 1
        if turns <= 6:
            raise Busy("database_unavailable", "away")
        return 0.0 if turns < 9 else 1000.0

    loop = Loop("courier", once, rest=0.0)
    running = asyncio.create_task(loop.run())
    while turns < 9:
        loop.nudge()
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    lines = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert lines == ["courier: away", "courier: working again after 6 failed iterations"]
    assert "Traceback" not in caplog.text
