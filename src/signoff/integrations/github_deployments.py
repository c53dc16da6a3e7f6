"""A deployment protection rule for GitHub: people approve each deployment to an environment.

    uvicorn --factory signoff.integrations.github_deployments:app

GitHub calls this small service for each deployment to a protected environment. People are asked, and their decision
is reported to GitHub. The service keeps no state: the request says where to report, so after a restart it finds
the requests that were waiting and those that have been decided since.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any, Final

import httpx2
import jwt

from signoff.client.aio import AsyncClient
from signoff.client.call_request import canonical_json
from signoff.client.calls import ApiCall, pages
from signoff.client.errors import RequestRefused, SignoffError
from signoff.client.flow import perform
from signoff.client.gated_call import NOBODY_ASKED, failure_of, reason_of
from signoff.client.records import Json
from signoff.client.types import FINAL, Intent, Result

log = logging.getLogger("signoff.github")
EVENT: Final = "deployment_protection_rule"
_PREFIX: Final = "github:"
_LARGEST: Final = 1024 * 1024
_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0
_TRIES: Final = 200  # attempts of a callback: more than half a day, because GitHub has outages of hours
_LONGEST: Final = 2000  # characters of a comment
# how long GitHub waits for a protection rule; then the deployment fails
_GITHUB_WAITS: Final = timedelta(days=30)
_UNDECIDED: Final = ("waiting", "pending")  # states of a deployment
_MOST: Final = 1000  # decided requests that a start looks at
# In a correlation id, marks the digest of run and environment. Requests of earlier releases, without it, have the
# digest of the payload there.
_RUN: Final = "run:"
_PAGE: Final = 200
_PERMANENT: Final = (401, 403, 404, 422)  # refusals that a repetition does not change
_UNREADABLE: Final = (httpx2.HTTPError, KeyError, TypeError, ValueError)  # of GitHub's answers


class ProtectionRule:
    """The rule as an ASGI application. secret: the secret of the app's webhook; app_id, key: those of the app, which
    needs the permission to write deployments; intent_type: chooses the workflow; api: the URL of GitHub's API,
    possibly of an enterprise server; client: as for ``gate``; pause: seconds before something that failed is
    retried.
    """

    def __init__(
        self,
        secret: str,
        app_id: str,
        key: str,
        *,
        intent_type: str = "intent.github.deploy.v1",
        api: str = "https://api.github.com",
        client: AsyncClient | None = None,
        pause: float = _PAUSE,
    ) -> None:
        if not secret:
            raise ValueError("without a secret, anyone could send this webhook")
        self._secret = secret.encode()
        self._app_id = app_id
        self._key = key
        self._intent_type = intent_type
        self._api = api.rstrip("/")
        self._client = client or AsyncClient()
        self._own_client = client is None
        self._pause = pause
        self._github = httpx2.AsyncClient(timeout=30)
        self._waiting: dict[str, asyncio.Task[None]] = {}

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, text = await self._answer(scope, receive)
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": text.encode()})

    async def _live(self, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        await receive()
        resuming = asyncio.ensure_future(self.resume())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        resuming.cancel()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def resume(self) -> None:
        """Wait again for every deployment that people have not decided yet; report those that have been decided since
        to GitHub.
        """
        waiting = await self._found("pending", 10_000)
        for intent in waiting:
            self._follow(intent.intent_id, intent.correlation_id)
        oldest = datetime.fromtimestamp(time(), UTC) - _GITHUB_WAITS
        decided = [
            one for one in await self._found(",".join(sorted(FINAL)), _MOST) if one.created_at > oldest
        ]
        if decided:
            await self._catch_up(sorted([*waiting, *decided], key=lambda one: one.created_at, reverse=True))

    async def _found(self, status: str, limit: int) -> Sequence[Intent]:
        while True:
            try:
                found = await self._client.list_intents(
                    status=status, intent_type=self._intent_type, limit=limit
                )
                return [one for one in found if one.correlation_id.startswith(_PREFIX)]
            except SignoffError as error:
                log.warning("the open requests cannot be listed: %s", error)
                await asyncio.sleep(self._pause)

    async def _catch_up(self, intents: Sequence[Intent]) -> None:
        """Report decisions that have not been reported yet. intents: the newest first."""
        asked_again = set[tuple[str, str]]()
        for intent in intents:
            try:
                asked = await self._asked(intent.intent_id)
                if asked is None:
                    continue
                place = _place(asked)
                superseded = place in asked_again
                asked_again.add(place)
                if not intent.final or superseded or not asked["callback"].startswith(self._api + "/repos/"):
                    continue
                installation, _, _ = intent.correlation_id.removeprefix(_PREFIX).partition(":")
                if await self._still_waits(asked, await self._token(int(installation))):
                    self._follow(intent.intent_id, intent.correlation_id)
            except (SignoffError, *_UNREADABLE) as error:
                log.warning("%s: it is unknown whether GitHub got the decision: %s", intent.intent_id, error)

    async def _still_waits(self, asked: Json, token: str) -> bool:
        """Whether GitHub is waiting for this deployment. The callback names only the run and the environment, so
        GitHub would take a decision about a deployment that has ended for one about the next attempt.
        """
        url = f"{self._api}/repos/{asked['repository']}/deployments/{int(asked['deployment'])}/statuses?per_page=1"
        answer = await self._github.get(url, headers=_headers(token))
        if answer.status_code == 404:
            return False
        answer.raise_for_status()
        newest = answer.json()
        return not newest or newest[0]["state"] in _UNDECIDED

    async def stop(self) -> None:
        """Stop waiting; the requests stay open."""
        for task in self._waiting.values():
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)
        await self._github.aclose()
        if self._own_client:
            await self._client.close()

    async def _answer(self, scope: Any, receive: Callable[[], Awaitable[Any]]) -> tuple[int, str]:
        if scope["method"] != "POST":
            return 405, "GitHub posts its webhooks here."
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > _LARGEST:
                return 413, "The body is too large."
            if not message.get("more_body"):
                break
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        wanted = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("x-hub-signature-256", "").encode(), wanted.encode()):
            return 401, "The signature does not match the webhook's secret."
        if headers.get("x-github-event") != EVENT:
            return 200, "Nothing to decide."
        try:
            return await self._ask(json.loads(body))
        except (KeyError, TypeError, ValueError) as error:
            return 400, f"The event is incomplete: {error}"
        except SignoffError as error:  # GitHub shows this, and the delivery can be repeated there
            log.warning("a request could not be sent: %s", error)
            return 503, "The request could not be sent. Redeliver it."

    async def _ask(self, event: Mapping[str, Any]) -> tuple[int, str]:
        if event["action"] != "requested":
            return 200, "Nothing to decide."
        callback, deployment = str(event["deployment_callback_url"]), event["deployment"]
        if not callback.startswith(self._api + "/repos/"):
            return 400, "The callback URL is not one of GitHub's API."
        payload = {
            "repository": event["repository"]["full_name"], "environment": event["environment"],
            "commit": deployment["sha"], "ref": deployment["ref"], "deployment": deployment["id"],
            "actor": (event.get("sender") or {}).get("login", ""), "callback": callback,
        }  # fmt: skip
        correlation_id = _correlation(int(event["installation"]["id"]), payload)
        title = f"Deploy {payload['repository']} to {payload['environment']}?"
        intent_id = await self._client.send_intent(
            {
                "intent_type": self._intent_type,
                "payload": payload,
                "correlation_id": correlation_id,
                "human_task": {"title": title[:200]},
            },
            idempotency_key=f"github-{hashlib.sha256(f'{correlation_id}:{_digest(payload)}'.encode()).hexdigest()}",
        )
        self._follow(intent_id, correlation_id)
        return 202, intent_id

    def _follow(self, intent_id: str, correlation_id: str) -> None:
        if intent_id not in self._waiting:
            task = asyncio.ensure_future(self._decided(intent_id, correlation_id))
            self._waiting[intent_id] = task
            task.add_done_callback(lambda _: self._waiting.pop(intent_id, None))

    async def _decided(self, intent_id: str, correlation_id: str) -> None:
        installation, _, about = correlation_id.removeprefix(_PREFIX).partition(":")
        while True:
            try:
                result = await self._client.wait_for(intent_id)
                asked = await self._asked(intent_id)
                break
            except SignoffError as error:
                log.warning("%s: still waiting: %s", intent_id, error)
                await asyncio.sleep(self._pause)
        if (
            asked is None
            or about not in (_run(asked), _digest(asked))
            or not asked["callback"].startswith(self._api + "/repos/")
        ):
            log.error(
                "%s: the request no longer matches a deployment of GitHub; no callback was sent", intent_id
            )
            return
        state, comment = verdict(result, _digest(asked))
        fields = {"environment_name": asked["environment"], "state": state, "comment": comment[:_LONGEST]}
        for attempt in range(_TRIES):
            pause = min(self._pause * 2**attempt, _LONGEST_PAUSE)
            try:
                if await self._asked_again(intent_id, correlation_id, asked):
                    log.info(
                        "%s: the run was run again; this decision is not about the new attempt", intent_id
                    )
                    return
                token = await self._token(int(installation))
                if not await self._still_waits(asked, token):
                    log.info("%s: GitHub no longer waits for this deployment; nothing was sent", intent_id)
                    return
                answer = await self._github.post(asked["callback"], json=fields, headers=_headers(token))
                # 404 and 422: the run has ended, or the decision was reported before.
                if answer.is_success or answer.status_code in (404, 422):
                    log.info("%s: reported to GitHub: %s: %d", intent_id, state, answer.status_code)
                    return
                log.warning("%s: GitHub answered %d", intent_id, answer.status_code)
            except SignoffError as error:
                log.warning("%s: it is unknown whether the run was run again: %s", intent_id, error)
                if _permanent(error):
                    break
                pause = max(pause, getattr(error, "retry_after", None) or 0)
            except _UNREADABLE as error:
                log.warning("%s: unexpected answer from GitHub: %s", intent_id, type(error).__name__)
            await asyncio.sleep(pause)
        log.error("%s: could not report to GitHub that the deployment is %s", intent_id, state)

    async def _asked_again(self, intent_id: str, correlation_id: str, asked: Json) -> bool:
        """Whether a later request, sent by any instance of this service, is about the same run and environment.
        Raises SignoffError if that cannot be determined; then the decision must not be sent.
        """
        installation, _, about = correlation_id.removeprefix(_PREFIX).partition(":")
        newest = await self._client.list_intents(
            correlation_id=_correlation(int(installation), asked), limit=1
        )
        if newest and newest[0].intent_id > intent_id:  # ids sort by time
            return True
        if about == _run(asked):
            if not newest or newest[0].intent_id != intent_id:
                raise _Undetermined("the list of requests does not contain this one")
            return False
        return await self._asked_again_before(intent_id, _place(asked))

    async def _asked_again_before(self, intent_id: str, place: tuple[str, str]) -> bool:
        """The same for requests from earlier releases."""
        page_at = pages("/v1/intents", {"intent_type": self._intent_type}, "intents", Intent.read)
        cursor: str | None = None
        while True:
            page = await self._client.call(page_at(_PAGE, cursor))
            for one in page.items:
                if one.intent_id <= intent_id:
                    return False
                _, _, about = one.correlation_id.removeprefix(_PREFIX).partition(":")
                if not one.correlation_id.startswith(_PREFIX) or about.startswith(_RUN):
                    continue
                # only a payload that was edited has to be read as it was sent
                sent = one.payload if _digest(one.payload) == about else await self._asked(one.intent_id)
                if sent is None:
                    raise _Undetermined(f"the payload of the later request {one.intent_id} was deleted")
                if _place(sent) == place:
                    return True
            if page.next_cursor is None or page.next_cursor == cursor:
                raise _Undetermined("the list of requests does not contain this one")
            cursor = page.next_cursor

    async def _asked(self, intent_id: str) -> Json | None:
        """The payload as it was sent, even if it was edited; None if it was deleted."""
        path = f"/v1/intents/{intent_id}/revisions"
        call = ApiCall(
            "GET", path, lambda answer: None if answer.get("payload_deleted") else answer["revisions"][0]
        )
        first = await self._client.session.run(perform(call, self._client.retries))
        return None if first is None else first["payload"]

    async def _token(self, installation: int) -> str:
        """A token of the app's installation, for one callback."""
        now = int(time())
        claims = {"iat": now - 60, "exp": now + 540, "iss": self._app_id}
        signed = jwt.encode(claims, self._key, algorithm="RS256")
        url = f"{self._api}/app/installations/{installation}/access_tokens"
        answer = await self._github.post(url, headers=_headers(signed))
        answer.raise_for_status()
        return str(answer.json()["token"])


class _Undetermined(SignoffError):
    """It cannot be determined whether a later request is about the same run and environment."""


def _permanent(error: SignoffError) -> bool:
    if isinstance(error, RequestRefused):
        return error.genuine and error.status in _PERMANENT
    return isinstance(error, _Undetermined)


def verdict(result: Result, digest: str) -> tuple[str, str]:
    """What to report to GitHub. A deployment cannot be changed, so an approval with edited values counts as a
    rejection.
    """
    if failure_of(result) is not None:
        return "rejected", reason_of(result)
    if _digest(result.payload) != digest:
        return "rejected", "The approval is for another deployment: its payload was edited."
    if not result.ending:
        return "approved", NOBODY_ASKED
    return "approved", result.comment or "Approved."


def _place(asked: Json) -> tuple[str, str]:
    """What GitHub's callback identifies: the run and the environment, but not the attempt. A decision about one
    attempt must not open the next one.
    """
    return str(asked.get("callback")), str(asked.get("environment"))


def _run(asked: Json) -> str:
    return _RUN + _digest(list(_place(asked)))


def _correlation(installation: int, asked: Json) -> str:
    """Identical for all requests about one run and environment, so that they can be listed."""
    return f"{_PREFIX}{installation}:{_run(asked)}"


def _digest(payload: object) -> str:
    return hashlib.sha256(canonical_json(payload).encode()).hexdigest()


def _headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def app() -> ProtectionRule:
    """Return the rule that the environment variables configure; the how-to lists them."""
    environ = os.environ
    return ProtectionRule(
        environ["GITHUB_WEBHOOK_SECRET"],
        environ["GITHUB_APP_ID"],
        Path(environ["GITHUB_APP_KEY_FILE"]).read_text("utf-8"),
        intent_type=environ.get("GATE_INTENT_TYPE", "intent.github.deploy.v1"),
        api=environ.get("GITHUB_API_URL", "https://api.github.com"),
    )
