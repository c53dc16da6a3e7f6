"""The table of pages: every address once. What is ``open`` needs nobody signed in."""

from typing import Final

from starlette.routing import Route

from signoff.core.errors import NotFound
from signoff.web.http.call import Page
from signoff.web.pages import signin
from signoff.web.pages.admin import accounts, changes, people, policies, proposals, teams
from signoff.web.pages.kit import live
from signoff.web.pages.kit.handler import PageHandler, PageRequest, Row
from signoff.web.pages.kit.open_task_counts import Waiting
from signoff.web.pages.kit.render import static_files
from signoff.web.pages.lists import inbox, intent, messages
from signoff.web.pages.task import actions, page
from signoff.web.state import AppState

_FOREVER: Final = (("cache-control", "public, max-age=31536000, immutable"),)


async def static(request: PageRequest) -> Page:
    """GET /static/{name}"""
    found = static_files().get(request.params["name"])
    if found is None:
        raise NotFound("not_found", "There is no such file.")
    return Page(found[0], found[1], headers=_FOREVER)


ROWS: Final[tuple[Row, ...]] = (
    Row("GET", "/", inbox.inbox),
    Row("GET", "/tasks/{task_id}", page.show),
    Row("POST", "/tasks/{task_id}", page.decide),
    Row("POST", "/tasks/{task_id}/{act}", actions.act),
    Row("GET", "/t/{token}", page.show_by_link, open=True),
    Row("POST", "/t/{token}", page.decide_by_link, open=True),
    Row("GET", "/intents", inbox.intents),
    Row("GET", "/intents/{intent_id}", intent.intent),
    Row("POST", "/intents/{intent_id}/cancel", intent.cancel),
    Row("POST", "/intents/{intent_id}/rerun", intent.rerun),
    Row("GET", "/audit/{intent_id}", intent.audit),
    Row("GET", "/live", live.inbox),
    Row("GET", "/live/{intent_id}", live.intent),
    Row("GET", "/workflows", accounts.workflows),
    Row("GET", "/agents", accounts.agents),
    Row("POST", "/agents/{account_id}/remove", accounts.remove_agent),
    Row("GET", "/people", people.people),
    Row("POST", "/people", people.add_person),
    Row("GET", "/people/{person_id}", people.person),
    Row("POST", "/people/{person_id}/sessions", people.sign_out),
    Row("POST", "/people/{person_id}/{act}", people.act),
    Row("GET", "/me", people.me),
    Row("POST", "/me/channels/{channel}", people.link_code),
    Row("POST", "/me/keys", people.add_key),
    Row("POST", "/me/keys/{key_id}/revoke", people.revoke_key),
    Row("GET", "/teams", teams.teams),
    Row("POST", "/teams", teams.put_new),
    Row("GET", "/teams/{name}", teams.team),
    Row("POST", "/teams/{name}", teams.put),
    Row("GET", "/channels", messages.channels),
    Row("GET", "/policies", policies.policies),
    Row("GET", "/policies/{name}", policies.policy),
    Row("GET", "/changes", changes.changes),
    Row("GET", "/proposals", proposals.proposals),
    Row("GET", "/proposals/{proposal_id}", proposals.proposal),
    Row("POST", "/proposals/{proposal_id}/confirm", proposals.confirm),
    Row("POST", "/proposals/{proposal_id}/refuse", proposals.refuse),
    Row("POST", "/proposals/{proposal_id}/mail", proposals.mail),
    Row("GET", "/keys", accounts.keys),
    Row("POST", "/keys", accounts.add_key),
    Row("POST", "/keys/{key_id}/revoke", accounts.revoke_key),
    Row("GET", "/login", signin.ask, open=True),
    Row("POST", "/login", signin.by_key, open=True),
    Row("POST", "/login/mail", signin.by_mail, open=True),
    Row("GET", "/login/{token}", signin.look, open=True),
    Row("POST", "/login/{token}", signin.by_link, open=True),
    Row("GET", "/logout", signin.leave, open=True),
    Row("POST", "/logout", signin.left, open=True),
    Row("GET", "/static/{name}", static, open=True),
)


def inbox_routes(state: AppState) -> list[Route]:
    """One route per path, in the table's order; the methods of a path share a door."""
    paths: dict[str, dict[str, Row]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    waiting = Waiting(state)
    return [Route(path, PageHandler(state, methods, waiting)) for path, methods in paths.items()]
