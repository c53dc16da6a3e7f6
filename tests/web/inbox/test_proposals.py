"""Pages of changes that wait for a second admin: the change, why it needs two, and the two buttons."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.inbox.reading import Reader, Shown, everything, reader
from tests.web.policy_steps import PROTECTED, STRICTER, applied, policy
from tests.web.web_env import WebEnv

FEWER = policy(approve=[{"any": ["team:sre", "role:owner"], "need": 1}], self_approval=True)


async def proposed(web: WebEnv, document: dict[str, Any], who: str = "otto") -> str:
    web.clock.move(timedelta(milliseconds=1))  # what is proposed in one millisecond has no order
    return str((await applied(web, document, who))["proposal"]["id"])


async def company(web: WebEnv) -> tuple[Reader, Reader]:
    """Two admins of a protected workspace: (Oscar, Otto)."""
    await applied(web, PROTECTED)
    return await reader(web, "oscar"), await reader(web, "otto")


def asks(page: Shown) -> set[str]:
    """The actions that a proposal's page offers."""
    return {form["action"].rpartition("/")[2] for form in page.forms if "/proposals/" in form["action"]}


async def test_proposal_is_shown_with_its_reason_and_confirmed_by_another_admin(web: WebEnv) -> None:
    oscar, otto = await company(web)
    id = await proposed(web, FEWER)
    page = await oscar.get(f"/proposals/{id}")
    assert page.heading == "Change policy guarded?"
    for said in (
        "Proposed by Otto through the API",
        "policy guarded: stage 1 needs 1 instead of 2",
        "policy guarded: the requester may decide it",
        "source.approve #1 need before: 2 → after: 1",
        "It is applied immediately, confirmed by both of you.",
    ):
        assert said in page.text, said
    assert asks(page) == {"confirm", "refuse"}
    assert asks(await otto.get(f"/proposals/{id}")) == {"refuse"}  # his own
    again = await otto.post(f"/proposals/{id}/confirm")
    assert (again.status, "You proposed this; another admin must confirm it." in again.text) == (403, True)
    done = await oscar.post(f"/proposals/{id}/confirm")
    assert (done.status, done.where) == (303, f"/proposals/{id}")
    page = await otto.get(done.where)
    assert ("Confirmed by Oscar" in page.text, asks(page)) == (True, set())
    assert "confirmed by Oscar" in (await otto.get("/changes")).text
    late = await oscar.post(f"/proposals/{id}/refuse")
    assert (late.status, "is confirmed" in late.text) == (409, True)


async def test_proposal_is_refused_or_canceled(web: WebEnv) -> None:
    oscar, otto = await company(web)
    for who, said in ((oscar, "Refused by Oscar"), (otto, "Refused by Otto")):
        id = await proposed(web, FEWER)
        assert (await who.post(f"/proposals/{id}/refuse")).status == 303
        page = await otto.get(f"/proposals/{id}")
        assert (said in page.text, asks(page)) == (True, set())
    assert (await web.get("/v1/policies/guarded/explain", "oscar"))["stages"][0]["need"] == 2


async def test_stale_or_expired_proposal_is_marked_and_cannot_be_confirmed(web: WebEnv) -> None:
    oscar, _ = await company(web)
    id = await proposed(web, FEWER)
    await applied(web, STRICTER["less time"])
    assert "The entries have changed since this was proposed." in (await oscar.get("/proposals")).text
    page = await oscar.get(f"/proposals/{id}")
    assert ("Propose it again." in page.text, asks(page)) == (True, {"refuse"})
    assert (await oscar.post(f"/proposals/{id}/confirm")).status == 409
    web.clock.move(timedelta(days=7))
    oscar = await reader(web, "oscar")
    page = await oscar.get(f"/proposals/{id}")
    assert ("No one confirmed it in time" in page.text, asks(page)) == (True, set())
    assert "expired" in (await oscar.get("/proposals")).text


async def test_person_signed_in_by_key_is_mailed_a_link_to_confirm(
    web: WebEnv,
) -> None:
    await company(web)
    path = f"/proposals/{await proposed(web, FEWER)}"
    async with mailing(web) as server:
        thief = await Reader(web, "oscar").sign_in(key=True)
        assert asks(await thief.get(path)) == {"mail", "refuse"}
        assert (await thief.post(f"{path}/confirm")).status == 403
        pressed = await thief.post(f"{path}/mail")
        sent = await thief.get(pressed.where)
        assert "A sign-in link is on its way to oscar@acme.example." in sent.text
        await mails_sent(web)
        [mail] = [mail for mail in server.mails if "sign-in link" in mail["Subject"]]
        assert mail["To"] == "oscar@acme.example"
        link = re.search(r"/login/\S+", mail.get_body(("plain",)).get_content())
        assert link is not None
        assert link[0].endswith(f"?next={quote(path, safe='')}")
        there = Reader(web)
        assert (await there.post(link[0].partition("?")[0], next=path)).where == path
        assert asks(await there.get(path)) == {"confirm", "refuse"}
        assert (await there.post(f"{path}/confirm")).status == 303
    assert (await thief.post("/proposals/none/mail")).status == 404


async def test_navigation_counts_what_waits_for_the_reader(web: WebEnv) -> None:
    oscar, otto = await company(web)
    ann = await reader(web, "ann")

    async def counted(who: Reader) -> int:
        said = (await who.get("/me")).text
        found = re.search(r"Changes (\d+) waiting for you", said)
        return int(found[1]) if found else 0

    assert [await counted(who) for who in (oscar, otto, ann)] == [0, 0, 0]
    id = await proposed(web, FEWER)
    await proposed(web, {"people": {"new@acme.example": {}}})
    await proposed(web, {"people": {"newer@acme.example": {}}}, "oscar")
    assert [await counted(who) for who in (oscar, otto, ann)] == [2, 1, 0]
    await oscar.post(f"/proposals/{id}/refuse")
    assert [await counted(who) for who in (oscar, otto, ann)] == [1, 1, 0]


async def test_only_owners_and_admins_decide_by_our_form_and_no_get_does(web: WebEnv) -> None:
    oscar, _ = await company(web)
    id = await proposed(web, FEWER)
    ann = await reader(web, "ann")
    before = await everything(web)
    assert (
        await ann.get(f"/proposals/{id}")
    ).status == 403  # what may change is for those who read the record
    page = await (await reader(web, "aud")).get(f"/proposals/{id}")
    assert (page.status, asks(page)) == (200, set())
    for act in ("confirm", "refuse"):
        path = f"/proposals/{id}/{act}"
        assert (await ann.post(path)).status == 403
        assert (await oscar.get(path)).status == 405
        assert (await oscar.post(path, form_token="x")).status == 403
        assert (await oscar.post(path, headers={"sec-fetch-site": "cross-site"})).status == 403
        assert (await Reader(web).post(path)).status == 401
    await oscar.get(f"/proposals/{id}")
    await oscar.get("/proposals")
    after = await everything(web)
    assert [after[table] for table in ("proposals", "proposal_ends", "changes", "policies", "outbox")] == [
        before[table] for table in ("proposals", "proposal_ends", "changes", "policies", "outbox")
    ]
    assert (await oscar.get("/proposals/none")).status == 404


async def test_ended_proposals_are_listed_page_by_page(web: WebEnv) -> None:
    oscar, otto = await company(web)
    ids = []
    for _ in range(23):
        ids.append(await proposed(web, FEWER))
        await otto.post(f"/proposals/{ids[-1]}/refuse")
    seen: list[str] = []
    path = "/proposals"
    while path:
        page = await oscar.get(path)
        links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
        seen += [href.rpartition("/")[2] for href in links if href.startswith("/proposals/")]
        path = next((href for href in links if href.startswith("/proposals?before=")), "")
    assert seen == ids[::-1]


async def test_page_of_an_entry_shows_its_latest_changes_and_links_to_older_ones(web: WebEnv) -> None:
    oscar = await reader(web, "oscar")
    await applied(web, {"teams": {name: {"members": ["aud@acme.example"]} for name in ("sre", "dba")}})
    people = ("ann", "otto", "emma", "rita", "oscar")
    for turn in range(24):
        members = [f"{name}@acme.example" for name in people[: turn % 4 + 1]]
        await applied(web, {"teams": {"sre": {"members": members}}})
        await applied(web, {"teams": {"dba": {"members": members}}})
    page = await oscar.get("/teams/sre")
    older = next(
        attrs["href"] for tag, attrs in page.tags if tag == "a" and "before=" in attrs.get("href", "")
    )
    rest = await oscar.get(older)
    assert page.text.count("changed by Oscar") == 20
    assert (rest.text.count("changed by Oscar"), rest.text.count("created by Oscar")) == (4, 1)
    assert "team dba" not in rest.text
    assert "Change log: team sre" in rest.text
