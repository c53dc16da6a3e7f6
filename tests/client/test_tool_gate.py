"""What all framework adapters share: verdicts, and whether JSON matches a schema."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from signoff.integrations.tools import ToolGate, Verdict, misfit
from signoff.testing import Server

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "amount": {"type": "integer"},
        "rate": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
        "fixed": {"const": 1},
        "to": {"$ref": "#/$defs/Person"},
        "either": {"type": ["string", "boolean"]},
    },
    "required": ["name"],
    "$defs": {"Person": {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}},
}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": "x", "amount": 1, "rate": 1, "tags": ["a"], "note": None, "kind": "a", "fixed": 1}, ""),
        ({"name": "x", "amount": 1.0, "to": {"age": 3}, "either": True, "unknown": object()}, ""),
        ({}, "edit.name is missing"),
        ({"name": None}, "edit.name is not string"),
        ({"name": "x", "amount": True}, "edit.amount is not integer"),
        ({"name": "x", "amount": 1.5}, "edit.amount is not integer"),
        ({"name": "x", "rate": "1"}, "edit.rate is not number"),
        ({"name": "x", "tags": ["a", 1]}, "edit.tags[1] is not string"),
        ({"name": "x", "note": 1}, "edit.note does not fit any of its types"),
        ({"name": "x", "kind": "c"}, "edit.kind is none of ['a', 'b']"),
        ({"name": "x", "fixed": 2}, "edit.fixed is not 1"),
        ({"name": "x", "to": {"age": "3"}}, "edit.to.age is not integer"),
        ({"name": "x", "either": 1}, "edit.either is not string or boolean"),
        ([], "edit is not object"),
    ],
)
def test_misfit_names_where_json_violates_the_schema(value: Any, fault: str) -> None:
    assert misfit(value, SCHEMA, "edit") == fault


def test_recursive_schema_is_checked_to_the_depth_of_the_value() -> None:
    tree = {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"properties": {"next": {"$ref": "#/$defs/T"}, "n": {"type": "integer"}}}},
    }
    assert misfit({"next": {"next": {"n": "x"}}}, tree, "t") == "t.next.next.n is not integer"
    assert misfit({}, {"$ref": "#/$defs/Missing"}, "t") == ""
    assert misfit({}, {"$ref": "#/$defs/T", "$defs": {"T": {"$ref": "#/$defs/T"}}}, "t") == ""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_tool_gate_returns_a_verdict(server: Server) -> None:
    def too_much(arguments: dict[str, Any]) -> None:
        if arguments["amount"] > 100:
            raise ValueError("amount is above 100")

    gate = ToolGate({"refund": "intent.payments.refund.v1"}, hide=["card"])
    server.approve(comment="Fine.")
    given = {"amount": 200, "card": "4929"}
    assert gate.decide("refund", given, "1", too_much) == Verdict(True, given, False, "Fine.")
    server.edit(amount=101)
    refused = gate.decide("refund", given, "2", too_much)
    assert (refused.approved, refused.arguments) == (False, {})
    assert "do not fit the tool: amount is above 100" in refused.reason
    server.edit(amount=99)
    assert gate.decide("refund", given, "3", too_much) == Verdict(True, {**given, "amount": 99}, True)
    server.reject(reason="No.")
    assert asyncio.run(gate.decide_async("close", {}, "4")) == Verdict(
        False, reason="The call was rejected: No."
    )
    assert [task.intent_type for task in server.asked][-1] == "intent.gate.close.v1"
    assert "4929" not in str([task.raw for task in server.asked])


@pytest.mark.parametrize("wrong", [{"again": "x"}, {"hide": "card"}, {"colour": 1}])
def test_invalid_options_are_refused_at_definition(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        ToolGate(**wrong)


@pytest.mark.parametrize("wrong", ["(hidden) rm", "\ud800", float("nan"), 2**60])
def test_call_that_cannot_be_sent_is_declined_with_the_reason(server: Server, wrong: Any) -> None:
    """A model chooses the arguments, and some frameworks would not take an exception for a refusal."""
    server.approve()
    before = len(server.asked)
    tools = ToolGate()
    for verdict in (
        tools.decide("pay", {"order": wrong}, "call"),
        asyncio.run(tools.decide_async("pay", {"order": wrong}, "call")),
    ):
        assert (verdict.approved, "order" in verdict.reason) == (False, True)
    assert len(server.asked) == before
