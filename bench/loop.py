"""The event loop of the load: the leanest there is, so that little of what is measured is the load's own."""

from typing import Final

import uvloop

run: Final = uvloop.run
