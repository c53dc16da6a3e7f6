"""JSON bytes as a value of no declared type: what callers wrote, read again. msgspec works numbers such as 1e308 out by
long arithmetic, at a hundred times their size; Python's own reading of a float gives the same and costs nothing.
"""

from typing import Any, Final

import msgspec

_ANY: Final = msgspec.json.Decoder(float_hook=float)


def decode(raw: bytes | str) -> Any:
    """The value; raises msgspec.MsgspecError."""
    return _ANY.decode(raw)
