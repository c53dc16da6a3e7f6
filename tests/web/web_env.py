"""The whole web layer in process on a real store and engine, with personas, their keys, and a movable clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Person, Workspace
from signoff.engine.clock import Clock
from signoff.store.store import Store
from tests.engine.engine_env import EngineEnv
from tests.web import documented

HOME = "00000000-0000-7000-8000-0000000000a1"
ELSEWHERE = "00000000-0000-7000-8000-0000000000a2"
VALIDATOR = "agent://acme/prod/validator"
TYPE = "intent.infra.change_approval.v1"
PLAIN = "intent.without.workflow.v1"
PAYLOAD = {"change_type": "database_migration", "target": "prod-postgres-main"}
WORKFLOW: dict[str, Any] = {
    "workflow": "database-migration",
    "intent_type": TYPE,
    "steps": [
        {"id": "validate", "agent": "validator", "deadline": "5m"},
        {
            "id": "approve",
            "human": {
                "type": "approval",
                "title": "Run the migration?",
                "approvers": ["ann@acme.example", "otto@acme.example"],
                "remind": {"after": "5m", "every": "30m", "at_most": 3},
                "escalate": [{"after": "2h", "to": ["emma@acme.example"]}],
            },
            "deadline": "8h",
        },
    ],
}
# Rita requests, Ann and Otto approve, Emma stands in, Aud only reads, Sam owns another workspace. Oscar owns
# this one; he made the keys, so he is on the requester's side.
PEOPLE = {
    "oscar": (HOME, ("owner",)),
    "rita": (HOME, ("member",)),
    "ann": (HOME, ("approver",)),
    "otto": (HOME, ("approver",)),
    "emma": (HOME, ("approver",)),
    "aud": (HOME, ("auditor",)),
    "sam": (ELSEWHERE, ("owner",)),
}


class Answer:
    """A response: status, headers, and the JSON (``answer["intent_id"]``)."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text
        is_json = response.headers.get("content-type") == "application/json" and bool(response.content)
        self.json: Any = response.json() if is_json else None

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    @property
    def code(self) -> str:
        """The error's code; "" for a success."""
        return self.json["error"]["code"] if self.status >= 400 else ""


class WebEnv:
    """A server without sockets. ``keys`` has one key for each persona, agent and service."""

    def __init__(self, env: EngineEnv) -> None:
        self.env = env
        self.clock = env.clock
        self.state = env.state
        self.app = env.app
        self.keys: dict[str, str] = {}
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url=env.base_url)

    async def furnish(self) -> None:
        """Create two workspaces with people, one agent and one service, each with a key."""
        rows, now = self.env.store.directory, self.clock.now()
        await rows.add_workspace(Workspace(HOME, "acme", "prod", False, now))
        await rows.add_workspace(Workspace(ELSEWHERE, "other", "prod", False, now))
        for name, (workspace, roles) in PEOPLE.items():
            person = Person(f"per_{name}", workspace, f"{name}@acme.example", name.title(), roles, now)
            await rows.add_person(person)
            made = await self.env.keys.create(workspace, ActorKind.PERSON, person.id, person.id)
            self.keys[name] = made.secret
        self.keys["agent"] = (await self.post("/v1/keys", {"agent": "validator"}, who="oscar"))["api_key"]
        self.keys["stranger"] = (await self.post("/v1/keys", {"agent": "stranger"}, who="oscar"))["api_key"]
        self.keys["ci"] = (await self.post("/v1/keys", {"service": "ci"}, who="oscar"))["api_key"]

    async def join(self, name: str, *roles: str) -> None:
        """Add a person to the workspace, with a key that nobody else created."""
        person = Person(f"per_{name}", HOME, f"{name}@acme.example", name.title(), roles, self.clock.now())
        await self.env.store.directory.add_person(person)
        self.env.directory.changed(HOME)
        made = await self.env.keys.create(HOME, ActorKind.PERSON, person.id, person.id)
        self.keys[name] = made.secret

    async def call(self, method: str, path: str, body: Any = None, who: str = "ci", **headers: str) -> Answer:
        """Send one request as a persona ("" for nobody). ``body``: a value to encode, or bytes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            sent["x-api-key"] = self.keys[who]
        if body is None or isinstance(body, bytes):
            answer = Answer(await self.http.request(method, path, content=body, headers=sent))
        else:
            answer = Answer(await self.http.request(method, path, json=body, headers=sent))
        documented.check(method, path, answer.status, answer.json)
        return answer

    async def get(self, path: str, who: str = "ci", **headers: str) -> Answer:
        return await self.call("GET", path, None, who, **headers)

    async def post(self, path: str, body: Any = None, who: str = "ci", **headers: str) -> Answer:
        return await self.call("POST", path, {} if body is None else body, who, **headers)

    # -- bringing an intent somewhere, by requests only

    async def send(self, who: str = "ci", **fields: Any) -> str:
        """Submit an intent; returns its id."""
        self.clock.move(timedelta(milliseconds=1))  # ids of one millisecond have no order
        answer = await self.post("/v1/intents", {"intent_type": TYPE, "payload": PAYLOAD, **fields}, who)
        assert answer.status == 200, answer.text
        return str(answer["intent_id"])

    async def apply_workflow(self, **changes: Any) -> None:
        answer = await self.post("/v1/workflows", {**WORKFLOW, **changes}, "oscar")
        assert answer.status == 200, answer.text

    async def ask(self, **human_task: Any) -> tuple[str, str]:
        """(intent id, task id) of an intent that waits for a person."""
        intent_id = await self.send(intent_type=PLAIN, human_task={"title": "May we?", **human_task})
        return intent_id, intent_id[:-4] + "0001"

    async def at_gate(self) -> tuple[str, str]:
        """(intent id, task id) of the workflow's intent after the agent validated it."""
        await self.apply_workflow()
        intent_id = await self.send()
        step = intent_id[:-4] + "0001"
        answer = await self.post(
            f"/v1/intents/{step}/resume", {"action": "complete", "passed": True}, "agent"
        )
        assert answer.status == 200, answer.text
        return intent_id, intent_id[:-4] + "0002"

    async def answer(
        self, task_id: str, outcome: str = "approved", who: str = "ann", **fields: Any
    ) -> Answer:
        return await self.post(f"/v1/tasks/{task_id}/answer", {"outcome": outcome, **fields}, who)

    async def actor(self, who: str) -> Actor:
        """The persona's actor in the engine."""
        return await self.env.keys.authenticate(self.keys[who], "api")

    async def status(self, intent_id: str) -> str:
        return str((await self.get(f"/v1/intents/{intent_id}"))["status"])


@asynccontextmanager
async def web_env(store: Store, clock: Clock, keys: dict[str, str] | None = None) -> AsyncIterator[WebEnv]:
    """The web layer on an open store, which is populated here unless ``keys`` are given."""
    env = EngineEnv(store, clock)
    async with env.running():
        made = WebEnv(env)
        if keys is None:
            await made.furnish()
        else:
            made.keys = dict(keys)
        try:
            yield made
        finally:
            made.state.stop()
            await made.http.aclose()
            await asyncio.sleep(0)
