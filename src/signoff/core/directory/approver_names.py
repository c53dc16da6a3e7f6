"""Names of who may decide, as people write them: an address, a person's id, ``team:NAME``, ``role:NAME``."""

import re
from typing import Final

from signoff.core.text.document_reader import Fields

_MAILBOX: Final = re.compile(r"[^@\s]+@[^@\s]+")
_ROLE: Final = re.compile(r"role:[a-z][a-z0-9_\-]*")
_PERSON: Final = re.compile(r"per_[A-Za-z0-9_\-]+")
TEAM_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
TEAM: Final = "team:"


def party(written: str) -> str | None:
    """The one spelling of a name; None for what names nobody."""
    name = written.strip().removeprefix("person:")
    if _MAILBOX.fullmatch(name):
        return name.lower()
    team = name.removeprefix(TEAM) if name.startswith(TEAM) else ""
    known = _ROLE.fullmatch(name) or _PERSON.fullmatch(name) or TEAM_NAME.fullmatch(team)
    return name if known else None


def parties(fields: Fields, name: str) -> tuple[str, ...]:
    """The names in a field, each once; raises Invalid for what names nobody."""
    found = []
    for written in fields.texts(name):
        spelled = party(written)
        if spelled is None:
            hint = "Write an e-mail address, team:NAME, or a role such as role:approver."
            raise fields.invalid(name, f"{written!r} names nobody", hint=hint)
        found.append(spelled)
    return tuple(dict.fromkeys(found))
