"""Channels by Apprise: a listed service on loopback, and services that are refused."""

import json
from pathlib import Path

import pytest

from signoff.channels import open_channels
from signoff.config import Config
from signoff.core.errors import Invalid
from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.notify.apprise import Apprise, parse_urls
from signoff.store.store import Store
from tests.builders import ANN, START
from tests.engine.http_sink import http_sink
from tests.notify.messaging_env import BASE, asked, messaging_env
from tests.notify.smtp_sink import certificate

# A plugin that is loaded beside imports what Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


async def test_service_is_notified_of_the_question_and_its_ending(store: Store, clock: FixedClock) -> None:
    async with http_sink() as service:
        urls = parse_urls(service.url.replace("http://", "ntfy://") + "/decisions")
        async with messaging_env(store, clock, {"apprise": Apprise(urls)}) as env:
            intent = await env.submit(asked())
            await env.carry()
            await env.do(intent.id, c.Answer("approved"), ANN)
            await env.carry()
    said = [json.loads(posted.body) for posted in service.got]
    assert [one["title"] for one in said] == [
        "Decision needed: Run the migration on prod?",
        "Approved: Run the migration on prod?",
    ]
    assert "By ann@acme.example, through" in said[1]["message"]
    assert f"{BASE}/tasks/{intent.id[:-4]}0001" in said[0]["message"]


async def test_failing_service_in_a_private_network_is_retried(store: Store, clock: FixedClock) -> None:
    async with http_sink(500) as service:
        url = service.url.replace("http://", "ntfy://") + "/decisions"
        async with messaging_env(store, clock, {"apprise": Apprise((url,))}) as env:
            await env.submit(asked())
            await env.carry()
            assert await store.outbox.counts() == {"waiting": 1, "dead": 0}
        assert service.got


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1/s3cret", "syslog://", "file:///etc/s3cret", "dbus://", "s3cret", "macosx://"]
)
def test_address_outside_the_allowlist_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_urls(f"ntfys://ntfy.example/topic {url}")
    assert "127.0.0.1" not in str(refusal.value)
    assert "/s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "ntfy://ntfy.example/s3cret",
        "ntfy://ntfy.example?to=s3cret",
        "gotify://10.0.0.7:8080/s3cret",
        "matrix://bot:s3cret@chat.example/#room",
        "ntfys://ntfy.example/s3cret?verify=no",
        "workflows://flow.example/s3cret/s?Verify=no",
    ],
)
def test_operators_own_addresses_need_no_private_callbacks_setting(url: str) -> None:
    """``allow_private_callbacks`` restricts what callers register; the operator may configure any host."""
    assert parse_urls(url) == (url,)
    opened = open_channels(Config(channel_settings={"apprise_urls": url}), FixedClock(START)).opened
    assert isinstance(opened["apprise"], Apprise)


async def test_host_with_an_untrusted_certificate_receives_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    """The name leads to a local machine after our check, with a certificate that no authority signed."""
    context, _ = certificate(tmp_path, "ntfy.example")
    async with http_sink(tls=context) as inside:
        url = inside.url.replace("https://", "ntfys://") + "/decisions"
        async with messaging_env(store, clock, {"apprise": Apprise((url,))}) as env:
            await env.submit(asked())
            await env.carry()
            assert await store.outbox.counts() == {"waiting": 1, "dead": 0}
    assert inside.got == []


def test_entry_that_is_no_url_is_refused_without_quoting_it() -> None:
    """The entry may be a token."""
    with pytest.raises(Invalid) as refused:
        parse_urls("hunter2-token")
    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"
