"""A real server in a separate process, which tests call, kill and restart. Stopped by its pid."""

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
    """Cycles through a hundred ports that are reserved for this process by binding the first one's UDP port, which
    nothing else uses, for the process's lifetime.
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
    """A free port that stays available to this test after its server is killed. It is below the range of outgoing
    connections, so that none occupies it.
    """
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports never end")


class Live:
    """``signoff up`` with a folder and a database. ``restart`` keeps the port."""

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
        """Start the process and return once it has printed its address and responds."""
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
        """Send SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Send SIGTERM."""
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
        """Send one HTTP request; returns (status, JSON)."""
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
