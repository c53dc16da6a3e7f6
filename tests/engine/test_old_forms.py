"""Form schemas that an earlier release accepted are still checked if that is certain to be cheap."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.engine.planning.form_answers import form_faults


def doubling(levels: int) -> dict[str, Any]:
    rules: dict[str, Any] = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    rules[f"a{levels}"] = {"const": 1}
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/a0"}}, "$defs": rules}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"properties": {"x": {"pattern": "^[A-Z]+-[0-9]+$"}}}, "AB-1", "ab"),
        ({"properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}, 1, "one"),
        ({"properties": {"x": {"oneOf": [{"const": 1}, {"const": 2}]}}}, 2, 3),
        (doubling(5), 1, 2),
    ],
    ids=["pattern", "reference", "alternatives", "small doubling"],
)
def test_reasonable_old_form_is_checked_as_before(schema: dict[str, Any], good: Any, bad: Any) -> None:
    schema = {"type": "object", **schema}
    assert form_faults(schema, {"x": good}) == []
    assert len(form_faults(schema, {"x": bad})) > 0


@pytest.mark.parametrize(
    "schema",
    [
        doubling(30),
        {"properties": {"x": {"$ref": "#"}}, "not": {}},
        {"properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
        {"properties": {"x": {"$ref": "http://127.0.0.1:9/schema.json"}}},
        {"properties": {f"p{n}": {"pattern": r"[\w\W]{0,500}x"} for n in range(200)}},
        {"properties": {"x": {"type": "nonsense"}}},
    ],
    ids=["doubling", "itself", "ring", "elsewhere", "large pattern", "no schema"],
)
def test_expensive_old_form_is_refused_with_the_next_step(schema: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        form_faults({"type": "object", **schema}, {"x": "hello"})
    assert refused.value.code == "form_unusable"
    assert "Reject it" in (refused.value.hint or "")
