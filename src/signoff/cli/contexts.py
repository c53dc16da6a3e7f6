"""Contexts: the servers that a person works with, each with an address and a key, in a file that only the person can
read.

A key from this file is only sent to the address stored with it. The environment takes precedence over the
current context, and an option over both.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from signoff.cli.failures import CommandFailed, ExitCode

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FILE_NAME: Final = "contexts.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Context:
    """A server and the key for it."""

    name: str
    url: str
    api_key: str = field(repr=False)
    person: str = ""


@dataclass(frozen=True)
class Contexts:
    """All contexts. ``current``: the name of the one in use, "" if there is none."""

    current: str = ""
    known: Mapping[str, Context] = field(default_factory=dict)

    def get(self, name: str) -> Context:
        """The context of this name; raises CommandFailed."""
        if name in self.known:
            return self.known[name]
        from signoff.core.text.describe import suggestion

        hint = suggestion(name, list(self.known)) or "List them: signoff context list"
        raise CommandFailed(ExitCode.NOT_FOUND, f"There is no context {name!r}.", hint)

    def with_context(self, context: Context) -> "Contexts":
        """The contexts with this one added, which becomes the current one."""
        return Contexts(context.name, {**self.known, context.name: context})

    def without(self, name: str) -> "Contexts":
        """The contexts without this one. If it was the current one, there is no current one afterwards."""
        rest = {one.name: one for one in self.known.values() if one.name != name}
        return Contexts("" if self.current == name else self.current, rest)


def config_folder(environ: Mapping[str, str]) -> Path | None:
    """This program's folder in the platform's folder for settings; None if there is no home folder."""
    if environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"]) / "signoff"
    if os.name == "nt" and environ.get("APPDATA"):
        return Path(environ["APPDATA"]) / "signoff"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) / ".config" / "signoff" if home else None


def contexts_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder in which contexts are stored; raises CommandFailed if there can be none."""
    folder = config_folder(environ)
    if folder is None:
        raise CommandFailed(
            ExitCode.FAILURE, "There is no folder for contexts.", hint="Set HOME or XDG_CONFIG_HOME."
        )
    return folder


def refuse_unwritable() -> None:
    """Raise CommandFailed if no context can be stored; creates nothing. Called before a key is created for one, because
    that key would be lost.
    """
    wanted = _target(contexts_folder() / FILE_NAME).parent
    present = next(one for one in (wanted, *wanted.parents) if one.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        raise CommandFailed(
            ExitCode.FAILURE,
            f"Cannot store contexts in {wanted}: {present} is not a writable folder.",
            hint="Make it a writable folder, or set XDG_CONFIG_HOME to another one.",
        )


def checked_name(name: str) -> str:
    """Return the name, if a context may have it; raises CommandFailed otherwise."""
    if not _NAME.fullmatch(name):
        raise CommandFailed(
            ExitCode.USAGE,
            f"{name!r} cannot name a context.",
            hint="Use up to 64 letters, digits, dots, hyphens and underscores, such as production.",
        )
    return name


def name_for(url: str) -> str:
    """The default name of a context: the host, and the port if there is one."""
    parts = urlsplit(url)
    host = re.sub(r"[^A-Za-z0-9.-]", "-", parts.hostname or "server").strip("-.")[:50] or "server"
    return f"{host}-{parts.port}" if parts.port else host


def read_contexts(environ: Mapping[str, str] = os.environ) -> Contexts:
    """The contexts in the file, if there is one. Raises CommandFailed if it is damaged or other users can read it."""
    folder = config_folder(environ)
    if folder is None:
        return Contexts()
    path = folder / FILE_NAME
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return Contexts()
    except UnicodeDecodeError:
        raise _damaged(path) from None
    if os.name == "posix" and mode & _OTHERS:
        raise CommandFailed(
            ExitCode.FAILURE,
            f"{path} contains keys, and other users can read it.",
            hint=f"Run: chmod 600 {path}. Revoke the keys if others may have read them.",
        )
    return _parsed(path, text)


def change_contexts(change: Callable[[Contexts], Contexts]) -> Contexts:
    """Apply ``change`` to the contexts in the file now, and write them, with mode 0600 from the start. Commands in
    several terminals do so one after the other, so that none of them loses what another one has stored.
    """
    refuse_unwritable()
    folder = contexts_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder):
        contexts = change(read_contexts())
        fields = {
            "current": contexts.current,
            "contexts": {
                one.name: {"url": one.url, "api_key": one.api_key, "person": one.person}
                for one in contexts.known.values()
            },
        }
        write_private(folder / FILE_NAME, fields)
    return contexts


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, where the system has one."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, content: Any) -> None:
    """Write JSON atomically to a file that only its owner can read. A link stays a link."""
    path = _target(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _target(path: Path) -> Path:
    """The file itself, where the path is a link to it, as in a folder of settings under version control."""
    return path.resolve() if path.is_symlink() else path


def _parsed(path: Path, text: str) -> Contexts:
    try:
        decoded = json.loads(text)
        known = {
            name: Context(name, str(one["url"]), str(one["api_key"]), str(one.get("person") or ""))
            for name, one in decoded["contexts"].items()
        }
        current = str(decoded.get("current") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(path) from None
    return Contexts(current if current in known else "", known)


def _damaged(path: Path) -> CommandFailed:
    return CommandFailed(
        ExitCode.FAILURE,
        f"{path} is damaged.",
        hint="Delete it, and sign in again: signoff login URL",
    )


@dataclass(frozen=True)
class Connection:
    """The server and the key of a command; None means as the SDK finds it. source: where it comes from, for messages;
    note: a note to show.
    """

    url: str | None
    api_key: str | None
    source: str = ""
    note: str = ""


def connection(
    url: str | None, key: str | None, name: str | None, environ: Mapping[str, str], folder: Path | None = None
) -> Connection:
    """Choose the server and the key. ``url``, ``key``, ``name``: the options --url, --key-file and --context."""
    from signoff.client.credentials import same_server

    contexts = read_contexts(environ)
    in_environ = bool(environ.get("SIGNOFF_API_KEY") or environ.get("SIGNOFF_API_KEY_FILE"))
    if name is not None:
        if url is not None:
            raise CommandFailed(ExitCode.USAGE, "--url and --context cannot be combined.")
        return _to(contexts.get(name), key)
    named = environ.get("SIGNOFF_CONTEXT", "").strip()
    address = url or environ.get("SIGNOFF_URL")
    if named and address and url is None:
        raise CommandFailed(
            ExitCode.USAGE, "SIGNOFF_URL and SIGNOFF_CONTEXT are both set.", hint="Unset one of them."
        )
    if address:
        known = None
        if key is None and not in_environ:
            with suppress(ValueError):
                known = next((one for one in contexts.known.values() if same_server(one.url, address)), None)
        return _to(known, None) if known else Connection(url, key)
    if named:
        return _to(contexts.get(named), key, in_environ)
    current = contexts.known.get(contexts.current)
    if current is None:
        return Connection(url, key)
    if near := nearer_folder(environ, folder):
        return Connection(
            url,
            key,
            note=f"The server of {near} is used, not context {current.name}; --context overrides this.",
        )
    return _to(current, key, in_environ)


def _to(context: Context, key: str | None, in_environ: bool = False) -> Connection:
    """Connect to a context, with the given key, or else the one in the environment, or else the context's own."""
    own = None if in_environ and key is None else key or context.api_key
    return Connection(context.url, own, f"context {context.name}")


def nearer_folder(environ: Mapping[str, str], folder: Path | None = None) -> str:
    """The credentials file in this folder or one above it, or in SIGNOFF_DATA; "" if there is none. A server that was
    started here takes precedence over the current context.
    """
    from signoff.client.credentials import find_settings
    from signoff.client.errors import NotConfigured

    near = {name: environ[name] for name in ("SIGNOFF_DATA",) if environ.get(name)}
    try:
        return find_settings(environ=near, folder=folder).source
    except NotConfigured:
        return ""
