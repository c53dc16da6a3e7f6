"""Facts as AXP events: on every path of the state machine, the events' statuses are the intent's."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.evolve import created, evolve
from signoff.core.intent.model import Delivery, DeliveryState, Failure, Intent
from signoff.core.plan.plan import DelayStep, NotifyStep, Plan
from signoff.web.shapes.events import EVENT_TYPES, EventWalker, StepTrail, last_event_of, walk
from tests.builders import AGENT, ANN, RITA, SERVICE, Story, approve, gate, minutes, validate
from tests.web.web_env import WebEnv

LONG = gate(
    validate(max_retries=1, on_failure="tell"),
    approve(on_failure="tell"),
    DelayStep(id="pause", lasts=minutes(10)),
    NotifyStep(id="tell", to=("ops",), message="done"),
)

ACTS: list[tuple[Any, Any]] = [
    (AGENT, c.Report(result={"passed": True})),
    (AGENT, c.Report(fault=Failure("flaky", "Try again.", True))),
    (AGENT, c.Claim("worker")),
    (ANN, c.Answer("approved", comment="go")),
    (ANN, c.Answer("rejected")),
    (SERVICE, c.ReportProgress("on")),
    (SERVICE, c.PatchControls(controls={"a": 1})),
    (RITA, c.Cancel("never mind")),
    (SERVICE, c.Resolve(result={"a": 1})),
    (SERVICE, c.Resolve(fault=Failure("boom", "It broke."))),
]
STEPS = st.one_of(st.sampled_from(ACTS), st.integers(1, 600))


def play(plan: Plan, steps: list[Any]) -> Story:
    """Apply those of these actions and pauses (minutes) that are possible, in order."""
    story = Story(plan, deadline_at=None)
    for step in steps:
        try:
            if isinstance(step, int):
                story.tick(minutes(step))
            else:
                actor, command = step
                held = story.intent.open
                if (
                    isinstance(held, Delivery)
                    and held.state is DeliveryState.LEASED
                    and isinstance(command, c.Report)
                ):
                    command = c.Report(held.step_run, held.token, command.result, command.fault)
                story.do(command, actor)
        except Refused:
            continue
    return story


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=14), st.sampled_from([gate(), LONG, gate(validate()), gate(approve())]))
def test_every_event_has_the_status_of_its_time(steps: list[Any], plan: Plan) -> None:
    story = play(plan, steps)
    trail = EventWalker(story.intent)
    intent: Intent | None = None
    last = 0
    for sealed in story.facts:
        fact = sealed.fact
        intent = created(fact, plan) if intent is None else evolve(intent, fact)
        event = trail.show(fact)
        assert event is not None
        assert event.status == intent.status.value, event.event_type
        waiting = intent.waiting.value if intent.waiting else None
        assert (trail.waiting.value if trail.waiting else None) == waiting, event.event_type
        assert event.seq == fact.seq * 2 > last
        assert re.fullmatch(r"intent\.[a-z_]+", event.event_type)
        last = event.seq
    assert trail.over == story.intent.final


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_step_seen_as_an_intent_ends_once(steps: list[Any]) -> None:
    story = play(LONG, steps)
    facts = [sealed.fact for sealed in story.facts]
    for step_run in range(1, story.intent.step_runs + 1):
        trail = StepTrail(story.intent, step_run)
        events = walk(trail, facts)
        finals = [e for e in events if e.status in ("COMPLETED", "FAILED", "CANCELED", "TIMED_OUT")]
        assert len(finals) <= 1
        assert events[-1:] == finals[-1:] or not finals
        still = story.intent.open is not None and story.intent.open.step_run == step_run
        assert trail.over == (not still)
        assert {e.intent_id for e in events} == {trail.intent_id}


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5, 6])
def test_even_and_odd_cursors_are_equivalent(after: int) -> None:
    story = Story().validated()
    facts = [sealed.fact for sealed in story.facts]
    seqs = [event.seq for event in walk(EventWalker(story.intent), facts, after)]
    assert seqs == [seq for seq in (2, 4, 6, 8) if seq > after]
    if after % 2 == 0:
        assert seqs == [event.seq for event in walk(EventWalker(story.intent), facts, after + 1)]


def test_events_of_one_command_continue_from_the_state_before() -> None:
    story = Story().validated()
    before = story.intent
    change = story.do(c.PatchControls(), SERVICE)
    event = last_event_of(change)
    assert event is not None
    assert (event.event_type, event.status, event.waiting_reason) == (
        "intent.updated",
        "WAITING",
        "WAITING_FOR_HUMAN",
    )
    assert event.pending_with
    assert before.status.value == event.status


async def test_approval_has_all_its_events(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.env.pass_time(timedelta(minutes=6))
    await web.answer(task_id, comment="go")
    events = (await web.get(f"/v1/intents/{intent_id}/events"))["events"]
    assert [(e["event_type"], e["status"]) for e in events] == [
        ("intent.created", "CREATED"),
        ("intent.delivered", "DELIVERED"),
        ("intent.in_progress", "IN_PROGRESS"),
        ("intent.human_task_assigned", "WAITING"),
        ("intent.reminder", "WAITING"),
        ("intent.answered", "WAITING"),
        ("intent.in_progress", "IN_PROGRESS"),
        ("intent.completed", "COMPLETED"),
    ]
    assigned, answered, decided, completed = events[3], events[5], events[6], events[7]
    assert assigned["human_task"]["title"] == "Run the migration?"
    assert assigned["human_task"]["task_id"] == task_id
    assert (answered["details"]["outcome"], answered["details"]["comment"]) == ("approved", "go")
    assert decided["details"]["ending"] == "approved"
    assert completed["result"] == completed["details"]["result"]
    assert completed["result"]["outcome"] == "approved"
    assert {e["event_type"] for e in events} <= set(EVENT_TYPES)


async def test_agent_of_a_step_sees_an_intent_of_its_own(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send()
    step = intent_id[:-4] + "0001"
    read = await web.get(f"/v1/intents/{step}", "agent")
    assert (read["status"], read["intent"]["parent_intent_id"]) == ("DELIVERED", intent_id)
    assert read["intent"]["step_id"] == "validate"
    payload = read["payload"]
    assert payload["target"] == payload["parent_payload"]["target"] == "prod-postgres-main"
    assert payload["previous_results"] == {}
    await web.post(f"/v1/intents/{step}/resume", {"action": "complete", "passed": True}, "agent")
    read = await web.get(f"/v1/intents/{step}", "agent")
    assert (read["status"], read["result"]) == ("COMPLETED", {"passed": True})
    events = (await web.get(f"/v1/intents/{step}/events", "agent"))["events"]
    assert [e["event_type"] for e in events] == ["intent.delivered", "intent.completed"]
    again = await web.post(f"/v1/intents/{step}/resume", {"action": "complete"}, "agent")
    assert (again.status, again.code) == (409, "step_finished")
