"""A killed agent: its requests are refused, and a step that it holds counts as a failed attempt."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.killed import refuse_killed
from signoff.core.directory.workers import killed_text
from signoff.core.errors import Forbidden
from signoff.core.intent import commands as c
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.model import Delivery, DeliveryState, Status
from tests.builders import ADA, AGENT, ANN, SERVICE, START, Story, approve, gate, happened, minutes, validate

KILLED = replace(AGENT, killed_at=START)
RECALL = c.Recall(AGENT.address, 1)


def test_killed_agent_is_refused_for_every_command() -> None:
    refuse_killed(None)
    refuse_killed(AGENT)
    for command in (c.Claim("w"), c.Report(), c.Cancel(), c.Answer("approved"), c.Tick(), RECALL):
        with pytest.raises(Forbidden) as refused:
            authorize_command(KILLED, command, Story().intent)
        assert refused.value.code == "agent_killed"
        assert f"{AGENT.address} was killed at 2026-03-02 09:00 UTC" in refused.value.message
        assert f"signoff agents resume {AGENT.address}" in (refused.value.hint or "")


def test_only_owners_and_admins_recall_a_step() -> None:
    for actor in (ANN, SERVICE, AGENT, Actor(ActorKind.SYSTEM, "x", ADA.workspace)):
        if actor.kind is ActorKind.SYSTEM:
            authorize_command(actor, RECALL, Story().intent)
            continue
        with pytest.raises(Forbidden) as refused:
            authorize_command(actor, RECALL, Story().intent)
        assert refused.value.code == "admin_required"
    authorize_command(ADA, RECALL, Story().intent)


@pytest.mark.parametrize("push", [False, True])
def test_held_step_of_a_killed_agent_is_a_failed_attempt(push: bool) -> None:
    story = Story(gate(validate(push=push, max_attempts=2), approve()))
    for attempt in (1, 2):
        story.do(
            c.AcceptPush(1, attempt) if push else c.Claim("w", minutes(60)), Actor(ActorKind.SYSTEM, "", "")
        )
        taken = story.do(RECALL, ADA)
        if attempt == 1:
            assert happened(taken) == ["AttemptFailed"]
            held = story.intent.open
            assert isinstance(held, Delivery)
            assert (held.state, held.lease_until) == (DeliveryState.BACKING_OFF, None)
            assert happened(story.tick(timedelta(minutes=1))) == ["Offered"]
    assert happened(taken) == ["AttemptFailed", "Failed"]
    assert story.intent.status is Status.FAILED


def test_offered_step_of_a_killed_agent_is_unchanged() -> None:
    story = Story(gate(validate(), approve()))
    assert story.do(RECALL, ADA).facts == [], "offered"
    story.do(c.Claim("w", minutes(60)))
    for other in (c.Recall("agent://acme/prod/other", 1), c.Recall(AGENT.address, 2)):
        assert story.do(other, ADA).facts == []
    held = story.intent.open
    assert isinstance(held, Delivery)
    assert held.state is DeliveryState.LEASED


def test_people_are_shown_who_killed_an_agent_and_when() -> None:
    said = killed_text("agent://a/b/c", START, "Ann", START + timedelta(minutes=5, seconds=3))
    assert said == "agent://a/b/c was killed by Ann, 5m ago. Its work waits until it is resumed."
