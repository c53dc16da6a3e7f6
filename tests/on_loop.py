"""How often a function is called by the event loop's own thread: long work is done beside it."""

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


async def on_the_loop(act: Callable[[], Awaitable[T]], of: str) -> tuple[T, int]:
    """What it gives, and how often a function of that name is called by the event loop's own thread."""
    count = 0

    def called(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == of

    sys.setprofile(called)
    try:
        return await act(), count
    finally:
        sys.setprofile(None)
