"""Snoozing and resuming a task on pages and API, in the reader's time zone, and how the inbox shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.web.inbox.reading import reader
from tests.web.inbox.task_pages import ANN
from tests.web.web_env import WebEnv

BERLIN = {
    "zone": "Europe/Berlin",
    "days": ["mon", "tue", "wed", "thu", "fri"],
    "from": "10:00",
    "to": "16:00",
}


async def snoozed_people(web: WebEnv, task_id: str) -> list[Any]:
    found = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"].get("snoozed", [])
    return [(one["person"], one["until"]) for one in found]


async def test_task_is_snoozed_in_the_persons_zone_and_unsnoozed_on_the_page(web: WebEnv) -> None:
    zone = {"zone": "Europe/Berlin", "hours": BERLIN}
    assert (await web.call("PATCH", "/v1/people/per_ann", zone, "oscar")).status == 200
    web.clock.at = datetime(2026, 3, 6, 15, 30, tzinfo=UTC)  # a Friday afternoon
    _, task_id = await web.ask(assignees=[*ANN, "otto@acme.example"])
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    assert "until Monday 10:00, when your working hours begin" in page.text
    assert "your time (Europe/Berlin)" in page.text
    values = [value for name, value in page.form(f"/tasks/{task_id}/snooze")["fields"] if name == "until"]
    assert (await ann.post(f"/tasks/{task_id}/snooze", until=values[-1])).status == 303
    assert await snoozed_people(web, task_id) == [("per_ann", "2026-03-09T09:00:00Z")]
    page = await ann.get(f"/tasks/{task_id}")
    assert "Snoozed until 9 Mar 2026, 10:00 CET" in page.text
    assert "Your snooze ends" in page.text
    assert (await ann.post(f"/tasks/{task_id}/unsnooze")).status == 303
    assert await snoozed_people(web, task_id) == []
    assert (await ann.post(f"/tasks/{task_id}/snooze", at="2026-03-06T23:15")).status == 303
    assert await snoozed_people(web, task_id) == [("per_ann", "2026-03-06T22:15:00Z")]
    assert (await ann.post(f"/tasks/{task_id}/snooze", at="soon")).status == 422
    assert (await ann.post(f"/tasks/{task_id}/snooze", at="2026-03-01T10:00")).status == 422
    page = await ann.get(f"/intents/{task_id}")
    assert "Ann snoozed it until 2026-03-06 22:15 UTC; deadline and escalation are unaffected" in page.text


async def test_inbox_lists_a_snoozed_task_last_and_first_when_the_snooze_ends(web: WebEnv) -> None:
    _, first = await web.ask(assignees=ANN, title="First")
    _, second = await web.ask(assignees=ANN, title="Second")
    ann = await reader(web, "ann")

    async def order() -> list[str]:
        page = await ann.get("/")
        return sorted((first, second), key=page.html.index)

    assert await order() == [first, second]
    assert "(2) Inbox" in (await ann.get("/")).title
    slept = await web.post(f"/v1/tasks/{first}/snooze", {"for": "2h"}, "ann")
    assert slept.status == 200, slept.text
    assert await order() == [second, first]
    page = await ann.get("/")
    assert "snoozed until" in page.text
    assert "(1) Inbox" in page.title
    assert first in (await (await reader(web, "otto")).get("/?view=all")).html
    await web.env.pass_time(timedelta(hours=1, minutes=59))
    assert await order() == [second, first]
    await web.env.pass_time(timedelta(minutes=1))
    web.clock.move(timedelta(seconds=1))
    assert await order() == [first, second]
    assert "(2) Inbox" in (await ann.get("/")).title


async def test_invalid_snooze_is_refused_in_plain_words(web: WebEnv) -> None:
    await web.apply_workflow(
        steps=[{"id": "a", "human": {"type": "approval", "approvers": ANN}, "deadline": "1h"}]
    )
    task_id = (await web.send())[:-4] + "0001"
    path = f"/v1/tasks/{task_id}/snooze"
    for body, code in (
        ({}, "moment_required"),
        ({"for": "2h", "until": "2030-01-01T00:00:00Z"}, "moment_required"),
        ({"until": "2030-01-01T00:00:00"}, "zone_required"),
        ({"for": "never"}, "invalid_duration"),
        ({"for": "2h"}, "after_the_deadline"),
        ({"until": "2020-01-01T00:00:00Z"}, "moment_passed"),
    ):
        refused = await web.post(path, body, "ann")
        assert (refused.status // 100, refused.code) == (4, code), body
    assert (await web.post(path, {"for": "30m"}, "otto")).status == 403
    assert (await web.post(path, {"for": "30m"}, "agent")).status == 404
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "for four hours" not in page.text
