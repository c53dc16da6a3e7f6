"""Runs a command on a pseudo-terminal and types its input."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.client.stub import Stub

SRC = Path(__file__).parents[2] / "src"
Keys = bytes | Callable[[], bytes]


def at_a_terminal(stub: Stub, words: Sequence[str], keys: Sequence[tuple[bytes, Keys]]) -> tuple[int, str]:
    """Run a command and return (exit code, everything on the screen). ``keys``: for each prompt, the input, or a
    function that returns the input.
    """
    mine, theirs = pty.openpty()
    environ = {
        **os.environ,
        "PYTHONPATH": str(SRC),
        "SIGNOFF_URL": stub.url,
        "SIGNOFF_API_KEY": "sgn_x",
        "TERM": "dumb",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", *words],
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, left = b"", list(keys)
    while chunk := _read(mine):
        screen += chunk
        if left and left[0][0] in screen:
            typed = left.pop(0)[1]
            os.write(mine, typed() if callable(typed) else typed)
    os.close(mine)
    return process.wait(60), screen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""
