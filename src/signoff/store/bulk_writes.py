"""One transaction's writes as rows of each table, ready to be written in bulk.

Cursors: an agent's numbers come from one counter row, which the writing transaction updates and thereby locks until it
commits. So a reader of "cursor > the last one I saw" never skips a late commit.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter

from msgspec import Struct, field

from signoff.core.ids import shard
from signoff.core.intent.events import Decided
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan
from signoff.core.plan.target import target_of
from signoff.store.rows import (
    STATE,
    LastStates,
    Plans,
    Row,
    changed_row,
    decided_rows,
    encode_plan,
    fact_row,
    intent_row,
    outgoing_row,
    ready_agent,
    reply_row,
    sent_row,
    worklist_rows,
)
from signoff.store.transaction import Changed, Loaded, NewIntent, SentDelivery, Writes

STEP = 2  # cursors are even on the wire: AXP needs numbers between two events
Agent = tuple[str, str]


class WriteBatch(Struct):
    """Rows in the column order of ``sql``. ``plans``: those that may be missing from the database, or may be deleted
    soon.
    """

    intents: list[Row] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    plans: list[Row] = field(default_factory=list)
    submissions: list[Row] = field(default_factory=list)
    revisions: list[Row] = field(default_factory=list)
    resubmissions: list[Row] = field(default_factory=list)
    targets: list[Row] = field(default_factory=list)
    decided: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    replies: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)
    worklist: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)
    sent: list[Row] = field(default_factory=list)
    followed: list[Row] = field(default_factory=list)
    learnt: dict[str, Plan] = field(default_factory=dict)


def only_locked(found: Loaded, writes: Writes) -> Writes:
    """Return the writes; raises ValueError if they change an intent that this transaction did not lock."""
    for changed in writes.changed:
        if changed.intent.id not in found.intents:
            raise ValueError(f"intent {changed.intent.id} was changed without being locked")
    return writes


def cursor_demand(writes: Writes) -> list[Row]:
    """(workspace, agent, growth of its counter) for every agent with fresh deliveries, in lock order."""
    counts: Counter[Agent] = Counter()
    fresh = [new.intent for new in writes.new if new.fresh]
    fresh += [changed.intent for changed in writes.changed if changed.fresh]
    for intent in fresh:
        agent = ready_agent(intent)
        if agent is not None:
            counts[intent.workspace, agent] += STEP
    return [(*key, grows) for key, grows in sorted(counts.items())]


def build(
    writes: Writes,
    before: Mapping[str, Intent],
    plans: Plans,
    states: LastStates,
    starts: dict[Agent, int],
    now: datetime,
) -> WriteBatch:
    """Build all rows of ``writes``. ``before``: the intents as they were; ``starts``: each agent's counter, so that
    its first fresh delivery gets ``starts[agent] + 2``, the second ``+ 4``, and so on.
    """
    batch = WriteBatch()
    for new in writes.new:
        intent = new.intent
        if intent.plan_digest not in batch.learnt and not plans.kept(intent.plan_digest, now):
            batch.learnt[intent.plan_digest] = intent.plan
            batch.plans.append((intent.plan_digest, encode_plan(intent.plan)))
        batch.intents.append(intent_row(intent, new.wake_at, _cursor(new, writes, starts, batch.followed)))
        states.note(intent, batch.intents[-1][STATE])
        batch.worklist += worklist_rows(None, intent)[1]
        batch.submissions.append((intent.id, shard(intent.id), new.payload))
        if intent.plan.target and (target := target_of(intent.plan.target, intent.type, new.payload)):
            batch.targets.append((intent.id, shard(intent.id), intent.workspace, target))
    for changed in writes.changed:
        intent = changed.intent
        cursor = _cursor(changed, writes, starts, batch.followed)
        batch.changes.append(changed_row(intent, changed.wake_at, cursor))
        states.note(intent, batch.changes[-1][STATE])
        closed, opened = worklist_rows(before[intent.id], intent)
        batch.closed += closed
        batch.worklist += opened
    batch.revisions = [(r.intent, r.revision, shard(r.intent), r.before) for r in writes.revisions]
    batch.resubmissions = [(r.intent, shard(r.intent), r.payload) for r in writes.revisions]
    for revised in writes.revisions:
        intent = before[revised.intent]
        if intent.plan.target:
            target = target_of(intent.plan.target, intent.type, revised.payload)
            batch.targets.append((intent.id, shard(intent.id), intent.workspace, target))
    now_decided = {sealed.fact.intent for sealed in writes.facts if isinstance(sealed.fact.event, Decided)}
    if now_decided:
        after = (*(new.intent for new in writes.new), *(changed.intent for changed in writes.changed))
        batch.decided = [row for one in after if one.id in now_decided for row in decided_rows(one)]
    batch.events = [fact_row(sealed) for sealed in writes.facts]
    batch.replies = [reply_row(reply) for reply in writes.replies]
    batch.outbox = [outgoing_row(out) for out in writes.outbox]
    moved = {row[2] for row in batch.followed}  # they are sent at another position from now on
    batch.sent = [sent_row(sent) for sent in writes.sent if sent.intent not in moved]
    # Every writer locks rows in this order, to avoid deadlocks.
    batch.plans.sort(key=itemgetter(0))
    batch.replies.sort(key=itemgetter(0, 1, 2, 3))
    return batch


def _cursor(
    item: NewIntent | Changed, writes: Writes, starts: dict[Agent, int], followed: list[Row]
) -> int | None:
    intent = item.intent
    agent = ready_agent(intent) if item.fresh else None
    if agent is None:
        return None
    starts[intent.workspace, agent] += STEP
    cursor = starts[intent.workspace, agent]
    if (intent.workspace, agent) in writes.followed:
        followed.append(sent_row(SentDelivery(intent.workspace, agent, intent.id, cursor)))
    return cursor
