"""The manifest: the meaning of each part, and refusals that name the field."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from signoff.core.directory.personal_channels import PersonalChannels
from signoff.core.errors import Invalid
from signoff.core.formats.manifest import begins, compile_manifest, ends, read_person, read_team
from signoff.core.plan.working_hours import Hours
from signoff.core.text.document_reader import Fields
from tests.core.asking import refusal

CHANNELS = PersonalChannels(("slack", "email"), {"slack": "Slack"})


def person(**said: Any) -> Any:
    (wish,) = compile_manifest({"people": {"ann@acme.example": said}}, CHANNELS).people
    assert wish.who == "ann@acme.example"
    return wish


def refused(source: Any) -> tuple[str, str | None]:
    met = refusal(lambda: compile_manifest(source, CHANNELS))
    assert isinstance(met, Invalid)
    return met.code, met.field


def test_empty_manifest_changes_nothing() -> None:
    made = compile_manifest({})
    assert (made.people, made.teams, made.policies, made.workflows, made.settings) == ((), (), (), (), {})
    assert compile_manifest({"people": {}, "workspace": {}}).settings == {}


def test_omitted_fields_of_a_person_stay_unset() -> None:
    silent = person()
    assert {silent.name, silent.roles, silent.active, silent.addresses, silent.zone, silent.hours} == {None}
    assert (silent.absences, silent.preferences) == (None, None)


def test_all_fields_of_a_person_are_read() -> None:
    wish = person(
        name="Ann",
        roles=["approver", "admin"],
        active=False,
        addresses={"email": "ann@else.example"},
        zone="Europe/Berlin",
        hours={"zone": "UTC"},
        preferences={"channels": ["email"]},
        absences=[{"from": "2026-03-02", "until": "2026-03-06T12:00:00Z", "delegate": "otto@acme.example"}],
    )
    assert (wish.name, wish.roles, wish.active) == ("Ann", ("approver", "admin"), False)
    assert (wish.addresses, wish.zone, wish.hours) == (
        {"email": "ann@else.example"},
        "Europe/Berlin",
        Hours("UTC"),
    )
    assert wish.preferences == {"channels": ["email"]}
    (away,) = wish.absences
    assert (away.start, away.end) == (date(2026, 3, 2), datetime(2026, 3, 6, 12, tzinfo=UTC))
    assert away.delegate == "otto@acme.example"
    nothing = person(hours=False, zone="", absences=[])
    assert (nothing.hours, nothing.zone, nothing.absences) == (False, "", ())


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"roles": ["king"]}, "invalid_field", "roles"),
        ({"preferences": {"digest": True}}, "invalid_duration", "preferences.digest"),
        ({"preferences": {"digest": "1m"}}, "invalid_duration", "preferences.digest"),
        ({"preferences": {"summary": "15m"}}, "unknown_field", "preferences.summary"),
        ({"preferences": {"channels": ["pigeon"]}}, "invalid_field", "preferences.channels"),
        ({"addresses": {"pager": "x"}}, "unknown_field", "addresses.pager"),
        ({"addresses": {"slack": "U1"}}, "unknown_field", "addresses.slack"),
        ({"absences": [{"from": "2026-02-30", "until": "2026-03-01"}]}, "invalid_field", "absences[0].from"),
        ({"absences": [{"from": "2026-03-01"}]}, "missing_field", "absences[0].until"),
        ({"absences": [{"from": "tomorrow", "until": "2026-03-01"}]}, "invalid_field", "absences[0].from"),
        ({"zone": "Mars/Base"}, "invalid_field", "zone"),
        ({"nickname": "A"}, "unknown_field", "nickname"),
        ({"hours": {"zone": "UTC", "from": "25:00"}}, "invalid_field", "hours.from"),
    ],
)
def test_invalid_field_of_a_person_is_named(said: dict[str, Any], code: str, field: str) -> None:
    assert refused({"people": {"ann@acme.example": said}}) == (code, f"people.ann@acme.example.{field}")


def test_absence_day_is_local_to_the_person_and_the_last_day_is_included() -> None:
    first, last = date(2026, 3, 2), date(2026, 3, 3)
    assert begins(first, "") == datetime(2026, 3, 2, tzinfo=UTC)
    assert begins(first, "Europe/Berlin") == datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert ends(last, "") == datetime(2026, 3, 4, tzinfo=UTC)
    moment = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (begins(moment, "Europe/Berlin"), ends(moment, "Europe/Berlin")) == (moment, moment)


def test_team_has_members_and_may_have_a_rotation() -> None:
    turns = {"zone": "Europe/Berlin"}
    told = {"order": ["b", "a"], "handover": "fri 17:30", "zone": "UTC", "anchor": "2026-03-06"}
    made = compile_manifest(
        {
            "teams": {
                "dba": {"members": ["a", "b"]},
                "on": {"members": ["a"], "rotation": turns},
                "off": {"members": ["a", "b"], "rotation": told},
            }
        }
    )
    plain, monday, friday = made.teams
    assert (plain.name, plain.members, plain.rotation) == ("dba", ("a", "b"), None)
    assert monday.rotation is not None
    assert (monday.rotation.order, monday.rotation.handover) == ((), (0, time(9)))
    assert (monday.rotation.zone, monday.rotation.anchor) == ("Europe/Berlin", None)
    assert friday.rotation is not None
    assert (friday.rotation.order, friday.rotation.handover) == (("b", "a"), (4, time(17, 30)))
    assert friday.rotation.anchor == date(2026, 3, 6)


@pytest.mark.parametrize(
    ("name", "said", "code", "field"),
    [
        ("two words", {"members": ["a"]}, "invalid_name", "teams.two words"),
        ("dba", {}, "invalid_field", "teams.dba.members"),
        ("dba", {"members": []}, "invalid_field", "teams.dba.members"),
        ("dba", {"members": ["a"], "rotation": {"handover": "monday", "zone": "UTC"}}, "invalid_field",
         "teams.dba.rotation.handover"),
        ("dba", {"members": ["a"], "rotation": {"handover": "xyz 09:00", "zone": "UTC"}}, "invalid_field",
         "teams.dba.rotation.handover"),
        ("dba", {"members": ["a"], "rotation": {}}, "missing_field", "teams.dba.rotation.zone"),
        ("dba", {"members": ["a"], "rotation": {"zone": "UTC", "anchor": "soon"}}, "invalid_field",
         "teams.dba.rotation.anchor"),
    ],
)  # fmt: skip
def test_invalid_field_of_a_team_is_named(name: str, said: dict[str, Any], code: str, field: str) -> None:
    assert refused({"teams": {name: said}}) == (code, field)


def test_policies_and_workflows_are_read_as_from_their_own_files() -> None:
    flow = {"workflow": "w", "intent_type": "intent.a.v1", "steps": [{"id": "one", "human": {}}]}
    policy = {"approve": {"any": ["team:dba"], "need": 2}}
    made = compile_manifest({"policies": {"prod": policy}, "workflows": [flow]})
    assert (made.policies[0].name, made.policies[0].source) == ("prod", policy)
    assert made.policies[0].policy.stages[0].need == 2
    assert (made.workflows[0].template.name, made.workflows[0].source) == ("w", flow)
    assert refused({"policies": {"not a name": {}}}) == ("invalid_name", "policies.not a name")
    assert refused({"policies": {"prod": {"aprove": {}}}})[1] == "policies.prod.aprove"


def test_two_workflows_of_one_type_are_refused() -> None:
    strict = {"workflow": "a", "intent_type": "intent.a.v1", "steps": [{"id": "one", "human": {"need": 2}}]}
    loose = {"workflow": "b", "intent_type": "intent.a.v1", "steps": [{"id": "one", "agent": "worker"}]}
    for second in (strict, loose):
        assert refused({"workflows": [strict, second]}) == ("duplicate_workflow", "workflows[1].intent_type")
    other = {**loose, "intent_type": "intent.b.v1"}
    assert len(compile_manifest({"workflows": [strict, other]}).workflows) == 2


def test_workspace_settings_are_read() -> None:
    said = {
        "positive_fallback": False,
        "self_approval": True,
        "default_policy": "prod",
        "unlisted_types": "gate",
    }
    assert compile_manifest({"workspace": said}).settings == said
    assert compile_manifest({"workspace": {"default_policy": False}}).settings == {"default_policy": ""}
    assert compile_manifest({"workspace": {"protected": True}}).settings == {"protected": True}
    assert refused({"workspace": {"unlisted_types": "alow"}}) == ("invalid_field", "workspace.unlisted_types")
    assert refused({"workspace": {"unlisted_types": "xyz"}}) == ("invalid_field", "workspace.unlisted_types")
    assert refused({"workspace": {"self_aproval": True}})[0] == "unknown_field"


def test_too_many_entries_of_a_kind_are_refused() -> None:
    assert refused({"people": {f"p{n}": {} for n in range(1001)}}) == ("invalid_field", "people")


def test_long_absence_is_accepted() -> None:
    wish = person(absences=[{"from": "2026-01-01", "until": "2027-01-01"}])
    (away,) = wish.absences
    assert away.delegate == ""
    assert ends(away.end, "") - begins(away.start, "") == timedelta(days=366)


def test_single_person_is_read_as_in_a_manifest() -> None:
    made = read_person("ann@acme.example", Fields({"name": "Ann", "roles": ["approver"]}), CHANNELS)
    assert (made.who, made.name) == ("ann@acme.example", "Ann")
    nosuch = {"preferences": {"default": ["carrier-pigeon"]}}
    with pytest.raises(Invalid):
        read_person("ann@acme.example", Fields(nosuch), CHANNELS)


ROOMS = PersonalChannels(("slack", "email"), {"slack": "Slack"}, {"slack": "C[A-Z0-9]+"})


def test_team_may_have_a_channel_and_a_mailbox() -> None:
    places = {"channel": "slack:C0SRE", "mailbox": "sre@acme.example"}
    [team] = compile_manifest({"teams": {"sre": {"members": ["a"], **places}}}, ROOMS).teams
    assert (team.channel, team.mailbox) == ("slack:C0SRE", "sre@acme.example")
    [kept] = compile_manifest({"teams": {"sre": {"members": ["a"], **places}}}, kept=True).teams
    assert kept == team
    assert read_team("sre", Fields({"members": ["a"]}, ""), ROOMS).channel == ""


@pytest.mark.parametrize(
    ("places", "field"),
    [
        ({"channel": "slack:general"}, "channel"),
        ({"channel": "email:C0SRE"}, "channel"),
        ({"channel": "C0SRE"}, "channel"),
        ({"mailbox": "nobody"}, "mailbox"),
        ({"mailbox": "a@b.example,c@d.example"}, "mailbox"),
    ],
)
def test_invalid_channel_or_mailbox_of_a_team_is_named(places: dict[str, str], field: str) -> None:
    met = refusal(lambda: compile_manifest({"teams": {"sre": {"members": ["a"], **places}}}, ROOMS))
    assert isinstance(met, Invalid)
    assert met.field == f"teams.sre.{field}"


def test_person_may_enable_or_disable_the_roundup() -> None:
    assert person(preferences={"digest": "90m"}).preferences == {"digest": "1h30m"}
    assert person(preferences={"digest": False, "channels": ["email"]}).preferences == {
        "channels": ["email"],
        "digest": False,
    }
    assert person(preferences={}).preferences == {}


@pytest.mark.parametrize(
    "policy", [{"digest": "15m"}, {"digest": "1m", "risk": "low"}, {"digest": "2d", "risk": "low"}]
)
def test_digest_of_a_policy_without_effect_is_named(policy: dict[str, str]) -> None:
    code, field = refused({"policies": {"quiet": policy}})
    assert field == "policies.quiet.digest"
    assert code in ("invalid_field", "invalid_duration")


@pytest.mark.parametrize(
    ("document", "field", "shown"),
    [
        (
            {"people": [{"email": "ann@example.com"}]},
            "people",
            "people: {ann@example.com: {roles: [approver]}}",
        ),
        (
            {"people": {"ann@example.com": "approver"}},
            "people.ann@example.com",
            "people: {ann@example.com: {",
        ),
        ({"teams": [{"name": "oncall"}]}, "teams", "teams: {oncall: {members: [ann@example.com]}}"),
        ({"policies": ["prod-change"]}, "policies", "policies: {prod-change: {approve: "),
        ({"workflows": {"refund": {}}}, "workflows", "workflows: [{workflow: NAME, "),
    ],
)
def test_hint_shows_how_entries_are_written(document: dict[str, Any], field: str, shown: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_manifest(document)
    assert refused.value.field == field
    assert shown in (refused.value.hint or "")


def test_example_of_each_hint_is_accepted() -> None:
    people = {"ann@example.com": {"roles": ["approver"]}}
    teams = {"oncall": {"members": ["ann@example.com"]}}
    policies = {"prod-change": {"approve": [{"any": ["team:oncall"]}]}}
    assert compile_manifest({"people": people, "teams": teams, "policies": policies}).people[0].roles
