"""The table of pages: every address once. What is ``open`` needs nobody signed in."""

from typing import Final

from starlette.routing import Route

from signoff.core.errors import NotFound
from signoff.web.call import Page
from signoff.web.inbox import (
    acts,
    admin,
    changelog,
    history,
    listing,
    live,
    people,
    policies,
    proposed,
    signin,
    tasks,
    teams,
    told,
)
from signoff.web.inbox.door import PageDoor, Row, Visit
from signoff.web.inbox.render import static_files
from signoff.web.inbox.waiting import Waiting
from signoff.web.parts import Parts

_FOREVER: Final = (("cache-control", "public, max-age=31536000, immutable"),)


async def static(visit: Visit) -> Page:
    """GET /static/{name}"""
    found = static_files().get(visit.params["name"])
    if found is None:
        raise NotFound("not_found", "There is no such file.")
    return Page(found[0], found[1], headers=_FOREVER)


ROWS: Final[tuple[Row, ...]] = (
    Row("GET", "/", listing.inbox),
    Row("GET", "/tasks/{task_id}", tasks.show),
    Row("POST", "/tasks/{task_id}", tasks.decide),
    Row("POST", "/tasks/{task_id}/{act}", acts.act),
    Row("GET", "/t/{token}", tasks.show_by_link, open=True),
    Row("POST", "/t/{token}", tasks.decide_by_link, open=True),
    Row("GET", "/intents", listing.intents),
    Row("GET", "/intents/{intent_id}", history.intent),
    Row("POST", "/intents/{intent_id}/cancel", history.cancel),
    Row("POST", "/intents/{intent_id}/rerun", history.rerun),
    Row("GET", "/audit/{intent_id}", history.audit),
    Row("GET", "/live", live.inbox),
    Row("GET", "/live/{intent_id}", live.intent),
    Row("GET", "/workflows", admin.workflows),
    Row("GET", "/agents", admin.agents),
    Row("POST", "/agents/{account_id}/remove", admin.remove_agent),
    Row("GET", "/people", people.people),
    Row("POST", "/people", people.add_person),
    Row("GET", "/people/{person_id}", people.person),
    Row("POST", "/people/{person_id}/sessions", people.sign_out),
    Row("POST", "/people/{person_id}/{act}", people.act),
    Row("GET", "/me", people.me),
    Row("POST", "/me/slack", people.slack_code),
    Row("POST", "/me/keys", people.add_key),
    Row("POST", "/me/keys/{key_id}/revoke", people.revoke_key),
    Row("GET", "/teams", teams.teams),
    Row("POST", "/teams", teams.put_new),
    Row("GET", "/teams/{name}", teams.team),
    Row("POST", "/teams/{name}", teams.put),
    Row("GET", "/channels", told.channels),
    Row("GET", "/policies", policies.policies),
    Row("GET", "/policies/{name}", policies.policy),
    Row("GET", "/changes", changelog.changes),
    Row("GET", "/proposals", proposed.proposals),
    Row("GET", "/proposals/{proposal_id}", proposed.proposal),
    Row("POST", "/proposals/{proposal_id}/confirm", proposed.confirm),
    Row("POST", "/proposals/{proposal_id}/refuse", proposed.refuse),
    Row("POST", "/proposals/{proposal_id}/mail", proposed.mail),
    Row("GET", "/keys", admin.keys),
    Row("POST", "/keys", admin.add_key),
    Row("POST", "/keys/{key_id}/revoke", admin.revoke_key),
    Row("GET", "/login", signin.ask, open=True),
    Row("POST", "/login", signin.by_key, open=True),
    Row("POST", "/login/mail", signin.by_mail, open=True),
    Row("GET", "/login/{token}", signin.look, open=True),
    Row("POST", "/login/{token}", signin.by_link, open=True),
    Row("GET", "/logout", signin.leave, open=True),
    Row("POST", "/logout", signin.left, open=True),
    Row("GET", "/static/{name}", static, open=True),
)


def inbox_routes(parts: Parts) -> list[Route]:
    """One route per path, in the table's order; the methods of a path share a door."""
    paths: dict[str, dict[str, Row]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    waiting = Waiting(parts)
    return [Route(path, PageDoor(parts, methods, waiting)) for path, methods in paths.items()]
