"""Sign-in links by e-mail: the same response for everyone, and rate-limited."""

import logging
import re
from datetime import timedelta

import httpx2
import msgspec
import pytest

from signoff.config import parse_networks
from signoff.engine.identity.rate_limit import Limit
from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.inbox.reading import Reader, Shown, everything
from tests.web.web_env import HOME, WebEnv

SENT = "If this address belongs to a person in this workspace, a sign-in link is on its way."


async def ask(web: WebEnv, address: str) -> Shown:
    page = await Reader(web).post("/login/mail", email=address)
    await mails_sent(web)
    return page


async def test_mailed_link_signs_its_reader_in_once(web: WebEnv, caplog: pytest.LogCaptureFixture) -> None:
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
        assert "No open tasks for you." in (await ann.get("/")).text
        assert (await Reader(web).post(link)).status == 410
        await ask(web, "ann@acme.example")
        late = re.findall(r"(/login/\S+)", server.mails[-1].get_body(("plain",)).get_content())[0]
        web.clock.move(timedelta(minutes=15))
        assert (await Reader(web).post(late)).status == 410


async def test_response_is_the_same_for_every_address(web: WebEnv) -> None:
    async with mailing(web) as server:
        known, unknown = "ann@acme.example", "nobody@acme.example"
        for _ in range(5):
            one, other = await ask(web, known), await ask(web, unknown)
            assert (one.status, one.text) == (other.status, other.text)
            assert one.headers.get("retry-after") == other.headers.get("retry-after")
        assert (one.status, one.headers["retry-after"]) == (429, "900")
        assert "Too many attempts" in one.text
        assert [mail["To"] for mail in server.mails] == [known] * 3
        web.clock.move(timedelta(minutes=15))
        assert (await ask(web, known)).status == 200
        assert (await ask(web, known.upper())).status == 200
        assert len(server.mails) == 5


async def test_inactive_person_gets_no_link(web: WebEnv) -> None:
    async with mailing(web) as server:
        answer = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": False}, who="oscar")
        assert answer.status == 200, answer.text
        assert SENT in (await ask(web, "ann@acme.example")).text
        assert server.mails == []


async def test_address_gets_ten_links_a_day_per_caller_and_unknown_ones_use_up_nothing(
    web: WebEnv,
) -> None:
    async with mailing(web) as server:
        statuses = []
        for _ in range(14):
            statuses.append((await ask(web, "ann@acme.example")).status)
            web.clock.move(timedelta(minutes=10))
        assert statuses == [200] * 10 + [429] * 4
        assert len(server.mails) == 10
        web.clock.move(timedelta(hours=1))
        many = [(await ask(web, f"somebody{n}@acme.example")).status for n in range(130)]
        assert many == [200] * 130
        assert (await ask(web, "otto@acme.example")).status == 200
        assert server.mails[-1]["To"] == "otto@acme.example"


async def ask_from(web: WebEnv, peer: str, address: str, **headers: str) -> int:
    """Request a link from another address, directly or through proxies."""
    transport = httpx2.ASGITransport(web.app, client=(peer, 4711))
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://signoff.test", headers=headers
    ) as http:
        page = await http.get("/login")
        token = re.findall(r'name="form_token" value="(\w+)"', page.text)[0]
        answer = await http.post("/login/mail", data={"form_token": token, "email": address})
    await mails_sent(web)
    return answer.status_code


async def test_one_client_cannot_use_up_the_limit_of_another(web: WebEnv) -> None:
    ann, proxies = "ann@acme.example", parse_networks("127.0.0.1 10.0.0.0/8")
    async with mailing(web) as server:
        assert [await ask_from(web, "192.0.2.1", ann) for _ in range(4)] == [200, 200, 200, 429]
        assert await ask_from(web, "192.0.2.2", ann) == 200
        # a header that anybody can write says nothing where no proxy is trusted
        assert await ask_from(web, "192.0.2.1", ann, **{"x-forwarded-for": "198.51.100.7"}) == 429
        web.state.settings = msgspec.structs.replace(web.state.settings, trusted_proxies=proxies)
        assert await ask_from(web, "192.0.2.1", ann, **{"x-forwarded-for": "198.51.100.7"}) == 429
        through = [
            await ask_from(web, "127.0.0.1", ann, **{"x-forwarded-for": "6.6.6.6, 192.0.2.1"})
            for _ in range(2)
        ]
        assert through == [429, 429]
        assert (
            await ask_from(
                web, "127.0.0.1", ann, forwarded='for="[2001:db8:7::1]:80";proto=https, for=10.1.2.3'
            )
            == 200
        )
        # all over one address: twelve an hour, whoever asks
        spread = [await ask_from(web, f"203.0.113.{n}", ann) for n in range(12)]
        assert spread == [200] * 7 + [429] * 5
        assert len(server.mails) == 12


@pytest.mark.parametrize(
    "where", ["/tasks/{task}", "/tasks/{task}?show=1", "/intents?status=WAITING&q=a%20b", "/me"]
)
async def test_link_returns_to_the_page_that_required_the_sign_in(web: WebEnv, where: str) -> None:
    where = where.format(task="0198c0de-0000-7000-8000-000000000002")
    async with mailing(web) as server:
        ann = Reader(web)
        form = await ann.get((await ann.get(where)).headers["location"])
        other = await ann.get("/login?next=/teams")  # a second tab, which asks for another page
        for page, to in ((form, where), (other, "/teams")):
            fields = page.form("/login/mail")["fields"]
            sent = await ann.post(
                "/login/mail", [(n, "ann@acme.example" if n == "email" else v) for n, v in fields]
            )
            assert sent.status == 200, sent.text
            await mails_sent(web)
            link = re.findall(r"(/login/\S+)", server.mails[-1].get_body(("plain",)).get_content())[0]
            looked = await ann.get(link)
            done = await ann.post(link.partition("?")[0], looked.form()["fields"])
            assert (done.status, done.headers["location"]) == (303, to)
            # the mail is opened once more: whoever is in already goes where it led
            again = await ann.get(link)
            assert (again.status, again.headers["location"]) == (303, to)


async def test_mailed_link_leads_to_no_other_site(web: WebEnv) -> None:
    async with mailing(web) as server:
        for path in ("https://evil.test/", "//evil.test", "/login/other", "/logout", "/\\evil.test"):
            web.clock.move(timedelta(hours=3))
            await Reader(web).post("/login/mail", email="ann@acme.example", next=path)
            await mails_sent(web)
            assert "next=" not in server.mails[-1].get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    "address", ["", "ann", "@", "ann@", "@acme.example", "a@b\r\nBcc: x@y.z", "x" * 300 + "@a.b"]
)
async def test_malformed_address_is_refused(web: WebEnv, address: str) -> None:
    async with mailing(web) as server:
        page = await ask(web, address)
        assert (page.status, server.mails) == (422, [])
        assert "not an e-mail address" in page.text


async def test_mail_outage_gives_no_hint_about_an_address(web: WebEnv) -> None:
    async with mailing(web) as server:
        server.refused = {"ann@acme.example": "550 no"}
        assert SENT in (await ask(web, "ann@acme.example")).text


async def test_sign_in_by_mail_is_not_offered_without_a_mail_server(web: WebEnv) -> None:
    assert "e-mail address" not in (await Reader(web).get("/login")).text
    assert (await Reader(web).post("/login/mail", email="ann@acme.example")).status == 404


async def test_rate_limit_forgets_in_time_and_is_bounded(web: WebEnv) -> None:
    limit, now = Limit(1, timedelta(minutes=1)), web.clock.now()
    for n in range(20_100):
        limit.check(str(n), now)
    assert len(limit._taken) == 20_000


async def test_temporarily_refused_mail_is_retried(web: WebEnv) -> None:
    async with mailing(web) as server:

        async def seconds(count: int) -> None:
            web.clock.move(timedelta(seconds=count))
            await web.env.carry()

        server.refused = {
            "ann@acme.example": "451 try again later",
            "otto@acme.example": "451 try again later",
        }
        await ask(web, "ann@acme.example")
        await seconds(5)
        server.refused.pop("ann@acme.example")
        await seconds(29)
        assert server.to("ann@acme.example") == []
        await seconds(1)
        [mail] = server.to("ann@acme.example")
        link = re.findall(r"(/login/\S+)", mail.get_body(("plain",)).get_content())[0]
        assert (await Reader(web).post(link)).status == 303
        await ask(web, "otto@acme.example")
        for pause in (5, 30, 120):
            [waiting] = await web.env.store.outbox.listing(HOME, 5)
            assert waiting.due_at - web.clock.now() == timedelta(seconds=pause)
            await seconds(pause)
        assert await web.env.store.outbox.counts() == {"waiting": 0, "dead": 0}


async def test_mail_is_dropped_after_its_link_has_expired(
    web: WebEnv,
) -> None:
    async with mailing(web) as server:
        server.refused = {"ann@acme.example": "451 try again later"}
        await ask(web, "ann@acme.example")
        server.refused = {}
        web.clock.move(timedelta(minutes=15))
        await web.env.carry()
        assert (server.mails, await web.env.store.outbox.counts()) == ([], {"waiting": 0, "dead": 0})
