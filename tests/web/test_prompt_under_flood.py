"""While one key floods the server, another person's rejection, a cancellation and the key's revocation are answered.
Turns are counted, not seconds.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from signoff.engine.identity.admission import Admission, KeyLimits
from signoff.store.store import Store
from signoff.web.http.connection_limits import ReceiveLimits
from tests.web.serving import serving
from tests.web.web_env import TYPE, VALIDATOR, WebEnv

MANY = 24
HEAVY = json.dumps({"intent_type": TYPE, "payload": {str(n): ["x\u00e9" * 20] for n in range(1500)}}).encode()
SEVERAL = 5  # turns of each connection of the flood while one act is answered


class Idle:
    """Whether the store is idle. The flood sends only then, because otherwise the count would depend on the disk's
    speed.
    """

    def __init__(self, store: Store) -> None:
        self._event = asyncio.Event()
        self._event.set()
        self._busy = 0
        for name in ("transact", "write", "read"):
            setattr(store, name, self._watched(getattr(store, name)))

    def _watched(self, act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*given: Any, **more: Any) -> Any:
            self._busy += 1
            self._event.clear()
            try:
                return await act(*given, **more)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._event.set()

        return watched

    async def wait(self) -> None:
        await self._event.wait()


class Flood:
    """Connections that send as fast as they get responses, which are counted by status."""

    def __init__(self, port: int, key: str, idle: Idle) -> None:
        self._port = port
        self._key = key
        self._idle = idle
        self.answers: Counter[int] = Counter()

    def _request(self, method: str, target: str, body: bytes = b"") -> bytes:
        return (
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {self._key}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def ask(self, number: int) -> None:
        wanted = (
            self._request("POST", "/v1/intents", HEAVY),
            self._request("GET", "/v1/intents?limit=200"),
            self._request("POST", "/v1/intents", b"[" * 60_000),
            self._request("GET", f"/v1/agents/{VALIDATOR}/intents/stream?wait_seconds=60"),
        )[number % 4]
        while True:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while True:
                        await self._idle.wait()
                        writer.write(wanted)
                        head = await reader.readuntil(b"\r\n\r\n")
                        self.answers[int(head[9:12])] += 1
                        length = [
                            line
                            for line in head.lower().split(b"\r\n")
                            if line.startswith(b"content-length:")
                        ]
                        if not length:  # a stream that is held open
                            await reader.read()
                            break
                        await reader.readexactly(int(length[0][15:]))
                finally:
                    writer.close()


@asynccontextmanager
async def flooded(web: WebEnv, key: str, limits: ReceiveLimits) -> AsyncIterator[Flood]:
    async with serving(web, limits) as url:
        flood = Flood(urlsplit(url).port or 0, key, Idle(web.env.store))
        asking = [asyncio.create_task(flood.ask(number)) for number in range(MANY)]
        try:
            while flood.answers.total() < 4 * MANY:
                await asyncio.sleep(0)
            yield flood
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.parametrize(
    "limits", [KeyLimits(), KeyLimits(rate=20, streams=3, open=5)], ids=["no limits", "limits"]
)
async def test_rejection_cancel_and_revocation_are_answered_under_load_by_one_key(
    web: WebEnv, limits: KeyLimits
) -> None:
    web.state.admission = Admission(limits)
    await web.apply_workflow()
    _, task = await web.ask()
    other, _ = await web.ask()
    keys = (await web.get("/v1/keys", "oscar"))["keys"]
    flooding = next(one["key_id"] for one in keys if "validator" in json.dumps(one))

    async with flooded(web, web.keys["agent"], ReceiveLimits()) as flood:

        async def answered(act: Callable[[], Awaitable[object]]) -> None:
            before = flood.answers.total()
            await act()
            assert flood.answers.total() - before <= SEVERAL * MANY

        async def reject() -> None:
            assert (await web.answer(task, "rejected", "ann")).status == 200

        async def cancel() -> None:
            assert (
                await web.post(f"/v1/intents/{other}/resolve", {"status": "CANCELED"}, "ci")
            ).status == 200

        async def revoke() -> None:
            assert (await web.post(f"/v1/keys/{flooding}/revoke", None, "oscar")).status == 200

        for act in (reject, cancel, revoke):
            await answered(act)
        assert await web.status(other) == "CANCELED"
        if limits.rate:
            assert flood.answers[429]
        while not flood.answers[401]:
            await asyncio.sleep(0)
        let_in = flood.answers[200]
        refused = flood.answers[401]
        while flood.answers[401] < refused + MANY:
            await asyncio.sleep(0)
        assert flood.answers[200] <= let_in + MANY  # what had been identified before
