"""A letter as a Slack message. Whatever we did not write is a plain-text object: no mention, no mark-up, no link label.

A press answers what the card shows: its value names the task, the stage, the revision and the digest. A card that
cannot show all of it has no buttons.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from signoff.core.text.json_diff import Leaf
from signoff.notify.letter import GIVEN, Choice, Letter
from signoff.notify.plain_text import one_line, visible

ANSWER: Final = "answer"
_SECTION: Final = 2900  # of Slack's 3000 characters
_SECTIONS: Final = 3
_TITLE: Final = 500
_HEADING: Final = 150  # Slack's limit


class Press(msgspec.Struct, frozen=True):
    """What a button stands for. ``stage``: as people count, from 1; cards that are older than it do not say."""

    task: str
    outcome: str
    digest: str
    revision: int
    stage: int = 0


def message(letter: Letter) -> dict[str, Any]:
    """``text`` is what notifications show; ``blocks`` what the card shows."""
    question = one_line(letter.question, _TITLE)
    text = f"{letter.headline}: {question}"
    shown, whole = _theirs(letter)
    if letter.tone:  # the news comes first
        blocks = [_heading(text), _plain(_facts(letter)), *_closing(letter), *shown]
    else:
        blocks = [
            _quiet(letter.headline),
            _heading(question),
            _plain(_facts(letter)),
            *shown,
            *_closing(letter),
        ]
    buttons = [_button(letter, choice) for choice in letter.choices] if whole else []
    if letter.link:
        buttons.insert(0, _link(letter))
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": escape(text), "blocks": blocks}


def _theirs(letter: Letter) -> tuple[list[dict[str, Any]], bool]:
    """What others wrote, and whether all of it is there."""
    leaves, cut = _sections(_leaves(letter.leaves))
    given, given_cut = _sections(_leaves(letter.given))
    reports, reports_cut = _sections(_leaves(letter.reports))
    said, said_cut = _sections(visible(letter.said))
    asked: list[dict[str, Any]] = []
    if letter.leaves or letter.rest:
        verb = "is" if letter.asks else "was"
        asked += [_quiet(f"What {verb} asked for, {one_line(letter.asked_by, 200)}"), *leaves]
    if letter.given:
        asked += [_quiet(GIVEN), *given]
    if letter.reports:
        asked += [_quiet("What the checks reported"), *reports]
    if cut or given_cut or reports_cut or letter.missing:
        asked.append(_plain(letter.missing or "Not all of it is shown here. The page has all of it."))
    words = [_quiet(letter.said_by), *said] if letter.said else []
    whole = not (cut or given_cut or reports_cut or said_cut)
    return (asked + words if letter.asks else words + asked), whole


def _closing(letter: Letter) -> list[dict[str, Any]]:
    return [_quiet(letter.closing)] if letter.closing else []


def escape(text: str) -> str:
    """Text in which Slack finds no mention, no link and no control sequence."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _facts(letter: Letter) -> str:
    return "\n".join(f"{label}: {one_line(value, 300)}" for label, value in letter.facts) or letter.headline


def _leaves(leaves: Sequence[Leaf]) -> str:
    lines = []
    for leaf in leaves:
        text = visible(leaf.text).replace("\n", "\n      ") or "(empty)"
        lines.append(f"{one_line(leaf.path) or 'value'}: {text}{' …' if leaf.hidden else ''}")
    return "\n".join(lines)


def _sections(text: str) -> tuple[list[dict[str, Any]], bool]:
    """The text in as many sections as it needs, and whether it needs more than there is room for."""
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


def _link(letter: Letter) -> dict[str, Any]:
    return {"type": "button", "action_id": "open", "text": _text(letter.link_label), "url": letter.link}


def _button(letter: Letter, choice: Choice) -> dict[str, Any]:
    press = Press(letter.task, choice.outcome, letter.digest, letter.revision, letter.stage)
    value = msgspec.json.encode(press).decode()
    sure = {
        "title": _text(f"{choice.label}?"),
        "text": _text(f"{one_line(letter.question, 200)} (revision {letter.revision})"),
        "confirm": _text(choice.label),
        "deny": _text("Not yet"),
    }
    return {
        "type": "button", "action_id": f"{ANSWER}:{choice.outcome}", "text": _text(choice.label), "value": value,
        "style": "danger" if choice.danger else "primary", "confirm": sure,
    }  # fmt: skip
