"""The cookies of a request, read once and in one pass; only those that are ours."""

from typing import Final

_OURS: Final = ("signoff_", "__Host-signoff_")


def read_cookies(header: str) -> dict[str, str]:
    """Our cookies by name, the last one of a duplicate. Values are tokens: none is ever quoted or escaped."""
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.startswith(_OURS):
            found[name.rstrip()] = value.strip()
    return found
