"""Signing in a terminal through a browser: what the person sees, and who gets the key."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from signoff.engine.commit.retention import RetentionLoop
from signoff.engine.identity.device_logins import DeviceLogins
from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.inbox.reading import SAME, Reader, Shown, everything, reader
from tests.web.web_env import HOME, TYPE, WebEnv

POLL = timedelta(seconds=5)


async def start(web: WebEnv, host: str = "ann-laptop") -> dict[str, Any]:
    answer = await web.post("/v1/device-logins", {"host": host}, "", user_agent="signoff-cli/0.1.0 (test)")
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def poll(web: WebEnv, asked: dict[str, Any]) -> Any:
    web.clock.move(POLL)
    return await web.post("/v1/device-logins/poll", {"device_code": asked["device_code"]}, "")


async def press(who: Reader, asked: dict[str, Any], button: str = "allow", **fields: str) -> Shown:
    """Type the code, open the page, and press a button with the page's fields."""
    shown = await who.post("/device", code=asked["user_code"])
    assert shown.status == 200, shown.text
    return await who.post(f"/device/{button}", **dict(shown.form(f"/device/{button}")["fields"]) | fields)


def name_of(key: str) -> str:
    return f"sak_{key.split('_')[2]}"


async def test_allowed_terminal_acts_as_the_person(web: WebEnv) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    assert re.fullmatch(r"[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", asked["user_code"])
    assert (asked["verification_uri"], asked["expires_in"], asked["interval"]) == (
        "http://signoff.test/device",
        600,
        5,
    )
    assert (await poll(web, asked)).json == {"ok": True, "status": "pending"}

    before = await everything(web)
    assert "The code in your terminal" in (await ann.get("/device")).text
    typed = f" {asked['user_code'].lower().replace('-', ' ')} "
    shown = await ann.post("/device", code=typed)
    assert await everything(web) == before, "looking grants nothing"
    for said in (
        asked["user_code"],
        "ann-laptop",
        "as it calls itself; not checked",
        "127.0.0.1",
        "acme/prod",
    ):
        assert said in shown.text
    assert asked["user_code"] not in str(shown.headers)

    done = await ann.post("/device/allow", **dict(shown.form("/device/allow")["fields"]) | {"life": "7"})
    assert done.heading == "You allowed the terminal to sign in"
    found = await poll(web, asked)
    assert found["status"] == "allowed"
    web.keys["terminal"] = key = found["api_key"]
    me = await web.get("/v1/me", "terminal")
    assert (me["actor"]["id"], me["workspace_id"]) == ("per_ann", HOME)
    [row] = [row for row in (await web.get("/v1/keys", "terminal"))["keys"] if row["key_id"] == name_of(key)]
    assert (row["name"], row["kind"], row["status"]) == ("ann-laptop", "person", "active")
    expires = web.clock.now() + timedelta(days=7)
    assert row["expires_at"] == found["expires_at"] == expires.isoformat().replace("+00:00", "Z")
    assert "<strong>ann-laptop</strong>, signed in by you" in (await ann.get("/me")).html

    stored = repr(await everything(web))
    for secret in (key, asked["device_code"], asked["user_code"], asked["user_code"].replace("-", "")):
        assert secret not in stored, "only hashes are kept"


async def test_change_log_says_who_allowed_a_terminal_when_and_from_where(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "ann"), asked)
    key = (await poll(web, asked))["api_key"]
    newest = (await web.get("/v1/changes", "aud"))["changes"][0]
    assert (newest["kind"], newest["name"], newest["actor"]["id"], newest["via"]) == (
        "key",
        name_of(key),
        "per_ann",
        "web",
    )
    assert (newest["after"]["terminal"], newest["after"]["address"]) == ("ann-laptop", "127.0.0.1")


async def test_key_is_fetched_once_and_the_code_works_once(web: WebEnv) -> None:
    asked, ann, otto = await start(web), await reader(web, "ann"), await reader(web, "otto")
    await press(ann, asked)
    for who, path in ((ann, "/device"), (otto, "/device"), (otto, "/device/allow"), (otto, "/device/deny")):
        refused = await who.post(path, code=asked["user_code"], life="7")
        assert (refused.status, "No terminal is waiting" in refused.text) == (410, True)
    assert (await poll(web, asked))["status"] == "allowed"
    for _ in range(2):
        again = await poll(web, asked)
        assert (again.status, again.code) == (410, "login_expired")


async def test_denied_terminal_gets_nothing(web: WebEnv) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    keys = len(await web.env.store.directory.keys(HOME))
    assert (await press(ann, asked, "deny")).heading == "You denied the sign-in"
    refused = await poll(web, asked)
    assert (refused.status, refused.code) == (403, "login_denied")
    assert (await ann.post("/device/allow", code=asked["user_code"], life="7")).status == 410
    assert len(await web.env.store.directory.keys(HOME)) == keys


@pytest.mark.parametrize("allowed", [False, True])
async def test_device_login_expires_after_ten_minutes(web: WebEnv, allowed: bool) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    if allowed:
        await press(ann, asked)
    web.clock.move(timedelta(minutes=10))
    assert (await ann.post("/device", code=asked["user_code"])).status == 410
    assert (await ann.post("/device/allow", code=asked["user_code"], life="7")).status == 410
    assert (await poll(web, asked)).code == "login_expired"
    await web.env.store.sessions.forget(web.clock.now(), 50)
    assert await web.env.store.read("select id from device_logins") == []


async def test_retention_deletes_expired_device_logins(web: WebEnv) -> None:
    await start(web)
    loop = RetentionLoop(web.env.store, web.env.recent, web.clock, None)
    for _ in range(30):
        web.clock.move(timedelta(minutes=1))
        await loop.once()
    assert await web.env.store.read("select id from device_logins") == []


async def test_session_opened_by_a_key_cannot_allow_a_terminal(web: WebEnv) -> None:
    asked = await start(web)
    for who in ("ann", "oscar"):
        by_key = await Reader(web, who).sign_in(key=True)
        shown = await by_key.post("/device", code=asked["user_code"])
        assert "a key alone cannot create another one" in shown.text
        assert "/device/allow" not in shown.html
        refused = await by_key.post("/device/allow", code=asked["user_code"], life="7")
        assert (refused.status, "stronger_sign_in_required" in refused.html) == (403, True)
    assert (await poll(web, asked))["status"] == "pending"


async def test_key_of_a_terminal_is_no_stronger_than_any_key(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "ann"), asked)
    web.keys["terminal"] = (await poll(web, asked))["api_key"]
    for risk, code in (("high", "stronger_sign_in_required"), ("low", "")):
        human = {"type": "approval", "policy": {"approve": [{"any": ["ann@acme.example"]}], "risk": risk}}
        flow = {"workflow": "w", "intent_type": TYPE, "steps": [{"id": "ok", "human": human}]}
        assert (await web.post("/v1/workflows", flow, "oscar")).status == 200
        task = f"{(await web.send())[:-4]}0001"
        digest = (await web.get(f"/v1/tasks/{task}", "terminal"))["task"]["digest"]
        answer = {"outcome": "approved", "digest": digest}
        assert (await web.post(f"/v1/tasks/{task}/answer", answer, "terminal")).code == code
    again = await start(web)
    by_it = await Reader(web, "terminal").sign_in(key=True)
    assert (await by_it.post("/device/allow", code=again["user_code"], life="7")).status == 403


async def test_allowing_requires_a_session_and_our_form(web: WebEnv) -> None:
    asked = await start(web)
    away = await Reader(web).get("/device")
    assert (away.status, away.where) == (303, "/login?next=%2Fdevice")
    assert (await Reader(web).post("/device/allow", code=asked["user_code"], life="7")).status == 401
    ann = await reader(web, "ann")
    forged = {"code": asked["user_code"], "life": "7"}
    for path in ("/device", "/device/allow", "/device/deny"):
        assert (await ann.http.post(path, data=forged, headers=SAME)).status_code == 403
        evil = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
        right = forged | {"form_token": ann.token}
        assert (await ann.http.post(path, data=right, headers=evil)).status_code == 403
        if path != "/device":
            got = await ann.http.get(f"{path}?code={asked['user_code']}&life=7&form_token={ann.token}")
            assert got.status_code == 405
    await ann.get(f"/device?code={asked['user_code']}&life=7")
    assert (await poll(web, asked))["status"] == "pending"


@pytest.mark.parametrize("life", ["", "0", "365", "30.0", "-1", "x"])
async def test_lifetime_of_the_key_must_be_one_of_the_choices(web: WebEnv, life: str) -> None:
    asked = await start(web)
    refused = await press(await reader(web, "ann"), asked, life=life)
    assert (refused.status, "Choose how long" in refused.text) == (422, True)
    assert (await poll(web, asked))["status"] == "pending"


async def test_guessing_codes_is_rate_limited(web: WebEnv) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    statuses = [
        (
            await ann.post(
                ("/device", "/device/allow", "/device/deny")[n % 3], code=f"BCDFGHJ{n % 10}", life="7"
            )
        ).status
        for n in range(25)
    ]
    assert statuses == [410] * 20 + [429] * 5
    assert (await ann.post("/device", code=asked["user_code"])).status == 429, "the right one as well"
    assert (await press(await reader(web, "otto"), asked)).status == 200, "nobody else is affected"


async def test_device_logins_are_limited_per_caller(web: WebEnv) -> None:
    for _ in range(30):
        await start(web)
    refused = await web.post("/v1/device-logins", {}, "")
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    web.clock.move(timedelta(minutes=10))
    await start(web)


async def test_terminal_that_polls_too_often_is_told_to_slow_down(web: WebEnv) -> None:
    asked = await start(web)
    assert (await poll(web, asked)).status == 200
    refused = await web.post("/v1/device-logins/poll", {"device_code": asked["device_code"]}, "")
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, "slow_down", "5")
    assert (await poll(web, asked)).status == 200


@pytest.mark.parametrize("host", ["a\nb", "a\x1b[31m", "\u202ebad", "a\u200bb", "x" * 65])
async def test_unprintable_terminal_name_is_refused(web: WebEnv, host: str) -> None:
    refused = await web.post("/v1/device-logins", {"host": host}, "")
    assert (refused.status, refused["error"]["field"]) == (422, "host")


async def test_markup_in_a_name_is_text(web: WebEnv) -> None:
    asked, ann = await start(web, "<b>x</b> {{ 7*7 }}"), await reader(web, "ann")
    shown = await ann.post("/device", code=asked["user_code"])
    assert "<b>x</b> {{ 7*7 }}" in shown.text
    assert "<b>x" not in shown.html
    await press(ann, asked)
    await poll(web, asked)
    assert "<b>x" not in (await ann.get("/me")).html


async def test_each_request_may_go_to_another_server(web: WebEnv) -> None:
    """No server keeps a sign-in in memory."""
    env = web.env
    one, two, three = (DeviceLogins(env.store, env.keys, env.clock) for _ in range(3))
    started = await one.start("ann-laptop", "signoff-cli/0.1.0", "192.0.2.1")
    ann = await env.keys.person(HOME, "per_ann", "web")
    assert ann is not None
    assert (await two.find(ann, started.user_code, "192.0.2.2")).host == "ann-laptop"
    await two.allow(ann, started.user_code, "1", "192.0.2.2")
    made = await three.poll(started.device_code, "192.0.2.1")
    assert made is not None
    assert (await env.keys.authenticate(made.secret, "cli")).id == "per_ann"


async def test_person_who_left_meanwhile_gives_no_access(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "ann"), asked)
    gone = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": False}, "oscar")
    assert gone.status == 200, gone.text
    assert (await poll(web, asked)).code == "login_expired"


async def test_reactivated_person_must_allow_the_terminal_again(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "ann"), asked)
    for active in (False, True):
        changed = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": active}, "oscar")
        assert changed.status == 200, changed.text
    assert (await poll(web, asked)).code == "login_expired"


@pytest.mark.parametrize("one", [False, True])
async def test_signing_out_everywhere_cancels_pending_device_logins(web: WebEnv, one: bool) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    await press(ann, asked)
    other = await reader(web, "ann")
    token = other.http.cookies["signoff_session"]
    opened = await web.state.sessions.open_ones(await web.actor("ann"), "per_ann", token)
    [session] = [found.id for found in opened if not found.current]
    ended = await other.post("/people/per_ann/sessions", **({"session": session} if one else {}))
    assert ended.status == 303, ended.text
    assert (await poll(web, asked)).code == ("" if one else "login_expired")


async def test_signing_out_cancels_them_without_other_sessions_too(web: WebEnv) -> None:
    asked, ann = await start(web), await reader(web, "ann")
    await press(ann, asked)
    assert (await ann.post("/people/per_ann/sessions")).status == 303
    assert (await poll(web, asked)).code == "login_expired"
    again = await start(web)
    await press(ann, again)
    assert (await poll(web, again))["status"] == "allowed", "a later one is not affected"


async def test_person_is_notified_by_mail(web: WebEnv) -> None:
    async with mailing(web) as server:
        asked = await start(web)
        await press(await reader(web, "ann"), asked)
        key = (await poll(web, asked))["api_key"]
        await mails_sent(web)
        [mail] = server.mails
        assert (mail["To"], mail["Subject"]) == (
            "ann@acme.example",
            "Signoff: A terminal was signed in as you",
        )
        text = mail.get_body(("plain",)).get_content()
        assert "ann-laptop (as it calls itself), from 127.0.0.1" in text
        assert key not in text
        assert (await web.post("/v1/keys", {"person": "otto@acme.example"}, "oscar")).status == 200
        await mails_sent(web)
        assert (server.mails[-1]["To"], "Oscar" in server.mails[-1].as_string()) == (
            "otto@acme.example",
            True,
        )


async def test_erasing_a_person_erases_the_names_of_their_terminals(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "ann"), asked)
    await poll(web, asked)
    manifest = {"remove": {"people": ["ann@acme.example"]}}
    removed = await web.post("/v1/apply", manifest, "oscar")
    assert removed.status == 200, removed.text
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar")).status == 200
    web.clock.move(timedelta(minutes=10))
    await web.env.store.sessions.forget(web.clock.now(), 50)
    assert "ann-laptop" not in repr(await everything(web))


@pytest.mark.parametrize("host", ["otto@acme.example", "terminal", "holder", "person", "acme/prod", "all"])
async def test_erasing_a_terminal_name_changes_no_other_entry(web: WebEnv, host: str) -> None:
    """A terminal's name may equal another person's, a policy's or a word of the records."""
    policy = {"approve": [{"any": ["otto@acme.example"]}]}
    for kept in (policy, policy | {"deadline": "8h"}):
        stored = await web.post("/v1/policies", {"name": "all", "policy": kept}, "oscar")
        assert stored.status == 200, stored.text
    asked = await start(web, host)
    await press(await reader(web, "ann"), asked)
    await poll(web, asked)
    assert (await web.post("/v1/apply", {"remove": {"people": ["ann@acme.example"]}}, "oscar")).status == 200
    columns = "kind, name, subject, before, after"
    query = f"select {columns} from changes order by number"
    old, before = await web.env.store.read("select source from policies"), await web.env.store.read(query)
    assert (await web.post("/v1/people/per_ann/erase", {}, "oscar")).status == 200
    assert await web.env.store.read("select source from policies") == old
    for was, now in zip(before, await web.env.store.read(query), strict=False):
        if was[0] == "key" and was[2] == "person:per_ann":
            for text, kept in zip(was[3:], now[3:], strict=True):
                known = {
                    k: v for k, v in json.loads(text or "{}").items() if k not in ("terminal", "address")
                }
                assert json.loads(kept or "{}") == known
        elif was[2] != "person:per_ann":
            assert now == was


async def test_only_the_persons_own_workspace_is_affected(web: WebEnv) -> None:
    asked = await start(web)
    await press(await reader(web, "sam"), asked)
    before = len(await web.env.store.directory.keys(HOME))
    web.keys["terminal"] = (await poll(web, asked))["api_key"]
    assert len(await web.env.store.directory.keys(HOME)) == before
    assert (await web.get("/v1/me", "terminal"))["workspace_id"] != HOME
    assert "ann-laptop" not in (await web.get("/v1/changes", "oscar")).text
