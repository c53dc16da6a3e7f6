"""The tasks that each person was shown through the API, stored so that every server on this database knows them, even
after a restart. A row says that a person was shown a step run, stage and revision; it is written once. The rules use
these rows, and never those of ``views``, which say who opened a card.
"""

from collections.abc import Collection
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from signoff.store.database import Database
from signoff.store.rows import by_id

_ADD: Final = """
insert into showings (intent_id, shard, person, visit, stage, revision)
values (:id, :shard, :person, :visit, :stage, :revision) on conflict do nothing
"""
_OF: Final = """
select visit, stage, revision from showings where intent_id = :id and shard = :shard and person = :person
"""
_ERASE: Final = "delete from showings where person = :person"


class ShownTarget(Struct, frozen=True):
    """A record that a person was shown a task in a certain state."""

    intent_id: str
    person: str
    visit: int
    stage: int
    revision: int


class ShownTargets:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, showings: Collection[ShownTarget]) -> None:
        """Store them, in one transaction; existing ones are unchanged."""
        rows = sorted(
            showings, key=lambda one: (one.intent_id, one.person, one.visit, one.stage, one.revision)
        )
        await self._db.write(*((_ADD, asdict(one) | by_id(one.intent_id)) for one in rows))

    async def of(self, intent_id: str, person: str) -> frozenset[tuple[int, int, int]]:
        """Each (step run, stage, revision) of the intent that the person was shown."""
        rows = await self._db.read(_OF, **by_id(intent_id), person=person)
        return frozenset((visit, stage, revision) for visit, stage, revision in rows)

    async def erase(self, person: str) -> None:
        """Delete the record of what a person was shown."""
        await self._db.write((_ERASE, {"person": person}))
