"""Forms that replace a whole entry contain a digest of what they showed, so that a page opened before somebody
else's change does not undo that change.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from signoff.core.directory.model import Person, Team
from signoff.core.errors import Conflict
from signoff.engine.directory.snapshot import Snapshot
from signoff.web.pages.kit.handler import PageRequest

FIELD: Final = "shown"
CODE: Final = "stale_form"
_SORTED: Final = msgspec.json.Encoder(order="sorted")


def person_state(person: Person | None) -> str:
    """The digest of what the form for a person's name, roles and access replaces."""
    return _digest(person and [person.name, sorted(person.roles), person.active, person.addresses])


def team_state(team: Team | None) -> str:
    """The digest of what the form for a team replaces."""
    return _digest(team and [team.members, team.rotation, team.channel, team.mailbox])


def _digest(shown: Any) -> str:
    return hashlib.sha256(_SORTED.encode(shown)).hexdigest()[:32]


def unchanged_since_shown(
    request: PageRequest, state: Callable[[Snapshot], str]
) -> Callable[[Snapshot], None]:
    """Create a check on the directory to which the form is applied. It raises Conflict if the entry has changed since
    it was shown.
    """

    def check(directory: Snapshot) -> None:
        # A page of an earlier release does not have the field.
        if request.field(FIELD) and request.field(FIELD) != state(directory):
            raise Conflict(
                CODE,
                "This has changed since the page was loaded. Nothing was saved.",
                hint="The current state is below; the change log shows who changed it. "
                "Repeat your change if it is still needed.",
            )

    return check
