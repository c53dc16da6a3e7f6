"""Sign-in on the pages: sessions and links are random tokens, stored as SHA-256, so they can be revoked.

Opening a link changes nothing; using it does. A session lasts for ``IDLE`` after the person's last action (reading
does not count, because a GET writes nothing), never longer than its lifetime, and ends with the key that opened it.
It has the assurance of what opened it: a key is stored in a file, so anything that can read the file can use it.
"""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Link, Session
from signoff.core.errors import Forbidden, Gone, NotFound, Unauthenticated
from signoff.core.plan.task_types import Strength
from signoff.engine.clock import Clock
from signoff.engine.directory.change_log import person_subject, recorded
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.keys import Keys, key_creators
from signoff.store.store import Store

IDLE: Final = timedelta(hours=12)
LOGIN_LINK: Final = timedelta(hours=1)
LIFETIME: Final = timedelta(days=7)
TASK_LINK: Final = timedelta(days=30)
_SHORT: Final = 16
_SAVED_EVERY: Final = timedelta(minutes=10)
_LONGEST_TOKEN: Final = 128
log = logging.getLogger("signoff.access")


class SignedIn(msgspec.Struct, frozen=True):
    """A new session; ``token`` goes into the cookie and is not stored."""

    token: str
    actor: Actor
    expires_at: datetime


class OpenSession(msgspec.Struct, frozen=True):
    """An active session. ``id``: shortened, cannot be used to sign in; ``by``: ``key`` or ``link``; ``used_at``: the
    time of the last action.
    """

    id: str
    by: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool = False


class Sessions:
    """``lifetime``: the maximum lifetime of a session, used or not."""

    def __init__(
        self,
        store: Store,
        directory: DirectoryCache,
        keys: Keys,
        clock: Clock,
        lifetime: timedelta = LIFETIME,
    ) -> None:
        self.lifetime = lifetime
        self._store = store
        self._directory = directory
        self._rows = store.sessions
        self._keys = keys
        self._clock = clock

    # -- sessions

    async def open_by_key(self, secret: str) -> SignedIn:
        """Sign in with a person's key; raises Unauthenticated, or Forbidden for the key of an agent or a service."""
        actor = await self._keys.authenticate(secret.strip(), "web")
        if actor.kind is not ActorKind.PERSON:
            raise Forbidden(
                "person_required",
                f"This is {'an agent' if actor.kind is ActorKind.AGENT else 'a service'}'s key; only people sign in.",
                hint="Use a person's key: signoff keys create --person EMAIL.",
            )
        return await self._open(actor, f"sak_{secret.strip().split('_')[2]}")

    async def open_by_link(self, token: str) -> SignedIn:
        """Use a sign-in link; raises Gone if it has been used, has expired, or never existed."""
        link = await self.link(token, "login")
        actor = await self._person(link.workspace, link.person)
        # of two requests with one link only the first uses it up, so the other signs nobody in
        if actor is None or not await self._rows.use_link(link.id, self._clock.now()):
            raise _gone()
        return await self._open(actor, "")

    async def _open(self, actor: Actor, key_id: str) -> SignedIn:
        now = self._clock.now()
        token = secrets.token_urlsafe(32)
        await self._rows.add(Session(_digest(token), actor.workspace, actor.id, key_id, now, now + IDLE))
        fields = {"actor": actor.id, "by": "key" if key_id else "link", "key": key_id}
        log.info("%(actor)s signed in with a %(by)s", fields, extra={"fields": fields})
        return SignedIn(token, actor, now + IDLE)

    async def actor(self, token: str) -> Actor:
        """The holder of this token's session; raises Unauthenticated. Writes nothing."""
        session = await self._rows.get(_digest(token)) if 0 < len(token) <= _LONGEST_TOKEN else None
        if (
            session is None
            or self._over_at(session) <= self._clock.now()
            or not await self._key_lives(session.key_id)
        ):
            raise _signed_out()
        actor = await self._person(session.workspace, session.person)
        if actor is None:
            raise _signed_out()
        return await self._by_key(actor, session.key_id) if session.key_id else actor

    async def _by_key(self, actor: Actor, key_id: str) -> Actor:
        """A session opened with a key has only the key's assurance, and its creators control the session."""
        directory, key = await self._directory.of(actor.workspace), await self._store.directory.key(key_id)
        made_by = key_creators(key) if key is not None else ()
        strength = actor.strength if directory.is_trial else Strength.LINK
        behind = tuple(dict.fromkeys((*actor.sponsors, *made_by)))
        return replace(actor, strength=strength, sponsors=behind, key=key_id)

    async def renew(self, token: str) -> None:
        """Extend the session by ``IDLE`` from now, because the person has acted."""
        session = await self._rows.get(_digest(token))
        until = self._clock.now() + IDLE
        # not after every action: each would be a write
        if session is not None and until - session.expires_at > _SAVED_EVERY:
            await self._rows.extend(session.id, until)

    async def close(self, token: str) -> None:
        person = await self._rows.end(_digest(token))
        if person:
            self._directory.sessions_changed(person)

    def _over_at(self, session: Session) -> datetime:
        return min(session.expires_at, session.created_at + self.lifetime)

    async def open_ones(self, actor: Actor, person: str, token: str = "") -> list[OpenSession]:
        """A person's sessions, newest first; only admins may see those of others. ``token``: the current session's
        token.
        """
        authorize(actor, Action.MANAGE_SESSIONS, person)
        now, own = self._clock.now(), _digest(token) if token else ""
        return [
            OpenSession(
                s.id[:_SHORT],
                "key" if s.key_id else "link",
                s.created_at,
                s.expires_at - IDLE,
                self._over_at(s),
                s.id == own,
            )
            for s in await self._rows.of_person(actor.workspace, person, now)
            if self._over_at(s) > now and await self._key_lives(s.key_id)
        ]

    async def end(self, actor: Actor, person: str, id: str) -> None:
        """End one session; raises NotFound if there is none with this id."""
        found = [one for one in await self.open_ones(actor, person) if one.id == id]
        if not found or not await self._end(actor, person, 1, begin=id):
            raise NotFound("session_not_found", "This session has ended.")

    async def end_all(self, actor: Actor, person: str, but: str = "") -> int:
        """End all sessions of a person except the one with the token ``but``, and the sign-ins of terminals that they
        have allowed and that have no key yet; returns how many sessions ended.
        """
        found = [one for one in await self.open_ones(actor, person, but) if not one.current]
        if found:
            return await self._end(actor, person, len(found), but=_digest(but) if but else "")
        await self._rows.end_logins(actor.workspace, person)
        return 0

    async def _end(self, actor: Actor, person: str, count: int, begin: str = "", but: str = "") -> int:
        """End sessions, and record in the change log who ended them."""
        email = (await self._directory.of(actor.workspace)).people[person].email
        change = recorded(
            actor, self._clock.now(), "sign-in", email, person_subject(person), {"sign_ins": count}, None
        )
        ended = await self._rows.end_of(change, person, begin, but)
        self._directory.sessions_changed(person)
        return ended

    async def _key_lives(self, key_id: str) -> bool:
        if not key_id:
            return True
        key = await self._store.directory.key(key_id)
        if key is None or key.revoked_at is not None:
            return False
        return key.expires_at is None or key.expires_at > self._clock.now()

    async def _person(self, workspace: str, person_id: str) -> Actor | None:
        return await self._keys.person(workspace, person_id, "web")

    # -- links

    async def login_link(self, workspace: str, person: str, life: timedelta = LOGIN_LINK) -> str:
        """The token of a new link that signs this person in, once."""
        return await self._make(workspace, person, "login", life=life)

    async def task_link(
        self,
        workspace: str,
        person: str,
        intent_id: str,
        visit: int,
        digest: str,
        life: timedelta = TASK_LINK,
    ) -> str:
        """The token of a new link with which this person can only answer this one task, in its current state."""
        return await self._make(workspace, person, "task", intent_id, visit, digest, life=life)

    async def _make(
        self,
        workspace: str,
        person: str,
        purpose: str,
        intent_id: str = "",
        visit: int = 0,
        digest: str = "",
        *,
        life: timedelta,
    ) -> str:
        token, link = _new_link(workspace, person, purpose, self._clock.now(), life)
        await self._rows.add_link(replace(link, intent_id=intent_id, visit=visit, digest=digest))
        return token

    async def link(self, token: str, purpose: str) -> Link:
        """Return what this token opens; raises Gone for an invalid one. Changes nothing."""
        link = await self._rows.link(_digest(token)) if 0 < len(token) <= _LONGEST_TOKEN else None
        over = link is None or link.purpose != purpose or link.used_at is not None
        if link is None or over or link.expires_at <= self._clock.now():
            raise _gone()
        return link

    async def holder(self, link: Link) -> Actor:
        """The person for whom a link was created, authenticated only by having the link."""
        actor = await self._person(link.workspace, link.person)
        if actor is None:
            raise _gone()
        return replace(actor, via="link", strength=Strength.LINK)


def new_login_link(workspace: str, person: str, now: datetime, life: timedelta) -> tuple[str, Link]:
    """A new token and its link, not yet stored. It signs this person in, once."""
    return _new_link(workspace, person, "login", now, life)


def _new_link(workspace: str, person: str, purpose: str, now: datetime, life: timedelta) -> tuple[str, Link]:
    token = secrets.token_urlsafe(32)
    return token, Link(_digest(token), workspace, person, purpose, "", 0, "", now, now + life)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _signed_out() -> Unauthenticated:
    return Unauthenticated(
        "signed_out", "You are not signed in.", hint="Sign in with your key or a sign-in link."
    )


def _gone() -> Gone:
    return Gone(
        "link_over",
        "This link no longer works.",
        hint="It was used, it expired, or its task has ended. Sign in to see your open tasks.",
    )
