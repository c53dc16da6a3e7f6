"""Messages: to whom, over which channel, and their delivery status. A message has the id of its outbox row.

A message to a person starts as ``waiting`` in the transaction that adds its outbox row, and ends as ``sent``,
``skipped`` (no longer needed) or ``failed`` in the one that removes the row. A message to a service is only an outbox
row until it is sent; then it is recorded here. So nothing is sent without a record.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from signoff.core.ids import shard
from signoff.store.database import Database, Statement
from signoff.store.rows import Row, by_id, by_row, by_rows, from_micros, micros, outgoing, outgoing_row
from signoff.store.sql import OUTBOX, OUTBOX_COLUMNS, OUTBOX_DONE
from signoff.store.transaction import OutboxRow

WAITING, SENT, SKIPPED, FAILED = "waiting", "sent", "skipped", "failed"


class Message(Struct, frozen=True, kw_only=True):
    """One notification for one person over one channel, or for a service (``person`` "").

    target: the address, without secrets; reference: the provider's id of the message; at: the time of its last
    change; called_at: when its event happened.
    """

    id: str
    workspace: str
    intent_id: str
    visit: int
    seq: int
    kind: str
    person: str
    channel: str
    state: str = WAITING
    reference: str = ""
    attempts: int = 0
    error: str = ""
    at: datetime
    target: str = ""
    called_at: datetime


class InFlight(Struct, frozen=True):
    """A message, and when it is (re)tried, None if it has ended."""

    message: Message
    next_at: datetime | None = None


class SendResult(Struct, frozen=True):
    """How a message about this intent ended. ``target``: its address; "" if it is unchanged."""

    id: str
    intent_id: str
    state: str
    attempts: int
    at: datetime
    reference: str = ""
    error: str = ""
    target: str = ""


class ExpandedNotification(Struct, frozen=True):
    """The replacement of one outbox ``row``: new rows, and the messages that record them."""

    row: OutboxRow
    rows: Sequence[OutboxRow]
    messages: Sequence[Message]


_FIELDS: Final = ", ".join(Message.__struct_fields__)
_COLUMNS: Final = ", ".join(OUTBOX.columns)
_VALUES: Final = ", ".join(f":{name}" for name in OUTBOX.columns)
# A write lock: if two servers expand the same row, the second one waits and then finds that it is gone.
_LOCK: Final = "update outbox set attempts = attempts where id = :id and shard = :shard"
_PARENT_EXISTS: Final = "exists (select 1 from outbox where id = :parent and shard = :parent_shard)"
_PUT: Final = f"""
insert into outbox ({_COLUMNS}) select {_VALUES} where {_PARENT_EXISTS} on conflict do nothing
"""
_RECORD: Final = f"""
insert into messages (shard, {_FIELDS})
select :shard, {", ".join(f":{name}" for name in Message.__struct_fields__)}
where {_PARENT_EXISTS} on conflict do nothing
"""
_KEEP: Final = f"""
insert into messages (shard, {_FIELDS})
values (:shard, {", ".join(f":{name}" for name in Message.__struct_fields__)}) on conflict do nothing
"""
_QUEUE: Final = f"insert into outbox ({_COLUMNS}) values ({_VALUES})"
_OLD: Final = """
delete from messages
where intent_id = :id and shard = :shard and called_at < :before and state <> 'waiting'
"""
_END: Final = """
update messages set state = :state, reference = :reference, attempts = :attempts, error = :error, at = :at,
    target = case when :target = '' then target else :target end
where id = :id and shard = :shard
"""
_TRIED: Final = """
update messages set attempts = :attempts, error = :error, at = :at where id = :id and shard = :shard
"""
_SIBLINGS: Final = """
select id from outbox where intent_id = :id and shard = :shard and seq = :seq order by id for update
"""
# True if no message about the task has reached anyone or still may, since this event.
_NOBODY: Final = f"""
insert into outbox ({_COLUMNS}) select {_VALUES} where not exists (
    select 1 from messages
    where intent_id = :intent_id and shard = :shard and visit = :visit and seq >= :seq and state <> 'failed'
) on conflict do nothing
"""
_OF_TASK: Final = f"""
select {_FIELDS} from messages where intent_id = :id and shard = :shard and visit = :visit order by seq, id
"""
_BY_REFERENCE: Final = (
    f"select {_FIELDS} from messages where reference = :reference and reference <> '' and channel = :channel "
    "and visit > 0 order by seq desc, id limit 1"
)
_OF_INTENT: Final = f"""
select {", ".join(f"m.{name}" for name in Message.__struct_fields__)}, o.due_at
from messages m left join outbox o on o.id = m.id and o.shard = m.shard
where m.intent_id = :id and m.shard = :shard
"""
_OUTBOX_OF_INTENT: Final = f"""
select {OUTBOX_COLUMNS} from outbox where intent_id = :id and shard = :shard order by seq, id limit :limit
"""
_FAILING: Final = f"""
select {_FIELDS} from messages where workspace = :workspace and error <> '' and state in ('waiting', 'failed')
    and channel = :channel and (at >= :since or state = 'waiting') order by at desc limit :limit
"""
_FAILING_CHANNELS: Final = """
select channel from messages where workspace = :workspace and error <> '' and state in ('waiting', 'failed')
union select channel from outbox where workspace = :workspace and last_error <> ''
"""
_OUTBOX_FAILING: Final = f"""
select {OUTBOX_COLUMNS} from outbox where workspace = :workspace and last_error <> '' and channel = :channel
order by id desc limit :limit
"""
_ARRIVED: Final = (
    "select max(at) from messages where workspace = :workspace and channel = :channel and state = 'sent'"
)


class Messages:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def of_task(self, intent_id: str, visit: int) -> list[Message]:
        """Messages about a task, in the order of their events."""
        return [_message(row) for row in await self._db.read(_OF_TASK, **by_id(intent_id), visit=visit)]

    async def by_reference(self, channel: str, reference: str) -> Message | None:
        """The message about a task to which the provider gave this id."""
        rows = await self._db.read(_BY_REFERENCE, channel=channel, reference=reference)
        return _message(rows[0]) if rows else None

    async def of_intent(self, intent_id: str) -> list[InFlight]:
        """All messages to people, and those that services have received, in no particular order."""
        rows = await self._db.read(_OF_INTENT, **by_id(intent_id))
        return [
            InFlight(_message(row[:-1]), None if row[-1] is None else from_micros(row[-1])) for row in rows
        ]

    async def queued(self, intent_id: str, limit: int) -> list[OutboxRow]:
        """The outbox rows of an intent."""
        rows = await self._db.read(_OUTBOX_OF_INTENT, **by_id(intent_id), limit=limit)
        return [outgoing(row) for row in rows]

    async def failing_channels(self, workspace: str) -> list[str]:
        """The channels with messages that are being retried or have failed."""
        return [row[0] for row in await self._db.read(_FAILING_CHANNELS, workspace=workspace)]

    async def failing(
        self, workspace: str, channel: str, since: datetime, limit: int
    ) -> tuple[list[Message], list[OutboxRow]]:
        """Messages that are being retried over a channel, or have failed permanently since ``since``, newest first."""
        values = {"workspace": workspace, "channel": channel, "limit": limit}
        found = await self._db.read(_FAILING, since=micros(since), **values)
        queued = await self._db.read(_OUTBOX_FAILING, **values)
        return [_message(row) for row in found], [outgoing(row) for row in queued]

    async def arrived_at(self, workspace: str, channel: str) -> datetime | None:
        """When a message was last sent over a channel."""
        [[at]] = await self._db.read(_ARRIVED, workspace=workspace, channel=channel)
        return None if at is None else from_micros(at)

    async def expand(self, expansions: Sequence[ExpandedNotification]) -> None:
        """Replace each row with other rows, in one transaction; a row that no longer exists is skipped."""
        statements: list[Statement] = []
        for one in sorted(expansions, key=lambda expansion: expansion.row.id):
            statements.append((_LOCK, by_row(one.row.id, one.row.intent)))
            statements += _expanded(one)
            statements.append((OUTBOX_DONE, by_rows([(one.row.id, one.row.intent)])))
        if statements:
            await self._db.write(*statements)

    async def start(self, row: OutboxRow, message: Message, before: datetime) -> None:
        """Queue a message that was not caused by a notification, with its record. Records of the same kind that are
        older than ``before`` are deleted.
        """
        await self._db.write(
            (_OLD, {**by_id(message.intent_id), "before": micros(before)}),
            (_QUEUE, _outbox_values(row)),
            (_KEEP, _values(message)),
        )

    async def end(
        self,
        results: Sequence[SendResult],
        done: Sequence[OutboxRow] = (),
        arrived: Sequence[Message] = (),
    ) -> None:
        """Remove these messages, and the other rows ``done``, from the outbox. ``arrived``: messages that services
        have received, to be recorded.
        """
        statements: list[Statement] = [(_END, _end_values(result)) for result in results]
        statements += [(_KEEP, _values(message)) for message in arrived]
        over = [(one.id, one.intent_id) for one in results]
        over += [(row.id, row.intent) for row in done] + [(one.id, one.intent_id) for one in arrived]
        statements.append((OUTBOX_DONE, by_rows(over)))
        await self._db.write(*statements)

    async def tried(self, row: OutboxRow, attempts: int, error: str, at: datetime) -> None:
        """Record a failed attempt to send the message of this row; another one follows."""
        values = {"attempts": attempts, "error": error, "at": micros(at)}
        await self._db.write((_TRIED, by_row(row.id, row.intent) | values))

    async def fail(
        self, result: SendResult, instead: ExpandedNotification, nobody: OutboxRow | None, visit: int
    ) -> None:
        """Record that the message failed permanently. ``instead``: the same message over the person's next channel,
        if there is one; ``nobody``: the row to add if this was the last chance to reach anyone.
        """
        row = instead.rows[0] if instead.rows else nobody
        statements: list[Statement] = []
        if row is not None:
            statements.append((_SIBLINGS, {**by_id(row.intent), "seq": row.seq}))
        statements += _expanded(instead)
        statements.append((_END, _end_values(result)))
        statements.append((OUTBOX_DONE, by_rows([(result.id, result.intent_id)])))
        if nobody is not None:
            statements.append((_NOBODY, _outbox_values(nobody) | {"visit": visit}))
        await self._db.write(*statements)


def _message(row: Row) -> Message:
    values: dict[str, Any] = dict(zip(Message.__struct_fields__, row, strict=True))
    return Message(**values | {name: from_micros(values[name]) for name in ("at", "called_at")})


def _values(message: Message) -> dict[str, Any]:
    moments = {"at": micros(message.at), "called_at": micros(message.called_at)}
    return asdict(message) | moments | {"shard": shard(message.intent_id)}


def _expanded(one: ExpandedNotification) -> list[Statement]:
    """The statements that add the new rows and messages, if the replaced row still exists."""
    parent = {"parent": one.row.id, "parent_shard": shard(one.row.intent)}
    rows: list[Statement] = [(_PUT, _outbox_values(row) | parent) for row in one.rows]
    return rows + [(_RECORD, _values(message) | parent) for message in one.messages]


def _end_values(result: SendResult) -> dict[str, Any]:
    return asdict(result) | by_row(result.id, result.intent_id) | {"at": micros(result.at)}


def _outbox_values(row: OutboxRow) -> dict[str, Any]:
    return dict(zip(OUTBOX.columns, outgoing_row(row), strict=True))
