"""Rows rebuilt from their events by this release's rules, in the migration that changed them.

``REFOLDED`` names the migrations after which the rows of open intents are rebuilt. A final row needs no further
decisions, so it stays as it was written.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal
from signoff.core.plan.plan import Plan
from signoff.store.rows import Row, intent_of, state_of

REFOLDED: Final = frozenset({"setbacks"})
PAGE: Final = 200

OPEN: Final = """
select id, plan, state from intents
where status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') and id > :after order by id limit :limit
"""
EVENTS: Final = "select body, private from events where intent_id = :id order by seq"
SAVE: Final = "update intents set state = :state where id = :id"


def in_flight(row: Row, plans: dict[str, Plan]) -> bool:
    """Whether a step has ended already, so that it may have left a setback."""
    return intent_of(row, plans).step_runs > 1


def rebuilt(row: Row, events: Sequence[Row], plans: dict[str, Plan]) -> bytes | None:
    """The state with the setback from the intent's events; None if the row has it already."""
    intent = intent_of(row, plans)
    now = fold((unseal(body, private) for body, private in events), intent.plan)
    if (now.setback, now.wanted) == (intent.setback, intent.wanted):
        return None
    return state_of(replace(intent, setback=now.setback, wanted=now.wanted))
