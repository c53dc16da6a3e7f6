"""An intent's history for auditors: every stored byte, and whether the hash chain is valid and agrees with the row."""

import msgspec

from signoff.core.intent.hash_chain import unseal
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.read.event_summary import event_summary
from signoff.engine.read.view import Audit, size_of
from signoff.store.work import EventRow
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes.common import EMPTY, encode, maybe, raw
from signoff.wire.audit import AuditAnswer, AuditEventOut
from signoff.wire.common import ActorOut


async def trail(call: Call) -> bytes:
    """GET /v1/intents/{intent_id}/audit"""
    proof = await call.state.view.audit(call.actor, call.params["intent_id"])
    directory = await directory_of(call)

    def made() -> bytes:
        return encode(_trail(proof, directory))

    return await call.state.aside.run(call.actor, made, size_of(proof.rows))


def _trail(proof: Audit, directory: Snapshot) -> AuditAnswer:
    intent, finding = proof.stored.intent, proof.finding
    return AuditAnswer(
        intent_id=intent.id,
        seq=intent.seq,
        head=intent.head,
        verified=finding is None,
        problem=maybe(finding.text if finding else None),
        events=tuple(_event(row, directory, intent.requester.id) for row in proof.rows),
    )


def _event(row: EventRow, directory: Snapshot, requester: str) -> AuditEventOut:
    try:
        fact = unseal(row.body, row.private)
    except (msgspec.DecodeError, ValueError):
        return _unreadable(row)
    name = directory.display(fact.actor.id)
    return AuditEventOut(
        seq=fact.seq,
        at=fact.at,
        type=str(fact.event.__struct_config__.tag),
        actor=ActorOut(kind=fact.actor.kind.value, id=fact.actor.id, name=name),
        via=fact.via,
        summary=event_summary(fact, directory, requester),
        comment=maybe(fact.note.comment if fact.note else None),
        event=raw(fact.event),
        body=row.body.decode(),
        private=maybe(row.private.decode() if row.private else None),
        hash=row.hash,
    )


def _unreadable(row: EventRow) -> AuditEventOut:
    """Bytes that are no longer an event: they were changed, and a verifier must be shown them."""
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
