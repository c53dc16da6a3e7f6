"""Rate limits for attempts: a maximum number per period, for each key. Counts are kept in memory; each server
counts separately.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from signoff.core.errors import Refused, TooMany

_MOST_KEYS: Final = 20_000


def caller_key(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 address, which belongs to one customer."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class Limit:
    """Allows at most ``most`` attempts within ``while_``; refused attempts do not count."""

    def __init__(self, most: int, while_: timedelta) -> None:
        self._most = most
        self._while = while_
        self._taken: OrderedDict[bytes, list[datetime]] = OrderedDict()
        self._unsaid: list[bytes] | None = None

    def check(self, key: str, now: datetime) -> None:
        """Count one attempt; raises TooMany over the limit, with the time to wait."""
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        taken = self._within(name, now)
        if len(taken) >= self._most:
            wait = ceil((taken[0] + self._while - now).total_seconds())
            raise TooMany("too_many_attempts", "Too many attempts.", retry_after=max(1, wait))
        self._note(name, [*taken, now])
        if self._unsaid is not None:
            self._unsaid.append(name)

    def among_workers(self) -> None:
        """Count together with the other workers of this server from now on. They receive ``take_unsent``."""
        self._unsaid = []

    def take_unsent(self) -> list[bytes]:
        """The keys of the attempts counted here since the last call, as digests."""
        counts, self._unsaid = self._unsaid or [], []
        return counts

    def count_elsewhere(self, names: Iterable[bytes], now: datetime) -> None:
        """Count attempts that other workers counted."""
        for name in names:
            self._note(name, [*self._within(name, now), now][-self._most :])

    def _within(self, name: bytes, now: datetime) -> list[datetime]:
        # After a clock was set back, some times are in the future; those do not count.
        return [at for at in self._taken.get(name, ()) if abs(now - at) < self._while]

    def _note(self, name: bytes, taken: list[datetime]) -> None:
        self._taken[name] = taken
        self._taken.move_to_end(name)
        while len(self._taken) > _MOST_KEYS:
            self._taken.popitem(last=False)


class FailedAttempts:
    """Limits failed attempts within ``while_``, of one caller and of all callers together. A successful attempt is
    never refused because of failed ones: behind a proxy that is not in ``trusted_proxies`` all callers count as one.
    """

    def __init__(self, of_caller: int, of_all: int, while_: timedelta) -> None:
        self._of_caller = Limit(of_caller, while_)
        self._of_all = Limit(of_all, while_)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that all workers of this server count together."""
        return self._of_caller, self._of_all

    def counted(self, refusal: Refused, caller: str, now: datetime) -> Refused:
        """Count a failure; returns the error to respond with: the refusal, or TooMany beyond the limit."""
        try:
            self._of_caller.check(caller_key(caller), now)
            self._of_all.check("", now)
        except TooMany as too_many:
            return too_many
        return refusal
