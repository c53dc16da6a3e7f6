"""The digest of exactly what is decided: the request, its frozen plan, the step and step run, the revision, and the
results so far.

A vote names this digest, and the next step can recompute it from its input.
"""

import hashlib
from typing import Final

import msgspec

from signoff.core.intent.model import Intent

_PREFIX: Final = b"signoff/envelope/v2\0"
# For tasks that earlier releases opened. Without the step run, two tasks that opened at the same time had the same
# digest.
_PREFIX_V1: Final = b"signoff/envelope/v1\0"
_ENCODER = msgspec.json.Encoder(order="sorted")


def envelope(
    intent: Intent, step: str, step_run: int, revision: int, payload_digest: str
) -> dict[str, object]:
    """The parts of the envelope; the payload and the plan are included by their digests."""
    return {
        "intent": intent.id,
        "type": intent.type,
        "payload": payload_digest,
        "plan": intent.plan_digest,
        "step": step,
        "visit": step_run,
        "revision": revision,
        "results": intent.results,
    }


def envelope_digest(intent: Intent, step: str, step_run: int, revision: int, payload_digest: str) -> str:
    """SHA-256 (hex) of the envelope in its canonical encoding."""
    return _digest(_PREFIX, envelope(intent, step, step_run, revision, payload_digest))


def names(digest: str, intent: Intent, step: str, step_run: int, revision: int, payload_digest: str) -> bool:
    """Whether this is a digest of the envelope, by this or an earlier release."""
    parts = envelope(intent, step, step_run, revision, payload_digest)
    if digest == _digest(_PREFIX, parts):
        return True
    del parts["visit"]
    return digest == _digest(_PREFIX_V1, parts)


def _digest(prefix: bytes, parts: dict[str, object]) -> str:
    return hashlib.sha256(prefix + _ENCODER.encode(parts)).hexdigest()
