"""What is decided, as one digest: the exact request, its frozen plan, the step, the revision and the results so far.

A vote names this digest; whoever acts next can compute it again from what it was handed.
"""

import hashlib
from typing import Final

import msgspec

from signoff.core.model import Intent

_PREFIX: Final = b"signoff/envelope/v1\0"
_ENCODER = msgspec.json.Encoder(order="sorted")


def envelope(intent: Intent, step: str, revision: int, payload_digest: str) -> dict[str, object]:
    """The parts of the envelope; the payload and the plan enter by their own digests."""
    return {
        "intent": intent.id,
        "type": intent.type,
        "payload": payload_digest,
        "plan": intent.plan_digest,
        "step": step,
        "revision": revision,
        "results": intent.results,
    }


def envelope_digest(intent: Intent, step: str, revision: int, payload_digest: str) -> str:
    """SHA-256 (hex) of the envelope in its one encoding."""
    return hashlib.sha256(
        _PREFIX + _ENCODER.encode(envelope(intent, step, revision, payload_digest))
    ).hexdigest()
