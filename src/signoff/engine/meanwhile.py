"""What an apply was drafted from has to be so still when it is written: somebody who was just deactivated would be back
otherwise, with whoever changed their zone at the same moment.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from signoff.core.access import RUNNING
from signoff.engine.directory import Snapshot
from signoff.store.entries import Person, TeamRow, Workspace


def read_for(entries: Sequence[Struct], before: Snapshot) -> list[Struct]:
    """What these entries replace, as it was read, in the order in which it is locked. Where somebody's roles change,
    those who run the workspace are among it: there has to be one still.
    """
    found: dict[tuple[int, str], Struct] = {}
    for entry in entries:
        match entry:
            case Workspace():
                found[0, ""] = before.workspace
            case Person(id=id) if id in before.people:
                found[1, id] = was = before.people[id]
                if (was.roles, was.active) != (entry.roles, entry.active):
                    running = (p for p in before.people.values() if not RUNNING.isdisjoint(p.roles))
                    found |= {(1, person.id): person for person in running}
            case TeamRow(name=name) if name in before.teams:
                team = before.teams[name]
                found[2, name] = replace(entry, members=team.members, rotation=team.rotation)
    return [found[place] for place in sorted(found)]
