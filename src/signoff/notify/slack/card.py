"""Renders a message as a Slack card. Other people's text goes into plain-text objects: no mentions, no markup, no
link labels.

A press answers what the card shows: the button's value names the task, the stage, the revision and the digest. A card
that cannot show everything has no buttons.
"""

from typing import Any, Final

import msgspec

from signoff.notify.chat import Press
from signoff.notify.personal_message import GIVEN, MessageAnswer, PersonalMessage
from signoff.notify.plain_text import leaf_lines, one_line, visible

ANSWER: Final = "answer"
_SECTION: Final = 2900  # of Slack's limit of 3000 characters
_SECTIONS: Final = 3
_TITLE: Final = 500
_HEADING: Final = 150  # Slack's limit


def render_card(message: PersonalMessage) -> dict[str, Any]:
    """``text``, which notifications show, and ``blocks``, the card."""
    question = one_line(message.question, _TITLE)
    text = f"{message.headline}: {question}"
    shown, whole = _theirs(message)
    if message.tone:  # leave room for the message first
        blocks = [_heading(text), _plain(_facts(message)), *_closing(message), *shown]
    else:
        blocks = [
            _quiet(message.headline),
            _heading(question),
            _plain(_facts(message)),
            *shown,
            *_closing(message),
        ]
    buttons = [_button(message, choice) for choice in message.choices] if whole else []
    if message.link:
        buttons.insert(0, _link(message))
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": escape(text), "blocks": blocks}


def _theirs(message: PersonalMessage) -> tuple[list[dict[str, Any]], bool]:
    """Return other people's text, and whether it is complete."""
    leaves, cut = _sections(leaf_lines(message.leaves))
    inputs, given_cut = _sections(leaf_lines(message.given))
    reports, reports_cut = _sections(leaf_lines(message.reports))
    quoted, quote_cut = _sections(visible(message.quoted))
    asked: list[dict[str, Any]] = []
    if message.leaves or message.rest:
        asked += [_quiet(f"The request, {one_line(message.asked_by, 200)}"), *leaves]
    if message.given:
        asked += [_quiet(GIVEN), *inputs]
    if message.reports:
        asked += [_quiet("Check results"), *reports]
    if cut or given_cut or reports_cut or message.missing:
        asked.append(_plain(message.missing or "Not everything is shown here. The page shows everything."))
    words = [_quiet(message.quoted_by), *quoted] if message.quoted else []
    whole = not (cut or given_cut or reports_cut or quote_cut)
    return (asked + words if message.asks else words + asked), whole


def _closing(message: PersonalMessage) -> list[dict[str, Any]]:
    return [_quiet(message.closing)] if message.closing else []


def escape(text: str) -> str:
    """Text escaped for Slack, without mentions, links or control sequences."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _facts(message: PersonalMessage) -> str:
    return "\n".join(f"{label}: {one_line(value, 300)}" for label, value in message.facts) or message.headline


def _sections(text: str) -> tuple[list[dict[str, Any]], bool]:
    """Return the text in as many sections as needed, and whether it exceeds the available space."""
    parts = [text[start : start + _SECTION] for start in range(0, len(text), _SECTION)]
    return [_plain(part) for part in parts[:_SECTIONS]], len(parts) > _SECTIONS


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text if text.strip() else "(empty)", "emoji": False}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _heading(text: str) -> dict[str, Any]:
    return {"type": "header", "text": _text(text)} if len(text) <= _HEADING else _plain(text)


def _quiet(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_text(text)]}


def _link(message: PersonalMessage) -> dict[str, Any]:
    return {"type": "button", "action_id": "open", "text": _text(message.link_label), "url": message.link}


def _button(message: PersonalMessage, choice: MessageAnswer) -> dict[str, Any]:
    press = Press(message.task, choice.outcome, message.digest, message.revision, message.stage)
    value = msgspec.json.encode(press).decode()
    sure = {
        "title": _text(f"{choice.label}?"),
        "text": _text(f"{one_line(message.question, 200)} (revision {message.revision})"),
        "confirm": _text(choice.label),
        "deny": _text("Cancel"),
    }
    made = {
        "type": "button", "action_id": f"{ANSWER}:{choice.outcome}", "text": _text(choice.label), "value": value,
        "confirm": sure,
    }  # fmt: skip
    style = "danger" if choice.danger else "" if choice.grave else "primary"
    return made | {"style": style} if style else made
