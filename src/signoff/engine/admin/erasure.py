"""Erase the data of a person who was removed: their name, addresses, accounts, settings, comments, which tasks they
opened and when, and where their messages went. What was decided, when and over which channel is kept under an id that
no longer identifies anybody, and can still be verified.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Person
from signoff.core.errors import Conflict, NotFound
from signoff.engine.admin.removals import without_settings
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded, retry_on_conflict
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.store.store import Store

ERASED = "Erased person"


class Erased(msgspec.Struct, frozen=True):
    """How much was erased. ``waiting``: open intents that still contain comments of the person; repeat the erasure
    when they are final.
    """

    person: str
    comments: int
    messages: int
    records: int
    waiting: int


class PersonErasure:
    """``forget``: drops the cached copies of these intents on every server."""

    def __init__(
        self, store: Store, directory: DirectoryCache, clock: Clock, forget: Callable[[list[str]], None]
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._forget = forget

    async def erase(self, actor: Actor, who: str) -> Erased:
        """Erase a removed person's data; ``who``: their id, or the address that they had. May be repeated. Raises
        NotFound, or Conflict for a person who was not removed.
        """
        authorize(actor, Action.ERASE_PERSON)
        person, addresses = await self._found(actor, who)
        comments = await self._store.erasures.comments(actor.workspace, person.id)
        if comments.intents:
            self._forget(list(comments.intents))
        await self._store.views.erase(person.id)
        await self._store.showings.erase(person.id)
        messages = await self._store.erasures.messages(actor.workspace, person.id)
        subject = person_subject(person.id)
        name = "" if person.name == ERASED else person.name
        swapped = dict.fromkeys(addresses, person.id)
        records = await self._store.erasures.records(actor.workspace, subject, swapped, name)
        done = Erased(person.id, comments.comments, messages, records, len(comments.waiting))

        async def record() -> None:
            space = await self._store.directory.workspace(actor.workspace)
            after = replace(without_settings(person), name=ERASED)
            fields = {"erased": {"comments": done.comments, "messages": messages, "records": records}}
            change = recorded(
                actor, self._clock.now(), "person", person.id, subject, {"erased": False}, fields
            )
            since = {space.id: space.last_change} if space else {}
            await self._store.people.save([after, change], since=since)

        await retry_on_conflict(record, lambda: self._directory.forget(actor.workspace))
        self._directory.changed(actor.workspace)
        return done

    async def _found(self, actor: Actor, who: str) -> tuple[Person, set[str]]:
        """The person, with every address and account of theirs that the change log names."""
        key = who.strip().lower()
        directory = await self._directory.anew(actor.workspace)
        if (present := directory.anybody(key)) is not None and not present.removed:
            raise Conflict(
                "person_not_removed",
                f"{present.email} is still a person of this workspace.",
                hint="Remove them first: signoff people remove WHO.",
            )
        id = key if key.startswith("per_") else await self._store.erasures.removed_as(actor.workspace, key)
        person = directory.people.get(id)
        if person is None:
            raise NotFound("person_not_found", f"There is no person {who[:128]}.")
        return person, await self._store.erasures.addresses(actor.workspace, person_subject(person.id))
