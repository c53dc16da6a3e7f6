"""Everything else by Apprise: a service of the list on loopback, and what is not on it."""

import json
from pathlib import Path

import pytest

from signoff.core import commands as c
from signoff.core.errors import Invalid
from signoff.engine.clock import FixedClock
from signoff.notify.apprise import Apprise, parse_urls
from signoff.store.store import Store
from tests.builders import ANN
from tests.engine.sink import sink
from tests.notify.post import certificate
from tests.notify.town import BASE, asked, town

# A plugin that is loaded beside imports what Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


async def test_a_service_hears_of_the_question_and_of_its_end(store: Store, clock: FixedClock) -> None:
    async with sink() as service:
        urls = parse_urls(service.url.replace("http://", "ntfy://") + "/decisions", True)
        async with town(store, clock, {}, apprise=Apprise(urls, True)) as it:
            intent = await it.submit(asked())
            await it.carry()
            await it.do(intent.id, c.Answer("approved"), ANN)
            await it.carry()
    said = [json.loads(posted.body) for posted in service.got]
    assert [one["title"] for one in said] == [
        "Decision needed: Run the migration on prod?",
        "Approved: Run the migration on prod?",
    ]
    assert "By ann@acme.example, through" in said[1]["message"]
    assert f"{BASE}/tasks/{intent.id[:-4]}0001" in said[0]["message"]


async def test_a_failing_service_is_tried_again_and_a_private_one_never(
    store: Store, clock: FixedClock
) -> None:
    async with sink(500) as service:
        url = service.url.replace("http://", "ntfy://") + "/decisions"
        async with town(store, clock, {}, apprise=Apprise((url,), True)) as it:
            await it.submit(asked())
            await it.carry()
            assert await store.outbox.counts() == {"waiting": 1, "dead": 0}
        tried = len(service.got)
        async with town(store, clock, {}, apprise=Apprise((url,), False)) as it:
            await it.submit(asked())
            await it.carry()
            assert await store.outbox.counts() == {"waiting": 1, "dead": 1}
        assert len(service.got) == tried


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1/s3cret", "syslog://", "file:///etc/s3cret", "dbus://", "s3cret", "macosx://"]
)
def test_what_is_not_on_the_list_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_urls(f"ntfys://ntfy.example/topic {url}")
    assert "127.0.0.1" not in str(refusal.value)
    assert "/s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "ntfy://ntfy.example/s3cret",
        "ntfy://ntfy.example?to=s3cret",
        "gotify://gotify.example/s3cret",
        "matrix://bot:s3cret@chat.example/#room",
        "ntfys://ntfy.example/s3cret?verify=no",
        "workflows://flow.example/s3cret/s?Verify=no",
    ],
)
def test_a_host_that_need_not_prove_itself_is_called_in_development_only(url: str) -> None:
    """A name may lead elsewhere after it was checked; only whoever has its certificate is then told anything."""
    with pytest.raises(Invalid) as refusal:
        parse_urls(url)
    assert refusal.value.field == "apprise_urls"
    assert "s3cret" not in str(refusal.value)
    assert parse_urls(url, True) == (url,)
    for fine in ("ntfy://topic", "ntfys://ntfy.example/topic", "tgram://123:abc/42"):
        assert parse_urls(fine) == (fine,)


async def test_whoever_cannot_prove_the_name_is_told_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    """What a name leads to after our check: here a machine of ours, with a certificate that nobody vouches for."""
    context, _ = certificate(tmp_path, "ntfy.example")
    async with sink(tls=context) as inside:
        url = inside.url.replace("https://", "ntfys://") + "/decisions"
        async with town(store, clock, {}, apprise=Apprise((url,), True)) as it:
            await it.submit(asked())
            await it.carry()
            assert await store.outbox.counts() == {"waiting": 1, "dead": 0}
    assert inside.got == []
