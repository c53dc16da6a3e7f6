"""Titles with placeholders: what an author may write, and that a requester's values stay values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.intent.notifications import Notification, NotificationKind, with_values
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.title_template import (
    LONGEST_VALUE,
    TemplateError,
    filled,
    has_fields,
    missing,
    parse,
    searched_part,
    unfilled,
)
from signoff.core.plan.wording import (
    missing_from_titles,
    misspelled_in_titles,
    question,
    question_template,
    record_title,
    title_of,
)
from signoff.core.text.amounts import is_money, money_text, number_text
from signoff.core.text.hidden_characters import hidden
from signoff.core.text.json_diff import show_named
from signoff.core.text.json_text import MAX_INTEGER

REFUND = "Refund {amount} to {customer.name}?"


def compiled(title: str) -> tuple[Plan, HumanStep]:
    source = {
        "workflow": "refund",
        "intent_type": "intent.pay.refund.v1",
        "steps": [{"id": "ask", "human": {"type": "approval", "title": title}, "deadline": "1d"}],
    }
    plan = compile_workflow(source).plan
    step = plan.by_id["ask"]
    assert isinstance(step, HumanStep)
    return plan, step


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"amount": 4200, "currency": "EUR", "customer": {"name": "ACME"}}, "Refund “4,200 EUR” to “ACME”?"),
        ({"amount": 1250000.5, "customer": {"name": "ACME"}}, "Refund “1,250,000.5” to “ACME”?"),
        ({"amount": 4200.5, "currency": "EUR", "customer": {}}, "Refund “4,200.50 EUR” to [customer.name]?"),
        ({"amount": {"value": 7, "currency": "USD"}, "customer": None}, "Refund “7 USD” to [customer.name]?"),
        ({"amount": "48200000 EUR", "customer": "ACME"}, "Refund “48,200,000 EUR” to [customer.name]?"),
        ({"amount": [1, 2], "customer": {"name": {"first": "A"}}}, "Refund “2 items” to “1 field”?"),
        (
            {"amount": ["eu", "us"], "customer": {"name": ["x" * 60, "y"]}},
            "Refund “eu, us” to “2 items”?",
        ),
        ({"amount": ["token=hunter2hunter2", "us"]}, "Refund “2 items” to [customer.name]?"),
        ({"amount": True, "customer": {"name": ""}}, "Refund “yes” to [customer.name]?"),
        ({"amount": None, "customer": {"name": False}}, "Refund [amount] to “no”?"),
        ({}, "Refund [amount] to [customer.name]?"),
    ],
)
def test_title_shows_the_values_of_its_fields(payload: dict[str, Any], shown: str) -> None:
    assert filled(REFUND, payload) == shown
    plan, step = compiled(REFUND)
    assert question(plan, step, "intent.pay.refund.v1", payload) == shown
    assert title_of(plan, step, payload) == shown


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Set {{x}} to {x}?", "Set {x} to “1”?"),
        ("{{{x}}}", "{“1”}"),
        ("{x}{x}", "“1”“1”"),
        ("No fields?", "No fields?"),
        ("}}{{", "}{"),
        ("{x}" * 8, "“1”" * 8),
        ("{a.b.c.d.e.f}", "“deep”"),
    ],
)
def test_double_braces_are_literal_braces(title: str, shown: str) -> None:
    assert filled(title, {"x": 1, "a": {"b": {"c": {"d": {"e": {"f": "deep"}}}}}}) == shown


def test_currency_named_by_the_title_is_not_repeated() -> None:
    payload = {"amount": 4200, "currency": "EUR", "order": {"total": 1000, "currency": "USD"}}
    assert filled("Pay {amount} {currency}?", payload) == "Pay “4,200” “EUR”?"
    assert filled("Pay {order.total} {order.currency}?", payload) == "Pay “1,000” “USD”?"
    assert filled("Pay {order.total} {currency}?", payload) == "Pay “1,000 USD” “EUR”?"


@pytest.mark.parametrize(
    ("title", "problem"),
    [
        ("Set {}", "contains {}, which names no field"),
        ("Set { x }", "contains { x }, which names no field"),
        ("Set {0}", "which names no field"),
        ("Set {x!r}", "which names no field"),
        ("Set {x:>9}", "which names no field"),
        ("Set {x[0]}", "which names no field"),
        ("Set {x.}", "which names no field"),
        ("Set {x.__class__.__init__}x{y(}", "which names no field"),
        ("Set {x", "contains { without its counterpart"),
        ("Set x}", "contains } without its counterpart"),
        ("Set {{x}", "contains } without its counterpart"),
        ("Pay ${amount}", "contains ${amount}"),
        ("{a.b.c.d.e.f.g}", "names a field 7 levels deep"),
        ("{a}" * 9, "names 9 fields"),
        ("{" + "a" * 65 + "}", "which names no field"),
    ],
)
def test_invalid_title_template_is_refused_with_the_reason(title: str, problem: str) -> None:
    with pytest.raises(Invalid) as error:
        compiled(title)
    assert (error.value.code, error.value.field) == ("invalid_title_template", "steps.ask.human.title")
    assert problem in error.value.message
    assert error.value.hint
    assert filled(title, {"x": "secret", "amount": 1}) == title  # kept from before there were templates


def test_attributes_of_a_value_are_not_fields() -> None:
    assert filled("{x.__class__}", {"x": "text"}) == "[x.__class__]"


@pytest.mark.parametrize(
    ("payload", "title"),
    [
        ({"password": "hunter2"}, "Set {password}"),
        ({"db": {"pin": 1234}}, "Set {db.pin}"),
        ({"secret": {"user": "hunter2"}}, "Set {secret.user}"),
        ({"env": {"name": "DB_PASSWORD", "value": "hunter2"}}, "Set {env.value}"),
        ({"url": "postgres://app:hunter2@db/x"}, "Open {url}"),
        ({"token": ["hunter2"]}, "Use {token}"),
    ],
)
def test_secret_in_a_title_is_masked(payload: dict[str, Any], title: str) -> None:
    shown = filled(title, payload)
    assert "hunter2" not in shown
    assert "1234" not in shown
    assert "“" in shown
    assert "fingerprint" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ACME” approved by the board “", "“ACME' approved by the board '”"),
        ("a\nb\tc   d", "“a b c d”"),
        ("\u202eevil\u202c", "“U+202EevilU+202C”"),
        ("x\x1b[2J", "“xU+001B[2J”"),
        ("{amount}", "“{amount}”"),
        ("<b>*x*</b>", "“<b>*x*</b>”"),
        ("x" * 60, "“" + "x" * 60 + "”"),
        ("x" * 61, "“" + "x" * 59 + "…”"),
        ("ACME" + " " * 996, "“ACME”"),
        ("ACME" + " " * 996 + "Ltd", "“ACME…”"),
        (" " * 1000 + "ACME", "“…”"),
    ],
)
def test_value_is_one_short_line_that_cannot_close_its_quotation_marks(value: str, shown: str) -> None:
    assert filled("{x}", {"x": value, "amount": 1}) == shown


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False)
    | st.text()
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3)


@given(st.recursive(SCALARS, nested))
def test_title_is_one_line_of_bounded_length_for_any_value(value: Any) -> None:
    shown = filled("{x} {x.a.b}", {"x": value})
    assert len(shown) <= 2 * (LONGEST_VALUE + 2) + len("[x.a.b]")
    assert not any(hidden(one) or one == "\n" for one in shown)
    assert shown.count("“") == shown.count("”") <= 2


@given(st.text(alphabet="{}a.$ x", max_size=40))
def test_every_title_is_a_template_or_is_refused(title: str) -> None:
    try:
        parts = parse(title)
    except TemplateError:
        assert filled(title, {}) == title
    else:
        assert unfilled(title) == "".join(p if isinstance(p, str) else f"[{p.name}]" for p in parts)


@pytest.mark.parametrize(
    "payload",
    [
        {"x": "a=" * 500_000},
        {"x": {"amount": "a=" * 250_000, "currency": "b=" * 250_000}},
        {"x": "a", "name": "b=" * 500_000},
        {"x": [{"note": "a=" * 500_000}]},
    ],
)
def test_only_the_start_of_a_long_value_is_searched_for_secrets(payload: dict[str, Any]) -> None:
    assert len(str(searched_part(("x",), [payload], payload["x"]))) < 10_000


def test_secret_at_the_start_of_a_long_value_is_masked() -> None:
    for secret in (
        "Bearer " + "q7" * 3000,
        "postgres://ann:hunter2@db/" + "x" * 9000,
        "sgn_person_" + "A1b2" * 2000,
    ):
        assert not any(part in filled("{x}", {"x": secret}) for part in ("q7q7", "hunter2", "A1b2A1b2"))


def test_long_value_is_filled_in_linear_time() -> None:
    assert filled("{x}", {"x": "a " * 500_000}) == "“" + ("a " * 30).strip()[:59].rstrip() + "…”"


def test_records_keep_field_names_and_no_values() -> None:
    plan, step = compiled(REFUND)
    assert record_title(plan, step) == "Refund [amount] to [customer.name]?"
    assert question_template(plan, step, "x") == REFUND
    assert title_of(plan, step, b'{"amount": 5}') == "Refund “5” to [customer.name]?"
    assert title_of(plan, step, b"") == title_of(plan, step, b"[1]") == record_title(plan, step)
    assert (has_fields("x"), has_fields(REFUND)) == (False, True)


def test_title_of_a_requester_is_never_filled() -> None:
    plan, step = compiled(REFUND)
    theirs = Plan(steps=plan.steps, source="intent")
    assert title_of(theirs, step, {"amount": 5}) == record_title(theirs, step) == REFUND
    assert question(theirs, step, "intent.pay.refund.v1", {"amount": 5}).endswith(": pay refund")
    assert "{" not in question_template(theirs, step, "intent.pay.refund.v1")


# -- amounts


@pytest.mark.parametrize(
    ("name", "value", "beside", "text"),
    [
        ("amount", 48200000, {}, "48,200,000"),
        ("totalPrice", "1234.5", {"currency": "EUR"}, "1,234.50 EUR"),
        ("net_total", -4200, {"net_total_currency": "CHF", "currency": "EUR"}, "-4,200 CHF"),
        ("rows_affected", 1840221, {}, "1,840,221"),
        ("fee", 4200.0, {"currency": "EUR"}, "4,200 EUR"),
        ("amount", 1e22, {"currency": "EUR"}, "1e22 EUR"),
        ("amount", "12,5", {"currency": "EUR"}, None),
        ("amount", 5, {"currency": "euro\n"}, "5"),
        ("amount", 5, {"currency": "EURO"}, "5"),
        ("amount", "9" * 24, {}, ",".join(["999"] * 8)),
        ("amount", "9" * 25, {}, None),
        ("amount", "1." + "5" * 12, {}, "1." + "5" * 12),
        ("amount", "1." + "5" * 13, {}, None),
        ("note", "48200000 EUR", {}, "48,200,000 EUR"),
        ("order", 123456, {"currency": "EUR"}, None),
        ("port", 54321, {}, None),
        ("amount", True, {}, None),
        ("amount", [1], {}, None),
        ("amount", "007", {}, None),
    ],
)
def test_amounts_and_counts_are_grouped_and_other_numbers_are_not(
    name: str, value: Any, beside: dict[str, Any], text: str | None
) -> None:
    assert number_text(name, value, beside) == text


def test_object_may_be_an_amount() -> None:
    assert money_text({"amount": 4200, "currency": "EUR"}) == "4,200 EUR"
    assert money_text({"value": "4200", "currency": "EUR"}) is None
    assert money_text({"value": 4200, "currency": "EUR"}) == "4,200 EUR"
    assert money_text({"amount": 4200, "currency": "EUR", "to": "ACME"}) is None, (
        "it says more than an amount"
    )
    for other in ({"amount": 4200}, {"amount": 1, "currency": 2}, {"a": 1, "currency": "EUR"}, 5, None):
        assert money_text(other) is None
    assert not is_money("")
    assert is_money("x" * 500 + "_amount")


def test_notification_title_is_filled_when_it_is_sent() -> None:
    asks = Notification(
        kind=NotificationKind.TASK_OPENED,
        intent="i",
        workspace="w",
        seq=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        intent_type="intent.pay.refund.v1",
        title="Pay {amount}?",
    )
    assert with_values(asks, b'{"amount": 5, "currency": "EUR"}').title == "Pay “5 EUR”?"
    assert with_values(asks, b"").title == "Pay [amount]?"
    plain = replace(asks, title="Pay?")
    assert with_values(plain, b'{"amount": 5}') is plain


@pytest.mark.parametrize(
    "value", ["0042 ABC", "007", "00", "1\u06623", "\uff11\uff10\uff10", "-01.5", "12 \uff21BC"]
)
def test_number_that_is_not_in_json_notation_is_shown_unchanged(value: str) -> None:
    assert number_text("amount", value, {"currency": "EUR"}) is None
    assert show_named(value, ("plate", {})) == value


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ({"amount": 0, "customer": {"name": False}}, ()),
        (
            {"amuont": 3, "customer": {"nam": "ACME"}},
            (("amount", "amuont"), ("customer.name", "customer.nam")),
        ),
        ({"amount": None, "customer": {"name": ""}}, (("amount", ""), ("customer.name", ""))),
        ({"amount": 3, "customer": "ACME"}, (("customer.name", ""),)),
        ({"amount": 3, "costumer": {"name": "ACME"}}, (("customer.name", "costumer"),)),
        ({"amount": 3, "zebra": 1}, (("customer.name", ""),)),
        ({"amount": 3, "custome" + "r" * 65: 1}, (("customer.name", ""),)),
        (None, (("amount", ""), ("customer.name", ""))),
    ],
)
def test_missing_lists_fields_that_the_payload_lacks(payload: Any, fields: tuple[Any, ...]) -> None:
    assert missing(REFUND, payload) == fields
    assert missing("Refund {amount} and {amount}?", {}) == (("amount", ""),)
    assert missing("{{amount}} {", {}) == missing("Refund?", {}) == ()


@given(
    st.dictionaries(st.sampled_from(["amount", "amuont", "customer"]), st.none() | st.text() | st.integers())
)
def test_field_is_missing_exactly_if_its_name_is_shown(payload: dict[str, Any]) -> None:
    for name in ("amount", "customer"):
        shown = filled(f"{{{name}}}", payload)
        assert (shown == f"[{name}]") == bool(missing(f"{{{name}}}", payload))


def test_missing_fields_are_reported_for_workflow_titles_only() -> None:
    plan, _ = compiled(REFUND)
    assert missing_from_titles(plan, b'{"amuont": 3, "customer": {"name": "ACME"}}') == (
        "step 'ask': its title names {amount}, which the payload lacks or leaves empty; approvers see [amount]. "
        "Did you mean 'amuont'?",
    )
    assert missing_from_titles(plan, b'{"amount": null, "customer": {"name": "ACME"}}') == (
        "step 'ask': its title names {amount}, which the payload lacks or leaves empty; approvers see [amount]",
    )
    assert missing_from_titles(plan, b'{"amount": 3, "customer": {"name": "ACME"}}') == ()
    assert missing_from_titles(replace(plan, source="request"), b"{}") == ()
    assert missing_from_titles(compiled("Refund?")[0], b"{}") == ()


@pytest.mark.parametrize(
    ("title", "meant"),
    [
        ("Refund {amout}?", ["amount"]),
        ("Refund {amout} to {custmer.id}, {amout}?", ["amount", "customer.id"]),
        ("Refund {amount} to {customer.id} in {zone}?", []),
        ("Refund {order}?", []),
    ],
)
def test_a_title_is_compared_with_the_fields_that_the_workflow_names(title: str, meant: list[str]) -> None:
    human = {
        "title": title,
        "policy": [{"when": {"amount": {"at_least": 100}}, "use": "high"}, {"use": "low"}],
    }
    source = {
        "workflow": "refund",
        "intent_type": "intent.pay.refund.v1",
        "target": ["customer.id"],
        "steps": [{"id": "ask", "human": human}],
    }
    found = misspelled_in_titles(compile_workflow(source).plan)
    assert [text.split("'")[-2] for text in found] == meant
    assert all(text.startswith("step 'ask': its title names {") for text in found)
