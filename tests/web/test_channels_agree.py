"""All channels refuse an ineligible person with the same error, and record nothing. The channels come from the
server's route tables: a new route that changes something must be added to one of the two lists here, and those listed
as deciding nothing are tried as a way to decide.
"""

import ast
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from signoff.core.directory.model import ChatPerson
from signoff.core.intent.events import Answered, Decided
from signoff.core.intent.hash_chain import unseal
from signoff.core.plan.task_types import Meaning
from signoff.engine.delivery.chat_answers import Chat
from signoff.notify.chat import Press, read_press, short_press
from signoff.web.api.routes import ENDPOINTS
from signoff.web.pages.routes import ROWS
from tests.web.inbox.reading import Reader, Shown, reader
from tests.web.web_env import HOME, WebEnv

SOURCE: Final = Path(__file__).parents[2] / "src" / "signoff"
TYPE: Final = "intent.agreed.v1"


class Gate:
    """A task with its digest, and a person who tries to decide it. ``outcome``: their answer; ``stage``: the stage
    that they were shown.
    """

    def __init__(self, web: WebEnv, task_id: str, digest: str, who: str, outcome: str = "approved") -> None:
        self.web, self.task_id, self.digest, self.who, self.outcome = web, task_id, digest, who, outcome
        self.stage = 1

    @property
    def intent_id(self) -> str:
        return f"{self.task_id[:-4]}0000"


# -- the channels: each says the code of its refusal, "" for a decision

Way = Callable[[Gate], Awaitable[str]]


async def by_api(it: Gate) -> str:
    said = {"outcome": it.outcome, "stage": it.stage, "revision": 1, "digest": it.digest}
    return (await it.web.post(f"/v1/tasks/{it.task_id}/answer", said, it.who)).code


async def by_cli(it: Gate) -> str:
    said = {"outcome": it.outcome, "stage": it.stage, "revision": 1, "digest": it.digest}
    return (
        await it.web.post(f"/v1/tasks/{it.task_id}/answer", said, it.who, user_agent="signoff-cli/1.0")
    ).code


async def by_approval(it: Gate) -> str:
    said = {"decision": "approve", "stage": it.stage, "revision": 1, "digest": it.digest}
    return (await it.web.post(f"/v1/approvals/{it.task_id}/decision", said, it.who)).code


async def by_bulk(it: Gate) -> str:
    task = {"task_id": it.task_id, "stage": it.stage, "revision": 1, "digest": it.digest}
    answer = await it.web.post("/v1/tasks/answers", {"outcome": it.outcome, "tasks": [task]}, it.who)
    assert answer.status == 200, answer.text
    return str(answer["results"][0].get("code", ""))


async def by_resume(it: Gate) -> str:
    said = {"task_result": {"outcome": it.outcome}, "stage": it.stage, "revision": 1, "digest": it.digest}
    return (await it.web.post(f"/v1/intents/{it.task_id}/resume", said, it.who)).code


def code_of(page: Shown) -> str:
    if page.status < 400:
        return ""
    return next(attrs["data-code"] for _, attrs in page.tags if "data-code" in attrs)


async def by_page(it: Gate) -> str:
    return await _posted(await reader(it.web, it.who), f"/tasks/{it.task_id}", it)


async def by_page_with_a_key(it: Gate) -> str:
    return await _posted(await Reader(it.web, it.who).sign_in(key=True), f"/tasks/{it.task_id}", it)


async def by_link(it: Gate) -> str:
    task = (await it.web.get(f"/v1/tasks/{it.task_id}", "aud"))["task"]
    token = await it.web.state.sessions.task_link(
        HOME, f"per_{it.who}", it.intent_id, int(it.task_id[-4:], 16), task["digest"]
    )
    return await _posted(Reader(it.web), f"/t/{token}", it)


async def _posted(browser: Reader, path: str, it: Gate) -> str:
    said = {"outcome": it.outcome, "stage": str(it.stage), "revision": "1", "digest": it.digest}
    return code_of(await browser.post(path, **said))


async def by_bulk_page(it: Gate) -> str:
    pick = f"{it.task_id}.{it.stage}.1.{it.digest}"
    page = await (await reader(it.web, it.who)).post("/bulk", pick=pick, outcome=it.outcome)
    return next((attrs["data-code"] for _, attrs in page.tags if "data-code" in attrs), "")


async def by_slack(it: Gate) -> str:
    return await _by_chat("slack", it, Press(it.task_id, it.outcome, it.digest, 1, it.stage))


async def by_msteams(it: Gate) -> str:
    return await _by_chat("msteams", it, Press(it.task_id, it.outcome, it.digest, 1, it.stage))


async def by_telegram(it: Gate) -> str:
    """As Telegram's button encodes it."""
    press = read_press(short_press(Press(it.task_id, it.outcome, it.digest, 1, it.stage), 0))
    assert press is not None
    return await _by_chat("telegram", it, press)


async def _by_chat(channel: str, it: Gate, press: Press) -> str:
    env, known = it.web.env, await it.web.actor(it.who)
    chat = Chat(channel, env.engine, env.store, env.keys, env.directory, env.clock)
    long_ago = it.web.clock.now() - timedelta(days=9)
    await env.store.chats.link(ChatPerson(channel, "T1", it.who, known.workspace, known.id, long_ago))
    said = await chat.press("T1", it.who, press)
    if said.startswith("Recorded"):
        return ""
    # a chat says words; they are those of the refusal that the same person meets elsewhere
    answer = {"outcome": it.outcome, "stage": it.stage, "revision": 1, "digest": it.digest}
    told = await it.web.post(f"/v1/tasks/{it.task_id}/answer", answer, it.who)
    return told.code if said.startswith(told["error"]["message"]) else said


CHANNELS: Final[dict[str, tuple[str, Way]]] = {
    # channel: (its route, how)
    "api": ("POST /v1/tasks/{task_id}/answer", by_api),
    "cli": ("POST /v1/tasks/{task_id}/answer", by_cli),
    "bulk": ("POST /v1/tasks/answers", by_bulk),
    "approval": ("POST /v1/approvals/{approval_id}/decision", by_approval),
    "resume": ("POST /v1/intents/{intent_id}/resume", by_resume),
    "page": ("POST /tasks/{task_id}", by_page),
    "page by key": ("POST /tasks/{task_id}", by_page_with_a_key),
    "bulk page": ("POST /bulk", by_bulk_page),
    "link": ("POST /t/{token}", by_link),
    "slack": ("POST /v1/slack/actions", by_slack),
    "msteams": ("POST /v1/msteams/actions", by_msteams),
    "telegram": ("POST /v1/telegram/actions", by_telegram),
}


# -- what is wrong with the decision


async def gate(
    web: WebEnv, who: str, *, asked: tuple[str, ...] = ("ann", "otto"), by: str = "ci", **more: Any
) -> Gate:
    outcome = more.pop("outcome", "approved")
    comment = more.pop("comment", False)
    approve = [{"any": [f"{name}@acme.example" for name in asked]}]
    policy = {"approve": approve, "risk": "low", **more}
    human = {"type": "approval", "policy": policy, "comment_required": comment}
    flow = {"workflow": "agreed", "intent_type": TYPE, "steps": [{"id": "ok", "human": human}]}
    answer = await web.post("/v1/workflows", flow, "oscar")
    assert answer.status == 200, answer.text
    task_id = f"{(await web.send(by, intent_type=TYPE))[:-4]}0001"
    digest = (await web.get(f"/v1/tasks/{task_id}", "oscar"))["task"]["digest"]
    return Gate(web, task_id, digest, who, outcome)


async def stranger(web: WebEnv) -> Gate:
    return await gate(web, "emma")


async def requester_gate(web: WebEnv) -> Gate:
    return await gate(web, "rita", asked=("rita", "ann"), by="rita")


async def key_maker(web: WebEnv) -> Gate:
    return await gate(web, "oscar", asked=("oscar", "ann"))  # he made the service's key


async def elsewhere(web: WebEnv) -> Gate:
    return await gate(web, "sam")


async def too_weak(web: WebEnv) -> Gate:
    return await gate(web, "ann", risk="high")


async def unseen(web: WebEnv) -> Gate:
    it = await gate(web, "ann")
    it.digest = "0" * 64
    return it


BOTH: Final = [{"any": ["ann@acme.example", "otto@acme.example"]}, {"any": ["ann@acme.example"]}]


async def passed(web: WebEnv) -> Gate:
    """Otto has completed the stage that Ann's page shows; the next one asks her too."""
    it = await gate(web, "ann", approve=BOTH)
    said = {"stage": 1, "revision": 1, "digest": it.digest}
    assert (await web.answer(it.task_id, who="otto", **said)).status == 200
    return it


async def decided(web: WebEnv) -> Gate:
    it = await gate(web, "ann")
    assert (await web.answer(it.task_id, who="otto")).status == 200
    return it


async def too_late(web: WebEnv) -> Gate:
    it = await gate(web, "ann", deadline="1h")
    web.clock.move(timedelta(hours=2))
    return it


async def no_outcome(web: WebEnv) -> Gate:
    return await gate(web, "ann", outcome="perhaps")


async def no_comment(web: WebEnv) -> Gate:
    return await gate(web, "ann", comment=True)


async def handed_over(web: WebEnv) -> Gate:
    it = await gate(web, "ann")
    given = await web.post(f"/v1/tasks/{it.task_id}/delegate", {"to": "emma@acme.example"}, "ann")
    assert given.status == 200, given.text
    return it


async def left(web: WebEnv) -> Gate:
    it = await gate(web, "ann", asked=("otto",), escalate=[])
    return it


VIOLATIONS: Final[dict[str, tuple[Callable[[WebEnv], Awaitable[Gate]], str]]] = {
    "was not asked": (stranger, "not_an_approver"),
    "asks themself": (requester_gate, "self_approval"),
    "made the key that asks": (key_maker, "self_approval"),
    "belongs to another workspace": (elsewhere, "intent_not_found"),
    "proved too little": (too_weak, "stronger_sign_in_required"),
    "saw something else": (unseen, "stale_revision"),
    "saw an earlier stage": (passed, "stale_stage"),
    "comes second": (decided, "already_decided"),
    "comes too late": (too_late, "already_decided"),
    "says what is no outcome": (no_outcome, "outcome_not_allowed"),
    "gives no reason": (no_comment, "comment_required"),
    "handed it over": (handed_over, "not_an_approver"),
    "only others were asked": (left, "not_an_approver"),
}
IN_BROWSER: Final = "This task can only be answered on its page: finish in the browser."
# Where a channel cannot commit the violation (None), or another wall comes before.
ELSE: Final[dict[tuple[str, str], str | None]] = {
    ("proved too little", "page"): None,  # a sign-in by e-mail proves enough
    ("says what is no outcome", "approval"): None,  # knows two only
    ("belongs to another workspace", "link"): "link_over",  # nobody is made a link in another workspace
    ("belongs to another workspace", "slack"): "There is no such task.",
    ("says what is no outcome", "slack"): IN_BROWSER,
    ("gives no reason", "slack"): IN_BROWSER,
    ("gives no reason", "bulk"): "bulk_not_allowed",
    ("gives no reason", "bulk page"): "bulk_not_allowed",
    ("proved too little", "bulk page"): "bulk_not_allowed",
    ("belongs to another workspace", "msteams"): "There is no such task.",
    ("says what is no outcome", "msteams"): IN_BROWSER,
    ("gives no reason", "msteams"): IN_BROWSER,
    ("belongs to another workspace", "telegram"): "There is no such task.",
    ("says what is no outcome", "telegram"): IN_BROWSER,
    ("gives no reason", "telegram"): IN_BROWSER,
    ("comes second", "link"): "link_over",  # it died with its task, and says who decided
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("violation", VIOLATIONS)
async def test_every_channel_refuses_alike(web: WebEnv, violation: str, channel: str) -> None:
    expected = ELSE.get((violation, channel), VIOLATIONS[violation][1])
    if expected is None:
        return
    it = await VIOLATIONS[violation][0](web)
    before = await facts(it)
    assert await CHANNELS[channel][1](it) == expected
    assert await facts(it) == before


async def facts(it: Gate) -> list[str]:
    """The task's facts in the history."""
    trail = (await it.web.get(f"/v1/intents/{it.intent_id}/audit", "oscar"))["events"]
    return [event["type"] for event in trail]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_repeated_answer_through_any_channel_is_no_second_vote(web: WebEnv, channel: str) -> None:
    it = await gate(web, "ann", approve=BOTH)
    codes = [await CHANNELS[channel][1](it) for _ in range(3)]
    assert codes[0] == ""
    assert set(codes[1:]) <= {"", "stale_stage"}
    assert (await facts(it)).count("answered") == 1
    assert (await web.get(f"/v1/tasks/{it.task_id}"))["task"]["stage"] == 2


@pytest.mark.parametrize("channel", CHANNELS)
async def test_every_channel_decides_a_valid_task(web: WebEnv, channel: str) -> None:
    assert await CHANNELS[channel][1](await gate(web, "ann")) == ""


# -- the tables: no other way in

_ROUTES: Final = {f"{row.method} {row.path}" for row in (*ENDPOINTS, *ROWS) if row.method != "GET"}
_DECIDING: Final = {route for route, _ in CHANNELS.values()}
# Everything else that changes something. Whoever adds a route puts it here, where it is tried as a way to decide; or it
# is a channel, and stands above with every violation.
_QUIET: Final = {
    # requests and what agents report
    "POST /v1/intents", "POST /v1/intents/bulk-cancel", "POST /v1/intents/{intent_id}/resolve",
    "POST /v1/intents/{intent_id}/controls", "PATCH /v1/intents/{intent_id}/controls",
    "POST /v1/intents/{intent_id}/policy", "PATCH /v1/intents/{intent_id}/policy",
    "POST /v1/intents/{intent_id}/retry", "POST /v1/intents/{intent_id}/rerun", "POST /intents/{intent_id}/rerun",
    "POST /v1/intents/{intent_id}/use",
    "POST /v1/scenarios/apply", "POST /v1/scenarios/bundle",
    "POST /v1/scenarios/validate", "POST /v1/agents/{address:path}/deliveries/claim",
    "POST /v1/deliveries/{delivery_id}/report", "POST /v1/deliveries/{delivery_id}/renew",
    "POST /v1/deliveries/{delivery_id}/release", "POST /intents/{intent_id}/cancel",
    # a task, beside its answer
    "POST /v1/tasks/{task_id}/delegate", "POST /v1/tasks/{task_id}/reassign", "POST /v1/tasks/{task_id}/mark-reviewing",
    "POST /v1/tasks/{task_id}/unmark-reviewing", "POST /v1/tasks/{task_id}/comment", "POST /v1/tasks/{task_id}/revise",
    "POST /v1/tasks/{task_id}/withdraw", "POST /v1/tasks/{task_id}/snooze", "POST /v1/tasks/{task_id}/unsnooze",
    "POST /tasks/{task_id}/{act}",
    # who is who, and what they agreed on
    "POST /v1/workflows", "POST /v1/people", "PATCH /v1/people/{person_id}", "PUT /v1/teams/{name}",
    "POST /v1/policies", "POST /v1/apply", "POST /v1/proposals/{proposal_id}/confirm",
    "POST /v1/proposals/{proposal_id}/refuse", "POST /v1/service-accounts",
    "PATCH /v1/service-accounts/{account_id}", "DELETE /v1/service-accounts/{account_id}",
    "POST /v1/service-accounts/{account_id}/keys", "POST /v1/service-accounts/{account_id}/keys/{key_id}/revoke",
    "POST /v1/keys", "POST /v1/keys/{key_id}/revoke", "POST /v1/me/{channel}/code",
    "POST /v1/mesh/agents/{address:path}/kill", "POST /v1/mesh/agents/{address:path}/resume",
    "PUT /v1/agents/{address:path}/policy", "POST /v1/agents/{address:path}/policy/entries",
    "DELETE /v1/agents/{address:path}/policy/entries/{entry_id:path}",
    "PUT /v1/mesh/agents/{address:path}/policies/cost",
    "POST /agents/{account_id}/kill", "POST /agents/{account_id}/resume",
    "POST /agents/{account_id}/remove", "POST /people", "POST /people/{person_id}/{act}", "POST /me/channels/{channel}",
    "POST /v1/people/{person_id}/reassign", "POST /v1/workspaces", "PATCH /v1/workspaces/{workspace_id}",
    "POST /workspaces", "POST /workspaces/{workspace_id}", "POST /remove", "POST /v1/people/{person_id}/erase",
    "POST /people/{person_id}/erase",
    "POST /teams", "POST /teams/{name}", "POST /proposals/{proposal_id}/confirm",
    "POST /proposals/{proposal_id}/refuse", "POST /proposals/{proposal_id}/mail", "POST /keys",
    "POST /keys/{key_id}/revoke", "POST /me/keys", "POST /me/keys/{key_id}/revoke",
    # signing in and out
    "POST /v1/device-logins", "POST /v1/device-logins/poll", "POST /device", "POST /device/allow", "POST /device/deny",
    "POST /login", "POST /login/mail", "POST /login/{token}", "POST /logout",
    "POST /v1/portal/personal/workspace-selection", "POST /v1/mesh/heartbeat",
    "POST /people/{person_id}/sessions", "POST /v1/people/{person_id}/sessions/end",
    "POST /people/{person_id}/test-messages", "POST /v1/people/{person_id}/test-messages",
    "POST /v1/people/{person_id}/sessions/{session_id}/end",
}  # fmt: skip
_BODIES: Final[tuple[dict[str, Any], ...]] = (
    {"outcome": "approved", "decision": "approve"},
    {"task_result": {"outcome": "approved"}},
    {"approve_current_step": True},
    {"action": "complete", "outcome": "approved"},
    {"status": "COMPLETED", "result": {"outcome": "approved"}},
    {"to": "emma@acme.example", "outcome": "approved"},
    {},
)


def test_every_changing_route_is_a_channel_or_known_to_decide_nothing() -> None:
    assert _ROUTES == _DECIDING | _QUIET
    assert not _DECIDING & _QUIET


@pytest.mark.parametrize("route", sorted(_QUIET))
async def test_no_other_route_records_a_decision(web: WebEnv, route: str) -> None:
    method, _, path = route.partition(" ")
    it = await gate(web, "ann")
    acts = ("answer", "approve", "decide") if "{act}" in path else ("",)
    names = {
        "intent_id": it.intent_id,
        "task_id": it.task_id,
        "delivery_id": it.task_id,
        "approval_id": it.task_id,
        "address:path": "validator",
        "name": "sre",
        "person_id": "per_ann",
        "proposal_id": it.task_id,
        "account_id": it.task_id,
        "key_id": it.task_id,
        "token": it.task_id,
        "workspace_id": "current",
        "entry_id:path": "*",
        "session_id": it.task_id[:16],
    }
    for act in acts:
        there = path
        for name, value in {**names, "act": act}.items():
            there = there.replace(f"{{{name}}}", value)
        said = {"outcome": "approved", "revision": 1, "digest": it.digest}
        if path.startswith("/v1/"):
            for body in _BODIES:
                await web.call(method, there, {**said, **body} if body else said, it.who)
        else:
            ann = await reader(web, "ann")
            await ann.post(there, **{name: str(value) for name, value in said.items()})
    rows = await web.env.store.intents.history(it.intent_id)
    history = [unseal(row.body, row.private) for row in rows]
    assert not [fact for fact in history if isinstance(fact.event, Answered)]
    decisions = [fact.event for fact in history if isinstance(fact.event, Decided)]
    assert all(event.meaning is not Meaning.APPROVES for event in decisions)  # withdrawn, at most


def test_only_the_rules_create_answers_and_decisions() -> None:
    """Only ``core/intent/advance.py`` creates these facts."""
    rules = {
        "core/intent/task_commands.py",
        "core/intent/decide.py",
        "core/intent/routing.py",
        "core/intent/timers.py",
    }
    found = set()
    for file in SOURCE.rglob("*.py"):
        module = file.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            made = node.func if isinstance(node, ast.Call) else None
            if isinstance(made, ast.Attribute) and made.attr in ("Answered", "Decided"):
                found.add(module)
            if isinstance(node, ast.ImportFrom) and node.module == "signoff.core.intent.events":
                names = {name.name for name in node.names} & {"Answered", "Decided"}
                calls = [n for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.Call)]
                used = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
                found |= {module} if names & used else set()
    assert found == rules


# -- nobody proves more by saying so


@pytest.mark.parametrize("claim", [{"strength": "session"}, {"assurance": "hardware"}, {"via": "web"}])
async def test_client_cannot_claim_its_own_assurance(web: WebEnv, claim: dict[str, str]) -> None:
    it = await gate(web, "ann", risk="high")
    said = {"outcome": "approved", "revision": 1, "digest": it.digest}
    answer = await web.post(f"/v1/tasks/{it.task_id}/answer", {**said, **claim}, "ann")
    assert (answer.status, answer.code) == (422, "unknown_field")
    path, body = f"/v1/approvals/{it.task_id}/decision", {"decision": "approve"}
    assert (await web.post(path, {**body, **claim}, "ann")).code == "unknown_field"
    path, body = f"/v1/intents/{it.task_id}/resume", {"task_result": {"outcome": "approved", **claim}}
    assert (await web.post(path, {**body, **claim}, "ann")).code == "stronger_sign_in_required"
    key = await Reader(web, "ann").sign_in(key=True)
    page = await key.post(f"/tasks/{it.task_id}", outcome="approved", revision="1", digest=it.digest, **claim)
    assert code_of(page) == "stronger_sign_in_required"
    assert (await web.get(f"/v1/tasks/{it.task_id}"))["task"]["state"] == "open"


async def test_high_risk_task_from_a_chat_is_finished_in_the_browser(web: WebEnv) -> None:
    it = await gate(web, "ann", risk="high")
    assert await by_slack(it) == "stronger_sign_in_required"
    told = await web.answer(it.task_id, revision=1, digest=it.digest)
    assert "Finish in the browser" in told["error"]["hint"]
    assert (await web.get(f"/v1/tasks/{it.task_id}"))["task"]["state"] == "open"
    assert await by_page(it) == ""
