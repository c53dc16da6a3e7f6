"""The cost of a document or text grows linearly with its size: plans, routes before a gate, hostile text."""

from pathlib import Path
from time import thread_time
from typing import Any

import pytest

import signoff
from signoff.core.errors import Invalid
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.lookahead import upcoming_steps
from signoff.core.plan.plan import HumanStep, refuse_unreached, with_default_retries
from signoff.core.text import json_value
from signoff.core.text.hidden_characters import glance, pieces
from signoff.web.http import json_intake
from tests.work import calls

NO = [{"name": "approved"}, {"name": "rejected"}]


def template(steps: int, outcomes: int = 0) -> dict[str, Any]:
    """Consecutive gates, each with routes to many others."""

    def gate(number: int) -> dict[str, Any]:
        wild = [
            {"name": f"o{n}", "means": "reject", "goto": f"s{(number * 7 + n * 5 + 1) % steps}"}
            for n in range(outcomes)
        ]
        return {"id": f"s{number}", "human": {"title": "May we?", "outcomes": [*NO, *wild]}}

    return {"workflow": "w", "intent_type": "a.b.v1", "steps": [gate(number) for number in range(steps)]}


@pytest.mark.parametrize("outcomes", [0, 18])
def test_plan_is_checked_in_linear_time(outcomes: int) -> None:
    def cost(steps: int) -> int:
        source = template(steps, outcomes)
        return calls(lambda: compile_workflow(source))

    cost(12)  # what is derived once in a process is no part of it
    assert cost(96) < 9 * cost(12)


def test_next_steps_are_cached_per_step() -> None:
    def cost(steps: int) -> int:
        plan = compile_workflow(template(steps, 18)).plan

        def look() -> None:
            refuse_unreached(plan)
            with_default_retries(plan)
            for step in plan.steps:
                if isinstance(step, HumanStep):
                    upcoming_steps(plan, step)

        return calls(look, of="_routes")

    assert cost(96) <= 96


@pytest.mark.parametrize("text", ["a\u00e9", "a\u4e2d", "a\U0001f600", "a\u200b", "a\u0301", "a\u0430"])
def test_hostile_text_is_joined_in_linear_time(text: str) -> None:
    many = pieces(text * 100_000)
    assert len(many) <= 200_001
    assert calls(lambda: pieces(text * 4000)) < 11 * calls(lambda: pieces(text * 400)) + 100


def test_long_runs_of_combining_marks_are_not_sorted() -> None:
    assert glance("pa" + "\u0301\u0316" * 100_000 + "y") == glance("pa\u0301\u0316y")
    assert glance("\uff30\uff21\uff39 me") == "payme"


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "delay": "0.000001s"},
        {"id": "a", "agent": "x", "retry": {"max": 100, "delay": "0.9s"}},
        {"id": "a", "agent": "x", "deadline": 0.001},
        {"id": "a", "human": {"title": "Now?"}, "deadline": "0.1s"},
        {"id": "a", "human": {"title": "Now?", "escalate": [{"after": "0.1s", "to": ["ann@acme.example"]}]}},
        {"id": "a", "human": {"title": "Now?", "remind": "0.1s"}},
        {"id": "a", "human": {"title": "Now?", "policy": {"deadline": "0.1s"}}},
    ],
)
def test_every_interval_of_a_document_is_at_least_a_second(step: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        compile_workflow({"workflow": "w", "intent_type": "a.b.v1", "steps": [step]})
    assert refused.value.code == "invalid_duration"
    assert "a second" in refused.value.message


@pytest.mark.parametrize(
    "number", ["1e308", "1e-320", "2.2250738585072011e-308", "123456789012345678901e-310"]
)
def test_number_is_parsed_in_linear_time(number: str) -> None:
    def seconds(one: str) -> float:
        raw = f"[{','.join([one] * 3000)}]".encode()
        began = thread_time()
        for read in (json_value.decode, lambda data: json_intake.parse(data).value):
            assert read(raw)[-1] == float(one)
        return thread_time() - began

    assert min(seconds(number) for _ in range(5)) < 20 * min(seconds("1.25") for _ in range(5))


def test_caller_json_is_decoded_in_one_place() -> None:
    source = Path(signoff.__file__).parent
    for layer in ("core", "engine", "store", "web"):
        for path in (source / layer).rglob("*.py"):
            assert "msgspec.json.decode(" not in path.read_text(), path
