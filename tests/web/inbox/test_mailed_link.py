"""A sign-in link by mail: for whoever asks, with one answer for everybody, and not too often."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from signoff.engine.limits import Limit
from signoff.engine.mailedlinks import MailedLinks
from signoff.notify.email import Email, parse_smtp
from tests.notify.post import Post, post
from tests.web.inbox.reading import Reader, Shown, everything
from tests.web.world import World

SENT = "If this is the address of somebody here, a sign-in link is on its way."


@asynccontextmanager
async def mailing(web: World) -> AsyncIterator[Post]:
    async with post() as server:
        mail = Email(parse_smtp(server.url))
        works = web.works
        web.parts.mailed_links = MailedLinks(
            works.store, works.directory, web.parts.sessions, works.clock, mail, lambda: "http://signoff.test"
        )
        web.parts.registry.charters.on_moved = web.parts.mailed_links.tell_moved
        try:
            yield server
        finally:
            await web.parts.mailed_links.settle()
            await mail.close()


async def ask(web: World, address: str) -> Shown:
    page = await Reader(web).post("/login/mail", email=address)
    assert web.parts.mailed_links is not None
    await web.parts.mailed_links.settle()
    return page


async def test_the_link_in_the_mail_signs_its_reader_in_once(
    web: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with mailing(web) as server:
        assert SENT in (await ask(web, "  Ann@ACME.example ")).text
        [mail] = server.mails
        assert (mail["To"], mail["Subject"]) == ("ann@acme.example", "Signoff: Your sign-in link")
        text, page = (part.get_content() for part in mail.iter_parts())
        [link] = re.findall(r"http://signoff\.test(/login/\S+)", text)
        assert page.count("href=") == page.count(link) == 1
        before = await everything(web)
        token = link.rpartition("/")[2]
        assert token not in repr(before)  # only its hash is kept
        assert not [r for r in caplog.records if r.name.startswith("signoff") and token in r.getMessage()]
        ann = Reader(web)
        for _ in range(3):  # a scanner looks, and nothing changes
            assert "Ann" in (await ann.get(link)).text
        assert await everything(web) == before
        assert (await ann.post(link)).status == 303
        assert "Nothing waits for you." in (await ann.get("/")).text
        assert (await Reader(web).post(link)).status == 410
        await ask(web, "ann@acme.example")
        late = re.findall(r"(/login/\S+)", server.mails[-1].get_body(("plain",)).get_content())[0]
        web.clock.move(timedelta(minutes=15))
        assert (await Reader(web).post(late)).status == 410


async def test_the_answer_is_the_same_for_every_address(web: World) -> None:
    async with mailing(web) as server:
        known, unknown = "ann@acme.example", "nobody@acme.example"
        for _ in range(5):
            one, other = await ask(web, known), await ask(web, unknown)
            assert (one.status, one.text) == (other.status, other.text)
            assert one.headers.get("retry-after") == other.headers.get("retry-after")
        assert (one.status, one.headers["retry-after"]) == (429, "900")
        assert "too often" in one.text
        assert [mail["To"] for mail in server.mails] == [known] * 3
        web.clock.move(timedelta(minutes=15))
        assert (await ask(web, known)).status == 200
        assert (await ask(web, known.upper())).status == 200
        assert len(server.mails) == 5


async def test_who_is_not_active_any_more_gets_none(web: World) -> None:
    async with mailing(web) as server:
        answer = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": False}, who="oscar")
        assert answer.status == 200, answer.text
        assert SENT in (await ask(web, "ann@acme.example")).text
        assert server.mails == []


async def test_one_address_gets_ten_a_day_and_one_caller_sixty_in_ten_minutes(web: World) -> None:
    async with mailing(web) as server:
        statuses = []
        for _ in range(14):
            statuses.append((await ask(web, "ann@acme.example")).status)
            web.clock.move(timedelta(minutes=10))
        assert statuses == [200] * 10 + [429] * 4
        assert len(server.mails) == 10
        web.clock.move(timedelta(hours=1))
        many = [(await ask(web, f"somebody{n}@acme.example")).status for n in range(61)]
        assert many == [200] * 60 + [429]


@pytest.mark.parametrize(
    "address", ["", "ann", "@", "ann@", "@acme.example", "a@b\r\nBcc: x@y.z", "x" * 300 + "@a.b"]
)
async def test_what_is_no_address_is_told_so(web: World, address: str) -> None:
    async with mailing(web) as server:
        page = await ask(web, address)
        assert (page.status, server.mails) == (422, [])
        assert "not an e-mail address" in page.text


async def test_a_mail_server_that_is_down_is_no_hint_either(web: World) -> None:
    async with mailing(web) as server:
        server.refused = {"ann@acme.example": "550 no"}
        assert SENT in (await ask(web, "ann@acme.example")).text


async def test_without_a_mail_server_nothing_is_offered(web: World) -> None:
    assert "e-mail address" not in (await Reader(web).get("/login")).text
    assert (await Reader(web).post("/login/mail", email="ann@acme.example")).status == 404


async def test_a_limit_forgets_in_time_and_does_not_grow(web: World) -> None:
    limit, now = Limit(1, timedelta(minutes=1)), web.clock.now()
    for n in range(20_100):
        limit.check(str(n), now)
    assert len(limit._taken) == 20_000
