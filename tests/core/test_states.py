"""Which command is possible where an intent is: for every state, every command, what comes of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from signoff.core.errors import Refused
from signoff.core.intent import commands as c
from signoff.core.intent.advance import advance
from signoff.core.intent.model import Actor, Fault, Task, system
from signoff.core.plan.plan import DelayStep
from tests.builders import ADA, AGENT, ANN, SERVICE, WORKSPACE, Story, approve, gate, minutes, validate

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
    story.do(c.Accept(1, 1), SYSTEM)
    return story


def backing_off() -> Story:
    story = Story(gate(validate(max_retries=1), approve()))
    story.do(c.Report(fault=Fault("x", "y", retryable=True)))
    return story


def asked() -> Story:
    return offered().validated()


def waiting() -> Story:
    return Story(gate(PAUSE, validate(), approve()))


STATES: dict[str, Callable[[], Story]] = {
    "offered": offered, "leased": leased, "pushed": pushed, "accepted": accepted, "backing off": backing_off,
    "asked": asked, "waiting": waiting,
}  # fmt: skip
ACTOR = {**dict.fromkeys((c.Accept, c.Miss, c.Unreachable, c.Recheck, c.Tick), SYSTEM), c.Reassign: ADA}
OF_PEOPLE = ("Answer", "Delegate", "Reassign", "Take", "Snooze", "Wake", "Remark", "Revise")
OF_WORKERS = ("Claim", "Renew", "Release", "Report", "Progress")
# By state: what each command meets; "" where it is taken. What is not named is taken.
NO_TASK = dict.fromkeys(OF_PEOPLE, "no_open_task")
NOT_NOW = dict.fromkeys((*OF_PEOPLE, "Recheck", "Unreachable"), "not_now")  # an agent is at work
NOT_HELD = dict.fromkeys(("Renew", "Release"), "stale_delivery")
MET: dict[str, dict[str, str]] = {
    "offered": NO_TASK | NOT_HELD,
    "leased": NOT_NOW | {"Claim": "not_ready"},
    "pushed": NO_TASK | NOT_HELD | {"Claim": "not_ready"},
    "accepted": NOT_NOW | NOT_HELD | {"Claim": "not_ready"},
    "backing off": NO_TASK | NOT_HELD | {"Claim": "not_ready"},
    "asked": dict.fromkeys(OF_WORKERS, "awaiting_decision"),
    "waiting": NO_TASK | dict.fromkeys(("Claim", "Renew", "Release", "Report"), "step_finished"),
}


def commands(story: Story) -> list[c.Command]:
    held = story.intent.open
    token = getattr(held, "token", 0)
    visit = getattr(held, "visit", 0)
    shown = frozenset({(visit, 0, 1)})
    return [
        c.Claim("w"), c.Renew(visit, token or 1), c.Release(visit, token or 1), c.Report(visit, token),
        c.Accept(visit, 1),
        c.Miss(visit, 1, "x"), c.Answer("approved", shown=shown), c.Progress(), c.Resolve(fault=Fault("x", "y")),
        c.Cancel(), c.Patch(), c.Tick(), c.Delegate("per_otto"), c.Reassign(("per_otto",)), c.Take(),
        c.Snooze(story.now + minutes(10)), c.Wake(), c.Remark("Why?"), c.Revise("e" * 64), c.Unreachable(visit, "x"),
        c.Recheck(visit),
    ]  # fmt: skip


def actor_of(command: c.Command) -> Actor:
    name = type(command).__name__
    return ACTOR.get(type(command)) or (
        ANN if name in OF_PEOPLE else AGENT if name in OF_WORKERS else SERVICE
    )


@pytest.mark.parametrize("state", STATES)
def test_every_command_is_taken_or_refused_by_name_where_the_intent_is(state: str) -> None:
    story = STATES[state]()
    met: dict[str, str] = {}
    for command in commands(story):
        try:
            advance(actor_of(command), story.intent, command, story.now, b"0123456789abcdef")
        except Refused as refusal:
            met[type(command).__name__] = refusal.code
    assert met == MET[state]


def test_the_list_names_every_command() -> None:
    named = {type(command) for command in commands(asked())}
    assert named == set(c.Command.__args__) - {c.Submit}
    assert isinstance(asked().intent.open, Task)
