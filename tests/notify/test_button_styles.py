"""The approving button is green for ordinary approvals only, in chat as on the page."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from signoff.core.intent.notifications import NotificationKind
from signoff.notify.msteams.card import render_card as teams_card
from signoff.notify.personal_message import MessageAnswer, PersonalMessage
from signoff.notify.slack import card as slack


def message(grave: bool) -> PersonalMessage:
    answers = (
        MessageAnswer("approved", "Approve", grave=grave),
        MessageAnswer("rejected", "Reject", danger=True, grave=grave),
    )
    return PersonalMessage(
        id="1",
        kind=NotificationKind.TASK_OPENED,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        to="ann@acme.example",
        thread="t",
        headline="A decision is needed",
        question="Run it?",
        choices=answers,
    )


def styles(card: Any) -> list[str]:
    """The styles of a card's buttons, in order; "" for none."""
    if isinstance(card, list):
        return [style for one in card for style in styles(one)]
    if not isinstance(card, dict):
        return []
    if card.get("type") in ("button", "Action.Execute"):
        return [str(card.get("style", ""))]
    return styles(list(card.values()))


@pytest.mark.parametrize("grave", [False, True])
def test_approve_button_is_green_only_if_the_approval_is_not_grave(grave: bool) -> None:
    in_slack = msgspec.to_builtins(slack.render_card(message(grave)))
    assert styles(in_slack) == ["" if grave else "primary", "danger"]
    in_teams = msgspec.to_builtins(teams_card(message(grave)))
    assert styles(in_teams) == ["default" if grave else "positive", "destructive"]
