"""Every error that the SDK raises, in one tree. A call raises only one other exception: TypeError, for a wrong
argument.

SignoffError
    NotConfigured, ConnectionFailed, WrongResponse, ClientClosed, WaitTimeout
    RequestRefused                                        the server's answers outside 2xx
        AuthenticationFailed, PermissionDenied, NotFound, Invalid, RateLimited
        Conflict: AlreadyDecided, AlreadyUsed, StaleRevision
        ServerFailed: ServerBusy
    IntentFailed                                          raised by Result.raise_for_status()
        IntentRejected, IntentSuperseded, IntentUndeliverable
        IntentCanceled: IntentWithdrawn
        IntentTimedOut: IntentExpired
    InvalidEdit                                           raised by a gated call
    StepFailed                                            raised by an agent's handler, to fail its step
"""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.client.types import Result

_SHOWN = 200


class SignoffError(Exception):
    """Base of all errors of the SDK. retryable: whether the same call may succeed shortly after."""

    retryable: bool = False


class NotConfigured(SignoffError):
    """No server, or no key for it, was found; the message lists the places that were searched and the next command."""


class ConnectionFailed(SignoffError):
    """The server did not respond.

    unsent: True if the request certainly did not reach the server, so that any call may be retried. timed_out: True if
    the time for it passed.
    """

    retryable = True

    def __init__(self, message: str, *, unsent: bool = False, timed_out: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent
        self.timed_out = timed_out


class WrongResponse(SignoffError):
    """The response belongs to another request and was discarded. This request may or may not have taken effect."""


class ClientClosed(SignoffError):
    """The client, or the event loop on which it was used, was closed. Create a new client."""


class WaitTimeout(SignoffError, TimeoutError):
    """The intent did not become final within the timeout. It continues; waiting again is safe.

    status: the last status seen, or "" if none was received; since: the last event's sequence number.
    """

    def __init__(self, message: str, *, intent_id: str, status: str = "", since: int = 0) -> None:
        super().__init__(message)
        self.intent_id = intent_id
        self.status = status
        self.since = since


class RequestRefused(SignoffError):
    """The server responded with an error.

    code: a stable code for programs; status: the HTTP status; message: a sentence; hint: what to do next, or None;
    field: the offending field, or None; details: additional values; request_id: finds the request in the server's log,
    or None; retry_after: for how many seconds the server asked to wait, or None; genuine: False if the response is
    not in Signoff's format (it came from a proxy or another program).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        error: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        details = (error or {}).get("details")
        self.code = code
        self.status = status
        self.message = message
        self.hint: str | None = (error or {}).get("hint")
        self.field: str | None = (error or {}).get("field")
        self.details: dict[str, Any] = details if isinstance(details, dict) else {}
        self.request_id = request_id
        self.retry_after = retry_after
        self.genuine = error is not None
        self.retryable = status in (429, 502, 503, 504)

    def __str__(self) -> str:
        text = f"{self.message} [{self.code}]"
        if self.hint:
            text += f" {self.hint}"
        return f"{text} (request {self.request_id})" if self.request_id else text


class AuthenticationFailed(RequestRefused):
    """401: the key is missing, unknown, expired or revoked."""


class PermissionDenied(RequestRefused):
    """403: this key may see it, but not do this."""


class NotFound(RequestRefused):
    """404: unknown, or not visible to this key: the two are indistinguishable."""


class Conflict(RequestRefused):
    """409: the state has changed; ``code`` says how."""


class AlreadyDecided(Conflict):
    """409: somebody else answered first. ``details``: what, who, when and through which channel."""

    @property
    def outcome(self) -> str:
        return str(self.details.get("outcome", ""))


class AlreadyUsed(Conflict):
    """409: the outcome has already been used; it can be used only once."""


class StaleRevision(Conflict):
    """409: what is being decided now (revision, stage or task) is not what was shown. Read it again, then answer."""


class Invalid(RequestRefused):
    """400, 413, 422: the request is malformed, too large, or asks for something impossible."""


class RateLimited(RequestRefused):
    """429: too many requests."""


class ServerFailed(RequestRefused):
    """5xx: the server, or something in front of it, failed."""


class ServerBusy(ServerFailed):
    """503: temporarily unavailable; nothing was written."""


class IntentFailed(SignoffError):
    """The intent ended without being completed; ``result`` has the details."""

    def __init__(self, message: str, result: "Result") -> None:
        super().__init__(message)
        self.result = result


class IntentRejected(IntentFailed):
    """A person rejected it."""


class IntentSuperseded(IntentFailed):
    """Changes were requested, and no revision followed."""


class IntentUndeliverable(IntentFailed):
    """No eligible approver could be reached."""


class IntentCanceled(IntentFailed):
    """The intent was canceled."""


class IntentWithdrawn(IntentCanceled):
    """The request was withdrawn while a task was open."""


class IntentTimedOut(IntentFailed):
    """The intent's deadline passed."""


class IntentExpired(IntentTimedOut):
    """Nobody decided before the deadline. Silence is never consent; it is not a rejection either."""


class InvalidEdit(SignoffError):
    """People approved a call with edited arguments that do not fit it. It was not made."""


class StepFailed(SignoffError):
    """Raise it in an agent's handler to fail the step on purpose.

    code: a stable code for programs (``table_locked``); retryable: whether the plan's retries apply.
    """

    def __init__(self, code: str, message: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


_BY_CODE: dict[str, type[RequestRefused]] = {
    "already_decided": AlreadyDecided,
    "already_used": AlreadyUsed,
    "stale_revision": StaleRevision,
    "stale_stage": StaleRevision,
    "not_shown": StaleRevision,
}
_BY_STATUS: dict[int, type[RequestRefused]] = {
    400: Invalid,
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
    429: RateLimited,
    503: ServerBusy,
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> RequestRefused:
    """The error for a response outside 2xx; ``headers`` by lower-case name."""
    error = _error_object(body)
    if error is None:
        return _strange(status, headers, body)
    code = str(error.get("code") or f"http_{status}")
    return _class_of(status, code)(
        code,
        str(error.get("message") or f"The server responded with HTTP {status}."),
        status=status,
        error=error,
        request_id=headers.get("x-request-id"),
        retry_after=_seconds(headers.get("retry-after")),
    )


def not_signoff(status: int, body: bytes) -> ServerFailed:
    """The error for a success that no Signoff server would send, because another program listens there."""
    shown = body[:_SHOWN].decode("utf-8", "replace").strip()
    return ServerFailed(
        "not_signoff", f"The response is not from a Signoff server: {shown!r}.", status=status
    )


def may_repeat(failure: SignoffError) -> bool:
    """Whether the same request may succeed shortly after: no response, 429, 502, 503, 504."""
    return isinstance(failure, RequestRefused | ConnectionFailed) and failure.retryable


def may_pass(failure: SignoffError) -> bool:
    """``may_repeat`` for a caller that can wait for days: also true for any 5xx, and for the errors of a proxy
    whose server is down.
    """
    if isinstance(failure, RequestRefused):
        stray = not failure.genuine and failure.status in (200, 404, 408)
        return may_repeat(failure) or failure.status >= 500 or stray
    return isinstance(failure, ConnectionFailed)


def _class_of(status: int, code: str) -> type[RequestRefused]:
    if status == 409 and code in _BY_CODE:
        return _BY_CODE[code]
    return _BY_STATUS.get(status, ServerFailed if status >= 500 else RequestRefused)


def _error_object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else None


def _strange(status: int, headers: Mapping[str, str], body: bytes) -> RequestRefused:
    shown = body[:_SHOWN].decode("utf-8", "replace").strip()
    message = f"A server that is not Signoff responded with HTTP {status}"
    if 300 <= status < 400:
        message += f" and points to {headers.get('location', 'nowhere')!r}; use that address"
    return _class_of(status, "")(
        f"http_{status}",
        f"{message}: {shown!r}." if shown else f"{message}.",
        status=status,
        request_id=headers.get("x-request-id"),
        retry_after=_seconds(headers.get("retry-after")),
    )


def _seconds(text: str | None) -> float | None:
    """Retry-After as seconds. The other form, a date, is ignored, because it would require a trusted clock."""
    try:
        seconds = float(text) if text else None
    except ValueError:
        return None
    return max(0.0, seconds) if seconds is not None and math.isfinite(seconds) else None
