"""``signoff support-bundle``: collects what is needed to help with a server in one file, without secrets.

Everything in it is text that has gone through ``_Cleaner``, which masks by the usual rules and also removes every
secret of the settings, wherever it occurs.
"""

import io
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import click

from signoff import __version__
from signoff.cli.commands import RemoteCommand
from signoff.cli.doctor import checks_of
from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.session import Remote
from signoff.cli.settings import shown_settings
from signoff.cli.text_safety import safe_json, visible
from signoff.cli.up import flags
from signoff.config import LoadedSettings, load, rows
from signoff.core.text.masking import MASK, mask_text, starred

_NAME: Final = "signoff-support.zip"
_MOST_LOG: Final = 1024 * 1024  # from the end of each log file
_SHORTEST: Final = 4
# Links that sign in or show a task, which a proxy's log contains.
_LINK: Final = re.compile(r"(/(?:login|t)/)[A-Za-z0-9_-]{16,}")
_ABOUT: Final = """What is in this file

versions.json    this program, Python, the system, the installed packages
settings.json    the settings as `signoff config show --origin` prints them
server.json      what the server answers to /health, /ready and /v1/me
doctor.json      the result of `signoff doctor`
metrics.txt      /metrics: counts of requests, tasks, messages, agents
logs/            the end of each file given with --log

Secrets are masked. Names of people, agents, policies and addresses are not: read it before you send it.
"""


class _Cleaner:
    """Removes secrets from text: those of the settings by their value, others by their form."""

    def __init__(self, loaded: LoadedSettings, more: Iterator[str]) -> None:
        found = set(more)
        for row in rows():
            value = loaded.config.value_of(row)
            if isinstance(value, str) and row.show(value) != value:
                found |= set(_parts(value))
        self._secrets = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _LINK.sub(rf"\g<1>{MASK}", text)
        return mask_text(text, starred)  # as one text, because a private key has several lines


def _parts(value: str) -> Iterator[str]:
    """A secret setting, and the secrets within a URL."""
    yield value
    for word in value.split():
        yield word
        try:
            parts = urlsplit(word)
        except ValueError:
            continue
        if parts.password:
            yield parts.password
            yield unquote(parts.password)


@click.pass_obj
def _bundle(session: Remote, /, file: Path, logs: tuple[Path, ...], **options: Any) -> ExitCode:
    """Write a zip file for support: versions, settings, checks, metrics and the end of log files.

    Secrets are masked; names are not, so read it before you send it. It is written even if the server does not respond.
    """
    if file.exists():
        raise CommandFailed(
            ExitCode.CONFLICT, f"{file} exists already.", hint="Choose a file that does not exist."
        )
    loaded = load(options, os.environ)
    clean = _Cleaner(loaded, _credentials(session, loaded))
    written: dict[str, int] = {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in _contents(session, loaded, options, logs):
            body = clean(text).encode("utf-8", "replace")
            bundle.writestr(name, body)
            written[name] = len(body)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(buffer.getvalue())
    record = {"file": str(file), "contents": written}
    lines = [f"{size:>9} {name}" for name, size in written.items()]
    session.out.one(record, "file", [visible(line) for line in (*lines, f"written: {file}")])
    return ExitCode.OK


def _contents(
    session: Remote, loaded: LoadedSettings, options: Mapping[str, Any], logs: tuple[Path, ...]
) -> Iterator[tuple[str, str]]:
    yield "README.txt", _ABOUT
    yield "versions.json", safe_json(_versions(), indent=2)
    yield "settings.json", safe_json(list(shown_settings(loaded)), indent=2)
    yield "server.json", safe_json(dict(_server(session)), indent=2)
    checks = [asdict(check) for check in checks_of(session, loaded.config, options)]
    yield "doctor.json", safe_json(checks, indent=2)
    yield "metrics.txt", _tried(lambda: _metrics(session))
    for number, path in enumerate(logs, start=1):
        yield f"logs/{number}-{path.name}", _tried(lambda path=path: _tail(path))  # type: ignore[misc]


def _versions() -> dict[str, Any]:
    packages = {one.metadata["Name"]: one.version for one in metadata.distributions()}
    return {
        "signoff": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": dict(sorted(packages.items(), key=lambda one: str(one[0]).lower())),
    }


def _server(session: Remote) -> Iterator[tuple[str, Any]]:
    from signoff.client.calls import ApiCall

    for name, path in (("health", "/health"), ("ready", "/ready"), ("me", "/v1/me")):
        call: ApiCall[Any] = ApiCall("GET", path, dict)
        try:
            yield name, session.client.call(call)
        except Exception as error:
            yield name, {"failed": f"{type(error).__name__}: {error}"}


def _metrics(session: Remote) -> str:
    """The text of the metrics, fetched without the client, which expects JSON."""
    from urllib.request import Request, urlopen

    settings = session.client.settings
    if not settings.url.startswith(("http://", "https://")):
        return "not available: no server"
    asked = Request(f"{settings.url}/metrics", headers={"authorization": f"Bearer {settings.api_key}"})
    with urlopen(asked, timeout=15) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_LOG))
        return file.read().decode("utf-8", "replace")


def _tried(read: Callable[[], str]) -> str:
    """The text, or the reason why there is none, which is useful too."""
    try:
        return read()
    except Exception as error:
        return f"not available: {type(error).__name__}: {error}\n"


def _credentials(session: Remote, loaded: LoadedSettings) -> Iterator[str]:
    """The keys that this machine has."""
    from signoff.bootstrap import read_credentials

    yield os.environ.get("SIGNOFF_API_KEY", "")
    try:
        yield session.client.settings.api_key
    except Exception:  # no server is configured
        yield ""
    yield str((read_credentials(loaded.config.data) or {}).get("api_key", ""))
    for name, value in os.environ.items():
        if name.startswith("SIGNOFF_") and name.endswith("_FILE") and name != "SIGNOFF_MANIFEST_FILE":
            try:
                yield Path(value).read_text(encoding="utf-8").strip()
            except OSError:
                continue


support_bundle = RemoteCommand(
    "support-bundle",
    callback=_bundle,
    help=_bundle.__doc__,
    params=[
        click.Option(
            ["--file", "-f", "file"],
            type=click.Path(path_type=Path),
            default=Path(_NAME),
            show_default=True,
            help="The file to write.",
        ),
        click.Option(
            ["--log", "logs"],
            type=click.Path(path_type=Path),
            multiple=True,
            metavar="FILE",
            help="A log file; repeat it for several.",
        ),
        *flags("data", "database"),
    ],
    fields=("file", "contents"),
)
