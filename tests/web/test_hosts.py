"""Accepted host names of pages, and client addresses behind proxies."""

from collections.abc import Sequence

import httpx2
import msgspec
import pytest

from signoff.config import parse_hosts, parse_networks
from signoff.web.hosts import caller_of, name_of
from tests.web.web_env import WebEnv


async def page(
    web: WebEnv, path: str, headers: Sequence[tuple[str, str]], method: str = "GET"
) -> httpx2.Response:
    transport = httpx2.ASGITransport(web.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://signoff.test") as http:
        return await http.request(method, path, headers=list(headers))


def settle(web: WebEnv, base_url: str, hosts: str = "") -> None:
    web.state.settings = msgspec.structs.replace(
        web.state.settings, base_url=base_url, allowed_hosts=parse_hosts(hosts)
    )


PAGES = ("/", "/login", "/t/token", "/login/token", "/static/inbox.css", "/live", "/tasks/x")


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_served_only_under_the_host_of_the_base_url(web: WebEnv, path: str) -> None:
    settle(web, "https://signoff.example")
    for host in (
        "evil.test",
        "signoff.example.evil.test",
        "127.0.0.1:8100",
        "localhost",
        "x@signoff.example",
        "a b",
        "",
    ):
        answer = await page(web, path, [("host", host)])
        assert answer.status_code == 421, host
        assert "allowed_hosts" in answer.text
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
    for host in ("signoff.example", "SIGNOFF.example:443", "signoff.example.", "signoff.example:8443"):
        assert (await page(web, path, [("host", host)])).status_code != 421
    settle(web, "https://signoff.example", "signoff.internal 10.0.0.7")
    for host in ("signoff.internal", "10.0.0.7:8100"):
        assert (await page(web, path, [("host", host)])).status_code != 421


async def test_page_request_must_name_exactly_one_host(web: WebEnv) -> None:
    answer = await page(web, "/login", [("host", "signoff.test"), ("host", "signoff.test")])
    assert answer.status_code == 400


async def test_names_of_this_machine_are_equivalent(web: WebEnv) -> None:
    settle(web, "http://127.0.0.1:8100")
    for host in ("127.0.0.1:8100", "localhost:8100", "[::1]:8100", "127.0.0.1:9999", "gate.localhost"):
        assert (await page(web, "/login", [("host", host)])).status_code == 200
    assert (await page(web, "/login", [("host", "192.168.1.7:8100")])).status_code == 421


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/me", "/openapi.json", "/docs"])
async def test_probes_and_the_api_are_served_under_any_host(web: WebEnv, path: str) -> None:
    answer = await page(web, path, [("host", "10.1.2.3:8100"), ("x-api-key", web.keys["ann"])])
    assert answer.status_code == 200


async def test_foreign_origin_is_refused_under_any_host(web: WebEnv) -> None:
    settle(web, "https://signoff.example")
    headers = [("host", "evil.test"), ("origin", "https://evil.test")]
    assert (await page(web, "/login", headers, "POST")).status_code == 421
    same = [("host", "signoff.example"), ("origin", "https://evil.test")]
    form = [*same, ("content-type", "application/x-www-form-urlencoded")]
    assert (await page(web, "/login", form, "POST")).status_code == 403


@pytest.mark.parametrize(
    ("netloc", "name"),
    [
        ("Signoff.Example:443", "signoff.example"),
        ("127.8.9.1", "localhost"),
        ("[::1]:80", "localhost"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("a/b", ""),
        ("a@b", ""),
        ("", ""),
        ("a:b", ""),
        ("[::1", ""),
    ],
)
def test_host_name_is_normalized(netloc: str, name: str) -> None:
    assert name_of(netloc) == name


@pytest.mark.parametrize(
    ("peer", "headers", "caller"),
    [
        ("192.0.2.9", {"x-forwarded-for": "1.1.1.1"}, "192.0.2.9"),
        ("127.0.0.1", {"x-forwarded-for": "1.1.1.1"}, "1.1.1.1"),
        ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, 1.1.1.1, 10.0.0.2"}, "1.1.1.1"),
        ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, junk, 10.0.0.2"}, "10.0.0.2"),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("127.0.0.1", {"forwarded": 'for=6.6.6.6, for="[2001:db8::1]:99";by=x'}, "2001:db8::1"),
        ("127.0.0.1", {"forwarded": "for=_hidden"}, "127.0.0.1"),
        ("127.0.0.1", {"x-real-ip": "6.6.6.6"}, "127.0.0.1"),
        ("::ffff:127.0.0.1", {"x-forwarded-for": "1.1.1.1:8080"}, "1.1.1.1"),
        ("", {"x-forwarded-for": "1.1.1.1"}, ""),
        ("127.0.0.1", {}, "127.0.0.1"),
        ("127.0.0.1", {"x-forwarded-for": "1.1.1.1," * 5000 + "10.0.0.2"}, "1.1.1.1"),
    ],
)
def test_caller_address_is_read_from_the_right_through_trusted_proxies_only(
    peer: str, headers: dict[str, str], caller: str
) -> None:
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert caller_of(peer, given, parse_networks("127.0.0.1, 10.0.0.0/8")) == caller
    assert caller_of(peer, given, ()) == peer


async def test_failures_at_open_pages_are_limited_without_affecting_successes(web: WebEnv) -> None:
    statuses = [(await page(web, "/t/nothing", [])).status_code for _ in range(121)]
    assert statuses == [410] * 120 + [429]
    ann = await web.actor("ann")
    token = await web.state.sessions.login_link(ann.workspace, ann.id)
    assert (await page(web, f"/login/{token}", [])).status_code == 200
