"""What each role and kind of key may read about people, rules, keys and changes."""

from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import TYPE, WebEnv

READERS = ("oscar", "adam", "aud")  # owner, admin, auditor
PEOPLE = ("ann", "rita")  # approver, member
PROGRAMS = ("agent", "ci")
EVERYBODY = (*READERS, *PEOPLE, *PROGRAMS)
# What refuses whom, and with which code; everybody else is answered.
TABLE: dict[str, dict[str, str]] = {
    "/v1/changes": {"ann": "auditor_required", "rita": "auditor_required"},
    "/v1/changes?about=person:ann@acme.example": {"ann": "auditor_required", "rita": "auditor_required"},
    "/v1/proposals": {"ann": "auditor_required", "rita": "auditor_required"},
    "/v1/people": {},
    "/v1/teams": {},
    "/v1/policies": {},
}


@pytest.mark.parametrize("path", TABLE)
async def test_people_policies_and_changes_are_readable_by_role(web: WebEnv, path: str) -> None:
    await web.join("adam", "admin")
    for who in EVERYBODY:
        answer = await web.get(path, who)
        expected = "person_required" if who in PROGRAMS else TABLE[path].get(who, "")
        assert answer.code == expected, who


async def _furnish(web: WebEnv) -> None:
    await web.join("adam", "admin")
    away = {"from": "2026-01-01", "until": "2027-01-01", "delegate": "otto@acme.example"}
    own: dict[str, Any] = {"zone": "Europe/Berlin", "absences": [away]}
    for who, said in (("ann", own), ("oscar", {"preferences": {"channels": ["slack"]}})):
        answer = await web.call("PATCH", "/v1/people/ann@acme.example", said, who)
        assert answer.status == 200, answer.text


async def test_personal_settings_are_visible_to_their_person_only(web: WebEnv) -> None:
    await _furnish(web)
    own = {"addresses", "zone", "absences", "preferences"}
    for who in (*READERS, *PEOPLE):
        found = {one["email"]: one for one in (await web.get("/v1/people", who))["people"]}
        ann = found["ann@acme.example"]
        assert ann["away"] is True
        assert own & set(ann) == (own if who in (*READERS, "ann") else set()), who
        assert ("slack" in str(found)) == (who in (*READERS, "ann")), who


async def test_pages_show_no_more_than_the_api(web: WebEnv) -> None:
    await _furnish(web)
    await web.call("PUT", "/v1/teams/sre", {"members": ["ann@acme.example"]}, "oscar")
    for who, all_of_it in (("aud", True), ("rita", False)):
        browser = await reader(web, who)
        for path in ("/people", "/people/per_ann"):
            page = (await browser.get(path)).text
            assert "away" in page.lower() or "absences" in page.lower()
            assert ("delegate: Otto" in page or "Otto answers instead" in page) == all_of_it, (who, path)
            assert ("Europe/Berlin" in page) == all_of_it, (who, path)
        assert (await browser.get("/changes")).status == (200 if all_of_it else 403)
        assert (await browser.get("/proposals")).status == (200 if all_of_it else 403)
        assert ("Agents Changes" in (await browser.get("/")).text) == all_of_it
        assert ("Change log" in (await browser.get("/teams/sre")).text) == all_of_it


async def test_keys_are_listed_for_their_holders(web: WebEnv) -> None:
    every = {key["key_id"] for key in (await web.get("/v1/keys", "oscar"))["keys"]}
    assert {key["key_id"] for key in (await web.get("/v1/keys", "aud"))["keys"]} == every
    for who, holder in (("ann", "per_ann"), ("rita", "per_rita")):
        assert {key["holder_id"] for key in (await web.get("/v1/keys", who))["keys"]} == {holder}
    made = await web.post("/v1/service-accounts", {"name": "helper"}, "ci")
    await web.post(f"/v1/service-accounts/{made['service_account']['id']}/keys", {}, "ci")
    names = {key["holder_name"] for key in (await web.get("/v1/keys", "ci"))["keys"]}
    assert names == {"ci", "helper"}
    assert (await web.get("/v1/keys", "agent")).code == "not_allowed"


async def test_callback_url_of_an_agent_is_visible_to_its_own_side(web: WebEnv) -> None:
    web.keys["cj"] = (await web.post("/v1/keys", {"service": "cj"}, "oscar"))["api_key"]
    url = "https://agent.example/hook/path-secret"
    body = {"name": "pushed", "delivery_mode": "http", "callback_url": url}
    made = await web.post("/v1/service-accounts", body, "ci")
    path = f"/v1/service-accounts/{made['service_account']['id']}"
    for who in ("oscar", "aud", *PEOPLE, *PROGRAMS, "cj"):
        for there in (path, "/v1/service-accounts", "/v1/agents", "/v1/agents/pushed"):
            assert (url in (await web.get(there, who)).text) == (who in ("oscar", "aud", "ci")), (who, there)
    again = await web.post("/v1/service-accounts", body, "cj")
    assert (again.status, url in again.text) == (409, False)


async def test_program_sees_the_steps_of_a_workflow_without_its_approvers(web: WebEnv) -> None:
    await web.apply_workflow()
    for path in ("/v1/workflows", f"/v1/workflows/{TYPE}"):
        for who in EVERYBODY[2:]:
            text = (await web.get(path, who)).text
            assert '"kind":"human"' in text
            assert ("ann@acme.example" in text) == (who not in PROGRAMS), (who, path)


@pytest.mark.parametrize("who", [*PEOPLE, "aud", *PROGRAMS])
async def test_person_who_may_not_add_people_cannot_learn_who_exists(web: WebEnv, who: str) -> None:
    seen: list[Any] = []
    for email in ("otto@acme.example", "nobody@acme.example"):
        added = await web.post("/v1/people", {"email": email, "roles": ["member"]}, who)
        changed = await web.call("PATCH", f"/v1/people/{email}", {"name": "X"}, who)
        seen.append((added.code, changed.code if who in PROGRAMS else ""))
    assert seen[0] == seen[1]
    assert seen[0][0] == "admin_required"


async def test_ending_a_session_records_who_ended_it(web: WebEnv) -> None:
    await reader(web, "ann")
    await reader(web, "ann")
    [first, _] = (await web.get("/v1/people/per_ann/sessions", "oscar"))["sessions"]
    await web.post(f"/v1/people/per_ann/sessions/{first['session_id']}/end", None, "ann")
    assert (await web.post("/v1/people/per_ann/sessions/end", None, "oscar"))["ended"] == 1
    assert (await web.post("/v1/people/per_ann/sessions/end", None, "oscar"))["ended"] == 0
    found = (await web.get("/v1/changes?about=person:ann@acme.example", "aud"))["changes"]
    ends = [(one["actor"]["id"], one["kind"], one["name"]) for one in found if one["kind"] == "sign-in"]
    assert ends == [("per_oscar", "sign-in", "ann@acme.example"), ("per_ann", "sign-in", "ann@acme.example")]


async def test_pages_and_search_mask_a_secret_in_a_title_until_it_is_opened(web: WebEnv) -> None:
    title, told = "Use postgres://ann:hunter22secret@db/x?", "password=open-sesame-77"
    _, task_id = await web.ask(title=title, description=told, assignees=["ann@acme.example"])
    ann = await reader(web, "ann")
    note = {"comment": "the token=comment-secret-5 works"}
    assert (await web.post(f"/v1/tasks/{task_id}/comment", note, "ann")).status == 200
    for path in ("/", f"/tasks/{task_id}", f"/intents/{task_id[:-4]}0000", "/intents"):
        page = await ann.get(path)
        assert page.status == 200
        assert "hunter22secret" not in page.text, path
        assert "open-sesame-77" not in page.text, path
        assert "comment-secret-5" not in page.text, path
    assert "hunter22secret" in (await ann.get(f"/tasks/{task_id}?open=1")).text
    for words in ("hunter22", "open-sesame"):
        assert (await web.get(f"/v1/tasks?q={words}", "ann"))["tasks"] == []
    assert len((await web.get("/v1/tasks?q=postgres", "ann"))["tasks"]) == 1


async def test_pages_mask_secrets_in_failures_reasons_and_descriptions(web: WebEnv) -> None:
    described = {
        "name": "pushed",
        "description": "login postgres://u:told-secret-1@h/x",
        "display_name": "token=name-2",
    }
    assert (await web.post("/v1/service-accounts", described, "oscar")).status == 200
    failed = await web.send(to_agent="validator", intent_type="a.failing.one.v1")
    [given] = (await web.post("/v1/agents/validator/deliveries/claim", {}, "agent"))["deliveries"]
    error = {"code": "boom", "message": "no way to postgres://u:fault-secret-3@h/x", "retryable": False}
    report = {"token": given["token"], "error": error}
    assert (await web.post(f"/v1/deliveries/{given['delivery_id']}/report", report, "agent")).status == 200
    _, task_id = await web.ask(assignees=["ann@acme.example"])
    assert (
        await web.post(f"/v1/tasks/{task_id}/withdraw", {"comment": "it had password=reason-secret-4"})
    ).status == 200
    browser = await reader(web, "oscar")
    for path in ("/agents", "/changes", f"/intents/{failed}", f"/tasks/{task_id}"):
        page = await browser.get(path)
        assert page.status == 200, path
        assert "characters, fingerprint" in page.text, path
        for secret in ("told-secret-1", "name-2", "fault-secret-3", "reason-secret-4"):
            assert secret not in page.text, (path, secret)
