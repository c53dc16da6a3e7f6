"""Teams: their members, and who is on call."""

from signoff import wire
from signoff.core.directory.authorization import Action, authorize
from signoff.core.errors import NotFound
from signoff.core.formats.manifest import (
    Manifest,
    read_team,
)
from signoff.core.text.document_reader import document
from signoff.notify.registry import personal_channels
from signoff.web.http import bodies
from signoff.web.http.call import Call
from signoff.web.reading import directory_of
from signoff.web.shapes import people as p


async def teams(call: Call) -> wire.teams.TeamsResponse:
    """GET /v1/teams"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory, now = await directory_of(call), call.state.clock.now()
    return wire.teams.TeamsResponse(
        teams=[p.team_out(team, directory, now) for team in directory.teams.values()]
    )


async def team(call: Call) -> wire.teams.TeamResponse:
    """GET /v1/teams/{name}"""
    authorize(call.actor, Action.READ_DIRECTORY)
    directory = await directory_of(call)
    found = directory.teams.get(call.params["name"])
    if found is None:
        raise NotFound("team_not_found", f"There is no team {call.params['name'][:128]!r}.")
    return wire.teams.TeamResponse(team=p.team_out(found, directory, call.state.clock.now()))


async def put_team(call: Call) -> wire.teams.TeamResponse:
    """PUT /v1/teams/{name}"""
    request = bodies.ours(wire.teams.PutTeam, call.body)
    spec = read_team(call.params["name"], document(bodies.given(request)), personal_channels())
    applied = await call.state.manifests.apply(call.actor, Manifest(teams=(spec,)))
    answer = await team(call)
    answer.warnings = applied.warnings
    return answer
