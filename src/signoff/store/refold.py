"""Rebuilds rows from their events by this release's rules, after a migration that changed the rules.

``REFOLDED`` names the migrations after which the rows of open intents are rebuilt, ``LISTED`` those after which the
index of open tasks is filled, ``DECIDED`` those after which the index of decided ones is. A final
row needs no more decisions, so it stays as it was written.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal
from signoff.core.plan.plan import Plan
from signoff.store.rows import Row, decided_rows, intent_of, readable, state_of, worklist_rows

REFOLDED: Final = frozenset({"setbacks", "objections"})
LISTED: Final = frozenset({"worklist", "relisted"})
DECIDED: Final = frozenset({"decided"})
LEFT_BY_EVENTS: Final = ("setback", "changes_requested_by", "objected_by")
PAGE: Final = 200

OPEN: Final = """
select id, plan, state from intents
where status not in ('COMPLETED', 'FAILED', 'CANCELED', 'TIMED_OUT') and id > :after order by id limit :limit
"""
WAITING: Final = """
select id, plan, state from intents
where waiting = 'WAITING_FOR_HUMAN' and id > :after order by id limit :limit
"""
ALL: Final = "select id, plan, state from intents where id > :after order by id limit :limit"
EVENTS: Final = "select body, private from events where intent_id = :id and shard = :shard order by seq"
SAVE: Final = "update intents set state = :state where id = :id and shard = :shard"


def in_flight(row: Row, plans: dict[str, Plan]) -> bool:
    """Whether a step has ended or a revision was made, so that events may have left a setback or objections."""
    intent = intent_of(row, plans)
    return intent.step_runs > 1 or intent.revision > 1


def rebuilt(row: Row, events: Sequence[Row], plans: dict[str, Plan]) -> bytes | None:
    """The state with the setback and objections that the intent's events imply; None if the row already has them."""
    intent = intent_of(row, plans)
    now = fold((unseal(body, private) for body, private in events), intent.plan)
    left = {name: getattr(now, name) for name in LEFT_BY_EVENTS}
    if all(getattr(intent, name) == value for name, value in left.items()):
        return None
    return state_of(replace(intent, **left))


def entries(rows: Sequence[Row], plans: dict[str, Plan]) -> list[Row]:
    """The rows of ``sql.WORKLIST`` of these intents, without unreadable ones, which ``doctor`` reports."""
    return [
        entry
        for row in rows
        if readable(row, plans)
        for entry in worklist_rows(None, intent_of(row, plans))[1]
    ]


def decisions(rows: Sequence[Row], plans: dict[str, Plan]) -> list[Row]:
    """The rows of ``sql.DECIDED`` of these intents, without unreadable ones, which ``doctor`` reports."""
    return [found for row in rows if readable(row, plans) for found in decided_rows(intent_of(row, plans))]
