"""A person's keys on the page, and what waits for a person before they lose the right to decide it."""

from typing import Any

from tests.web.inbox.reading import Reader, reader
from tests.web.people_steps import decide
from tests.web.web_env import WebEnv

SRE = {"sre": {"members": ["ann@acme.example", "otto@acme.example"]}}


async def waiting(web: WebEnv, *approvers: str) -> str:
    human: dict[str, Any] = {"title": "Run it?", "approvers": list(approvers)}
    flow = {"workflow": "f", "intent_type": "f.v1", "steps": [{"id": "ok", "human": human}]}
    answer = await web.post("/v1/apply", {"teams": SRE, "workflows": [flow]}, "oscar")
    assert answer.status == 200, answer.text
    return (await web.send("rita", intent_type="f.v1"))[:-4] + "0001"


def secret_of(html: str) -> str:
    return html.partition('secret">')[2].partition("<")[0]


async def test_person_signed_in_by_mail_creates_their_own_key(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    made = await ann.post("/me/keys", life="30")
    web.keys["ann"] = secret_of(made.html)
    assert web.keys["ann"].startswith("sgn_person_")
    assert web.keys["ann"] not in (await ann.get("/me")).html
    # it is nobody else's: it decides what the one asked who once made her another
    await web.join("dave", "admin")
    web.keys["ann by dave"] = (await web.post("/v1/keys", {"person": "ann@acme.example"}, "dave"))["api_key"]
    await waiting(web, "ann@acme.example")
    task_id = (await web.send("dave", intent_type="f.v1"))[:-4] + "0001"
    assert (await decide(web, task_id, "ann by dave")).code == "self_approval"
    assert (await decide(web, task_id, "ann")).status == 200
    page = await ann.get("/me")
    assert "by Dave" in page.text
    [own] = [
        k for k in (await web.get("/v1/keys", "oscar"))["keys"] if k["key_hint"][-4:] == web.keys["ann"][-4:]
    ]
    assert (await ann.post(f"/me/keys/{own['key_id']}/revoke")).status == 303
    assert (await web.get("/v1/tasks", "ann")).status == 401
    [others] = [k for k in (await web.get("/v1/keys", "oscar"))["keys"] if k["holder_id"] == "per_otto"]
    assert (await ann.post(f"/me/keys/{others['key_id']}/revoke")).status == 404


async def test_session_opened_by_a_key_cannot_create_a_key(web: WebEnv) -> None:
    ann = await Reader(web, "ann").sign_in(key=True)
    assert "Sign in by e-mail to create your own key" in (await ann.get("/me")).text
    assert (await ann.post("/me/keys", life="30")).status == 403
    assert (await web.post("/v1/keys", {"person": "ann@acme.example"}, "ann")).status == 403
    mailed = await reader(web, "ann")
    assert (await mailed.post("/me/keys", life="4")).status == 422


async def test_open_tasks_are_shown_before_a_person_is_deactivated(web: WebEnv) -> None:
    task_id = await waiting(web, "ann@acme.example")
    oscar = await reader(web, "oscar")
    asked = await oscar.post("/people/per_ann/details", name="Ann", role="approver")
    assert (asked.status, asked.heading) == (200, "Open tasks of Ann")
    assert "Run it?" in asked.text
    assert "no other approver" in asked.text
    assert f"/tasks/{task_id}" in asked.html
    assert (await web.get("/v1/tasks", "ann")).status == 200
    done = await oscar.post("/people/per_ann/details", asked.form("/people/per_ann/details")["fields"])
    assert done.status == 303
    assert (await web.get("/v1/tasks", "ann")).status == 401
    # nothing waits: nothing is asked; nor where nothing is taken away
    assert (await oscar.post("/people/per_emma/details", name="Emma", role="approver")).status == 303
    assert (
        await oscar.post("/people/per_otto/details", name="Otto", role="approver", active="1")
    ).status == 303


async def test_open_tasks_are_shown_before_a_role_is_removed_or_an_absence_starts(web: WebEnv) -> None:
    await waiting(web, "role:approver")
    oscar, ann = await reader(web, "oscar"), await reader(web, "ann")
    asked = await oscar.post("/people/per_ann/details", name="Ann", role="member", active="1")
    assert (asked.status, "Run it?" in asked.text, "no other approver" in asked.text) == (200, True, False)
    dates = {"from": "2026-03-05", "until": "2026-03-09", "delegate": "otto@acme.example"}
    asked = await ann.post("/people/per_ann/leave", **dates)
    assert "the delegates named before they opened" in asked.text
    assert (
        await ann.post("/people/per_ann/leave", asked.form("/people/per_ann/leave")["fields"])
    ).status == 303
    assert "Otto answers instead" in (await ann.get("/me")).text


async def test_open_tasks_are_shown_before_a_person_leaves_a_team(web: WebEnv) -> None:
    await waiting(web, "team:sre")
    oscar = await reader(web, "oscar")
    asked = await oscar.post("/teams/sre", member="otto@acme.example")
    assert (asked.status, asked.heading, "Run it?" in asked.text) == (200, "Open tasks of Ann", True)
    assert len((await web.get("/v1/teams/sre", "oscar"))["team"]["members"]) == 2
    assert (await oscar.post("/teams/sre", asked.form("/teams/sre")["fields"])).status == 303
    assert len((await web.get("/v1/teams/sre", "oscar"))["team"]["members"]) == 1
    assert (await (await reader(web, "otto")).post("/teams/sre", member="otto@acme.example")).status == 403
