"""The integrity check of the database. Every intent's history is verified, folded, and compared with its row: the
state, every column (especially those by which due intents are found), and its entries in the index of open tasks.
Payload and plan must be the submitted ones.
"""

from collections.abc import AsyncIterator, Container, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.ids import shard
from signoff.core.intent.events import Created, Decided, Fact, Revised
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal, verify
from signoff.core.intent.model import Delivery, Intent, Task
from signoff.core.intent.wake import wake_at
from signoff.core.intent.worklist import keys_of
from signoff.core.plan.task_types import Meaning
from signoff.core.text.canonical_json import content_digest
from signoff.engine.off_loop import OffLoop
from signoff.store import sql
from signoff.store.rows import UNREADABLE, Row, intent_row, plan_digest, rank_of
from signoff.store.store import Store
from signoff.store.transaction import EventRow, Stored

_PAGE: Final = 500
_COLUMNS: Final = tuple(sql.INTENTS.columns)
_CURSOR: Final = _COLUMNS.index("cursor")
_SHARD: Final = _COLUMNS.index("shard")


class _Everything:
    def __contains__(self, item: object) -> bool:
        return True


_ANY: Final = _Everything()


class Finding(msgspec.Struct, frozen=True):
    """One inconsistency: which intent, which event (0 means its row), and what is wrong."""

    intent: str
    seq: int
    problem: str

    @property
    def text(self) -> str:
        """The inconsistency as text."""
        return f"event {self.seq}: {self.problem}" if self.seq else f"its row: {self.problem}"


async def check_integrity(store: Store) -> AsyncIterator[Finding]:
    """All inconsistencies of the stored intents."""
    after = ""
    while ids := await store.intents.ids(after, _PAGE):
        for intent_id in ids:
            finding = await examine_one(store, intent_id)
            if finding is not None:
                yield finding
        after = ids[-1]
    async for finding in check_worklist(store):
        yield finding


async def check_worklist(store: Store) -> AsyncIterator[Finding]:
    """Find entries in the index of open tasks that do not belong to an open task. ``examine_one`` finds missing
    entries.
    """
    after = ("", "", "")
    while entries := await store.intents.whole_worklist(after, _PAGE):
        wrong = await _stray(store, entries)
        if wrong:  # an intent that has changed in the meantime is read again
            still = {*await store.intents.whole_worklist(after, _PAGE)}
            wrong = await _stray(store, [entry for entry in wrong if entry in still])
        for _, _, id in wrong:
            yield Finding(id, 0, "the index of open tasks has an entry that does not follow from its events")
        after = entries[-1]


async def _stray(store: Store, entries: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    keys = {id: await _listed(store, id) for id in {id for _, _, id in entries}}
    return [entry for entry in entries if (entry[0], entry[1]) not in keys[entry[2]]]


async def _listed(store: Store, id: str) -> Container[tuple[str, str]]:
    """The (workspace, key) entries of an intent's open task. An unreadable intent, which ``examine_one`` reports, may
    have any entry.
    """
    try:
        stored = await store.intents.get(id)
    except UNREADABLE:
        return _ANY
    return {(stored.intent.workspace, key) for key in keys_of(stored.intent)} if stored else ()


async def examine_one(store: Store, intent_id: str, off_loop: OffLoop | None = None) -> Finding | None:
    """The first inconsistency of one intent, or None. This takes several reads; an intent that changes between
    them is read again. ``off_loop``: runs long work off an event loop that others share.
    """
    while True:
        row = await store.intents.row(intent_id)
        finding = await _examine(store, intent_id, row, off_loop)
        if finding is None or await store.intents.row(intent_id) == row:
            return finding


async def _examine(store: Store, intent_id: str, row: Row | None, off_loop: OffLoop | None) -> Finding | None:
    if row is None:
        return None
    if not _found_by_its_shard(intent_id, row):
        return Finding(intent_id, 0, "its shard does not follow from its id, so that no request finds it")
    try:
        stored = await store.intents.get(intent_id)
    except UNREADABLE:
        return Finding(intent_id, 0, "its state or its plan cannot be read")
    if stored is None:
        return Finding(intent_id, 0, "its payload is missing")
    rows = await store.intents.whole_history(intent_id)
    old = await store.intents.old_payloads(intent_id) if stored.intent.revision > 1 else {}

    def judged() -> Finding | None:
        return _judged(stored, row, rows, old)

    found = await off_loop.run(f"history {intent_id}", judged) if off_loop is not None else judged()
    if found is None and await store.intents.listed_under(stored.intent) != _entries(stored.intent):
        return Finding(intent_id, 0, "the index of open tasks does not agree with its events")
    return found


def _found_by_its_shard(intent_id: str, row: Row) -> bool:
    try:
        return bool(row[_SHARD] == shard(intent_id))
    except ValueError:  # not an id of ours
        return False


def _entries(intent: Intent) -> dict[str, int]:
    return dict.fromkeys(keys_of(intent), rank_of(intent))


def _judged(stored: Stored, row: Row, rows: Sequence[EventRow], old: Mapping[int, bytes]) -> Finding | None:
    intent = stored.intent
    broken = verify([(r.seq, r.body, r.private, r.hash) for r in rows], intent.seq, intent.head, intent.id)
    if broken is not None:
        return Finding(intent.id, broken.seq, broken.problem)
    facts = [unseal(r.body, r.private) for r in rows]
    folded = replace(fold(facts, intent.plan), head=intent.head)
    if not _same(folded, intent, erased=any(fact.note_digest and fact.note is None for fact in facts)):
        return Finding(intent.id, 0, "the row differs from the fold of its events")
    if not stored.forgotten and content_digest(stored.payload) != intent.payload_digest:
        return Finding(intent.id, 1, "the payload is not the one that was submitted")
    if plan_digest(intent.plan) != intent.plan_digest:
        return Finding(intent.id, 1, "the plan is not the one that it was submitted with")
    if (
        intent.revision > 1
        and not stored.forgotten
        and _revised(facts) != {revision: content_digest(payload) for revision, payload in old.items()}
    ):
        return Finding(intent.id, 0, "the revised payloads do not match the decisions")
    wrong = _wrong_columns(intent, row)
    return Finding(intent.id, 0, f"its columns do not match its state: {', '.join(wrong)}") if wrong else None


def _revised(facts: Sequence[Fact]) -> dict[int, str]:
    """The digests of replaced payloads, by the last revision that had each."""
    found: dict[int, str] = {}
    digest, revision = "", 1
    for fact in facts:
        match fact.event:
            case Created(payload_digest=digest):
                continue
            case Decided(meaning=Meaning.REQUESTS_CHANGES):
                revision += 1
            case Revised() as event:
                found[revision] = digest
                digest, revision = event.payload_digest, event.revision
    return found


def _wrong_columns(intent: Intent, row: Row) -> tuple[str, ...]:
    """The columns of an intent that disagree with its state. The cursor belongs to the agent's counter and is not
    compared.
    """
    right = intent_row(intent, wake_at(intent), row[_CURSOR])
    pairs = zip(_COLUMNS, right, row, strict=True)
    return tuple(name for name, wanted, found in pairs if wanted != found and name != "state")


def _same(folded: Intent, intent: Intent, *, erased: bool) -> bool:
    """Whether the row equals the fold of its events. ``erased``: some comments were erased from the events, which is
    allowed; everything else must still be equal.
    """
    folded, intent = _without_renewals(folded), _without_renewals(intent)
    return folded == intent or (erased and _without_words(folded) == _without_words(intent))


def _without_renewals(intent: Intent) -> Intent:
    """The intent without the end of a lease, which renewals extend without a fact."""
    if isinstance(intent.open, Delivery) and intent.open.lease_until:
        return replace(intent, open=replace(intent.open, lease_until=intent.updated_at))
    return intent


def _without_words(intent: Intent) -> Intent:
    """The intent without comments, which are also in votes and in the result of the decided step."""
    results = {
        step: {name: value for name, value in result.items() if name != "comment"}
        if isinstance(result, dict)
        else result
        for step, result in intent.results.items()
    }
    task = intent.open
    if isinstance(task, Task):
        task = replace(task, votes=tuple(replace(vote, comment=None) for vote in task.votes))
    return replace(intent, results=results, open=task)
