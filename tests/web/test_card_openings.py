"""Who opened which task, and how they had seen it when they answered, is recorded: coalesced,
erasable, not evaluated.
"""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import system
from signoff.core.errors import Busy
from signoff.core.intent.hash_chain import unseal
from signoff.engine.card_openings import CardOpenings, may_see_openings
from tests.web import test_bulk_answers as many
from tests.web import test_edited_answers as edited
from tests.web.inbox.reading import Reader, reader
from tests.web.web_env import HOME, WebEnv

TEN = timedelta(minutes=10)


async def views(web: WebEnv, intent_id: str, who: str = "oscar") -> list[dict[str, Any]]:
    trail = await web.get(f"/v1/intents/{intent_id}/audit", who)
    return list(trail.json.get("views", []))


async def vote(web: WebEnv, intent_id: str, who: str = "oscar") -> dict[str, Any]:
    events = (await web.get(f"/v1/intents/{intent_id}/audit", who))["events"]
    return dict(next(event for event in events if event["type"] == "answered"))


async def test_opened_page_is_recorded_once_in_ten_minutes(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    ann = await reader(web, "ann")
    for _ in range(5):
        await ann.get(f"/tasks/{task_id}")
    [one] = await views(web, intent_id)
    assert (one["task_id"], one["person"], one["name"], one["channel"], one["times"], one["unfolded"]) == (
        task_id,
        "per_ann",
        "Ann",
        "web",
        1,
        False,
    )
    web.clock.move(TEN)
    await ann.get(f"/tasks/{task_id}?open=1")
    [one] = await views(web, intent_id)
    assert (one["times"], one["unfolded"], one["first_at"] < one["last_at"]) == (2, True, True)


async def test_openings_are_one_row_per_channel(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    for _ in range(10):
        web.clock.move(TEN)
        await web.get(f"/v1/tasks/{task_id}", "ann")
        await web.get(f"/v1/tasks/{task_id}", "ann", user_agent="signoff-cli/1.0")
    assert [(one["channel"], one["times"]) for one in await views(web, intent_id)] == [
        ("api", 10),
        ("cli", 10),
    ]
    assert (await web.env.store.read("select count(*) from views")) == [(2,)]
    history = await web.env.store.intents.history(intent_id)
    assert not any(b"view" in row.body for row in history), "a history does not grow by looking"


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-dest": "empty"}, {"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}],
)
async def test_background_reads_and_prefetches_are_not_recorded(web: WebEnv, headers: dict[str, str]) -> None:
    intent_id, task_id = await web.at_gate()
    await (await reader(web, "ann")).get(f"/tasks/{task_id}", **headers)
    assert await views(web, intent_id) == []


async def test_lists_links_and_programs_are_not_recorded(web: WebEnv) -> None:
    """Scanners open the links in mails, so such an opening counts only with an answer."""
    intent_id, task_id = await web.at_gate()
    await web.get("/v1/tasks?mine=true", "ann")
    await web.get(f"/v1/tasks/{task_id}", "ci")
    await (await reader(web, "ann")).get("/")
    digest = (await web.get(f"/v1/tasks/{task_id}", "ci"))["task"]["digest"]
    token = await web.state.sessions.task_link(HOME, "per_ann", intent_id, 2, digest)
    link = Reader(web)
    page = await link.get(f"/t/{token}")
    assert await views(web, intent_id) == []
    done = await link.press(page, f"/t/{token}", "approved")
    assert done.status == 200
    assert (await vote(web, intent_id))["viewed"] == {"channels": ["link"], "folded": "none"}


async def test_answer_says_how_long_before_and_where_its_person_opened_the_task(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.get(f"/v1/tasks/{task_id}", "ann")
    web.clock.move(timedelta(seconds=90))
    ann = await reader(web, "ann")
    await ann.decide(task_id, "approved")
    told = await vote(web, intent_id)
    assert told["viewed"]["seconds"] == 90
    assert (told["viewed"]["channels"], told["viewed"]["folded"]) == (["api", "web"], "none")
    assert "comment" not in told
    assert await web.env.findings() == []


async def test_answer_by_api_counts_from_the_first_opening(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    for pause in (timedelta(0), TEN, TEN):
        web.clock.move(pause)
        await web.get(f"/v1/tasks/{task_id}", "ann")
    web.clock.move(timedelta(seconds=30))
    await web.answer(task_id)
    told = (await vote(web, intent_id))["viewed"]
    assert told["seconds"] == 2 * TEN.total_seconds() + 30
    assert told["last_at"] > told["first_at"]


async def test_first_and_last_opening_are_over_all_channels(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    for agent in ("signoff-cli/1.0", "curl/8"):
        await web.get(f"/v1/tasks/{task_id}", "ann", user_agent=agent)
        web.clock.move(timedelta(seconds=60))
    await (await reader(web, "ann")).decide(task_id, "approved")
    told = (await vote(web, intent_id))["viewed"]
    assert (told["seconds"], told["channels"]) == (120, ["cli", "api", "web"])
    assert told["last_at"] > told["first_at"]


async def test_failure_to_record_an_opening_does_not_prevent_reading(web: WebEnv) -> None:
    async def busy(*_: Any) -> None:
        raise Busy("database_busy", "The database is busy.")

    intent_id, task_id = await web.at_gate()
    views_table = web.env.store.views
    add, views_table.add = views_table.add, busy  # type: ignore[method-assign]
    assert (await web.get(f"/v1/tasks/{task_id}", "ann")).status == 200
    assert await views(web, intent_id) == []
    views_table.add = add  # type: ignore[method-assign]
    assert (await web.get(f"/v1/tasks/{task_id}", "ann")).status == 200
    [one] = await views(web, intent_id)
    assert one["times"] == 1, "what failed is not remembered as recorded"


async def test_openings_in_memory_are_limited_to_the_latest_tasks(
    web: WebEnv,
) -> None:
    kept, ann, (intent_id, _) = (
        CardOpenings(web.env.store, web.clock, 2),
        await web.actor("ann"),
        await web.at_gate(),
    )

    for step_run in (1, 2):
        await kept.opened(ann, intent_id, step_run)
    web.clock.move(TEN)
    await kept.opened(ann, intent_id, 1)
    await kept.opened(ann, intent_id, 3)
    assert [run for run in (1, 2, 3) if kept.remembered(ann, intent_id, run)] == [1, 3]


async def test_openings_are_visible_to_authorized_people_only(web: WebEnv) -> None:
    ann, otto, oscar = [await web.actor(name) for name in ("ann", "otto", "oscar")]
    assert [may_see_openings(one, "per_ann") for one in (ann, otto, oscar)] == [True, False, True]
    assert not may_see_openings(system(HOME), "per_ann")


async def test_answer_by_api_uses_openings_in_memory_without_a_query(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.get(f"/v1/tasks/{task_id}", "ann")
    web.clock.move(timedelta(seconds=30))
    await web.answer(task_id)
    assert (await vote(web, intent_id))["viewed"]["seconds"] == 30


async def test_every_way_to_answer_by_api_records_openings_in_memory(web: WebEnv) -> None:
    """Edited approvals, bulk answers and AXP decisions are answers too."""
    edits, bulk, axp, resumed = (
        await edited.opened(web),
        await _low(web),
        await web.at_gate(),
        await web.at_gate(),
    )
    for task_id in (edits["task_id"], bulk["task_id"], axp[1], resumed[1]):
        await web.get(f"/v1/tasks/{task_id}", "ann")
    web.clock.move(timedelta(seconds=30))
    assert (await edited.edit(web, edits)).status == 200
    assert (await many.decide(web, [bulk]))["recorded"] == 1
    said = await web.post(f"/v1/approvals/{axp[1]}/decision", {"decision": "approve"}, "ann")
    assert said.status == 200, said.text
    said = await web.post(f"/v1/intents/{resumed[0]}/resume", {"task_result": {"outcome": "approved"}}, "ann")
    assert said.status == 200, said.text
    for intent_id in (edits["intent_id"], bulk["intent_id"], axp[0], resumed[0]):
        told = (await vote(web, intent_id)).get("viewed", {})
        assert (round(told.get("seconds", 0)), told.get("channels")) == (30, ["api"]), intent_id
    assert await web.env.findings() == []


async def _low(web: WebEnv) -> dict[str, Any]:
    await many.workflow(web, "intent.small.v1")
    [task] = await many.ask(web, 1, "intent.small.v1")
    return task


async def test_opened_folded_parts_are_recorded(web: WebEnv) -> None:
    await web.apply_workflow()
    intent_id = await web.send(payload={"statement": "select 1;\n" * 200})
    await web.post(
        f"/v1/intents/{intent_id[:-4]}0001/resume", {"action": "complete", "passed": True}, "agent"
    )
    task_id = intent_id[:-4] + "0002"
    ann = await reader(web, "ann")
    await ann.decide(task_id, "approved", "?open=1")
    assert (await vote(web, intent_id))["viewed"]["folded"] == "opened"
    assert [one["unfolded"] for one in await views(web, intent_id)] == [True]


async def test_openings_of_others_are_visible_to_readers_of_the_change_log_only(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await (await reader(web, "ann")).decide(task_id, "approved")
    for who, sees in (("oscar", True), ("aud", True), ("ann", True), ("otto", False), ("ci", False)):
        told = await vote(web, intent_id, who)
        assert ("viewed" in told, "private" in told, bool(await views(web, intent_id, who))) == (
            sees,
            sees,
            sees,
        ), who
    page = await (await reader(web, "aud")).get(f"/audit/{intent_id}")
    assert "Who opened it" in page.text
    assert "Who opened it" not in (await (await reader(web, "otto")).get(f"/audit/{intent_id}")).text


async def test_openings_can_be_erased_and_the_chain_still_verifies(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await (await reader(web, "ann")).decide(task_id, "approved", comment="fine")
    await web.env.store.write(("update events set private = null where intent_id = :id", {"id": intent_id}))
    told = await vote(web, intent_id)
    assert ("viewed" in told, "comment" in told) == (False, False)
    assert (await web.get(f"/v1/intents/{intent_id}/audit", "oscar"))["verified"]
    rows = await web.env.store.intents.history(intent_id)
    assert all(unseal(row.body, row.private).note is None for row in rows)


async def test_closed_tasks_are_read_without_a_record(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    await web.answer(task_id)
    await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    await web.get(f"/v1/tasks/{task_id}", "ann")
    assert await views(web, intent_id) == []
