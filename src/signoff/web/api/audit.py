"""An intent's history for auditors: every stored byte, and whether the hash chain is valid and agrees with the row."""

from collections.abc import Sequence

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.ids import step_run_id
from signoff.core.intent.events import Fact, Viewed
from signoff.core.intent.hash_chain import unseal
from signoff.engine.card_openings import may_see_openings
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.event_summary import event_summary
from signoff.engine.read.view import Audit, size_of
from signoff.store.transaction import CardOpening, EventRow
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes.common import EMPTY, encode, maybe, raw
from signoff.wire.audit import AuditEventOut, AuditResponse, ViewedOut, ViewOut
from signoff.wire.common import ABSENT, ActorOut


async def trail(call: Call) -> bytes:
    """GET /v1/intents/{intent_id}/audit"""
    audit = await call.state.view.audit(call.actor, call.params["intent_id"])
    directory = await directory_of(call)
    views = await call.state.card_openings.of(audit.stored.intent.id)

    def made() -> bytes:
        return encode(_trail(audit, directory, views, call.actor))

    return await call.state.off_loop.run(call.actor, made, size_of(audit.rows))


def _trail(audit: Audit, directory: Snapshot, views: Sequence[CardOpening], reader: Actor) -> AuditResponse:
    intent, finding = audit.stored.intent, audit.finding
    shown = tuple(_view(one, intent.id, directory) for one in views if may_see_openings(reader, one.person))
    return AuditResponse(
        intent_id=intent.id,
        seq=intent.seq,
        head=intent.head,
        verified=finding is None,
        problem=maybe(finding.text if finding else None),
        events=tuple(_event(row, directory, intent.requester.id, reader) for row in audit.rows),
        views=shown or ABSENT,
    )


def _view(one: CardOpening, intent_id: str, directory: Snapshot) -> ViewOut:
    return ViewOut(
        task_id=step_run_id(intent_id, one.step_run),
        person=one.person,
        name=directory.display(one.person),
        channel=one.channel,
        first_at=one.first_at,
        last_at=one.last_at,
        times=one.times,
        unfolded=one.unfolded,
    )


def _viewed(seen: Viewed, fact: Fact) -> ViewedOut:
    seconds = (fact.at - seen.first_at).total_seconds() if seen.first_at else ABSENT
    return ViewedOut(
        first_at=seen.first_at or ABSENT,
        last_at=seen.last_at or ABSENT,
        seconds=seconds,
        channels=seen.channels,
        folded=maybe(seen.folded),
    )


def _event(row: EventRow, directory: Snapshot, requester: str, reader: Actor) -> AuditEventOut:
    try:
        fact = unseal(row.body, row.private)
    except (msgspec.DecodeError, ValueError):
        return _unreadable(row)
    name = directory.display(fact.actor.id)
    whole = fact.note is None or fact.note.viewed is None or may_see_openings(reader, fact.actor.id)
    return AuditEventOut(
        seq=fact.seq,
        at=fact.at,
        type=str(fact.event.__struct_config__.tag),
        actor=ActorOut(kind=fact.actor.kind.value, id=fact.actor.id, name=name),
        via=fact.via,
        summary=event_summary(fact, directory, requester),
        comment=maybe(fact.note.comment if fact.note else None),
        viewed=_viewed(fact.note.viewed, fact) if whole and fact.note and fact.note.viewed else ABSENT,
        event=raw(fact.event),
        body=row.body.decode(),
        private=maybe(row.private.decode() if row.private and whole else None),
        hash=row.hash,
    )


def _unreadable(row: EventRow) -> AuditEventOut:
    """An entry for bytes that are no longer an event. They have been changed, so a verifier must see them."""
    return AuditEventOut(
        seq=row.seq,
        type="unreadable",
        actor=ActorOut(kind="", id=""),
        via="",
        summary="the stored bytes cannot be read as an event",
        event=EMPTY,
        body=row.body.decode(errors="replace"),
        private=maybe(row.private.decode(errors="replace") if row.private else None),
        hash=row.hash,
    )
