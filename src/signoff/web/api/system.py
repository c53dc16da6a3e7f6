"""The server itself: liveness, readiness, and the caller's identity."""

from signoff.core.directory.actors import ActorKind
from signoff.web.http.call import Call, Page
from signoff.web.reading import directory_of
from signoff.web.shapes.common import encode, maybe
from signoff.wire.common import ABSENT
from signoff.wire.system import HealthResponse, MeResponse, ReadyResponse, SelfOut, ServerOut


async def health(call: Call) -> HealthResponse:
    """GET /health"""
    return HealthResponse(version=call.state.settings.version)


async def ready(call: Call) -> Page:
    """GET /ready"""
    found = await call.state.readiness()
    stopping = call.state.stopping.is_set()
    able = found.ready and not stopping
    body = ReadyResponse(
        ok=able, ready=able, details=found.details | ({"stopping": True} if stopping else {})
    )
    return Page(encode(body), status=200 if able else 503)


async def me(call: Call) -> MeResponse:
    """GET /v1/me"""
    directory = await directory_of(call)
    actor = call.actor
    person = directory.people.get(actor.id) if actor.kind is ActorKind.PERSON else None
    return MeResponse(
        actor=SelfOut(
            kind=actor.kind.value,
            id=actor.id,
            address=actor.address or ABSENT,
            name=directory.display(actor.id),
            email=person.email if person else ABSENT,
            roles=tuple(sorted(actor.roles)),
        ),
        workspace=directory.workspace.name,
        workspace_id=directory.workspace.id,
        organization=directory.workspace.organization,
        self_approval=directory.self_approval,
        self_approval_setting=_setting(directory.workspace.self_approval_setting),
        default_policy=maybe(directory.workspace.default_policy),
        unlisted_types=directory.workspace.unlisted_types,
        server=ServerOut(
            version=call.state.settings.version, database=call.state.settings.database, mail=call.state.mails
        ),
    )


def _setting(setting: bool | str) -> str:
    return setting if isinstance(setting, str) else "on" if setting else "off"
