"""Rows brought up to date with what their events mean to this release, in the migration that changed it.

``REFOLDED`` names the migrations after which the open intents' rows are folded anew. A final row holds nothing that is
still to be decided, so it stays as it was written.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from signoff.core.chain import unseal
from signoff.core.evolve import fold
from signoff.store.rows import Row, Plans, intent_of, state_of

REFOLDED: Final = frozenset({10})
PAGE: Final = 200

OPEN: Final = """
select id, plan, state from intents
where status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') and id > :after order by id limit :limit
"""
EVENTS: Final = "select body, private from events where intent_id = :id order by seq"
SAVE: Final = "update intents set state = :state where id = :id"


def refolded(row: Row, events: Sequence[Row], plans: Plans) -> bytes | None:
    """The state with the setback that the intent's events leave; None where the row has it already."""
    plan = plans.get(row[1])
    if plan is None:
        raise KeyError(row[1])
    intent = intent_of(row, {row[1]: plan})
    setback = fold((unseal(body, private) for body, private in events), plan).setback
    return None if setback == intent.setback else state_of(replace(intent, setback=setback))


def statement(intent_id: str, state: bytes) -> dict[str, Any]:
    return {"id": intent_id, "state": state}
