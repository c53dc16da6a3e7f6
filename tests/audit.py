"""``make check``: looks up known vulnerabilities of the packages that requirements.lock pins and of this interpreter
in a public advisory database. If the database cannot be reached, it prints that and succeeds.
"""

import json
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

from signoff.interpreter import warnings

SOURCE = "https://api.osv.dev/v1/querybatch"
LOCK = Path(__file__).parents[1] / "requirements.lock"
_PINNED = re.compile(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_SECONDS = 5.0


def pinned(text: str) -> list[tuple[str, str]]:
    """(name, version) of every package that a lock file pins."""
    return sorted(set(_PINNED.findall(text)))


def advisories(packages: list[tuple[str, str]], source: str = SOURCE) -> dict[str, list[str]] | None:
    """The known vulnerabilities of each affected package, by name and version; None without access to the database."""
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages
    ]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(source, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            results: Any = json.load(answer)["results"]
            if len(results) != len(packages):
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found: dict[str, list[str]] = {}
    for (name, version), result in zip(packages, results, strict=True):
        ids = [str(one.get("id")) for one in (result or {}).get("vulns") or ()]
        if ids:
            found[f"{name} {version}"] = ids
    return found


def main(source: str = SOURCE) -> int:
    """Returns the exit code: 1 if a package has a known vulnerability."""
    for warning in warnings():
        print(f"warning: {warning}")
    packages = pinned(LOCK.read_text("utf-8"))
    found = advisories(packages, source)
    if found is None:
        print("Dependencies: not audited, no advisory source reachable.")
        return 0
    for package, ids in found.items():
        print(f"Dependencies: {package} has known holes: {', '.join(ids)}")
    if not found:
        print(f"Dependencies: {len(packages)} packages audited, no known holes.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
