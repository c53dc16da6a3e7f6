"""Amounts and counts in readable form: digits are grouped, and an amount has its currency. Other numbers, such as an
order's number, are left unchanged.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

# The last word of a field's name.
_MONEY: Final = frozenset({
    "amount", "balance", "budget", "charge", "cost", "costs", "credit", "fee", "fees", "payment", "payout", "price",
    "refund", "revenue", "salary", "spend", "subtotal", "sum", "tax", "total",
})  # fmt: skip
COUNTS: Final = frozenset({
    "count", "rows", "rows_affected", "affected", "records", "customers", "users", "recipients",
})  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
# Numbers as JSON writes them. Numbers with leading zeros or other digits are shown unchanged, or two values would
# look alike.
_WHOLE: Final = "(?:0|[1-9][0-9]{0,23})"
_NUMBER: Final = re.compile(rf"(-?)({_WHOLE})(\.[0-9]{{1,12}})?")
_QUANTITY: Final = re.compile(rf"(-?{_WHOLE}(?:\.[0-9]{{1,12}})?) ([A-Z]{{3}})")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_BESIDE: Final = ("currency", "currency_code", "currencyCode")
_VALUES: Final = ("amount", "value")
_LONGEST_NAME: Final = 64


def is_money(name: str) -> bool:
    """Whether a field of this name holds an amount of money."""
    words = _WORD.findall(name[-_LONGEST_NAME:])
    return bool(words) and words[-1].lower() in _MONEY


def currency_field(name: str, beside: Mapping[str, Any]) -> str:
    """The field next to an amount that contains its currency; "" if there is none."""
    if not is_money(name) and name not in _VALUES:
        return ""
    fields = (f"{name}_currency", f"{name}Currency", *_BESIDE)
    return next((field for field in fields if _is_currency(beside.get(field))), "")


def number_text(name: str, value: Any, beside: Mapping[str, Any]) -> str | None:
    """``4,200.50 EUR``, ``1,840,221``; None if this is neither an amount nor a count. ``beside``: the object that
    contains the field.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        if found := _QUANTITY.fullmatch(value):
            return f"{_grouped(found[1], money=True)} {found[2]}"
        if not (is_money(name) and _NUMBER.fullmatch(value)):
            return None
        text = value
    else:
        text = msgspec.json.encode(value).decode()
    field = currency_field(name, beside)
    if not (field or is_money(name) or name.lower() in COUNTS):
        return None
    grouped = _grouped(text, money=bool(field))
    return f"{grouped} {beside[field]}" if field else grouped


def money_text(value: Any) -> str | None:
    """An object that is an amount: ``{"amount": 4200, "currency": "EUR"}``."""
    if not isinstance(value, Mapping) or len(value) != 2:
        return None
    name = next((name for name in _VALUES if name in value), "")
    return number_text(name, value[name], value) if name and currency_field(name, value) else None


def _is_currency(value: object) -> bool:
    return isinstance(value, str) and _CURRENCY.fullmatch(value) is not None


def _grouped(text: str, *, money: bool) -> str:
    found = _NUMBER.fullmatch(text)
    if found is None:  # with an exponent
        return text
    fraction = found[3] or ""
    if fraction == ".0":
        fraction = ""
    return f"{found[1]}{int(found[2]):,}{fraction.ljust(3, '0') if money and fraction else fraction}"
