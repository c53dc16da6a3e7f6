"""Slack: cards, presses, and the later state of every card."""

import json
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Meaning, Outcome, Risk, Stage, Strength, TaskSpec
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, SERVICE, WORKSPACE, approve, gate, validate
from tests.notify.messaging_env import Escalation, MessagingEnv, Reminders, asked, email, minutes
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import smtp_sink


async def test_button_records_an_answer_of_the_linked_person_and_updates_every_card(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        ann, otto = slack.card("U0ANN"), slack.card("U0OTTO")
        assert [b["text"]["text"] for b in ann.buttons] == ["Review and decide", "Approve", "Reject"]
        button = ann.press("approved")
        value = json.loads(button["value"])
        held = (await slack.messaging.intent(intent.id)).open
        assert (value["digest"], value["revision"]) == (held.digest, 1)
        assert (
            await slack.press(button, "U0ANN")
            == "Recorded: approved. This is decided: approved. The request is completed."
        )
        await slack.messaging.carry()
        for card in (ann, otto):
            assert "Approved" in card.text
            assert "ann@acme.example, through Slack" in card.text
            assert [b["text"]["text"] for b in card.buttons] == ["See what happened"]
            assert card.edits == 1
        assert "already been decided" in await slack.press(button, "U0OTTO")
        answered = [
            f for f in await _facts(slack.messaging, intent.id) if type(f.event).__name__ == "Answered"
        ]
        assert [(f.actor.id, f.via, f.event.unseen) for f in answered] == [("per_ann", "slack", False)]


async def _facts(env: MessagingEnv, intent_id: str) -> list[Any]:
    from signoff.core.intent.hash_chain import unseal

    return [unseal(row.body, row.private) for row in await env.store.intents.history(intent_id)]


async def test_preview_of_a_card_mentions_nobody(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        await slack.messaging.submit(asked("per_ann", title="Run it & tell <!channel>?"))
        await slack.messaging.carry()
        preview = slack.card("U0ANN").body["text"]
        assert preview == "A decision is needed: Run it &amp; tell &lt;!channel&gt;?"


@pytest.mark.parametrize(
    ("end", "said"), [("cancel", "Withdrawn"), ("silence", "Expired"), ("no", "Rejected")]
)
async def test_ending_by_any_channel_updates_every_card_in_one_iteration(
    end: str, said: str, store: Store, clock: FixedClock
) -> None:
    plan = asked("per_ann", "per_otto", remind=Reminders(minutes(5), minutes(5), 2))
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(plan)
        await slack.messaging.carry()
        await slack.messaging.pass_time(minutes(5))
        await slack.messaging.carry()
        assert len(slack.fake.cards) == 4
        if end == "cancel":
            await slack.messaging.do(intent.id, c.Cancel(), SERVICE)
        elif end == "no":
            await slack.messaging.do(intent.id, c.Answer("rejected"), OTTO)
        else:
            await slack.messaging.pass_time(timedelta(hours=9))
        await slack.messaging.carry()
        cards = list(slack.fake.cards.values())
        assert all(said in card.text and len(card.buttons) == 1 for card in cards)
        assert len(cards) == 4


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("high risk", {"risk": Risk.HIGH}),
        ("a session is demanded", {"strength": Strength.SESSION}),
        ("a comment is demanded", {"comment_required": True}),
        ("evidence is demanded", {"evidence_required": True}),
    ],
)
async def test_task_that_needs_the_page_has_only_a_link_and_a_forged_click_decides_nothing(
    why: str, fields: dict[str, Any], store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked(**fields))
        await slack.messaging.carry()
        assert [b["action_id"] for b in slack.card("U0ANN").buttons] == ["open"]
        held = (await slack.messaging.intent(intent.id)).open
        value = {"task": intent.id[:-4] + "0001", "outcome": "approved", "digest": held.digest, "revision": 1}
        forged = {"action_id": "answer:approved", "value": json.dumps(value)}
        assert "inish in the browser" in await slack.press(forged, "U0ANN")
        assert (await slack.messaging.intent(intent.id)).ending is None


async def test_checks_are_shown_on_the_card_and_a_high_risk_removes_the_buttons(
    store: Store, clock: FixedClock
) -> None:
    both = gate(validate(), *asked("per_ann").steps, source="workflow:migration@1")
    async with slack_env(store, clock) as slack:
        for report, buttons in (
            ({"passed": True, "rows": "48 million"}, ["open", "answer:approved", "answer:rejected"]),
            ({"passed": True, "risk": "critical"}, ["open"]),
            ({"passed": False, "log": "x" * 3000}, ["open"]),
        ):
            before = set(slack.fake.cards)
            intent = await slack.messaging.submit(both)
            await slack.messaging.do(intent.id, c.Report(result=report))
            await slack.messaging.carry()
            [key] = set(slack.fake.cards) - before
            card = slack.fake.cards[key]
            assert [b["action_id"] for b in card.buttons] == buttons
            for name, value in report.items():
                assert f"validate.{name}: {json.dumps(value).strip(chr(34))[:30]}" in card.text
            assert f"Checked: validate: {'passed' if report['passed'] else 'failed'}" in card.text
            assert ("Risk: critical, reported by the check in step validate" in card.text) is (
                "risk" in report
            )
            held = (await slack.messaging.intent(intent.id)).open
            value = {
                "task": f"{intent.id[:-4]}0002",
                "outcome": "approved",
                "digest": held.digest,
                "revision": 1,
            }
            forged = {"action_id": "answer:approved", "value": json.dumps(value)}
            if report.get("risk"):
                assert "inish in the browser" in await slack.press(forged, "U0ANN")
                assert (await slack.messaging.intent(intent.id)).ending is None


async def test_stale_card_decides_nothing(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked())
        await slack.messaging.carry()
        button = slack.card("U0ANN").press("approved")
        stale = button | {"value": button["value"].replace('"digest":"', '"digest":"0')}
        assert "no longer what is being decided" in await slack.press(stale, "U0ANN")
        assert (await slack.messaging.intent(intent.id)).ending is None


async def test_rate_limit_of_slack_is_respected_without_loss_or_repetition(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        calls = len(slack.fake.calls)
        slack.fake.limited = 1
        first = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        clock.move(timedelta(seconds=39))
        second = await slack.messaging.submit(asked("per_otto"))
        await slack.messaging.carry()
        assert (slack.fake.cards, len(slack.fake.calls)) == ({}, calls + 1)
        clock.move(timedelta(seconds=1))
        await slack.messaging.carry()
        clock.move(
            timedelta(seconds=4)
        )  # the second was told to wait one second: the pause is never shorter than five
        await slack.messaging.carry()
        assert len(slack.fake.cards) == 2
        for intent in (first, second):
            assert {m.state for m in await slack.messaging.messages(intent.id)} == {"sent"}


async def test_cards_beyond_slacks_rate_limit_are_all_updated_later(store: Store, clock: FixedClock) -> None:
    """chat.update is limited to about fifty calls a minute; a card that has to wait does not delay another channel."""
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        intents = [await slack.messaging.submit(asked("per_ann", "per_otto")) for _ in range(9)]
        await slack.messaging.carry()
        clock.move(timedelta(seconds=30))
        more = [await slack.messaging.submit(asked("per_ann", "per_otto")) for _ in range(9)]
        intents += more
        await slack.messaging.carry()
        for _ in range(8):
            clock.move(timedelta(seconds=15))
            intents += [await slack.messaging.submit(asked("per_ann", "per_otto"))]
            await slack.messaging.carry()
        assert len(slack.fake.cards) == 2 * len(intents) > 50
        for intent in intents:
            await slack.messaging.do(intent.id, c.Answer("approved"), ANN)
        await slack.messaging.carry()
        assert sum("Approved" in card.text for card in slack.fake.cards.values()) == 50
        for _ in range(30):
            clock.move(timedelta(seconds=2))
            await slack.messaging.carry()
        for intent in intents:
            assert {(m.state, m.attempts) for m in await slack.messaging.messages(intent.id)} == {("sent", 1)}
        assert all("Approved" in card.text for card in slack.fake.cards.values())
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
        assert [mail["To"] for mail in server.mails] == ["rita@acme.example"] * len(intents)


async def test_preferences_order_the_channels_and_the_next_takes_over_after_a_permanent_failure(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        await slack.messaging.people_are(otto={"preferences": {"channels": ["email", "slack"]}})
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        assert len(slack.fake.cards_of("U0ANN")) == 1
        assert [mail["To"] for mail in server.mails] == ["otto@acme.example"]
        server.refused = {"otto@acme.example": "550 no"}
        slack.fake.members.pop("U0ANN")
        other = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        assert [mail["To"] for mail in server.mails[1:]] == ["ann@acme.example"]
        assert len(slack.fake.cards_of("U0OTTO")) == 1
        assert "NobodyReached" not in await slack.messaging.happened(other.id)
        assert await slack.messaging.states(other.id) == [
            ("task.opened", "per_ann", "email", "sent"),
            ("task.opened", "per_ann", "slack", "failed"),
            ("task.opened", "per_otto", "email", "failed"),
            ("task.opened", "per_otto", "slack", "sent"),
        ]
        assert {state for *_, state in await slack.messaging.states(intent.id)} == {"sent"}


async def test_failure_of_all_channels_advances_escalation_once(store: Store, clock: FixedClock) -> None:
    plan = asked(
        "per_ann",
        escalate=(
            Escalation(timedelta(hours=2), ("per_otto",)),
            Escalation(timedelta(hours=3), ("per_rita",)),
        ),
    )
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        server.refused = {"ann@acme.example": "550 no"}
        slack.fake.members.pop("U0ANN")
        intent = await slack.messaging.submit(plan)
        await slack.messaging.carry()
        events = await slack.messaging.happened(intent.id)
        assert (events.count("NobodyReached"), events.count("Escalated")) == (1, 1)
        assert len(slack.fake.cards_of("U0OTTO")) == 1


async def test_person_without_a_channel_does_not_advance_escalation(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock, linked=False) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        assert "NobodyReached" not in await slack.messaging.happened(intent.id)
        [lost] = await slack.messaging.messages(intent.id)
        assert (lost.state, lost.channel) == ("failed", "none")


async def test_deleted_card_does_not_delay_the_others(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        del slack.fake.cards[next(k for k, v in slack.fake.cards.items() if v.account == "U0OTTO")]
        await slack.messaging.do(intent.id, c.Answer("approved"), ANN)
        await slack.messaging.carry()
        assert "Approved" in slack.card("U0ANN").text
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_hostile_text_is_escaped_and_text_that_does_not_fit_removes_the_buttons(
    store: Store, clock: FixedClock
) -> None:
    evil = {
        "<!channel>": "<!channel> <@U1> <https://evil|Open ticket> *bold* :tada: &amp;",
        "bidi": "a\u202eb\u200bc\x1b[2J",
        "break": "x\nRisk: low",
        "empty": "",
    }
    async with slack_env(store, clock) as slack:
        await slack.messaging.submit(asked(), payload=json.dumps(evil).encode())
        await slack.messaging.carry()
        card = slack.card("U0ANN")
        assert "<!channel>: <!channel> <@U1> <https://evil|Open ticket> *bold* :tada: &amp;" in card.text
        assert "a[U+202E]b[U+200B]c[U+001B][2J" in card.text
        assert "\nRisk: low" not in card.text.replace("Risk: medium", "")
        assert (card.body["parse"], card.body["link_names"], card.body["unfurl_links"]) == (
            "none",
            False,
            False,
        )
        assert "<" not in card.body["text"]
        assert len(card.buttons) == 3
        huge = [
            {"a": "x" * 200_000 + "DROP"},
            {"a": "\u202e" * 2300},
            {str(n): "v" for n in range(500)},
            {"k" * 50_000: "v"},
        ]
        for payload in huge:
            before = set(slack.fake.cards)
            await slack.messaging.submit(asked(), payload=json.dumps(payload).encode())
            await slack.messaging.carry()
            [key] = set(slack.fake.cards) - before
            assert [b["action_id"] for b in slack.fake.cards[key].buttons] == ["open"]
            assert "The page shows everything." in slack.fake.cards[key].text


async def test_messages_of_a_task_are_listed(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        from signoff.core.directory.actors import ActorKind

        person = await slack.messaging.keys.create(WORKSPACE, ActorKind.PERSON, RITA.id, RITA.id)
        slack.web.keys["rita"] = person.secret
        slack.messaging.directory.changed(WORKSPACE)
        slack.fake.members.pop("U0OTTO")
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        for ref in (intent.id, intent.id[:-4] + "0001"):
            told = await slack.web.call("GET", f"/v1/tasks/{ref}/messages", who="rita")
            assert {(m["person"], m["state"], m.get("error")) for m in told["messages"]} == {
                ("per_ann", "sent", None),
                ("per_otto", "failed", "Slack answered channel_not_found"),
            }


async def test_card_of_the_stage_before_says_that_another_is_open(store: Store, clock: FixedClock) -> None:
    own = tuple(Outcome(word, Meaning.APPROVES, word.title()) for word in ("full", "canary"))
    task = TaskSpec(
        title="Roll it out?",
        outcomes=("full", "canary", "rejected"),
        own=own,
        stages=(Stage(("per_ann", "per_otto")),) * 2,
    )
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(gate(approve(task=task), source="workflow:rollout@1"))
        await slack.messaging.carry()
        old = slack.card("U0OTTO").press("full")
        assert "stage 2 is open now" in await slack.press(slack.card("U0ANN").press("canary"), "U0ANN")
        assert "Stage 2 is open now" in await slack.press(old, "U0OTTO")
        answered = [
            f for f in await _facts(slack.messaging, intent.id) if type(f.event).__name__ == "Answered"
        ]
        assert [f.actor.id for f in answered] == ["per_ann"]
