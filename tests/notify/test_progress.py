"""A vote, a new stage, a delegation or a review mark updates every posted card, and people who are no longer asked
lose their buttons.
"""

from signoff.core.intent import commands as c
from signoff.core.plan.task_types import Stage
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO
from tests.notify.messaging_env import Reminders, asked, email, minutes
from tests.notify.slack_env import slack_env
from tests.notify.slackfake import Card
from tests.notify.smtp_sink import smtp_sink

DECIDE = ["open", "answer:approved", "answer:rejected"]


def actions(card: Card) -> list[str]:
    return [button["action_id"] for button in card.buttons]


async def test_partial_vote_updates_every_card_and_removes_the_voters_buttons(
    store: Store, clock: FixedClock
) -> None:
    plan = asked("per_ann", "per_otto", need=2, remind=Reminders(minutes(5), minutes(5), 1))
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(plan)
        await slack.messaging.carry()
        await slack.messaging.pass_time(minutes(5))
        await slack.messaging.carry()
        assert len(slack.fake.cards) == 4  # a card and a reminder each
        for card in slack.fake.cards.values():
            assert "Approvals: 0 of 2" in card.text
            assert "Why you: asked by name" in card.text
        assert "Also asked: otto@acme.example" in slack.fake.cards_of("U0ANN")[0].text
        pressed = slack.fake.cards_of("U0ANN")[1].press("approved")
        assert "1 more approval is needed" in await slack.press(pressed, "U0ANN")
        await slack.messaging.carry()
        assert len(slack.fake.cards) == 4
        for card in slack.fake.cards_of("U0ANN"):
            assert card.edits == 1
            assert actions(card) == ["open"]
            assert "You have answered; it has not been decided yet" in card.text
            assert "Approvals: 1 of 2 (ann@acme.example: approved)" in card.text
            assert "Also asked: otto@acme.example" in card.text
        for card in slack.fake.cards_of("U0OTTO"):
            assert (card.edits, actions(card)) == (1, DECIDE)
            assert "Approvals: 1 of 2 (ann@acme.example: approved)" in card.text
            assert "Also asked" not in card.text
        done = await slack.press(slack.fake.cards_of("U0OTTO")[0].press("approved"), "U0OTTO")
        assert "This is decided: approved." in done
        await slack.messaging.carry()
        for card in slack.fake.cards.values():
            assert (card.edits, actions(card)) == (2, ["open"])
            assert "Approved" in card.text
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
        states = await slack.messaging.states(intent.id)
        assert [s for s in states if s[0] == "task.progress"] == [
            ("task.progress", "per_ann", "slack", "sent"),
            ("task.progress", "per_otto", "slack", "sent"),
        ]


async def test_passed_stage_is_shown_on_the_cards_of_the_stage_before(
    store: Store, clock: FixedClock
) -> None:
    plan = asked(stages=(Stage(("per_ann",), 1), Stage(("per_otto",), 1)))
    async with slack_env(store, clock) as slack:
        await slack.messaging.submit(plan)
        await slack.messaging.carry()
        assert "Stage: 1 of 2" in slack.card("U0ANN").text
        await slack.press(slack.card("U0ANN").press("approved"), "U0ANN")
        await slack.messaging.carry()
        mine, theirs = slack.card("U0ANN"), slack.card("U0OTTO")
        assert (mine.edits, actions(mine)) == (1, ["open"])
        assert "Stage: 2 of 2" in mine.text
        assert "Still asked: otto@acme.example" in mine.text
        assert "is not waiting for you now" in mine.text
        assert (theirs.edits, actions(theirs)) == (0, DECIDE)


async def test_a_message_says_which_later_stages_ask_its_reader(store: Store, clock: FixedClock) -> None:
    plan = asked(stages=(Stage(("per_ann", "per_otto"), 1), Stage(("per_otto",), 1), Stage(("per_otto",), 1)))
    async with slack_env(store, clock) as slack:
        await slack.messaging.submit(plan)
        await slack.messaging.carry()
        assert "Stage: 1 of 3\n" in f"{slack.card('U0ANN').text}\n"
        assert "Stage: 1 of 3; stages 2 and 3 ask you too" in slack.card("U0OTTO").text


async def test_consecutive_votes_end_in_the_last_state_on_every_card(store: Store, clock: FixedClock) -> None:
    plan = asked(stages=(Stage(("per_ann", "per_otto"), 2, reject_after=2),))
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(plan)
        await slack.messaging.carry()
        for command, person in (
            (c.Answer("approved"), ANN),
            (c.MarkReviewing(), OTTO),
            (c.Answer("rejected"), ANN),
        ):
            await slack.messaging.do(intent.id, command, person)
        await slack.messaging.carry()
        for account in ("U0ANN", "U0OTTO"):
            card = slack.card(account)
            assert card.edits == 1  # the three changes are one
            assert "Approvals: 0 of 2 (ann@acme.example: rejected)" in card.text
            assert "Rejections: 1 of 2" in card.text
        await slack.messaging.do(intent.id, c.Answer("rejected"), OTTO)
        await slack.messaging.carry()
        assert all("Rejected" in slack.card(account).text for account in ("U0ANN", "U0OTTO"))


async def test_review_mark_and_delegation_are_shown_on_the_cards(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        mine, theirs = slack.card("U0ANN"), slack.card("U0OTTO")
        await slack.messaging.do(intent.id, c.MarkReviewing(), ANN)
        await slack.messaging.carry()
        assert "Being reviewed by: you" in mine.text
        assert "Being reviewed by: ann@acme.example" in theirs.text
        assert actions(mine) == actions(theirs) == DECIDE
        await slack.messaging.do(intent.id, c.Delegate("per_otto"), ANN)
        await slack.messaging.carry()
        assert actions(mine) == ["open"]
        assert "is not waiting for you now" in mine.text
        assert "Still asked: otto@acme.example" in mine.text


async def test_next_revision_has_a_new_card_and_the_old_one_answers_it_too(
    store: Store, clock: FixedClock
) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto"))
        await slack.messaging.carry()
        old = slack.card("U0ANN")
        await slack.messaging.do(intent.id, c.Revise("e" * 64), OTTO)
        await slack.messaging.carry()
        [again] = [card for card in slack.fake.cards_of("U0ANN") if card is not old]
        assert old.press("approved")["value"] == again.press("approved")["value"]
        otto = slack.card("U0OTTO")
        assert actions(otto) == ["open"]  # on the requester's side now
        assert "This is decided" in await slack.press(old.press("approved"), "U0ANN")


async def test_mail_shows_the_same_progress_and_none_is_sent_for_a_partial_vote(
    store: Store, clock: FixedClock
) -> None:
    async with smtp_sink() as server, slack_env(store, clock, linked=False, **email(server.url)) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto", need=2))
        await slack.messaging.carry()
        assert len(server.mails) == 2
        for mail in server.mails:
            text = mail.get_body(("plain",)).get_content()
            assert "Approvals: 0 of 2" in text
            assert "Why you: asked by name" in text
        await slack.messaging.do(intent.id, c.Answer("approved"), ANN)
        await slack.messaging.carry()
        assert len(server.mails) == 2
        assert not [m for m in await slack.messaging.messages(intent.id) if m.kind == "task.progress"]


async def test_deleted_card_is_not_posted_again(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        intent = await slack.messaging.submit(asked("per_ann", "per_otto", need=2))
        await slack.messaging.carry()
        slack.fake.cards.clear()
        await slack.messaging.do(intent.id, c.Answer("approved"), ANN)
        await slack.messaging.carry()
        assert slack.fake.cards == {}
        assert await store.outbox.counts() == {"waiting": 0, "dead": 0}
