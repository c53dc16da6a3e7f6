"""The pages of people, teams, policies and changes show the current state and change it as the API would."""

from datetime import timedelta

from signoff.engine.delivery.chat_answers import Chat
from tests.web.inbox.demo_workspace import MANIFEST, apply
from tests.web.inbox.reading import Reader, Shown, reader
from tests.web.web_env import WebEnv

ANN, EMMA = "/people/per_ann", "/people/per_emma"


async def company(web: WebEnv, who: str = "oscar") -> Reader:
    await apply(web)
    return await reader(web, who)


async def held(web: WebEnv, who: str) -> dict[str, object]:
    people = (await web.get("/v1/people", "oscar"))["people"]
    return next(one for one in people if one["email"] == f"{who}@acme.example")


async def pressed(who: Reader, page: Shown, action: str, **changed: str) -> Shown:
    """The page's form for this address, with some fields filled in differently."""
    fields = [(name, changed.pop(name, value)) for name, value in page.form(action)["fields"]]
    return await who.post(action, [*fields, *changed.items()])


# -- people


async def test_people_page_shows_absences_and_delegates(web: WebEnv) -> None:
    oscar = await company(web)
    gone = {"from": "2026-03-01", "until": "2026-03-09", "delegate": "otto@acme.example"}
    assert (await web.call("PATCH", "/v1/people/per_emma", {"absences": [gone]}, "emma")).status == 200
    page = await oscar.get("/people")
    assert "Emma Stone emma@acme.example approver dba America/New_York away" in page.text
    assert "delegate: Otto Berg" in page.text


async def test_admin_changes_roles_and_deactivates_people(web: WebEnv) -> None:
    oscar, emma = await company(web), await reader(web, "emma")
    page = await oscar.get(EMMA)
    answer = await pressed(oscar, page, f"{EMMA}/details", name="Emma S.", role="member")
    assert answer.where == EMMA
    assert ((await held(web, "emma"))["name"], (await held(web, "emma"))["roles"]) == ("Emma S.", ["member"])
    page = await oscar.get(EMMA)
    kept = [field for field in page.form(f"{EMMA}/details")["fields"] if field[0] != "active"]
    assert (await oscar.post(f"{EMMA}/details", kept)).where == EMMA
    assert (await held(web, "emma"))["active"] is False
    assert (await emma.get("/")).status == 303, "who has no access is signed out"
    shown = await oscar.get(EMMA)
    assert "deactivated" in shown.text
    assert "changed by Oscar Lind through the pages" in shown.text


async def test_stale_form_does_not_reactivate_a_person(web: WebEnv) -> None:
    oscar = await company(web)
    stale = await oscar.get(EMMA)
    assert (await web.call("PATCH", "/v1/people/per_emma", {"active": False}, "oscar")).status == 200
    refused = await pressed(oscar, stale, f"{EMMA}/details", name="Emma S.")
    assert (refused.status, "stale_form" in refused.html) == (409, True)
    assert ((await held(web, "emma"))["active"], (await held(web, "emma"))["name"]) == (False, "Emma Stone")
    again = await pressed(oscar, refused, f"{EMMA}/details", name="Emma S.")
    assert again.where == EMMA, "the refusal shows the current state"
    assert ((await held(web, "emma"))["active"], (await held(web, "emma"))["name"]) == (False, "Emma S.")


async def test_stale_form_does_not_restore_a_role(web: WebEnv) -> None:
    oscar = await company(web)
    stale = await oscar.get(EMMA)
    assert (await web.call("PATCH", "/v1/people/per_emma", {"roles": ["member"]}, "oscar")).status == 200
    assert (await pressed(oscar, stale, f"{EMMA}/details", name="Emma S.")).status == 409
    assert (await held(web, "emma"))["roles"] == ["member"]


async def test_stale_form_does_not_restore_a_team_member(web: WebEnv) -> None:
    oscar = await company(web)
    stale = await oscar.get("/teams/dba")
    team = {"members": ["otto@acme.example"]}
    assert (await web.call("PUT", "/v1/teams/dba", team, "oscar")).status == 200
    refused = await pressed(oscar, stale, "/teams/dba")
    assert (refused.status, "stale_form" in refused.html) == (409, True)
    assert ("member", "emma@acme.example") not in refused.form("/teams/dba")["fields"]
    assert (await pressed(oscar, refused, "/teams/dba")).where == "/teams/dba"
    found = (await web.get("/v1/teams/dba", "oscar"))["team"]["members"]
    assert "emma@acme.example" not in str(found)


async def test_creating_a_team_does_not_replace_an_existing_one(web: WebEnv) -> None:
    oscar = await company(web)
    before = (await web.get("/v1/teams/dba", "oscar"))["team"]
    page = await oscar.get("/teams")
    refused = await oscar.post(
        "/teams", [*page.form("/teams")["fields"], ("name", "dba"), ("member", "ann@acme.example")]
    )
    assert (refused.status, "team_exists" in refused.html) == (409, True)
    assert (await web.get("/v1/teams/dba", "oscar"))["team"] == before


async def test_last_owner_cannot_be_removed(web: WebEnv) -> None:
    oscar = await company(web)
    page = await oscar.get("/me")
    fields = [
        (n, "member" if n == "role" else v) for n, v in page.form("/people/per_oscar/details")["fields"]
    ]
    refused = await oscar.post("/people/per_oscar/details", fields)
    assert refused.status == 409
    assert "would no longer have an owner" in refused.text


async def test_person_changes_only_their_own_settings(web: WebEnv) -> None:
    ann = await company(web, "ann")
    page = await ann.get("/me")
    assert page.heading == "Your settings"
    assert (await ann.get(ANN)).where == "/me"
    days = [("day", "mon"), ("day", "tue"), ("zone", "Asia/Tokyo"), ("from", "10:00"), ("to", "16:00")]
    assert (await ann.post(f"{ANN}/time", days)).where == "/me"
    assert (await ann.post(f"{ANN}/channels", first="email", then="slack")).where == "/me"
    away = {"from": "2026-03-03", "until": "2026-03-05", "delegate": "otto@acme.example"}
    assert (await ann.post(f"{ANN}/leave", [*away.items()])).where == "/me"
    found = await held(web, "ann")
    assert found["zone"] == "Asia/Tokyo"
    assert found["preferences"] == {"channels": ["email", "slack"]}
    assert found["hours"] == {"zone": "Asia/Tokyo", "days": ["mon", "tue"], "from": "10:00", "to": "16:00"}
    page = await ann.get("/me")
    for said in (
        "mon, tue, 10:00 to 16:00",
        "First by mail , and if that fails by Slack",
        "Otto Berg answers instead",
    ):
        assert said in page.text, said
    assert (await pressed(ann, page, f"{ANN}/back")).where == "/me"
    assert (await held(web, "ann"))["absences"] == []
    assert (await ann.post(f"{ANN}/back", start="2026-03-03T00:00:00+00:00")).status == 404


async def test_past_absences_do_not_count_towards_the_limit(web: WebEnv) -> None:
    over = [{"from": f"20{year:02}-01-01", "until": f"20{year:02}-01-02"} for year in range(10, 26)] * 6
    said = {"absences": [*over, {"from": "2026-03-01", "until": "2026-03-04"}]}
    assert (await web.call("PATCH", "/v1/people/ann@acme.example", said, "ann")).status == 200
    ann = await reader(web, "ann")
    for day in range(10, 20):
        dates = {"from": f"2026-03-{day}", "until": f"2026-03-{day}"}
        assert (await ann.post("/people/per_ann/leave", **dates)).status == 303
    assert (await ann.post("/people/per_ann/back", start="2026-03-10T00:00:00+00:00")).status == 303
    assert (await ann.post("/people/per_ann/back", start="2026-03-10T00:00:00+00:00")).status == 404
    [shown] = [p for p in (await web.get("/v1/people", "ann"))["people"] if p["id"] == "per_ann"]
    assert [away["from"][:10] for away in shown["absences"]] == [
        "2026-03-01",
        *(f"2026-03-{day}" for day in range(11, 20)),
    ]


async def test_person_without_rights_cannot_change_roles_or_other_people(web: WebEnv) -> None:
    ann = await company(web, "ann")
    assert not (await ann.get(EMMA)).forms
    for path in (
        f"{ANN}/details",
        f"{EMMA}/time",
        f"{EMMA}/leave",
        f"{EMMA}/channels",
        "/people",
        "/teams/dba",
    ):
        fields = [
            ("role", "owner"),
            ("active", "1"),
            ("from", "2026-03-03"),
            ("until", "2026-03-05"),
            ("email", "x@y.z"),
        ]
        answer = await ann.post(path, [*fields, ("member", "ann@acme.example")])
        assert answer.status == 403, path
    assert (await held(web, "ann"))["roles"] == ["approver"]


async def test_invalid_entry_is_reported_beside_the_form(web: WebEnv) -> None:
    ann = await company(web, "ann")
    for act, fields, said in (
        ("time", {"zone": "Mars/Olympus"}, "is not a time zone"),
        ("time", {"day": "mon"}, "Working hours need a time zone."),
        ("leave", {"from": "2026-03-05", "until": "2026-03-03"}, "ends before it begins"),
        ("leave", {"from": "soon", "until": "2026-03-03"}, "absences[0].from"),
        (
            "leave",
            {"from": "2026-03-02", "until": "2026-03-03", "delegate": "ann@acme.example"},
            "Choose another delegate.",
        ),
    ):
        answer = await ann.post(f"{ANN}/{act}", [*fields.items()])
        assert (answer.status, said in answer.text) == (422, True), (act, fields, answer.text[:600])
    assert (await ann.post(f"{ANN}/nothing")).status == 404
    assert (await ann.get("/people/per_sam")).status == 404, "somebody of another workspace is nobody here"


async def test_slack_account_is_linked_by_a_code_shown_once(web: WebEnv) -> None:
    ann = await company(web, "ann")
    assert "Slack is not configured on this server." in (await ann.get("/me")).text
    assert (await ann.post("/me/channels/slack")).status == 404
    env = web.env
    chat = Chat("slack", env.engine, env.store, env.keys, env.directory, env.clock)
    web.state.chats = {"slack": chat}
    shown = await ann.post("/me/channels/slack")
    code = shown.text.partition("/signoff link ")[2].split()[0]
    assert code not in (await ann.get("/me")).text
    assert "linked to Ann Lee" in await chat.link("T1", "U0ANN", code)
    assert "Linked to the account U0ANN" in (await ann.get("/me")).text
    assert "U0ANN" in (await (await reader(web, "oscar")).get(ANN)).text
    assert "is not valid" in await chat.link("T1", "U0OTHER", code)


# -- teams


async def test_team_page_shows_who_is_on_call_and_who_follows(web: WebEnv) -> None:
    oscar = await company(web)
    assert "Ann Lee on call until" in (await oscar.get("/teams")).text
    page = await oscar.get("/teams/sre-oncall")
    order = [
        name for name in page.text.split("On call now")[1].split("Change the team")[0].split(" from ") if name
    ]
    assert [("Ann" in one, "Otto" in one) for one in order] == [(True, False), (False, True)] * 2 + [
        (True, False)
    ]
    assert (await oscar.get("/teams/none")).status == 404


async def test_admin_creates_and_changes_a_team(web: WebEnv) -> None:
    oscar = await company(web)
    people = [("member", "ann@acme.example"), ("member", "emma@acme.example")]
    assert (await oscar.post("/teams", [("name", "night"), *people])).where == "/teams/night"
    page = await oscar.get("/teams/night")
    assert "everyone is notified" in page.text
    turns = [("rotates", "1"), ("day", "fri"), ("at", "17:30"), ("zone", "Europe/Oslo")]
    order = [("order", "emma@acme.example\nann@acme.example")]
    assert (await oscar.post("/teams/night", [*people, *turns, *order])).status == 303
    team = (await web.get("/v1/teams/night", "oscar"))["team"]
    assert team["rotation"]["order"] == ["emma@acme.example", "ann@acme.example"]
    assert team["rotation"]["handover"] == "fri 17:30"
    for fields, said in (
        ([("name", "two words"), *people], "is not a name"),
        ([("name", "empty")], "members"),
    ):
        refused = await oscar.post("/teams", fields)
        assert (refused.status, said in refused.text) == (422, True), refused.text[:500]
    stranger = await oscar.post("/teams/night", [*people, *turns, ("order", "otto@acme.example")])
    assert "is not a member of the team" in stranger.text


# -- policies, workflows, changes


async def test_policy_is_described_with_every_upcoming_contact(web: WebEnv) -> None:
    page = await (await company(web, "aud")).get("/policies/prod-change")
    for said in (
        "high risk",
        "Stage 1 one approval, from team sre-oncall (Ann Lee, Otto Berg)",
        "Stage 2 2 different people of team dba (Ann Lee, Emma Stone, Otto Berg); 2 rejections end it",
        "Own requests barred by this policy",
        "Reminders after 5m, then every 30m, at most 5",
        "After 30m Otto Berg may also decide",
        "On expiry after 8h the task expires; nothing is approved",
        "Hours mon to fri, 08:00 to 18:00, Europe/Berlin; outside them reminders and escalation pause",
        "Assurance the approver must sign in by e-mail",
        "Reminder 1 of 5, to Ann Lee",
        "2 more reminders",
        "The task expires",
        "created by Oscar Lind",
    ):
        assert said in page.text, said
    everyday = await (await reader(web, "aud")).get("/policies")
    assert (
        "Who decides one approval, from anyone who may approve: role owner (Oscar Lind); role approver"
        in everyday.text
    )
    assert (await (await reader(web, "aud")).get("/policies/none")).status == 404


async def test_new_version_shows_its_author_and_difference(web: WebEnv) -> None:
    oscar = await company(web)
    web.clock.move(timedelta(hours=1))
    changed = MANIFEST["policies"]["everyday"] | {"deadline": "3d"}
    assert (await web.post("/v1/policies", {"name": "everyday", "policy": changed}, "oscar")).status == 200
    page = await oscar.get("/policies/everyday")
    assert "Version 2" in page.text
    assert "source.deadline before: 2d → after: 3d" in page.text
    trail = await oscar.get("/changes")
    assert "policy everyday changed by Oscar Lind through the API" in trail.text
    for name in ("sre-oncall", "prod-change", "emma@acme.example"):
        assert name in trail.text
    assert (await oscar.get("/changes?before=0")).status == 200


async def test_workflows_page_names_who_has_each_step(web: WebEnv) -> None:
    oscar = await company(web)
    await web.apply_workflow(
        steps=[
            {"id": "v", "agent": "validator"},
            {"id": "h", "human": {"type": "review", "policy": "prod-change"}},
        ]
    )
    page = await oscar.get("/workflows")
    assert "v validator , then" in page.text
    assert "h review, policy prod-change" in page.text
    assert "used by database-migration" in (await oscar.get("/policies/prod-change")).text
    agents = await oscar.get("/agents")
    assert "works in database-migration" in agents.text
    assert "1 key of its own" in agents.text
    path = "/v1/agents/validator/policy"
    await web.post(f"{path}/entries", {"sender_pattern": "ci"}, "oscar")
    await web.call("PUT", path, {"policy_type": "allowlist"}, "oscar")
    limits = {"max_intents_per_hour": 2, "max_cost_per_day_usd": 1.5}
    await web.call("PUT", "/v1/mesh/agents/validator/policies/cost", limits, "oscar")
    shown = (await oscar.get("/agents")).text
    limited = "Limited to 2 requests an hour, 1.50 USD a day."
    assert f"Accepts work only from agent://acme/prod/ci. {limited}" in shown
    assert "asks for its work" in shown
    assert "by stream" not in shown


async def test_agent_without_its_own_key_is_not_called_unused(web: WebEnv) -> None:
    """A person's key can also claim its work."""
    oscar = await company(web)
    account = (await web.env.store.directory.accounts("00000000-0000-7000-8000-0000000000a1", None))[0]
    for key in (await web.get("/v1/keys", "oscar"))["keys"]:
        if key["holder_id"] == account.id:
            await web.post(f"/v1/keys/{key['key_id']}/revoke", None, "oscar")
    shown = (await oscar.get("/agents")).text
    assert "no key of its own" in shown
    assert "0 keys" not in shown


async def test_removing_an_agent_revokes_its_keys(web: WebEnv) -> None:
    oscar = await company(web)
    account = (await web.env.store.directory.accounts("00000000-0000-7000-8000-0000000000a1", None))[0]
    who = {"validator": "agent", "stranger": "stranger", "ci": "ci"}[account.name]
    assert (await oscar.post(f"/agents/{account.id}/remove")).where == "/agents"
    assert (await web.get("/v1/intents", who)).status == 401
    assert f"{account.name} " not in (await oscar.get("/agents")).text.partition("Neither ever decides.")[2]
