"""Summarizes a request in one line, by the first short values of its payload."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from signoff.core.text.amounts import currency_field, is_money, money_text, number_text
from signoff.core.text.json_diff import show_named
from signoff.core.text.json_paths import member_path, readable_path
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
    """The first short values, as (field, value). Values that the request affects come first; the requester's own
    claims are left out.
    """
    with_amounts = {
        _shown_currency(name, value, payload) for name, value in payload.items() if is_money(name)
    }
    short = (
        (readable_path(member_path("", name)), text)
        for name, value in sorted(payload.items(), key=lambda one: one[0].lower() not in AFFECTED)
        if name not in with_amounts
        and name.lower() not in CLAIMS
        and (text := _short(name, value, payload))
        and not hides(value, name)
    )
    return tuple(islice(short, most))


def _shown_currency(name: str, value: Any, payload: Mapping[str, Any]) -> str:
    """The field next to an amount whose currency the amount is shown with; "" if there is none."""
    field = currency_field(name, payload)
    text = number_text(name, value, payload) if field and len(str(value)) <= _LONGEST else None
    return field if text and text.endswith(f" {payload[field]}") else ""


def _short(name: str, value: Any, payload: Mapping[str, Any]) -> str:
    """The value as one short line; "" if it does not fit one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return money_text(value) or ""
    text = show_named(value, (name, payload)) if len(str(value)) <= _LONGEST else ""
    return text if "\n" not in text else ""
