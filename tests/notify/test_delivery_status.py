"""The state of every message to people and services can be read: in the API, on the page, and by channel for admins."""

from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import ActorKind
from signoff.engine.clock import FixedClock
from signoff.notify.apprise import Apprise, name_of
from signoff.notify.outbound.post import shown_url
from signoff.store.store import Store
from tests.builders import RITA, WORKSPACE
from tests.engine.http_sink import http_sink
from tests.notify.messaging_env import Escalation, asked, email
from tests.notify.slack_env import SlackEnv, slack_env
from tests.notify.smtp_sink import smtp_sink
from tests.web.inbox.reading import reader

# A plugin that Apprise loads beside imports what Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "s3cr3t-t0k3n"


async def speaks(slack: SlackEnv, person: Any) -> str:
    """The name by which ``slack.web`` acts for this person."""
    made = await slack.messaging.keys.create(WORKSPACE, ActorKind.PERSON, person.id, person.id)
    slack.web.keys[person.id] = made.secret
    return str(person.id)


async def message_states(slack: SlackEnv, ref: str, kind: str = "intents") -> list[tuple[str, str, str]]:
    """(to, channel, state) of every message, as Rita reads it."""
    answer = await slack.web.get(f"/v1/{kind}/{ref}/messages", await speaks(slack, RITA))
    return [
        (m.get("name") or m.get("target", ""), m["channel"], m["summary"].replace(slack.fake.api, ""))
        for m in answer["messages"]
    ]


async def test_retried_webhook_is_recorded_with_every_attempt(store: Store, clock: FixedClock) -> None:
    async with http_sink(500, 500, 200) as hook:
        url = f"{hook.url}/hooks/{SECRET}?key={SECRET}"
        async with slack_env(store, clock, linked=False, hook=url) as slack:
            intent = await slack.messaging.submit(asked("per_ann"))
            shown, nobody = (
                f"{hook.url}/…",
                ("ann@acme.example", "none", "failed permanently: no address in any configured channel"),
            )
            assert ("on its way") in [what for _, _, what in await message_states(slack, intent.id)]
            await slack.messaging.carry()
            rita = await speaks(slack, RITA)
            [hooked] = [
                m
                for m in (await slack.web.get(f"/v1/intents/{intent.id}/messages", rita))["messages"]
                if m["channel"] == "webhook"
            ]
            assert (hooked["target"], hooked["state"], hooked["attempts"]) == (shown, "waiting", 1)
            assert hooked["error"] == "127.0.0.1 answered 500"
            assert hooked["next_attempt_at"] == f"{clock.now() + timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
            for _ in range(2):
                clock.move(timedelta(minutes=1))
                await slack.messaging.carry()
            assert sorted(await message_states(slack, intent.id)) == sorted(
                [nobody, (shown, "webhook", "accepted by the webhook at attempt 3")]
            )
            assert await message_states(slack, intent.id[:-4] + "0001", "tasks") == await message_states(
                slack, intent.id
            )
            answer = await slack.web.get(f"/v1/intents/{intent.id}/messages", rita)
            assert SECRET not in answer.text


async def test_permanently_failed_message_stays_listed(store: Store, clock: FixedClock) -> None:
    async with http_sink(410) as hook, slack_env(store, clock, linked=False, hook=hook.url) as slack:
        intent = await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        assert (hook.url, "webhook", "failed permanently: 127.0.0.1 answered 410") in await message_states(
            slack, intent.id
        )
        clock.move(timedelta(days=2))
        await slack.messaging.carry()
        assert len(hook.got) == 1
        assert (hook.url, "webhook", "failed permanently: 127.0.0.1 answered 410") in await message_states(
            slack, intent.id
        )


async def test_each_apprise_address_is_attempted_separately_and_hides_its_secret(
    store: Store, clock: FixedClock
) -> None:
    async with http_sink(200) as good, http_sink(500) as bad:
        urls = tuple(f"{one.url.replace('http://', 'ntfy://')}/{SECRET}" for one in (good, bad))
        async with slack_env(store, clock, linked=False) as slack:
            slack.messaging.channels.opened["apprise"] = Apprise(urls)
            intent = await slack.messaging.submit(asked("per_ann"))
            for _ in range(3):
                await slack.messaging.carry()
                clock.move(timedelta(minutes=10))
            became = {
                where: what
                for where, channel, what in await message_states(slack, intent.id)
                if channel == "apprise"
            }
            assert became[name_of(urls[0])] == "accepted by Apprise"
            assert became[name_of(urls[1])].startswith(
                "failed so far, 3 attempts: the service did not accept it"
            )
            assert len(good.got) == 1  # the one that took it is not sent it again for the other's sake
            assert not [where for where in became if SECRET in where]
            del slack.messaging.channels.opened["apprise"]
            slack.messaging.channels.opened["apprise"] = Apprise(urls[:1])
            clock.move(timedelta(days=1))
            await slack.messaging.carry()
            assert (
                name_of(urls[1]),
                "apprise",
                "failed permanently after 4 attempts: this address is no longer configured",
            ) in await message_states(slack, intent.id)


async def test_change_of_channel_and_escalation_are_shown_on_the_page(
    store: Store, clock: FixedClock
) -> None:
    rungs = (Escalation(timedelta(hours=2), ("per_otto",)),)
    async with smtp_sink() as server, slack_env(store, clock, **email(server.url)) as slack:
        await slack.messaging.people_are(ann={"preferences": {"channels": ["email", "slack"]}})
        server.refused = {"ann@acme.example": "550 no such mailbox"}
        intent = await slack.messaging.submit(asked("per_ann", escalate=rungs))
        await slack.messaging.carry()
        refused = "failed permanently: 127.0.0.1 refused the address: 550 no such mailbox"
        assert await message_states(slack, intent.id) == [
            ("ann@acme.example", "email", f"{refused}; Slack was used instead"),
            ("ann@acme.example", "slack", "accepted by Slack"),
        ]
        await speaks(slack, RITA)
        rita = await reader(slack.web, RITA.id)
        page = await rita.get(f"/intents/{intent.id}")
        assert f"decision needed, by mail: {refused}; Slack was used instead" in page.text
        assert "decision needed, by Slack: accepted by Slack" in page.text
        page = await rita.get(f"/tasks/{intent.id[:-4]}0001")
        assert "notified via Slack, as mail failed" in page.text

        slack.fake.members.pop("U0ANN")
        await slack.messaging.people_are(ann={"preferences": {"channels": ["slack"]}})
        other = await slack.messaging.submit(asked("per_ann", escalate=rungs))
        await slack.messaging.carry()
        page = await rita.get(f"/intents/{other.id}")
        order = [
            "no approver could be reached: no message about it reached anyone",
            "escalated to otto@acme.example",
        ]
        assert [text for text in order if text in page.text] == order
        assert "Slack answered channel_not_found" in page.text


async def test_admins_see_which_channel_fails_since_when(store: Store, clock: FixedClock) -> None:
    async with (
        http_sink(500) as hook,
        smtp_sink() as server,
        slack_env(store, clock, linked=False, hook=f"{hook.url}/{SECRET}", **email(server.url)) as slack,
    ):
        rita = await speaks(slack, RITA)
        refusal = await slack.web.get("/v1/channels", rita)
        assert (refusal.status, refusal.code) == (403, "admin_required")
        await slack.messaging.people_are(rita={"roles": ("admin",)})
        began = clock.now()
        await slack.messaging.submit(asked("per_ann"))
        await slack.messaging.carry()
        clock.move(timedelta(minutes=7))
        await slack.messaging.carry()

        async def channels() -> dict[str, Any]:
            answer = await slack.web.get("/v1/channels", rita)
            assert SECRET not in answer.text
            return {one["channel"]: one for one in answer["channels"]}

        found = await channels()
        assert (found["email"]["failing"], found["slack"]["failing"]) == (False, False)
        assert found["email"]["last_arrived_at"].startswith(f"{began:%Y-%m-%dT%H:%M}")
        hooked = found["webhook"]
        assert (hooked["failing"], hooked["retrying"], hooked["last_error"]) == (
            True,
            1,
            "127.0.0.1 answered 500",
        )
        assert hooked["since"].startswith(f"{began:%Y-%m-%dT%H:%M}")
        page = await (await reader(slack.web, RITA.id)).get("/channels")
        assert "the webhook failing since" in page.text
        assert "127.0.0.1 answered 500" in page.text
        hook.answers = [200]
        clock.move(timedelta(hours=1))
        await slack.messaging.carry()
        found = await channels()
        assert (found["webhook"]["failing"], found["webhook"]["retrying"]) == (False, 0)
        server.refused = {"otto@acme.example": "451 come back later"}
        await slack.messaging.submit(asked("per_otto"))
        await slack.messaging.carry()
        found = await channels()
        assert (found["email"]["failing"], found["email"]["retrying"]) == (True, 1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/T0/B0/s3cr3t", "https://hooks.example/…"),
        ("https://user:s3cr3t@hooks.example:8443", "https://hooks.example:8443"),
        ("https://hooks.example/?token=s3cr3t", "https://hooks.example/…"),
        ("https://[", "?"),
    ],
)
def test_url_is_shown_without_possible_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("tgram://123456:s3cr3t/42", "tgram://… #"),
        ("ntfy://s3cr3t", "ntfy://… #"),
        ("ntfys://ntfy.example/s3cr3t", "ntfys://ntfy.example/… #"),
        ("matrixs://bot:s3cr3t@chat.example/#room", "matrixs://chat.example"),
    ],
)
def test_apprise_address_is_named_without_its_secret(url: str, begins: str) -> None:
    assert name_of(url).startswith(begins)
    assert "s3cr3t" not in name_of(url)
    assert name_of(url) != name_of(url + "x")
