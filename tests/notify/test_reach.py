"""The server does not connect to its own network for addresses that callers choose, in whatever notation."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from signoff.notify.channel import NotSent
from signoff.notify.outbound.addresses import Resolver, public
from signoff.notify.outbound.post import Poster
from tests.engine.http_sink import http_sink
from tests.notify.smtp_sink import certificate

PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "2606:2800:220:1:248:1893:25c8:1946",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.0.9", "169.254.169.254", "172.31.0.1", "192.0.0.170",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:808:808::1", "2001:0:53aa:64c:0:0:0:1", "2001:db8::1",
    "100::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "3fff::1", "4000::1",
]  # fmt: skip


def test_private_addresses_are_recognized_in_every_form() -> None:
    assert [address for address in PRIVATE if public(address)] == []
    assert [address for address in PUBLIC if not public(address)] == []


# Ways to write 127.0.0.1 and its like that some resolver or parser understands.
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0", "localhost",
        "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "127.0.0.1.",
    ],
)  # fmt: skip
async def test_no_spelling_reaches_the_local_machine(host: str) -> None:
    async with http_sink() as here:
        poster = Poster(False, 60)
        port = here.url.rpartition(":")[2]
        with pytest.raises(NotSent, match=r"private network|cannot be resolved|not a URL"):
            await poster.post(f"https://{host}:{port}/", b"{}", {})
        await poster.close()
    assert (here.got, here.arrived.is_set()) == ([], False)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://x/", "//x", "", "https://",
        "https://hooks.example@127.0.0.1/", "https://user:pw@hooks.example/", "https://hooks.example:99999/",
        "https://hooks.example\\@127.0.0.1/", "https://a\r\nHost: b/", "https://[::1/",
    ],
)  # fmt: skip
async def test_url_other_than_plain_https_is_refused_without_a_lookup(url: str) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    poster = Poster(False, 60, resolve=resolve)
    with pytest.raises(NotSent) as refusal:
        await poster.post(url, b"{}", {})
    await poster.close()
    assert refusal.value.permanent
    assert "pw" not in refusal.value.reason
    assert asked == []


@pytest.mark.parametrize(
    "found", [["169.254.169.254"], ["93.184.216.34", "127.0.0.1"], ["::ffff:10.0.0.1"], []]
)
async def test_name_with_any_private_address_is_not_called(found: list[str]) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    poster = Poster(False, 60, resolve=resolve)
    with pytest.raises(NotSent) as refusal:
        await poster.post("https://hooks.example/", b"{}", {})
    await poster.close()
    assert refusal.value.permanent is bool(found)


class Rebinding:
    """A name server that returns another address each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return [self.answers.pop(0)]


async def test_name_is_resolved_once_and_that_address_is_called(tmp_path: Path) -> None:
    """Over TLS, the certificate and the request are for the name."""
    context, trusted = certificate(tmp_path, "hooks.example")
    heard: list[str | None] = []
    context.sni_callback = lambda connection, name, _: heard.append(name)
    async with http_sink(200, tls=context) as hook:
        port = int(hook.url.rpartition(":")[2])
        names = Rebinding("127.0.0.1", "127.0.0.2")
        poster = Poster(True, 60, tls=ssl.create_default_context(cafile=str(trusted)), resolve=names)
        await poster.post(f"https://hooks.example:{port}/in?x=1", b"{}", {"webhook-id": "1"})
        assert names.asked == [("hooks.example", port)]
        assert heard == ["hooks.example"]
        [posted] = hook.got
        assert (posted.path, posted.headers["host"]) == ("/in?x=1", f"hooks.example:{port}")
        await poster.close()
        # A certificate of another name is no answer, at whatever address.
        other = Poster(
            True, 60, tls=ssl.create_default_context(cafile=str(trusted)), resolve=Rebinding("127.0.0.1")
        )
        with pytest.raises(NotSent):
            await other.post(f"https://evil.example:{port}/", b"{}", {})
        await other.close()
    assert len(hook.got) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_sink() as proxy, http_sink() as hook:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        poster = Poster(True, 60)
        await poster.post(f"{hook.url}/x", b"{}", {})
        await poster.close()
    assert (len(proxy.got), len(hook.got)) == (0, 1)


async def test_unreachable_address_of_a_name_is_skipped() -> None:
    async with http_sink() as hook:

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.8", "127.0.0.1"]

        poster = Poster(True, 60, resolve=resolve)
        await poster.post(hook.url.replace("127.0.0.1", "hooks.example"), b"{}", {})
        await poster.close()
    assert len(hook.got) == 1


async def test_system_resolver_parses_numeric_addresses() -> None:
    resolver = Resolver()
    assert await resolver("0x7f000001", 443) == ["127.0.0.1"]
    with pytest.raises(socket.gaierror):
        await asyncio.wait_for(resolver("no such host", 443), 60)
    resolver.close()
