"""The change log: how a change is recorded, and how it is made with optimistic concurrency. It never contains
secrets: keys appear only by their ids.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Account, ApiKey, ChatPerson, DirectoryChange
from signoff.core.errors import Invalid, NotFound
from signoff.core.ids import uuid7
from signoff.core.text.masking import fingerprint
from signoff.engine.directory.snapshot import Snapshot
from signoff.notify.outbound.post import shown_url
from signoff.store.tables.change_log import ConcurrentChange

ABOUT: Final = ("person", "agent", "service", "account", "team", "policy", "workflow")
KILLED: Final = "killed"  # the status of an agent that was killed and not resumed
_TRIES: Final = 10
_SORTED: Final = msgspec.json.Encoder(order="sorted")
T = TypeVar("T")


def recorded(
    actor: Actor, now: datetime, kind: str, name: str, subject: str, before: Any, after: Any
) -> DirectoryChange:
    """An entry of the change log. ``before`` and ``after``: JSON values, None if absent; ``subject``: what the entry
    is listed under.
    """
    return DirectoryChange(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        workspace=actor.workspace,
        at=now,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        via=actor.via,
        kind=kind,
        name=name,
        subject=subject,
        before="" if before is None else _SORTED.encode(before).decode(),
        after="" if after is None else _SORTED.encode(after).decode(),
    )


async def retry_on_conflict(attempt: Callable[[], Awaitable[T]], forget: Callable[[], None]) -> T:
    """Return the result of the attempt, which is repeated on the current state after a conflict with another change.
    ``forget``: invalidates the cached state.
    """
    for _ in range(_TRIES - 1):
        try:
            return await attempt()
        except ConcurrentChange as refused:
            if refused.committed:
                raise
            forget()
    return await attempt()


def person_subject(id: str) -> str:
    return f"person:{id}"


def account_subject(id: str) -> str:
    return f"account:{id}"


def holder_subject(key: ApiKey) -> str:
    """The subject of a key's changes: its holder, so that they are listed with the holder's other changes."""
    person = key.actor_kind == ActorKind.PERSON.value
    return person_subject(key.actor_id) if person else account_subject(key.actor_id)


def subject_of(about: str, directory: Snapshot) -> str:
    """The subject in the change log of ``person:EMAIL``, ``agent:ADDRESS``, ``service:NAME``, ``team:NAME``,
    ``policy:NAME``, ``workflow:TYPE`` and ``workspace``; raises Invalid for other forms, and NotFound for a name that
    no longer exists (its id still works: ``person:per_…``, ``account:sa_…``).
    """
    kind, _, name = about.strip().partition(":")
    if kind == "workspace" and not name:
        return kind
    if kind not in ABOUT or not name:
        raise Invalid(
            "validation_error",
            f"about: {about[:64]!r} is not a subject.",
            field="about",
            hint=f"Write a kind and a name, such as policy:prod-change. Kinds: {', '.join(ABOUT)}; or workspace.",
        )
    if kind == "person" and not name.startswith("per_"):
        person = directory.by_email.get(name.lower())
        if person is None:
            raise _nothing(about)
        return person_subject(person.id)
    if kind in ("agent", "service"):
        accounts = (a for a in directory.by_address.values() if a.kind == kind)
        account = next(
            (a for a in accounts if name in (a.id, a.name, a.address)), None
        ) or directory.registered(name)
        if account is None or account.kind != kind:
            raise _nothing(about)
        return account_subject(account.id)
    return f"{kind}:{name}"


def _nothing(about: str) -> NotFound:
    return NotFound("subject_not_found", f"There is no {about[:128].replace(':', ' ', 1)}.")


# -- how each kind of entry is recorded


def shown_account(account: Account, signs_with: str = "") -> dict[str, Any]:
    """An account, as the change log shows it. ``signs_with``: which signing secret, if it changes; never the secret
    itself.
    """
    names = ("id", "name", "address", "display_name", "description", "delivery_mode", "status")
    fields = {name: getattr(account, name) for name in names}
    fields |= {"callback_url": _place(account.callback_url), "signs_with": signs_with}
    if account.killed_at is not None:
        fields["status"] = KILLED
    if account.senders is not None:
        fields["senders"] = {
            "mode": account.senders.mode,
            "patterns": [entry.pattern for entry in account.senders.entries],
        }
    if account.limits is not None:
        fields["limits"] = msgspec.to_builtins(account.limits)
    return {name: value for name, value in fields.items() if value}


def shown_key(key: ApiKey) -> dict[str, Any]:
    until = key.expires_at.isoformat() if key.expires_at else "it is revoked"
    fields = {"id": key.id, "kind": key.actor_kind, "holder": key.actor_id, "until": until}
    return fields | {"terminal": key.name} if key.name else fields


def shown_chat(link: ChatPerson) -> dict[str, Any]:
    return {"account": link.account, "team": link.team, "person": link.person}


def _place(url: str) -> str:
    """A URL, as the change log shows it. The part after the host may contain a password, so only its fingerprint is
    shown.
    """
    shown = shown_url(url) if url else ""
    return f"{shown} ({fingerprint(url)})" if shown and shown != url.rstrip("/") else shown
