"""Fifty people answer at once, over five channels: there is one decision, and every channel shows it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from signoff.cli.failures import ExitCode
from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.model import Person
from signoff.core.intent.events import Decided
from signoff.core.intent.hash_chain import unseal
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import WORKSPACE, person
from tests.engine.conftest import clock, store
from tests.engine.http_sink import HttpSink, http_sink
from tests.notify.messaging_env import BASE, asked, email
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.slackfake import signed
from tests.notify.smtp_sink import SmtpSink, smtp_sink
from tests.web.inbox.reading import Reader, Shown
from tests.web.serving import serving

__all__ = ["clock", "store"]

EACH = 10  # answers over each channel
MAILED = [person(f"m{n}", "approver") for n in range(EACH)]
CHATTING = [person(f"s{n}", "approver") for n in range(EACH)]
WITHIN = timedelta(seconds=5)
Said = tuple[bool, str]  # whether it was counted, and what whoever answered was told


# The command line, once it has loaded all and a line came: to start ten of them may take longer than a request may.
AT_THE_START = """
import sys
import httpx2, signoff.cli.tasks.answer, signoff.client.sync
from signoff.cli.main import main
print("ready", flush=True)
sys.stdin.readline()
main(sys.argv[1:])
"""


class Gate:
    """Starts the command lines together and holds their answers until all have arrived; then releases them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._there = self._ready = 0
        self.start = asyncio.Event()
        self.open = asyncio.Event()

    def ready(self) -> None:
        self._ready += 1
        if self._ready == EACH:
            self.start.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        agent = dict(scope["headers"]).get(b"user-agent", b"")
        if scope["method"] == "POST" and agent.startswith(b"signoff-cli/"):
            self._there += 1
            if self._there == EACH:
                self.open.set()
            await self.open.wait()
        await self._app(scope, receive, send)


def outcome(n: int) -> str:
    return "approved" if n % 2 else "rejected"


class Race:
    def __init__(self, slack: SlackEnv, server: SmtpSink, hook: HttpSink, folder: Path) -> None:
        self.slack = slack
        self.server = server
        self.hook = hook
        self.folder = folder
        self.web = slack.web
        self.gate = Gate(slack.web.app)
        self.task = ""
        self.url = ""

    async def furnish(self) -> None:
        """Twenty people who are asked: half by e-mail, half in Slack, each with a key."""
        it = self.slack.messaging
        for actor, channel in [(a, "email") for a in MAILED] + [(a, "slack") for a in CHATTING]:
            name = actor.id.removeprefix("per_")
            who = Person(
                actor.id, WORKSPACE, f"{name}@acme.example", f"Person {name}", ("approver",), it.clock.now()
            )
            assert await it.store.directory.add_person(who)
            it.directory.changed(WORKSPACE)
            await it.people_are(**{name: {"preferences": {"channels": [channel]}}})
            made = await it.keys.create(WORKSPACE, ActorKind.PERSON, actor.id, actor.id)
            self.web.keys[name] = made.secret
            if channel == "slack":
                await self.slack.link(actor, f"U{name.upper()}")

    # -- the five ways to answer

    async def by_web(self, n: int) -> Said:
        reader = Reader(self.web, f"m{n}")
        await reader.sign_in()
        page = await reader.get(f"/tasks/{self.task}")
        await self.gate.open.wait()
        after = await reader.press(page, f"/tasks/{self.task}", outcome(n))
        return (True, "") if after.status == 303 else self._refused(after, 409)

    async def by_link(self, n: int) -> Said:
        reader = Reader(self.web)
        page = await reader.get(self.link(n))
        await self.gate.open.wait()
        after = await reader.press(page, self.link(n), outcome(n + 1))
        return (True, "") if after.status == 200 else self._refused(after, 409, 410)

    def link(self, n: int) -> str:
        text = self.server.to(f"m{n}@acme.example")[0].get_body(("plain",)).get_content()
        return re.findall(rf"{BASE}(/t/\S+)", text)[0]

    def _refused(self, page: Shown, *statuses: int) -> Said:
        assert page.status in statuses, page.text
        return False, page.text

    async def by_api(self, n: int) -> Said:
        await self.gate.open.wait()
        answer = await self.web.answer(self.task, outcome(n), f"s{n}")
        if answer.status == 200:
            return True, ""
        assert (answer.status, answer.code) == (409, "already_decided")
        return False, json.dumps(answer["error"])

    async def by_cli(self, n: int) -> Said:
        words = ["tasks", "approve" if outcome(n) == "approved" else "reject", self.task, "--yes"]
        env = os.environ | {"SIGNOFF_URL": self.url, "SIGNOFF_API_KEY": self.web.keys[f"m{n}"]}
        shell = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            AT_THE_START,
            *words,
            env=env,
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert shell.stdout is not None
        await shell.stdout.readline()
        self.gate.ready()
        await self.gate.start.wait()
        out, err = await shell.communicate(b"go\n")
        assert shell.returncode in (ExitCode.OK, ExitCode.CONFLICT), (out, err)
        return shell.returncode == ExitCode.OK, err.decode()

    async def by_slack(self, n: int) -> Said:
        account = f"US{n}"
        body = self.slack.fake.pressed(self.slack.card(account).press(outcome(n + 1)), account)
        headers = signed(body, self.slack.messaging.clock.now().timestamp())
        await self.gate.open.wait()
        answer = await self.web.http.post("/v1/slack/actions", content=body, headers=headers)
        assert answer.status_code == 200
        await self.slack.desk.settle()
        [said] = [said for whom, said in self.slack.fake.whispers if whom == account and "link" not in said][
            -1:
        ]
        return said.startswith("Recorded:"), said


@asynccontextmanager
async def race(store: Store, clock: FixedClock, folder: Path) -> AsyncIterator[Race]:
    async with (
        smtp_sink() as server,
        http_sink() as hook,
        slack_env(store, clock, hook=f"{hook.url}/hook", **email(server.url)) as slack,
    ):
        it = Race(slack, server, hook, folder)
        await it.furnish()
        it.web.app = it.gate  # type: ignore[assignment]
        async with serving(it.web) as it.url:
            yield it


async def answers(way: list[Awaitable[Said]]) -> list[Said]:
    return list(await asyncio.gather(*way))


async def test_fifty_opposite_answers_over_five_channels_are_one_decision(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    async with race(store, clock, tmp_path) as it:
        messaging_env = it.slack.messaging
        await messaging_env.carry()
        it.server.mails.clear()  # that keys were created
        intent = await messaging_env.submit(asked(*(who.id for who in [*MAILED, *CHATTING])))
        it.task = f"{intent.id[:-4]}0001"
        await messaging_env.carry()
        assert (len(it.server.mails), len(it.slack.fake.cards)) == (EACH, EACH)
        ways = (it.by_web, it.by_link, it.by_api, it.by_cli, it.by_slack)
        async with asyncio.timeout(300):
            said = await answers([way(n) for n in range(EACH) for way in ways])
        counted = [index for index, (yes, _) in enumerate(said) if yes]
        # one person may have said the same over two channels: the second is answered like the first and counts once
        assert len(said) == 50
        assert len({index // len(ways) for index in counted}) == 1
        decided = await the_decision(it)
        won = await check_channels_agree(it, intent.id, decided)
        for index, (yes, text) in enumerate(said):
            if not yes:  # who, and what; when: as the channel says it
                assert won["outcome"] in text
                who = (won["name"], won["person"], "You decided")  # one may have answered over two channels
                assert any(word in text for word in who), (ways[index % 5].__name__, text)
                assert "02 Mar 2026" in text or "2026-03-02" in text or "Mar 2" in text, text
        assert "Person" in won["name"]


async def the_decision(it: Race) -> Any:
    rows = await it.slack.messaging.store.intents.history(it.task[:-4] + "0000")
    facts = [unseal(row.body, row.private) for row in rows]
    decisions = [fact for fact in facts if isinstance(fact.event, Decided)]
    assert len(decisions) == 1
    assert [type(fact.event).__name__ for fact in facts].count("Answered") == 1
    return decisions[0]


async def check_channels_agree(it: Race, intent_id: str, decided: Any) -> dict[str, str]:
    """Every channel agrees with the history within five seconds."""
    name = (await it.slack.messaging.directory.of(WORKSPACE)).display(decided.actor.id)
    won = {"outcome": decided.event.outcome, "name": name, "person": decided.actor.id}
    head = "Approved" if won["outcome"] == "approved" else "Rejected"
    await it.slack.messaging.carry()
    assert it.slack.messaging.clock.now() - decided.at <= WITHIN
    for card in it.slack.fake.cards.values():
        assert f"{head}: Run the migration on prod?" in card.text
        assert name in card.text
        assert [b["action_id"] for b in card.buttons] == ["open"]
    for who in [*MAILED, "rita"]:
        if isinstance(who, Actor) and who.id == decided.actor.id:
            continue  # nobody is sent their own decision
        address = f"{who.id.removeprefix('per_') if isinstance(who, Actor) else who}@acme.example"
        last = it.server.to(address)[-1]
        assert last["Subject"] == f"{head}: Run the migration on prod?"
        assert name in last.get_body(("plain",)).get_content()
    hooked = [json.loads(posted.body) for posted in it.hook.got]
    [news] = [one for one in hooked if one["type"] == "task.decided"]
    assert (news["data"]["outcome"], news["data"]["by"]) == (won["outcome"], won["person"])
    task = (await it.web.get(f"/v1/tasks/{it.task}", "m0"))["task"]
    assert (task["outcome"], task["decided_by"], task["decided_by_name"]) == (
        won["outcome"],
        won["person"],
        name,
    )
    page = await (await Reader(it.web, "s1").sign_in()).get(f"/tasks/{it.task}")
    assert name in page.text
    assert won["outcome"] in page.text.lower()
    dead = await Reader(it.web).get(it.link(0))
    assert (dead.status, name in dead.text, won["outcome"] in dead.text) == (410, True, True)
    assert (await it.slack.messaging.intent(intent_id)).ending == won["outcome"]
    return won
