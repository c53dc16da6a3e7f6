"""Exports: the configuration as a manifest that changes nothing, intents and events by page, and who may export."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from signoff.core.directory.rotation import Absence
from tests.on_loop import on_the_loop
from tests.web.policy_steps import MANIFEST, applied, gate
from tests.web.web_env import HOME, PLAIN, WebEnv

HOURS = {"zone": "Europe/Berlin", "days": "mon-fri", "from": "09:00", "to": "17:00"}


async def test_applying_the_exported_manifest_changes_nothing(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    rotation = {"handover": "mon 09:00", "zone": "Europe/Berlin"}
    await applied(
        web, {"teams": {"dba": {"members": ["ann@acme.example", "rita@acme.example"], "rotation": rotation}}}
    )
    await applied(
        web, {"people": {"rita@acme.example": {"hours": HOURS, "zone": "Europe/Paris", "active": False}}}
    )
    otto = (await web.env.directory.of(HOME)).people["per_otto"]
    away = Absence(web.clock.now(), web.clock.now() + timedelta(days=9), "per_ann")
    await web.env.store.people.save([replace(otto, absences=(away,))])
    web.env.directory.changed(HOME)
    found = (await web.get("/v1/export/manifest", "aud"))["manifest"]
    assert set(found) == {"workspace", "people", "teams", "policies", "workflows"}
    planned = await web.post("/v1/apply?dry_run=true", found, "oscar")
    assert planned.status == 200, planned.text
    assert {change["action"] for change in planned["changes"]} == {"unchanged"}
    assert {change["kind"] for change in planned["changes"]} == {
        "workspace",
        "person",
        "team",
        "policy",
        "workflow",
    }


async def test_exported_manifest_changes_nothing_after_people_left(web: WebEnv) -> None:
    """It names what was valid when it was applied, so people who left since are no reason to refuse it."""
    left = "ann@acme.example"
    alone = {"approve": [{"any": [left]}]}
    steps = [{"id": "a", "human": {"policy": "alone"}}]
    own = [{"id": "a", "human": {"title": "Go?", "approvers": [left]}}]
    await applied(
        web,
        {
            "policies": {"alone": alone},
            "workflows": [
                {"workflow": "one", "intent_type": "intent.one.v1", "steps": steps},
                {"workflow": "own", "intent_type": "intent.own.v1", "steps": own},
            ],
        },
    )
    away = [{"from": "2040-01-01", "until": "2040-02-01", "delegate": left}]
    await applied(web, {"people": {"otto@acme.example": {"roles": ["approver"]}}})
    await applied(web, {"people": {"otto@acme.example": {"absences": away}}}, "otto")
    await applied(web, {"people": {left: {"active": False}}})
    found = (await web.get("/v1/export/manifest", "aud"))["manifest"]
    planned = await web.post("/v1/apply?dry_run=true", found, "oscar")
    assert planned.status == 200, planned.text
    assert {change["action"] for change in planned["changes"]} == {"unchanged"}
    assert sum("at present such a request is refused" in one for one in planned["warnings"]) == 2
    # What changes is held to the rule, and so is a manifest that itself takes the people away.
    for changed in (
        {"policies": {"alone": {**alone, "deadline": "4h"}}},
        {"policies": {"another": alone}},
        {
            "workflows": [
                {
                    "workflow": "one",
                    "intent_type": "intent.one.v1",
                    "steps": [*steps, {"id": "b", "human": {"title": "Go?", "approvers": [left]}}],
                }
            ]
        },
    ):
        assert (await web.post("/v1/apply", changed, "oscar")).status == 422, changed
    later = {"people": {"otto@acme.example": {"absences": [{**away[0], "until": "2040-03-01"}]}}}
    assert (await web.post("/v1/apply", later, "otto")).status == 422
    await applied(web, {"people": {left: {"active": True}}})
    together = {"people": {left: {"active": False}}, "policies": {"alone": alone}}
    assert (await web.post("/v1/apply", together, "oscar")).status == 422


async def test_export_with_people_who_left_is_imported_into_another_workspace(web: WebEnv) -> None:
    """They are inactive there too, so that nobody has to be removed from the file."""
    left, here = "left@acme.example", "here@acme.example"
    away = [{"from": "2040-01-01", "until": "2040-02-01", "delegate": left}]
    turns = {"order": [left, here], "handover": "mon 09:00", "zone": "Europe/Berlin", "anchor": "2026-03-02"}
    found = {
        "people": {
            here: {"roles": ["approver"], "active": True, "absences": away},
            left: {"roles": ["approver"], "active": False},
        },
        "teams": {"crew": {"members": [left, here], "rotation": turns}},
    }
    await applied(web, found)
    again = (await web.get("/v1/export/manifest", "aud"))["manifest"]
    assert again["teams"]["crew"] == found["teams"]["crew"]
    assert again["people"][left]["active"] is False
    # one who was inactive before, and is only named, is still refused
    other = {"teams": {"other": {"members": [left, here]}}}
    assert (await web.post("/v1/apply", other, "oscar")).code == "unknown_person"


@pytest.mark.parametrize("kind", ["policies", "workflows"])
@pytest.mark.parametrize(
    ("first", "second", "gone", "leaves", "status"),
    [
        # one stage could not be decided before; then another one
        (["ann@acme.example"], ["otto@acme.example"], "ann", "otto", 422),
        (["ann@acme.example"], ["otto@acme.example"], "ann", "rita", 200),
        # one stage that needs both: nobody is left
        (["team:two"], [], "ann", "otto", 422),
        (["team:two"], [], "ann", "rita", 200),
    ],
)
async def test_manifest_cannot_remove_the_last_people_of_an_unchanged_entry(
    web: WebEnv, kind: str, first: list[str], second: list[str], gone: str, leaves: str, status: int
) -> None:
    need = 2 if first == ["team:two"] else 1
    stages = [{"any": names, "need": need} for names in (first, second) if names]
    steps = [
        {"id": f"s{number}", "human": {"title": "Go?", "approvers": one["any"], "need": need}}
        for number, one in enumerate(stages)
    ]
    entry: dict[str, Any] = {
        "policies": {"policies": {"p": {"approve": stages}}},
        "workflows": {"workflows": [{"workflow": "w", "intent_type": "intent.w.v1", "steps": steps}]},
    }[kind]
    await applied(web, {"teams": {"two": {"members": ["ann@acme.example", "otto@acme.example"]}}})
    await applied(web, entry)
    await applied(web, {"people": {f"{gone}@acme.example": {"active": False}}})
    together = {"people": {f"{leaves}@acme.example": {"active": False}}, **entry}
    answer = await web.post("/v1/apply?dry_run=true", together, "oscar")
    assert answer.status == status, answer.text
    await applied(web, {"people": {"otto@acme.example": {"active": False}}})
    # Who comes back makes it no worse, even if it is still not enough.
    back = {"people": {"otto@acme.example": {"active": True}}, **entry}
    assert (await web.post("/v1/apply", back, "oscar")).status == 200


async def every_page(web: WebEnv, path: str) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        joined = "&" if "?" in path else "?"
        page = await web.get(path + (f"{joined}cursor={cursor}" if cursor else ""), "aud")
        assert page.status == 200, page.text
        pages.append(page["records"])
        cursor = page.json.get("next_cursor", "")
        if not cursor:
            return pages


async def test_every_event_is_exported_once_in_order(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    task = await gate(web)
    await web.post(f"/v1/tasks/{task}/comment", {"comment": "the password=hunter2 is wrong"}, "ann")
    for _ in range(7):
        await web.send(to_agent="validator", intent_type=PLAIN, payload={"password": "hunter2"})
    pages = await every_page(web, "/v1/export/audit?bodies=true&limit=3")
    assert len(pages) == 3
    records = [record for page in pages for record in page]
    listed = [(record["intent_id"], record["seq"]) for record in records]
    assert listed == sorted(set(listed))
    assert len({intent for intent, _ in listed}) == 8
    previous = ""
    for record in (one for one in records if one["intent_id"] == task[:-4] + "0000"):
        body = bytes.fromhex(previous) + record["body"].encode()
        previous = record["hash"]
        assert hashlib.sha256(b"signoff/event/v1\0" + body).hexdigest() == previous
    intents = [record for page in await every_page(web, "/v1/export/intents") for record in page]
    assert [one["intent_id"] for one in intents] == sorted({intent for intent, _ in listed})
    assert intents[0]["head"] == previous
    plain = str(await every_page(web, "/v1/export/audit")) + str(intents)
    assert "hunter2" not in plain
    assert "'body'" not in plain


async def test_page_of_requests_is_limited_to_four_megabytes_and_masked_off_the_event_loop(
    web: WebEnv,
) -> None:
    sent = [
        await web.send(to_agent="validator", intent_type=PLAIN, payload={"n": n, "note": "x" * 120_000})
        for n in range(36)
    ]
    first, masked = await on_the_loop(lambda: web.get("/v1/export/intents?limit=100", "aud"), "_masked")
    assert (len(first["records"]), masked) == (34, 0)
    pages = await every_page(web, "/v1/export/intents?limit=100")
    assert [len(page) for page in pages] == [34, 2]
    assert [one["intent_id"] for page in pages for one in page] == sent
    assert pages[0][0]["payload"] == {"n": 0, "note": "x" * 120_000}
    assert len(await every_page(web, "/v1/export/audit?bodies=true&limit=100")) == 1


async def test_since_omits_what_is_older(web: WebEnv) -> None:
    await web.send(to_agent="validator", intent_type=PLAIN)
    web.clock.move(timedelta(hours=1))
    late = await web.send(to_agent="validator", intent_type=PLAIN)
    since = (web.clock.now() - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    [[record]] = await every_page(web, f"/v1/export/intents?since={since}")
    assert record["intent_id"] == late
    wrong = await web.get("/v1/export/audit?since=yesterday", "aud")
    assert (wrong.status, wrong["error"]["field"]) == (422, "since")


async def test_later_events_of_an_older_request_are_exported(web: WebEnv) -> None:
    old = await web.send(to_agent="validator", intent_type=PLAIN)
    await web.send(to_agent="stranger", intent_type=PLAIN)
    web.clock.move(timedelta(days=1))
    at = web.clock.now().isoformat().replace("+00:00", "Z")
    assert (await web.post(f"/v1/intents/{old}/resolve", {"status": "CANCELED"})).status == 200
    [records] = await every_page(web, f"/v1/export/audit?changed_since={at}")
    assert [(one["intent_id"], one["type"]) for one in records] == [(old, "canceled")]
    [[record]] = await every_page(web, f"/v1/export/intents?changed_since={at}")
    assert record["intent_id"] == old
    wrong = await web.get("/v1/export/audit?changed_since=yesterday", "aud")
    assert (wrong.status, wrong["error"]["field"]) == (422, "changed_since")


@pytest.mark.parametrize("path", ["manifest", "intents", "audit"])
@pytest.mark.parametrize("who", ["ann", "rita", "agent", "ci"])
async def test_only_auditors_export(web: WebEnv, path: str, who: str) -> None:
    assert (await web.get(f"/v1/export/{path}", who)).code == "auditor_required"


async def test_exported_requests_contain_no_secret(web: WebEnv) -> None:
    secret = "hunter2-Tr0ub4dor"
    await web.send(payload={"password": secret}, correlation_id=f"run token={secret}")
    text = (await web.get("/v1/export/intents", "oscar")).text
    assert ("run token=[17 characters" in text, secret in text) == (True, False)
