"""A pytest plugin that removes what Windows lacks, to run here what CI runs there: python -m pytest -p
tests.without_posix -m windows
"""

import os
import signal
import sys

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty", "uvloop")
FUNCTIONS = ("chown", "fork", "forkpty", "register_at_fork", "setsid", "killpg", "openpty")
SIGNALS = ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2", "pause")

for _module in MODULES:
    sys.modules[_module] = None  # type: ignore[assignment]
for _name in FUNCTIONS:
    if hasattr(os, _name):
        delattr(os, _name)
for _name in SIGNALS:
    if hasattr(signal, _name):
        delattr(signal, _name)
