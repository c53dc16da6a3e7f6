"""The host names under which pages may be opened, and the client address behind a proxy.

If pages were served under every name, DNS rebinding would be possible, and links could lead to another host. API,
probes and metrics use no cookies and may be reached under any name.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from signoff.core.errors import Malformed, Misdirected

Header = tuple[bytes, bytes]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,255})(?::(\d{1,5}))?")
_FORWARDED_FOR: Final = re.compile(r"(?i)(?:^|[;,\s])for\s*=\s*(\"[^\"]{0,128}\"|[^;,\s]{1,128})")
_MOST_HOPS: Final = 32


def name_of(netloc: str) -> str:
    """The host of ``host:port`` in lower case, with one name for all loopback addresses; "" if it is not a host."""
    found = _HOST.fullmatch(netloc)
    if found is None:
        return ""
    host = found[1].lower().rstrip(".")
    return "localhost" if _is_loopback(host) else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_host(headers: Sequence[Header], base_url: str, allowed: tuple[str, ...]) -> str:
    """Check the Host header of a request for a page; raises Malformed unless there is exactly one, and Misdirected
    for another host.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1:
        raise Malformed("host_required", "A request for a page must name exactly one host.")
    host = hosts[0].decode("latin-1")
    name = name_of(host)
    if not name or name not in own_names(base_url, allowed):
        raise Misdirected(
            "unknown_host",
            "This server's pages are not served under this host name.",
            hint="Open the address in base_url; other names are set by allowed_hosts (SIGNOFF_ALLOWED_HOSTS).",
        )
    return host.lower()


@lru_cache(maxsize=16)
def own_names(base_url: str, allowed: tuple[str, ...]) -> set[str]:
    """The host names under which pages may be opened."""
    return {name_of(host) for host in (urlsplit(base_url).netloc, *allowed)} - {""}


def caller_of(peer: str, headers: Sequence[Header], trusted: Sequence[Network]) -> str:
    """The client's address: the connection's, or behind trusted proxies the last one that is not a trusted proxy.

    The header is read from the right, because the client itself may have written what is farther left.
    """
    if not trusted or not _within(peer, trusted):
        return peer
    caller = peer
    for hop in reversed(_hops(headers)[-_MOST_HOPS:]):
        address = _address(hop)
        if not address:
            return caller
        caller = address
        if not _within(address, trusted):
            return caller
    return caller


def _hops(headers: Sequence[Header]) -> list[str]:
    """The addresses that proxies have added, in the order in which the request passed them. If both headers are
    present, X-Forwarded-For is used.
    """
    chain = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
    if chain:
        return chain.split(",")
    whole = b",".join(value for name, value in headers if name == b"forwarded").decode("latin-1")
    return [found.strip('"') for found in _FORWARDED_FOR.findall(whole)]


def _address(hop: str) -> str:
    """The IP address of ``1.2.3.4``, ``1.2.3.4:80``, ``[::1]:80`` or ``::1``; "" for anything else."""
    hop = hop.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return ""


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
