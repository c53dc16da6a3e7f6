"""Odd values in every place of a document about people, teams and policies are accepted or refused, never a 500;
accepted ones can be shown in every time zone.
"""

from typing import Any

import pytest

from tests.odd_values import places, with_odd
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

ODD: list[Any] = [
    "nul\0inside", "", "\u202e\x07", "x" * 3000, -1, 2**53 - 1, 1e308, True, [], {}, [[{}]], "9" * 30, "nan",
    "9999-12-31T23:59:59Z", "0001-01-01", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "24:00", "PT0S",
    "ann@acme.example", "team:", "goto:x", {f"k{n}": n for n in range(300)},
]  # fmt: skip
HOURS = {"zone": "Europe/Berlin", "days": "mon-fri", "from": "08:00", "to": "18:00"}
AWAY = {"from": "2026-01-01", "until": "2026-02-01T00:00:00Z", "delegate": "otto@acme.example"}
PERSON = {
    "name": "Ann",
    "roles": ["member"],
    "active": True,
    "addresses": {"email": "a@b.example"},
    "zone": "Pacific/Kiritimati",
    "hours": HOURS,
    "absences": [AWAY],
    "preferences": {"channels": ["email"]},
}
TEAM = {
    "members": ["ann@acme.example"],
    "rotation": {
        "order": ["ann@acme.example"],
        "handover": "mon 09:00",
        "zone": "UTC",
        "anchor": "2026-01-01",
    },
}
POLICY = {
    "approve": [{"any": ["role:owner"], "need": 1, "reject_after": 1}],
    "self_approval": False,
    "remind": {"after": "5m", "every": "5m", "at_most": 2},
    "escalate": [{"after": "1h", "to": ["role:owner"]}],
    "deadline": "8h",
    "on_timeout": "expire",
    "hours": {**HOURS, "deadline": True},
    "strength": "link",
    "risk": "low",
}
ROWS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "/v1/people/per_ann": ("PATCH", PERSON, ("/people", "/people/per_ann")),
    "/v1/teams/sre": ("PUT", TEAM, ("/teams", "/teams/sre")),
    "/v1/policies": ("POST", {"name": "p", "policy": POLICY}, ("/policies", "/policies/p")),
    "/v1/service-accounts/{account}/keys": (
        "POST",
        {"expires_at": "2030-01-01T00:00:00Z"},
        ("/agents", "/keys"),
    ),
    "/v1/tasks/{task}/snooze": ("POST", {"until": "2026-03-02T10:00:00Z"}, ("/", "/tasks/{task}")),
}


@pytest.mark.parametrize("path", ROWS)
async def test_odd_value_is_accepted_and_shown_or_refused(web: WebEnv, path: str) -> None:
    method, body, pages = ROWS[path]
    east = {"zone": "Pacific/Kiritimati"}
    assert (await web.call("PATCH", "/v1/people/per_oscar", east, "oscar")).status == 200
    names = {"account": (await web.get("/v1/service-accounts"))["service_accounts"][0]["id"]}
    _, names["task"] = await web.ask()
    oscar = await reader(web, "oscar")
    for place in places(body):
        for odd in ODD:
            sent = with_odd(body, place, odd)
            who = "ann" if "task" in path else "oscar"
            answer = await web.call(method, path.format(**names), sent, who)
            assert answer.status < 500, (place, odd, answer.text)
            for page in pages if answer.status == 200 else ():
                assert (await oscar.get(page.format(**names))).status < 500, (page, place, odd)


@pytest.mark.parametrize("number", ["9007199254740992", "9" * 20, "9" * 1900, "9" * 3000])
async def test_number_beyond_json_is_refused_in_every_query(web: WebEnv, number: str) -> None:
    intent, _ = await web.ask()
    for path in (
        "/v1/intents?limit=",
        "/v1/tasks?limit=",
        "/v1/agents?limit=",
        "/v1/changes?limit=",
        "/v1/proposals?limit=",
        f"/v1/intents/{intent}/events?since=",
        f"/v1/intents/{intent}/events/stream?since=",
        f"/v1/intents/{intent}/events/stream?wait_seconds=",
        "/v1/agents/validator/intents?since=",
    ):
        answer = await web.get(path + number, "agent" if "validator" in path else "oscar")
        assert answer.status == 422, path
        assert answer.json["error"]["field"] in ("limit", "since", "wait_seconds")
