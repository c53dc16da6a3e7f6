"""Signing in a terminal through a browser, like the device authorization grant of RFC 8628.

The terminal gets two codes: a secret one, with which it asks again and again, and a short one, which its person types
on a page and compares. The person allows or denies it there; then the terminal fetches its key, once. The state is in
the database, so each request may reach another server. Only hashes of both codes are stored.
"""

import hashlib
import logging
import secrets
from datetime import timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import DeviceLogin
from signoff.core.errors import Busy, Forbidden, Gone, Invalid, Refused, TooMany
from signoff.core.text.document_reader import refuse_unprintable
from signoff.engine.clock import Clock
from signoff.engine.identity.keys import Keys, NewKey
from signoff.engine.identity.rate_limit import FailedAttempts, Limit, caller_key
from signoff.store.store import Store

LIFE: Final = timedelta(minutes=10)
INTERVAL: Final = timedelta(seconds=5)
KEY_LIVES: Final = {str(days): timedelta(days=days) for days in (1, 7, 30, 90)}
_PENDING, _ALLOWED, _DENIED, _TAKEN = "pending", "allowed", "denied", "taken"
_LETTERS: Final = (
    "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so that no code is a word; no digits, which letters resemble
)
_LENGTH: Final = 8
_LONGEST: Final = 64
_LONGEST_CODE: Final = 128
_TOLERANCE: Final = timedelta(seconds=1)  # of the interval, because requests do not arrive evenly
_TRIES: Final = 5
log = logging.getLogger("signoff.access")


class StartedLogin(msgspec.Struct, frozen=True):
    """``device_code`` is secret and stored nowhere; ``user_code`` is what the person types."""

    device_code: str
    user_code: str


class DeviceLogins:
    """``limits``: the attempts that all workers of this server count together.

    Limited are: terminals that ask, for each caller; codes that are typed, for each person and each caller, right or
    wrong; and how often one terminal asks whether it was allowed.
    """

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._rows = store.sessions
        self._keys = keys
        self._clock = clock
        within = timedelta(minutes=10)
        self._starts = Limit(30, within)
        self._starts_of_all = Limit(3000, within)
        self._typed_by = Limit(20, within)
        self._typed_from = Limit(100, within)
        self._polls = Limit(1, INTERVAL - _TOLERANCE)
        self._unknown = FailedAttempts(60, 1200, within)
        self.limits = (
            self._starts,
            self._starts_of_all,
            self._typed_by,
            self._typed_from,
            self._polls,
            *self._unknown.limits,
        )

    async def start(self, host: str, client: str, address: str) -> StartedLogin:
        """A terminal asks to sign in. ``host`` and ``client``: what it says about itself. Raises Invalid for a host
        that cannot be shown, and TooMany.
        """
        if host:
            refuse_unprintable(host, "host")
        now = self._clock.now()
        self._starts.check(caller_key(address), now)
        self._starts_of_all.check("", now)
        device_code = secrets.token_urlsafe(32)
        for _ in range(_TRIES):
            user_code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
            asked = DeviceLogin(
                _digest(device_code),
                _digest(user_code),
                host.strip(),
                _plain(client),
                address[:_LONGEST],
                _PENDING,
                now,
                now + LIFE,
            )
            if await self._rows.add_device_login(asked):
                return StartedLogin(device_code, _grouped(user_code))
        raise Busy("busy", "No code is free at the moment.", retry_after=5)

    async def find(self, person: Actor, code: str, address: str) -> DeviceLogin:
        """The terminal that waits with the code that this person typed. Changes nothing. Raises Gone for a code that
        is wrong, was used or has expired, and TooMany after too many codes.
        """
        now = self._clock.now()
        self._typed_by.check(person.id, now)
        self._typed_from.check(caller_key(address), now)
        typed = "".join(letter for letter in code.upper() if letter.isalnum())
        asked = await self._rows.device_login_by_code(_digest(typed)) if len(typed) == _LENGTH else None
        if asked is None or asked.state != _PENDING or asked.expires_at <= now:
            raise _no_terminal()
        return asked

    async def allow(self, person: Actor, code: str, life: str, address: str) -> DeviceLogin:
        """Let the terminal fetch a key of this person; ``life``: one of KEY_LIVES. Raises PermissionDenied for
        a session that was opened with a key.
        """
        authorize(person, Action.ALLOW_TERMINAL, person.id)
        if life not in KEY_LIVES:
            raise Invalid("validation_error", "Choose how long the key is valid.", field="life")
        asked = await self.find(person, code, address)
        return await self._decide(person, asked, _ALLOWED, int(KEY_LIVES[life].total_seconds()))

    async def deny(self, person: Actor, code: str, address: str) -> DeviceLogin:
        """The terminal gets no key."""
        return await self._decide(person, await self.find(person, code, address), _DENIED)

    async def _decide(self, person: Actor, asked: DeviceLogin, state: str, life: int = 0) -> DeviceLogin:
        decided = replace(asked, state=state, workspace=person.workspace, person=person.id, life=life)
        if not await self._rows.decide_device_login(decided, self._clock.now()):
            raise _no_terminal()
        fields = {"actor": person.id, "did": state, "host": asked.host, "address": asked.address}
        log.info(
            "%(actor)s: sign-in of a terminal %(did)s, asked from %(address)s",
            fields,
            extra={"fields": fields},
        )
        return decided

    async def poll(self, device_code: str, address: str) -> NewKey | None:
        """The terminal's key, once; None while its person has not decided. Raises Forbidden if they denied it, Gone if
        it has expired or was fetched, TooMany if it asks too often.
        """
        now, id = self._clock.now(), _digest(device_code) if len(device_code) <= _LONGEST_CODE else ""
        asked = await self._rows.device_login(id) if id else None
        if asked is None or asked.expires_at <= now or asked.state == _TAKEN:
            raise self._unknown.counted(_expired(), address, now)
        try:
            self._polls.check(id, now)
        except TooMany as refused:
            pause = int(INTERVAL.total_seconds())
            raise TooMany("slow_down", "The terminal asks too often.", retry_after=pause) from refused
        if asked.state == _PENDING:
            return None
        person = await self._keys.person(asked.workspace, asked.person, "web")
        if asked.state == _DENIED or person is None:
            raise Forbidden(
                "login_denied", "The sign-in was denied in the browser.", hint="No key was created."
            )
        if not await self._rows.take_device_login(id, now):
            raise _expired()
        return await self._keys.create_for_terminal(person, asked)


def _plain(client: str) -> str:
    """The name and version of the program that asks, from a header."""
    name = client.partition(" ")[0][:_LONGEST]
    return name if name.isascii() and name.isprintable() else ""


def _grouped(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _no_terminal() -> Refused:
    return Gone(
        "login_code_over",
        "No terminal is waiting with this code.",
        hint="Check the code. It works once, for 10 minutes; signoff login in the terminal shows a new one.",
    )


def _expired() -> Refused:
    return Gone(
        "login_expired",
        "This sign-in has expired, or its key was fetched already.",
        hint="Start again: signoff login URL.",
    )
