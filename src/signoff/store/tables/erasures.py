"""Erases a person's data from the tables, a page at a time. The bodies of events, which the hash chain covers, never
change; comments are stored separately.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from signoff.core.intent.events import Fact
from signoff.core.intent.evolve import fold
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import FINAL
from signoff.core.text import json_value
from signoff.store.database import Database, Statement, plans_of
from signoff.store.refold import EVENTS
from signoff.store.rows import Row, by_id, by_ids, intent_of, readable, state_of

_PAGE: Final = 100
_INTENTS: Final = """
select id, plan, state, status, seq from intents where workspace = :workspace and id > :after order by id limit :limit
"""
_TEXTS: Final = """
select intent_id, body, private from events
where intent_id in :ids and shard in :shards and private is not null
"""
_FORGET_TEXTS: Final = (
    "update events set private = null where intent_id = :id and shard = :shard and seq in :seqs"
)
_SAVE: Final = "update intents set state = :state where id = :id and shard = :shard and seq = :seq"
# Addresses, what a provider reported about them, and messages that are still to be sent.
_MESSAGES: Final = """
update messages set target = '', reference = '', error = '' where workspace = :workspace and person = :person
    and (target <> '' or reference <> '' or error <> '') returning id
"""
_REPLIES: Final = "delete from replies where workspace = :workspace and actor = :person returning key"
_KEYS: Final = "update keys set name = '' where workspace = :workspace and actor_id = :person and name <> ''"
_OUTBOX: Final = "delete from outbox where workspace = :workspace and target = :person returning id"
_REMOVED: Final = """
select subject from changes where workspace = :workspace and kind = 'person' and name = :name and after = ''
order by number desc limit 1
"""
_OF_PERSON: Final = """
select kind, before, after from changes where workspace = :workspace and subject = :subject
"""
# Rows with data of several people: only what names this person is replaced.
_CHANGES: Final = """
select id, name, before, after, number, subject, kind from changes where workspace = :workspace and number > :after
order by number limit :limit
"""
_SAVE_CHANGE: Final = "update changes set name = :name, before = :before, after = :after where id = :id"
_PROPOSALS: Final = """
select id, source, shown from proposals where workspace = :workspace and id > :after order by id limit :limit
"""
_SAVE_PROPOSAL: Final = "update proposals set source = :source, shown = :shown where id = :id"
_OLD: Final = {
    "policies": "select name, version, source from policies where workspace = :workspace order by name, version",
    "workflows": """
        select intent_type, version, source from workflows where workspace = :workspace order by intent_type, version
    """,
}
_SAVE_OLD: Final = {
    "policies": """
        update policies set source = :source where workspace = :workspace and name = :name and version = :version
    """,
    "workflows": """
        update workflows set source = :source
        where workspace = :workspace and intent_type = :name and version = :version
    """,
}
_OF_TERMINAL: Final = frozenset({"terminal", "address"})
_JSON: Final = msgspec.json.Encoder(order="sorted")


class ErasedComments(msgspec.Struct, frozen=True):
    """intents: the intents that changed; ``waiting``: open ones, which still contain comments of the person."""

    comments: int
    intents: Sequence[str]
    waiting: Sequence[str]


class Erasures:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def removed_as(self, workspace: str, address: str) -> str:
        """The id of the person with this address who was removed last; "" if there is none."""
        rows = await self._db.read(_REMOVED, workspace=workspace, name=address)
        return rows[0][0].removeprefix("person:") if rows else ""

    async def addresses(self, workspace: str, subject: str) -> set[str]:
        """Every address and linked account that the change log names for a person."""
        found: set[object] = set()
        for kind, before, after in await self._db.read(_OF_PERSON, workspace=workspace, subject=subject):
            for text in filter(None, (before, after)):
                decoded = json_value.decode(text)
                if kind == "person":
                    values = decoded.get("addresses")
                    found |= {decoded.get("email"), *(values.values() if isinstance(values, dict) else ())}
                elif isinstance(decoded, dict) and {"account", "team"} <= decoded.keys():
                    found.add(decoded["account"])
        return {one for one in found if isinstance(one, str) and one}

    async def comments(self, workspace: str, person: str) -> ErasedComments:
        """Erase the person's comments from all final intents."""
        count, changed, waiting, after = 0, list[str](), list[str](), ""
        while rows := await self._db.read(_INTENTS, workspace=workspace, after=after, limit=_PAGE):
            after = rows[-1][0]
            typed: dict[str, int] = {}
            for id, body, private in await self._db.read(_TEXTS, **by_ids(row[0] for row in rows)):
                fact = unseal(body, private)
                if fact.actor.id == person and fact.note is not None:
                    typed[id] = typed.get(id, 0) + 1
            plans = await plans_of(self._db, [(0, row[1]) for row in rows if row[0] in typed])
            for row in rows:
                if row[0] not in typed:
                    continue
                if row[3] not in FINAL:
                    waiting.append(row[0])
                    continue
                facts = [
                    unseal(body, private) for body, private in await self._db.read(EVENTS, **by_id(row[0]))
                ]
                await self._db.write(*_without(row, person, facts, plans))
                count += typed[row[0]]
                changed.append(row[0])
        return ErasedComments(count, changed, waiting)

    async def messages(self, workspace: str, person: str) -> int:
        """Erase the addresses of the person's messages and the names of their keys, and delete the messages that wait;
        returns how many messages.
        """
        values = {"workspace": workspace, "person": person}
        erased, *_ = await self._db.write(
            (_MESSAGES, values), (_REPLIES, values), (_OUTBOX, values), (_KEYS, values)
        )
        return len(erased)

    async def records(self, workspace: str, subject: str, addresses: Mapping[str, str], name: str) -> int:
        """Replace the person's addresses in the change log, in proposals, and in former versions of policies and
        workflows; and their name, accounts and terminals in the change log's entries about them. Returns how many rows
        changed. ``addresses``: the replacement of each address.
        """
        # An account's id may be any short text, which may mean something else in other places.
        mailboxes = {one: to for one, to in addresses.items() if "@" in one}
        swap, about = _swapped(mailboxes), _swapped({**addresses, name: "erased"} if name else addresses)
        count, after = 0, 0
        while rows := await self._db.read(_CHANGES, workspace=workspace, after=after, limit=_PAGE):
            after = rows[-1][4]
            done: list[Statement] = []
            for id, what, was, now, _, of, kind in rows:
                before, later = was, now
                named, within = (addresses, about) if of == subject else (mailboxes, swap)
                if of == subject and kind == "key":
                    before, later = _without_terminal(before), _without_terminal(later)
                new = {"name": named.get(what, what), "before": within(before), "after": within(later)}
                if new != {"name": what, "before": was, "after": now}:
                    done.append((_SAVE_CHANGE, {"id": id, **new}))
            count += len(done)
            await self._db.write(*done)
        last = ""
        while rows := await self._db.read(_PROPOSALS, workspace=workspace, after=last, limit=_PAGE):
            last = rows[-1][0]
            for id, source, shown in rows:
                kept = [swap(bytes(text).decode()).encode() for text in (source, shown)]
                if kept != [bytes(source), bytes(shown)]:
                    await self._db.write((_SAVE_PROPOSAL, {"id": id, "source": kept[0], "shown": kept[1]}))
                    count += 1
        for table, query in _OLD.items():
            for key, version, source in await self._db.read(query, workspace=workspace):
                text = swap(bytes(source).decode()).encode()
                if text != bytes(source):
                    values = {"workspace": workspace, "name": key, "version": version, "source": text}
                    await self._db.write((_SAVE_OLD[table], values))
                    count += 1
        return count


def _without_terminal(text: str) -> str:
    """The JSON text of a key without the terminal that it is for. Its name is any text that a program sent, which may
    be another person's address or a word of the entry; so it is found by its place.
    """
    decoded = json_value.decode(text) if text else None
    if not isinstance(decoded, dict) or _OF_TERMINAL.isdisjoint(decoded):
        return text
    return _JSON.encode({name: value for name, value in decoded.items() if name not in _OF_TERMINAL}).decode()


def _swapped(named: Mapping[str, str]) -> Callable[[str], str]:
    """The JSON text with these strings replaced, as values and as keys."""

    def through(value: Any) -> Any:
        if isinstance(value, str):
            return named.get(value) or named.get(value.lower(), value)
        if isinstance(value, list):
            return [through(one) for one in value]
        if isinstance(value, dict):
            return {through(key): through(one) for key, one in value.items()}
        return value

    def swap(text: str) -> str:
        lowered = text.lower()
        quoted = (msgspec.json.encode(one).decode()[1:-1].lower() for one in named)
        if not text or not any(one in lowered for one in quoted):
            return text
        return _JSON.encode(through(json_value.decode(text))).decode()

    return swap


def _without(row: Row, person: str, facts: Sequence[Fact], plans: Mapping[str, Any]) -> list[Statement]:
    """The statements that erase a person's comments from one final intent."""
    theirs = [fact.seq for fact in facts if fact.actor.id == person and fact.note is not None]
    statements: list[Statement] = [(_FORGET_TEXTS, {**by_id(row[0]), "seqs": theirs})]
    known = dict(plans)
    if readable(row[:3], known):
        intent = intent_of(row[:3], known)
        kept = fold((replace(f, note=None) if f.seq in theirs else f for f in facts), intent.plan)
        after = replace(intent, results=_with_comments(intent.results, kept.results))
        if after != intent:
            statements.append((_SAVE, {**by_id(row[0]), "seq": row[4], "state": state_of(after)}))
    return statements


def _with_comments(results: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The results without erased comments. A result repeats a comment of its decision: after this, the last comment
    that was not erased, if there is one. Other people's comments stay, even with the same text.
    """
    after = dict(results)
    for step, result in results.items():
        if isinstance(result, dict) and "comment" in result:
            comment = kept[step].get("comment")
            rest = {name: value for name, value in result.items() if name != "comment"}
            after[step] = rest if comment is None else {**rest, "comment": comment}
    return after
