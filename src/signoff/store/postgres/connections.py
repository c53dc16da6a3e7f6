"""PostgreSQL connections: parses the URL, keeps a small pool, and translates driver errors.

A broken connection is dropped and the next call opens a new one, so the server survives a restart of the database.
"""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlunsplit

import asyncpg

from signoff.core.errors import Busy, Conflict, Invalid
from signoff.core.text.urls import read_url
from signoff.store.database import ConnectionLost

# libpq options that asyncpg would send to the server as settings, which the server then refuses.
_LIBPQ_ONLY: Final = frozenset(
    re.findall(
        r"\w+",
        """
        channel_binding client_encoding connect_timeout fallback_application_name gssdelegation gssencmode
        keepalives keepalives_count keepalives_idle keepalives_interval load_balance_hosts replication
        require_auth requirepeer requiressl sslcertmode sslcompression sslcrldir sslkeylogfile sslsni
        tcp_user_timeout
        """,
    )
)
# A server that hangs in the middle of a transaction, such as a paused machine, soon loses its row locks: by the first
# setting if PostgreSQL waits for its next statement, by the second if PostgreSQL waits until it reads a result.
LIMITS: Final = {
    "idle_in_transaction_session_timeout": "3000",
    "tcp_user_timeout": "10000",
    "lock_timeout": "1000",
}
_SETTINGS: Final = {
    "application_name": "signoff",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    **LIMITS,
    # All statements use an index, so that a query plan made while a table was empty stays good.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
_CONNECT_SECONDS: Final = 5.0
_COMMAND_SECONDS: Final = 30.0

_LOST: Final = ("08", "57P")
_NOT_NOW: Final = ("25", "28", "3D", "53", "55", "57", "58")
_DAMAGED: Final = "XX"
# Waiting does not fix these: an untrusted certificate, a forbidden socket, an incomplete address.
_ANSWERS: Final = (ssl.SSLError, PermissionError, asyncpg.InterfaceError)
_DISK_FULL: Final = "53100"
_LOCKED: Final = "55P03"


class RetryTransaction(Busy):
    """A serialization conflict with another transaction; a retry may succeed."""


class Address:
    """A PostgreSQL URL as asyncpg accepts it. ``pooled``: whether it contained ``?pgbouncer=true``."""

    def __init__(self, url: str) -> None:
        parts = read_url(
            url, "database", ("postgresql", "postgres"), "Write postgresql://user:password@host/name."
        )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.pooled = query.pop("pgbouncer", "") == "true"
        self.timeout = float(query.get("connect_timeout") or _CONNECT_SECONDS) or _CONNECT_SECONDS
        name = query.pop("application_name", query.get("fallback_application_name", ""))
        kept = {key: value for key, value in query.items() if key not in _LIBPQ_ONLY}
        self.dsn = urlunsplit(parts._replace(scheme="postgresql", query=urlencode(kept)))
        # A pooler may use a different session for each transaction, and refuses settings that it does not know.
        settings = {"application_name": _SETTINGS["application_name"]} if self.pooled else dict(_SETTINGS)
        self.settings = settings | ({"application_name": name} if name else {})

    async def connect(self) -> Any:
        """Open a connection; raises ConnectionLost if the server does not respond yet, or another Busy for an error."""
        try:
            with translated():
                return await asyncpg.connect(
                    self.dsn,
                    timeout=self.timeout,
                    command_timeout=_COMMAND_SECONDS,
                    server_settings=self.settings,
                    statement_cache_size=0 if self.pooled else 512,
                    max_cached_statement_lifetime=0,
                    max_cacheable_statement_size=0,
                )
        except ConnectionLost as lost:
            if isinstance(lost.__cause__, _ANSWERS):
                raise Busy(lost.code, lost.message) from lost.__cause__
            raise


class Connections:
    """A pool of at most ``size`` connections; the most recently used one is reused first."""

    def __init__(self, address: Address, size: int) -> None:
        self.address = address
        self._size = size
        self._room = asyncio.Semaphore(size)
        self._idle: list[Any] = []
        self._open: set[Any] = set()
        self._closed = False
        self._learn: Callable[[Any], Awaitable[Any]] | None = None
        self._refilling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Any]:
        """A connection for one call; PostgreSQL errors are translated into Refused."""
        async with self._room:
            db = await self._take()
            try:
                with translated():
                    yield db
            except asyncio.CancelledError:
                db.terminate()
                raise
            finally:
                self._give_back(db)

    async def close(self) -> None:
        self._closed = True
        if self._refilling is not None:
            self._refilling.cancel()
            await asyncio.wait([self._refilling])
        idle, self._idle = self._idle, []
        for db in idle:
            await close(db)

    async def _take(self) -> Any:
        if self._closed:
            raise Busy("database_unavailable", "The database is closed.")
        while self._idle:
            db = self._idle.pop()
            if not db.is_closed():
                return db
            self._drop(db)
        try:
            return await self._connect()
        finally:
            self._refill_later()

    async def _connect(self) -> Any:
        db = await self.address.connect()
        self._open.add(db)
        return db

    async def fill(self, prepare: Callable[[Any], Awaitable[Any]]) -> None:
        """Open the maximum number of connections, one after another, and prepare each of them, including idle ones.
        From then on, lost connections are replaced in the background. Raises Busy if a connection cannot be
        opened now.
        """
        self._learn = prepare
        for db in tuple(self._idle):
            async with self._room:
                if db in self._idle:
                    self._idle.remove(db)
                    await self._prepare(db, prepare)
        await self._open_missing(prepare)

    async def _open_missing(self, prepare: Callable[[Any], Awaitable[Any]]) -> None:
        while len(self._open) < self._size and not self._closed:
            async with self._room:
                if len(self._open) < self._size:  # other tasks may have connected in the meantime
                    await self._prepare(await self._connect(), prepare)

    def _refill_later(self) -> None:
        """Replace lost connections before a request needs them. If that fails, the next request that connects tries
        again.
        """
        if self._learn is None or self._closed or (self._refilling and not self._refilling.done()):
            return
        self._refilling = asyncio.create_task(self._refill(self._learn), name="signoff-connections")

    async def _refill(self, prepare: Callable[[Any], Awaitable[Any]]) -> None:
        with suppress(Busy):
            await self._open_missing(prepare)

    def _drop(self, db: Any) -> None:
        self._open.discard(db)
        self._refill_later()

    async def _prepare(self, db: Any, prepare: Callable[[Any], Awaitable[Any]]) -> None:
        try:
            with translated():
                await prepare(db)
        except asyncio.CancelledError:
            db.terminate()
            raise
        finally:
            self._give_back(db)

    def _give_back(self, db: Any) -> None:
        if db.is_closed():
            self._drop(db)
        elif self._closed or db.is_in_transaction():
            db.terminate()
            self._drop(db)
        else:
            self._idle.append(db)


async def close(db: Any) -> None:
    """Close the connection, without waiting for a server that does not respond."""
    try:
        await db.close(timeout=1)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        db.terminate()


@contextmanager
def translated() -> Iterator[None]:
    """Translate asyncpg's errors into Busy, Conflict or Invalid; programming errors are left unchanged."""
    try:
        yield
    except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
        raise RetryTransaction(
            "database_contended", f"Conflict with another transaction: {reason_of(error)}."
        ) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        if isinstance(error, asyncpg.NotNullViolationError) and error.table_name == "replies":
            raise RetryTransaction(
                "database_contended", "A request with the same key has just been answered."
            ) from error
        raise Conflict("write_conflict", f"The database refused a row: {reason_of(error)}.") from error
    except (asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError) as error:
        raise Conflict(
            "write_conflict", f"Another server created it at the same time: {reason_of(error)}."
        ) from error
    except asyncpg.CharacterNotInRepertoireError as error:
        raise Invalid(
            "invalid_text", "The text contains the character U+0000, which cannot be stored."
        ) from error
    except asyncpg.PostgresError as error:
        refusal = _refusal(error, str(error.sqlstate or ""))
        if refusal is None:
            raise
        raise refusal from error
    except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise ConnectionLost(
            "database_unavailable", f"The database is unreachable: {reason_of(error)}."
        ) from error


_WORDS: Final = {
    "28P01": "it does not accept this user's password",
    "28000": "it does not allow this user to connect",
    "3D000": "there is no such database",
    "53300": "it has no free connection",
    "57P01": "it is shutting down",
    "57P02": "it is recovering from a crash",
    "57P03": "it is starting or stopping",
    "57014": "it took too long",
    "25006": "it is read-only",
    "55P03": "a lock was not available in time",
    "42501": "this user lacks the permission",
}

_OPTIONS: Final = (
    "target_session_attrs", "ssl_min_protocol_version", "ssl_max_protocol_version", "sslmode", "sslrootcert",
    "sslcert", "sslkey", "sslcrl", "passfile", "servicefile", "service", "krbsrvname", "gsslib", "port", "host",
)  # fmt: skip


def reason_of(error: BaseException) -> str:
    """A driver error in our own words, because the driver's message may quote the address or the contents of a row."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        where = ", ".join(filter(None, (getattr(error, "constraint_name", None), state)))
        return f"{_WORDS.get(state) or type(error).__name__} ({where})"
    # the message quotes the value, which may be a secret
    if isinstance(error, asyncpg.ClientConfigurationError):
        named = next((f" {name!r}" for name in _OPTIONS if name in str(error)), "")
        return f"its address has an option{named} that cannot be used"
    if isinstance(error, OSError) and not isinstance(error, TimeoutError) and error.errno:
        return "its host name is unknown" if isinstance(error, socket.gaierror) else os.strerror(error.errno)
    return "it does not respond in time" if isinstance(error, TimeoutError) else type(error).__name__


def _refusal(error: Exception, state: str) -> Busy | None:
    if state == _LOCKED:
        return Busy("row_locked", f"Another program holds a lock: {reason_of(error)}.")
    if state == _DISK_FULL:
        return Busy("storage_full", f"The database cannot grow: {reason_of(error)}.", retry_after=10)
    if state.startswith(_LOST):
        return ConnectionLost(
            "database_unavailable", f"The database connection was lost: {reason_of(error)}."
        )
    if state.startswith(_NOT_NOW):
        return Busy("database_unavailable", f"The database cannot be used right now: {reason_of(error)}.")
    if state.startswith(_DAMAGED):
        return Busy("database_damaged", f"The database is damaged: {reason_of(error)}.", retry_after=60)
    return None


@contextmanager
def committing() -> Iterator[None]:
    """Wraps a commit: if the connection is lost during it, it is unknown whether the commit happened."""
    try:
        with translated():
            yield
    except ConnectionLost as error:
        raise Busy(
            "commit_unknown",
            f"The connection was lost during a write, which may or may not be committed. {error.message}",
        ) from error
