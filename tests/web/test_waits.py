"""Open requests end when their key, person or session does, and return nothing after that."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest

from signoff.core.errors import NotFound, Unauthenticated
from signoff.engine.identity.sessions import IDLE
from tests.web.inbox.reading import Reader, reader
from tests.web.serving import serving
from tests.web.web_env import HOME, PAYLOAD, PLAIN, VALIDATOR, WebEnv

CLAIM = f"/v1/agents/{VALIDATOR}/deliveries/claim"
FAR = 50.0  # seconds that nobody waits: a wait ends because of what happened, not of time


async def _revoked(web: WebEnv, who: str) -> None:
    key = f"sak_{web.keys[who].split('_')[2]}"
    assert (await web.post(f"/v1/keys/{key}/revoke", {}, "oscar")).status == 200


async def _removed(web: WebEnv, who: str) -> None:
    account = web.env.directory
    directory = await account.of(HOME)
    found = directory.account(VALIDATOR)
    assert found is not None
    assert (await web.call("DELETE", f"/v1/service-accounts/{found.id}", who="oscar")).status == 200


async def _deactivated(web: WebEnv, who: str) -> None:
    answer = await web.call("PATCH", f"/v1/people/{who}@acme.example", {"active": False}, who="oscar")
    assert answer.status == 200, answer.text


async def waiting(web: WebEnv, count: int = 1) -> None:
    """Wait until the workspace's directory has a listener."""
    async with asyncio.timeout(30):
        while len(web.state.feed.waiters.get(f"directory:{HOME}", ())) < count:
            await asyncio.sleep(0)


@pytest.mark.parametrize("end", [_revoked, _removed])
async def test_waiting_claim_ends_with_its_key(
    web: WebEnv, end: Callable[[WebEnv, str], Awaitable[None]]
) -> None:
    async with serving(web) as url, httpx2.AsyncClient(base_url=url, timeout=FAR) as http:
        headers = {"x-api-key": web.keys["agent"]}
        claim = asyncio.create_task(http.post(CLAIM, json={"wait_seconds": 45}, headers=headers))
        await waiting(web)
        await end(web, "agent")
        answer = await asyncio.wait_for(claim, FAR)
        assert answer.status_code == 401
        sent = await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
        assert await web.status(sent) == "DELIVERED"


@asynccontextmanager
async def listening(url: str, path: str, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    async with (
        httpx2.AsyncClient(base_url=url, timeout=FAR, headers=headers) as http,
        http.stream("GET", path) as answer,
    ):
        assert answer.status_code == 200
        yield answer.aiter_lines()


@pytest.mark.parametrize("end", [_revoked, _removed])
async def test_stream_of_an_agent_ends_with_its_key(
    web: WebEnv, end: Callable[[WebEnv, str], Awaitable[None]]
) -> None:
    path = f"/v1/agents/{VALIDATOR}/intents/stream?wait_seconds=45"
    async with serving(web) as url, listening(url, path, **{"x-api-key": web.keys["agent"]}) as lines:
        await waiting(web)
        await end(web, "agent")
        await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
        said = [line async for line in lines]
        assert [line for line in said if line.startswith("data")] == []


@pytest.mark.parametrize("end", [_revoked, _deactivated])
async def test_stream_of_an_intent_ends_with_its_readers_access(
    web: WebEnv, end: Callable[[WebEnv, str], Awaitable[None]]
) -> None:
    sent = await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
    path = f"/v1/intents/{sent}/events/stream?wait_seconds=45"
    headers = {"x-api-key": web.keys["emma"], "user-agent": "signoff-test"}
    async with serving(web) as url, listening(url, path, **headers) as lines:
        await waiting(web)
        await end(web, "emma")
        await web.call("POST", f"/v1/intents/{sent}/cancel", {}, who="oscar")
        said = [json.loads(line[6:]) async for line in lines if line.startswith("data: {")]
        assert "intent.canceled" not in {event.get("event_type") for event in said}
        assert "next_seq" not in repr(said)


async def test_stream_ends_without_a_warning_when_its_readers_rights_end(
    web: WebEnv, caplog: pytest.LogCaptureFixture
) -> None:
    await web.call("PATCH", "/v1/people/emma@acme.example", {"roles": ["admin"]}, who="oscar")
    path = f"/v1/agents/{VALIDATOR}/intents/stream?wait_seconds=45"
    async with serving(web) as url, listening(url, path, **{"x-api-key": web.keys["emma"]}) as lines:
        await waiting(web)
        changed = {"roles": ["member"]}
        assert (await web.call("PATCH", "/v1/people/emma@acme.example", changed, who="oscar")).status == 200
        await web.send(intent_type=PLAIN, to_agent=VALIDATOR)
        assert [line async for line in lines if line.startswith("data")] == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def _signs_out(web: WebEnv, ann: Reader) -> None:
    assert (await ann.post("/logout")).status == 303


async def _ends_it(web: WebEnv, ann: Reader) -> None:
    [one] = (await web.get("/v1/people/me/sessions", "ann"))["sessions"]
    ended = await web.post(f"/v1/people/me/sessions/{one['session_id']}/end", {}, "ann")
    assert ended["ended"] == 1


async def _ended_by_an_admin(web: WebEnv, ann: Reader) -> None:
    assert (await web.post("/v1/people/ann@acme.example/sessions/end", {}, "oscar"))["ended"] == 1


async def _is_deactivated(web: WebEnv, ann: Reader) -> None:
    await _deactivated(web, "ann")


@pytest.mark.parametrize("end", [_signs_out, _ends_it, _ended_by_an_admin, _is_deactivated])
async def test_open_page_is_notified_at_once_that_its_session_ended(
    web: WebEnv, end: Callable[[WebEnv, Reader], Awaitable[None]]
) -> None:
    ann = await reader(web, "ann")
    cookie = f"signoff_session={ann.http.cookies.get('signoff_session')}"
    async with serving(web) as url, listening(url, "/live", cookie=cookie) as lines:
        await waiting(web)
        await end(web, ann)
        said = [line async for line in lines]
        assert "event: over" in said
    assert (await ann.get("/")).status == 303


async def test_key_revoked_while_a_body_is_sent_does_nothing(web: WebEnv) -> None:
    async with serving(web) as url, httpx2.AsyncClient(base_url=url, timeout=FAR) as http:
        body = json.dumps({"intent_type": PLAIN, "to_agent": VALIDATOR, "payload": PAYLOAD}).encode()
        begun = asyncio.Event()
        revoked = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield body[:10]
            begun.set()
            await revoked.wait()
            yield body[10:]

        web.state.keys.forget()
        sending = asyncio.create_task(
            http.post("/v1/intents", content=slowly(), headers={"x-api-key": web.keys["emma"]})
        )
        await begun.wait()
        async with asyncio.timeout(30):
            while not web.state.keys._cache:  # until the caller was identified
                await asyncio.sleep(0)
        await _revoked(web, "emma")
        revoked.set()
        assert (await asyncio.wait_for(sending, FAR)).status_code == 401


# -- sessions


async def test_session_has_a_maximum_lifetime(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    for _ in range(14):
        web.clock.move(IDLE - timedelta(minutes=1))
        await ann.post("/people/per_ann/time", zone="Europe/Berlin")
        assert (await ann.get("/")).status == 200
    web.clock.move(IDLE - timedelta(minutes=1))
    assert (await ann.get("/")).status == 303
    short = web.state.sessions
    short.lifetime = timedelta(hours=1)  # a setting that is made shorter holds for what is open
    otto = await reader(web, "otto")
    web.clock.move(timedelta(hours=1))
    assert (await otto.get("/")).status == 303


async def test_sessions_are_listed_and_ended_one_by_one_and_everywhere(web: WebEnv) -> None:
    ann, phone = await reader(web, "ann"), await reader(web, "ann")
    tablet = await Reader(web, "ann").sign_in(key=True)
    listed = (await web.get("/v1/people/me/sessions", "ann"))["sessions"]
    assert sorted(one["by"] for one in listed) == ["key", "link", "link"]
    assert ann.http.cookies["signoff_session"] not in repr(listed)
    page = await ann.get("/me")
    assert page.text.count("by a sign-in link") == 2
    [shown] = [one for one in listed if one["by"] == "key"]
    assert (await ann.post("/people/per_ann/sessions", session=shown["session_id"])).status == 303
    assert [(await one.get("/")).status for one in (ann, phone, tablet)] == [200, 200, 303]
    assert (await ann.post("/people/per_ann/sessions")).status == 303
    assert [(await one.get("/")).status for one in (ann, phone)] == [200, 303]
    # others' are nobody's but an admin's
    for who, status in (("otto", 404), ("aud", 404), ("oscar", 200)):
        assert (await web.get("/v1/people/ann@acme.example/sessions", who)).status == status
        assert (await web.post("/v1/people/ann@acme.example/sessions/end", {}, who)).status == status
    assert (await ann.get("/")).status == 303
    assert (await web.get("/v1/people/me/sessions", "agent")).status == 403
    sam = await web.actor("sam")
    with pytest.raises(NotFound):
        await web.state.sessions.end(sam, "per_ann", shown["session_id"])


async def test_reactivated_person_must_sign_in_again(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    known = await web.actor("ann")
    token = await web.state.sessions.login_link(known.workspace, known.id)
    await _deactivated(web, "ann")
    answer = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": True}, who="oscar")
    assert answer.status == 200
    assert (await ann.get("/")).status == 303
    assert (await Reader(web).post(f"/login/{token}")).status == 410
    with pytest.raises(Unauthenticated):
        await web.state.sessions.actor(str(ann.http.cookies.get("signoff_session")))
