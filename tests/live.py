"""A real server in a process of its own, to be talked to, killed and started again. Stopped by its pid."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

# A guard against hanging, far above what anything takes, and below the 60 s for which a stream may be held.
PATIENCE = 45.0


def _own_ports() -> Iterator[int]:
    """A hundred ports of this process's own, over and over. It holds them by the first one's namesake in UDP,
    which nobody uses, for as long as it lives: no other test process is given them.
    """
    while True:
        first = 20_000 + 100 * secrets.randbelow(120)
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
            continue
        claim.detach()  # from here on the process's, and closed with it
        yield from cycle(range(first, first + 100))


_PORTS = _own_ports()


def free_port() -> int:
    """A port that a server can be given, and given again after a kill; nobody listens on it meanwhile.

    Below those that the kernel hands to outgoing connections: nobody takes it by accident.
    """
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports never end")


class Live:
    """``signoff up`` on a folder and a database. ``restart`` keeps the port, as a supervisor would."""

    python: str = sys.executable
    program: tuple[str, ...] = ("-m", "signoff.cli")  # what Python runs

    def __init__(self, data: Path, database: str = "", port: int = 0, **settings: str) -> None:
        self.data = data
        self.database = database
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_name(data.name + ".log")
        self._settings = {f"SIGNOFF_{name.upper()}": value for name, value in settings.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Live":
        """Start the process and return once it answers and has said so."""
        command = [
            self.python,
            *self.program,
            "up",
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        ]
        if self.database:
            command += ["--database", self.database]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SIGNOFF_")}
        with self.log.open("ab") as log:
            said = log.tell()
            self.process = subprocess.Popen(
                command, env=clean | self._settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not (self._answers() and b"Stop it with Ctrl-C." in self.log.read_bytes()[said:]):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.02)  # polls another process, up to a deadline
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as a supervisor stops it."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not stop:\n{self.log.read_text()}") from None

    def restart(self) -> None:
        self.kill()
        self.start()

    @property
    def credentials(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "credentials.json").read_text())
        return found

    @property
    def owner_key(self) -> str:
        return self.credentials["api_key"]

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """(status, JSON) of one plain HTTP request."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "x-api-key": key or self.owner_key},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")
