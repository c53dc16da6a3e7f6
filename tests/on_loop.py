"""Counts calls of a function in the event loop's thread, where long work must not run."""

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


async def on_the_loop(act: Callable[[], Awaitable[T]], of: str) -> tuple[T, int]:
    """The result, and how often a function of this name was called in the event loop's thread."""
    count = 0

    def called(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == of

    sys.setprofile(called)
    try:
        return await act(), count
    finally:
        sys.setprofile(None)
