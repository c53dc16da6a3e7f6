"""A value has the same name on the page, in the API, by e-mail, in Slack and in the terminal."""

from typing import Any

import msgspec

from signoff.cli.output import Output
from signoff.cli.tasks.answer import task_lines
from signoff.cli.tasks.differences import difference_lines
from signoff.core.intent.notifications import NotificationKind
from signoff.engine.delivery.payload_excerpt import render_payload
from signoff.notify import email
from signoff.notify.personal_message import PersonalMessage
from signoff.notify.slack.card import render_card
from tests.notify.slackfake import texts
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

AMBIGUOUS: dict[str, Any] = {"amount": {"total": 10}, "amount.total": 1000000, "": 3}
NAMES = ["amount.total", '"amount.total"', '""']
CHANGED = {**AMBIGUOUS, "amount.total": 2}


async def test_key_that_reads_as_a_path_is_quoted_on_every_surface(web: WebEnv) -> None:
    intent_id = await web.send(intent_type="intent.pay.v1", payload=AMBIGUOUS, human_task={"title": "Pay?"})
    task_id = intent_id[:-4] + "0001"

    page = await (await reader(web, "ann")).get(f"/tasks/{task_id}")
    rows = page.html.split('<table class="leaves">')[1]
    for name, value in zip(("amount.total", "&#34;amount.total&#34;"), ("10", "1,000,000"), strict=True):
        assert f'<th scope="row">{name}</th>' in rows
        assert rows.index(f'<th scope="row">{name}</th>') < rows.index(f">{value}<")

    message = _message(AMBIGUOUS, web)
    assert [leaf.path for leaf in message.leaves] == NAMES
    mail = email.as_text(message)
    card = "\n".join(texts(render_card(message)["blocks"]))
    for text in (mail, card):
        assert "amount.total: 10" in " ".join(text.split()).replace('"amount.total"', "?")
        assert '"amount.total": 1,000,000' in " ".join(text.split())

    revised = await web.post(f"/v1/tasks/{task_id}/revise", {"payload": CHANGED}, "ann")
    assert revised.status == 200, revised.text
    task = (await web.get(f"/v1/tasks/{task_id}", "otto"))["task"]
    assert [value["path"] for value in task["changes"][0]["changed"]] == ['"amount.total"']
    assert task["payload"] == CHANGED
    assert '"amount.total": 1,000,000 → 2' in "\n".join(task_lines(task, Output(), whole=False))
    assert difference_lines(AMBIGUOUS, CHANGED) == ['    "amount.total": 1,000,000 → 2']


def _message(payload: dict[str, Any], web: WebEnv) -> PersonalMessage:
    found = render_payload(msgspec.json.encode(payload), {})
    assert found.whole
    return PersonalMessage(
        id="1",
        kind=NotificationKind.TASK_OPENED,
        at=web.clock.now(),
        to="ann@acme.example",
        thread="t",
        headline="Asked",
        question="Pay?",
        leaves=found.leaves,
        link="http://h/t/x",
        link_label="Look",
    )
