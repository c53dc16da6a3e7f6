"""``signoff doctor``: is everything as it should be? Asks the server, and reads the database where it is local."""

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import click

from signoff.cli.commands import RemoteCommand
from signoff.cli.extra import server_part
from signoff.cli.failures import Code, Stop, stopped
from signoff.cli.output import column
from signoff.cli.session import Remote
from signoff.cli.up import configured, flags
from signoff.config import Config, is_loopback

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. next: the command or act that mends it."""

    level: Level
    subject: str
    found: str
    next: str = ""


def _remote(session: Remote) -> Iterator[Check]:
    """What can be learned over HTTP."""
    try:
        client = session.client
    except Exception as error:
        stop = stopped(error)
        if stop is None:
            raise
        yield Check("problem", "server", stop.what, stop.hint)
        return
    url = client.settings.url
    yield _ready(url)
    if not is_loopback(urlsplit(url).hostname or "") and url.startswith("http:"):
        yield Check(
            "warning", "address", f"{url} is not https: keys travel in the open.", "Put a TLS proxy in front."
        )
    yield from _key(session)


def _ready(url: str) -> Check:
    context = ssl.create_default_context() if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=10, context=context):  # noqa: S310 (checked by the SDK)
            return Check("ok", "server", f"{url} is ready.")
    except urllib.error.HTTPError as error:
        return Check(
            "problem", "server", f"{url} is not ready: {error.read(2000).decode('utf-8', 'replace')}"
        )
    except (OSError, ValueError) as error:
        return Check("problem", "server", f"Nothing answers at {url}: {error}.", "Start it with: signoff up")


def _key(session: Remote) -> Iterator[Check]:
    try:
        me = session.client.me()
    except Exception as error:
        stop = stopped(error)
        if stop is None:
            raise
        yield Check("problem", "key", stop.what, stop.hint)
        return
    who = me.actor.name or me.actor.email or me.actor.address or me.actor.id
    yield Check("ok", "key", f"It stands for {me.actor.kind} {who} in {me.organization}/{me.workspace}.")
    if me.self_approval:
        yield Check(
            "warning",
            "self-approval",
            "This workspace lets whoever asks also approve.",
            "Fine for trying out, only.",
        )


def _local(config: Config) -> Iterator[Check]:
    """What can be learned from the files of a server on this machine."""
    credentials = config.data / "credentials.json"
    if credentials.exists() and os.name == "posix" and credentials.stat().st_mode & 0o077:
        yield Check(
            "problem", "credentials", f"{credentials} can be read by others.", f"chmod 600 {credentials}"
        )
    with server_part("signoff doctor"):
        from signoff.server import check_database
    try:
        findings = check_database(config)
    except Exception as error:
        stop = stopped(error)
        if stop is None:
            raise
        yield Check("warning", "database", stop.what, stop.hint)
        return
    for finding in findings:
        place = f"event {finding.seq}" if finding.seq else "its row"
        yield Check(
            "problem", "history", f"Intent {finding.intent}, {place}: {finding.problem}.", "Restore a backup."
        )
    if not findings:
        yield Check("ok", "database", "Every history is whole and agrees with its row.")


def is_local(config: Config) -> bool:
    """Whether the database is a file that lies on this machine."""
    return config.database.startswith("sqlite:") and Path(config.data).is_dir()


@click.pass_obj
def _doctor(session: Remote, /, **given: Any) -> Code:
    """Check the server, the key, and the database where it is local. Exit code 1 when there is a problem."""
    config = configured(given)
    checks = list(_remote(session))
    if session.url is None and is_local(config):
        checks += _local(config)
    session.out.many([asdict(check) for check in checks], _COLUMNS, "subject", "")
    return Code.FAILURE if any(check.level == "problem" for check in checks) else Code.OK


_COLUMNS: Final = (column("LEVEL"), column("SUBJECT"), column("FOUND"), column("NEXT"))

doctor = RemoteCommand(
    "doctor",
    callback=_doctor,
    help=_doctor.__doc__,
    params=flags("data", "database"),
    fields=("level", "subject", "found", "next"),
)
