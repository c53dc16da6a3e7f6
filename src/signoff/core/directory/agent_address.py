"""Addresses of agents. ``agent://organization/workspace/name`` is the canonical form; AXP's clients also write
``organization/workspace/name``, a bare name, or an alias of one or two parts. The name of a person, or one with
another scheme, is left unchanged. An unknown address is stored; a malformed one is refused.
"""

import re
import unicodedata
from typing import Final

from signoff.core.errors import Invalid

SCHEME: Final = "agent://"
INTERNAL: Final = "agent://agent_core"
_INTERNAL_NAME: Final = "agent_core"
# A part of an address: the name of an organization or a workspace.
PLACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
PLACE_IS: Final = "a name of 1 to 63 lowercase letters, digits and hyphens"
LONGEST: Final = 383
_LONGEST_NAME: Final = 63
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FORBIDDEN_IN_PATH: Final = re.compile(r"[\s?#%]")
_OTHER_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.+")
_UNFIT: Final = re.compile(r"[^a-z0-9._\-]+")


def written(text: object, field: str = "to_agent") -> str:
    """The address as written, trimmed, with a shortened ``agent:/`` repaired; raises Invalid if it is malformed."""
    if not isinstance(text, str):
        raise _malformed(field, "is not text")
    address = text.strip()
    if address.startswith("agent:"):
        address = SCHEME + address.removeprefix("agent:").removeprefix("/").removeprefix("/")
    if not 1 <= len(address) <= LONGEST:
        raise _malformed(field, f"has {len(address)} characters; 1 to {LONGEST} are allowed")
    if _FORBIDDEN.search(address):
        raise _malformed(field, "contains control characters")
    parts = parts_of(address)
    if len(parts) > 3 or not all(part.strip() for part in parts):
        raise _malformed(field, "has an empty part, or more than three")
    if (len(parts) > 1 or address.startswith(SCHEME)) and _FORBIDDEN_IN_PATH.search(address):
        raise _malformed(field, "contains a space or one of ? # %")
    return address


def parts_of(address: str) -> tuple[str, ...]:
    """(organization, workspace, name), (anything, name) or (name,); empty for persons and other schemes."""
    if is_person(address) or (_OTHER_SCHEME.fullmatch(address) and not address.startswith(SCHEME)):
        return ()
    return tuple(address.removeprefix(SCHEME).split("/"))


def canonical(text: object, organization: str = "", workspace: str = "", *, field: str = "to_agent") -> str:
    """The canonical form of an address, as seen from a workspace; raises Invalid("invalid_agent_address") if it is
    malformed.

    Three parts are complete. A bare name belongs to the given organization and workspace. Every spelling of the
    internal runtime becomes ``agent://agent_core``. An alias of two parts, a person, and other schemes are returned
    unchanged.
    """
    address = written(text, field)
    if is_internal(address):
        return INTERNAL
    parts = parts_of(address)
    if not parts:
        return address
    if len(parts) == 1:
        name = slug(parts[0], field)
        return f"{SCHEME}{organization}/{workspace}/{name}" if organization and workspace else SCHEME + name
    return SCHEME + "/".join(parts)


def slug(name: str, field: str = "name") -> str:
    """Build the name part of an address from any name (``Demo Runner`` -> ``demo-runner``), or from the last part of
    an address: at most 63 lower case letters, digits, ``.``, ``_`` and ``-``. Raises Invalid if nothing usable is
    left, or if the name is the internal runtime's.
    """
    last = name.removeprefix(SCHEME).rsplit("/", 1)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    fit = _UNFIT.sub("-", plain).strip("-._")
    if not 1 <= len(fit) <= _LONGEST_NAME:
        raise _malformed(field, f"must leave 1 to {_LONGEST_NAME} letters and digits for an address")
    if fit == _INTERNAL_NAME:
        raise _malformed(field, f"{_INTERNAL_NAME} is the name of the internal runtime")
    return fit


def is_internal(address: str) -> bool:
    """Whether this is the internal runtime: ``agent_core`` alone, or as the last part."""
    return parts_of(address)[-1:] == (_INTERNAL_NAME,)


def is_person(address: str) -> bool:
    """Whether this names a human: an e-mail address, a nickname, or AXP's literal ``human``."""
    return address in ("human", "agent://human") or ("@" in address and "/" not in address)


def _malformed(field: str, problem: str) -> Invalid:
    return Invalid(
        "invalid_agent_address",
        f"{field}: {problem}.",
        field=field,
        hint="Write agent://organization/workspace/name, or a bare name.",
    )
