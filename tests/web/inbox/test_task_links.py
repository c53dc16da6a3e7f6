"""A link from a message is for one person and one task, and ends with the task."""

from datetime import timedelta

from tests.web.inbox.reading import Reader, everything, reader
from tests.web.inbox.task_pages import task, votes
from tests.web.web_env import HOME, WebEnv


async def link(web: WebEnv, task_id: str, who: str = "ann", life: timedelta = timedelta(days=1)) -> str:
    found = await votes(web, task_id)
    return await web.state.sessions.task_link(
        HOME, f"per_{who}", found["intent_id"], 1, found["digest"], life
    )


async def test_task_link_shows_the_card_and_records_the_answer(web: WebEnv) -> None:
    task_id = await task(web)
    token = await link(web, task_id)
    phone = Reader(web)
    before = await everything(web)
    page = await phone.get(f"/t/{token}")
    assert page.status == 200
    assert page.form(f"/t/{token}")["buttons"] == ["approved", "rejected"]
    await phone.send("HEAD", f"/t/{token}")
    assert await everything(web) == before
    receipt = await phone.press(page, f"/t/{token}", "approved", comment="From the train.")
    assert receipt.status == 200
    assert "You decided" in receipt.text
    assert (await votes(web, task_id))["via"] == "link"
    assert (await phone.get("/")).status == 303, "a link to a task is no session"


async def test_task_link_ends_with_its_task(web: WebEnv) -> None:
    task_id = await task(web)
    token = await link(web, task_id)
    await web.answer(task_id, "rejected")
    for answer in (
        await Reader(web).get(f"/t/{token}"),
        await Reader(web).post(f"/t/{token}", outcome="approved"),
    ):
        assert answer.status == 410
        assert "already been decided: rejected, by Ann, 02 Mar 2026, 09:00 UTC." in answer.text
        assert "May we?" not in answer.text


async def test_task_link_answers_for_one_person_and_one_task(web: WebEnv) -> None:
    task_id, other = await task(web), await task(web)
    otto = await link(web, task_id, "otto")
    page = await Reader(web).get(f"/t/{otto}")
    assert "You are not among those who were asked." in page.text
    token = await link(web, task_id)
    fields = {"outcome": "approved", "revision": "1", "digest": (await votes(web, other))["digest"]}
    assert (await Reader(web).post(f"/t/{token}", **fields)).status == 409
    assert (await votes(web, other))["state"] == "open"
    assert (await Reader(web).get(f"/t/{'x' * 43}")).status == 410


async def test_task_link_expires_and_a_revision_invalidates_it(web: WebEnv) -> None:
    task_id = await task(web)
    token = await link(web, task_id, life=timedelta(hours=1))
    web.clock.move(timedelta(hours=2))
    assert (await Reader(web).get(f"/t/{token}")).status == 410
    stale = await web.state.sessions.task_link(HOME, "per_ann", task_id[:-4] + "0000", 1, "0" * 64)
    assert (await Reader(web).get(f"/t/{stale}")).status == 410


async def test_task_link_is_not_enough_if_the_policy_requires_a_session(web: WebEnv) -> None:
    policy = {
        "workflow": "w",
        "intent_type": "intent.strong.v1",
        "steps": [
            {
                "id": "a",
                "human": {
                    "type": "approval",
                    "policy": {
                        "approve": [{"any": ["person:ann@acme.example"], "need": 1}],
                        "strength": "session",
                    },
                },
            }
        ],
    }
    applied = await web.post("/v1/workflows", policy, "oscar")
    assert applied.status == 200, applied.text
    intent_id = await web.send(intent_type="intent.strong.v1")
    task_id = intent_id[:-4] + "0001"
    page = await Reader(web).get(f"/t/{await link(web, task_id)}")
    assert "You followed a link from a message. This decision requires a sign-in by e-mail." in page.text
    assert [form["buttons"] for form in page.forms] == [["rejected"]]
    assert (await (await reader(web, "ann")).decide(task_id, "approved")).status == 303
