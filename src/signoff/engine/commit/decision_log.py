"""One log line for each task that ends: what was decided, by whom and how. The lines contain ids and the workflow's
outcome names, never text that a requester or an approver wrote. So they are marked ``harmless`` and not scanned for
secrets, which would cost more than writing them.
"""

import logging
from collections.abc import Iterable
from typing import Final

from signoff.core.intent.advance import Change
from signoff.core.intent.events import Decided

_LOG: Final = logging.getLogger("signoff.decisions")


def log_decisions(changes: Iterable[Change]) -> None:
    """Log the decisions of a committed batch."""
    if not _LOG.isEnabledFor(logging.INFO):
        return
    for change in changes:
        for sealed in change.facts:
            event = sealed.fact.event
            if not isinstance(event, Decided):
                continue
            fact, spec = sealed.fact, change.after.plan.tasks.get(event.step)
            fields = {
                "intent": fact.intent,
                "task": change.after.ref(event.step_run),
                "step": event.step,
                "outcome": event.outcome,
                "ending": event.ending.value,
                "policy": spec.policy if spec is not None else "",
                "actor": fact.actor.id,
                "via": fact.via,
                "event": fact.seq,
            }
            _LOG.info(
                "task %(task)s ended %(ending)s: outcome %(outcome)r by %(actor)s over %(via)s (event %(event)d)",
                fields,
                extra={"fields": fields, "harmless": True},
            )
