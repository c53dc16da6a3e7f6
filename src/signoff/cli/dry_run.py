"""The dry run of a command that changes something: the request that it would send, printed instead of sent."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from signoff.cli.text_safety import safe_json, visible
from signoff.core.text.masking import masked

if TYPE_CHECKING:
    import httpx2

FIELDS: Final = ("dry_run", "method", "path", "idempotency_key", "body")
_READS: Final = ("GET", "HEAD")
# They are posted because they carry a document, and change nothing.
_ONLY_CHECKS: Final = ("/v1/scenarios/validate",)


@dataclass
class Unsent(Exception):
    """Ends a dry run: the first request that would change something, which was not sent."""

    request: "httpx2.Request"

    def record(self, given_key: str | None) -> dict[str, Any]:
        """The request as data. ``given_key``: the idempotency key that the caller chose; a real run would make up
        another one than this run has, so that one is left out.
        """
        body = self.request.content
        record: dict[str, Any] = {
            "dry_run": True,
            "method": self.request.method,
            "path": self.request.url.raw_path.decode("ascii"),
            "body": masked(json.loads(body)) if body else None,
        }
        return record | ({"idempotency_key": given_key} if given_key else {})


def changes_something(request: "httpx2.Request") -> bool:
    """Whether the server may change something when it gets this request."""
    if request.method in _READS or request.url.path in _ONLY_CHECKS:
        return False
    return bool(request.url.params.get("dry_run") != "true")


def request_lines(record: dict[str, Any]) -> list[str]:
    """The request for a person to read, and to send with another program."""
    lines = [f"{record['method']} {record['path']}"]
    if key := record.get("idempotency_key"):
        lines.append(f"Idempotency-Key: {key}")
    lines += safe_json(record["body"], indent=2).splitlines() if record["body"] is not None else []
    return [visible(line) for line in lines]
