"""Moments outside of a calendar's range are refused at intake, because a page could not show them."""

from typing import Any

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

LAST = "9999-12-31T23:59:59Z"
FAR = (LAST, "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00")
ASK = {"intent_type": "intent.far.v1", "human_task": {"title": "May we?"}}


@pytest.mark.parametrize("at", FAR)
async def test_deadline_outside_the_calendar_of_some_readers_is_refused(web: WebEnv, at: str) -> None:
    answer = await web.post("/v1/intents", {**ASK, "deadline_at": at})
    assert (answer.status, answer.code) == (422, "moment_out_of_range"), answer.text
    assert answer["error"]["field"] == "deadline_at"


async def test_latest_possible_deadline_is_shown_on_every_page(web: WebEnv) -> None:
    await web.call("PATCH", "/v1/people/ann@acme.example", {"zone": "Pacific/Kiritimati"}, "oscar")
    intent_id = await web.send(**ASK, deadline_at="9000-12-31T23:59:59Z")
    ann = await reader(web, "ann")
    for path in ("/", f"/tasks/{intent_id[:-4]}0001", f"/intents/{intent_id}"):
        assert (await ann.get(path)).status == 200, path


@pytest.mark.parametrize("until", ["9999-12-31", LAST])
async def test_absence_until_the_end_of_the_calendar_is_refused(web: WebEnv, until: str) -> None:
    body = {"zone": "Asia/Tokyo", "absences": [{"from": "2026-03-02", "until": until}]}
    answer = await web.call("PATCH", "/v1/people/ann@acme.example", body, "oscar")
    assert (answer.status, answer.code) == (422, "moment_out_of_range"), answer.text
    assert answer["error"]["field"] == "absences[0].until"
    ann = await reader(web, "ann")
    page = await ann.post("/people/per_ann/leave", **{"from": "2026-03-02", "until": "9999-12-31"})
    assert page.status == 422
    assert "the year 9999 is outside" in page.text


async def test_rotation_start_outside_the_calendar_is_refused(web: WebEnv) -> None:
    turns = {"handover": "mon 09:00", "zone": "Asia/Tokyo", "anchor": "0001-01-01"}
    team = {"members": ["ann@acme.example"], "rotation": turns}
    answer = await web.call("PUT", "/v1/teams/sre", team, "oscar")
    assert (answer.code, answer["error"]["field"]) == ("moment_out_of_range", "rotation.anchor")


async def test_handover_at_a_time_that_no_day_has_is_refused(web: WebEnv) -> None:
    turns = {"handover": "sun 24:00", "zone": "UTC"}  # read as 00:00 it would be a day early
    answer = await web.call(
        "PUT", "/v1/teams/sre", {"members": ["ann@acme.example"], "rotation": turns}, "oscar"
    )
    assert (answer.status, answer["error"]["field"]) == (422, "rotation.handover")


@pytest.mark.parametrize("at", FAR)
async def test_snooze_or_explanation_outside_the_calendar_is_refused(web: WebEnv, at: str) -> None:
    _, task_id = await web.ask()
    answer = await web.post(f"/v1/tasks/{task_id}/snooze", {"until": at}, "ann")
    assert (answer.status, answer.code) == (422, "moment_out_of_range"), answer.text
    page = await (await reader(web, "ann")).post(f"/tasks/{task_id}/snooze", until=at)
    assert page.status == 422
    policy = {"name": "slow", "policy": {"deadline": "3650d", "remind": "5m"}}
    await web.post("/v1/policies", policy, "oscar")
    explained = await web.get(f"/v1/policies/slow/explain?at={at.replace('+', '%2B')}", "oscar")
    assert (explained.status, explained.code) == (422, "moment_out_of_range"), explained.text


@pytest.mark.parametrize(
    ("at", "code"), [("2030-01-01T00:00:00", "zone_required"), *((at, "moment_out_of_range") for at in FAR)]
)
async def test_expiry_of_a_key_outside_the_calendar_is_refused(web: WebEnv, at: str, code: str) -> None:
    accounts: Any = await web.get("/v1/service-accounts", "oscar")
    account = accounts["service_accounts"][0]["id"]
    answer = await web.post(f"/v1/service-accounts/{account}/keys", {"expires_at": at}, "oscar")
    assert (answer.status, answer.code) == (422, code), answer.text
    assert answer["error"]["field"] == "expires_at"
