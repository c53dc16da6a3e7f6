"""A complete server as ``signoff up`` runs it, with a fixed clock: ``python -m tests.notify.fixed_clock_server
DATABASE SMTP_URL MOMENT FOLDER``. A test kills it by its pid.
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from signoff.config import Config
from signoff.engine.clock import FixedClock
from signoff.serving import running
from tests.notify.messaging_env import BASE


async def serve(database: str, smtp_url: str, moment: str, folder: str) -> None:
    config = Config(
        port=0,
        data=Path(folder),
        database=database,
        channel_settings={"smtp_url": smtp_url},
        base_url=BASE,
        console_notifications=False,
    )
    async with running(config, print, FixedClock(datetime.fromisoformat(moment))) as server:
        await server.until_stopped()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
