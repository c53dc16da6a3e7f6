"""The page that decides several similar tasks at once, without scripts."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.on_loop import on_the_loop
from tests.web.inbox.chromium import DESKTOP, PHONE, chromium, window
from tests.web.inbox.reading import Reader, Shown, reader
from tests.web.serving import serving
from tests.web.test_bulk_answers import LOW, TYPE, ask, trail, workflow
from tests.web.web_env import HOME, WebEnv


def boxes(page: Shown) -> list[dict[str, str]]:
    return [attrs for tag, attrs in page.tags if tag == "input" and attrs.get("type") == "checkbox"]


def links(page: Shown) -> list[str]:
    return [
        attrs["href"] for tag, attrs in page.tags if tag == "a" and attrs.get("href", "").startswith("/bulk")
    ]


async def opened(web: WebEnv, count: int, **payload: Any) -> tuple[Reader, Shown, list[dict[str, Any]]]:
    """Ann's page with this many similar tasks."""
    await workflow(web)
    tasks = await ask(web, count, **payload)
    ann = await reader(web, "ann")
    [link] = links(await ann.get("/"))
    return ann, await ann.get(link), tasks


async def press(ann: Reader, page: Shown, outcome: str = "approved", **changed: str) -> Shown:
    return await ann.press(page, "/bulk", outcome, **changed)


async def test_equal_tasks_are_offered_and_decided_together(web: WebEnv) -> None:
    ann, page, tasks = await opened(web, 3, currency="EUR")
    assert (page.status, page.heading) == (200, "Decide together")
    assert "3 similar low-risk tasks: the same question" in page.text
    assert "The same in all tasks currency EUR" in page.text
    assert page.text.count("currency EUR") == 1
    assert "customer c1" in page.text
    assert page.form("/bulk")["buttons"] == ["approved", "rejected"]
    done = await press(ann, page, comment="routine")
    assert done.status == 200
    assert "Recorded for 3 of 3 tasks, each separately: approved. 3 are decided." in done.text
    assert "No more similar tasks wait for you." in done.text
    for task in tasks:
        [vote] = [event for event in await trail(web, task) if event["type"] == "answered"]
        assert (vote["via"], vote["comment"]) == ("web", "routine")


async def test_moments_of_similar_tasks_stand_in_the_readers_zone_too(web: WebEnv) -> None:
    assert (await web.call("PATCH", "/v1/people/per_ann", {"zone": "Europe/Berlin"}, "oscar")).status == 200
    _, page, _ = await opened(web, 2, starts="2026-07-01T22:30:00Z")
    assert "starts 2026-07-01T22:30:00Z 2 Jul 2026, 00:30 CEST" in page.text


async def test_only_selected_tasks_are_decided_and_the_others_stay_on_the_page(web: WebEnv) -> None:
    ann, page, tasks = await opened(web, 3)
    cleared = tasks[1]["task_id"]
    fields = [
        (name, value)
        for name, value in page.form("/bulk")["fields"]
        if name != "pick" or not value.startswith(cleared)
    ]
    done = await ann.post("/bulk", [*fields, ("outcome", "rejected")])
    assert "Recorded for 2 of 2 tasks, each separately: rejected. 2 are decided." in done.text
    [box] = boxes(done)
    assert box["value"][:36] == cleared
    assert "checked" not in box, "pressing the button once more must not decide what was cleared on purpose"
    assert "not selected before" in done.text
    assert (await web.get(f"/v1/tasks/{tasks[0]['task_id']}", "ann"))["task"]["outcome"] == "rejected"


async def test_task_changed_meanwhile_is_listed_with_the_reason(web: WebEnv) -> None:
    ann, page, tasks = await opened(web, 2)
    late = tasks[0]["task_id"]
    assert (await web.answer(late, "rejected", "otto", stage=1, digest=tasks[0]["digest"])).status == 200
    done = await press(ann, page)
    assert "Recorded for 1 of 2 tasks" in done.text
    assert "1 was refused; see the reason of each." in done.text
    assert f"{TYPE}, amount 0, customer c0 : This has already been decided: rejected." in done.text
    again = await press(ann, page)  # the browser sends it once more
    assert "Recorded for 1 of 2 tasks" in again.text
    assert [event["type"] for event in await trail(web, tasks[1])].count("answered") == 1


async def test_refused_answers_are_listed_off_the_event_loop(web: WebEnv) -> None:
    ann, page, tasks = await opened(web, 2, notes=["x" * 50] * 100)
    for task in tasks:
        assert (await web.answer(task["task_id"], "rejected", "otto")).status == 200
    picks = [f"{task['task_id']}.1.1.{task['digest']}" for task in tasks]  # folded, so none is ticked
    fields = [*page.form("/bulk")["fields"], *(("pick", pick) for pick in picks), ("outcome", "approved")]
    done, times = await on_the_loop(lambda: ann.post("/bulk", fields), of="_known_as")
    assert done.text.count("This has already been decided: rejected.") == 2
    assert times == 0


async def test_warnings_of_a_task_are_shown_once_or_at_the_task_that_has_them(
    web: WebEnv,
) -> None:
    await workflow(web)
    await ask(web, 1, reversible="yes, by the next import")
    await ask(web, 1, reversible="with a c\u200bount")
    ann = await reader(web, "ann")
    [link] = links(await ann.get("/"))
    page = await ann.get(link)
    alike = "No automatic check has run."
    hidden = "The request contains invisible characters; each is shown as its code point."
    assert f"Before you approve {alike}" in page.text
    assert (page.text.count(alike), page.text.count(hidden)) == (1, 1)
    assert "Not stated whether this can be undone." not in page.text


@pytest.mark.parametrize("where", ["payload", "claimed name", "coming step"])
async def test_hidden_characters_are_warned_of_anywhere_in_the_request(web: WebEnv, where: str) -> None:
    """The bulk page warns like the task's own page."""
    odd = "pay\u200bments"
    run = {"id": "run", "agent": "bot", "input": {"to": odd if where == "coming step" else "payments"}}
    human = {"type": "approval", "title": "Pay the refund?", "policy": LOW}
    flow = {"workflow": "refund", "intent_type": TYPE, "steps": [{"id": "ok", "human": human}, run]}
    answer = await web.post("/v1/workflows", flow, "oscar")
    assert answer.status == 200, answer.text
    claimed = {"from_agent": odd} if where == "claimed name" else {}
    payload = {"customer": odd if where == "payload" else "payments"}
    sent, _ = [await web.send(intent_type=TYPE, payload=payload, **claimed) for _ in range(2)]
    ann = await reader(web, "ann")
    [link] = links(await ann.get("/"))
    hidden = "The request contains invisible characters; each is shown as its code point."
    assert (await ann.get(link)).text.count(hidden) == 1
    assert (await ann.get(f"/tasks/{sent[:-4]}0001")).text.count(hidden) == 1


async def test_statement_that_applies_to_every_request_is_shown_once(web: WebEnv) -> None:
    _, page, _ = await opened(web, 3)
    assert page.text.count("Not stated whether this can be undone.") == 1
    assert "You are on the requester's side." not in page.text


async def test_reader_sees_which_requests_are_from_their_own_side(web: WebEnv) -> None:
    await workflow(web)
    there = await web.env.store.directory.workspace(HOME)
    assert there is not None
    await web.env.store.people.save([replace(there, self_approval=True)])
    web.env.directory.changed(HOME)
    await web.send("ann", intent_type=TYPE, payload={"customer": "mine", "amount": 1})
    await web.send(intent_type=TYPE, payload={"customer": "theirs", "amount": 1})
    ann = await reader(web, "ann")
    [link] = links(await ann.get("/"))
    page = await ann.get(link)
    assert page.text.count("You are on the requester's side.") == 1
    assert "customer mine from Ann You are on the requester's side." in page.text


async def test_selection_in_the_inbox_is_reviewed_together(web: WebEnv) -> None:
    await workflow(web)
    await workflow(web, "intent.other.v1", risk="high")
    tasks = [*await ask(web, 3), *await ask(web, 1, "intent.other.v1")]
    ann = await reader(web, "ann")
    inbox = await ann.get("/")
    assert {box["value"] for box in boxes(inbox)} == {task["task_id"] for task in tasks[:3]}
    chosen = [tasks[0], tasks[2], tasks[3]]
    page = await ann.get("/bulk?" + "&".join(f"task={task['task_id']}" for task in chosen))
    assert {box["value"][:36] for box in boxes(page)} == {task["task_id"] for task in (tasks[0], tasks[2])}
    assert "Different, or decided one by one" in page.text
    done = await press(ann, page)
    assert [box["value"][:36] for box in boxes(done)] == [tasks[1]["task_id"]]  # the next equal one


async def test_single_task_and_tasks_of_others_are_not_offered(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 1)
    assert links(await (await reader(web, "ann")).get("/")) == []
    await ask(web, 1)
    emma = await reader(web, "emma")
    assert boxes(await emma.get("/?view=all")) == []
    page = await emma.get(f"/bulk?form={tasks[0]['bulk_form']}&x=1")
    assert "You have no open tasks" in page.text
    assert "You have no open tasks" in (await emma.get(f"/bulk?task={tasks[0]['task_id']}&task=x")).text


async def test_incomplete_form_decides_nothing(web: WebEnv) -> None:
    ann, page, tasks = await opened(web, 2)
    form = tasks[0]["bulk_form"]
    none = await ann.post("/bulk", form=form, outcome="approved")
    assert (none.status, "No task was selected. Nothing was recorded." in none.text) == (422, True)
    assert len(boxes(none)) == 2
    broken = await ann.post("/bulk", form=form, outcome="approved", pick=tasks[0]["task_id"])
    assert (broken.status, "Nothing was recorded." in broken.text) == (422, True)
    pick = next(value for name, value in page.form("/bulk")["fields"] if name == "pick")
    twice = await ann.post("/bulk", [("pick", pick), ("pick", pick), ("form", form), ("outcome", "approved")])
    assert twice.status == 422
    foreign = await ann.post(
        "/bulk", [("pick", pick), ("outcome", "approved")], headers={"origin": "https://evil.test"}
    )
    assert foreign.status == 403
    assert "answered" not in [event["type"] for event in await trail(web, tasks[0])]


async def test_task_not_shown_completely_is_not_preselected(web: WebEnv) -> None:
    _, page, _ = await opened(web, 2, note="x" * 2000)
    assert page.text.count("Part of it is collapsed: open it first.") == 2
    assert all("checked" not in box for box in boxes(page))


async def test_secret_is_not_shown(web: WebEnv) -> None:
    _, page, _ = await opened(web, 2, password="hunter2hunter2")
    assert "hunter2" not in page.html


async def test_question_for_several_requests_names_none_of_their_values(web: WebEnv) -> None:
    await workflow(web, title="Refund {customer}?")
    tasks = await ask(web, 2)
    ann = await reader(web, "ann")
    inbox = await ann.get("/")
    assert "2 similar low-risk tasks: Refund [customer]?" in inbox.text
    page = await ann.get(links(inbox)[0])
    assert "Refund [customer]?" in page.text
    assert "Refund “c" not in page.text
    single = await ann.get(f"/bulk?task={tasks[0]['task_id']}")
    assert "Refund “c" in single.text


async def test_markup_of_a_requester_is_text(web: WebEnv) -> None:
    _, page, _ = await opened(web, 2, name="<script>alert(1)</script>")
    assert "<script>alert" not in page.html


async def test_three_approvers_decide_three_hundred_tasks_with_one_submission_each(web: WebEnv) -> None:
    people = ("ann", "otto", "emma")
    await workflow(web, approve=[{"all": [f"{name}@acme.example" for name in people]}])
    for number in range(300):
        await web.send(intent_type=TYPE, payload={"customer": f"c{number}", "amount": number})
    for name in people:
        approver = await reader(web, name)
        [link] = links(await approver.get("/"))
        page = await approver.get(link)
        assert "300 similar low-risk tasks" in page.text
        assert "#decide" in [attrs.get("href") for tag, attrs in page.tags if tag == "a"]
        page = await press(approver, page)
        assert "Recorded for 300 of 300 tasks" in page.text
    assert "300 are decided." in page.text
    assert "No more similar tasks wait for you." in page.text
    assert await web.env.findings() == []


@pytest.mark.browser
@pytest.mark.parametrize("setting", [{"viewport": DESKTOP}, {"viewport": PHONE, "color_scheme": "dark"}])
async def test_keyboard_shortcuts_select_and_never_decide(web: WebEnv, setting: dict[str, Any]) -> None:
    await workflow(web)
    tasks = await ask(web, 3, currency="EUR")
    async with serving(web) as url, chromium() as browser, window(browser, url, **setting) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.check()
        for key in ("j", "x", "j", "x", "a"):  # two of three, then on
            await ann.page.keyboard.press(key)
        await ann.page.wait_for_url("**/bulk?task=*")
        await ann.check()
        assert await ann.page.locator("input:checked").count() == 2
        await ann.page.keyboard.press("r")
        assert await ann.page.evaluate("document.activeElement.value") == "rejected"
        await ann.page.keyboard.press("a")
        assert await ann.page.evaluate("document.activeElement.value") == "approved"
        assert await web.status(tasks[0]["intent_id"]) == "WAITING"
        await ann.page.keyboard.press("Enter")
        await ann.page.get_by_text("Recorded for 2 of 2 tasks").wait_for()
        await ann.check()
        await ann.open(f"/tasks/{tasks[2]['task_id']}")
        await ann.page.keyboard.press("a")
        assert await ann.page.evaluate("document.activeElement.value") == "approved"


@pytest.mark.browser
async def test_selection_is_kept_when_the_list_grows(web: WebEnv) -> None:
    await workflow(web)
    tasks = await ask(web, 2)
    async with serving(web) as url, chromium() as browser, window(browser, url, viewport=DESKTOP) as ann:
        await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
        await ann.page.locator(f"#x-{tasks[0]['task_id']}").check()
        await ann.page.locator(f"#t-{tasks[1]['task_id']}").focus()
        [new] = await ask(web, 1)
        await ann.page.locator(f"#t-{new['task_id']}").wait_for()
        assert await ann.page.locator(f"#x-{tasks[0]['task_id']}").is_checked()


def _patch(line: str) -> str:
    return f"--- a/run\n+++ b/run\n@@ -1,2 +1,2 @@\n-old\n+{line}\n same\n"


@pytest.mark.parametrize(
    ("name", "values", "shown"),
    [
        ("patch", (_patch("harmless"), _patch("delete-everything")), ("harmless", "delete-everything")),
        ("password", ("sup3rsecret-of-one", "sup3rsecret-of-other"), ()),
        ("note", ("a" * 700 + "good", "a" * 700 + "bad!"), ()),
    ],
)
async def test_only_completely_shown_tasks_are_called_equal(
    web: WebEnv, name: str, values: tuple[str, str], shown: tuple[str, ...]
) -> None:
    await workflow(web)
    for value in values:
        await web.send(intent_type=TYPE, payload={"customer": "c", name: value})
    ann = await reader(web, "ann")
    [link] = links(await ann.get("/"))
    page = await ann.get(link)
    assert len(boxes(page)) == 2
    same = page.text.partition("The same in all")[2].partition("from ")[0]
    assert "customer c" in same
    assert page.text.count(f" {name} ") == 2  # in each of the two, beside its own request
    assert [text in page.text for text in shown] == [True] * len(shown)
