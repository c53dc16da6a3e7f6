"""Reports to an intent that no message about its task reached anyone, so that the task escalates or ends."""

import logging

from signoff.core.directory.actors import system
from signoff.core.errors import Busy, Refused
from signoff.core.ids import step_run_id
from signoff.core.intent.commands import ReportUnreachable
from signoff.core.intent.model import Task
from signoff.core.intent.notifications import NotificationKind
from signoff.core.plan.schedules import PERSON
from signoff.engine.commit.jobs import Idempotency
from signoff.engine.delivery.outbox_items import UnreachedTask
from signoff.engine.delivery.recipients import unreached
from signoff.engine.delivery.send_outcomes import Sent, Skipped
from signoff.engine.delivery.sender import Sender

log = logging.getLogger("signoff.delivery")


class NobodyReachedReports(Sender[UnreachedTask]):
    """Reports to the intent that no message about its task reached anyone. A repeated send reports it only once."""

    policy = PERSON

    async def send(self, item: UnreachedTask) -> Sent | Skipped:
        row, notification = item.row, item.notification
        stored = await self._store.intents.get(row.intent)
        if stored is None:
            return Skipped()
        directory = await self._directory.of(row.workspace)
        empty = unreached(notification, stored.intent, directory)
        reason = "it has no possible recipient" if empty else "no message about it reached anyone"
        task, ref = stored.intent.open, step_run_id(notification.intent, notification.step_run)
        escalated = notification.kind is NotificationKind.ESCALATED
        command = ReportUnreachable(
            notification.step_run,
            reason,
            notification.stage,
            level=notification.number if escalated else getattr(task, "escalated", 0),
            others_reached=isinstance(task, Task) and await self._engine.was_asked(stored.intent, task),
        )
        log.warning("no recipient could be reached for %s: %s", ref, reason)
        once = Idempotency("courier", row.id, row.id, lambda change: b"{}")
        try:
            await self._engine.handle(system(row.workspace), ref, command, once)
        except Busy:  # keep the row, or the escalation would stop
            raise
        except Refused as refusal:  # the intent has moved on
            log.info("nobody was reached for %s: %s", notification.intent, refusal)
        return Sent()
