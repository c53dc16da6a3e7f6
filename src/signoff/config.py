"""The settings of a server: one row each, with name, type, default and help.

The row defines parsing, the flags of ``signoff up``, ``config show``, the docs table and the errors. A flag overrides
``SIGNOFF_<NAME>``, which overrides ``SIGNOFF_<NAME>_FILE`` of a secret, which overrides the default. Channels declare
their own settings (``notify``). This module imports none of the server's libraries, because a command line without
the server also shows and explains settings.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from signoff.core.directory.agent_address import PLACE, PLACE_IS
from signoff.core.directory.mailboxes import refuse_no_mailbox
from signoff.core.errors import Invalid
from signoff.core.text.describe import nearest
from signoff.core.text.durations import format_duration, parse_duration
from signoff.core.text.masking import mask_text, starred
from signoff.core.text.urls import read_url, shown_url, whole_secret
from signoff.notify import registry
from signoff.notify.channel import Setting

T = TypeVar("T")
PREFIX: Final = "SIGNOFF_"
FOLDER: Final = Path(".signoff")
HOUR: Final = timedelta(hours=1)
MOST_WORKERS: Final = 64
_SHORTEST_SECRET: Final = 6

# Known variables that are not settings of a server but of the command line and the SDK.
CLIENT_VARIABLES: Final = (
    "SIGNOFF_URL", "SIGNOFF_API_KEY", "SIGNOFF_API_KEY_FILE", "SIGNOFF_CONTEXT", "SIGNOFF_DEBUG",
    "SIGNOFF_COMPLETION_TIMEOUT",
)  # fmt: skip


def _row(  # noqa: PLR0913
    default: T,
    text: str,
    *,
    shown: str = "",
    choices: tuple[str, ...] = (),
    least: Any = None,
    hide: Callable[[str], str] | None = None,
    environment: tuple[str, ...] = (),
    kind: type | None = None,
) -> T:
    """One setting. shown: how the default is shown, if it is derived; least: the minimum; hide: what ``config show``
    prints instead of the value; environment: other variables that may set it; kind: the type, if the default does
    not imply it (a ``timedelta`` with default None may be ``off``).
    """
    extra = {"text": text, "shown": shown, "choices": choices, "least": least, "hide": hide, "kind": kind}
    # A field that may contain a secret is left out of repr, and so out of logs and tracebacks.
    return field(default=default, repr=hide is None, metadata={**extra, "environment": environment})


@dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of a server. Empty ``database`` and ``base_url`` are derived; with port 0, ``base_url`` stays
    empty until the server knows its port. Security settings are never derived.
    """

    host: str = _row("127.0.0.1", "Address to listen on.")
    port: int = _row(8100, "Port to listen on; 0 picks a free one.", least=0)
    data: Path = _row(FOLDER, "Folder for the database and credentials.")
    database: str = _row(
        "",
        "Database URL: sqlite:///PATH or postgresql://...",
        shown="sqlite:///<data>/signoff.db",
        hide=shown_url,
        environment=("DATABASE_URL",),
    )
    database_wait: timedelta = _row(
        timedelta(seconds=60), "How long to wait at startup for an unreachable database."
    )
    base_url: str = _row(
        "",
        "Public URL of the server, used in links: scheme, host and port, no path.",
        shown="http://<host>:<port>",
    )
    allowed_hosts: str = _row(
        "", "Additional host names under which pages are served, space-separated; base_url's host always is."
    )
    trusted_proxies: str = _row(
        "",
        "Space-separated addresses or networks of proxies whose X-Forwarded-For and Forwarded headers are trusted.",
    )
    session_lifetime: timedelta = _row(
        7 * 24 * HOUR, "Maximum session lifetime; an idle session ends after 12 hours.", least=HOUR / 4
    )
    organization: str = _row(
        "", "Name of the organization in agent addresses; set at first start.", shown="local"
    )
    workspace: str = _row(
        "", "Name of the workspace in agent addresses; set at first start.", shown="default"
    )
    owner: str = _row("", "E-mail address of the first owner; set at first start.", shown="owner@localhost")
    manifest: str = _row("", "Manifest (people, teams, policies, workflows) applied at each start.")
    listen: bool = _row(True, "Use PostgreSQL LISTEN/NOTIFY; turn off behind a connection pooler.")
    commit_workers: int = _row(1, "Number of concurrent commit workers (PostgreSQL).", least=1)
    workers: str = _row(
        "1", "Number of worker processes that share the port and the work; auto: one per core."
    )
    queue_limit: int = _row(
        4096, "Maximum queued commands of this process; above this limit the server answers 503.", least=1
    )
    max_body: int = _row(131072, "Maximum request body in bytes.", least=1024)
    max_header_bytes: int = _row(32768, "Maximum request line and headers in bytes.", least=4096)
    max_headers: int = _row(100, "Maximum number of request headers.", least=16)
    header_timeout: timedelta = _row(
        timedelta(seconds=10), "Maximum time to receive request headers.", least=timedelta(milliseconds=100)
    )
    body_timeout: timedelta = _row(
        timedelta(seconds=30),
        "Maximum time to receive a request body, and for a client to accept response data.",
        least=timedelta(milliseconds=100),
    )
    max_rate: int = _row(
        200,
        "Requests per second per person or agent (5-second average), counted by each server; above this limit 429. "
        "0: unlimited.",
    )
    max_rate_services: int = _row(0, "The same per service.")
    max_streams: int = _row(
        200,
        "Concurrent streams and long polls per person or agent, counted by each server; above this limit 429. "
        "0: unlimited.",
    )
    max_streams_services: int = _row(0, "The same per service.")
    max_open: int = _row(
        10_000,
        "Open intents per person or agent, counted in the database; above this limit new ones are refused with 429. "
        "0: unlimited.",
    )
    max_open_services: int = _row(0, "The same per service.")
    max_reminders: int = _row(
        30,
        "Reminders per person and hour, counted by each server; more are skipped and recorded. 0: unlimited.",
    )
    max_connections: int = _row(
        0,
        "Maximum open connections of this process; above this limit the server answers 503. "
        "0: as many as the system allows.",
    )
    retention: timedelta | None = _row(
        None, "How long final intents and their history are kept; off: forever.", least=HOUR, kind=timedelta
    )
    retention_payloads: timedelta | None = _row(
        None, "How long payloads of final intents are kept, if shorter.", least=HOUR, kind=timedelta
    )
    idempotency_retention: timedelta = _row(
        48 * HOUR, "How long an Idempotency-Key is remembered after its intent is final.", least=24 * HOUR
    )
    # The settings that channels declare, by name.
    channel_settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    console_notifications: bool | None = _row(
        None, "Print notifications to the server's console.", shown="on if stdout is a terminal", kind=bool
    )
    log_level: str = _row("info", "Minimum log level.", choices=("debug", "info", "warning", "error"))
    log_format: str = _row("text", "Log format.", choices=("text", "json"))
    open_metrics: bool = _row(
        False, "Serve /metrics to everybody; otherwise it takes the key of an owner, admin or auditor."
    )
    otel_endpoint: str = _row(
        "", "Address of a collector for traces (OTLP over HTTP), such as http://localhost:4318."
    )
    allow_private_callbacks: bool = _row(
        False, "Allow agent callback URLs in private networks and without TLS."
    )

    def __post_init__(self) -> None:
        for row in rows():
            row.check(self.value_of(row))
        self._derive("data", self.data.expanduser())
        if not self.database:
            self._derive("database", f"sqlite:///{self.data / 'signoff.db'}")
        if not self.base_url and self.port:
            self._derive("base_url", f"http://{reachable(self.host)}:{self.port}")
        self._derive("base_url", self.base_url.rstrip("/"))
        _check_base_url(self.base_url)
        if self.owner:
            refuse_no_mailbox(self.owner, "owner")
        if self.commit_workers > 1 and self.database.startswith("sqlite:"):
            raise Invalid(
                "invalid_setting",
                "commit_workers has no effect on SQLite, which commits one transaction at a time.",
                field="commit_workers",
                hint="Omit it, or use PostgreSQL.",
            )
        for setting in _channel_settings():
            set_ = self.channel_settings.get
            if setting.needs and set_(setting.name) and not set_(setting.needs):
                raise Invalid(
                    "invalid_setting",
                    f"{setting.name} has no effect without {setting.needs}.",
                    field=setting.name,
                    hint=f"Set {setting.needs} too, or omit {setting.name}.",
                )
        parse_hosts(self.allowed_hosts)
        parse_networks(self.trusted_proxies)

    @property
    def shown_database(self) -> str:
        """The database URL without its password."""
        return shown_url(self.database)

    def check_urls(self) -> None:
        """Raises Invalid, without quoting any of it, for a URL that cannot be parsed."""
        if not self.database.startswith("sqlite:"):
            read_url(
                self.database,
                "database",
                ("postgresql", "postgres"),
                "Write sqlite:///path/to/file.db or postgresql://user:password@host/name.",
            )
        for setting in _channel_settings():
            if setting.check is not None and self.channel_settings.get(setting.name):
                setting.check(self.channel_settings[setting.name])

    def value_of(self, row: "SettingRow") -> Any:
        """A setting's value."""
        return self.channel_settings.get(row.name, row.default) if row.channel else getattr(self, row.name)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in these settings, as text that must not appear in a log line; the longest first."""
        found: set[str] = set()
        for row in rows():
            value = self.value_of(row)
            if row.hide is not None and isinstance(value, str):
                found.update(secrets_in(value, whole=row.secret))
        return tuple(sorted(found, key=len, reverse=True))

    def _derive(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def count_workers(setting: str) -> int:
    """The number of worker processes that the setting asks for."""
    if setting == "auto":
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(MOST_WORKERS, usable or 1)
    return int(setting)


def secrets_in(value: str, whole: bool = False) -> set[str]:
    """The secret parts of a setting, even of a URL that was not percent-encoded. ``whole``: the whole value is
    secret.
    """
    if whole:
        return {part for part in value.split() if len(part) >= _SHORTEST_SECRET}
    _, mark, rest = value.partition("://")
    user, colon, _ = rest.partition(":")
    if not mark or not colon or "/" in user or "@" not in rest:
        return set()
    plain = rest.partition("?")[0]
    end = plain.rfind("@") if "@" in plain else rest.rfind("@")
    held = rest[len(user) + 1 : end]
    return {
        part for part in (held, unquote(held), *re.split(r"[:/?#@]", held)) if len(part) >= _SHORTEST_SECRET
    }


def _check_base_url(url: str) -> None:
    """Refuse a path, because pages, forms and cookies assume the root of a host."""
    if not url:
        return
    hint = "Write https://signoff.example, or http://HOST:PORT; Signoff needs its own host name."
    parts = read_url(url, "base_url", ("https", "http"), hint)
    wrong = ""
    if "@" in parts.netloc:
        wrong = "contains a user name, which would be shown in every link"
    elif parts.path.strip("/"):
        wrong = "has a path; Signoff must be served at the root of its host"
    elif parts.query or "?" in url:
        wrong = "has a query"
    elif not parts.hostname:
        wrong = "contains no host"
    if wrong:
        raise Invalid("invalid_setting", f"base_url {wrong}.", field="base_url", hint=hint)


def parse_hosts(text: str) -> tuple[str, ...]:
    """The host names of ``allowed_hosts``, in lower case; raises Invalid for anything but a name or an address."""
    hosts = tuple(text.lower().replace(",", " ").split())
    for host in hosts:
        if not re.fullmatch(r"\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9])?", host):
            raise Invalid(
                "invalid_setting",
                f"allowed_hosts: {host[:64]!r} is not a host name.",
                field="allowed_hosts",
                hint="Write names or addresses without scheme and port, space-separated: signoff.internal 10.0.0.7.",
            )
    return hosts


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of ``trusted_proxies``; raises Invalid for anything that is not a network, and for one that contains
    every address.
    """
    found: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError:
            network = None
        if network is None or network.prefixlen == 0:
            raise Invalid(
                "invalid_setting",
                f"trusted_proxies: {word[:64]!r} is not the address or network of a proxy.",
                field="trusted_proxies",
                hint="Write addresses or networks, separated by spaces: 127.0.0.1 10.0.0.0/8.",
            )
        found.append(network)
    return tuple(found)


def is_loopback(host: str) -> bool:
    """True for loopback addresses."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def reachable(host: str) -> str:
    """The host part of a link to a server that listens on ``host``."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


@dataclass(frozen=True)
class SettingRow:
    """One setting as data. kind: ``str``, ``int``, ``bool``, ``Path`` or ``timedelta``; channel: whether a channel
    declares it.
    """

    name: str
    kind: type
    default: Any
    text: str
    shown: str = ""
    choices: tuple[str, ...] = ()
    least: Any = None
    hide: Callable[[str], str] | None = None
    environment: tuple[str, ...] = ()
    channel: bool = False

    @property
    def secret(self) -> bool:
        """Whether no part of the value may be shown. Such a setting also has a ``_FILE`` variable."""
        return self.hide is whole_secret

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set it, in order of precedence."""
        return tuple(PREFIX + name for name in (self.name.upper(), *self.environment))

    @property
    def files(self) -> tuple[str, ...]:
        """The variables that name a file with the value, for settings that may contain a secret."""
        return tuple(f"{name}_FILE" for name in self.variables) if self.hide else ()

    def parse(self, text: str) -> Any:
        """The value of ``text``; raises Invalid with the setting's name as the field."""
        if self.kind is timedelta:
            if self.default is None and text.strip().lower() == "off":
                return None
            return parse_duration(text, self.name)
        if self.kind is bool:
            return _parse_bool(text, self.name)
        if self.kind is int:
            if not re.fullmatch(r"\d{1,12}", text.strip()):
                raise self.wrong(text, "a whole number")
            return int(text)
        return Path(text) if self.kind is Path else text.strip()

    def check(self, value: Any) -> None:
        """Raise Invalid for a value that is out of range or not among the choices."""
        if self.choices and value not in self.choices:
            raise self.wrong(value, "one of " + ", ".join(self.choices))
        if self.least is not None and value is not None and value < self.least:
            raise self.wrong(self.show(value), f"at least {self.show(self.least)}")
        if self.name in ("organization", "workspace") and value and not PLACE.fullmatch(value):
            raise self.wrong(value, PLACE_IS)
        if self.name == "workers" and not (
            value == "auto" or (re.fullmatch(r"\d{1,2}", value) and 1 <= int(value) <= MOST_WORKERS)
        ):
            raise self.wrong(value, f"a number from 1 to {MOST_WORKERS}, or auto")
        if self.name == "port" and value > 65535:
            raise self.wrong(value, "at most 65535")

    def wrong(self, value: object, needed: str) -> Invalid:
        return Invalid(
            "invalid_setting", f"{self.name}: {value!r} is not {needed}.", field=self.name, hint=self.text
        )

    def show(self, value: Any) -> str:
        """The value as people write it, with secrets masked."""
        if isinstance(value, timedelta):
            text = format_duration(value, exact=True)
        elif isinstance(value, bool):
            text = "on" if value else "off"
        elif value is None:
            text = "off" if self.kind is timedelta else ""
        else:
            text = str(value)
        return self.hide(text) if self.hide else mask_text(text, starred)


def rows() -> Iterator[SettingRow]:
    """All settings: the server's own, and those that channels declare."""
    for item in fields(Config):
        if item.name == "channel_settings":
            for one in _channel_settings():
                yield SettingRow(one.name, str, "", one.help, hide=one.hide, channel=True)
            continue
        default: Any = item.default
        metadata = dict(item.metadata)
        named = metadata.pop("kind")
        kind = bool if default is None else Path if isinstance(default, Path) else type(default)
        yield SettingRow(item.name, named or kind, default, **metadata)


def _channel_settings() -> Iterator[Setting]:
    return (setting for channel in registry.CHANNELS for setting in channel.settings)


@dataclass(frozen=True)
class LoadedSettings:
    """A configuration, the origin of each setting's value, and warnings about the environment."""

    config: Config
    origins: dict[str, str]
    warnings: tuple[str, ...]


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> LoadedSettings:
    """Load the settings from flags (None means not given; text is parsed) and the environment; raises Invalid."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row in rows():
        found = _from_environment(row, environ)
        value = flags.get(row.name)
        if value is not None:
            if isinstance(value, str) and not value.strip():
                # usually an unset variable in a script; an empty host would listen on all interfaces
                raise Invalid(
                    "empty_setting",
                    f"{row.flag} is empty.",
                    field=row.name,
                    hint="Give it a value, or omit it.",
                )
            values[row.name] = row.parse(value) if isinstance(value, str) else value
            origins[row.name] = f"flag {row.flag}"
        elif found is not None:
            origins[row.name], text = found
            values[row.name] = row.parse(text)
        else:
            origins[row.name] = "default"
    channel_settings = {
        row.name: values.pop(row.name) for row in rows() if row.channel and row.name in values
    }
    return LoadedSettings(
        Config(**values, channel_settings=channel_settings), origins, tuple(_unknown(environ))
    )


def _from_environment(row: SettingRow, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """(variable, text) of the one variable that sets the row. An empty variable counts as unset."""
    named = [name for name in (*row.variables, *row.files) if environ.get(name, "").strip()]
    if len(named) > 1:
        raise Invalid(
            "ambiguous_setting",
            f"{row.name} is set by {' and by '.join(named)}.",
            field=row.name,
            hint="Keep one.",
        )
    if not named:
        return None
    name = named[0]
    return name, read_secret(name, environ[name]) if name in row.files else environ[name]


def read_secret(variable: str, path: str) -> str:
    """The text of the file that ``variable`` names, without the line ending; raises Invalid if unreadable."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise Invalid(
            "unreadable_secret", f"{variable}: {path} cannot be read: {reason}.", field=variable
        ) from None


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like a setting but is not one."""
    known = {name for row in rows() for name in (*row.variables, *row.files)} | set(CLIENT_VARIABLES)
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            # Compared without the common prefix, which would make unrelated names look similar.
            close = nearest(name[len(PREFIX) :], (word[len(PREFIX) :] for word in known))
            hint = f" Did you mean {PREFIX}{close}?" if close else ""
            yield f"{name} is not a setting.{hint}"


def _parse_bool(text: str, name: str) -> bool:
    word = text.strip().lower()
    if word in {"on", "true", "yes", "1"}:
        return True
    if word in {"off", "false", "no", "0"}:
        return False
    raise Invalid("invalid_setting", f"{name}: {text!r} is neither on nor off.", field=name)
