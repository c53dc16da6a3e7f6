"""What a task changes, as lines for a terminal: the same differences as on its page, with secrets masked."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from signoff.cli.output import Painted, block
from signoff.cli.text_safety import visible, visible_lines
from signoff.core.text.hunks import DiffLine, counts, text_diff
from signoff.core.text.json_diff import (
    COARSE,
    GONE,
    NEW,
    Leaf,
    change_counts,
    changed_leaves,
    folded,
    leaf_text,
    leaves,
)
from signoff.core.text.masking import masked
from signoff.core.text.text_diff import Work

_MOODS: Final = {"+": "good", "-": "bad", "fold": "dim", "@": "dim"}
_INDENT: Final = "    "


def payload_lines(label: str, value: Any, whole: bool) -> list[str]:
    """The lines of a payload: as JSON, or value by value if it describes a change. ``whole``: do not collapse unchanged
    values.
    """
    found = list(leaves(value, masked(value), whole=whole, brief=True))
    if not any(leaf.change or leaf.diff for leaf in found):
        return block(label, value)
    shown = found if whole else list(folded(found))
    summary = change_counts(found)
    return [f"{label:<12} {summary}".rstrip(), *(line for leaf in shown for line in leaf_lines(leaf))]


def difference_lines(old: Any, new: Any) -> list[str]:
    """The lines of the difference between two payloads."""
    return [line for leaf in changed_leaves(old, new) for line in leaf_lines(leaf)]


def value_lines(value: Mapping[str, Any]) -> list[str]:
    """The lines of one value of a revision: its path, before and after."""
    path, before, after = (value.get(name) for name in ("path", "before", "after"))
    was, now = NEW if before is None else str(before), GONE if after is None else str(after)
    long = before is not None and after is not None and "\n" in was + now
    diff = text_diff(was, now, Work()) if long else None
    return list(leaf_lines(Leaf(path=str(path), text=now, before=was, diff=diff, change="changed")))


def leaf_lines(leaf: Leaf) -> Iterator[str]:
    """``path: 30 → 5``, or the path, and below it the lines of a longer difference."""
    if leaf.fields:
        yield Painted(f"{_INDENT}… {leaf.text}", "dim")
        return
    path = visible(leaf.label)
    if leaf.diff is None:
        first, *rest = visible_lines(leaf_text(leaf))
        yield f"{_INDENT}{path}: {first}"
        yield from (f"{_INDENT}{_INDENT}{line}" for line in rest)
        return
    yield f"{_INDENT}{path}: {counts(leaf.diff)}"
    yield from (_diff_line(line) for line in leaf.diff.lines)
    if leaf.diff.coarse:
        yield f"{_INDENT}{_INDENT}{COARSE}"


def _diff_line(line: DiffLine) -> str:
    text = visible(line.text.expandtabs(4).removesuffix("\r"))
    sign = "…" if line.sign == "fold" else line.sign
    return Painted(f"{_INDENT}{_INDENT}{sign} {text}".rstrip(), _MOODS.get(line.sign, ""))
