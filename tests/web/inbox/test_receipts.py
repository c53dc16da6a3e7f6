"""After every action the page says at the top what was recorded, what happens next, and how to undo it."""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.plan.plan import HumanStep
from signoff.core.plan.task_types import Stage, TaskSpec
from tests.builders import gate
from tests.web.inbox.chromium import DESKTOP, PHONE, chromium, window
from tests.web.inbox.reading import Reader, Shown, reader
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv


async def quorum(web: WebEnv) -> str:
    """A task that two of Ann, Otto and Emma decide."""
    stages = (Stage(("per_ann", "per_otto", "per_emma"), need=2),)
    plan = gate(HumanStep(id="approve", task=TaskSpec(title="Run it?", stages=stages)))
    intent = await web.env.submit(plan, await web.actor("ci"))
    return intent.id[:-4] + "0001"


async def after(who: Reader, done: Shown) -> Shown:
    """The page after an action."""
    assert (done.status, done.done.isdigit()) == (303, True), done.text
    return await who.get(f"{done.where}?done={done.done}")


ACTS: list[tuple[str, dict[str, str], str]] = [
    (
        "comment",
        {"words": "why <now>?"},
        "Your comment was recorded. The requester and earlier",
    ),
    ("mark-reviewing", {}, "It is marked as being reviewed by you. Others see that. Nothing is locked."),
    (
        "delegate",
        {"to": "otto@acme.example"},
        "Delegated to Otto. Otto now decides for you; you no longer can.",
    ),
    ("withdraw", {}, "You withdrew the request"),
]


@pytest.mark.parametrize(("act", "fields", "said"), ACTS)
async def test_every_action_shows_a_receipt_at_the_top(
    web: WebEnv, act: str, fields: dict[str, str], said: str
) -> None:
    task_id = await quorum(web)
    who = await reader(web, "oscar" if act == "withdraw" else "ann")
    page = await after(who, await who.post(f"/tasks/{task_id}/{act}", **fields))
    assert said in page.text
    assert page.html.count('id="done" role="status"' if act != "withdraw" else 'role="status"') == 1
    assert page.html.index('role="status"') < page.html.index("<h1>")
    again = await who.get(f"/tasks/{task_id}")
    assert 'role="status"' not in again.html, "without the act's address nothing claims that it was just done"


async def test_vote_that_does_not_decide_has_a_receipt_that_stays_true(web: WebEnv) -> None:
    task_id = await quorum(web)
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    done = await ann.decide(task_id, "approved")
    page = await after(ann, done)
    assert (
        "Recorded: approved. 1 more approval is needed. Until the decision you can change your answer."
        in page.text
    )
    assert "Change your answer" in page.text
    assert "1 more approval" not in (await otto.get(f"{done.where}?done={done.done}")).text, "it is Ann's"
    await ann.post(f"/tasks/{task_id}/comment", words="later")
    assert "Recorded: approved." not in (await after(ann, done)).text, "only the last act is answered"
    again = await ann.decide(task_id, "approved")
    assert "Nothing new was recorded. It was already in this state." in (await after(ann, again)).text
    changed = await ann.decide(task_id, "rejected")
    assert (await after(ann, changed)).heading == "Approve or reject: infra change"
    assert "Rejected" in (await after(ann, changed)).text


async def test_comment_is_shown_beside_the_decision(web: WebEnv) -> None:
    """A colleague's open question is shown next to the buttons."""
    task_id = await quorum(web)
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    assert "All comments" not in (await otto.get(f"/tasks/{task_id}")).text
    await ann.post(f"/tasks/{task_id}/comment", words="Has the replica been told? " + "x" * 300)
    page = await otto.get(f"/tasks/{task_id}")
    assert "Your decision Ann commented: Has the replica been told? x" in page.text
    assert "x… All comments" in page.text


async def test_buttons_do_not_count_the_readers_own_answer_twice(web: WebEnv) -> None:
    """An answer replaces the reader's earlier one, so repeating it completes nothing."""
    task_id = await quorum(web)
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    assert "Counts as one approval; 1 more is needed." in (await ann.get(f"/tasks/{task_id}")).text
    page = await after(ann, await ann.decide(task_id, "approved"))
    assert "Counts as one approval; 1 more is needed." in page.text
    assert "Completes the request" not in page.text
    assert "Completes the request" in (await otto.get(f"/tasks/{task_id}")).text


async def test_snooze_and_mark_are_undone_by_one_button_without_scripts(web: WebEnv) -> None:
    task_id = await quorum(web)
    ann = await reader(web, "ann")
    until = (web.clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")
    page = await after(ann, await ann.post(f"/tasks/{task_id}/snooze", until=until))
    assert "Snoozed until " in page.text
    undo = next(form for form in page.forms if form["action"].endswith("/unsnooze"))
    page = await after(ann, await ann.post(undo["action"], undo["fields"]))
    assert "The snooze is canceled. Reminders resume." in page.text
    page = await after(ann, await ann.post(f"/tasks/{task_id}/mark-reviewing"))
    undo = page.form(f"/tasks/{task_id}/mark-reviewing")
    first = next(form for form in page.forms if form["action"].endswith("/mark-reviewing"))
    assert dict(first["fields"])["clear"] == dict(undo["fields"])["clear"] == "1"
    page = await after(ann, await ann.post(first["action"], first["fields"]))
    assert "Your review mark is cleared." in page.text


async def test_revision_is_a_proposal_and_has_a_receipt(web: WebEnv) -> None:
    task_id = await quorum(web)
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    assert "Propose a change" in page.text
    assert "Approve with changes" not in page.text
    digest = dict(page.form(f"/tasks/{task_id}/revise")["fields"])["digest"]
    page = await after(ann, await ann.post(f"/tasks/{task_id}/revise", digest=digest, payload='{"x": 1}'))
    assert "Revision 2 is recorded. Earlier votes are void" in page.text


@pytest.mark.parametrize("number", ["x", "-1", "99", "9" * 5000, "0", "\u0663"])
async def test_forged_address_shows_no_receipt(web: WebEnv, number: str) -> None:
    task_id = await quorum(web)
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}?done={number}")
    assert page.status == 200
    assert "Recorded" not in page.text


async def test_api_returns_the_same_receipt(web: WebEnv) -> None:
    task_id = await quorum(web)

    async def act(name: str, who: str = "ann", **body: Any) -> Any:
        done = await web.post(f"/v1/tasks/{task_id}/{name}", body, who)
        assert done.status == 200, done.text
        return done["receipt"] if name == "withdraw" else done["task"]["receipt"]

    said = await act("answer", outcome="approved")
    assert said["said"] == "Recorded: approved."
    assert said["next"].startswith("1 more approval is needed.")
    assert (said["undo"], said["event"] > 1) == ("answer", True)
    assert (await act("snooze", "otto", **{"for": "2h"}))["undo"] == "unsnooze"
    assert (await act("mark-reviewing"))["undo"] == "unmark-reviewing"
    assert await act("mark-reviewing") == {
        "said": "Nothing new was recorded.",
        "next": "It was already in this state.",
    }
    assert (await act("delegate", "otto", to="emma@acme.example"))["said"] == "Delegated to Emma."
    assert (await act("withdraw", "ci"))["said"] == "The request is withdrawn."
    assert "receipt" not in (await web.get(f"/v1/tasks/{task_id}", "ann"))["task"]


@pytest.mark.browser
async def test_receipt_has_the_focus_in_a_browser_and_axe_finds_no_violation(web: WebEnv) -> None:
    task_id = await quorum(web)
    async with serving(web) as url, chromium() as browser:
        for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
            async with window(browser, url, viewport=size, color_scheme=scheme) as ann:
                await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
                await ann.open(f"/tasks/{task_id}")
                await ann.page.get_by_text("Snooze", exact=True).first.click()
                await ann.page.get_by_role("button", name="Snooze").click()
                await ann.page.get_by_role("status").get_by_text("Snoozed until").wait_for()
                assert await ann.page.evaluate("document.activeElement.id") == "done"
                box = await ann.page.locator("#done").bounding_box()
                assert box is not None
                assert box["y"] + box["height"] < size["height"]
                await ann.check()
                await ann.page.reload()
                await ann.page.get_by_role("button", name="Undo").click()
                await ann.page.get_by_text("The snooze is canceled.").wait_for()


async def test_address_shows_no_receipt_to_a_person_who_did_nothing(web: WebEnv) -> None:
    task_id = await quorum(web)
    acted = await after(
        await reader(web, "ann"), await (await reader(web, "ann")).decide(task_id, "approved")
    )
    assert 'role="status"' in acted.html
    for number in ("0", "3"):
        shown = await (await reader(web, "otto")).get(f"/tasks/{task_id}?done={number}")
        assert 'role="status"' not in shown.html
