"""Assurance: a key opens the pages, but a task that requires a sign-in by e-mail needs one. The card says so before
anyone tries, and links to the sign-in.
"""

import re
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.web.inbox.assurance_gate import GUARDED, gate
from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.inbox.reading import Reader, reader
from tests.web.web_env import ELSEWHERE, HOME, WebEnv


async def by_key(web: WebEnv, who: str) -> Reader:
    return await Reader(web, who).sign_in(key=True)


async def votes(web: WebEnv, task_id: str) -> list[Any]:
    return list((await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]["votes"])


async def press(page_reader: Reader, task_id: str, here: str = "", **fields: str) -> Any:
    """Submit the page's form, whether or not the page shows the button."""
    page = await page_reader.get(f"/tasks/{task_id}")
    shown = {"revision": "1", "digest": (await shown_task(page_reader.web, task_id))["digest"]}
    assert page.status == 200
    return await page_reader.post(here or f"/tasks/{task_id}", **shown, **fields)


async def shown_task(web: WebEnv, task_id: str) -> Any:
    return (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]


async def test_session_opened_by_a_key_decides_no_high_risk_task(web: WebEnv) -> None:
    task_id = await gate(web)
    thief = await by_key(web, "ann")
    page = await press(thief, task_id, outcome="approved", comment="Mine now.")
    assert page.status == 403
    assert (
        "You are signed in with a key. This decision requires a sign-in by e-mail. Nothing was recorded."
        in page.text
    )
    assert await votes(web, task_id) == []
    assert (await (await reader(web, "ann")).decide(task_id, "approved")).status == 303


async def test_session_opened_by_a_key_decides_low_and_medium_risk_tasks(web: WebEnv) -> None:
    for risk in ("low", "medium"):
        task_id = await gate(web, risk=risk)
        assert (await (await by_key(web, "ann")).decide(task_id, "approved")).status == 303


async def test_high_risk_found_by_a_check_requires_more_than_the_policy(web: WebEnv) -> None:
    task_id = await gate(web, {"risk": "critical"}, risk="low")
    assert (
        "requires a sign-in by e-mail"
        in (await press(await by_key(web, "ann"), task_id, outcome="approved")).text
    )
    assert (await web.answer(task_id)).code == "stronger_sign_in_required"
    assert (await (await reader(web, "ann")).decide(task_id, "approved")).status == 303


async def test_session_opened_by_a_key_cannot_delegate_reassign_or_revise(
    web: WebEnv,
) -> None:
    await web.join("adam", "admin")
    task_id = await gate(web)
    digest = (await shown_task(web, task_id))["digest"]
    for who, act, body in [
        ("ann", "delegate", {"to": "emma@acme.example"}),
        ("adam", "reassign", {"to": ["emma@acme.example"]}),
        ("ann", "revise", {"payload": {"target": "all"}, "digest": digest}),
    ]:
        answer = await web.post(f"/v1/tasks/{task_id}/{act}", body, who)
        assert (answer.status, answer.code) == (403, "stronger_sign_in_required"), act
    admin = await by_key(web, "adam")
    assert "Reassign to other people" not in (await admin.get(f"/tasks/{task_id}")).text
    assert (await admin.post(f"/tasks/{task_id}/reassign", [("approver", "emma@acme.example")])).status == 403
    assert "Reassign to other people" in (await (await reader(web, "adam")).get(f"/tasks/{task_id}")).text
    # what stops it needs no more than before
    assert (await web.post(f"/v1/tasks/{task_id}/comment", {"comment": "Wait."}, "ann")).status == 200
    assert (await web.post(f"/v1/tasks/{task_id}/withdraw", {}, "oscar")).status == 200


async def test_sign_in_by_mail_is_one_button_and_returns_to_the_task_with_the_typed_text(
    web: WebEnv,
) -> None:
    task_id = await gate(web)
    async with mailing(web) as server:
        ann = await by_key(web, "ann")
        page = await ann.get(f"/tasks/{task_id}")
        assert "You are signed in with a key. This decision requires a sign-in by e-mail." in page.text
        form = page.form(f"/tasks/{task_id}")
        assert form["buttons"] == ["1", "rejected"]  # no outcome is offered that would be refused
        fields = [
            (name, "Checked with Otto; <b>fine</b>." if name == "comment" else value)
            for name, value in form["fields"]
        ]
        asked = await ann.post(f"/tasks/{task_id}", [*fields, ("mail", "1")])
        assert asked.status == 200
        assert "A sign-in link is on its way to ann@acme.example." in asked.text
        assert "Checked with Otto; <b>fine</b>." in dict(asked.form(f"/tasks/{task_id}")["fields"])["comment"]
        await mails_sent(web)
        [mail] = server.mails
        assert mail["To"] == "ann@acme.example"
        [link] = re.findall(r"http://signoff\.test(/login/\S+)", mail.get_body(("plain",)).get_content())
        assert await votes(web, task_id) == []
        button = await ann.get(link)  # whoever is signed in already may use it too
        entered = await ann.post(link.partition("?")[0], button.form()["fields"])
        assert entered.where == f"/tasks/{task_id}"
        back = await ann.get(entered.where)
        comment = dict(back.form(f"/tasks/{task_id}")["fields"])["comment"]
        assert comment == "Checked with Otto; <b>fine</b>."
        assert (await ann.press(back, f"/tasks/{task_id}", "approved")).status == 303
        assert (await votes(web, task_id))[0]["comment"] == comment
        other = await gate(web)
        assert dict((await ann.get(f"/tasks/{other}")).form(f"/tasks/{other}")["fields"])["comment"] == ""
        assert "signoff_draft" not in ann.http.cookies


async def test_kept_text_belongs_to_one_task_and_oversized_text_is_reported_as_lost(web: WebEnv) -> None:
    one, other = await gate(web), await gate(web)
    async with mailing(web):
        ann = await by_key(web, "ann")
        assert (await press(ann, one, mail="1", comment="Only here.")).status == 200
        assert "Only here." not in (await ann.get(f"/tasks/{other}")).html
        assert "Only here." in (await ann.get(f"/tasks/{one}")).html
        long = await press(ann, one, mail="1", comment="word " * 1500)
        assert "too long to be kept: copy it first" in long.text
        ann.http.cookies.set("signoff_draft", f"{one}.per_ann.%%%%")
        assert (await ann.get(f"/tasks/{one}")).status == 200  # somebody else's cookie breaks nothing


async def test_kept_text_is_not_shown_to_another_person_in_that_browser(web: WebEnv) -> None:
    task_id = await gate(web)
    async with mailing(web):
        ann, otto = await by_key(web, "ann"), await by_key(web, "otto")
        assert (await press(ann, task_id, mail="1", comment="Ann's words.")).status == 200
        otto.http.cookies.set("signoff_draft", ann.http.cookies["signoff_draft"])
        assert "Ann's words." not in (await otto.get(f"/tasks/{task_id}")).html
        assert "Ann's words." in (await ann.get(f"/tasks/{task_id}")).html.replace("&#39;", "'")


async def test_message_link_offers_the_same_button(web: WebEnv) -> None:
    task_id = await gate(web)
    digest = (await shown_task(web, task_id))["digest"]
    async with mailing(web) as server:
        token = await web.state.sessions.task_link(HOME, "per_ann", f"{task_id[:-4]}0000", 2, digest)
        scanner = Reader(web)
        page = await scanner.get(f"/t/{token}")
        assert "You followed a link from a message. This decision requires a sign-in by e-mail." in page.text
        pressed = await scanner.post(f"/t/{token}", outcome="approved", revision="1", digest=digest)
        assert (pressed.status, await votes(web, task_id)) == (403, [])
        assert (await scanner.post(f"/t/{token}", mail="1")).status == 200
        await mails_sent(web)
        assert [mail["To"] for mail in server.mails] == ["ann@acme.example"]
        assert f"next=%2Ftasks%2F{task_id}" in server.mails[0].get_body(("plain",)).get_content()


async def test_strangers_cannot_use_up_the_limit_of_a_signed_in_person(web: WebEnv) -> None:
    task_id = await gate(web)
    async with mailing(web) as server:
        ann = await by_key(web, "ann")
        asked = [(await Reader(web).post("/login/mail", email="ann@acme.example")).status for _ in range(5)]
        assert asked == [200] * 3 + [429] * 2
        statuses = [(await press(ann, task_id, mail="1")).status for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        await mails_sent(web)
        assert len(server.mails) == 8


async def test_card_names_the_operators_command_if_no_mail_is_sent(web: WebEnv) -> None:
    task_id = await gate(web)
    page = await (await by_key(web, "ann")).get(f"/tasks/{task_id}")
    assert "signoff db signin-link ann@acme.example" in page.text
    assert page.form(f"/tasks/{task_id}")["buttons"] == ["rejected"]


@pytest.mark.parametrize("alone", [True, False])
async def test_key_session_is_enough_in_a_single_person_workspace(web: WebEnv, alone: bool) -> None:
    other = await web.state.directory.of(ELSEWHERE)
    await web.env.store.people.save([replace(other.workspace, self_approval=True)])
    web.env.directory.changed(ELSEWHERE)
    if not alone:  # also when they are not active any more: a key makes nobody alone again
        added = await web.post("/v1/people", {"email": "eve@acme.example"}, "sam")
        gone = await web.call("PATCH", f"/v1/people/{added['person']['id']}", {"active": False}, "sam")
        assert gone.status == 200
    policy = {"approve": [{"any": ["sam@acme.example"]}], "risk": "critical"}
    flow = {**GUARDED, "steps": [{"id": "ok", "human": {"policy": policy}}]}
    assert (await web.post("/v1/workflows", flow, "sam")).status == 200
    sent = await web.post("/v1/intents", {"intent_type": "intent.guarded.v1", "payload": {}}, "sam")
    task_id = f"{sent['intent_id'][:-4]}0001"
    sam = await by_key(web, "sam")
    assert ("your key is sufficient" in (await sam.get("/")).text) is alone
    page = await sam.get(f"/tasks/{task_id}")
    assert ("approved" in [value for form in page.forms for value in form["buttons"]]) is alone
    assert (
        await web.answer(task_id, who="sam")
    ).code == "stronger_sign_in_required"  # a bare key is one anyway


async def test_session_keeps_its_assurance_until_it_ends(web: WebEnv) -> None:
    task_id = await gate(web)
    ann, mailed = await by_key(web, "ann"), await reader(web, "ann")
    web.clock.move(timedelta(hours=6))
    assert (await ann.post(f"/tasks/{task_id}/mark-reviewing")).status in (303, 403)  # renews it
    assert "requires a sign-in by e-mail" in (await ann.get(f"/tasks/{task_id}")).text
    assert "requires a sign-in by e-mail" not in (await mailed.get(f"/tasks/{task_id}")).text
