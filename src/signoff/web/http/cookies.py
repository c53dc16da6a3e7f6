"""Reads our own cookies of a request, in one pass."""

from typing import Final

_OURS: Final = ("signoff_", "__Host-signoff_")


def read_cookies(header: str) -> dict[str, str]:
    """Our cookies by name; of duplicates, the last one counts. Values are tokens, so none is quoted or escaped."""
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.startswith(_OURS):
            found[name.rstrip()] = value.strip()
    return found
