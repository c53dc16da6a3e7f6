"""The excerpt of a request that a message shows: its values, further input and the checks' reports, masked and cut to
what every channel can show. It says how much is omitted.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.plan.lookahead import UpcomingStep
from signoff.core.text import json_value
from signoff.core.text.hidden_characters import CUT
from signoff.core.text.hunks import counts
from signoff.core.text.json_diff import Leaf, folded, leaf_text, leaves
from signoff.core.text.masking import fingerprint, masked

_MOST_LEAVES: Final = 30
_LONGEST_LEAF: Final = 400
_LONGEST_DIFF: Final = 1200
_MOST_SHOWN: Final = 2400  # characters of all leaves together, which every channel can show
_LONGEST_CHANGE: Final = 120  # characters


class RenderedPayload(msgspec.Struct, frozen=True):
    """The request, the additional input of the next steps and the checks' reports, as far as they fit, and
    the number of omitted values. ``secret``: whether a value is hidden because its name suggests a secret.
    """

    leaves: tuple[Leaf, ...]
    given: tuple[Leaf, ...]
    reports: tuple[Leaf, ...]
    rest: int
    secret: bool

    @property
    def whole(self) -> bool:
        cut = any(leaf.hidden or leaf.fields for leaf in (*self.leaves, *self.given, *self.reports))
        return not (self.rest or cut or self.secret)


def render_payload(
    payload: bytes, results: Mapping[str, Any], coming: Sequence[UpcomingStep] = ()
) -> RenderedPayload:
    """The request first, then further input, then the reports, in the remaining space."""
    brought = [(one.step.id, one.given, _masked(one.given)) for one in coming if one.given]
    inputs = [leaf for step, plain, covered in brought for leaf in _brief(plain, covered, step)]
    reported = [leaf for step, result in results.items() for leaf in _brief(result, _masked(result), step)]
    asked_for = json_value.decode(payload)
    kept: list[list[Leaf]] = []
    most, room, rest = _MOST_LEAVES, _MOST_SHOWN, 0
    for found in (list(_brief(asked_for, _masked(asked_for))), inputs, reported):
        fits = _fitting(found, most, room) if not rest else []
        most, rest = most - len(fits), rest + len(found) - len(fits)
        room -= sum(len(leaf.label) + len(leaf_text(leaf)) for leaf in fits)
        kept.append(fits)
    asked, besides, texts = kept
    hidden = any(plain != covered for _, plain, covered in brought)
    return RenderedPayload(tuple(asked), tuple(besides), tuple(texts), rest, hidden)


def difference_line(leaf: Leaf) -> str:
    """One changed value on one line, before and after; for a long one only how much has changed."""
    difference = counts(leaf.diff) if leaf.diff is not None else " ".join(leaf_text(leaf).split())
    return f"{leaf.label}: {cut(difference, _LONGEST_CHANGE)}"


def _brief(value: Any, covered: Any, path: str = "") -> Iterator[Leaf]:
    """The leaves of a value for a message. A difference shows only its changed parts, and how much is unchanged."""
    return folded(leaves(value, covered, path, whole=False, brief=True))


def _masked(value: Any) -> Any:
    """The leaf without secrets, because copies of a message are stored in many places."""
    return masked(value, lambda text: f"{fingerprint(text)}, on the page")


def _fitting(found: list[Leaf], most: int, room: int) -> list[Leaf]:
    kept: list[Leaf] = []
    for leaf in found[: max(0, most)]:
        text = leaf_text(leaf)
        longest = _LONGEST_DIFF if leaf.diff is not None else _LONGEST_LEAF
        fits = min(longest, max(0, room - len(leaf.label)))
        part = text[:fits]
        if (text and not part) or len(leaf.label) > room:
            break
        if len(text) <= fits:  # the whole text, with changed lines marked
            hidden = leaf.diff.hidden if leaf.diff is not None else 0
            kept.append(replace(leaf, hidden=hidden or int(CUT in leaf.path)))
        else:
            hidden = len(text) - len(part) + (leaf.diff.hidden if leaf.diff is not None else 0)
            kept.append(replace(leaf, text=part, before=None, diff=None, change="", hidden=hidden))
        room -= len(leaf.label) + len(part)
    return kept


def cut(text: str, longest: int) -> str:
    """The text, or as much of it as fits and the length of the rest."""
    rest = len(text) - longest
    return text if rest <= 0 else f"{text[:longest]} \u2026 [{rest:,} more characters on the page]"
