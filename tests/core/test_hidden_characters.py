"""Invisible text satisfies no requirement, a title is what it shows, a form task has a form."""

import json
from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.axp_scenario import validate_scenario
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.answers import check_answer
from signoff.core.plan.task_types import Meaning, TaskSpec
from signoff.core.text.hidden_characters import escaped, glance, one_line, plain_json, shows

NOTHING = [
    "", " ", "\n\t", "\u200b", "\u200b\u200d\ufeff", "\u202e\u202c", "\u2066\u2069", "\u00a0", "\u2003\u3000",
    "\u0301", "\u0301\u0302 \u0303", "\u2800", "\u3164", "\uffa0", "\u115f", "\u034f", "\ufe0f", "\U000e0041",
    "\u00ad", "\x00", "\x1b", "\ue000", "\U0001d159", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("text", NOTHING, ids=ascii)
def test_invisible_text_is_detected(text: str) -> None:
    assert not shows(text)
    assert not shows([text, {"a": text}])
    for words in (f"{text}ok{text}", f"{text}.", f"e\u0301{text}", f"{text}\u4e2d", f"{text}\U0001f600"):
        assert shows(words)


@pytest.mark.parametrize("text", NOTHING, ids=ascii)
def test_invisible_text_is_refused_as_comment_evidence_and_form_field(text: str) -> None:
    def given(spec: TaskSpec, **said: Any) -> Invalid:
        with pytest.raises(Invalid) as refused:
            check_answer(spec, "approved", said.get("comment", ""), said.get("data", {}))
        return refused.value

    assert given(TaskSpec(comment_required=True), comment=text).code == "comment_required"
    evidence = TaskSpec(evidence_required=True)
    for data in ({"evidence": text}, {"evidence": [text]}, {"evidence": {"link": text}}):
        assert given(evidence, data=data).code == "evidence_required"
    form = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}
    assert given(TaskSpec(form=form), data={"why": text}).code == "form_invalid"
    assert check_answer(TaskSpec(form=form), "approved", "", {"why": "so"}) == ("approved", Meaning.APPROVES)


def flow(**human: Any) -> dict[str, Any]:
    return {"workflow": "w", "intent_type": "a.b.v1", "steps": [{"id": "ask", "human": human}]}


def refused(source: dict[str, Any]) -> Invalid:
    with pytest.raises(Invalid) as raised:
        compile_workflow(source)
    return raised.value


def telling(message: str) -> dict[str, Any]:
    step = {"id": "t", "notify": {"to": "ann@acme.example", "message": message}}
    return {"workflow": "w", "intent_type": "a.b.v1", "steps": [step]}


@pytest.mark.parametrize("text", [text for text in NOTHING if text.strip()], ids=ascii)
def test_invisible_text_is_refused_as_title_and_message(text: str) -> None:
    assert refused(flow(title=text)).field == "steps.ask.human.title"
    assert refused(flow(title="Go?", description=text)).field == "steps.ask.human.description"
    assert refused(telling(text)).field == "steps.t.notify.message"


@pytest.mark.parametrize("message", ["{{intent_id}} is done", "{amount} moved", "Moved ${ amount }"])
def test_message_with_placeholders_is_refused(message: str) -> None:
    assert refused(telling(message)).code == "placeholder_in_text"
    for good in ("Done: {}", 'Sent {"a": 1}', "All done."):
        compile_workflow(telling(good))


def test_form_task_without_a_form_is_refused() -> None:
    assert refused(flow(type="form", title="Fill in")).field == "steps.ask.human.form"
    assert (
        refused(flow(type="form", title="Fill in", form={"type": "object"})).field == "steps.ask.human.form"
    )
    compile_workflow(flow(type="form", title="Fill in", form={"properties": {"a": {"type": "string"}}}))


def test_invisible_text_in_a_bundle_is_a_warning() -> None:
    bundle = {
        "humans": [{"role": "ops", "contact": "ops@acme.example"}],
        "workflow": {
            "steps": [
                {
                    "step_id": "ask",
                    "assigned_to": "ops",
                    "requires_approval": True,
                    "human_task": {"title": "Refund {amount}?", "task_type": "form"},
                },
                {
                    "step_id": "tell",
                    "tool_id": "tool.internal.notification",
                    "assigned_to": "ops",
                    "requires_approval": False,
                    "input": {"message": "{{intent_id}} is done"},
                },
                {"step_id": "odd", "tool_id": "tool.nope", "assigned_to": "somebody"},
            ]
        },
        "intent": {"type": "a.b.v1"},
    }
    errors, warnings = validate_scenario(bundle)
    assert errors == []
    said = "\n".join(warnings)
    placeholder = "{{intent_id}} is shown as written"
    for words in ("contains braces", "has no fields", placeholder, "'tool.nope' is unknown"):
        assert words in said


def test_control_and_hidden_characters_are_escaped_for_terminals() -> None:
    assert escaped("plain \u4e2d") == "plain \u4e2d"
    assert escaped("\x1b[2J") == "\\x1b[2J"
    assert escaped("a\nb\tc\r") == "a\\nb\\tc\\r"
    assert escaped("a\u202eb\U000e0041") == "a\\u202eb\\U000e0041"


def test_hidden_characters_of_json_are_escaped_without_changing_it() -> None:
    text = json.dumps({"a": "x\u202ey\U000e0041 \u4e2d"}, ensure_ascii=False)
    plain = plain_json(text)
    assert json.loads(plain) == json.loads(text)
    assert "\u202e" not in plain
    assert "\\u202e" in plain
    assert "\u4e2d" in plain


def test_line_ends_are_shown_as_pictures_on_one_line() -> None:
    assert one_line("a\r\nb\nc") == "a\u240d\u240ab\u240ac"


def test_lookalike_texts_have_one_glance_form() -> None:
    assert glance("\u0410\u200bnn") == glance("ann") == glance("A N N")
    assert glance("Bob") != glance("Ann")
