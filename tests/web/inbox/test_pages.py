"""Lists, search, the parts of a card, history with its proof, people, keys, and static files."""

import hashlib
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from signoff.core.text.json_diff import group, leaves
from signoff.web.pages.kit.render import static_files, static_url
from signoff.web.pages.task.schema_form import data_of, fields_of
from tests.web.inbox.reading import Reader, reader
from tests.web.web_env import HOME, WebEnv

ANN = ["ann@acme.example"]


async def test_inbox_lists_own_tasks_first_and_can_be_searched(web: WebEnv) -> None:
    _, mine = await web.ask(assignees=ANN, title="About invoices")
    _, theirs = await web.ask(assignees=["otto@acme.example"], title="About disks")
    ann = await reader(web, "ann")
    page = await ann.get("/")
    assert "(1) Inbox" in page.title
    assert mine in page.html
    assert theirs not in page.html
    page = await ann.get("/?view=all")
    assert mine in page.html
    assert theirs in page.html
    page = await ann.get("/?view=all&q=DISKS")
    assert mine not in page.html
    assert theirs in page.html
    assert "match the filter" in (await ann.get("/?q=nonsense")).text
    assert "match the filter" in (await ann.get("/?type=intent.other.v1")).text
    await ann.decide(mine, "rejected")
    assert "No open tasks for you." in (await ann.get("/")).text
    assert "rejected" in (await ann.get("/?view=done")).text


async def test_most_urgent_task_is_first(web: WebEnv) -> None:
    _, calm = await web.ask(assignees=ANN)
    await web.apply_workflow(
        steps=[{"id": "a", "human": {"type": "approval", "approvers": ANN}, "deadline": "20m"}]
    )
    urgent = (await web.send())[:-4]
    page = await (await reader(web, "ann")).get("/")
    assert page.html.index(urgent) < page.html.index(calm)
    assert "20m left" in page.text or "19m left" in page.text
    longest = await (await reader(web, "ann")).get("/?sort=age")
    assert longest.html.index(calm) < longest.html.index(urgent)


async def test_card_has_its_eleven_parts_in_order(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    ann = await reader(web, "ann")
    page = await ann.get(f"/tasks/{task_id}")
    places = [
        "Run the migration?",
        "from ci",
        "left.",
        "nothing is approved",
        "Payload",
        "prod-postgres-main",
        "Automatic checks",
        "passed",
        "Effect",
        "Can it be undone?",
        "Your decision",
        "Completes the request.",
        "Ends the request as failed.",
        "Requester",
        "Why you",
        "You are named as an approver.",
        "Approvers and schedule",
        "Asked",
        "you",
        "Otto",
        "Reminder 1 of 3",
        "Emma may also decide",
        "The task expires",
    ]
    at = 0
    for place in places:
        found = page.text.find(place, at)
        assert found >= 0, f"{place!r} is not on the card after {page.text[at - 60 : at]!r}"
        at = found
    await ann.decide(task_id, "approved", comment="Go.")
    receipt = await ann.get(f"/tasks/{task_id}")
    for part in (
        "Approved",
        "You decided",
        "through the pages",
        "Go.",
        "completed",
        "Revision and digest 1",
        "event",
    ):
        assert part in receipt.text


async def test_missing_facts_are_shown_as_unknown(web: WebEnv) -> None:
    _, task_id = await web.ask(assignees=ANN)
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "No automatic check has run." in page.text
    assert "Assume that it cannot be undone." in page.text
    assert "The first request of this type." in page.text


async def test_expired_task_says_that_nobody_decided(web: WebEnv) -> None:
    _, task_id = await web.at_gate()
    await web.env.pass_time(timedelta(hours=9))
    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    assert "Expired" in page.text
    assert "No decision before the deadline" in page.text
    assert not page.forms


async def test_open_agent_step_says_what_it_waits_for_and_why_it_failed(web: WebEnv) -> None:
    step = {"id": "check", "agent": "validator", "retry": {"max": 2, "delay": "30s"}}
    flow = {"workflow": "r", "intent_type": "intent.r.v1", "steps": [step]}
    assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
    intent_id = await web.send(intent_type="intent.r.v1", payload={"a": 1})
    oscar = await reader(web, "oscar")

    async def shown() -> str:
        return (await oscar.get(f"/intents/{intent_id}")).text

    assert "agent://acme/prod/validator, waits for a worker" in await shown()
    [held] = (await web.post("/v1/agents/validator/deliveries/claim", {}, "agent"))["deliveries"]
    assert "agent://acme/prod/validator, in progress" in await shown()
    fault = {"code": "down", "message": "replica-3 does not respond", "retryable": True}
    report = {"token": held["token"], "error": fault}
    await web.post(f"/v1/deliveries/{held['delivery_id']}/report", report, "agent")
    page = await shown()
    assert "waits for the next attempt, 2 Mar 2026, 09:00:30" in page
    assert "The last attempt failed: replica-3 does not respond" in page


async def test_request_without_a_workflow_or_agent_says_so(web: WebEnv) -> None:
    sent = await web.post("/v1/intents", {"intent_type": "intent.misspelled.v1", "payload": {}}, "ci")
    [warning] = sent["warnings"]
    assert "no workflow handles intent.misspelled.v1, and the request names no agent" in warning
    page = await (await reader(web, "oscar")).get(f"/intents/{sent['intent_id']}")
    assert "The request names no agent, and no workflow handles its type" in page.text


async def test_result_of_a_human_step_is_shown_in_words(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    assert (await web.answer(task_id, "approved", "ann")).status == 200
    page = (await (await reader(web, "oscar")).get(f"/intents/{intent_id}")).text
    assert "decided_at 2026-03-02 09:00 UTC decided_by Ann via the API" in page


async def test_intent_page_shows_its_steps_and_a_cancel_button(web: WebEnv) -> None:
    intent_id, task_id = await web.at_gate()
    oscar = await reader(web, "oscar")
    page = await oscar.get(f"/intents/{intent_id}")
    for part in ("validate", "done", "approve", "waits for an answer", "Task opened", "finished step"):
        assert part in page.text
    assert f"/tasks/{task_id}" in page.html
    answer = await oscar.post(f"/intents/{intent_id}/cancel", reason="Not today")
    assert answer.where == f"/intents/{intent_id}"
    assert await web.status(intent_id) == "CANCELED"
    assert "withdrawn" in (await oscar.get(f"/tasks/{task_id}")).text.lower()
    assert (await oscar.post(f"/intents/{intent_id}/cancel")).status == 409


async def test_reader_who_may_not_cancel_has_no_button(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    aud = await reader(web, "aud")
    assert not (await aud.get(f"/intents/{intent_id}")).forms
    assert (await aud.post(f"/intents/{intent_id}/cancel")).status == 403


async def test_audit_page_verifies_the_chain_and_reports_a_break(web: WebEnv) -> None:
    intent_id, _ = await web.at_gate()
    aud = await reader(web, "aud")
    page = await aud.get(f"/audit/{intent_id}")
    assert "Verified just now." in page.text
    row = (await web.env.store.intents.history(intent_id))[1]
    assert row.hash in page.text
    await web.env.store.write(
        (
            "update events set body = :body where intent_id = :id and seq = 2",
            {"body": row.body.replace(b"2026", b"2025"), "id": intent_id},
        )
    )
    assert "does not verify: event 2" in (await aud.get(f"/audit/{intent_id}")).text


async def test_damaged_events_are_shown_to_who_may_verify(web: WebEnv) -> None:
    intent_id, _ = await web.ask()
    changed = "update events set body = :body where intent_id = :id and seq = 1"
    await web.env.store.write((changed, {"id": intent_id, "body": b"<b>overwritten</b>"}))
    aud = await reader(web, "aud")
    page = await aud.get(f"/audit/{intent_id}")
    assert page.status == 200, page.text
    assert "does not verify: event 1" in page.text
    assert "the stored bytes cannot be read as an event" in page.text
    assert "<b>overwritten</b>" in page.text
    assert (await aud.get(f"/intents/{intent_id}")).status == 200


async def test_admins_add_people_and_create_and_revoke_keys(web: WebEnv) -> None:
    oscar = await reader(web, "oscar")
    assert (
        await oscar.post("/people", [("email", "nina@acme.example"), ("name", "Nina"), ("role", "approver")])
    ).status == 303
    assert "nina@acme.example" in (await oscar.get("/people")).text
    refused = await oscar.post("/people", [("email", "no address"), ("name", "<b>x")])
    assert refused.status == 422
    assert "is not an e-mail address" in refused.text
    made = await oscar.post("/keys", kind="person", name="nina@acme.example", life="30")
    secret = next(word for word in made.text.split() if word.startswith("sgn_person_") and "…" not in word)
    web.keys["nina"] = secret
    nina = await Reader(web, "nina").sign_in(key=True)
    assert (await nina.get("/keys")).status == 403
    assert (await nina.post("/people", email="x@y.z")).status == 403
    assert (await nina.post("/agents/sa_none/remove")).status == 403
    assert secret not in (await oscar.get("/keys")).html
    key_id = "sak_" + secret.split("_")[2]
    assert (await oscar.post(f"/keys/{key_id}/revoke")).where == "/keys"
    assert (await nina.get("/")).status == 303, "the session ends with its key"


@pytest.mark.parametrize(
    "path",
    [
        "/workflows",
        "/agents",
        "/people",
        "/teams",
        "/policies",
        "/changes",
        "/me",
        "/keys",
        "/intents",
        "/intents?status=running",
        "/logout",
    ],
)
async def test_other_pages_load(web: WebEnv, path: str) -> None:
    await web.at_gate()
    page = await (await reader(web, "oscar")).get(path)
    assert page.status == 200
    assert page.heading


async def test_used_sign_in_link_redirects_only_a_signed_in_person(web: WebEnv) -> None:
    used = await (await reader(web, "oscar")).get("/login/x?next=/me")
    assert (used.status, used.where) == (303, "/me")
    assert (await Reader(web).get("/login/x")).status == 410


async def test_malformed_id_is_a_not_found_page(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    for path in (
        "/tasks/x",
        "/intents/x",
        "/audit/x",
        "/tasks/00000000-0000-7000-8000-000000000000",
        "/?after=x",
        "/?view=done&before=x",
        "/intents?before=x",
    ):
        page = await ann.get(path)
        assert (page.status, page.heading) == (404, "Not found"), path


# -- changes and forms


PAYLOAD: dict[str, Any] = {
    "a": 1,
    "b": [True, None, "x"],
    "c": {"d": {"before": {"e": 1, "f": 2}, "after": {"e": 1, "g": 3}}},
    "h": {},
    "i": "l1\nl2",
    "j": {"from": "a\nb", "to": "a\nc"},
}


def mutations(value: Any) -> list[Any]:
    """The value with one leaf changed, for each leaf."""
    if isinstance(value, dict):
        return [{**value, k: m} for k, v in value.items() for m in mutations(v)]
    if isinstance(value, list):
        return [[*value[:i], m, *value[i + 1 :]] for i, v in enumerate(value) for m in mutations(v)]
    return ["changed"]


def test_every_change_of_a_payload_changes_the_page() -> None:
    shown = group(PAYLOAD, True)
    assert all(group(changed, True) != shown for changed in mutations(PAYLOAD))
    assert group({**PAYLOAD, "also_run": "rm"}, True) != shown


def test_folded_values_are_counted() -> None:
    big = {"x": "y" * 5000, **{f"k{n}": n for n in range(60)}}
    shown = group(big, False)
    assert shown.folded
    assert shown.rest == 61 - len(shown.leaves)
    assert shown.leaves[0].hidden == 5000 - len(shown.leaves[0].text)
    assert not group(big, True).folded


def test_long_line_is_compared_in_linear_time() -> None:
    found = list(leaves({"before": "x" * 100_000 + "\n", "after": "x" * 99_999 + "y\n"}))
    assert found[0].diff is not None
    assert [line.sign for line in found[0].diff.lines] == ["-", "+", " "]


SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "b": {"type": "boolean"},
        "e": {"enum": [1, "two", True]},
        "m": {"type": "array", "items": {"enum": [1, 2, "three"]}},
        "d": {"type": "string", "format": "date-time"},
        "o": {"type": "object", "properties": {"i": {"type": "string"}}},
        "j": {"type": "array"},
        "k": {"const": "fixed"},
        "pw": {"type": "string", "format": "password", "title": "Your Okta password"},
        "approved": {"type": "boolean"},
    },
}


def test_form_round_trip_keeps_values() -> None:
    fields = {field.path: field for field in fields_of(SCHEMA)}
    assert fields["e",].control == "one"
    assert fields["o", "i"].group == "o"
    assert fields["j",].control == "json"
    assert fields["pw",].secret
    assert fields["pw",].input == "text", "a password field would look as if secrets belonged there"
    assert ("approved",) not in fields, "the button says that"
    posted = [
        ("f.n", "3"),
        ("f.x", "2.5"),
        ("f.b", "true"),
        ("f.e", "1"),
        ("f.m", "2"),
        ("f.m", "three"),
        ("f.d", "2026-03-01T10:00"),
        ("f.o.i", "in"),
        ("f.j", "[1]"),
        ("f.k", "changed"),
        ("f.pw", ""),
    ]
    assert data_of(SCHEMA, posted) == {
        "n": 3,
        "x": 2.5,
        "b": True,
        "e": 1,
        "m": [2, "three"],
        "d": "2026-03-01T10:00:00Z",
        "o": {"i": "in"},
        "j": [1],
        "k": "fixed",
    }


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"properties": []},
        {"properties": {"a": 1}},
        {"properties": {"a": {"enum": [{}]}}},
        {"required": 1, "properties": {"a": {"type": ["string", "null"]}}},
    ],
)
def test_odd_schemas_still_make_a_form(rule: dict[str, Any]) -> None:
    data_of({"type": "object", **rule}, [(field.name, "") for field in fields_of({"type": "object", **rule})])


# -- files


async def test_static_files_are_cached_forever_under_their_hash(web: WebEnv) -> None:
    for name in ("inbox.css", "inbox.js", "icon.svg"):
        page = await Reader(web).get(static_url(name))
        assert page.status == 200
        assert "immutable" in page.headers["cache-control"]
    assert (await Reader(web).get("/static/inbox.css")).status == 404
    assert (await Reader(web).get("/static/..%2Fdoor.py")).status == 404


def test_downloads_stay_small() -> None:
    sizes = {name.split(".")[-1]: len(body) for name, (body, _) in static_files().items()}
    assert sizes["css"] < 14_500
    assert sizes["js"] < 6_600  # with the keys that select and go to the buttons


def test_templates_contain_no_script_or_escape_bypass() -> None:
    for file in (files("signoff.web.pages") / "templates").iterdir():
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("|safe", "autoescape", "style=") if word in text], file.name
        assert text.count("<script") == (1 if file.name == "base.html" else 0), file.name


def test_vendored_files_match_their_lock() -> None:
    folder = Path(__file__).parent / "vendor"
    rows = [
        line.split() for line in (folder / "vendor.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert rows
    for _, _, name, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


async def test_workspace_is_named(web: WebEnv) -> None:
    page = await (await reader(web, "ann")).get("/")
    assert HOME not in page.text
    assert "Workspace acme/prod" in page.text


async def test_requests_are_found_by_text_and_opened_by_id(web: WebEnv) -> None:
    found = await web.send(intent_type="a.b.v1", to_agent="validator", payload={"ticket": "OPS-1090"})
    await web.send(intent_type="a.b.v1", to_agent="validator", payload={"ticket": "OPS-77"})
    oscar = await reader(web, "oscar")
    page = await oscar.get("/intents?q=ops-1090")
    assert page.status == 200
    assert "OPS-1090" in page.text
    assert "OPS-77" not in page.text
    assert "No requests match." in (await oscar.get("/intents?q=OPS-9999")).text
    gone = await oscar.get(f"/intents?q={found}")
    assert (gone.status, gone.headers["location"]) == (303, f"/intents/{found}")
