"""Names in approver lists: an address, a person's id, ``team:NAME``, ``role:NAME``."""

import re
from typing import Annotated, Final

from signoff.core.text.describe import NAME
from signoff.core.text.document_reader import Fields
from signoff.core.text.struct_reader import reads

_MAILBOX: Final = re.compile(r"[^@\s]+@[^@\s]+")
_ROLE: Final = re.compile(r"role:[a-z][a-z0-9_\-]*")
_PERSON: Final = re.compile(r"per_[A-Za-z0-9_\-]+")
TEAM: Final = "team:"


def approver(written: str) -> str | None:
    """The canonical form of a name; None if it cannot name an approver."""
    name = written.strip().removeprefix("person:")
    if _MAILBOX.fullmatch(name):
        return name.lower()
    team = name.removeprefix(TEAM) if name.startswith(TEAM) else ""
    known = _ROLE.fullmatch(name) or _PERSON.fullmatch(name) or NAME.fullmatch(team)
    return name if known else None


def read_approvers(fields: Fields, name: str) -> tuple[str, ...]:
    """The names in a field, without duplicates. Raises Invalid for a name that cannot be an approver, and for an
    empty list, which would leave the decision to everybody with an approving role.
    """
    found = []
    for written in fields.texts(name):
        spelled = approver(written)
        if spelled is None:
            hint = "Write an e-mail address, team:NAME, or a role such as role:approver."
            raise fields.invalid(name, f"{written!r} is not an approver", hint=hint)
        found.append(spelled)
    if not found and not fields.kept:
        raise fields.invalid(name, "names nobody", hint="Name an approver, or omit the field.")
    return tuple(dict.fromkeys(found))


Approvers = Annotated[tuple[str, ...], reads(read_approvers, tuple[str, ...])]
