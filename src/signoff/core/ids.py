"""Identifiers as text. An intent's id is a UUIDv7 whose last sixteen bits are zero; the same id with those bits set
names one step run of that intent. So tasks, deliveries and AXP's step intents need no table: the id contains the
intent and the step run.
"""

import re

from signoff.core.errors import NotFound

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAX_STEP_RUNS = 0xFFFF


def uuid7(millis: int, entropy: bytes) -> str:
    """A UUIDv7 (RFC 9562) from Unix milliseconds and at least ten random bytes."""
    bits = (millis & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(entropy[:10], "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_intent_id(millis: int, entropy: bytes) -> str:
    """A new intent id: a UUIDv7 that leaves room for the number of a step run (58 random bits remain)."""
    return uuid7(millis, entropy)[:-4] + "0000"


def step_run_id(intent_id: str, step_run: int) -> str:
    """The id of one step run (a task, a delivery); number 0 is the intent itself."""
    return f"{intent_id[:-4]}{step_run:04x}"


def split_ref(ref: str) -> tuple[str, int]:
    """Split one of our ids into (intent id, step run); raises NotFound for text that cannot be one."""
    ref = ref.lower()
    if not _UUID.fullmatch(ref):
        raise NotFound("not_found", f"Nothing has the id {ref[:64]!r}.", hint="Ids are UUIDs.")
    return f"{ref[:-4]}0000", int(ref[-4:], 16)


def shard(intent_id: str) -> int:
    """A value from 0 to 255, taken from random bits of the id: the distribution key of every hot table."""
    return int(intent_id[24:26], 16)
