"""What one can do with a task beside answering it."""

from tests.web.inbox.reading import reader
from tests.web.inbox.test_deciding import ANN, task, votes
from tests.web.world import World


async def test_one_says_something_takes_it_and_hands_it_over(web: World) -> None:
    task_id = await task(web)
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    assert (await ann.post(f"/tasks/{task_id}/remark", words="Which <order>?")).status == 303
    assert (await ann.post(f"/tasks/{task_id}/take")).status == 303
    page = await otto.get(f"/tasks/{task_id}")
    assert "Ann said" in page.text
    assert "Which <order>?" in page.text
    assert "Looking at it" in page.text
    assert (await otto.post(f"/tasks/{task_id}/hand-over", to="ann@acme.example")).status == 403
    assert (
        await ann.post(f"/tasks/{task_id}/hand-over", to="otto@acme.example", words="I am away.")
    ).status == 303
    assert "Ann handed it over to Otto" in (await otto.get(f"/tasks/{task_id}")).text
    assert not any("approved" in form["buttons"] for form in (await ann.get(f"/tasks/{task_id}")).forms)
    assert (await otto.decide(task_id, "approved")).status == 303
    assert (await votes(web, task_id))["ending"] == "approved"


async def test_changing_what_is_asked_makes_a_revision_that_somebody_else_approves(web: World) -> None:
    _, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    ann, otto = await reader(web, "ann"), await reader(web, "otto")
    form = (await ann.get(f"/tasks/{task_id}")).form(f"/tasks/{task_id}/revise")
    digest = dict(form["fields"])["digest"]
    for wrong in ("{", "[]", dict(form["fields"])["payload"]):
        assert (await ann.post(f"/tasks/{task_id}/revise", digest=digest, payload=wrong)).status in (400, 422)
    assert (await ann.post(f"/tasks/{task_id}/revise", payload='{"target": "staging"}')).status == 409
    changed = await ann.post(f"/tasks/{task_id}/revise", digest=digest, payload='{"target": "staging"}')
    assert changed.status == 303, changed.text
    page = await ann.get(f"/tasks/{task_id}")
    assert "revision 2" in page.text
    assert "You stand on the requester's side" in page.text
    page = await otto.get(f"/tasks/{task_id}")
    assert "What changed since the last time" in page.text
    assert (await otto.press(page, f"/tasks/{task_id}", "approved")).status == 303


async def test_what_is_no_act_does_nothing(web: World) -> None:
    task_id = await task(web)
    assert (await (await reader(web, "ann")).post(f"/tasks/{task_id}/explode")).status == 404
    assert (await (await reader(web, "ann")).post(f"/tasks/{task_id}/remark", words=" ")).status == 422
    assert (await (await reader(web, "sam")).post(f"/tasks/{task_id}/remark", words="x")).status == 404
