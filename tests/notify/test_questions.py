"""A question about a task notifies its requester, and the reply notifies the person who asked the question."""

from msgspec.structs import replace

from signoff.core.directory.actors import ActorKind
from signoff.core.intent import commands as c
from signoff.engine.clock import FixedClock
from signoff.store.store import Store
from tests.builders import ANN, OTTO, RITA, WORKSPACE, gate
from tests.engine.engine_env import ROOT
from tests.engine.http_sink import http_sink
from tests.notify.mails import text_of
from tests.notify.messaging_env import asked, email, messaging_env
from tests.notify.slack_env import slack_env
from tests.notify.smtp_sink import smtp_sink
from tests.web.inbox.reading import reader

QUESTION = "Is there a backup?\r\nBcc: evil@x.example"


async def test_comment_reaches_the_requester_and_the_reply_its_author(
    store: Store, clock: FixedClock
) -> None:
    async with (
        smtp_sink() as server,
        http_sink() as hook,
        slack_env(store, clock, linked=False, hook=hook.url, **email(server.url)) as slack,
    ):
        env, web = slack.messaging, slack.web
        account, _ = await env.accounts.add_account(ROOT, ActorKind.SERVICE, "pipeline")
        made = {
            "pipeline": await env.keys.create(WORKSPACE, ActorKind.SERVICE, account.id, RITA.id),
            "ann": await env.keys.create(WORKSPACE, ActorKind.PERSON, ANN.id, ANN.id),
        }
        web.keys |= {name: key.secret for name, key in made.items()}
        pipeline = await env.keys.authenticate(made["pipeline"].secret, "api")
        intent = await env.submit(asked("per_ann", "per_otto"), by=pipeline)
        task = f"{intent.id[:-4]}0001"
        await env.carry()
        server.mails.clear()

        said = await web.post(f"/v1/tasks/{task}/comment", {"comment": QUESTION}, "ann")
        assert said.status == 200, said.text
        await env.carry()
        [mail] = server.mails
        assert (mail["To"], mail["Bcc"]) == ("rita@acme.example", None)
        assert mail["Subject"].startswith("A comment on your request: Run the migration")
        for words in ("Is there a backup?", "From: ann@acme.example, through the API", f"/tasks/{task}"):
            assert words in text_of(mail)
        assert b"backup" not in hook.got[-1].body  # services are told that, people what
        assert b"task.commented" in hook.got[-1].body

        events = (await web.get(f"/v1/intents/{intent.id}/events", "pipeline"))["events"]
        [event] = [one for one in events if one["event_type"] == "intent.commented"]
        assert (event["actor"], event["details"]["comment"]) == (ANN.id, QUESTION)
        reply = await web.post(f"/v1/tasks/{task}/comment", {"comment": "Yes, of 02:00."}, "pipeline")
        assert [one["comment"] for one in reply["task"]["comments"]] == [QUESTION, "Yes, of 02:00."]
        assert [one["kind"] for one in reply["task"]["comments"]] == ["person", "service"]
        await env.carry()
        told = {mail["To"]: mail for mail in server.mails[1:]}
        assert sorted(told) == ["ann@acme.example", "rita@acme.example"]
        assert told["ann@acme.example"]["Subject"].startswith("A comment on a task that you commented on")
        assert "Yes, of 02:00." in text_of(told["ann@acme.example"])

        assert (await env.intent(intent.id)).ending is None
        page = await (await reader(web, "ann")).get(f"/tasks/{task}")
        assert "Ask a question or comment" in page.text
        assert "Yes, of 02:00." in page.text


async def test_comment_is_refused_to_outsiders_and_on_closed_tasks(store: Store, clock: FixedClock) -> None:
    async with slack_env(store, clock, linked=False) as slack:
        env, web = slack.messaging, slack.web
        account, _ = await env.accounts.add_account(ROOT, ActorKind.SERVICE, "other")
        web.keys["other"] = (await env.keys.create(WORKSPACE, ActorKind.SERVICE, account.id, RITA.id)).secret
        web.keys["ann"] = (await env.keys.create(WORKSPACE, ActorKind.PERSON, ANN.id, ANN.id)).secret
        intent = await env.submit(asked("per_ann"))
        task = f"{intent.id[:-4]}0001"
        refused = await web.post(f"/v1/tasks/{task}/comment", {"comment": "Me too."}, "other")
        assert (refused.status, refused.code) == (404, "intent_not_found")
        await web.answer(task, "approved", "ann")
        late = await web.post(f"/v1/tasks/{task}/comment", {"comment": "Why?"}, "ann")
        assert late.status == 409


async def test_person_who_commented_on_an_earlier_task_is_not_notified_about_the_next(
    store: Store, clock: FixedClock
) -> None:
    first, second = (
        replace(step, id=name)
        for name, step in zip(("first", "second"), asked("per_ann", "per_otto").steps * 2, strict=True)
    )
    async with smtp_sink() as server, messaging_env(store, clock, email(server.url)) as env:
        intent = await env.submit(gate(first, second, source="workflow:migration@1"))
        await env.do(intent.id, c.AddComment("Why?"), OTTO)
        await env.do(intent.id, c.Answer("approved"), ANN)
        await env.carry()
        server.mails.clear()
        await env.do(intent.id, c.AddComment("And now?"), ANN)
        await env.carry()
        assert [mail["To"] for mail in server.mails] == ["rita@acme.example"]
