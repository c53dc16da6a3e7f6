"""Wording of the pages after an answer, after a mistake, and for people who are not asked."""

from typing import Any

from signoff.engine.read.evidence import EffectClaim, can_be_undone, effects
from tests.web.inbox.demo_workspace import furnish
from tests.web.inbox.reading import reader
from tests.web.inbox.task_pages import ANN, task
from tests.web.web_env import WebEnv

LIMITS = {
    "type": "object",
    "required": ["limit", "plan"],
    "properties": {
        "limit": {"type": "integer", "title": "Credit limit", "maximum": 500},
        "plan": {"enum": ["monthly", "yearly"], "title": "Billing"},
    },
}


async def test_mistake_is_shown_beside_its_field_and_linked(web: WebEnv) -> None:
    task_id = await task(web, task_type="form", form_schema=LIMITS)
    page = await (await reader(web, "ann")).decide(task_id, "submitted", **{"f.limit": "700"})
    assert page.status == 422
    assert "Credit limit: 700 is greater than the maximum of 500" in page.text
    assert "Billing: this is required" in page.text
    leads = {a["href"] for tag, a in page.tags if tag == "a" and a.get("href", "").startswith("#f")}
    wrong = {a["id"]: a["aria-describedby"] for _, a in page.tags if a.get("aria-invalid") == "true"}
    assert leads == {"#f1", "#f2"} == {f"#{id_}" for id_ in wrong}
    ids = {a["id"] for _, a in page.tags if "id" in a}
    assert {name for names in wrong.values() for name in names.split()} <= ids


async def test_missing_comment_links_to_its_field(web: WebEnv) -> None:
    page = await (await reader(web, "ann")).decide(await task(web, task_type="override"), "override_approved")
    assert page.status == 422
    assert any(tag == "a" and a.get("href") == "#comment" for tag, a in page.tags)
    assert any(a.get("id") == "comment" and a.get("aria-invalid") == "true" for _, a in page.tags)


async def test_person_who_answered_is_linked_to_the_next_due_task(web: WebEnv) -> None:
    first, second = await task(web), await task(web)
    ann = await reader(web, "ann")
    assert "Next:" not in (await ann.get(f"/tasks/{first}")).text
    await ann.decide(first, "approved")
    page = await ann.get(f"/tasks/{first}")
    assert "Next: " in page.text
    assert any(tag == "a" and a.get("href") == f"/tasks/{second}" for tag, a in page.tags)
    await ann.decide(second, "approved")
    assert "Next:" not in (await ann.get(f"/tasks/{second}")).text


async def test_card_separates_the_answers_of_two_stages(web: WebEnv) -> None:
    demo = await furnish(web)
    otto = await reader(web, "otto")
    page = await otto.get(f"/tasks/{demo.second}")
    assert (
        "You answered approved in stage 1, which is complete. You are asked again in this stage." in page.text
    )
    assert (await otto.decide(demo.second, "approved", "?open=1")).status == 303
    page = await otto.get(f"/tasks/{demo.second}")
    assert "approved in stage 1, " in page.text, "a later answer does not take the earlier one off the page"
    assert "approved in stage 2, " in page.text
    assert "1 of 2 still missing in this stage" in page.text


async def test_receipt_describes_the_result_for_each_ending(web: WebEnv) -> None:
    demo = await furnish(web)
    ann = await reader(web, "ann")
    for ending, said in (
        ("approved", "You decided: confirmed"),
        ("approved", "The request is completed"),
        ("rejected", "The request has failed"),
        ("expired", "No decision before the deadline."),
        ("withdrawn", "ci withdrew the request"),
        ("withdrawn", "They went elsewhere."),
        ("withdrawn", "The request was canceled"),
        ("superseded", "The request is at step “check”, for revision 2"),
    ):
        page = await ann.get(f"/tasks/{demo.ended[ending]}")
        assert said in page.text, (ending, said)


async def test_approval_of_a_request_that_was_canceled_afterwards_does_not_read_as_a_yes(web: WebEnv) -> None:
    steps = [
        {"id": "approve", "human": {"title": "Run it?", "approvers": ANN}},
        {"id": "run", "agent": "validator"},
    ]
    await web.apply_workflow(steps=steps)
    intent_id = await web.send()
    task_id = f"{intent_id[:-4]}0001"
    assert (await web.answer(task_id)).status == 200
    ann = await reader(web, "ann")
    assert "✓ Approved" in (await ann.get(f"/tasks/{task_id}")).text
    oscar = await reader(web, "oscar")
    assert (await oscar.post(f"/intents/{intent_id}/cancel", reason="Not today")).status == 303
    page = await ann.get(f"/tasks/{task_id}")
    assert "✗ Approved, but the request was canceled" in page.text
    assert "You decided: approved" in page.text
    assert 'class="receipt bad"' in page.html
    done = await ann.get("/?view=done")
    assert '<span class="tag plain">approved</span><span class="tag bad">request canceled</span>' in done.html
    later = f"{(await web.send())[:-4]}0001"
    page = await ann.get(f"/tasks/{later}")
    assert "One earlier request of this type: canceled." in page.text


async def test_person_who_delegated_sees_to_whom(web: WebEnv) -> None:
    task_id = await task(web)
    ann = await reader(web, "ann")
    assert (await ann.post(f"/tasks/{task_id}/delegate", to="otto@acme.example")).status == 303
    page = await ann.get(f"/tasks/{task_id}")
    assert "You delegated this to Otto, who decides for you." in page.text
    assert "Why people are asked" in page.text, "who is not asked is not told why they are"


async def test_title_of_a_requester_is_shown_as_theirs(web: WebEnv) -> None:
    _, task_id = await web.ask(title="Approved by security", assignees=ANN)
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert page.heading == "Approve or reject: without workflow"
    assert 0 < page.text.find("asked as “Approved by security”") < page.text.index("Requester")


async def test_many_people_are_folded_and_counted(web: WebEnv) -> None:
    people = {f"p{n:02d}@acme.example": {"name": f"Person {n:02d}", "roles": ["approver"]} for n in range(30)}
    said = {"people": people, "teams": {"many": {"members": list(people)}}, "policies": {"easy": {}}}
    assert (await web.post("/v1/apply", said, "oscar")).status == 200
    _, task_id = await web.ask()
    ann = await reader(web, "ann")
    assert "and 25 more people" in (await ann.get(f"/tasks/{task_id}")).text
    assert "more people" in (await ann.get("/policies/easy")).text
    assert "and 18 more people" in (await ann.get("/teams/many")).text
    assert "Person 07 and 22 more" in (await ann.get("/teams")).text
    found = await ann.get("/people?q=person+07")
    assert "p07@acme.example" in found.text
    assert "p08@acme.example" not in found.text
    assert "p08@acme.example" in (await ann.get("/people?q=many")).text, "a team's name finds its members"
    assert "No one matches." in (await ann.get("/people?q=nobody")).text


async def test_absence_is_shown_in_days_of_the_persons_calendar(web: WebEnv) -> None:
    await furnish(web)
    page = await (await reader(web, "oscar")).get("/people/per_emma")
    assert "1 Jul 2030 to 14 Jul 2030; Otto Berg answers instead" in page.text


def test_effects_are_described_with_grouped_numbers() -> None:
    touches, undo = effects({"rows": 1840221, "tables": 12345}, {"check": {"reversible": False}})
    assert [fact.text for fact in touches] == ["1,840,221", "12345"]
    assert [can_be_undone(fact) for fact in undo] == ["No"]
    assert can_be_undone(EffectClaim("irreversible", "false", "")) == "Yes"
    assert can_be_undone(EffectClaim("rollback", "restore the backup", "")) == ""


async def staged(web: WebEnv, *stages: list[str], **policy: Any) -> str:
    """The task of a request that these people approve in stages."""
    await web.apply_workflow(
        steps=[{"id": "ask", "human": {"policy": {"approve": [{"any": one} for one in stages], **policy}}}]
    )
    return f"{(await web.send())[:-4]}0001"


async def test_person_outside_the_current_stage_is_not_told_they_are_asked_again(web: WebEnv) -> None:
    task_id = await staged(web, ANN, ["otto@acme.example"])
    ann = await reader(web, "ann")
    await ann.decide(task_id, "approved")
    page = (await ann.get(f"/tasks/{task_id}")).text
    over = "You answered approved in stage 1, which is complete. Stage 2 is for"
    assert f"{over} Otto; nothing more is needed from you." in page
    assert "asked again" not in page
    assert "not among those" not in page


async def test_a_card_says_which_later_stages_ask_the_reader(web: WebEnv) -> None:
    otto = ["otto@acme.example"]
    task_id = await staged(web, ANN, otto, ANN, [*ANN, *otto])
    ann, theirs = await reader(web, "ann"), await reader(web, "otto")
    assert "Stages 3 and 4 ask you too, as things stand." in (await ann.get(f"/tasks/{task_id}")).text
    assert "Stages 2 and 4 ask you too, as things stand." in (await theirs.get(f"/tasks/{task_id}")).text
    await ann.decide(task_id, "approved")
    assert "Stage 4 asks you too, as things stand." in (await theirs.get(f"/tasks/{task_id}")).text
    alone = await staged(web, ANN, otto)
    assert "as things stand" not in (await ann.get(f"/tasks/{alone}")).text


async def test_stage_before_the_last_says_nothing_about_later_ones(web: WebEnv) -> None:
    task_id = await staged(web, ANN, ["otto@acme.example", "role:owner"], ANN)
    ann = await reader(web, "ann")
    await ann.decide(task_id, "approved")
    page = (await ann.get(f"/tasks/{task_id}")).text
    assert "Stage 2 is for Otto or role owner (" in page
    assert "; nothing is needed from you in it." in page


async def test_risk_is_attributed_to_its_source(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    shown = {
        "medium risk by default": await task(web),
        "medium risk by default ": await staged(web, ANN),
        "low risk by the policy of this step": await staged(web, ANN, risk="low"),
    }
    for text, task_id in shown.items():
        assert text.strip() in (await ann.get(f"/tasks/{task_id}")).text
    demo = await furnish(web)
    page = (await ann.get(f"/tasks/{demo.tasks['approval']}")).text
    assert "by the policy “prod-change”" in page
    assert "workspace's policy" not in page
