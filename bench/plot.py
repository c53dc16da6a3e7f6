"""Horizontal bars as SVG, readable on light and dark pages."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_WIDTH: Final = 760
_LABELS: Final = 270  # pixels left of the bars
_BARS: Final = 350
_ROW: Final = 26
_TOP: Final = 62
_STYLE: Final = """
.ground { fill: #ffffff } text { fill: #24292f; font: 13px system-ui, sans-serif } .soft { fill: #57606a }
.title { font-weight: 600; font-size: 15px } .a { fill: #0969da } .b { fill: #bf8700 } .c { fill: #8c959f }
.goal { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117 } text { fill: #e6edf3 } .soft { fill: #9198a1 } .a { fill: #4493f8 } .b { fill: #d29922 }
.c { fill: #6e7681 } .goal { stroke: #f85149 }
}
"""
_SHADES: Final = "abc"


class Bar(NamedTuple):
    """A row. ``parts``: the segments of the bar, in the legend's order; none for a group's heading. ``said``: the text
    after it. ``goal``: where a line is drawn.
    """

    label: str
    parts: Sequence[float] = ()
    said: str = ""
    goal: float | None = None


def bars(title: str, unit: str, rows: Sequence[Bar], legend: Sequence[str] = ()) -> str:
    """The drawing; all bars begin at 0 and share one scale."""
    most = max((max(sum(row.parts), row.goal or 0) for row in rows), default=0) or 1
    height = _TOP + _ROW * len(rows) + 12
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}" rx="6"/>',
        _text(16, 26, title, "title"),
        _text(16, 46, unit, "soft"),
    ]
    has_goals = any(row.goal for row in rows)
    drawn += _legend([*legend, *(["goal"] if has_goals else [])], has_goals)
    for number, row in enumerate(rows):
        drawn += _row(_TOP + _ROW * number, row, _BARS / most)
    return "\n".join([*drawn, "</svg>", ""])


def _legend(words: Sequence[str], has_goals: bool) -> list[str]:
    drawn, x = [], _LABELS
    for number, word in enumerate(words):
        if has_goals and number == len(words) - 1:
            drawn.append(f'<path class="goal" d="M{x + 5} 36v12"/>')
        else:
            drawn.append(f'<rect class="{_SHADES[number]}" x="{x}" y="37" width="10" height="10" rx="2"/>')
        drawn.append(_text(x + 16, 46, word, "soft"))
        x += 34 + 8 * len(word)
    return drawn


def _row(y: int, row: Bar, scale: float) -> list[str]:
    if not row.parts:
        return [_text(16, y + 18, row.label, "title")]
    drawn, x = [_text(16, y + 18, row.label)], float(_LABELS)
    for shade, part in zip(_SHADES, row.parts, strict=False):
        drawn.append(
            f'<rect class="{shade}" x="{x:.1f}" y="{y + 5}" width="{part * scale:.1f}" height="17"/>'
        )
        x += part * scale
    if row.goal:
        at = _LABELS + row.goal * scale
        drawn.append(f'<path class="goal" d="M{at:.1f} {y + 2}v23"/>')
        x = max(x, at)
    return [*drawn, _text(round(x) + 8, y + 18, row.said, "soft")]


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{shown}>{escape(words)}</text>'
