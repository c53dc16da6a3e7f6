"""Every message that asks for an approval shows the steps that follow it; if they do not fit, it has no buttons."""

from typing import Any

from signoff.core.plan.plan import AgentStep, Plan
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import gate
from tests.notify.messaging_env import asked, email, messaging_env
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import smtp_sink

BUTTONS = ["open", "answer:approved", "answer:rejected"]


def then(given: dict[str, Any]) -> Plan:
    """An approval, followed by an agent step with its own input."""
    apply = AgentStep(id="apply", agent="agent://elsewhere/prod/runner", input=given)
    return gate(*asked().steps, apply, source="scenario")


async def test_card_shows_the_input_of_next_steps_or_has_no_buttons(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock) as slack:
        for given, shown, buttons in (
            ({"command": "DROP TABLE users"}, "apply.command: DROP TABLE users", BUTTONS),
            ({"script": "x" * 5000}, "Not shown here: ", ["open"]),
            ({f"n{n}": n for n in range(100)}, "more values", ["open"]),
            ({"password": "DROP TABLE users"}, "16 characters, fingerprint", ["open"]),
        ):
            before = set(slack.fake.cards)
            await slack.messaging.submit(then(given))
            await slack.messaging.carry()
            [key] = set(slack.fake.cards) - before
            card = slack.fake.cards[key]
            assert [b["action_id"] for b in card.buttons] == buttons
            assert shown in card.text
            assert "After an approval: agent://elsewhere/prod/runner runs step 'apply'" in card.text


async def test_mail_shows_the_input_of_next_steps_in_text_and_html(store: Store, clock: FixedClock) -> None:
    async with smtp_sink() as box, messaging_env(store, clock, email(box.url)) as env:
        await env.submit(then({"command": "DROP TABLE users"}))
        await env.carry()
        [mail] = box.to("ann@acme.example")
        for part in mail.iter_parts():
            text = part.get_content()  # type: ignore[attr-defined]
            assert "Also passed to the next steps" in text
            assert "apply.command" in text
            assert "DROP TABLE users" in text
            assert "agent://elsewhere/prod/runner runs step" in text
