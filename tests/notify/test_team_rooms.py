"""A team's chat channel and shared mailbox: one card for all, and each person still needs the right to decide."""

import json

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import Team
from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import OTTO, WORKSPACE
from tests.notify.messaging_env import asked, email
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.smtp_sink import smtp_sink

ROOM = "C0SREROOM"


async def keep(slack: SlackEnv, row: Team) -> None:
    await slack.messaging.store.people.save([replace(row, updated_at=slack.messaging.clock.now())])
    slack.messaging.directory.changed(WORKSPACE)


async def team(slack: SlackEnv, **places: str) -> None:
    """Ann and Otto are the team; no other channel has their cards."""
    slack.fake.members[ROOM] = {}
    await keep(slack, Team("sre", ("per_ann", "per_otto"), workspace=WORKSPACE, **places))


async def test_team_channel_has_one_card_that_follows_the_task(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        await team(slack, channel=f"slack:{ROOM}", mailbox="sre@acme.example")
        intent = await slack.messaging.submit(asked("team:sre", need=2))
        await slack.messaging.carry()
        room = slack.card(ROOM)
        assert [b["action_id"] for b in room.buttons] == ["open", "answer:approved", "answer:rejected"]
        assert "/tasks/" in room.buttons[0]["url"]
        assert "/t/" not in json.dumps(room.body)
        assert "Why you" not in room.text
        assert "Still asked: ann@acme.example, otto@acme.example" in room.text
        [mail] = server.to("sre@acme.example")
        assert "personal" not in mail.as_string()
        assert "/t/" not in mail.as_string()
        assert {card.account for card in slack.fake.cards.values()} == {ROOM, "U0ANN", "U0OTTO"}
        assert "1 more approval is needed" in await slack.press(room.press("approved"), "U0ANN")
        await slack.messaging.carry()
        assert room.edits == 1
        assert "Approvals: 1 of 2 (ann@acme.example: approved)" in room.text
        assert room.press("approved")  # for Otto
        assert "This is decided" in await slack.press(room.press("approved"), "U0OTTO")
        await slack.messaging.carry()
        assert "Approved" in room.text
        assert [b["action_id"] for b in room.buttons] == ["open"]
        assert len(server.to("sre@acme.example")) == 2  # asked, and decided
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
        told = {(m.person, m.channel, m.kind) for m in await slack.messaging.messages(intent.id)}
        assert ("team:sre", "slack", "task.decided") in told


async def test_ineligible_person_decides_nothing_in_the_team_channel(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        await team(slack, channel=f"slack:{ROOM}")
        await keep(slack, Team("sre", ("per_ann",), workspace=WORKSPACE, channel=f"slack:{ROOM}"))
        intent = await slack.messaging.submit(asked("team:sre"))
        await slack.messaging.carry()
        approve = slack.card(ROOM).press("approved")
        slack.fake.members["U0NOBODY"] = {}
        assert "not linked to a person" in await slack.press(approve, "U0NOBODY")
        assert "not" in await slack.press(approve, "U0OTTO")  # linked, and not of the team
        assert (await slack.messaging.intent(intent.id)).ending is None
        assert "This is decided: approved" in await slack.press(approve, "U0ANN")


async def test_team_channel_gets_only_tasks_of_the_team_itself(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        await team(slack, channel=f"slack:{ROOM}")
        await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        assert slack.fake.cards_of(ROOM) == []
        asks = await slack.messaging.submit(asked("team:sre"))
        await slack.messaging.carry()
        await slack.messaging.do(asks.id, c.AddComment("which rows?"), OTTO)
        await slack.messaging.carry()
        assert len(slack.fake.cards_of(ROOM)) == 1


async def test_missing_team_channel_stops_nobody(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        await team(slack, channel=f"slack:{ROOM}")
        del slack.fake.members[ROOM]
        intent = await slack.messaging.submit(asked("team:sre"))
        await slack.messaging.carry()
        states = await slack.messaging.states(intent.id)
        assert ("task.opened", "team:sre", "slack", "failed") in states
        assert ("task.opened", "per_ann", "slack", "sent") in states
        assert "decided" in await slack.press(slack.card("U0ANN").press("approved"), "U0ANN")
        await slack.messaging.carry()
        assert (await store.outbox.counts())["waiting"] == 0


@pytest.mark.parametrize("need", [1])
async def test_team_without_a_channel_is_notified_personally(
    need: int, store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        await team(slack)
        await slack.messaging.submit(asked("team:sre", need=need))
        await slack.messaging.carry()
        assert {card.account for card in slack.fake.cards.values()} == {"U0ANN", "U0OTTO"}
