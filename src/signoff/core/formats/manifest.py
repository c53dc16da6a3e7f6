"""One document that says who decides: people, teams, policies, workflows. Read here; the engine applies it.

What is left out of a person stays as it is; a team and a policy are said whole. Leaving something out removes nothing.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from signoff.core.directory.approver_names import TEAM_NAME
from signoff.core.directory.roles import ROLES
from signoff.core.errors import Invalid
from signoff.core.formats.workflow import WorkflowTemplate, compile_workflow
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.policy import Policy, clock, hours, read_policy, refuse_idle, weekday, zone
from signoff.core.policy.workspace_default import UNLISTED
from signoff.core.text.document_reader import Fields, document, refuse_unplaced, shown, suggestion

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST: Final = 1000
_FLAGS: Final = ("positive_fallback", "self_approval", "protected")
SETTINGS: Final = (*_FLAGS, "default_policy", "unlisted_types")
EMAIL: Final = "email"
SLACK: Final = "slack"
CHANNELS: Final = (SLACK, EMAIL)  # what is tried first where a person has no preference
_PERSON: Final = ("name", "roles", "active", "addresses", "zone", "hours", "absences", "preferences")


class Away(msgspec.Struct, frozen=True):
    """An absence as written; a bare day is local to the person. ``delegate``: an address or id, or ""."""

    start: datetime | date
    end: datetime | date
    delegate: str = ""


class PersonWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a person (by address or id); None: nothing. ``hours`` False and ``zone`` "": none any more."""

    who: str
    name: str | None = None
    roles: tuple[str, ...] | None = None
    active: bool | None = None
    addresses: dict[str, str] | None = None
    zone: str | None = None
    hours: Hours | bool | None = None
    absences: tuple[Away, ...] | None = None
    preferences: dict[str, Any] | None = None


class RotationWish(msgspec.Struct, frozen=True):
    """``order``: addresses or ids, the members when empty; ``anchor`` None: it begins with the present week."""

    order: tuple[str, ...]
    weekday: int
    at: time
    zone: str
    anchor: date | None


class TeamWish(msgspec.Struct, frozen=True):
    name: str
    members: tuple[str, ...]
    rotation: RotationWish | None = None


class PolicyWish(msgspec.Struct, frozen=True):
    name: str
    policy: Policy
    source: dict[str, Any]


class WorkflowWish(msgspec.Struct, frozen=True):
    template: WorkflowTemplate
    source: dict[str, Any]


class Charter(msgspec.Struct, frozen=True, kw_only=True):
    """All that one document asks for. ``default_policy``: "" for none any more."""

    people: tuple[PersonWish, ...] = ()
    teams: tuple[TeamWish, ...] = ()
    policies: tuple[PolicyWish, ...] = ()
    workflows: tuple[WorkflowWish, ...] = ()
    positive_fallback: bool | None = None
    self_approval: bool | None = None
    protected: bool | None = None
    default_policy: str | None = None
    unlisted_types: str | None = None

    @property
    def settings(self) -> dict[str, bool | str]:
        """What it says of the workspace itself."""
        said = {name: getattr(self, name) for name in SETTINGS}
        return {name: value for name, value in said.items() if value is not None}


def compile_charter(source: object, *, kept: bool = False) -> Charter:
    """Compile the document (a JSON-able dict); raises Invalid naming the field, with a hint. ``kept``: as in
    ``document``.
    """
    top = document(source, kept=kept)
    top.known("people", "teams", "policies", "workflows", "workspace")
    settings = top.inner("workspace")
    flows = top.each("workflows", most=_MOST)
    return Charter(
        people=tuple(read_person(who, fields) for who, fields in _entries(top, "people")),
        teams=tuple(read_team(name, fields) for name, fields in _entries(top, "teams")),
        policies=tuple(policy_wish(name, fields) for name, fields in _entries(top, "policies")),
        workflows=tuple(WorkflowWish(compile_workflow(flow, kept=kept), flow) for flow in flows),
        **(_settings(settings) if settings else {}),
    )


def _settings(said: Fields) -> dict[str, Any]:
    said.known(*SETTINGS)
    found: dict[str, Any] = {name: said.flag(name) for name in _FLAGS}
    if said.value.get("default_policy") is False:
        found["default_policy"] = ""
    elif said.has("default_policy"):
        found["default_policy"] = said.need("default_policy", longest=100)
    word = said.text("unlisted_types", longest=64)
    if word and word not in UNLISTED:
        hint = suggestion(word, UNLISTED) or "Known: " + ", ".join(UNLISTED) + "."
        raise said.invalid("unlisted_types", f"{shown(word)!r} is unknown here", hint=hint)
    return found | {"unlisted_types": word or None}


def _entries(top: Fields, name: str) -> list[tuple[str, Fields]]:
    """The entries of an object of named objects."""
    found = top.inner(name)
    if found is None:
        return []
    if len(found.value) > _MOST:
        raise top.invalid(name, f"holds {len(found.value)} entries; at most {_MOST} are allowed")
    return [(key, Fields(value, f"{name}.{key[:100]}", kept=top.kept)) for key, value in found.value.items()]


def policy_wish(name: str, fields: Fields) -> PolicyWish:
    if not TEAM_NAME.fullmatch(name):
        raise _misnamed(fields, name)
    policy = read_policy(fields)
    if not fields.kept:
        refuse_idle(policy, fields.path)
    return PolicyWish(name, policy, dict(fields.value))


def _misnamed(fields: Fields, name: str) -> Invalid:
    return Invalid(
        "invalid_name", f"{fields.path}: {name[:100]!r} is not a name.", field=fields.path or "name",
        hint="Letters, digits, '.', '_' and '-'.",
    )  # fmt: skip


def read_person(who: str, fields: Fields) -> PersonWish:
    """What an object says of the person ``who``."""
    fields.known(*_PERSON, clearing=("name", "zone"))
    roles = fields.texts("roles") if fields.has("roles") else None
    unknown = [role for role in roles or () if role not in ROLES]
    if unknown:
        raise fields.invalid(
            "roles", f"there is no role {unknown[0]!r}", hint="Known: " + ", ".join(ROLES) + "."
        )
    away = fields.each("absences", most=100)
    absences = tuple(_away(fields.item("absences", index, item)) for index, item in enumerate(away))
    return PersonWish(
        who=who,
        name=fields.text("name") if fields.has("name") else None,
        roles=roles,
        active=fields.flag("active"),
        addresses=_addresses(fields),
        zone=zone(fields, "zone") if fields.has("zone") else None,
        hours=_own_hours(fields),
        absences=absences if fields.has("absences") else None,
        preferences=_preferences(fields),
    )


def _own_hours(fields: Fields) -> Hours | bool | None:
    if fields.value.get("hours") is False:
        return False
    working = fields.inner("hours")
    return hours(working) if working else None


def _addresses(fields: Fields) -> dict[str, str] | None:
    """Where a person is reached other than by the address that names them."""
    given = fields.inner("addresses")
    if given is None:
        return None
    if given.has(SLACK) and not given.kept:
        raise given.invalid(
            SLACK, "a Slack account is not named here; its owner links it", code="unknown_field",
            hint="They do it with a code from their page (/me); then nobody else can answer as them.",
        )  # fmt: skip
    if not given.kept:
        given.known(EMAIL)
    return {EMAIL: given.need(EMAIL)} if given.has(EMAIL) else {}


def _preferences(fields: Fields) -> dict[str, Any] | None:
    """Over which channels somebody wants to be told, the best first."""
    given = fields.inner("preferences")
    if given is None:
        return None
    if not given.kept:
        given.known("channels")
    wanted = given.texts("channels")
    unknown = next((name for name in wanted if name not in CHANNELS), None)
    if unknown and not given.kept:
        hint = suggestion(unknown, CHANNELS) or "Known: " + ", ".join(CHANNELS) + "."
        raise given.invalid("channels", f"there is no channel {shown(unknown)!r}", hint=hint)
    return {"channels": list(wanted)} if wanted else {}


def _away(fields: Fields) -> Away:
    fields.known("from", "until", "delegate")
    start, end = _moment(fields, "from"), _moment(fields, "until")
    return Away(start, end, fields.text("delegate"))


def _moment(fields: Fields, name: str) -> datetime | date:
    word = fields.need(name, longest=64)
    if not _DAY.fullmatch(word):
        found = fields.moment(name)
        if found is None:
            raise fields.invalid(name, "is required", code="missing_field")
        return found
    return day(fields, name)


def day(fields: Fields, name: str) -> date:
    """A day, 2026-03-02."""
    word = fields.text(name, longest=64)
    try:
        found = date.fromisoformat(word)
    except ValueError as wrong:
        raise fields.invalid(name, f"{word!r} is no day", hint="Write it as 2026-03-02.") from wrong
    refuse_unplaced(found, fields.at(name))
    return found


def begins(start: datetime | date, where: str) -> datetime:
    """When an absence begins; a day begins at midnight in the zone ``where`` ("" is UTC)."""
    return (
        start
        if isinstance(start, datetime)
        else datetime.combine(start, time(0), ZoneInfo(where or "UTC")).astimezone(UTC)
    )


def ends(end: datetime | date, where: str) -> datetime:
    """When an absence ends; a day is the last one away."""
    return end if isinstance(end, datetime) else begins(end + timedelta(days=1), where)


def read_team(name: str, fields: Fields) -> TeamWish:
    if not TEAM_NAME.fullmatch(name):
        raise _misnamed(fields, name)
    fields.known("members", "rotation")
    members = fields.texts("members", most=500)
    if not members:
        raise fields.invalid("members", "names nobody", hint="A team has at least one member.")
    turns = fields.inner("rotation")
    return TeamWish(name, members, _rotation(turns) if turns else None)


def _rotation(fields: Fields) -> RotationWish:
    fields.known("order", "handover", "zone", "anchor")
    written = fields.text("handover", longest=32) or "mon 09:00"
    first, _, hour = written.partition(" ")
    at = clock(Fields({"handover": hour.strip()}, fields.path), "handover")
    if at is None:
        raise fields.invalid(
            "handover", f"{written!r} is no weekday and time", hint='Write it as "mon 09:00".'
        )
    anchor = day(fields, "anchor") if fields.has("anchor") else None
    where = zone(fields, "zone", needed=True)
    return RotationWish(
        fields.texts("order", most=500), weekday(fields, "handover", first), at, where, anchor
    )
