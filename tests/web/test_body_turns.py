"""Large bodies take turns, so that their senders delay nobody else."""

import asyncio

from signoff.web.body_turns import BodyTurns

LARGE = 128 * 1024


class Passes:
    """Counts iterations of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._next()

    def _next(self) -> None:
        self.count += 1
        self.handle = self._loop.call_soon(self._next)


async def _handled(sizes: list[int]) -> list[tuple[int, int]]:
    """(number of the body, iteration of the loop) in the order of handling."""
    turns, passes, handled = BodyTurns(), Passes(), list[tuple[int, int]]()

    async def one(number: int, size: int) -> None:
        await turns.take(size)
        handled.append((number, passes.count))

    await asyncio.gather(*(one(number, size) for number, size in enumerate(sizes)))
    passes.handle.cancel()
    return handled


async def test_large_bodies_are_handled_one_per_pass_in_order_of_arrival() -> None:
    handled = await _handled([LARGE] * 20)
    assert [number for number, _ in handled] == list(range(20))
    assert len({at for _, at in handled}) == 20


async def test_small_bodies_never_wait() -> None:
    handled = await _handled([*[LARGE] * 20, *[1000] * 20])
    first = handled[0][1]
    assert {number for number, at in handled if at == first} == {0, *range(20, 40)}


async def test_several_medium_bodies_share_a_pass() -> None:
    handled = await _handled([8192] * 20)
    assert len({at for _, at in handled}) == 10


async def test_canceled_request_takes_no_turn() -> None:
    turns = BodyTurns()
    waiting = [asyncio.create_task(turns.take(LARGE)) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    ended = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 45)
    assert [isinstance(end, asyncio.CancelledError) for end in ended] == [False, False, True, False]


async def test_body_after_an_idle_pass_is_handled_at_once() -> None:
    turns = BodyTurns()
    await asyncio.gather(*(turns.take(LARGE) for _ in range(5)))
    for _ in range(3):
        await asyncio.sleep(0)
    turn = asyncio.ensure_future(turns.take(LARGE))
    await asyncio.sleep(0)
    assert turn.done()
