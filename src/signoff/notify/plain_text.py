"""Untrusted text as plain text: hidden characters, and words with look-alike letters, are named in
brackets.
"""

from collections.abc import Iterable, Iterator

from signoff.core.text.hidden_characters import pieces as core_pieces
from signoff.core.text.json_diff import Leaf, leaf_text


def pieces(text: str, lines: bool = True) -> Iterator[tuple[str, bool]]:
    """(text, whether it is our own note), in order. A tab becomes four spaces. Line breaks are kept, or named too if
    ``lines`` is false.
    """
    for piece in core_pieces(text, lines):
        if piece.mark == "hidden":
            yield f"[{piece.text}]", True
        else:
            yield piece.text, False
            if piece.mark:
                yield f" [{piece.about}]", True


def visible(text: str) -> str:
    """The text with every hidden character named; line breaks are kept."""
    return "".join(piece for piece, _ in pieces(text))


def one_line(text: str, longest: int = 0) -> str:
    """The text on one line, with hidden characters made visible; cut, with a mark, if it is longer than ``longest`` (0:
    never).
    """
    line = "".join(piece for piece, _ in pieces(text, lines=False))
    return line if not longest or len(line) <= longest else line[: longest - 1] + "\u2026"


def leaf_lines(leaves: Iterable[Leaf]) -> str:
    """Each value after its label. Continuation lines are indented, so that none can look like another value."""
    lines = []
    for leaf in leaves:
        text = leaf_text(leaf, visible).replace("\n", "\n      ") or "(empty)"
        lines.append(f"{one_line(leaf.label)}: {text}{' …' if leaf.hidden else ''}")
    return "\n".join(lines)
