"""Determines which addresses belong to the public internet, and what a name resolves to. Code that calls a caller's
URL checks it here first.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signoff.notify.outbound.daemon_threads import DaemonThreads

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Python's ``is_global`` accepts 6to4, NAT64, site-local and multicast, so IANA's ranges are listed here.
_NEVER_V4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
# Teredo and other protocols, documentation, 6to4.
_NEVER_V6: Final = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_RESOLVERS: Final = 32
LookUp = Callable[[str, int], list[str]]


def public(text: str) -> bool:
    """Whether an address belongs to the public internet. An address that embeds an IPv4 address is classified by that
    one; tunnels are always refused.
    """
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is None:
            return address in _GLOBAL_V6 and not any(address in network for network in _NEVER_V6)
        address = carried
    return not any(address in network for network in _NEVER_V4)


class Resolver:
    """The system's resolver, on separate threads, so that a slow name delays nothing else: concurrent requests for a
    name share one thread, and a name whose servers do not answer does not keep the process from ending. ``look_up``:
    blocks until the name is resolved.
    """

    def __init__(self, look_up: LookUp | None = None) -> None:
        self._look_up = look_up or _look_up
        self._threads: DaemonThreads | None = None
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if self._threads is None:
            self._threads = DaemonThreads(_RESOLVERS, "signoff-names")
        name = host, port
        asked = self._asked.get(name)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
            self._asked[name] = asked
            asked.add_done_callback(lambda done: self._answered(name, done))
        # A request that is canceled does not end the look-up, which no thread can be told to stop.
        return list(dict.fromkeys(await asyncio.shield(asked)))

    def _answered(self, name: tuple[str, int], done: "asyncio.Future[list[str]]") -> None:
        self._asked.pop(name, None)
        if not done.cancelled():
            done.exception()  # it may be that nobody waits for it any more

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None


def _look_up(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
