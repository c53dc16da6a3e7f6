"""A deleted payload is distinguished from an empty one, and never run again."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from signoff.core.errors import Conflict
from signoff.core.intent.deleted_payload import payload_deleted, refuse_deleted
from signoff.core.intent.model import Intent
from tests.builders import SERVICE, Story, gate


def intent_of(payload: bytes) -> Intent:
    story = Story(gate(), SERVICE)
    return replace(story.intent, payload_digest=sha256(payload).hexdigest())


@pytest.mark.parametrize("left", [b"", b"{}"])
def test_deleted_payload_is_not_taken_for_an_empty_one(left: bytes) -> None:
    was = intent_of(b'{"amount":1}')
    assert payload_deleted(was, left)
    with pytest.raises(Conflict) as refusal:
        refuse_deleted(was, left)
    assert refusal.value.code == "payload_forgotten"


def test_present_or_empty_payload_is_not_reported_as_deleted() -> None:
    for payload in (b"{}", b'{"amount":1}'):
        assert not payload_deleted(intent_of(payload), payload)
        refuse_deleted(intent_of(payload), payload)
