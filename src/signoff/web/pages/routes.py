"""The table of pages. An ``open`` page requires no session."""

from typing import Final

from starlette.routing import Route

from signoff.core.errors import NotFound
from signoff.web.http.call import Page
from signoff.web.pages import device, signin
from signoff.web.pages.admin import (
    accounts,
    change_log,
    people,
    policies,
    proposals,
    removal,
    teams,
    workspaces,
)
from signoff.web.pages.kit import live
from signoff.web.pages.kit.handler import PageHandler, PageRequest, PageRoute
from signoff.web.pages.kit.open_task_counts import OpenTaskCounts
from signoff.web.pages.kit.render import static_files
from signoff.web.pages.lists import bulk, inbox, intent, messages
from signoff.web.pages.task import actions, answer, page, signed_link
from signoff.web.state import AppState

_FOREVER: Final = (("cache-control", "public, max-age=31536000, immutable"),)


async def static(request: PageRequest) -> Page:
    """GET /static/{name}"""
    found = static_files().get(request.params["name"])
    if found is None:
        raise NotFound("not_found", "There is no such file.")
    return Page(found[0], found[1], headers=_FOREVER)


ROWS: Final[tuple[PageRoute, ...]] = (
    PageRoute("GET", "/", inbox.inbox),
    PageRoute("GET", "/bulk", bulk.page),
    PageRoute("POST", "/bulk", bulk.decide),
    PageRoute("GET", "/tasks/{task_id}", page.show),
    PageRoute("POST", "/tasks/{task_id}", answer.decide),
    PageRoute("POST", "/tasks/{task_id}/{act}", actions.act),
    PageRoute("GET", "/t/{token}", signed_link.show, open=True),
    PageRoute("POST", "/t/{token}", signed_link.decide, open=True),
    PageRoute("GET", "/intents", inbox.intents),
    PageRoute("GET", "/intents/{intent_id}", intent.intent),
    PageRoute("POST", "/intents/{intent_id}/cancel", intent.cancel),
    PageRoute("POST", "/intents/{intent_id}/rerun", intent.rerun),
    PageRoute("GET", "/audit/{intent_id}", intent.audit),
    PageRoute("GET", "/live", live.inbox),
    PageRoute("GET", "/live/{intent_id}", live.intent),
    PageRoute("GET", "/workflows", accounts.workflows),
    PageRoute("GET", "/agents", accounts.agents),
    PageRoute("POST", "/agents/{account_id}/kill", accounts.kill_agent),
    PageRoute("POST", "/agents/{account_id}/resume", accounts.resume_agent),
    PageRoute("POST", "/agents/{account_id}/remove", accounts.remove_agent),
    PageRoute("GET", "/people", people.people),
    PageRoute("POST", "/people", people.add_person),
    PageRoute("GET", "/people/{person_id}", people.person),
    PageRoute("POST", "/people/{person_id}/sessions", people.sign_out),
    PageRoute("POST", "/people/{person_id}/test-messages", people.send_test),
    PageRoute("POST", "/people/{person_id}/erase", removal.erase),
    PageRoute("POST", "/people/{person_id}/{act}", people.act),
    PageRoute("GET", "/me", people.me),
    PageRoute("POST", "/me/channels/{channel}", people.link_code),
    PageRoute("POST", "/me/keys", people.add_key),
    PageRoute("POST", "/me/keys/{key_id}/revoke", people.revoke_key),
    PageRoute("GET", "/teams", teams.teams),
    PageRoute("POST", "/teams", teams.put_new),
    PageRoute("GET", "/teams/{name}", teams.team),
    PageRoute("POST", "/teams/{name}", teams.put),
    PageRoute("POST", "/remove", removal.remove),
    PageRoute("GET", "/workspaces", workspaces.workspaces),
    PageRoute("POST", "/workspaces", workspaces.create),
    PageRoute("POST", "/workspaces/{workspace_id}", workspaces.rename),
    PageRoute("GET", "/channels", messages.channels),
    PageRoute("GET", "/policies", policies.policies),
    PageRoute("GET", "/policies/{name}", policies.policy),
    PageRoute("GET", "/changes", change_log.changes),
    PageRoute("GET", "/proposals", proposals.proposals),
    PageRoute("GET", "/proposals/{proposal_id}", proposals.proposal),
    PageRoute("POST", "/proposals/{proposal_id}/confirm", proposals.confirm),
    PageRoute("POST", "/proposals/{proposal_id}/refuse", proposals.refuse),
    PageRoute("POST", "/proposals/{proposal_id}/mail", proposals.mail),
    PageRoute("GET", "/keys", accounts.keys),
    PageRoute("POST", "/keys", accounts.add_key),
    PageRoute("POST", "/keys/{key_id}/revoke", accounts.revoke_key),
    PageRoute("GET", "/login", signin.ask, open=True),
    PageRoute("POST", "/login", signin.by_key, open=True),
    PageRoute("POST", "/login/mail", signin.by_mail, open=True),
    PageRoute("GET", "/login/{token}", signin.look, open=True),
    PageRoute("POST", "/login/{token}", signin.by_link, open=True),
    PageRoute("GET", "/logout", signin.leave, open=True),
    PageRoute("POST", "/logout", signin.left, open=True),
    PageRoute("GET", "/device", device.ask),
    PageRoute("POST", "/device", device.look),
    PageRoute("POST", "/device/allow", device.allow),
    PageRoute("POST", "/device/deny", device.deny),
    PageRoute("GET", "/static/{name}", static, open=True),
)


def inbox_routes(state: AppState) -> list[Route]:
    """One route per path, in the table's order; the methods of a path share a handler."""
    paths: dict[str, dict[str, PageRoute]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    waiting = OpenTaskCounts(state)
    return [Route(path, PageHandler(state, methods, waiting)) for path, methods in paths.items()]


async def _no_page(request: PageRequest) -> Page:
    raise NotFound(
        "not_found", "There is no page at this address.", hint="Check the address, or start at the inbox."
    )


def no_page(state: AppState) -> PageHandler:
    """The response to a browser for paths without a page."""
    return PageHandler(state, {"GET": PageRoute("GET", "", _no_page, open=True)}, OpenTaskCounts(state))
