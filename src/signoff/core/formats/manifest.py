"""The manifest: people, teams, policies, workflows and settings. It is read here and applied by the engine.

Omitted fields of a person stay unchanged; a team or policy is replaced as a whole. Omitting an entry does not
remove it; listing it under ``remove`` does.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from signoff.core.directory.mailboxes import is_mailbox
from signoff.core.directory.personal_channels import NO_CHANNELS, PersonalChannels
from signoff.core.directory.roles import ROLES
from signoff.core.errors import Invalid
from signoff.core.formats.workflow import WorkflowSource, WorkflowTemplate, compile_workflow
from signoff.core.plan.hours_reader import HoursSource, Zone, read_day, read_time, read_zone, weekday
from signoff.core.plan.working_hours import Hours
from signoff.core.policy.fields import read_policy
from signoff.core.policy.policy import Policy, PolicySource, refuse_digest, refuse_idle
from signoff.core.text.describe import NAME, NAME_HINT, printable, suggestion_or_list
from signoff.core.text.document_reader import Fields, document
from signoff.core.text.durations import format_duration
from signoff.core.text.struct_reader import DocumentStruct, read_struct, reads

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST: Final = 1000
_A_PERSON: Final = "ann@example.com: {roles: [approver]}"
_A_TEAM: Final = "oncall: {members: [ann@example.com]}"
_A_POLICY: Final = "prod-change: {approve: [{any: [team:oncall]}]}"
_A_WORKFLOW: Final = "{workflow: NAME, intent_type: TYPE, steps: [...]}"


def _read_moment(fields: Fields, name: str) -> datetime | date | None:
    day = _DAY.fullmatch(fields.text(name, longest=64))
    return read_day(fields, name) if day else fields.moment(name)


_Moment = Annotated[date, reads(_read_moment)]  # a datetime is a date too


class AbsenceSource(DocumentStruct, frozen=True, kw_only=True):
    """An absence as written. A day without a time is in the person's time zone. ``delegate``: an address or id, or
    "".
    """

    start: _Moment = msgspec.field(name="from")
    end: _Moment = msgspec.field(name="until")
    delegate: str = ""


_Role = Literal["owner", "admin", "approver", "member", "auditor"]


def _read_roles(fields: Fields, name: str) -> tuple[str, ...]:
    roles = fields.texts(name)
    if unknown := [role for role in roles if role not in ROLES]:
        problem = f"unknown role {unknown[0]!r}"
        raise fields.invalid(name, problem, hint="Known: " + ", ".join(ROLES) + ".")
    return roles


def _read_addresses(fields: Fields, name: str) -> dict[str, str]:
    addresses = fields.need_inner(name)
    return {channel: addresses.need(channel) for channel in addresses.value}


def _read_preferences(fields: Fields, name: str) -> dict[str, Any]:
    preferences = fields.need_inner(name)
    if not preferences.kept:
        preferences.known("channels", "digest")
    wanted = preferences.texts("channels")
    if preferences.value.get("digest") is False:
        return ({"channels": list(wanted)} if wanted else {}) | {"digest": False}
    window = preferences.duration("digest")
    refuse_digest(preferences, window)
    digest: dict[str, Any] = (
        {"digest": format_duration(window, exact=True).replace(" ", "")} if window is not None else {}
    )
    return ({"channels": list(wanted)} if wanted else {}) | digest


def _refuse_unknown_channels(person: Fields, channels: PersonalChannels) -> None:
    """Raise Invalid for a channel that does not exist, or whose addresses a manifest cannot set."""
    if addresses := person.inner("addresses"):
        linked = next((name for name in channels.linked if addresses.has(name)), None)
        if linked:
            raise addresses.invalid(
                linked,
                f"a {channels.linked[linked]} account cannot be set here; the person links it",
                code="unknown_field",
                hint="They use a code from their page (/me), so that no one else can answer as them.",
            )
        addresses.known(*channels.addressed)
    if preferences := person.inner("preferences"):
        unknown = next((name for name in preferences.texts("channels") if name not in channels.names), None)
        if unknown:
            problem = f"unknown channel {printable(unknown)!r}"
            raise preferences.invalid("channels", problem, hint=suggestion_or_list(unknown, channels.names))


def _read_own_hours(fields: Fields, name: str) -> Hours | bool:
    if fields.value[name] is False:
        return False
    return read_struct(HoursSource, fields.need_inner(name)).hours


class _Preferences(DocumentStruct, frozen=True, kw_only=True):
    channels: tuple[str, ...] = ()
    digest: timedelta | bool | None = None


class PersonSource(DocumentStruct, frozen=True, kw_only=True):
    """The fields of a person to change; None means unchanged. ``hours`` False and ``zone`` "" remove the value.
    ``addresses``: addresses other than the e-mail address; ``preferences``: the preferred channels, the best first,
    and for how long low-risk tasks are collected into one message.
    """

    name: Annotated[str, reads(Fields.text, blank=True)] | None = None
    roles: Annotated[tuple[str, ...], reads(_read_roles, tuple[_Role, ...])] | None = None
    active: bool | None = None
    addresses: Annotated[dict[str, str], reads(_read_addresses, dict[str, str])] | None = None
    zone: Annotated[str, reads(read_zone, blank=True)] | None = None
    hours: Annotated[Hours | bool, reads(_read_own_hours, HoursSource | bool)] | None = None
    absences: Annotated[tuple[AbsenceSource, ...], Meta(max_length=100)] | None = None
    preferences: Annotated[dict[str, Any], reads(_read_preferences, _Preferences)] | None = None


class PersonSpec(PersonSource, frozen=True, kw_only=True):
    """The changes to a person, whose address or id is ``who``."""

    who: str


def _read_handover(fields: Fields, name: str) -> tuple[int, time]:
    """``mon 09:00``: a weekday, and a time of day."""
    written = fields.text(name, longest=32) or "mon 09:00"
    first, _, hour = written.partition(" ")
    at = read_time(Fields({name: hour.strip()}, fields.path), name)
    if at is None:
        problem = f"{written!r} is not a weekday and a time"
        raise fields.invalid(name, problem, hint='Write it as "mon 09:00".')
    return weekday(fields, name, first), at


class RotationSource(DocumentStruct, frozen=True, kw_only=True):
    """``order``: addresses or ids, the members if empty; ``anchor``: None if it begins with the current week."""

    order: Annotated[tuple[str, ...], Meta(max_length=500)] = ()
    handover: Annotated[tuple[int, time], reads(_read_handover)] = (0, time(9))
    zone: Zone
    anchor: Annotated[date, reads(read_day)] | None = None


class TeamSource(DocumentStruct, frozen=True, kw_only=True):
    members: Annotated[tuple[str, ...], Meta(max_length=500)] = ()
    rotation: RotationSource | None = None
    channel: Annotated[str, Meta(max_length=300)] = ""
    mailbox: Annotated[str, Meta(max_length=255)] = ""

    def check(self, fields: Fields) -> None:
        if self.mailbox and not is_mailbox(self.mailbox):
            problem = f"{printable(self.mailbox)!r} is not the address of one mailbox"
            raise fields.invalid("mailbox", problem, hint="Write sre@your.domain.")
        if not self.members:
            raise fields.invalid("members", "names nobody", hint="A team needs at least one member.")


class TeamSpec(TeamSource, frozen=True, kw_only=True):
    name: str


class PolicySpec(msgspec.Struct, frozen=True):
    name: str
    policy: Policy
    source: dict[str, Any]


class WorkflowSpec(msgspec.Struct, frozen=True):
    template: WorkflowTemplate
    source: dict[str, Any]


def read_person(who: str, fields: Fields, channels: PersonalChannels = NO_CHANNELS) -> PersonSpec:
    """The person ``who`` as an object describes them. ``channels``: those that addresses and preferences may name."""
    if not fields.kept:
        _refuse_unknown_channels(fields, channels)
    return _read_person(who, fields)


def _read_person(who: str, fields: Fields) -> PersonSpec:
    return PersonSpec(who=who, **msgspec.structs.asdict(read_struct(PersonSource, fields)))


def read_team(name: str, fields: Fields, channels: PersonalChannels = NO_CHANNELS) -> TeamSpec:
    """The team as an object describes it. ``channels``: those whose rooms it may name."""
    if not fields.kept:
        _refuse_unknown_room(fields, channels)
    return _read_team(name, fields)


def _refuse_unknown_room(team: Fields, channels: PersonalChannels) -> None:
    """Raise Invalid if a team's channel is not a room of a chat."""
    written = team.text("channel", longest=300)
    chat, _, room = written.partition(":")
    if written and (chat not in channels.rooms or not re.fullmatch(channels.rooms[chat], room)):
        known = ", ".join(f"{name}:ROOM" for name in channels.rooms)
        problem = f"{printable(written)!r} is not a room of a chat"
        raise team.invalid(
            "channel", problem, hint=f"Write {known}, using the room's id as the chat shows it."
        )


def _read_team(name: str, fields: Fields) -> TeamSpec:
    _refuse_misnamed(fields, name)
    return TeamSpec(name=name, **msgspec.structs.asdict(read_struct(TeamSource, fields)))


def read_named_policy(name: str, fields: Fields) -> PolicySpec:
    _refuse_misnamed(fields, name)
    policy = read_policy(fields)
    if not fields.kept:
        refuse_idle(policy, fields.path)
    return PolicySpec(name, policy, dict(fields.value))


def _refuse_misnamed(fields: Fields, name: str) -> None:
    if not NAME.fullmatch(name):
        problem = f"{fields.path}: {name[:100]!r} is not a name."
        raise Invalid("invalid_name", problem, field=fields.path or "name", hint=NAME_HINT)


def _read_people(fields: Fields, name: str) -> tuple[PersonSpec, ...]:
    return tuple(
        _read_person(who, entry) for who, entry in fields.entries(name, most=_MOST, example=_A_PERSON)
    )


def _read_teams(fields: Fields, name: str) -> tuple[TeamSpec, ...]:
    return tuple(_read_team(team, entry) for team, entry in fields.entries(name, most=_MOST, example=_A_TEAM))


def _read_policies(fields: Fields, name: str) -> tuple[PolicySpec, ...]:
    listed = fields.entries(name, most=_MOST, example=_A_POLICY)
    return tuple(read_named_policy(policy, entry) for policy, entry in listed)


def _read_workflows(fields: Fields, name: str) -> tuple[WorkflowSpec, ...]:
    listed = fields.each(name, most=_MOST, example=_A_WORKFLOW)
    found = tuple(WorkflowSpec(compile_workflow(flow, kept=fields.kept), flow) for flow in listed)
    seen: set[str] = set()
    for index, spec in enumerate(found):
        of_type = spec.template.intent_type
        if of_type in seen and not fields.kept:
            raise Invalid(
                "duplicate_workflow",
                f"{of_type} has two workflows here.",
                field=f"{name}[{index}].intent_type",
                hint="An intent type can have only one workflow. Keep one of them, or change the type of the other.",
            )
        seen.add(of_type)
    return found


def _read_default_policy(fields: Fields, name: str) -> str:
    """A policy's name; "" for False, which removes it."""
    return "" if fields.value[name] is False else fields.need(name, longest=100)


class WorkspaceSource(DocumentStruct, frozen=True, kw_only=True):
    """The settings of the workspace; None means unchanged. ``default_policy``: "" removes it."""

    positive_fallback: bool | None = None
    self_approval: bool | None = None
    protected: bool | None = None
    default_policy: Annotated[str, reads(_read_default_policy, str | bool)] | None = None
    unlisted_types: Literal["allow", "gate", "refuse"] | None = None


_Names = Annotated[tuple[str, ...], Meta(max_length=_MOST)]


class Removals(DocumentStruct, frozen=True, kw_only=True):
    """What to remove: people by address or id, teams and policies by name, workflows by intent type. An entry that
    does not exist counts as removed.
    """

    people: _Names = ()
    teams: _Names = ()
    policies: _Names = ()
    workflows: _Names = ()


class Manifest(DocumentStruct, frozen=True, kw_only=True):
    """The content of one manifest."""

    people: Annotated[tuple[PersonSpec, ...], reads(_read_people, dict[str, PersonSource])] = ()
    teams: Annotated[tuple[TeamSpec, ...], reads(_read_teams, dict[str, TeamSource])] = ()
    policies: Annotated[tuple[PolicySpec, ...], reads(_read_policies, dict[str, PolicySource])] = ()
    workflows: Annotated[tuple[WorkflowSpec, ...], reads(_read_workflows, tuple[WorkflowSource, ...])] = ()
    workspace: WorkspaceSource = WorkspaceSource()
    remove: Removals = Removals()

    @property
    def removes(self) -> bool:
        """Whether it removes anything."""
        return self.remove != Removals()

    @property
    def settings(self) -> dict[str, bool | str]:
        """The settings of the workspace."""
        settings = msgspec.structs.asdict(self.workspace)
        return {name: value for name, value in settings.items() if value is not None}


def compile_manifest(
    source: object, channels: PersonalChannels = NO_CHANNELS, *, kept: bool = False
) -> Manifest:
    """Compile the document, a dict as decoded from JSON; raises Invalid with the field and a hint. ``channels``:
    those that people's addresses and preferences may name; ``kept``: as in ``document``.
    """
    top = document(source, kept=kept)
    if top.has("people") and not kept:
        for _, person in top.entries("people", most=_MOST, example=_A_PERSON):
            _refuse_unknown_channels(person, channels)
    if top.has("teams") and not kept:
        for _, team in top.entries("teams", most=_MOST, example=_A_TEAM):
            _refuse_unknown_room(team, channels)
    return read_struct(Manifest, top)


def begins(start: datetime | date, where: str) -> datetime:
    """When an absence begins. A day begins at midnight in the zone ``where``, "" for UTC."""
    return (
        start
        if isinstance(start, datetime)
        else datetime.combine(start, time(0), ZoneInfo(where or "UTC")).astimezone(UTC)
    )


def ends(end: datetime | date, where: str) -> datetime:
    """When an absence ends. A day without a time is its last day."""
    return end if isinstance(end, datetime) else begins(end + timedelta(days=1), where)
