"""The event loop of the load generator: the leanest available, so that little of the measured cost is its own."""

from typing import Final

import uvloop

run: Final = uvloop.run
