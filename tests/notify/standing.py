"""A whole server, as ``signoff up`` runs it, but for its clock, which stands still: to be killed by its pid.

``python -m tests.notify.standing DATABASE SMTP_URL MOMENT FOLDER``
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from signoff.config import Config
from signoff.engine.clock import FixedClock
from signoff.serving import running
from tests.notify.town import BASE


async def stand(database: str, smtp_url: str, moment: str, folder: str) -> None:
    config = Config(
        port=0,
        data=Path(folder),
        database=database,
        smtp_url=smtp_url,
        base_url=BASE,
        console_notifications=False,
    )
    async with running(config, print, FixedClock(datetime.fromisoformat(moment))) as server:
        await server.until_stopped()


if __name__ == "__main__":
    asyncio.run(stand(*sys.argv[1:]))
