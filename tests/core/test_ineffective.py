"""Settings without any effect are refused by name; stored ones can still be read."""

from typing import Any

import pytest

from signoff.core.errors import Invalid
from signoff.core.formats.manifest import compile_manifest
from signoff.core.formats.workflow import compile_workflow

AGENT = {"id": "work", "agent": "worker"}
HOURS = {"zone": "Europe/Berlin"}


def gate(policy: Any = None, **human: Any) -> dict[str, Any]:
    return {"id": "ask", "human": human | ({"policy": policy} if policy is not None else {})}


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"workflow": "w", "intent_type": "t", "steps": list(steps), **more}


IDLE = [
    (flow(gate() | {"on_timeout": "end"}), "steps.ask.on_timeout"),
    (flow(AGENT | {"on_timeout": "end"}), "steps.work.on_timeout"),
    (flow(gate({"remind": "1h"}) | {"on_timeout": "end"}), "steps.ask.on_timeout"),
    (flow(AGENT, gate() | {"on_changes": "work"}), "steps.ask.on_changes"),
    (flow(AGENT, gate("other") | {"on_changes": "work"}), "steps.ask.on_changes"),
    (flow(AGENT | {"retry": {"max": 0, "delay": "1m"}}), "steps.work.retry.delay"),
    (flow(gate(remind={"after": "1h", "every": "2h", "at_most": 1})), "steps.ask.human.remind.every"),
    (flow(gate({"hours": HOURS})), "steps.ask.human.hours"),
    (flow(gate({"hours": HOURS, "deadline": "8h"})), "steps.ask.human.hours"),
    (flow(gate({"hours": HOURS | {"deadline": True}, "remind": "1h"})), "steps.ask.human.hours.deadline"),
    (flow(AGENT, gate(), max_revisions=2), "max_revisions"),
    (flow(AGENT, max_revisions=0), "max_revisions"),
    # as it would be without them, too: it is given, and means nothing
    (flow(AGENT, max_revisions=5), "max_revisions"),
    (flow(AGENT, gate(), max_revisions=5), "max_revisions"),
    (flow(AGENT | {"retry": {"max": 0, "delay": "30s"}}), "steps.work.retry.delay"),
    (flow(gate(remind={"after": "1h", "every": "1h", "at_most": 1})), "steps.ask.human.remind.every"),
    (
        flow(gate({"remind": {"after": "1h", "every": "1h", "at_most": 1}})),
        "steps.ask.human.policy.remind.every",
    ),
    (flow(gate({"on_timeout": "expire"})), "steps.ask.human.policy.on_timeout"),
    (flow(gate({"on_timeout": "expire"}) | {"deadline": "8h"}), "steps.ask.human.policy.on_timeout"),
]
TAKEN = [
    flow(gate() | {"on_timeout": "end", "deadline": "1h"}),
    flow(gate("other") | {"on_timeout": "end"}),
    flow(gate({"deadline": "8h"}) | {"on_timeout": "end"}),
    flow(AGENT, gate(type="review") | {"on_changes": "work"}, max_revisions=2),
    flow(AGENT, gate(outcomes=["approved", {"name": "redo", "means": "changes"}]), max_revisions=2),
    flow(AGENT | {"retry": {"max": 1, "delay": "1m"}}),
    flow(AGENT | {"retry": {"max": 0}}),
    flow(gate(remind={"after": "1h", "at_most": 1})),
    flow(gate({"hours": HOURS | {"deadline": True}}) | {"deadline": "8h"}),
    flow(gate({"hours": HOURS | {"deadline": False}, "escalate": [{"after": "1h", "to": ["team:ops"]}]})),
]


@pytest.mark.parametrize(("source", "field"), IDLE, ids=[field for _, field in IDLE])
def test_workflow_field_without_effect_is_refused_by_name(source: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_workflow(source)
    assert (refused.value.code, refused.value.field) == ("no_effect", field)
    assert compile_workflow(source, kept=True).plan


@pytest.mark.parametrize("source", TAKEN)
def test_field_with_an_effect_or_a_possible_effect_is_accepted(source: dict[str, Any]) -> None:
    assert compile_workflow(source).plan


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"hours": HOURS}, "policies.p.hours"),
        ({"hours": HOURS, "deadline": "8h"}, "policies.p.hours"),
        ({"remind": {"after": "1h", "every": "2h", "at_most": 1}}, "policies.p.remind.every"),
        ({"remind": {"after": "1h", "every": "1h", "at_most": 1}}, "policies.p.remind.every"),
        ({"on_timeout": "expire"}, "policies.p.on_timeout"),
    ],
)
def test_policy_field_without_effect_is_refused_by_name(policy: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_manifest({"policies": {"p": policy}})
    assert (refused.value.code, refused.value.field) == ("no_effect", field)
    assert compile_manifest({"policies": {"p": policy}}, kept=True).policies


def test_working_hours_of_a_named_policy_may_delay_the_deadline_of_a_step() -> None:
    assert compile_manifest({"policies": {"p": {"hours": HOURS | {"deadline": True}}}}).policies
