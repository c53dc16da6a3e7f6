"""Hostile text, made plain, as every surface does it."""

from signoff.core.visible import hidden, one_line, pieces, plain_json

__all__ = ["hidden", "one_line", "pieces", "plain_json"]
