"""JSON as a person reviews it: every leaf with its path, before and after if both are given, nothing cut silently.

Pure. Long values are folded, and the rest counted: a caller that shows them must offer to unfold them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from signoff.core.text.json_paths import full_member_path, item_path, member_path
from signoff.core.text.masking import is_secret, masked
from signoff.core.text.text_diff import same_lines

LONGEST: Final = 600
MOST_LINES: Final = 12
MOST_LEAVES: Final = 40
NEW: Final = "(not there)"
GONE: Final = "(taken away)"
_PAIRS: Final = (("before", "after"), ("from", "to"), ("old", "new"), ("current", "proposed"))
_PLAIN = msgspec.json.Encoder()
_NEVER_MASKED: Final = ("bool", "null", "number")


class DiffLine(msgspec.Struct, frozen=True):
    """One line of a difference. ``sign``: ``+``, ``-`` or a space."""

    sign: str
    text: str


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One value. ``hidden``: how many characters of it are folded; ``lines``: a line-by-line difference; masked: it is
    hidden, or partly hidden, because it is a secret.
    """

    path: str
    text: str
    kind: str = "text"
    before: str | None = None
    lines: tuple[DiffLine, ...] = ()
    hidden: int = 0
    masked: bool = False


class Group(msgspec.Struct, frozen=True):
    """Leaves that belong together. ``rest``: how many more are folded."""

    leaves: tuple[Leaf, ...] = ()
    rest: int = 0

    @property
    def folded(self) -> bool:
        return self.rest > 0 or any(leaf.hidden for leaf in self.leaves)

    @property
    def masked(self) -> bool:
        return any(leaf.masked for leaf in self.leaves)


def group(value: Any, opened: bool) -> Group:
    """The leaves of a JSON value; all of them unfolded if ``opened``."""
    found = list(leaves(value))
    if opened:
        return Group(tuple(found))
    found = _covered(found, leaves(masked(value)))
    return Group(tuple(_cut(leaf) for leaf in found[:MOST_LEAVES]), max(0, len(found) - MOST_LEAVES))


def leaves(value: Any, path: str = "", *, brief: bool = False) -> Iterator[Leaf]:
    """Every leaf, in the given order. An empty object or list is a leaf too. ``brief``, for messages: an object with
    the values before and after stays two leaves, and the full form of a shortened path is not added.
    """
    if isinstance(value, Mapping) and value:
        pair = None if brief else next((p for p in _PAIRS if set(value) == set(p)), None)
        if pair is not None:
            yield from _changed(value[pair[0]], value[pair[1]], path)
            return
        for key, item in value.items():
            at = member_path(path, str(key))
            if not brief:
                yield from _in_full(path, str(key), at)
            yield from leaves(item, at, brief=brief)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, item_path(path, index), brief=brief)
    else:
        yield Leaf(path=path, text=show(value), kind=_kind(value))


def _changed(before: Any, after: Any, path: str) -> Iterator[Leaf]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            at = member_path(path, str(key))
            yield from _in_full(path, str(key), at)
            if key not in before:
                yield from _leaf_by_leaf((), leaves(after[key], at))
            elif key not in after:
                yield from _leaf_by_leaf(leaves(before[key], at), ())
            elif before[key] == after[key]:
                yield from leaves(after[key], at)
            else:
                yield from _changed(before[key], after[key], at)
        return
    if _holds_secrets(before, path) or _holds_secrets(after, path):
        yield from _leaf_by_leaf(leaves(before, path), leaves(after, path))
        return
    old, new = show(before), show(after)
    lines = tuple(difference(old, new)) if "\n" in old or "\n" in new else ()
    yield Leaf(path=path, text=new, kind=_either(_kind(before), _kind(after)), before=old, lines=lines)


def _in_full(path: str, key: str, at: str) -> Iterator[Leaf]:
    """A leaf that shows the full path if the others have a shortened one: nothing is cut silently."""
    whole = full_member_path(path, key)
    if whole != at:
        yield Leaf(path=f"{at} (the name in full)", text=whole, kind="block")


def _holds_secrets(value: Any, path: str) -> bool:
    """Whether a value contains a secret that would be visible if the value were shown as one text."""
    return isinstance(value, Mapping | list) and any(is_secret(leaf.path) for leaf in leaves(value, path))


def _leaf_by_leaf(old: Iterable[Leaf], new: Iterable[Leaf]) -> Iterator[Leaf]:
    """Every leaf of both; ``before`` is the earlier value if it differs."""
    was, now = {leaf.path: leaf for leaf in old}, {leaf.path: leaf for leaf in new}
    for path in dict.fromkeys((*was, *now)):
        if path not in now:
            yield Leaf(path=path, text=GONE, before=was[path].text)
        elif path not in was:
            yield msgspec.structs.replace(now[path], before=now[path].before or NEW)
        elif was[path].text != now[path].text:
            kind = _either(was[path].kind, now[path].kind)
            yield Leaf(path=path, text=now[path].text, before=was[path].text, kind=kind)
        else:
            yield now[path]


def difference(old: str, new: str) -> Iterator[DiffLine]:
    """A difference line by line. By characters it would never finish on one long line."""
    was, now = old.split("\n"), new.split("\n")
    i = j = 0
    for left, right in (*same_lines(was, now), (len(was), len(now))):
        yield from (DiffLine("-", line) for line in was[i:left])
        yield from (DiffLine("+", line) for line in now[j:right])
        if left < len(was):
            yield DiffLine(" ", was[left])
        i, j = left + 1, right + 1


def show(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list) and value:
        return msgspec.json.format(_PLAIN.encode(value), indent=2).decode()
    return _PLAIN.encode(value).decode()


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return "number"
    return "block" if isinstance(value, str) and ("\n" in value or len(value) > 80) else "text"


def _either(was: str, now: str) -> str:
    """The masking of a change: none only if neither side needs it."""
    return was if now in _NEVER_MASKED else now


def _cut(leaf: Leaf) -> Leaf:
    """The beginning of a long leaf, and the length of the rest."""
    lines = leaf.lines[:MOST_LINES]
    text, before = clip(leaf.text), leaf.before and clip(leaf.before)
    missing = len(leaf.text) - len(text) + (len(leaf.before or "") - len(before or ""))
    if leaf.lines:
        missing = max(missing, sum(len(line.text) + 1 for line in leaf.lines[MOST_LINES:]))
        if any(len(line.text) > LONGEST for line in lines):
            lines = tuple(DiffLine(line.sign, line.text[:LONGEST]) for line in lines)
            missing = max(missing, 1)
    return msgspec.structs.replace(leaf, text=text, before=before, lines=lines, hidden=missing)


def _covered(plain: Iterable[Leaf], covered: Iterable[Leaf]) -> list[Leaf]:
    """The leaves of a masked value, each marked if it differs from the ``plain`` one of its path."""
    known = {leaf.path: leaf for leaf in plain}
    found: list[Leaf] = []
    for leaf in covered:
        was = known.get(leaf.path)
        same = was is not None and (was.text, was.before) == (leaf.text, leaf.before)
        kind = was.kind if was is not None and was.kind == "block" else leaf.kind
        found.append(leaf if same else msgspec.structs.replace(leaf, kind=kind, masked=True))
    return found


def clip(text: str) -> str:
    """The beginning that is shown at first."""
    return "\n".join(text[:LONGEST].split("\n")[:MOST_LINES])


def changed_leaves(old: Any, new: Any) -> tuple[Leaf, ...]:
    """The differences between two JSON values, leaf by leaf."""
    return tuple(_covered(_differing(old, new), _differing(masked(old), masked(new))))


def _differing(old: Any, new: Any) -> list[Leaf]:
    whole = ([msgspec.structs.replace(leaf, before=None) for leaf in leaves(value)] for value in (old, new))
    return [leaf for leaf in _leaf_by_leaf(*whole) if leaf.before is not None]
