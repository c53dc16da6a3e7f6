"""JSON for reviewers: every leaf with its path, before and after if both are given; nothing is cut silently.

A difference follows the structure: keys that were added, removed or changed; lists element by element; long text and
unified diffs by hunks. Unchanged values are collapsed first. Long values are collapsed and the rest is counted; a
caller that shows them must offer to expand them. Secrets are compared unmasked and shown masked. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.text.amounts import money_text, number_text
from signoff.core.text.hunks import TextDiff, as_text, counts, text_diff, unified_diff
from signoff.core.text.json_paths import full_member_path, item_path, member_path, readable_path
from signoff.core.text.masking import masked
from signoff.core.text.text_diff import Work, same_lines
from signoff.core.text.times import moment_of

LONGEST: Final = 600
MOST_LINES: Final = 12
MOST_LEAVES: Final = 40
MOST_SAME: Final = 3  # unchanged values in a row that are still shown
NEW: Final = "(not there)"
GONE: Final = "(removed)"
HIDDEN: Final = "(changed, hidden)"
SAME: Final = "(unchanged)"
COARSE: Final = "Too long to compare word by word: some of what is marked may not have changed."
_PAIRS: Final = (
    ("before", "after"), ("old", "new"), ("current", "proposed"), ("old_value", "new_value"), ("previous", "new"),
    ("previous", "current"), ("was", "now"), ("from", "to"),
)  # fmt: skip
_ALONE: Final = frozenset({"from", "previous", "was"})  # next to other fields they may mean something else
_SPLIT: Final = (("old", "new"), ("before", "after"), ("current", "proposed"), ("previous", "new"))
_KEYS: Final = ("id", "key", "name")  # names by which elements of a list are recognized
_PLAIN: Final = msgspec.json.Encoder()
_SORTED: Final = msgspec.json.Encoder(order="sorted")
_NEVER_MASKED: Final = ("bool", "null", "number")
_WORDY: Final = 80  # a longer text is compared line by line
_LONGEST_LIST: Final = 200


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One value. ``change``: "" outside a difference, else ``same``, ``changed``, ``added`` or ``removed``.
    ``before``: the earlier value. ``diff``: the difference line by line, if the value is long. ``hidden``: how many
    of its characters are hidden. ``fields``: how many collapsed values this leaf stands for. ``items``: how many items
    the text has, if the value is a list. masked: whether it is hidden, completely or partly, because it is a secret.
    """

    path: str
    text: str
    kind: str = "text"
    before: str | None = None
    diff: TextDiff | None = None
    change: str = ""
    hidden: int = 0
    fields: int = 0
    items: int = 0
    masked: bool = False

    @property
    def label(self) -> str:
        """The path as people read it; or a word, if the whole payload is one value, or for collapsed values. A list on
        one line has its length, so that it differs from a text with commas.
        """
        name = readable_path(self.path) or ("…" if self.fields else "value")
        return f"{name} ({self.items} items)" if self.items else name

    @property
    def secretly(self) -> bool:
        """Whether only the hidden part changed, so that both values look alike."""
        return self.change == "changed" and self.before == self.text


class Group(msgspec.Struct, frozen=True):
    """Leaves that belong together. ``rest``: how many more are hidden; ``counts``: how many of all leaves have changed,
    as text; ``hides``: whether one of them is masked.
    """

    leaves: tuple[Leaf, ...] = ()
    rest: int = 0
    counts: str = ""
    hides: bool = False

    @property
    def folded(self) -> bool:
        return self.rest > 0 or any(leaf.hidden or leaf.fields for leaf in self.leaves)

    @property
    def masked(self) -> bool:
        return self.hides or any(leaf.masked for leaf in self.leaves)


def change_counts(found: Iterable[Leaf]) -> str:
    """``2 changed, 1 added``; "" if nothing changes."""
    numbers = Counter(leaf.change for leaf in found)
    return ", ".join(f"{numbers[word]:,} {word}" for word in ("changed", "added", "removed") if numbers[word])


def group(value: Any, opened: bool) -> Group:
    """The leaves of a JSON value. ``opened``: expand all of them and show their secrets."""
    found = list(leaves(value, value if opened else masked(value), whole=opened))
    counted = change_counts(found)
    if opened:
        return Group(tuple(found), counts=counted)
    kept, rest = _fitting(folded(found))
    return Group(tuple(map(_cut, kept)), rest, counted, any(leaf.masked for leaf in found))


def leaves(
    value: Any, shown: Any = None, path: str = "", *, whole: bool = True, brief: bool = False
) -> Iterator[Leaf]:
    """Every leaf, in the given order. An empty object or list is a leaf too. ``shown``: the value with masked
    secrets, if it has any; ``whole``: collapse nothing in a difference; ``brief``: for messages, do not add the full
    form of a shortened path.
    """
    reader = _Reader(whole, brief)
    return reader.leaves(value, value if shown is None else shown, path)


def changed_leaves(old: Any, new: Any) -> tuple[Leaf, ...]:
    """The differences between two JSON values, leaf by leaf, with secrets masked. The values are complete; ``diff``
    has only the lines around a change.
    """
    every = _Reader(whole=False, brief=False).changed((old, masked(old)), (new, masked(new)), "")
    return tuple(leaf for leaf in every if leaf.change not in ("", "same"))


_Two = tuple[Any, Any]  # a value, and the same value with secrets masked
_Named = tuple[
    str, Mapping[str, Any]
]  # the name of a field and the object that contains it, which may have an amount's currency
_UNNAMED: Final[_Named] = ("", {})


class _Reader:
    """Walks through one value, or through two at once."""

    def __init__(self, whole: bool, brief: bool) -> None:
        self._whole = whole
        self._brief = brief
        self._work = Work()

    def leaves(self, value: Any, shown: Any, path: str, named: _Named = _UNNAMED) -> Iterator[Leaf]:
        if path and (money := _money(value, shown)):
            yield Leaf(path=path, text=money, kind="number")
        elif isinstance(value, Mapping) and value:
            yield from self._members(value, shown, path, named)
        elif isinstance(value, list) and value:
            if (line := list_line(value)) and _same(value, shown):
                yield Leaf(path=path, text=line, items=len(value))
                return
            for index, item in enumerate(value):
                yield from self.leaves(item, shown[index], item_path(path, index))
        else:
            text = show_named(shown, named)
            diff = unified_diff(text, self._whole) if isinstance(value, str) else None
            yield Leaf(path=path, text=text, kind=_kind(value), diff=diff, masked=not _same(value, shown))

    def _members(
        self, value: Mapping[str, Any], shown: Mapping[str, Any], path: str, named: _Named
    ) -> Iterator[Leaf]:
        pairs = _pairs(value)
        later = set(pairs.values())
        for key, item in value.items():
            if key in later:
                continue
            if (after := pairs.get(key)) is None:
                at = member_path(path, str(key))
                yield from self._in_full(path, str(key), at)
                yield from self.leaves(item, shown[key], at, (str(key), value))
                continue
            at = path
            if len(value) > 2 or (key, after) not in _PAIRS:
                at = member_path(path, after)
                yield from self._in_full(path, after, at)
                named = (after, value)
            yield from self.changed((item, shown[key]), (value[after], shown[after]), at, named, named)

    def changed(
        self, before: _Two, after: _Two, path: str, was: _Named = _UNNAMED, now: _Named = _UNNAMED
    ) -> Iterator[Leaf]:
        """The leaves of a value and its earlier form."""
        old, new = before[0], after[0]
        if _same(old, new):
            yield from (replace(leaf, change="same") for leaf in self.leaves(new, after[1], path, now))
        elif path and (was_money := _money(*before)) and (money := _money(*after)) and was_money != money:
            yield Leaf(path=path, text=money, before=was_money, kind="number", change="changed")
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._changed_members(before, after, path)
        elif isinstance(old, list) and isinstance(new, list):
            yield from self._changed_items(before, after, path)
        elif any(isinstance(one, Mapping | list) and one for one in (old, new)):
            yield from self._removed(before, path, was)
            yield from self._added(after, path, now)
        else:
            yield self._changed_leaf(before, after, path, was, now)

    def _changed_members(self, before: _Two, after: _Two, path: str) -> Iterator[Leaf]:
        (old, old_shown), (new, new_shown) = before, after
        for key in dict.fromkeys((*old, *new)):
            at = member_path(path, str(key))
            yield from self._in_full(path, str(key), at)
            was, now = (str(key), old), (str(key), new)
            if key not in old:
                yield from self._added((new[key], new_shown[key]), at, now)
            elif key not in new:
                yield from self._removed((old[key], old_shown[key]), at, was)
            else:
                yield from self.changed((old[key], old_shown[key]), (new[key], new_shown[key]), at, was, now)

    def _changed_items(self, before: _Two, after: _Two, path: str) -> Iterator[Leaf]:
        (old, old_shown), (new, new_shown) = before, after
        was, now = ([_SORTED.encode(item) for item in items] for items in (old, new))
        same = same_lines(was, now, self._work)
        for (i, j), (k, m) in pairwise([(-1, -1), *same, (len(old), len(new))]):
            for left, right in _partners(old, new, range(i + 1, k), range(j + 1, m)):
                if left is None and right is not None:
                    yield from self._added((new[right], new_shown[right]), item_path(path, right))
                elif left is not None and right is None:
                    yield from self._removed((old[left], old_shown[left]), item_path(path, left))
                elif left is not None and right is not None:
                    earlier, later = (old[left], old_shown[left]), (new[right], new_shown[right])
                    yield from self.changed(earlier, later, item_path(path, right))
            if k < len(old):
                yield from self.changed((old[k], old_shown[k]), (new[m], new_shown[m]), item_path(path, m))

    def _changed_leaf(
        self, before: _Two, after: _Two, path: str, named_before: _Named, named_after: _Named
    ) -> Leaf:
        was, now = show_named(before[1], named_before), show_named(after[1], named_after)
        long = any("\n" in text or len(text) > _WORDY for text in (was, now))
        diff = text_diff(was, now, self._work, self._whole) if long and was != now else None
        kind = _either(_kind(before[0]), _kind(after[0]))
        hidden = not (_same(before[0], before[1]) and _same(after[0], after[1]))
        return Leaf(path=path, text=now, before=was, kind=kind, diff=diff, change="changed", masked=hidden)

    def _added(self, value: _Two, path: str, named: _Named = _UNNAMED) -> Iterator[Leaf]:
        for leaf in self.leaves(*value, path, named):
            yield replace(leaf, before=NEW, change="added")

    def _removed(self, value: _Two, path: str, named: _Named = _UNNAMED) -> Iterator[Leaf]:
        for leaf in self.leaves(*value, path, named):
            yield replace(leaf, before=leaf.text, text=GONE, change="removed", diff=None)

    def _in_full(self, path: str, key: str, at: str) -> Iterator[Leaf]:
        """A leaf with the full path, if the other leaves have a shortened one, so that nothing is cut silently."""
        whole = full_member_path(path, key)
        if whole != at and not self._brief:
            yield Leaf(path=f"{at} (the name in full)", text=whole, kind="block")


def _money(value: Any, shown: Any) -> str:
    """An object that is only an amount and its currency, as one text; "" for any other value. It says all that the two
    members say, so nothing is lost.
    """
    return money_text(value) or "" if _same(value, shown) else ""


def list_line(values: Sequence[Any]) -> str:
    """A list of several short texts, or of numbers, on one line; "" for any other list. Links and moments have a line
    each, because pages show more with them.
    """
    if not 1 < len(values) <= _LONGEST_LIST:
        return ""
    texts = all(isinstance(item, str) for item in values)
    if not texts and not all(isinstance(item, int | float) and not isinstance(item, bool) for item in values):
        return ""
    if texts and not all(map(_fits_a_line, values)):
        return ""
    line = ", ".join(map(show, values))
    return line if len(line) <= _LONGEST_LIST else ""


def _fits_a_line(text: str) -> bool:
    """Whether a text is recognized between commas."""
    plain = 0 < len(text) <= _WORDY and "," not in text and text.split() == text.split(" ")
    return plain and "://" not in text and moment_of(text) is None


def _pairs(value: Mapping[str, Any]) -> dict[str, str]:
    """Pairs of fields in one object, an earlier value and a later one; no field is in two pairs."""
    for old, new in _PAIRS:
        if old in value and new in value and (len(value) == 2 or old not in _ALONE):
            return {old: new}
    found: dict[str, str] = {}
    used: set[str] = set()
    for key in value:
        other = next((name for name in _others(str(key)) if name in value and name not in used), None)
        if other is not None and key not in used:
            found[key] = other
            used |= {key, other}
    return found


def _others(key: str) -> Iterator[str]:
    """``new_limit`` for ``old_limit``, ``newLimit`` for ``oldLimit``, ``limit_after`` for ``limit_before``."""
    for old, new in _SPLIT:
        rest = key.removeprefix(old)
        if rest != key and (rest[:1] == "_" or rest[:1].isupper()):
            yield f"{new}{rest}"
        if key.endswith(f"_{old}"):
            yield f"{key.removesuffix(old)}{new}"


def _partners(
    old: Sequence[Any], new: Sequence[Any], left: range, right: range
) -> Iterator[tuple[int | None, int | None]]:
    """Pair the elements of two lists that are the same thing, possibly changed: by their key, or else by their
    position.
    """
    keys, others = ({at: _key_of(items[at]) for at in where} for items, where in ((old, left), (new, right)))
    places: dict[str, int] = {}
    for at, key in others.items():
        places.setdefault(key, at)
    loose = iter([at for at, key in others.items() if not key])
    taken: set[int] = set()
    for at, key in keys.items():
        partner = places.get(key) if key else next(loose, None)
        if partner is not None and partner in taken:
            partner = None
        if partner is not None:
            taken.add(partner)
        yield at, partner
    yield from ((None, at) for at in right if at not in taken)


def _key_of(element: Any) -> str:
    """The key by which an element of a list is recognized, or ""."""
    if not isinstance(element, Mapping):
        return ""
    named = (element[name] for name in _KEYS if isinstance(element.get(name), str | int))
    return next((f"{type(key).__name__} {key}" for key in named), "")


def _same(one: Any, two: Any) -> bool:
    """Whether two values are the same JSON: true is not 1."""
    return one is two or (one == two and _SORTED.encode(one) == _SORTED.encode(two))


def show(value: Any) -> str:
    """A value as text: strings unchanged, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list) and value:
        return msgspec.json.format(_PLAIN.encode(value), indent=2).decode()
    return _PLAIN.encode(value).decode()


def show_named(value: Any, named: _Named) -> str:
    """A field's value as text. Amounts and counts are written with grouped digits, amounts with their currency."""
    return number_text(named[0], value, named[1]) or show(value)


def leaf_text(leaf: Leaf, plain: Callable[[str], str] = str) -> str:
    """A leaf for a surface that has only text. ``plain``: makes hidden characters in untrusted text visible."""
    if leaf.fields:
        return leaf.text
    if leaf.diff is not None:
        note = f"\n{COARSE}" if leaf.diff.coarse else ""
        return "\n".join([counts(leaf.diff), *(plain(line) for line in as_text(leaf.diff))]) + note
    if leaf.secretly:
        return f"{plain(leaf.text)} {HIDDEN}"
    if leaf.before is None:
        return plain(leaf.text) + (f" {SAME}" if leaf.change == "same" else "")
    before, after = (text if text in (NEW, GONE) else plain(text) for text in (leaf.before, leaf.text))
    between = "\n→ " if "\n" in before + after else " → "
    return f"{before}{between}{after}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return "number"
    return "block" if isinstance(value, str) and ("\n" in value or len(value) > _WORDY) else "text"


def _either(was: str, now: str) -> str:
    """The value that determines how a change is shown: the text, if either side is one."""
    return was if now in _NEVER_MASKED else now


def folded(found: Iterable[Leaf]) -> Iterator[Leaf]:
    """The leaves, with long runs of unchanged values collapsed."""
    for same, run in groupby(found, lambda leaf: leaf.change == "same"):
        several = list(run)
        if not same or len(several) <= MOST_SAME:
            yield from several
        else:
            yield Leaf(path="", text=f"{len(several):,} unchanged values", kind="fold", fields=len(several))


def _fitting(found: Iterable[Leaf]) -> tuple[list[Leaf], int]:
    """Return as many leaves as are shown at first, changed ones before all others, in their order; and how many more
    there are.
    """
    every = list(found)
    if len(every) <= MOST_LEAVES:
        return every, 0
    places = sorted(range(len(every)), key=lambda at: every[at].change in ("", "same"))[:MOST_LEAVES]
    return [every[at] for at in sorted(places)], len(every) - MOST_LEAVES


def _cut(leaf: Leaf) -> Leaf:
    """The beginning of a long leaf, and the length of the rest. A difference is already cut when it is computed."""
    if leaf.diff is not None:
        return replace(leaf, text="", before=None if leaf.before is None else "", hidden=leaf.diff.hidden)
    text, before = clip(leaf.text), leaf.before and clip(leaf.before)
    missing = len(leaf.text) - len(text) + (len(leaf.before or "") - len(before or ""))
    return replace(leaf, text=text, before=before, hidden=missing)


def clip(text: str) -> str:
    """The beginning of the text, shown until the reader expands the rest."""
    return "\n".join(text[:LONGEST].split("\n")[:MOST_LINES])
