"""A team's channel and mailbox: set by API, manifest and page; refused by name where impossible."""

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

TEAM = {"members": ["ann@acme.example"]}


async def test_channel_and_mailbox_of_a_team_are_stored_shown_recorded_and_removed(web: WebEnv) -> None:
    places = {"channel": "slack:C0SREROOM", "mailbox": "sre@acme.example"}
    put = await web.call("PUT", "/v1/teams/sre", TEAM | places, "oscar")
    assert {name: put["team"][name] for name in places} == places
    assert {name: (await web.get("/v1/teams/sre", "ann"))["team"][name] for name in places} == places
    oscar = await reader(web, "oscar")
    assert "slack:C0SREROOM" in str((await oscar.get("/teams/sre")).tags)
    changes = (await web.get("/v1/changes?about=team:sre", "oscar"))["changes"]
    assert "C0SREROOM" in str(changes[0])
    again = await web.call("PUT", "/v1/teams/sre", TEAM, "oscar")
    assert ("channel" in again["team"], "mailbox" in again["team"]) == (False, False)
    teams = {"teams": {"sre": TEAM | {"channel": "telegram:-1001234567"}}}
    assert (await web.post("/v1/apply", teams, "oscar")).status == 200
    assert (await web.get("/v1/teams/sre", "ann"))["team"]["channel"] == "telegram:-1001234567"


@pytest.mark.parametrize(
    ("places", "field"),
    [
        ({"channel": "C0SREROOM"}, "channel"),
        ({"channel": "irc:#sre"}, "channel"),
        ({"channel": "slack:U0ANN"}, "channel"),
        ({"channel": "slack:#sre"}, "channel"),
        ({"channel": "email:sre@acme.example"}, "channel"),
        ({"channel": "telegram:12345"}, "channel"),
        ({"channel": "msteams:29:ann"}, "channel"),
        ({"channel": "slack:C0SREROOM\nX"}, "channel"),
        ({"mailbox": "sre"}, "mailbox"),
        ({"mailbox": "a@x.example, b@x.example"}, "mailbox"),
    ],
)
async def test_invalid_channel_or_mailbox_is_refused(web: WebEnv, places: dict[str, str], field: str) -> None:
    put = await web.call("PUT", "/v1/teams/sre", TEAM | places, "oscar")
    assert (put.status, put.json["error"]["field"]) == (422, field)
    applied = await web.post("/v1/apply", {"teams": {"sre": TEAM | places}}, "oscar")
    assert (applied.status, applied.json["error"]["field"]) == (422, f"teams.sre.{field}")
    assert (await web.get("/v1/teams/sre", "ann")).status == 404
