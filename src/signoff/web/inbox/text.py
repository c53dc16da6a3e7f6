"""Hostile text, made plain, as every surface does it."""

from signoff.core.visible import SECRET, hidden, one_line, pieces, plain_json

__all__ = ["SECRET", "hidden", "one_line", "pieces", "plain_json"]
