"""``signoff.testing``: the server for our users' tests, and its errors when a rule fails."""

import threading
from typing import Any

import pytest

from signoff.testing import Server


def test_exception_in_the_block_notes_the_rule_that_failed_before() -> None:
    asked = threading.Event()

    def rule(task: Any) -> None:
        asked.set()
        raise RuntimeError("the rule is wrong")

    def their_test() -> None:
        with Server() as server, server.client() as client:
            server.answer(rule)
            client.send_intent({"intent_type": "intent.a.b.v1", "human_task": {"title": "May we?"}})
            assert asked.wait(60)
            raise KeyError("no answer came")

    with pytest.raises(KeyError) as raised:
        their_test()
    assert raised.value.__notes__ == ["A rule of the server failed before: RuntimeError: the rule is wrong"]


def test_edit_is_recorded_although_python_compares_the_values_as_equal() -> None:
    with Server() as server, server.client() as client:
        server.edit(urgent=True)
        sent = {"intent_type": "intent.a.b.v1", "payload": {"urgent": 1}, "human_task": {"title": "May we?"}}
        assert client.wait_for(client.send_intent(sent), timeout=60).payload == {"urgent": True}
        assert client.list_intents()[0].payload["urgent"] is True
