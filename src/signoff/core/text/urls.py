"""Checks URLs that contain a password before anything else parses them. An error never quotes the URL: a password
that is not percent-encoded is a common mistake, and the driver would quote it.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from signoff.core.errors import Invalid
from signoff.core.text.masking import MASK, mask_text, starred

ENCODE: Final = (
    "If the user name or the password holds one of : / ? # [ ] @ % or a space, percent-encode it: "
    "python3 -c 'import urllib.parse as u, getpass; print(u.quote(getpass.getpass(), safe=\"\"))' prints it encoded."
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")
_HOST: Final = re.compile(r"\[[0-9a-fA-F:.%\w]*\]|[^\[\]:@\s]*")
_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_SECRET_PARAMETER: Final = re.compile(r"(?i)((?:pass|secret|token|key)\w*=)[^&]*")
_SIGNED: Final = ("http", "https")


def read_url(text: str, field: str, schemes: Sequence[str], hint: str) -> SplitResult:
    """The parts of a URL such as ``scheme://user:password@host:port,host:port/path?name=value``; raises Invalid
    without quoting the URL.
    """
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() not in schemes:
        known = " or ".join(f"{name}://" for name in schemes)
        addition = f" but with {scheme}://" if mark and _SCHEME.fullmatch(scheme) else ""
        raise Invalid(
            "invalid_setting", f"{field} does not start with {known}{addition}.", field=field, hint=hint
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _unreadable(field, "its host is invalid") from None
    if not text.isprintable() or " " in text:
        raise _unreadable(field, "it contains a space or an unprintable character")
    if "#" in rest:
        raise _unreadable(field, "it contains a # that is not percent-encoded")
    held, _, place = parts.netloc.rpartition("@")
    if "@" in held or "@" in parts.path or "@" in parts.query.partition("=")[0]:
        raise _unreadable(field, "it contains more than one @")
    if _PERCENT.search(held):
        raise _unreadable(field, "it contains a % that does not start a percent-encoding")
    for one in place.split(","):
        host = _HOST.match(one)
        port = one[host.end() :] if host else one
        if port and not re.fullmatch(r":\d{0,5}", port):
            raise _unreadable(field, "its port is not a number")
        if port[1:] and not 0 < int(port[1:]) < 65536:
            raise _unreadable(field, "its port is not a number from 1 to 65535")
    return parts


def _unreadable(field: str, why: str) -> Invalid:
    return Invalid("invalid_setting", f"{field} is invalid: {why}.", field=field, hint=ENCODE)


def shown_url(text: str, field: str = "url") -> str:
    """A URL with its passwords masked; only the scheme, if the URL cannot be parsed."""
    scheme, mark, _ = text.partition("://")
    if not text or scheme == "sqlite":
        return text  # only a path
    if not mark or not _SCHEME.fullmatch(scheme):
        return MASK
    try:
        parts = read_url(text, field, (scheme.lower(),), "")
    except Invalid:
        return f"{scheme}://{MASK}"
    held, at, place = parts.netloc.rpartition("@")
    user, colon, _ = held.partition(":")
    netloc = f"{user}:{MASK}@{place}" if colon else f"{held}{at}{place}"
    query = _SECRET_PARAMETER.sub(rf"\g<1>{MASK}", parts.query)
    shown = f"{scheme}://{netloc}{parts.path}" + (f"?{query}" if query else "")
    return mask_text(shown, starred) if scheme.lower() in _SIGNED else shown


def whole_secret(value: str) -> str:
    """The replacement for a value that must not be shown at all."""
    return MASK if value else ""


def secret_path(url: str) -> str:
    """A URL without its path, which is a secret for many services."""
    shown = shown_url(url)
    scheme, mark, rest = shown.partition("://")
    place = re.split(r"[/?]", rest)[0].rpartition("@")[2]
    return f"{scheme}://{place}/{MASK}" if mark and place != MASK else shown
