"""Signing in by a person's key, or by a link that its button uses up and opening it does not."""

import re
from datetime import timedelta

import httpx2
import msgspec
import pytest

from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Unauthenticated
from signoff.engine.identity.rate_limit import FailedAttempts
from signoff.web.pages.kit.csrf import form_token
from signoff.web.pages.signin import local
from tests.builders import START
from tests.web.inbox.reading import SAME, Reader, everything, reader
from tests.web.web_env import HOME, WebEnv


async def test_person_signs_in_with_their_key(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    page = await ann.get("/")
    assert page.status == 200
    assert "No open tasks for you." in page.text
    assert "Ann" in page.text


async def test_cookie_is_limited_to_this_server(web: WebEnv) -> None:
    ann = Reader(web, "ann")
    answer = await ann.post("/login", key=web.keys["ann"])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    web.state.settings = msgspec.structs.replace(web.state.settings, base_url="https://signoff.test")
    answer = await ann.post("/login", key=web.keys["ann"])
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "; Secure" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers


async def test_database_contains_no_token(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    token = await web.state.sessions.login_link(HOME, "per_ann")
    held = repr(await everything(web))
    assert token not in held
    assert all(value not in held for value in dict(ann.http.cookies).values())


@pytest.mark.parametrize(("who", "status"), [("agent", 403), ("ci", 403)])
async def test_programs_cannot_sign_in(web: WebEnv, who: str, status: int) -> None:
    page = await Reader(web, who).post("/login", key=web.keys[who])
    assert page.status == status
    assert "only people sign in" in page.text


@pytest.mark.parametrize(
    "key", ["", "nonsense", "sgn_person_x_y", "sgn_person_" + "a" * 5000, "sgn_person_é_1"]
)
async def test_malformed_key_is_refused(web: WebEnv, key: str) -> None:
    page = await Reader(web).post("/login", key=key)
    assert page.status == 401
    assert "set-cookie" not in page.headers or "signoff_session" not in page.headers["set-cookie"]


async def test_every_page_redirects_to_the_sign_in_without_a_session(web: WebEnv) -> None:
    page = await Reader(web).get("/intents?status=running")
    assert (page.status, page.where) == (303, "/login?next=%2Fintents%3Fstatus%3Drunning")
    page = await Reader(web).get("/")
    assert page.where == "/login"


async def test_reading_a_sign_in_link_does_not_use_it(web: WebEnv) -> None:
    token = await web.state.sessions.login_link(HOME, "per_ann")
    before = await everything(web)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        await Reader(web).send(method, f"/login/{token}")
    assert await everything(web) == before
    ann = Reader(web)
    page = await ann.get(f"/login/{token}")
    assert page.heading == "Sign in as Ann"
    assert (await ann.post(f"/login/{token}")).status == 303
    assert (await ann.get("/")).status == 200


async def test_link_signs_in_once(web: WebEnv) -> None:
    token = await web.state.sessions.login_link(HOME, "per_ann")
    assert (await Reader(web).post(f"/login/{token}")).status == 303
    again = await Reader(web).post(f"/login/{token}")
    assert again.status == 410
    assert "no longer works" in again.text
    assert (await Reader(web).get(f"/login/{token}")).status == 410


async def test_sign_in_link_expires(web: WebEnv) -> None:
    token = await web.state.sessions.login_link(HOME, "per_ann")
    web.clock.move(timedelta(minutes=61))
    assert (await Reader(web).post(f"/login/{token}")).status == 410


async def test_task_link_is_no_sign_in(web: WebEnv) -> None:
    intent_id, _ = await web.ask()
    token = await web.state.sessions.task_link(HOME, "per_ann", intent_id, 1, "d" * 64)
    assert (await Reader(web).post(f"/login/{token}")).status == 410


async def test_session_lasts_twelve_hours_from_the_last_action(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    web.clock.move(timedelta(hours=11))
    before = await everything(web)
    assert (await ann.get("/")).status == 200
    assert await everything(web) == before, "reading writes nothing, not even that it happened"
    _, task_id = await web.ask(assignees=["ann@acme.example"])
    assert (await ann.decide(task_id, "approved")).status == 303
    web.clock.move(timedelta(hours=11))
    assert (await ann.get("/")).status == 200
    web.clock.move(timedelta(hours=2))
    assert (await ann.get("/")).status == 303


async def test_session_ends_with_its_key(web: WebEnv) -> None:
    made = await web.env.keys.create(HOME, ActorKind.PERSON, "per_ann", "per_ann")
    web.keys["ann"] = made.secret
    ann = await Reader(web, "ann").sign_in(key=True)
    await web.env.keys.revoke(HOME, made.key.id)
    assert (await ann.get("/")).status == 303


async def test_signing_out_ends_the_session_on_the_server(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    held = dict(ann.http.cookies)
    assert (await ann.get("/logout")).status == 200
    assert (await ann.get("/")).status == 200, "looking at the page signs nobody out"
    assert (await ann.post("/logout")).where == "/login"
    thief = Reader(web)
    thief.http.cookies.update(held)
    assert (await thief.get("/")).status == 303


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "javascript:alert(1)",
        "",
        "evil",
        "/\r\nx: y",
        "/\té",
        "/" + "a" * 2100,
        "/login/token",
        "/logout",
        "//[",
    ],
)
def test_redirect_to_another_site_is_refused(path: str) -> None:
    assert local(path) == "/"


def test_sign_in_returns_to_the_requested_page() -> None:
    assert local("/tasks/123?open=1") == "/tasks/123?open=1"


# -- forms of strangers

FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.test"},
    {"origin": "http://signoff.test.evil.test"},
    {"origin": "null"},
    {"origin": "http://signoff.test"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_cross_site_form_is_refused(web: WebEnv, headers: dict[str, str]) -> None:
    ann = await reader(web, "ann")
    before = await everything(web)
    said = "sec-fetch-site" in headers or "evil" in headers.get("origin", "")
    token = ann.token if said else ""  # what the browser says of a stranger goes before a token that fits
    page = await ann.post("/logout", headers=headers, form_token=token)
    assert page.status == 403
    assert "not come from a page of this server" in page.text
    assert await everything(web) == before


async def test_browsers_without_fetch_metadata_are_accepted(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    page = await ann.get("/logout")
    token = dict(page.form("/logout")["fields"])["form_token"]
    own = {"origin": "http://signoff.test"}
    assert (await ann.post("/login", headers=own, key="x", form_token=token)).status == 401
    assert (await ann.post("/logout", headers={"origin": "null"}, form_token=token)).status == 303


async def test_form_token_of_another_session_is_refused(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    for headers in ({}, SAME, {"origin": "http://signoff.test"}):
        assert (await ann.post("/logout", headers=headers, form_token=form_token("another"))).status == 403
        assert (await ann.post("/logout", headers=headers, form_token="\u00e9")).status == 403
        assert (await ann.post("/logout", headers=headers)).status == 403


async def test_sign_in_form_is_bound_to_its_browser(web: WebEnv) -> None:
    ann = Reader(web, "ann")
    token = dict((await ann.get("/login")).form("/login")["fields"])["form_token"]
    assert (await Reader(web).post("/login", headers={}, key=web.keys["ann"], form_token=token)).status == 403
    assert (await ann.post("/login", headers={}, key=web.keys["ann"], form_token=token)).status == 303


async def test_bodies_other_than_forms_are_refused(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    page = await ann.post("/logout", headers={**SAME, "content-type": "text/plain"})
    assert page.status == 400


async def test_unsupported_method_is_refused(web: WebEnv) -> None:
    assert (await (await reader(web, "ann")).send("DELETE", "/logout")).status == 405


async def try_key(web: WebEnv, peer: str, key: str) -> tuple[int, str]:
    """(status, Retry-After) of an attempt from another address."""
    transport = httpx2.ASGITransport(web.app, client=(peer, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://signoff.test") as http:
        token = re.findall(r'name="form_token" value="(\w+)"', (await http.get("/login")).text)[0]
        answer = await http.post("/login", data={"form_token": token, "key": key})
    return answer.status_code, answer.headers.get("retry-after", "")


async def test_wrong_keys_are_limited_per_address_and_the_right_one_is_always_accepted(web: WebEnv) -> None:
    wrong = web.keys["ann"][:-4] + "0000"
    tries = [await try_key(web, "192.0.2.1", wrong if n % 2 else "nonsense") for n in range(21)]
    assert tries == [(401, "")] * 20 + [(429, "600")]
    assert (await try_key(web, "192.0.2.1", web.keys["agent"]))[0] == 429  # of no person
    assert (await try_key(web, "192.0.2.1", web.keys["ann"]))[0] == 303
    assert (await try_key(web, "192.0.2.2", wrong))[0] == 401
    # one customer's IPv6 addresses are one caller
    tries = [await try_key(web, f"2001:db8::{n}", wrong) for n in range(1, 22)]
    assert [status for status, _ in tries] == [401] * 20 + [429]
    web.clock.move(timedelta(minutes=10))
    assert (await try_key(web, "192.0.2.1", wrong))[0] == 401


def test_failed_attempts_of_all_callers_are_limited_together() -> None:
    tries, wrong = FailedAttempts(2, 5, timedelta(minutes=10)), Unauthenticated("unknown_key", "No.")
    answers = [tries.counted(wrong, f"192.0.2.{n}", START).status for n in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert tries.counted(wrong, "192.0.2.1", START + timedelta(minutes=10)) is wrong
