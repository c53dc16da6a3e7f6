"""Starts that the server refuses."""

import ctypes
import os
import subprocess
import sys

LONG = 180.0  # a guard against hanging


def refused_start(*arguments: str, drop_privileges: bool = False, **variables: str) -> str:
    """The output of a ``signoff up`` that fails: it ends soon, with an exit code and without a traceback."""
    anywhere = () if "--port" in arguments else ("--port", "0")
    keep = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    done = subprocess.run(
        [sys.executable, "-m", "signoff.cli", "up", *anywhere, *arguments],
        env=keep | variables,
        capture_output=True,
        text=True,
        timeout=LONG,
        preexec_fn=_obey_permissions if drop_privileges else None,
    )
    assert done.returncode in (1, 2, 6), done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: "), done.stderr
    return done.stderr


def _obey_permissions() -> None:
    """Root bypasses file permissions by two capabilities: start the program without them."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            assert ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
