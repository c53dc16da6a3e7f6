"""A rate limit for attempts: a number within a period, for each key. Kept in memory; each of several servers counts for
itself.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from signoff.core.errors import Refused, TooMany

_MOST_KEYS: Final = 20_000


def caller_key(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 address, which is one customer's."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class Limit:
    """``most`` within ``while_``; refused attempts do not count."""

    def __init__(self, most: int, while_: timedelta) -> None:
        self._most = most
        self._while = while_
        self._taken: OrderedDict[bytes, list[datetime]] = OrderedDict()

    def check(self, key: str, now: datetime) -> None:
        """Count one attempt; raises TooMany over the limit, with the time to wait."""
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        # After a clock was set back some times lie in the future: those do not count.
        taken = [at for at in self._taken.get(name, ()) if abs(now - at) < self._while]
        if len(taken) >= self._most:
            wait = ceil((taken[0] + self._while - now).total_seconds())
            raise TooMany("too_many_attempts", "Too many attempts.", retry_after=max(1, wait))
        self._taken[name] = [*taken, now]
        self._taken.move_to_end(name)
        while len(self._taken) > _MOST_KEYS:
            self._taken.popitem(last=False)


class FailedAttempts:
    """Limits failed attempts within ``while_``, of one caller and of all callers together. A successful attempt is
    never refused because of others' failures: behind a proxy that is not in ``trusted_proxies`` all callers count as
    one.
    """

    def __init__(self, of_caller: int, of_all: int, while_: timedelta) -> None:
        self._of_caller = Limit(of_caller, while_)
        self._of_all = Limit(of_all, while_)
        self._unsaid: list[str] | None = None

    def among(self) -> None:
        """From now on other workers of this server are told of failed tries, by ``news``."""
        self._unsaid = []

    def news(self) -> list[str]:
        """The callers of tries that failed here since the last call."""
        news, self._unsaid = self._unsaid or [], []
        return news

    def failed_elsewhere(self, callers: Iterable[str], now: datetime) -> None:
        """Count tries that failed at other workers."""
        for caller in callers:
            with suppress(TooMany):
                self._count(caller, now)

    def counted(self, refusal: Refused, caller: str, now: datetime) -> Refused:
        """Count one more failure; returns the error to answer with: the refusal, or TooMany beyond the limit."""
        try:
            self._count(caller, now)
        except TooMany as too_many:
            return too_many
        if self._unsaid is not None:
            self._unsaid.append(caller)
        return refusal

    def _count(self, caller: str, now: datetime) -> None:
        self._of_caller.check(caller_key(caller), now)
        self._of_all.check("", now)
