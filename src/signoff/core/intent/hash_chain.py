"""The hash chain of an intent's history: a deterministic encoding and SHA-256; each hash covers the one before.

hash = SHA-256("signoff/event/v1" || 0 || previous hash || body). The head of the chain is stored in the intent's row,
so that a changed, missing or added event is detected. Domain separation follows RFC 6962.
"""

import hashlib
from typing import Final

import msgspec

from signoff.core.intent.events import Fact, Note

_PREFIX: Final = b"signoff/event/v1\0"
_BODY = msgspec.json.Encoder(order="sorted")
_FACT = msgspec.json.Decoder(Fact, float_hook=float)
_NOTE = msgspec.json.Decoder(Note, float_hook=float)


class Sealed(msgspec.Struct, gc=False, frozen=True):
    """A fact with its bytes. ``body``: the hashed bytes; ``private``: the erasable text; ``hash``: its hash in the
    chain (64 hex digits).
    """

    fact: Fact
    body: bytes
    private: bytes | None
    hash: str


def link(previous: str, body: bytes) -> str:
    """The hash of ``body`` after ``previous`` ("" for the first event)."""
    return hashlib.sha256(_PREFIX + bytes.fromhex(previous) + body).hexdigest()


def seal(previous: str, fact: Fact) -> Sealed:
    """Encode a fact and link it to its predecessor's hash."""
    private = None
    if fact.note is not None:
        private = _BODY.encode(fact.note)
        fact = msgspec.structs.replace(fact, note_digest=hashlib.sha256(private).hexdigest())
        body = _BODY.encode(msgspec.structs.replace(fact, note=None))
    else:
        body = _BODY.encode(fact)
    return Sealed(fact, body, private, link(previous, body))


def unseal(body: bytes, private: bytes | None) -> Fact:
    """The fact that ``seal`` encoded, with its note unless that was erased."""
    fact = _FACT.decode(body)
    return msgspec.structs.replace(fact, note=_NOTE.decode(private)) if private else fact


class Broken(msgspec.Struct, frozen=True):
    """The first event at which a history fails verification."""

    seq: int
    problem: str


def verify(
    rows: list[tuple[int, bytes, bytes | None, str]], seq: int, head: str, intent_id: str
) -> Broken | None:
    """Check the stored rows (seq, body, private, hash) of one intent against its row's ``seq`` and ``head``.

    Returns None if the history is valid, else the first broken event.
    """
    previous = ""
    for expected, (at, body, private, stored) in enumerate(rows, start=1):
        problem = _problem(expected, at, body, private, stored, previous, intent_id)
        if problem:
            return Broken(expected, problem)
        previous = stored
    if len(rows) != seq:
        return Broken(len(rows) + 1, f"the row has {seq} events, the history {len(rows)}")
    if previous != head:
        return Broken(seq, "the head in the intent's row is not the last event's hash")
    return None


def _problem(
    expected: int, at: int, body: bytes, private: bytes | None, stored: str, previous: str, intent_id: str
) -> str:
    if at != expected:
        return f"event {expected} is missing"
    if link(previous, body) != stored:
        return "its bytes do not match its hash"
    try:
        fact = unseal(body, private)
    except (msgspec.DecodeError, ValueError):
        return "its body cannot be read"
    if fact.seq != expected or fact.intent != intent_id:
        return "its body belongs to another position"
    if _BODY.encode(msgspec.structs.replace(fact, note=None)) != body:
        return "its body is not in the canonical encoding"
    if private is not None and hashlib.sha256(private).hexdigest() != fact.note_digest:
        return "its private text does not match its hash"
    return ""
