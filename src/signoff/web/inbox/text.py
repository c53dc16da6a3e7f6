"""Hostile text, made plain, as every surface does it."""

import re
from typing import Final

from signoff.core.visible import hidden, one_line, pieces, plain_json

__all__ = ["SECRET", "hidden", "one_line", "pieces", "plain_json"]

# Names of fields whose values are shown by length and fingerprint only, until they are asked for.
SECRET: Final = re.compile(r"pass(word|phrase|code)|secret|token|\bpin\b|api.?key|credential", re.IGNORECASE)
