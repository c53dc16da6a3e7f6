"""Every API call as a value: method, path, query, body, how to read the response, and whether it is safe to repeat.

Nothing here touches the network. A write sends an Idempotency-Key, created once per call, so that a retry after a lost
response does not repeat the effect. Calls that are harmless when repeated are marked ``repeatable``.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote

from signoff.client.errors import WrongResponse
from signoff.client.records import Json
from signoff.client.types import (
    Delivery,
    Event,
    Intent,
    Result,
    Task,
)

log = logging.getLogger("signoff")
T = TypeVar("T")
U = TypeVar("U")
Query = Mapping[str, str | int | bool | None]


@dataclass(frozen=True)
class ApiCall(Generic[T]):
    """One request and how to read its response.

    key: its Idempotency-Key, or None; repeatable: whether it is harmless to send it twice even without a key; wait:
    for how many seconds the server may delay the response (a long poll), in addition to the usual timeout.
    """

    method: str
    path: str
    read: Callable[[Json], T] = field(repr=False)
    query: Query = field(default_factory=dict)
    body: Json | None = field(default=None, repr=False)
    key: str | None = None
    repeatable: bool = False
    wait: float = 0.0

    @property
    def safe(self) -> bool:
        """Whether the request may be sent again if its response was lost."""
        return self.repeatable or self.method == "GET" or self.key is not None

    def check(self, answer: Json) -> None:
        """Raise WrongResponse if the response names another intent, task or delivery than the path."""
        asked = _ASKED.match(self.path)
        if asked is None:
            return
        kind, wanted = asked["kind"], asked["id"]
        names = _COPIED if self.path.endswith(("/retry", "/rerun")) else _NAMES[kind]
        for subject, exact in _named(answer, names):
            if not same_subject(subject, wanted) or (
                exact and _is_step(wanted) and subject.lower() != wanted.lower()
            ):
                raise WrongResponse(
                    f"Asked for {kind.removesuffix('s')} {wanted}, got a response for {subject}."
                )

    def then(self, read: Callable[[T], U]) -> "ApiCall[U]":
        """The same call, with an additional step after its response is read."""
        return cast(
            "ApiCall[U]", replace(cast("ApiCall[Any]", self), read=lambda answer: read(self.read(answer)))
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The query as text, without values that are None."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.query.items()
            if value is not None
        }

    @property
    def content(self) -> bytes | None:
        """The body as bytes; raises TypeError or ValueError for values that JSON cannot express."""
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


_ID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_ASKED: Final = re.compile(rf"/v1/(?P<kind>intents|tasks|deliveries)/(?P<id>{_ID})(?:/|$)")
# The response to a retry is about the new intent, which names the original.
_COPIED: Final = ("retry_of", "rerun_of")
_NAMES: Final = {"intents": ("intent_id",), "tasks": ("task_id", "intent_id"), "deliveries": ("intent_id",)}
_INNER: Final = ("intent", "task")
_LISTS: Final = ("events", "messages")

LONGEST_CODE: Final = 128
LONGEST_MESSAGE: Final = 2000


def same_subject(subject: str, asked: str) -> bool:
    """Whether two ids name the same intent or its steps: such ids differ only in the last four digits."""
    return subject[:-4].lower() == asked[:-4].lower() and len(subject) == len(asked)


def _is_step(ref: str) -> bool:
    return not ref.endswith("0000")


def _named(answer: Json, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The ids in a response that name its subject, and whether each is a task's."""
    inner = [answer[name] for name in _INNER if isinstance(answer.get(name), dict)]
    first = [found[0] for name in _LISTS if isinstance(found := answer.get(name), list) and found]
    for part in (answer, *inner, *first):
        if isinstance(part, dict):
            name = next((name for name in names if part.get(name)), "")
            subject = part.get(name)
            if isinstance(subject, str) and re.fullmatch(_ID, subject):
                yield subject, name == "task_id"


@dataclass(frozen=True)
class ListPage(Generic[T]):
    """One page of a list; ``next_cursor`` is None on the last."""

    items: list[T]
    next_cursor: str | None = None


# Reads one page of a list; called with (maximum number, cursor).
Pages = Callable[[int, str | None], ApiCall[ListPage[T]]]


@dataclass(frozen=True)
class SubmittedIntent:
    """A submitted intent, and warnings for its sender, such as that no agent is connected at that address."""

    intent_id: str
    warnings: tuple[str, ...] = ()


def id_after_logging_warnings(sent: SubmittedIntent) -> str:
    """Log the warnings and return the id."""
    for warning in sent.warnings:
        log.warning("intent %s: %s", sent.intent_id, warning)
    return sent.intent_id


def own_key(key: str | None) -> str:
    """The idempotency key of a call: the given one, or else a new one."""
    if key is not None and not str(key).strip():
        raise ValueError("idempotency_key is empty: give it a value, or omit it")
    return fresh_key() if key is None else str(key)


def send_intent(intent: Mapping[str, Any], idempotency_key: str | None = None) -> ApiCall[SubmittedIntent]:
    return ApiCall("POST", "/v1/intents", _sent, body=dict(intent), key=own_key(idempotency_key))


def get_intent(intent_id: str) -> ApiCall[Intent]:
    return ApiCall("GET", f"/v1/intents/{one_segment(intent_id)}", intent_in)


def get_result(intent_id: str) -> ApiCall[Result]:
    return ApiCall(
        "GET", f"/v1/intents/{one_segment(intent_id)}", lambda answer: Result.read(inner(answer, "intent"))
    )


def use(intent_id: str, use: str) -> ApiCall[None]:
    """Accept the outcome only if the response names this very use: a proxy may answer for the server, or repeat an old
    answer.
    """

    def confirmed(answer: Json) -> None:
        if answer["use"] != use:
            raise WrongResponse(
                f"Asked to use the outcome of intent {intent_id}, got a response to another use."
            )

    path = f"/v1/intents/{one_segment(intent_id)}/use"
    return ApiCall("POST", path, confirmed, body={"use": use}, repeatable=True)


def events(intent_id: str, since: int = 0) -> ApiCall[list[Event]]:
    path = f"/v1/intents/{one_segment(intent_id)}/events"
    return ApiCall("GET", path, lambda answer: list_of(answer, "events", Event.read), query={"since": since})


def event_stream(intent_id: str, since: int, wait_seconds: int) -> ApiCall[None]:
    path = f"/v1/intents/{one_segment(intent_id)}/events/stream"
    return ApiCall("GET", path, lambda _: None, query={"since": since, "wait_seconds": wait_seconds})


def retry(intent_id: str, idempotency_key: str | None = None) -> ApiCall[SubmittedIntent]:
    path = f"/v1/intents/{one_segment(intent_id)}/retry"
    return ApiCall("POST", path, _sent, body={}, key=own_key(idempotency_key))


def named(
    task: str | Task, stage: int | None, revision: int | None, digest: str | None
) -> dict[str, int | str | None]:
    """The target of an answer: the given one, or else the target of the task that was shown."""
    if isinstance(task, str):
        return {"stage": stage, "revision": revision, "digest": digest}
    return {
        "stage": stage or task.stage or None,
        "revision": revision or task.revision or None,
        "digest": digest or task.digest or None,
    }


@dataclass(frozen=True)
class ClaimedDeliveries:
    """The claimed deliveries. ``agent``: the requested address; ``notice``: a warning for the person who started the
    agent, or "".
    """

    deliveries: tuple[Delivery, ...] = ()
    agent: str = ""
    notice: str = ""


def claim(address: str, limit: int, lease: float, holder: str, wait: int) -> ApiCall[ClaimedDeliveries]:
    body = {"limit": limit, "lease_seconds": lease, "holder": holder, "wait_seconds": wait}
    path = f"/v1/agents/{agent_path(address)}/deliveries/claim"
    return ApiCall("POST", path, _claimed, body=body, wait=wait)


def _claimed(answer: Json) -> ClaimedDeliveries:
    most = {"max_report_bytes": answer.get("max_report_bytes")}
    deliveries = list_of(
        answer, "deliveries", lambda one: Delivery.read({**most, **one} if isinstance(one, dict) else one)
    )
    agent, notice = answer.get("agent"), answer.get("notice")
    return ClaimedDeliveries(tuple(deliveries), str(agent or ""), str(notice or ""))


def renew(delivery: Delivery, lease: float) -> ApiCall[None]:
    return _of_delivery(delivery, "renew", {"lease_seconds": lease})


def release(delivery: Delivery) -> ApiCall[None]:
    return _of_delivery(delivery, "release", {})


def report_result(delivery: Delivery, result: Json) -> ApiCall[None]:
    return _of_delivery(delivery, "report", {"result": result})


def report_fault(delivery: Delivery, code: str, message: str, retryable: bool) -> ApiCall[None]:
    """The report of a failure. Its text is cut to what the server accepts; if the report were refused, the failure
    would be lost.
    """
    code, message = (str(text).encode("utf-8", "backslashreplace").decode() for text in (code, message))
    error = {
        "code": code[:LONGEST_CODE] or "agent_error",
        "message": message[:LONGEST_MESSAGE],
        "retryable": bool(retryable),
    }
    return _of_delivery(delivery, "report", {"error": error})


def _of_delivery(delivery: Delivery, verb: str, body: Json) -> ApiCall[None]:
    # The token makes these repeatable: a second report finds the step closed and changes nothing.
    path = f"/v1/deliveries/{one_segment(delivery.delivery_id)}/{verb}"
    return ApiCall("POST", path, lambda _: None, body={"token": delivery.token, **body}, repeatable=True)


def pages(path: str, query: Query, name: str, read: Callable[[object], T]) -> Pages[T]:
    def page(answer: Json) -> ListPage[T]:
        cursor = answer.get("next_cursor")
        return ListPage(list_of(answer, name, read), str(cursor) if cursor else None)

    return lambda limit, cursor: ApiCall("GET", path, page, query={**query, "limit": limit, "cursor": cursor})


def fresh_key() -> str:
    return str(uuid.uuid4())


def one_segment(identifier: str) -> str:
    """An id as one path segment."""
    if not isinstance(identifier, str) or not identifier.strip(". "):
        raise TypeError(f"an id is a non-empty string, not {identifier!r}")
    return quote(identifier, safe="")


def agent_path(address: str) -> str:
    """An agent's address as the one to three path segments of the server's routes."""
    bare = address.strip().removeprefix("agent://")
    if not bare:
        raise TypeError("an agent's name or address must not be empty")
    if not all(part.strip(". ") for part in bare.split("/")):  # would resolve to a different path
        raise TypeError(f"an agent's address has no empty part and none of dots only, unlike {address!r}")
    return quote(bare, safe="/")


def list_of(answer: Json, name: str, read: Callable[[object], T]) -> list[T]:
    found = answer.get(name)
    return (
        [read(item) for item in found] if isinstance(found, Sequence) and not isinstance(found, str) else []
    )


def inner(answer: Json, name: str) -> Json:
    found = answer.get(name)
    return found if isinstance(found, dict) else answer


def intent_in(answer: Json) -> Intent:
    return Intent.read(inner(answer, "intent"))


def _sent(answer: Json) -> SubmittedIntent:
    intent_id = str(answer.get("intent_id") or inner(answer, "intent")["intent_id"])
    return SubmittedIntent(intent_id, tuple(list_of(answer, "warnings", str)))
