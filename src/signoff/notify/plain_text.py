"""Untrusted text on plain-text surfaces: hidden characters are named in brackets, and so are words of look-alike
letters.
"""

from collections.abc import Iterable, Iterator

from signoff.core.text.hidden_characters import pieces as core_pieces
from signoff.core.text.json_diff import Leaf, told


def pieces(text: str, lines: bool = True) -> Iterator[tuple[str, bool]]:
    """(text, whether it is our own note), in order. A tab is four spaces; line ends are kept, or named too without
    ``lines``.
    """
    for piece in core_pieces(text, lines):
        if piece.mark == "hidden":
            yield f"[{piece.text}]", True
        else:
            yield piece.text, False
            if piece.mark:
                yield f" [{piece.about}]", True


def visible(text: str) -> str:
    """The text with every hidden character named; line ends are kept."""
    return "".join(piece for piece, _ in pieces(text))


def one_line(text: str, longest: int = 0) -> str:
    """All of it visible on one line; cut, with a mark, if it is longer than ``longest`` (0: never)."""
    line = "".join(piece for piece, _ in pieces(text, lines=False))
    return line if not longest or len(line) <= longest else line[: longest - 1] + "\u2026"


def leaf_lines(leaves: Iterable[Leaf]) -> str:
    """Each value behind its label. Its further lines are indented: none of them can look like another value."""
    lines = []
    for leaf in leaves:
        text = told(leaf, visible).replace("\n", "\n      ") or "(empty)"
        lines.append(f"{one_line(leaf.label)}: {text}{' …' if leaf.hidden else ''}")
    return "\n".join(lines)
