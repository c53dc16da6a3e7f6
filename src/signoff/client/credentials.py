"""Finds the server's address and the key: in arguments, the environment, or credentials files, in this order.

A key from a file is only sent to the address in the same file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from signoff.client.errors import NotConfigured

FILE_NAME: Final = "credentials.json"
_KEY: Final = "sgn_"  # how every key begins


@dataclass(frozen=True)
class Settings:
    """The settings to use. url: without a trailing slash; source: where the address was found, for messages."""

    url: str
    api_key: str = field(repr=False)
    source: str = "arguments"
    organization: str = ""
    workspace: str = ""
    person: str = ""

    @property
    def loopback(self) -> bool:
        """Whether the server runs on this machine."""
        return is_loopback(self.url)


@dataclass(frozen=True)
class Words:
    """How messages refer to the settings: the names of both arguments, and what to do if one is missing."""

    url: str = "the argument url"
    api_key: str = "the argument api_key"
    without_key: str = (
        "Pass api_key=..., or set SIGNOFF_API_KEY; `signoff keys create` on the server creates one."
    )
    without_server: str = (
        "Start one with `signoff up` in this folder, or set SIGNOFF_URL and SIGNOFF_API_KEY."
    )


IN_CODE: Final = Words()
IN_SHELL: Final = Words(
    "--url",
    "--key-file",
    "Sign in with `signoff login URL`, pass --key-file FILE, or set SIGNOFF_API_KEY.",
    "Start one with `signoff up` in this folder, sign in to one with `signoff login URL`, "
    "or set SIGNOFF_URL and SIGNOFF_API_KEY.",
)


def find_settings(
    url: str | None = None,
    api_key: str | None = None,
    *,
    words: Words = IN_CODE,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Find the settings to use; raises NotConfigured with every place that was searched.

    environ, folder: used in place of the process's environment and working directory.
    """
    environ = os.environ if environ is None else environ
    for name, value in ((words.url, url), (words.api_key, api_key)):
        if value is not None and not value.strip():  # never use a server or key other than this one
            raise NotConfigured(f"{name[:1].upper()}{name[1:]} is empty. Give it a value, or omit it.")
    key = api_key or _key_from(environ)
    named = url or environ.get("SIGNOFF_URL")
    address = checked_url(named, words.url if url else "SIGNOFF_URL") if named else None
    looked: list[str] = []
    if address and key:
        return Settings(address, _checked_key(key), "arguments" if url else "SIGNOFF_URL")
    for path, walked in _places(environ, folder):
        stored = _stored(path, walked, looked)
        if stored is None or (address and not same_server(address, stored.url)):
            continue
        return Settings(
            stored.url,
            _checked_key(key) if key else stored.api_key,
            stored.source,
            stored.organization,
            stored.workspace,
            stored.person,
        )
    raise NotConfigured(_explain(address, bool(key), looked, words))


def _key_from(environ: Mapping[str, str]) -> str | None:
    if environ.get("SIGNOFF_API_KEY"):
        return environ["SIGNOFF_API_KEY"]
    path = environ.get("SIGNOFF_API_KEY_FILE")
    if not path:
        return None
    try:
        key = Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise NotConfigured(
            f"SIGNOFF_API_KEY_FILE names {path!r}, which cannot be read ({type(error).__name__})."
        ) from None
    if not key:
        raise NotConfigured(f"SIGNOFF_API_KEY_FILE names {path!r}, which contains no key.")
    return key


def _places(environ: Mapping[str, str], folder: Path | None) -> Iterator[tuple[Path, bool]]:
    """The files to check, nearest first, and whether each was found by walking up the directory tree."""
    if environ.get("SIGNOFF_DATA"):
        yield Path(environ["SIGNOFF_DATA"]) / FILE_NAME, False
    here = (folder or Path.cwd()).absolute()
    for parent in (here, *here.parents):
        yield parent / ".signoff" / FILE_NAME, True
    config = environ.get("XDG_CONFIG_HOME")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if config or home:
        base = Path(config) if config else Path(str(home)) / ".config"
        yield base / "signoff" / FILE_NAME, False


def _stored(path: Path, walked: bool, looked: list[str]) -> Settings | None:
    """The contents of a credentials file; None, with a line in ``looked``, if it is absent or cannot be trusted."""
    try:
        owner = path.stat().st_uid
        text = path.read_text("utf-8")
    except FileNotFoundError:
        looked.append(f"{path}: not found")
        return None
    except (OSError, ValueError) as error:
        looked.append(f"{path}: cannot be read ({error.__class__.__name__})")
        return None
    if walked and hasattr(os, "geteuid") and not is_trusted(owner, os.geteuid()):
        looked.append(f"{path}: belongs to another user, ignored")
        return None
    return _parsed(path, text)


def is_trusted(owner: int, user: int) -> bool:
    """Whether a file in a parent folder may determine where payloads are sent: only if this user or root owns it.

    Otherwise anyone could put one into a shared folder such as /tmp.
    """
    return owner in (user, 0)


def _parsed(path: Path, text: str) -> Settings:
    try:
        found: Any = json.loads(text)
        url, key = found["url"], found["api_key"]
    except (ValueError, KeyError, TypeError):
        raise NotConfigured(
            f"{path} is not a credentials file: it must be a JSON object with url and api_key. "
            "Delete it and run `signoff up` again, or set SIGNOFF_URL and SIGNOFF_API_KEY."
        ) from None
    names = {name: str(found.get(name) or "") for name in ("organization", "workspace", "person")}
    return Settings(checked_url(str(url), str(path)), _checked_key(str(key)), str(path), **names)


def checked_url(url: str, source: str) -> str:
    """The address without a trailing slash; raises NotConfigured without quoting a password that it may contain."""
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        sound = sound and url.isprintable() and not {" ", "?", "#"} & set(url)
        sound = sound and _is_host(parts.hostname or "")
    except ValueError:
        sound = False
    if sound and parts.username is not None:
        raise NotConfigured(
            f"The address in {source} contains a user name, which messages would show: remove it."
        )
    if not sound:
        # text with an @ may contain a password; a key may have been passed in its place
        secret = "@" in url or _KEY in url
        shown = f"The address in {source}" if secret else f"{url!r} ({source})"
        raise NotConfigured(f"{shown} is not a URL such as http://127.0.0.1:8100.")
    return url


def _is_host(name: str) -> bool:
    """Whether no part between dots is empty or too long to be looked up. Raises ValueError if its letters cannot be
    part of a name.
    """
    if not name.isascii():
        name = name.encode("idna").decode()
    return all(0 < len(part) < 64 for part in name.removesuffix(".").split("."))


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key or not key:
        raise NotConfigured("The API key contains invalid characters; copy it again.")
    return key


def is_loopback(url: str) -> bool:
    """Whether this is an address of this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def same_server(left: str, right: str) -> bool:
    """Whether two addresses belong to the same server, so that the same key may be sent to both."""
    return _origin(left) == _origin(right)


def _origin(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return parts.scheme, "127.0.0.1" if host == "localhost" else host, port, parts.path


def _explain(address: str | None, has_key: bool, looked: list[str], words: Words) -> str:
    if address:
        first = f"There is no API key for {address}."
        wanted = f"{words.api_key}, SIGNOFF_API_KEY, SIGNOFF_API_KEY_FILE"
        remedy = words.without_key
    else:
        first = "No Signoff server was found" + ("." if not has_key else ", though there is an API key.")
        wanted = f"{words.url}, SIGNOFF_URL"
        remedy = words.without_server
    places = "\n".join(f"  - {line}" for line in [f"{wanted}: not set", *looked])
    return f"{first} Searched:\n{places}\n{remedy}"
