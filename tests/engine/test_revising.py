"""A revision is stored with the decision that it changes: the new payload is there, the old one stays readable."""

import hashlib

import pytest

from signoff.core.errors import Conflict
from signoff.core.intent.commands import Revise
from tests.builders import ANN, OTTO, approve, gate
from tests.engine.works import PAYLOAD, Works, settle


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


async def test_the_payload_changes_with_the_fact_and_the_old_one_is_kept(works: Works) -> None:
    await settle(works, people=(ANN, OTTO))
    intent = await works.submit(gate(approve()))
    new = b'{"change":"smaller"}'
    await works.engine.revise(ANN, intent.id, Revise(digest(new), comment="less"), PAYLOAD, new)
    stored = await works.store.intents.get(intent.id)
    assert stored is not None
    assert (stored.payload, stored.intent.revision, stored.intent.editors) == (new, 2, ("per_ann",))
    assert await works.store.intents.old_payloads(intent.id) == {1: PAYLOAD}
    with pytest.raises(Conflict) as late:
        await works.engine.revise(OTTO, intent.id, Revise(digest(b"{}")), PAYLOAD, b"{}")
    assert late.value.code == "stale_revision"
    assert await works.findings() == []
    assert await works.store.intents.forget(works.clock.now(), 10) == 0
