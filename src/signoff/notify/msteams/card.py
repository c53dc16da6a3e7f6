"""A message as an Adaptive Card. Other people's text goes into text runs, which have no markup."""

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from signoff.notify.chat import Press
from signoff.notify.personal_message import GIVEN
from signoff.notify.plain_text import leaf_lines, one_line, visible

if TYPE_CHECKING:
    from signoff.notify.personal_message import PersonalMessage

VERB: Final = "answer"
_MOST_LINES: Final = 150
_MOST_BYTES: Final = 24_000  # of Teams' 28 KB


def render_card(message: "PersonalMessage") -> dict[str, Any]:
    """An Adaptive Card. It has answer buttons only if everything is shown."""
    question = _line(one_line(message.question, 500), weight="Bolder", size="Medium")
    facts = [_fact(label, one_line(value, 300)) for label, value in message.facts]
    parts, lines = _theirs(message)
    whole = lines <= _MOST_LINES and not message.missing
    if not whole:
        reason = message.missing or "Not everything is shown here. The page shows everything."
        parts.append(_line(reason, weight="Bolder"))
    closing = [_line(message.closing)] if message.closing else []
    color = {"good": "Good", "bad": "Attention"}.get(message.tone, "Default")
    card: dict[str, Any] = {
        "type": "AdaptiveCard", "version": "1.4", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "body": [_line(message.headline, color=color, weight="Bolder" if message.tone else "Default"), question, *facts,
                 *parts, *closing],
        "actions": [],
    }  # fmt: skip
    if len(json.dumps(card)) > _MOST_BYTES:
        whole = False
        card["body"] = [
            *card["body"][:2],
            *facts,
            _line("The page shows the request.", weight="Bolder"),
            *closing,
        ]
    buttons = [_button(message, choice) for choice in message.choices] if whole else []
    if message.link:
        buttons.append({"type": "Action.OpenUrl", "title": message.link_label, "url": message.link})
    return {**card, "actions": buttons}


def _theirs(message: "PersonalMessage") -> tuple[list[dict[str, Any]], int]:
    """Return other people's text, each part below its heading, and how many lines there are."""
    quoted = [(message.quoted_by, visible(message.quoted))] if message.quoted else []
    parts = [] if message.asks else [*quoted]
    if message.leaves or message.rest:
        parts.append((f"The request, {one_line(message.asked_by, 200)}", leaf_lines(message.leaves)))
    if message.given:
        parts.append((GIVEN, leaf_lines(message.given)))
    if message.reports:
        parts.append(("Check results", leaf_lines(message.reports)))
    parts += quoted if message.asks else []
    made, room, lines = [], _MOST_LINES, 0
    for heading, text in parts:
        found = text.split("\n")
        items = [_line(_indented(line), mono=True) for line in found[:room]]
        made.append(
            {"type": "Container", "style": "emphasis", "items": [_line(heading, subtle=True), *items]}
        )
        room, lines = max(0, room - len(found)), lines + len(found)
    return made, lines


def _indented(line: str) -> str:
    """The line with its leading spaces as no-break spaces, because Teams drops ordinary ones."""
    text = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(text)) + text


def _line(
    text: str,
    weight: str = "Default",
    size: str = "Default",
    color: str = "Default",
    subtle: bool = False,
    mono: bool = False,
) -> dict[str, Any]:
    run = {
        "type": "TextRun",
        "text": text or " ",
        "weight": weight,
        "size": size,
        "color": color,
        "isSubtle": subtle,
    }
    return {
        "type": "RichTextBlock",
        "inlines": [run | ({"fontType": "Monospace"} if mono else {})],
        "spacing": "Small",
    }


def _fact(label: str, value: str) -> dict[str, Any]:
    runs = [
        {"type": "TextRun", "text": f"{label}: ", "isSubtle": True},
        {"type": "TextRun", "text": value or "-"},
    ]
    return {"type": "RichTextBlock", "inlines": runs, "spacing": "None"}


def _button(message: "PersonalMessage", choice: Any) -> dict[str, Any]:
    press = Press(message.task, choice.outcome, message.digest, message.revision, message.stage)
    return {
        "type": "Action.Execute",
        "verb": VERB,
        "title": choice.label,
        "data": msgspec.to_builtins(press),
        "style": "destructive" if choice.danger else "default" if choice.grave else "positive",
    }
