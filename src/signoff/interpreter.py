"""Known vulnerabilities of Python. The server checks for them at startup, and so does ``make check``."""

import sys
from typing import Final, NamedTuple


class Vulnerability(NamedTuple):
    """``fixed``: the first fixed release of each minor version; newer minor versions were never affected."""

    name: str
    about: str
    fixed: tuple[tuple[int, int, int], ...]


ADVISORIES: Final = (
    Vulnerability(
        "CVE-2024-7592",
        "parsing a cookie header with backslashes takes quadratic time",
        ((3, 11, 10), (3, 12, 6)),
    ),
)


def vulnerabilities(version: tuple[int, int, int] = sys.version_info[:3]) -> list[Vulnerability]:
    """The vulnerabilities of this interpreter."""
    return [one for one in ADVISORIES if any(version[:2] == fix[:2] and version < fix for fix in one.fixed)]


def warnings(version: tuple[int, int, int] = sys.version_info[:3]) -> list[str]:
    """A sentence for each vulnerability."""
    number = ".".join(map(str, version))
    return [
        f"Python {number} has a known vulnerability, {found.name}: {found.about}. It is fixed in "
        + " and ".join(".".join(map(str, fix)) for fix in found.fixed if fix[:2] == version[:2])
        + "; update it."
        for found in vulnerabilities(version)
    ]
