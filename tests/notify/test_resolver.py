"""Names are resolved on a few threads, and a name whose servers do not respond takes one of them only."""

import asyncio
import threading

import pytest

from signoff.notify.outbound.addresses import Resolver


async def test_hanging_lookup_delays_no_other_name() -> None:
    hang = threading.Event()
    looked_up: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        if host == "hangs.example":
            hang.wait(30)
            raise OSError("no answer")
        return ["192.0.2.1", "192.0.2.1"]

    resolve = Resolver(look_up)
    hanging = [asyncio.ensure_future(resolve("hangs.example", 443)) for _ in range(100)]
    await asyncio.sleep(0)
    hanging[0].cancel()
    try:
        async with asyncio.timeout(5):
            assert await resolve("fine.example", 443) == ["192.0.2.1"]
    finally:
        hang.set()
    found = await asyncio.gather(*hanging, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError] + [OSError] * 99
    assert looked_up.count("hangs.example") == 1
    with pytest.raises(OSError, match="no answer"):
        await resolve("hangs.example", 443)
    assert looked_up.count("hangs.example") == 2
    resolve.close()
