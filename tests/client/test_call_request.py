"""The request for a gated call: idempotency key, payload, and permitted edits."""

import inspect
from typing import Any, Literal

import pytest

from signoff import InvalidEdit
from signoff.client.call_request import CallSignature, call_request, same_json

pytestmark = pytest.mark.windows


def refund(order: str, amount: float, currency: Literal["EUR", "USD"] = "EUR", *notes: str) -> None: ...


def key(**changes: Any) -> str:
    given: dict[str, Any] = {"name": "refund", "arguments": {"order": "A", "amount": 10}, "key": ""}
    return call_request(**{**given, **changes}).key()


def test_equal_calls_have_equal_keys() -> None:
    assert key() == key(arguments={"amount": 10.0, "order": "A"})
    keys = [
        key(),
        key(key="B"),
        key(name="pay"),
        key(arguments={"order": "A", "amount": 11}),
        key(arguments={"order": "A", "amount": "10"}),
        key(arguments={"order": "A", "amount": True}),
        key(arguments={"order": "A", "amount": [10]}),
    ]
    assert len({*keys}) == len(keys)
    call = call_request("refund", {})
    assert len({call.key(), call.key(1), call.key(2)}) == 3


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "the argument db is a object"),
        ({1: 2}, "the argument db has the key 1, which is not text"),
        ([{"a": float("nan")}], r"the argument db\[0\]\.a is nan"),
        (2**60, "the argument db is an integer beyond"),
        ("\ud800", "the argument db contains half of a surrogate pair"),
        ("(hidden) 00", "looks like a hidden one"),
    ],
)
def test_argument_that_is_not_json_is_refused_by_name(value: object, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        call_request("refund", {"order": "A", "db": value})


def test_hidden_argument_affects_the_key_but_cannot_be_read_or_guessed() -> None:
    def call(pin: str, secret: str = "s") -> Any:
        return call_request("pay", {"pin": pin, "to": "A"}, hide=["pin"], secret=secret)

    one = call("1234")
    assert "1234" not in repr(one) + str(one.payload) + one.key()
    assert one.payload["to"] == "A"
    assert call("1234").key() == one.key()
    assert call("1235").key() != one.key()
    assert call("1234", "another").payload != one.payload
    assert one.approved(one.payload) == {"pin": "1234", "to": "A"}
    assert one.approved({**one.payload, "to": "B"}) == {"pin": "1234", "to": "B"}
    with pytest.raises(InvalidEdit, match="pin of pay is hidden"):
        one.approved({**one.payload, "pin": "9"})
    with pytest.raises(TypeError, match="no argument to hide named pim"):
        call_request("pay", {"pin": "1"}, hide=["pim"])


def test_unedited_arguments_are_the_callers_own_objects() -> None:
    lines = ({"sku": "x"},)
    call = call_request("order", {"lines": lines, "price": 1.0})
    back = call.approved({"lines": [{"sku": "x"}], "price": 1})
    assert back["lines"] is lines
    assert isinstance(back["price"], float)
    assert not call.edited({"lines": [{"sku": "x"}], "price": 1})
    assert call.edited({"lines": [], "price": 1})


@pytest.mark.parametrize("payload", [{"a": 1}, {"a": 1, "b": 2, "c": 3}, {}])
def test_edit_that_adds_or_removes_arguments_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidEdit, match="adds or removes arguments"):
        call_request("f", {"a": 1, "b": 2}).approved(payload)


def test_edit_must_match_the_annotations() -> None:
    signature = CallSignature(refund)
    bound = signature.bind(("A", 10), {})
    whole = signature.arguments(bound)
    assert whole == {"order": "A", "amount": 10, "currency": "EUR", "notes": ()}
    fit = signature.apply(bound, {**whole, "amount": 5, "currency": "USD", "notes": ["late"]})
    assert (fit.args, fit.kwargs) == (("A", 5.0, "USD", "late"), {})
    for wrong in ({"amount": "5"}, {"currency": "GBP"}, {"notes": [1]}, {"order": None}):
        name = next(iter(wrong))
        with pytest.raises(InvalidEdit, match=f"the argument {name}"):
            signature.apply(signature.bind(("A", 10), {}), {**whole, **wrong})


def test_annotation_without_a_json_type_accepts_any_value() -> None:
    def f(a, b: "Missing"):  # type: ignore[no-untyped-def,name-defined]  # noqa: F821
        ...

    signature = CallSignature(f)
    assert signature.apply(signature.bind((1, 2), {}), {"a": "x", "b": [1]}).args == ("x", [1])


def test_self_and_omitted_parameters_are_not_sent() -> None:
    class Shop:
        def refund(self, db: object, order: str) -> None: ...

    signature = CallSignature(Shop.refund, omit=["db"])
    bound = signature.bind((Shop(), object(), "A"), {})
    assert signature.arguments(bound) == {"order": "A"}
    assert CallSignature(refund).arguments(inspect.signature(refund).bind("A", 1)) == {
        "order": "A",
        "amount": 1,
    }
    with pytest.raises(TypeError, match="no parameter to omit named dd"):
        CallSignature(Shop.refund, omit=["dd"])


def test_same_json_compares_values_as_json() -> None:
    assert same_json({"a": 1.0, "b": (1, 2)}, {"b": [1, 2], "a": 1})
    assert not same_json(True, 1)
    assert not same_json(None, "")
