"""What each person was shown of a task through the API, kept so that every server on this database knows it, also after
a restart. A row says that this person saw this visit, stage and revision; each is written once.
"""

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from signoff.store.database import Database

_ADD: Final = """
insert into showings (intent_id, person, visit, stage, revision)
values (:intent_id, :person, :visit, :stage, :revision) on conflict do nothing
"""
_OF: Final = "select visit, stage, revision from showings where intent_id = :intent_id and person = :person"


class ViewRecord(Struct, frozen=True):
    """This person was shown this task as it then was."""

    intent_id: str
    person: str
    visit: int
    stage: int
    revision: int


class ViewRecords:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, showings: Collection[ViewRecord]) -> None:
        """Keep them, in one transaction; those that are kept already stay as they are."""
        rows = sorted(
            showings, key=lambda one: (one.intent_id, one.person, one.visit, one.stage, one.revision)
        )
        await self._db.write(
            *((_ADD, {name: getattr(one, name) for name in ViewRecord.__struct_fields__}) for one in rows)
        )

    async def of(self, intent_id: str, person: str) -> frozenset[tuple[int, int, int]]:
        """Each (visit, stage, revision) of the intent that the person was shown."""
        rows = await self._db.read(_OF, intent_id=intent_id, person=person)
        return frozenset((visit, stage, revision) for visit, stage, revision in rows)
