"""A payload may be deleted (``retention_payloads``) while its decision and its digest are kept. Every page and message
then says so, because a deleted payload is not an empty one.
"""

from hashlib import sha256
from typing import Final

from signoff.core.errors import Conflict
from signoff.core.intent.model import Intent

PAYLOAD_DELETED: Final = "deleted by retention_payloads; its digest is kept"
_EMPTY: Final = b"{}"
_OF_EMPTY: Final = sha256(_EMPTY).hexdigest()


def payload_deleted(intent: Intent, payload: bytes) -> bool:
    """Whether the payload was deleted. ``payload``: as it was read."""
    return payload in (b"", _EMPTY) and intent.payload_digest != _OF_EMPTY


def refuse_deleted(intent: Intent, payload: bytes) -> None:
    """Raise Conflict if the content of a rerun was deleted."""
    if payload_deleted(intent, payload):
        raise Conflict(
            "payload_forgotten",
            "The payload of this intent was deleted by `retention_payloads`.",
            hint="Submit a new intent with its payload.",
        )
