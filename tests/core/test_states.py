"""The result of every command in every state."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from signoff.core.directory.actors import Actor, system
from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent import decide, evolve
from signoff.core.intent import events as e
from signoff.core.intent.advance import advance
from signoff.core.intent.model import FINAL, Failure, Task
from signoff.core.intent.states import ALLOWED, EFFECTS, IGNORED_LATE, State, state_of
from signoff.core.plan.plan import DelayStep
from tests.builders import ADA, AGENT, ANN, SERVICE, START, WORKSPACE, Story, approve, gate, minutes, validate

SYSTEM = system(WORKSPACE)
PAUSE = DelayStep(id="pause", lasts=timedelta(hours=1))


def offered() -> Story:
    return Story(gate(validate(), approve()))


def leased() -> Story:
    story = offered()
    story.do(c.Claim("w", minutes(60)))
    return story


def pushed() -> Story:
    return Story(gate(validate(push=True), approve()))


def accepted() -> Story:
    story = pushed()
    story.do(c.AcceptPush(1, 1), SYSTEM)
    return story


def backing_off() -> Story:
    story = Story(gate(validate(max_retries=1), approve()))
    story.do(c.Report(fault=Failure("x", "y", retryable=True)))
    return story


def direct() -> Story:
    return Story(gate(validate(), direct=True))


def direct_leased() -> Story:
    story = direct()
    story.do(c.Claim("w", minutes(60)))
    return story


def completed() -> Story:
    story = Story(gate(validate()))
    story.do(c.Report())
    return story


def rejected() -> Story:
    story = asked()
    story.do(c.Answer("rejected"), ANN)
    return story


def canceled() -> Story:
    story = offered()
    story.do(c.Cancel(), SERVICE)
    return story


def late() -> Story:
    story = Story(gate(validate()), deadline_at=START + minutes(60))
    story.tick(minutes(61))
    return story


def asked() -> Story:
    return offered().validated()


def waiting() -> Story:
    return Story(gate(PAUSE, validate(), approve()))


STATES: dict[str, Callable[[], Story]] = {
    "offered": offered, "leased": leased, "pushed": pushed, "accepted": accepted, "backing off": backing_off,
    "task": asked, "delay": waiting, "direct": direct, "direct leased": direct_leased, "completed": completed,
    "rejected": rejected, "canceled": canceled, "timed out": late,
}  # fmt: skip
ACTOR = {
    **dict.fromkeys((c.AcceptPush, c.FailPush, c.ReportUnreachable, c.CheckStaffing, c.Tick), SYSTEM),
    c.Reassign: ADA,
    c.Recall: ADA,
}
OF_PEOPLE = ("Answer", "Delegate", "Reassign", "MarkReviewing", "Snooze", "Unsnooze", "AddComment", "Revise")
OF_WORKERS = ("Claim", "Renew", "Release", "Report", "ReportProgress")
# By state: what each command meets; what is not named is taken, or is a late report that is ignored.
NO_TASK = dict.fromkeys(OF_PEOPLE, "no_open_task")
NO_TASK_BUT_DIRECT = dict.fromkeys(OF_PEOPLE[1:], "no_open_task")
NOT_HELD = dict.fromkeys(("Renew", "Release"), "stale_delivery")
COMMANDS = set(c.Command.__args__) - {c.Submit}
OVER = dict.fromkeys((kind.__name__ for kind in COMMANDS - {c.Tick}), "intent_terminal")
MET: dict[str, dict[str, str]] = {
    "offered": NO_TASK | NOT_HELD,
    "leased": NO_TASK | {"Claim": "not_ready"},
    "pushed": NO_TASK | NOT_HELD | {"Claim": "not_ready"},
    "accepted": NO_TASK | NOT_HELD | {"Claim": "not_ready"},
    "backing off": NO_TASK | NOT_HELD | {"Claim": "not_ready"},
    "task": dict.fromkeys(OF_WORKERS, "awaiting_decision"),
    "delay": NO_TASK | dict.fromkeys(("Claim", "Renew", "Release", "Report"), "step_finished"),
    "direct": NO_TASK_BUT_DIRECT | NOT_HELD,
    "direct leased": NO_TASK_BUT_DIRECT | {"Claim": "not_ready"},
    "completed": OVER,
    "rejected": OVER | dict.fromkeys((*OF_PEOPLE, "ReportUnreachable", "CheckStaffing"), "already_decided"),
    "canceled": OVER,
    "timed out": OVER,
}


def commands(story: Story) -> list[c.Command]:
    held = story.intent.open
    token = getattr(held, "token", 0)
    step_run = getattr(held, "step_run", 0)
    shown = frozenset({(step_run, 0, 1)})
    return [
        c.Claim("w"), c.Renew(step_run, token or 1), c.Release(step_run, token or 1), c.Report(step_run, token),
        c.Recall(getattr(held, "agent", ""), step_run), c.AcceptPush(step_run, 1),
        c.FailPush(step_run, 1, "x"), c.Answer("approved", shown=shown), c.ReportProgress(),
        c.Resolve(fault=Failure("x", "y")),
        c.Cancel(), c.PatchControls(), c.Tick(), c.Delegate("per_otto"), c.Reassign(("per_otto",)), c.MarkReviewing(),
        c.Snooze(story.now + minutes(10)), c.Unsnooze(), c.AddComment("Why?"), c.Revise("e" * 64),
        c.ReportUnreachable(step_run, "x"),
        c.CheckStaffing(step_run),
    ]  # fmt: skip


def actor_of(command: c.Command, story: Story) -> Actor:
    name = type(command).__name__
    if name in OF_PEOPLE and story.intent.plan.direct:
        return ADA
    return ACTOR.get(type(command)) or (
        ANN if name in OF_PEOPLE else AGENT if name in OF_WORKERS else SERVICE
    )


def met_in(story: Story) -> dict[str, str]:
    met: dict[str, str] = {}
    for command in commands(story):
        try:
            advance(actor_of(command, story), story.intent, command, story.now, b"0123456789abcdef")
        except Refused as refusal:
            met[type(command).__name__] = refusal.code
    return met


@pytest.mark.parametrize("state", STATES)
def test_every_command_in_every_state_is_accepted_or_refused_by_name(state: str) -> None:
    assert met_in(STATES[state]()) == MET[state]


@pytest.mark.parametrize("state", STATES)
def test_state_table_agrees_with_the_rules(state: str) -> None:
    """Refused is exactly what the table lacks, except late reports and answers in place of a workflow's agent."""
    story = STATES[state]()
    where = state_of(story.intent)
    taken = set(ALLOWED[where])
    if where is not State.FINAL:
        taken |= IGNORED_LATE
    if where is not State.TASK and not story.intent.plan.direct:
        taken -= {c.Answer}
    refused = {kind.__name__ for kind in COMMANDS - taken}
    assert set(met_in(story)) == refused


def test_late_command_changes_nothing() -> None:
    for state in ("leased", "accepted", "backing off", "task", "delay"):
        story = STATES[state]()
        where = state_of(story.intent)
        for command in commands(story):
            if type(command) in IGNORED_LATE - ALLOWED[where]:
                change = advance(SYSTEM, story.intent, command, story.now, b"0123456789abcdef")
                assert (change.facts, change.notifications) == ([], []), (state, command)


def test_every_state_has_a_test_case() -> None:
    assert {state_of(make().intent) for make in STATES.values()} == set(State) == set(ALLOWED)


def test_command_list_is_complete() -> None:
    named = {type(command) for command in commands(asked())}
    assert named == COMMANDS
    assert isinstance(asked().intent.open, Task)


def test_every_event_has_its_place() -> None:
    """A new event or command that is missing from a table is named here."""
    events = set(e.AnyEvent.__args__)
    assert set(EFFECTS) == events
    handled = set(evolve._CHANGES)
    assert handled == events - {e.Created}, "core/intent/evolve.py"
    assert set(decide._RULES) == COMMANDS, "core/intent/decide.py"
    assert {kind for row in ALLOWED.values() for kind in row} == set(decide._RULES), "core/intent/states.py"


def test_only_final_events_have_a_final_status() -> None:
    assert {kind for kind, effect in EFFECTS.items() if effect.status in FINAL} == set(e.FINAL_EVENTS)


@pytest.mark.parametrize(
    ("state", "ending"), [("completed", None), ("rejected", "rejected"), ("canceled", None)]
)
def test_last_fact_names_the_ending(state: str, ending: str | None) -> None:
    story = STATES[state]()
    last = story.facts[-1].fact.event
    assert isinstance(last, e.FINAL_EVENTS)
    assert last.ending == ending == story.intent.ending


def test_every_event_has_a_description() -> None:
    """The descriptions are the reference of what is stored (docs/reference/events.md)."""
    assert [kind.__name__ for kind in EFFECTS if not kind.__doc__ or kind.__doc__ == e.Event.__doc__] == []
