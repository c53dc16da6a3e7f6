"""Large bodies: creates by payload size, and how long bodies of the worst shapes delay another client."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from bench.creates import WARM_UP, Creators
from bench.goals import goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import QUEUED, Place
from bench.prober import Waits, probing
from bench.report import show
from bench.wire import Pool, request
from signoff.core.text.json_text import MAX_CONTAINERS

KIB: Final = (1, 16, 64, 120)
MOST: Final = 128 * 1024  # bytes of a body
CONNECTIONS: Final = 64
_ENOUGH: Final = 0.5  # seconds of a shape: some hundred questions of the other client


def payload(size: int) -> dict[str, object]:
    """Records of a table, together ``size`` bytes or slightly less."""
    row = {"id": 1000, "name": "users_email", "statement": "create index", "safe": True, "seconds": 4.25}
    each = len(_compact(row)) + 1
    return {"rows": [{**row, "id": 1000 + number % 9000} for number in range((size - 11) // each)]}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def shapes(size: int = MOST) -> Iterator[tuple[str, bytes]]:
    """Bodies of at most ``size`` bytes, each expensive to parse in another way."""
    head = f'{{"intent_type":"{QUEUED}","payload":'.encode()
    room = size - len(head) - 1

    def filled(opening: bytes, part: bytes, closing: bytes) -> bytes:
        count = (room - len(opening) - len(closing)) // (len(part) + 1)
        return head + opening + b",".join([part] * count) + closing + b"}"

    def dense(part: bytes) -> bytes:
        """As many of these values as have the maximum number of objects and lists, and a string."""
        containers = part.count(b"[") + part.count(b"{")
        values = b",".join([part] * ((MAX_CONTAINERS - 4) // containers))
        opening, closing = b'{"a":[' + values + b',"', b'"]}'
        return head + opening + b"x" * (room - len(opening) - len(closing)) + closing + b"}"

    def numbered(opening: bytes, closing: bytes) -> bytes:
        parts, used, number = [], len(opening) + len(closing), 0
        while used + (each := len(str(number)) + 5) <= room:
            parts.append(b'"%d":1' % number)
            used += each
            number += 1
        return head + opening + b",".join(parts) + closing + b"}"

    deep = (room - 8) // 2
    yield "one value nested to the end", head + b'{"a":' + b"[" * deep + b"]" * deep + b"}}"
    yield "nested as deep as allowed", dense(b"[" * 24 + b"]" * 24)
    yield "many keys", numbered(b"{", b"}")
    yield "long numbers", filled(b'{"a":[', b"1.7976931348623157e+300", b"]}")
    yield "one number of all digits", head + b'{"a":' + b"7" * (room - 6) + b"}}"
    yield "many short strings", filled(b'{"a":[', b'"a"', b"]}")
    yield "many escapes", filled(b'{"a":[', b'"' + b"\\u00e9" * 100 + b'"', b"]}")
    yield "many objects", dense(b"{}")
    yield "a key given twice, at the end", numbered(b"{", b',"0":1}')
    yield "keys given twice, everywhere", filled(b'{"a":[', b'{"b":1,"b":1}', b"]}")


class Stretch(NamedTuple):
    """Requests of a stretch of time, by their status."""

    seconds: float
    answers: Counter[int]
    usage: Usage
    waits: Waits


def sizes(place: Place, options: Options) -> None:
    for kib in KIB:
        body = _compact({"intent_type": QUEUED, "payload": payload(kib * 1024)})
        runs = [run(_creates(place, body, options.seconds)) for _ in range(options.repeats)]
        line = goal("size", place.database)
        text = f"{line.text} of {kib} KiB, {CONNECTIONS} connections"
        rates = [stretch.answers[200] / stretch.seconds for stretch in runs]
        show(line._replace(text=text, name=f"size_{kib}"), rates, [stretch.usage for stretch in runs])
        line = goal("size_wait", place.database)._replace(name=f"size_wait_{kib}")
        show(line, [stretch.waits.p99 for stretch in runs], note=_others([stretch.waits for stretch in runs]))
    alone = run(_alone(place, options.seconds))
    show(goal("alone", place.database), [alone.p99], note=_others([alone]))
    print(f"one client sends bodies of {MOST // 1024} KiB, one after the other:")
    for number, (name, body) in enumerate(shapes()):
        stretch = run(_bodies(place, body, min(options.seconds, _ENOUGH)))
        line = goal("shape", place.database)
        answers = ", ".join(f"{status} x {count}" for status, count in stretch.answers.items())
        note = f"{_others([stretch.waits])}; answered {answers}"
        named = line._replace(text=f"  {line.text}: {name}", name=f"shape_{number}")
        show(named, [stretch.waits.p99], [stretch.usage], note)


def _others(waits: list[Waits]) -> str:
    p50, longest = sorted(wait.p50 for wait in waits)[len(waits) // 2], max(wait.longest for wait in waits)
    return f"p50 {p50:.2f} ms, longest {longest:.1f} ms"


async def _alone(place: Place, seconds: float) -> Waits:
    async with probing(place.live.port) as prober:
        await asyncio.sleep(seconds)
    return prober.waits


async def _creates(place: Place, body: bytes, seconds: float) -> Stretch:
    pool = await Pool(place.live.url).open(CONNECTIONS)
    creators = Creators(place, keyed=False, body=body)
    for wire in pool.wires:
        creators.begin(wire)
    await asyncio.sleep(WARM_UP)
    async with probing(place.live.port) as prober:
        before, begun = creators.acknowledged, place.reading(prober.pid)
        await asyncio.sleep(seconds)
        made, ended = creators.acknowledged - before, place.reading(prober.pid)
    await creators.stop()
    pool.close()
    usage = Usage.between(begun, ended, made)
    return Stretch(ended.at - begun.at, Counter({200: made}), usage, prober.waits)


async def _bodies(place: Place, body: bytes, seconds: float) -> Stretch:
    """Send the same body again and again on one connection, whatever the response."""
    pool = await Pool(place.live.url).open(1)
    wanted = request("POST", "/v1/intents", place.keys["service"], body)
    answers: Counter[int] = Counter()
    stopping, quiet = False, asyncio.Event()

    def heard(status: int, answer: bytes) -> None:
        answers[status] += 1
        if stopping or not status:
            quiet.set()
        else:
            pool.ask(wanted, heard)

    pool.ask(wanted, heard)
    async with probing(place.live.port) as prober:
        before, begun = answers.total(), place.reading(prober.pid)
        await asyncio.sleep(seconds)
        made, ended = answers.total() - before, place.reading(prober.pid)
    stopping = True
    await asyncio.wait_for(quiet.wait(), 30)
    pool.close()
    if 0 in answers:
        raise RuntimeError("the server closed the connection")
    return Stretch(ended.at - begun.at, answers, Usage.between(begun, ended, made), prober.waits)
