"""Test messages: who may send them, their recipients and results, on API and page."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from signoff.engine.clock import FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.store.store import Store
from tests.engine.engine_env import EngineEnv
from tests.notify.messaging_env import email
from tests.notify.smtp_sink import SmtpSink, smtp_sink
from tests.web.inbox.reading import everything, reader
from tests.web.web_env import WebEnv

PATH = "/v1/people/ann@acme.example/test-messages"


class Mailing:
    def __init__(self, web: WebEnv, server: SmtpSink) -> None:
        self.web, self.server = web, server


@pytest.fixture
async def it(store: Store, clock: FixedClock) -> AsyncIterator[Mailing]:
    async with smtp_sink() as server:
        env = EngineEnv(store, clock, ChannelRegistry(email(server.url)))
        async with env.running():
            web = WebEnv(env)
            await web.furnish()
            await env.carry()
            server.mails.clear()  # that keys were created
            yield Mailing(web, server)
            web.state.stop()
            await web.http.aclose()


async def test_test_message_is_sent_and_recorded(it: Mailing) -> None:
    sent = await it.web.post(PATH, {"channel": "email"}, "oscar")
    assert (sent.status, sent["message"]["state"], sent["message"]["summary"]) == (
        200,
        "waiting",
        "on its way",
    )
    await it.web.env.carry()
    [mail] = it.server.mails
    assert (mail["To"], mail["Subject"]) == ("ann@acme.example", "A test message: Signoff can reach you here")
    text = mail.get_body(("plain",)).get_content()
    assert "Sent by: Oscar" in text
    assert "It does not ask for or decide anything." in text
    for who in ("oscar", "ann"):
        [found] = (await it.web.get(PATH, who))["messages"]
        assert (found["message_id"], found["state"]) == (sent["message"]["message_id"], "sent")
        assert (found["target"], found["person"], found["kind"]) == ("ann@acme.example", "per_ann", "test")
    assert [
        one["channel"] for one in (await it.web.get("/v1/people/me/test-messages", "ann"))["messages"]
    ] == ["email"]
    it.web.clock.move(timedelta(days=8))
    assert (await it.web.get(PATH, "ann"))["messages"] == []
    await it.web.post(PATH, {}, "ann")
    await it.web.env.carry()
    it.web.clock.move(timedelta(days=-8))
    found = (await it.web.get(PATH, "ann"))["messages"]
    assert len(found) == 1  # the old record is gone


@pytest.mark.parametrize(
    ("who", "body", "status", "code"),
    [
        ("otto", {}, 403, "admin_required"),
        ("agent", {}, 403, "person_required"),
        ("ci", {}, 403, "person_required"),
        ("sam", {}, 404, "person_not_found"),
        ("", {}, 401, ""),
        ("ann", {"channel": "pigeon"}, 422, "unknown_channel"),
        ("ann", {"channel": "slack"}, 422, "channel_not_set_up"),
        ("ann", {"canal": "email"}, 422, "unknown_field"),
    ],
)
async def test_refused_test_message_sends_nothing(
    it: Mailing, who: str, body: dict[str, str], status: int, code: str
) -> None:
    answer = await it.web.post(PATH, body, who)
    assert (answer.status, code or answer.code) == (status, answer.code)
    await it.web.env.carry()
    assert it.server.mails == []
    if who not in ("ann", ""):
        assert (await it.web.get(PATH, who)).status == status


async def test_test_messages_are_limited_per_person_and_caller(it: Mailing) -> None:
    for _ in range(6):
        assert (await it.web.post(PATH, {}, "oscar")).status == 200
    again = await it.web.post(PATH, {}, "ann")
    assert (again.status, again.code) == (429, "too_many_attempts")
    it.web.clock.move(timedelta(minutes=11))
    assert (await it.web.post(PATH, {}, "ann")).status == 200


async def test_one_caller_sends_at_most_thirty(it: Mailing) -> None:
    people = ("ann", "otto", "emma", "rita", "aud")
    for name in people * 6:
        sent = await it.web.post(f"/v1/people/{name}@acme.example/test-messages", {}, "oscar")
        assert sent.status == 200
    again = await it.web.post("/v1/people/me/test-messages", {}, "oscar")
    assert (again.status, again.code) == (429, "too_many_attempts")
    it.web.clock.move(timedelta(minutes=10))
    assert (await it.web.post("/v1/people/me/test-messages", {}, "oscar")).status == 200


async def test_inactive_person_gets_no_test_message(it: Mailing) -> None:
    assert (await it.web.post(PATH, {}, "oscar")).status == 200
    left = await it.web.call("PATCH", "/v1/people/ann@acme.example", {"active": False}, "oscar")
    assert left.status == 200
    refused = await it.web.post(PATH, {}, "oscar")
    assert (refused.status, refused.code) == (409, "person_inactive")
    await it.web.env.carry()
    assert it.server.mails == []
    [waiting] = (await it.web.get(PATH, "oscar"))["messages"]
    assert (waiting["state"], waiting["error"]) == ("skipped", "the person is inactive")


async def test_failure_names_its_reason_after_three_attempts(it: Mailing) -> None:
    it.server.refused["ann@acme.example"] = "450 4.2.1 try later"
    await it.web.post(PATH, {}, "ann")
    for pause in (0, 5, 30):
        it.web.clock.move(timedelta(seconds=pause))
        await it.web.env.carry()
    [found] = (await it.web.get(PATH, "ann"))["messages"]
    assert found["state"] == "failed"
    assert "try later" in found["error"]
    assert found["attempts"] == 3
    channels = (await it.web.get("/v1/channels", "oscar"))["channels"]
    assert next(one for one in channels if one["channel"] == "email")["failing"]


async def test_page_offers_the_persons_channels_and_shows_the_result(it: Mailing) -> None:
    ann = await reader(it.web, "ann")
    page = await ann.get("/me")
    assert "Send a test message by mail" in page.text
    assert "Send a test message by Slack" not in page.text
    assert (await ann.post("/people/per_ann/test-messages", channel="email")).status == 303
    await it.web.env.carry()
    assert "mail to ann@acme.example" in (await ann.get("/me")).text
    assert "accepted by the mail server" in (await ann.get("/me")).text
    assert "Test messages" not in (await ann.get("/people/per_otto")).text
    assert (await ann.post("/people/per_otto/test-messages", channel="email")).status == 403
    oscar = await reader(it.web, "oscar")
    assert (await oscar.post("/people/per_otto/test-messages", channel="email")).status == 303
    await it.web.env.carry()
    assert [mail["To"] for mail in it.server.mails] == ["ann@acme.example", "otto@acme.example"]


async def test_messages_to_an_erased_person_keep_no_address(it: Mailing) -> None:
    await it.web.post(PATH, {}, "oscar")
    await it.web.env.carry()
    await it.web.post(PATH, {}, "oscar")  # it waits
    await it.web.post("/v1/apply", {"remove": {"people": ["ann@acme.example"]}}, "oscar")
    assert (await it.web.post("/v1/people/per_ann/erase", {}, "oscar")).status == 200
    stored = await everything(it.web)
    assert "ann@acme.example" not in repr(stored)
    assert "per_ann" not in repr(stored["outbox"])
    await it.web.env.carry()
    assert len(it.server.mails) == 1
