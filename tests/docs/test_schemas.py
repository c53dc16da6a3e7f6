"""The JSON Schemas for editors accept every document on the pages and reject what the server rejects by shape."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from signoff.core.directory.roles import ROLES
from signoff.core.policy.default_policy import UNLISTED
from tests.docs.blocks import DOCS, ROOT, documents

PAGES = [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
SECTIONS = {"people", "teams", "policies", "workflows", "workspace"}


def schema(name: str) -> Any:
    return json.loads((DOCS / "schemas" / f"{name}.json").read_text(encoding="utf-8"))


def named(document: Any) -> str:
    """The kind of document an example is; "" for others."""
    if not isinstance(document, dict):
        return ""
    if "workflow" in document and "steps" in document:
        return "workflow"
    return "manifest" if document.keys() and document.keys() <= SECTIONS else ""


EXAMPLES = [
    pytest.param(named(one), msgspec.to_builtins(one), id=f"{page.name}-{number}")
    for page in sorted(set(PAGES))
    for number, one in enumerate(documents(page))
    if named(one)
]
CHECKS = {name: jsonschema_rs.validator_for(schema(name)) for name in ("policy", "workflow", "manifest")}


def test_every_schema_has_examples() -> None:
    assert len(EXAMPLES) > 15
    assert {param.values[0] for param in EXAMPLES} == {"workflow", "manifest"}


@pytest.mark.parametrize(("name", "document"), EXAMPLES)
def test_examples_are_valid_and_unknown_fields_are_not(name: str, document: dict[str, Any]) -> None:
    assert [error.message for error in CHECKS[name].iter_errors(document)] == []
    assert not CHECKS[name].is_valid({**document, "zzz": 1})
    for part, policy in document.get("policies", {}).items():
        assert CHECKS["policy"].is_valid(policy), part
        assert not CHECKS["policy"].is_valid({**policy, "zzz": 1})
    for number, step in enumerate(document.get("steps", [])):
        wrong = deepcopy(document)
        wrong["steps"][number] = {**step, "zzz": 1}
        assert not CHECKS[name].is_valid(wrong)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("policy", {"approve": [{"any": ["team:dba"], "need": 0}]}),
        ("policy", {"approve": [{"any": ["team:dba"], "needs": 2}]}),
        ("policy", {"risk": "extreme"}),
        ("policy", {"remind": {"every": "5m"}}),
        ("policy", {"hours": {"from": "08:00"}}),
        ("policy", {"deadline": True}),
        ("workflow", {"workflow": "w", "intent_type": "t.v1"}),
        ("workflow", {"workflow": "w w", "intent_type": "t.v1", "steps": [{"id": "a", "delay": "1h"}]}),
        (
            "workflow",
            {"workflow": "w", "intent_type": "t.v1", "steps": [{"id": "a", "agent": "x", "form": {}}]},
        ),
        ("manifest", {"people": {"a@b.c": {"roles": ["king"]}}}),
        ("manifest", {"teams": {"dba": {"members": 1}}}),
        ("manifest", {"workspace": {"unlisted_types": "maybe"}}),
    ],
)
def test_invalid_document_is_rejected_by_the_schema(name: str, document: dict[str, Any]) -> None:
    assert not CHECKS[name].is_valid(document)


def test_enumerations_equal_those_of_the_server() -> None:
    shared = schema("manifest")["$defs"]
    roles = shared["Person"]["properties"]["roles"]["anyOf"][1]["items"]["enum"]
    assert tuple(roles) == ROLES
    assert tuple(shared["Workspace"]["properties"]["unlisted_types"]["enum"]) == UNLISTED


def test_page_shows_how_an_editor_uses_the_schemas() -> None:
    text = (Path(DOCS) / "policies.md").read_text(encoding="utf-8")
    assert "yaml-language-server: $schema=" in text
