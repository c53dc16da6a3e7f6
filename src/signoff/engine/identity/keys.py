"""API keys: ``sgn_<kind>_<key id>_<secret><checksum>``, stored as hashes, each bound to one actor.

The checksum lets secret scanners, and the server without a query, tell a real key from a typo. The holder of a
key is cached for a few seconds; a change to the directory, such as a revocation, clears the cache immediately.
"""

import asyncio
import hashlib
import secrets
import string
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from time import monotonic
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind, system
from signoff.core.directory.authorization import REGISTRAR
from signoff.core.directory.model import Account, ApiKey, DeviceLogin, DirectoryChange
from signoff.core.errors import NotFound, Unauthenticated
from signoff.core.plan.task_types import Strength
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import holder_subject, recorded, retry_on_conflict, shown_key
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.store.store import Store

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM: Final = 6
_CACHED: Final = 10_000
_YOUNG: Final = timedelta(minutes=1)  # longer than a snapshot of the directory is valid


_Cached = tuple[float, datetime | None, Actor]  # (when it was read, when it expires, its holder)


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just created; ``secret`` is shown once and not stored."""

    key: ApiKey
    secret: str


class Keys:
    """``on_person_key``: called with each new key of a person, and the address of the terminal that it is for."""

    def __init__(self, store: Store, directory: DirectoryCache, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._cache: dict[tuple[str, str], _Cached] = {}
        self._reading: dict[tuple[str, str], asyncio.Task[_Cached]] = {}
        self._forgotten = 0
        self.on_person_key: Callable[[ApiKey, str], None] = lambda key, address: None  # tells the person

    def forget(self) -> None:
        """Clear the cache; the next use of each key queries the database."""
        self._cache.clear()
        self._reading.clear()  # a read in progress may be older than the change
        self._forgotten += 1

    @property
    def forgotten(self) -> int:
        """How often the cache was cleared because the directory has changed."""
        return self._forgotten

    async def authenticate(self, secret: str, via: str) -> Actor:
        """Return the holder of this key; raises Unauthenticated. ``via``: the channel of the request."""
        digest = _digest(secret)
        cached = self._cache.get((digest, via))
        now = monotonic()
        if cached is None or now - cached[0] > self._directory.fresh_for:
            key_id = _key_id(secret)
            if key_id is None:
                raise _unknown()
            # The first requests with a key often arrive together: only one of them reads it.
            reading = self._reading.get((digest, via))
            if reading is None:
                reading = asyncio.create_task(self._read(key_id, digest, via))
                self._reading[(digest, via)] = reading
                reading.add_done_callback(lambda task: self._was_read((digest, via), task))
            cached = await asyncio.shield(reading)
        if cached[1] is not None and cached[1] <= self._clock.now():
            raise Unauthenticated("key_expired", "This key has expired.", hint="Ask for a new one.")
        actor = cached[2]
        return await self._with_delegations(actor) if actor.kind is ActorKind.PERSON else actor

    async def _read(self, key_id: str, digest: str, via: str) -> "_Cached":
        now = monotonic()
        key = await self._store.directory.key(key_id)
        if key is None or not secrets.compare_digest(key.hash, digest):
            raise _unknown()
        if key.revoked_at is not None:
            raise Unauthenticated("key_revoked", "This key was revoked.", hint="Ask for a new one.")
        return now, key.expires_at, await self._actor(key, via)

    def _was_read(self, place: tuple[str, str], task: "asyncio.Task[_Cached]") -> None:
        # awaiting the exception marks it as retrieved
        failed = task.cancelled() or task.exception() is not None
        if self._reading.get(place) is not task:
            return  # the directory has changed in the meantime, so the key may have been revoked since it was read
        del self._reading[place]
        if not failed:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[place] = task.result()

    async def _with_delegations(self, actor: Actor) -> Actor:
        """The person, with the people whose delegate they are now. Computed for every request, so that an absence
        ends on time.
        """
        directory = await self._directory.of(actor.workspace)
        delegate_for = directory.delegate_for(actor.id, self._clock.now())
        return replace(actor, delegate_for=delegate_for) if delegate_for else actor

    async def person(self, workspace: str, person_id: str, via: str) -> Actor | None:
        """The person as an actor, if they were authenticated by means other than a key; None if there is no such
        active person.
        """
        return (await self._directory.of(workspace)).actor(person_id, self._clock.now(), via)

    async def _actor(self, key: ApiKey, via: str) -> Actor:
        snapshot = await self._directory.of(key.workspace)
        if not snapshot.knows(key.actor_id) and key.created_at > self._clock.now() - _YOUNG:
            # another server has just created both, and its notification has not arrived yet
            snapshot = await self._directory.anew(key.workspace)
        kind = ActorKind(key.actor_kind)
        if kind is ActorKind.PERSON:
            person = snapshot.people.get(key.actor_id)
            if person is None:
                raise _unknown()
            if not person.active:
                raise Unauthenticated("key_revoked", "The person of this key is no longer active.")
            actor = Actor(
                kind,
                person.id,
                key.workspace,
                names=snapshot.names_of(person),
                roles=frozenset(person.roles),
                sponsors=tuple(dict.fromkeys((person.id, *key_creators(key)))),
                strength=Strength.LINK,  # anything that can read the key's file can use it
                key=key.id,
                as_of=snapshot.workspace.last_change,
            )
        else:
            account = snapshot.accounts.get(key.actor_id)
            if account is None or account.status != "active":
                raise Unauthenticated("key_revoked", "The account of this key is not active.")
            actor = Actor(
                kind,
                account.id,
                key.workspace,
                address=account.address,
                sponsors=creators(key, account),
                key=key.id,
                as_of=snapshot.workspace.last_change,
                killed_at=account.killed_at,
            )
        return replace(actor, via=via, self_approval=snapshot.workspace.self_approval)

    async def create(
        self,
        workspace: str,
        kind: ActorKind,
        actor_id: str,
        created_by: str = "",
        life: timedelta | datetime | None = None,
        by: Actor | None = None,
    ) -> NewKey:
        """Create a key for an existing actor. ``by``: who creates it; if that is the server itself, on behalf of
        ``created_by``.
        """
        rows, secret = new_key(
            by or system(workspace),
            self._clock.now(),
            kind,
            actor_id,
            created_by,
            life,
            sponsors=by.sponsors if by else None,
        )
        return await self.save_new(*rows, secret)

    async def create_for_terminal(self, person: Actor, asked: DeviceLogin) -> NewKey:
        """Create the key for a terminal that this person has allowed to sign in."""
        life = timedelta(seconds=asked.life)
        (key, _), secret = new_key(
            person, self._clock.now(), ActorKind.PERSON, person.id, person.id, life, person.sponsors
        )
        key = replace(key, name=asked.host or "a terminal")
        shown = shown_key(key) | {"address": asked.address}
        change = recorded(person, key.created_at, "key", key.id, holder_subject(key), None, shown)
        return await self.save_new(key, change, secret, asked.address)

    async def save_new(
        self,
        key: ApiKey,
        change: DirectoryChange,
        secret: str,
        address: str = "",
        *,
        beside: Sequence[msgspec.Struct] = (),
        since: Mapping[str, int] | None = None,
    ) -> NewKey:
        """Save what ``new_key`` made, with the rows ``beside`` it, and tell the person. Raises Conflict if the
        workspace has changed ``since``. ``address``: of the terminal that it is for.
        """
        await self._store.people.save((*beside, key, change), since=since)
        if key.actor_kind == ActorKind.PERSON.value:
            self.on_person_key(key, address)
        return NewKey(key, secret)

    async def revoke(self, workspace: str, key_id: str, by: Actor | None = None) -> ApiKey:
        """Revoke a key of this workspace; revoking it again changes nothing. NotFound for any other id."""

        async def attempt() -> ApiKey:
            space = await self._store.directory.workspace(workspace)
            key = await self._store.directory.key(key_id)
            if space is None or key is None or key.workspace != workspace:
                raise NotFound("key_not_found", f"There is no key {key_id[:64]}.")
            if key.revoked_at is None:
                over = self.revoked([key], by or system(workspace))
                await self._store.people.save(over, since={workspace: space.last_change})
                key = replace(key, revoked_at=self._clock.now())
                self.forget()
                self._directory.changed(workspace)
            return key

        return await retry_on_conflict(attempt, self.forget)

    def revoked(self, keys: Iterable[ApiKey], by: Actor) -> list[ApiKey | DirectoryChange]:
        """The rows that revoke these keys, with their change log entries."""
        now = self._clock.now()
        rows: list[ApiKey | DirectoryChange] = []
        for key in keys:
            rows.append(replace(key, revoked_at=now))
            rows.append(recorded(by, now, "key", key.id, holder_subject(key), shown_key(key), None))
        return rows

    def notified(self, topic: str) -> None:
        """Called when the directory has changed: cached keys may be outdated."""
        if topic == "" or topic.startswith("directory:"):
            self.forget()


def key_creators(key: ApiKey) -> tuple[str, ...]:
    """The people who control a key's creator. They also know the key, so they control everything done with it."""
    return tuple(dict.fromkeys(filter(None, (key.created_by, *key.sponsors))))


def new_key(
    by: Actor,
    now: datetime,
    kind: ActorKind,
    actor_id: str,
    created_by: str = "",
    life: timedelta | datetime | None = None,
    sponsors: tuple[str, ...] | None = None,
) -> tuple[tuple[ApiKey, DirectoryChange], str]:
    """A key for an actor of ``by``'s workspace and its change log entry, to be saved together; and its secret.
    ``sponsors``: the people who control the key, if they are not just ``created_by``.
    """
    key_id = _random(12)
    body = f"sgn_{kind.value}_{key_id}_{_random(43)}"
    secret = body + _checksum(body)
    key = ApiKey(
        id=f"sak_{key_id}",
        workspace=by.workspace,
        actor_kind=kind.value,
        actor_id=actor_id,
        hash=_digest(secret),
        hint=f"sgn_{kind.value}_{key_id}_…{secret[-4:]}",
        created_by=created_by,
        created_at=now,
        expires_at=now + life if isinstance(life, timedelta) else life,
        revoked_at=None,
        sponsors=tuple(filter(None, (created_by,))) if sponsors is None else sponsors,
    )
    return (key, recorded(by, now, "key", key.id, holder_subject(key), None, shown_key(key))), secret


def creators(key: ApiKey, account: Account) -> tuple[str, ...]:
    """The people who can make an account act with this key: those who created the key, registered the account, set its
    callback URL, or created its signing secret; each with everyone who controls them.
    """
    behind = chain.from_iterable(people for did, people in account.behind.items() if did != REGISTRAR)
    found = (*key_creators(key), account.created_by, *behind)
    return tuple(dict.fromkeys(filter(None, found)))


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "invalid_platform_api_key",
        "Unknown API key.",
        hint="Check SIGNOFF_API_KEY and SIGNOFF_URL.",
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def _key_id(secret: str) -> str | None:
    """The row id of a well-formed key; None for text that cannot be one."""
    parts = secret.split("_")
    if len(parts) != 4 or parts[0] != "sgn" or not secret.isascii():
        return None
    body, checksum = secret[:-_CHECKSUM], secret[-_CHECKSUM:]
    return f"sak_{parts[2]}" if _checksum(body) == checksum else None
