"""Intents over HTTP: submitting, reading, listing, ending."""

from datetime import timedelta

from tests.web.world import PAYLOAD, TYPE, VALIDATOR, World


async def test_a_submitted_intent_can_be_read_and_has_two_events_at_once(web: World) -> None:
    sent = await web.post("/v1/intents", {"intent_type": TYPE, "to_agent": VALIDATOR, "payload": PAYLOAD})
    assert sent.status == 200
    assert sent["ok"] is True
    assert sent["status"] == "DELIVERED"
    assert sent["warnings"] == []
    read = await web.get(f"/v1/intents/{sent['intent_id']}")
    assert read["intent"]["payload"] == read["payload"] == PAYLOAD
    assert read["status"] == read["intent"]["lifecycle_status"] == "DELIVERED"
    assert read["intent"]["to_agent"] == VALIDATOR
    assert read["intent"]["pending_with"] == {"type": "agent", "ref": VALIDATOR, "name": VALIDATOR}
    assert "reply_to" not in read["intent"]
    events = (await web.get(f"/v1/intents/{sent['intent_id']}/events"))["events"]
    assert [(e["event_type"], e["seq"], e["status"]) for e in events] == [
        ("intent.created", 2, "CREATED"),
        ("intent.delivered", 4, "DELIVERED"),
    ]
