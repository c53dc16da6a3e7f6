"""Exports, for actors that may read everything. Intents and histories are returned in pages, so that neither the
server nor its client needs much memory. They are masked off the event loop.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from signoff import wire
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import Invalid
from signoff.core.ids import uuid7
from signoff.core.intent.hash_chain import unseal
from signoff.core.text import json_value
from signoff.core.text.document_reader import in_utc
from signoff.core.text.masking import mask_text, masked
from signoff.engine.admin.manifest_export import manifest_of
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.event_summary import event_summary
from signoff.engine.read.view import size_of
from signoff.store.transaction import EventRow, Filter, Stored
from signoff.web.http.call import Call
from signoff.web.reading import cursor_of, directory_of
from signoff.web.shapes.common import maybe, raw
from signoff.wire.common import ABSENT

_EVENTS: Final = 2_000  # events after which a page ends
_BYTES: Final = 4 * 1024 * 1024  # of payloads or events, after which a page ends
_RANDOM: Final = bytes(10)


async def manifest(call: Call) -> wire.export.ManifestExport:
    """GET /v1/export/manifest"""
    authorize(call.actor, Action.READ_ALL)
    directory = await directory_of(call)
    document = await call.state.off_loop.run(call.actor, lambda: manifest_of(directory))
    return wire.export.ManifestExport(manifest=document)


async def intents(call: Call) -> wire.export.IntentRecords:
    """GET /v1/export/intents"""
    limit = _limit(call)
    found, directory = await _page(call, limit), await directory_of(call)
    kept = _fitting(found)
    size = sum(len(one.payload) for one in kept)
    records = await call.state.off_loop.run(
        call.actor, lambda: [_intent(one, directory) for one in kept], size
    )
    more = len(found) == limit or len(kept) < len(found)
    return wire.export.IntentRecords(
        records=records, next_cursor=maybe(kept[-1].intent.id if kept and more else "")
    )


def _fitting(found: list[Stored]) -> list[Stored]:
    """The first intents whose payloads fit on a page: at least one."""
    room = _BYTES
    for number, one in enumerate(found):
        room -= len(one.payload)
        if room < 0:
            return found[: max(number, 1)]
    return found


async def audit(call: Call) -> wire.export.AuditRecords:
    """GET /v1/export/audit"""
    limit = _limit(call)
    found, directory = await _page(call, limit), await directory_of(call)
    whole, records, last = call.flag("bodies"), list[wire.export.AuditRecord](), ""
    since = _time(call, "changed_since")
    size = 0
    for one in found:
        rows = await call.state.view.event_rows(call.actor, one.intent.id)
        records += await call.state.off_loop.run(
            call.actor,
            lambda one=one, rows=rows: _events(one, rows, directory, whole, since),  # type: ignore[misc]
        )
        last = one.intent.id
        size += size_of(rows)
        if len(records) >= _EVENTS or size >= _BYTES:
            break
    more = len(found) == limit or (found and last != found[-1].intent.id)
    return wire.export.AuditRecords(records=records, next_cursor=maybe(last if more else ""))


def _limit(call: Call) -> int:
    return call.number("limit", 50, 1, 200)


async def _page(call: Call, limit: int) -> list[Stored]:
    authorize(call.actor, Action.READ_ALL)
    wanted = Filter(
        workspace=call.actor.workspace,
        after=cursor_of(call) or _since(call),
        changed_since=_time(call, "changed_since"),
        oldest_first=True,
        limit=limit,
    )
    return await call.state.lists.page(call.actor, wanted)


def _since(call: Call) -> str:
    """An id below the ids of all intents that were created at this time or later."""
    at = _time(call, "since")
    return uuid7(max(0, int(at.timestamp() * 1000)), _RANDOM) if at is not None else ""


def _time(call: Call, name: str) -> datetime | None:
    """A time in the query; None if it is absent."""
    word = call.query.get(name, "")
    if not word:
        return None
    try:
        at = msgspec.convert(word.replace(" ", "+"), datetime)  # a plus in a query is a space
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid(
            "validation_error",
            f"{name}: {word[:64]!r} is not a time.",
            field=name,
            hint="Write it as 2030-01-31T18:00:00Z.",
        )
    return in_utc(at, name)


def _intent(one: Stored, directory: Snapshot) -> wire.export.IntentRecord:
    intent = one.intent
    return wire.export.IntentRecord(
        intent_id=intent.id,
        intent_type=intent.type,
        status=intent.status.value,
        outcome=intent.outcome or "",
        ending=intent.ending.value if intent.ending else "",
        requester_kind=intent.requester.kind.value,
        requester_id=intent.requester.id,
        requester_name=directory.display(intent.requester.id),
        to_agent=intent.to_agent or "",
        correlation_id=mask_text(intent.correlation_id or ""),
        created_at=intent.created_at,
        updated_at=intent.updated_at,
        deadline_at=intent.deadline_at or ABSENT,
        seq=intent.seq,
        head=intent.head,
        payload=raw(masked(json_value.decode(one.payload))) if one.payload else ABSENT,
    )


def _events(
    one: Stored, rows: Sequence[EventRow], directory: Snapshot, whole: bool, since: datetime | None
) -> list[wire.export.AuditRecord]:
    """The events of an intent, from ``since`` on. One that cannot be read, and so has no time, is never left out."""
    records = [_event(one, row, directory, whole) for row in rows]
    return [record for record in records if since is None or not record.at or record.at >= since]


def _event(one: Stored, row: EventRow, directory: Snapshot, whole: bool) -> wire.export.AuditRecord:
    record = wire.export.AuditRecord(
        intent_id=one.intent.id,
        intent_type=one.intent.type,
        seq=row.seq,
        type="unreadable",
        actor_kind="",
        actor_id="",
        actor_name="",
        via="",
        summary="the stored bytes cannot be read as an event",
        comment="",
        hash=row.hash,
    )
    if whole:
        record.body = row.body.decode(errors="replace")
        record.private = maybe(row.private.decode(errors="replace") if row.private else None)
    try:
        fact = unseal(row.body, row.private)
    except (msgspec.DecodeError, ValueError):
        return record
    event: dict[str, Any] = msgspec.to_builtins(fact.event)
    record.at, record.type = fact.at, str(event.pop("type"))
    record.actor_kind, record.actor_id = fact.actor.kind.value, fact.actor.id
    record.actor_name, record.via = directory.display(fact.actor.id), fact.via
    record.summary = mask_text(event_summary(fact, directory, one.intent.requester.id))
    record.comment = mask_text(fact.note.comment) if fact.note else ""
    record.event = raw(masked(event))
    return record
