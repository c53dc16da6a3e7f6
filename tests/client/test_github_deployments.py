"""The deployment protection rule against a fake GitHub that checks the app's signature and token."""

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from signoff.client.aio import AsyncClient
from signoff.client.gated_call import NOBODY_ASKED
from signoff.integrations.github_deployments import _LARGEST, _PREFIX, _TRIES, EVENT, ProtectionRule, _digest
from signoff.testing import Answer, Server

SECRET, TYPE = "the secret of the webhook", "intent.github.deploy.v1"
_PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY = _PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


class GitHub:
    """The part of GitHub's API that a protection rule uses."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refused = 0
        self.failures = 0  # answers of 500 that come first
        self.odd: list[bytes] = []  # what comes first in place of a token
        self.states: dict[int, str] = {}  # of deployments; "waiting" until they are told
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(*fake.statuses(self.path, self.headers["authorization"] or ""))

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or b"{}")
                self.reply(*fake.answer(self.path, self.headers["authorization"] or "", said))

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, authorization: str, said: dict[str, Any]) -> tuple[int, bytes]:
        token = authorization.removeprefix("Bearer ")
        if path == "/app/installations/7/access_tokens":
            try:
                claims = jwt.decode(
                    token, _PRIVATE.public_key(), ["RS256"], options={"require": ["exp", "iat"]}
                )
            except jwt.InvalidTokenError:
                self.refused += 1
                return 401, b"{}"
            assert claims["iss"] == "123"
            assert claims["exp"] - claims["iat"] <= 600
            return 201, self.odd.pop(0) if self.odd else b'{"token": "ghs_of-the-installation"}'
        if token != "ghs_of-the-installation":
            self.refused += 1
            return 401, b"{}"
        if self.failures:
            self.failures -= 1
            return 500, b"{}"
        assert path.startswith("/repos/acme/shop/actions/runs/")
        self.told.append({"path": path, **said})
        self.states[int(path.split("/")[6])] = "in_progress" if said["state"] == "approved" else "failure"
        return 204, b""

    def statuses(self, path: str, authorization: str) -> tuple[int, bytes]:
        if authorization != "Bearer ghs_of-the-installation":
            self.refused += 1
            return 401, b"{}"
        assert path.startswith("/repos/acme/shop/deployments/")
        assert path.endswith("/statuses?per_page=1")
        state = self.states.get(int(path.split("/")[5]), "waiting")
        return 200, json.dumps([{"state": state}]).encode()


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub()
    yield made
    made.server.shutdown()
    made.server.server_close()


def event(github: GitHub, run: int, **changes: Any) -> dict[str, Any]:
    return {
        "action": "requested",
        "environment": "production",
        "deployment_callback_url": f"{github.url}/repos/acme/shop/actions/runs/{run}/deployment_protection_rule",
        "deployment": {"id": run, "sha": "5f0c1b7e", "ref": "main"},
        "repository": {"full_name": "acme/shop"},
        "installation": {"id": 7},
        "sender": {"login": "rita"},
        **changes,
    }


async def post(
    rule: ProtectionRule, said: Any, *, secret: str = SECRET, kind: str = EVENT
) -> httpx2.Response:
    """Post a webhook; ``secret``: "" for an unsigned one."""
    body = json.dumps(said).encode()
    headers = {"x-github-event": kind}
    if secret:
        headers["x-hub-signature-256"] = (
            "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(rule), base_url="http://rule") as http:
        return await http.post("/", content=body, headers=headers)


def rule(github: GitHub) -> ProtectionRule:
    return ProtectionRule(SECRET, "123", KEY, api=github.url)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


def asked(server: Server, run: int) -> list[Any]:
    return [task for task in server.asked if task.payload.get("deployment") == run]


def decided(server: Server, run: int) -> bool:
    with server.client() as client:
        return all(client.get_intent(task.intent_id).final for task in asked(server, run))


async def test_approval_opens_the_environment(server: Server, github: GitHub) -> None:
    made = rule(github)
    answer = await post(made, event(github, 1))
    assert answer.status_code == 202
    await until(lambda: asked(server, 1))
    assert github.told == []
    [task] = asked(server, 1)
    assert task.title == "Deploy acme/shop to production?"
    assert task.payload == {
        "repository": "acme/shop",
        "environment": "production",
        "commit": "5f0c1b7e",
        "ref": "main",
        "deployment": 1,
        "actor": "rita",
        "callback": event(github, 1)["deployment_callback_url"],
    }
    server.approve(TYPE, "Fine.")
    await until(lambda: github.told)
    path = "/repos/acme/shop/actions/runs/1/deployment_protection_rule"
    said = {"environment_name": "production", "state": "approved", "comment": "Fine."}
    assert github.told == [{"path": path, **said}]
    assert github.refused == 0
    await made.stop()


async def test_rejection_keeps_the_environment_closed_with_the_reason(server: Server, github: GitHub) -> None:
    made = rule(github)
    server.reject(TYPE, "Not on a Friday.")
    await post(made, event(github, 2, environment="e" * 255))
    await until(lambda: github.told)
    assert github.told[0]["state"] == "rejected"
    assert "Not on a Friday." in github.told[0]["comment"]
    assert github.told[0]["environment_name"] == "e" * 255
    await made.stop()


async def test_approval_of_another_commit_opens_nothing(server: Server, github: GitHub) -> None:
    made = rule(github)
    server.edit(TYPE, commit="666")
    await post(made, event(github, 3))
    await until(lambda: github.told)
    assert github.told[0]["state"] == "rejected"
    await made.stop()


async def test_workflow_without_approvers_is_not_reported_as_an_approval(
    server: Server, github: GitHub
) -> None:
    kind = "intent.github.unattended.v1"
    server.apply({"workflow": "unattended", "intent_type": kind, "steps": [{"id": "pause", "delay": "1s"}]})
    made = ProtectionRule(SECRET, "123", KEY, intent_type=kind, api=github.url)
    await post(made, event(github, 11))
    await asyncio.to_thread(server.move, timedelta(seconds=2))
    await until(lambda: github.told)
    assert [(one["state"], one["comment"]) for one in github.told] == [("approved", NOBODY_ASKED)]
    await made.stop()


async def test_repeated_webhook_sends_one_request(server: Server, github: GitHub) -> None:
    made = rule(github)
    first, second = await post(made, event(github, 4)), await post(made, event(github, 4))
    assert first.text == second.text
    server.approve(TYPE)
    await until(lambda: github.told)
    await until(lambda: not made._waiting)
    assert len(github.told) == 1
    assert len({task.intent_id for task in asked(server, 4)}) == 1
    await made.stop()


async def test_restarted_service_continues_to_wait(server: Server, github: GitHub) -> None:
    old = rule(github)
    await post(old, event(github, 5))
    await until(lambda: asked(server, 5))
    await old.stop()
    new = rule(github)
    await new.resume()
    server.approve(TYPE)
    await until(lambda: [one for one in github.told if "/5/" in one["path"]])
    await new.stop()


async def killed(server: Server, github: GitHub, run: int, deployment: int = 0) -> None:
    """A service that requests approval and ends before the decision, or before it reports to GitHub."""
    made, deployment = rule(github), deployment or run
    said = event(github, run, deployment={"id": deployment, "sha": "5f0c1b7e", "ref": "main"})
    assert (await post(made, said)).status_code == 202
    await until(lambda: asked(server, deployment))
    await made.stop()


async def test_decision_made_while_the_service_was_down_reaches_github(
    server: Server, github: GitHub
) -> None:
    await killed(server, github, 7)
    server.approve(TYPE, "Go.")
    await until(lambda: decided(server, 7))
    assert github.told == []
    new = rule(github)
    await new.resume()
    await until(lambda: github.told)
    assert (github.told[0]["state"], github.told[0]["comment"]) == ("approved", "Go.")
    await until(lambda: not new._waiting)
    await new.stop()
    # A further start finds that GitHub knows.
    again = rule(github)
    await again.resume()
    assert not again._waiting
    assert len(github.told) == 1
    await again.stop()


async def test_decision_about_an_earlier_attempt_does_not_open_the_next_one(
    server: Server, github: GitHub
) -> None:
    await killed(server, github, 8)
    server.approve(TYPE)
    await until(lambda: decided(server, 8))
    server.leave()
    # The same run is run again: the same callback, another deployment.
    await killed(server, github, 8, deployment=80)
    new = rule(github)
    await new.resume()
    assert len(new._waiting) == 1
    assert github.told == []
    await new.stop()


@pytest.mark.parametrize("what", ["another host", "another digest", "as it is"])
async def test_decisions_are_sent_to_github_only(server: Server, github: GitHub, what: str) -> None:
    """Any submitter can set a callback URL; the installation's token is sent to GitHub only."""
    host = GitHub() if what == "another host" else github
    payload = {
        "repository": "acme/shop",
        "environment": "production",
        "deployment": 9,
        "callback": event(host, 9)["deployment_callback_url"],
    }
    digest = _digest({} if what == "another digest" else payload)
    with server.client() as client:
        client.send_intent(
            {
                "intent_type": TYPE,
                "payload": payload,
                "correlation_id": f"{_PREFIX}7:{digest}",
                "human_task": {"title": "Deploy?"},
            }
        )
    made = rule(github)
    await made.resume()
    assert made._waiting
    server.approve(TYPE)
    await until(lambda: not made._waiting)
    assert len(host.told) == (what == "as it is")
    await made.stop()
    if host is not github:
        host.server.shutdown()
        host.server.server_close()


@pytest.mark.parametrize(
    ("said", "how", "status"),
    [
        ({}, {"secret": "guessed"}, 401),
        ({}, {"secret": ""}, 401),
        ({}, {"kind": "push"}, 200),
        ({"action": "requested"}, {}, 400),
        ([], {}, 400),
    ],
)
async def test_webhook_that_is_not_a_github_event_sends_no_request(
    server: Server, github: GitHub, said: Any, how: dict[str, str], status: int
) -> None:
    before = len(server.asked)
    made = rule(github)
    assert (await post(made, said, **how)).status_code == status
    elsewhere = event(github, 6, deployment_callback_url="http://127.0.0.1:9/repos/acme/shop")
    assert (await post(made, elsewhere)).status_code == 400
    assert (await post(made, event(github, 6, action="completed"))).status_code == 200
    assert (await post(made, event(github, 6, more="x" * _LARGEST))).status_code == 413
    assert len(server.asked) == before
    assert not made._waiting
    await made.stop()


def test_protection_rule_without_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        ProtectionRule("", "123", KEY)


@pytest.mark.parametrize("said", ["approved", "rejected"])
async def test_late_decision_about_an_earlier_attempt_is_not_used_for_the_next(
    server: Server, github: GitHub, said: str
) -> None:
    """The run is started again while people still review its first attempt."""
    made, former, latter = rule(github), 9 + 100 * (said == "rejected"), 1000 + 100 * (said == "rejected")
    await post(made, event(github, former))
    await until(lambda: asked(server, former))
    again = event(github, former, deployment={"id": latter, "sha": "5f0c1b7e", "ref": "main"})
    await post(made, again)
    await until(lambda: asked(server, latter))
    server.answer(lambda task: Answer(said) if task.payload.get("deployment") == former else None)
    await until(lambda: asked(server, former)[0].intent_id not in made._waiting)
    assert github.told == []
    server.answer(lambda task: Answer("approved") if task.payload.get("deployment") == latter else None)
    await until(lambda: github.told)
    assert [one["state"] for one in github.told] == ["approved"]
    await made.stop()


@pytest.mark.parametrize("redelivered", [False, True])
async def test_decision_does_not_open_an_attempt_without_a_request(
    server: Server, github: GitHub, redelivered: bool
) -> None:
    """The run was canceled and started again, and GitHub could not deliver the new attempt's webhook."""
    made, run = rule(github), 400 + redelivered
    await post(made, event(github, run))
    await until(lambda: asked(server, run))
    if redelivered:  # decided, and the old webhook is delivered once more
        server.reject(TYPE)
        await until(lambda: github.told)
        await until(lambda: not made._waiting)
        github.told.clear()
    github.states[run] = "failure"
    server.approve(TYPE)
    if redelivered:
        assert (await post(made, event(github, run))).status_code == 202
    await until(lambda: not made._waiting)
    assert github.told == []
    await made.stop()


async def test_unexpected_response_of_github_does_not_end_the_wait(server: Server, github: GitHub) -> None:
    made = ProtectionRule(SECRET, "123", KEY, api=github.url, pause=0.0)
    github.odd = [b"<html>", b"[]", b"{}", b"null"]
    server.approve(TYPE)
    await post(made, event(github, 10))
    await until(lambda: github.told)
    assert github.told[0]["state"] == "approved"
    await made.stop()


async def test_outage_of_github_delays_a_decision(server: Server, github: GitHub) -> None:
    made = ProtectionRule(SECRET, "123", KEY, api=github.url, pause=0.0)
    github.failures = 25
    server.approve(TYPE)
    await post(made, event(github, 12))
    await until(lambda: not made._waiting)
    assert [one["state"] for one in github.told] == ["approved"]
    await made.stop()


class Seen(httpx2.AsyncHTTPTransport):
    """Records the paths of requests to Signoff. ``listing``: the response to requests for lists."""

    def __init__(self, listing: httpx2.Response | None = None) -> None:
        super().__init__()
        self.paths: list[str] = []
        self.listing = listing

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.paths.append(request.url.path)
        if self.listing is not None and request.method == "GET" and request.url.path == "/v1/intents":
            body = self.listing.content
            return httpx2.Response(
                self.listing.status_code, content=body, headers={"content-type": "application/json"}
            )
        return await super().handle_async_request(request)


def watched(github: GitHub, seen: Seen) -> ProtectionRule:
    client = AsyncClient(transport=seen, retry_for=0.0)
    return ProtectionRule(SECRET, "123", KEY, api=github.url, client=client, pause=0.0)


async def test_requests_about_other_runs_are_not_read(server: Server, github: GitHub) -> None:
    seen = Seen()
    made = watched(github, seen)
    for run in range(20, 25):
        await post(made, event(github, run))
        await until(lambda run=run: asked(server, run))
    server.answer(lambda task: Answer("approved") if task.payload.get("deployment") == 20 else None)
    await until(lambda: github.told)
    [first] = {task.intent_id for task in asked(server, 20)}
    read = [path for path in seen.paths if path.endswith("/revisions")]
    assert read == [f"/v1/intents/{first}/revisions"]
    assert seen.paths.count("/v1/intents") == 5 + 1
    await made.stop()


REFUSED = {"error": {"code": "not_allowed", "message": "This key may not list requests."}}


@pytest.mark.parametrize(
    ("status", "body"), [*((status, REFUSED) for status in (401, 403, 429, 503)), (200, {"intents": []})]
)
async def test_decision_is_held_while_the_attempt_of_the_run_is_unknown(
    server: Server, github: GitHub, status: int, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made = watched(github, Seen(httpx2.Response(status, content=json.dumps(body))))
    server.approve(TYPE)
    assert (await post(made, event(github, 30 + status))).status_code == 202
    await until(lambda: not made._waiting)
    assert github.told == []
    unknown = [one for one in caplog.messages if "it is unknown whether the run was run again" in one]
    assert len(unknown) == (_TRIES if status in (429, 503) else 1)
    assert "could not report to GitHub" in caplog.messages[-1]
    await made.stop()


async def earlier(server: Server, github: GitHub, run: int, deployment: int) -> str:
    """A request from an earlier release: its correlation id does not name the run."""
    payload = {
        "repository": "acme/shop",
        "environment": "production",
        "deployment": deployment,
        "callback": event(github, run)["deployment_callback_url"],
    }
    request = {
        "intent_type": TYPE,
        "payload": payload,
        "correlation_id": f"{_PREFIX}7:{_digest(payload)}",
        "human_task": {"title": "Deploy?"},
    }
    async with server.async_client() as client:
        return await client.send_intent(request)


@pytest.mark.parametrize("again", ["by an earlier release", "by this one", "never"])
async def test_request_of_an_earlier_release_does_not_decide_the_next_attempt(
    server: Server, github: GitHub, again: str
) -> None:
    run = {"by an earlier release": 300, "by this one": 310, "never": 320}[again]
    former, seen = await earlier(server, github, run, run), Seen()
    await earlier(server, github, run + 1, run + 1)
    if again == "by an earlier release":
        await earlier(server, github, run, run + 2)
    made = watched(github, seen)
    if again == "by this one":
        await post(made, event(github, run, deployment={"id": run + 2, "sha": "5f0c1b7e", "ref": "main"}))
    await made.resume()
    assert former in made._waiting
    seen.paths.clear()
    server.answer(lambda task: Answer("approved") if task.payload.get("deployment") == run else None)
    await until(lambda: former not in made._waiting)
    assert len(github.told) == (again == "never")
    assert len([path for path in seen.paths if path.endswith("/revisions")]) == 1
    await made.stop()
