"""Forms: the validation of answers, in time linear in their length."""

from typing import Any

import pytest

from signoff.core.plan.form_schema import MOST_FAULTS, Form, idle, read_form, unfillable
from tests.work import calls


def form(**rule: Any) -> Form:
    return read_form({"type": "object", "properties": {"x": rule}})


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"type": "string"}, ["", "a"], [1, None, True, [], {}]),
        ({"type": "integer"}, [1, 1.0, -5], [1.5, "1", True]),
        ({"type": "number"}, [1, 1.5], ["1", False]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"const": 1}, [1, 1.0], [True, "1", 2]),
        ({"enum": ["a", 1, None, [1, {"b": 2}]]}, ["a", 1.0, None, [1, {"b": 2.0}]], ["b", True, [1], {}]),
        ({"enum": ["a", "b"], "const": "c"}, [], ["a", "c"]),
        ({"minLength": 2, "maxLength": 3}, ["ab", "abc", 1], ["a", "abcd"]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "0"], [0, 4, 0.5]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"multipleOf": 0.1}, [0.3, 1, -2.2], [0.25]),
        ({"multipleOf": 0.01}, [0, 19.99, 1e21, 2**53 - 1], [0.005, 1e-300, 19.999]),
        ({"multipleOf": 7}, [0, 0.0, 7.0, 7e30, -21], [1, 1e30, 0.7]),
        ({"multipleOf": 1e-300}, [1e-300, 1, 1e300, 5e-299], [1e-301, 5e-324]),
        ({"multipleOf": 2.5e300}, [0, 5e300, -2.5e300], [1, 2.5e299, 3e300]),
        ({"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": True}, [[1], [1, 2]],
         [[], [1, 1.0], [1, 2, 3]]),
        ({"type": "array", "items": {"type": "integer"}}, [[], [1]], [[1, "a"]]),
        ({"type": "object", "required": ["a"], "additionalProperties": False, "properties": {"a": {}}},
         [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"format": "date"}, ["2026-02-28", 1], ["2026-02-30", "20260228", "28.2.2026"]),
        ({"format": "date-time"}, ["2026-02-28T10:00:00Z", "2026-02-28t10:00:00+01:00"],
         ["2026-02-28T10:00:00", "2026-02-28"]),
        ({"format": "time"}, ["10:00", "10:00:30Z"], ["25:00", "noon"]),
        ({"format": "email"}, ["a@b"], ["a", "a b@c", "@"]),
        ({"format": "uri"}, ["https://x", "mailto:a@b"], ["x", "://x"]),
        ({"format": "uuid"}, ["0198c0de-aaaa-7000-8000-a1b2c3d40000"], ["0198c0de"]),
        ({"format": "textarea"}, ["anything\nat all"], []),
    ],
)  # fmt: skip
def test_rule_accepts_and_refuses_values(rule: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    read = form(**rule)
    assert [value for value in good if read.faults({"x": value})] == []
    assert [value for value in bad if not read.faults({"x": value})] == []


def test_fault_names_its_path_and_reason() -> None:
    read = read_form(
        {"type": "object", "required": ["a"], "properties": {"n": {"items": {"type": "integer"}}}}
    )
    assert read.faults({"n": [1, "two"]}) == [
        ((), '"a" is a required property'),
        (("n", 1), '"two" is not of type "integer"'),
    ]


@pytest.mark.parametrize(
    ("rule", "item"),
    [
        ({"items": {"enum": list(range(2000))}}, 1999),
        ({"uniqueItems": True}, "same"),
        ({"items": {"type": "object", "required": ["a"] * 2000}}, {"a": 1}),
        ({"items": {"properties": {f"p{n}": {"type": "string"} for n in range(500)}}}, {}),
        ({"items": {"type": ["integer"] * 500}}, 1),
        ({"items": {"required": [f"p{n}" for n in range(2000)]}}, {}),
        ({"items": {"multipleOf": 0.5}}, 1),
        ({"items": {"multipleOf": 1e-300}}, 1e300),
    ],
    ids=["enum", "unique", "required", "properties", "types", "missing", "multiple", "far multiple"],
)
def test_validation_time_does_not_multiply_with_the_schema(rule: dict[str, Any], item: Any) -> None:
    read = form(type="array", **rule)
    one, many = ({"x": [item] * length} for length in (100, 1000))
    assert calls(lambda: read.faults(many)) < 12 * calls(lambda: read.faults(one)) + 100
    assert calls(lambda: read.faults(one)) < 30 * 100 + 500


def test_validation_stops_at_a_number_of_faults() -> None:
    assert len(form(type="array", items={"type": "string"}).faults({"x": [1] * 5000})) == MOST_FAULTS


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"properties": {"x": {"enum": ["a"], "const": "b"}}, "required": ["x"]}, "properties.x.const"),
        ({"properties": {"x": {"enum": ["a"], "type": "integer"}}, "required": ["x"]}, "properties.x.enum"),
        ({"properties": {"x": {"enum": ["a"], "minLength": 2}}, "required": ["x"]}, "properties.x.enum"),
        ({"properties": {"x": {}}, "required": ["y"], "additionalProperties": False}, "required"),
        ({"properties": {"x": {}}, "required": ["x", "y"], "maxProperties": 1}, "maxProperties"),
        (
            {"properties": {"x": {"type": "string", "minLength": 3, "maxLength": 2}}, "required": ["x"]},
            "properties.x.minLength",
        ),
        (
            {"properties": {"x": {"type": "integer", "minimum": 3, "maximum": 2}}, "required": ["x"]},
            "properties.x.minimum",
        ),
        (
            {"properties": {"x": {"type": "number", "minimum": 3, "exclusiveMaximum": 3}}, "required": ["x"]},
            "properties.x.minimum",
        ),
        (
            {
                "properties": {"x": {"type": "array", "minItems": 1, "items": {"enum": [1], "const": 2}}},
                "required": ["x"],
            },
            "properties.x.items.const",
        ),
        (
            {
                "properties": {"x": {"type": "integer", "exclusiveMinimum": 3, "maximum": 2}},
                "required": ["x"],
            },
            "properties.x.exclusiveMinimum",
        ),
    ],
)
def test_form_that_cannot_be_filled_in_is_detected(schema: dict[str, Any], where: str) -> None:
    found = unfillable(read_form({"type": "object", **schema}))
    assert found is not None
    assert found[0] == where


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"enum": ["a"], "const": "b"}}},  # not required
        {
            "properties": {"x": {"type": ["string", "null"], "minLength": 3, "maxLength": 2}},
            "required": ["x"],
        },
        {"properties": {"x": {"enum": ["a", 1], "type": "integer"}}, "required": ["x"]},
        {"properties": {"x": {"type": "integer", "minimum": 2, "maximum": 2}}, "required": ["x"]},
        {"required": ["y"]},
        {"properties": {"x": {"minLength": 3, "maxLength": 2}}, "required": ["x"]},  # a number is valid
    ],
)
def test_form_that_can_be_filled_in_is_accepted(schema: dict[str, Any]) -> None:
    assert unfillable(read_form({"type": "object", **schema})) is None


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ({"type": "string", "minimum": 5}, "minimum"),
        ({"type": ["string", "null"], "multipleOf": 5}, "multipleOf"),
        ({"type": "integer", "maxLength": 3}, "maxLength"),
        ({"type": "number", "format": "date"}, "format"),
        ({"type": "boolean", "items": {}}, "items"),
        ({"type": "string", "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "required": ["a"]}, "required"),
        ({"type": "string", "properties": {"a": {}}}, "properties"),
        ({"type": "array", "additionalProperties": False}, "additionalProperties"),
        ({"type": "array", "items": {"type": "string", "maximum": 5}}, "items.maximum"),
        ({"type": "object", "properties": {"a": {"type": "null", "minItems": 1}}}, "properties.a.minItems"),
        ({"type": "string", "readOnly": True}, "readOnly"),
        ({"type": "string", "enumNames": ["A"]}, "enumNames"),
        ({"enum": ["a", "b"], "enumNames": ["A"]}, "enumNames"),
    ],
)
def test_keyword_without_effect_is_detected(rule: dict[str, Any], where: str) -> None:
    schema = {"type": "object", "properties": {"x": rule}}
    read_form(schema)
    found = idle(schema)
    assert found is not None
    assert found[0] == f"properties.x.{where}"


@pytest.mark.parametrize(
    "rule",
    [
        {"minimum": 5, "minLength": 2},  # any type: each limits one
        {"type": ["string", "integer"], "minimum": 5, "minLength": 2},
        {"type": "string", "format": "textarea", "default": "", "readOnly": False, "$comment": "x"},
        {"enum": ["a"], "enumNames": ["A"]},
        {"type": "array", "items": {"enum": ["a"], "enumNames": ["A"]}, "uniqueItems": True},
    ],
)
def test_keyword_with_an_effect_is_accepted(rule: dict[str, Any]) -> None:
    assert idle({"type": "object", "properties": {"x": rule}}) is None
