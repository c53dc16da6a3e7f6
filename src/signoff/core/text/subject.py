"""What a request is about, in one line: the first short values of its payload."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from signoff.core.text.json_diff import show
from signoff.core.text.json_paths import member_path
from signoff.core.text.masking import hides

# Names of fields that say what a request affects.
AFFECTED: Final = frozenset({
    "target", "targets", "environment", "env", "cluster", "database", "db", "region", "host", "hosts",
    "namespace", "tenant", "tenants", "scope", "table", "tables", "count", "rows", "rows_affected",
    "affected", "records", "customers", "users", "recipients", "amount", "currency", "cost", "price",
    "total", "locks_table", "downtime", "blast_radius",
})  # fmt: skip
# Names of fields in which the requester argues for it.
CLAIMS: Final = frozenset({
    "reason", "reasoning", "why", "justification", "rationale", "explanation", "summary", "note", "notes",
    "message", "narrative", "doubt", "doubts", "confidence", "concern", "concerns", "comment",
})  # fmt: skip
_LONGEST: Final = 60


def subject(payload: Mapping[str, Any], most: int) -> tuple[tuple[str, str], ...]:
    """(field, value) of the first short values: the request at a glance. Values that it affects come first; the
    requester's own claims about it are left out.
    """
    short = (
        (member_path("", name), show(value))
        for name, value in sorted(payload.items(), key=lambda one: one[0].lower() not in AFFECTED)
        if isinstance(value, str | int | float)
        and not isinstance(value, bool)
        and name.lower() not in CLAIMS
        and 0 < len(show(value)) <= _LONGEST
        and "\n" not in show(value)
        and not hides(value, name)
    )
    return tuple(islice(short, most))
