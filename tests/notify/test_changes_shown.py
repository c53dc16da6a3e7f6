"""Mail and chat show the same difference as the page, with secrets masked."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from signoff.core.intent.notifications import NotificationKind
from signoff.engine.delivery.payload_excerpt import render_payload
from signoff.notify.email import as_html, as_text
from signoff.notify.personal_message import PersonalMessage
from signoff.notify.slack.card import render_card

SIXTY = [f"line {number}: value" for number in range(60)]
PAYLOAD: dict[str, Any] = {
    "target": "prod",
    "lock_timeout": {"before": "30s", "after": "5s"},
    "manifest": {
        "before": "\n".join(SIXTY),
        "after": "\n".join([*SIXTY[:31], "line 31: other", *SIXTY[32:]]),
    },
    "config": {"old": {f"k{n}": n for n in range(9)}, "new": {f"k{n}": n for n in range(8)}},
    "api_token": {"before": "hunter2-one", "after": "hunter2-two"},
    "patch": "@@ -1 +1 @@\n-<b>a\n+b\u202e\n",
}


def message(payload: dict[str, Any]) -> PersonalMessage:
    found = render_payload(msgspec.json.encode(payload), {})
    return PersonalMessage(
        id="1",
        kind=NotificationKind.TASK_OPENED,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        to="ann@acme.example",
        thread="t",
        headline="A decision is needed",
        question="Run it?",
        asked_by="ci",
        leaves=found.leaves,
        rest=found.rest,
    )


def test_mail_shows_hunks_and_counts_omitted_lines() -> None:
    shown = message(PAYLOAD)
    text = as_text(shown)
    for part in (
        "  | lock_timeout: 30s → 5s\n",
        "  | manifest: +1 −1\n  |     … 28 unchanged lines\n  |       line 28: value\n",
        "  |     - line 31: value\n  |     + line 31: other\n",
        "  | …: 8 unchanged values\n  | config.k8: 8 → (removed)\n",
        "  | patch: +1 −1\n  |     @ @@ -1 +1 @@\n  |     - <b>a\n  |     + b[U+202E]\n",
        "Not shown here: 8 more values and ",
    ):
        assert part in text
    page = as_html(shown)
    assert '<span class="good" style="color:#17693b;">+ line 31: <b>other</b></span>' in page
    assert "<b>a" not in page
    assert "&hellip; 28 unchanged lines" in page
    assert "lock_timeout</span><br>" in page


@pytest.mark.parametrize("render", [as_text, as_html, lambda shown: str(render_card(shown))])
def test_changed_secret_stays_masked_and_is_shown_as_changed(render: Any) -> None:
    text = render(message(PAYLOAD))
    assert "hunter2" not in text
    assert text.count("fingerprint") == 2


def test_chat_card_shows_hunks_and_has_no_buttons_for_folded_values() -> None:
    card = render_card(message(PAYLOAD))
    sections = [block["text"]["text"] for block in card["blocks"] if block["type"] == "section"]
    assert any(
        "lock_timeout: 30s → 5s\nmanifest: +1 −1\n      … 28 unchanged lines\n" in text for text in sections
    )
    assert not render_payload(msgspec.json.encode(PAYLOAD), {}).whole
    assert render_payload(msgspec.json.encode({"limit": PAYLOAD["lock_timeout"]}), {}).whole


def test_rest_of_a_difference_too_long_for_a_message_is_counted() -> None:
    rewritten = {
        "text": {"before": "\n".join(f"old {n} {'x' * 60}" for n in range(90)), "after": "\n".join(SIXTY)}
    }
    shown = message(rewritten)
    assert shown.leaves[0].hidden > 5000
    assert shown.leaves[0].diff is None
    assert shown.missing
