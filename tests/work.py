"""Work counted, not timed: how many calls something makes. What grows with its input grows here too."""

import sys
from collections.abc import Callable
from types import FrameType


def calls(run: Callable[[], object], of: str = "") -> int:
    """How many calls it makes, of Python's functions and C's; or of those by one name."""
    count = 0

    def called(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += (event == "call" and frame.f_code.co_name == of) if of else event in ("call", "c_call")

    sys.setprofile(called)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count
