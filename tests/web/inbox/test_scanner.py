"""A mail scanner that requests every address in every safe way changes nothing."""

import re

import pytest

from signoff.web.pages.routes import ROWS
from tests.web.inbox.chromium import PATIENCE, chromium, loiter
from tests.web.inbox.demo_workspace import apply
from tests.web.inbox.reading import Reader, everything, reader
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

PREFETCH = {
    "sec-purpose": "prefetch",
    "purpose": "prefetch",
    "user-agent": "Mozilla/5.0 Chrome/140.0 Safari/537.36",
}


async def addresses(web: WebEnv) -> list[str]:
    """Every path of the table, with existing ids and tokens."""
    intent_id, task_id = await web.ask(assignees=["ann@acme.example"])
    digest = (await web.get(f"/v1/tasks/{task_id}"))["task"]["digest"]
    key = (await web.env.store.directory.keys(HOME))[0].id
    filled = {
        "task_id": task_id,
        "intent_id": intent_id,
        "key_id": key,
        "account_id": "sa_none",
        "person_id": "per_ann",
        "proposal_id": "chg_none",
        "act": "comment",
        "workspace_id": HOME,
    }
    names = {"/static": "inbox.css", "/teams": "sre-oncall", "/policies": "prod-change"}
    await apply(web)
    second = {
        "people": {"otto@acme.example": {"roles": ["admin", "approver"]}},
        "workspace": {"protected": True},
    }
    assert (await web.post("/v1/apply", second, "oscar")).status == 200
    proposed = await web.post("/v1/apply", {"people": {"new@acme.example": {}}}, "otto")
    filled["proposal_id"] = proposed["proposal"]["id"]
    found = []
    for path in dict.fromkeys(row.path for row in ROWS if not row.path.startswith("/live")):
        login = await web.state.sessions.login_link(HOME, "per_ann")
        task = await web.state.sessions.task_link(HOME, "per_ann", intent_id, 1, digest)
        name = names.get(path.rpartition("/")[0], "")
        values = (
            {"channel": "slack"} | filled | {"token": task if path.startswith("/t/") else login, "name": name}
        )
        found.append(path.format(**values))
    return found


@pytest.mark.parametrize("signed_in", [False, True])
async def test_reading_changes_nothing(web: WebEnv, signed_in: bool) -> None:
    paths = await addresses(web)
    scanner = await reader(web, "oscar") if signed_in else Reader(web)
    before = await everything(web)
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            await scanner.send(method, path)
        await scanner.get(path + "?outcome=approved&open=1", **PREFETCH)
    after = await everything(web)
    if signed_in:  # that a person opened a task is recorded, and nothing else
        assert len(after["views"]) == 1
        after["views"] = before["views"]
    assert after == before


@pytest.mark.browser
@pytest.mark.parametrize("signed_in", [False, True])
async def test_scanner_with_a_real_browser_changes_nothing(web: WebEnv, signed_in: bool) -> None:
    paths = await addresses(web)
    async with serving(web) as url, chromium() as browser:
        page = await browser.new_page(extra_http_headers={"purpose": "prefetch"})
        page.set_default_timeout(PATIENCE)
        if signed_in:
            await page.goto(url + f"/login/{await web.state.sessions.login_link(HOME, 'per_oscar')}")
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(url + "/")
        before = await everything(web)
        for path in paths:
            await loiter(page, url + path)
        assert await everything(web) == before
    assert await everything(web) == before


async def test_no_address_contains_an_outcome(web: WebEnv) -> None:
    paths = await addresses(web)
    ann = await reader(web, "ann")
    for path in paths:
        page = await ann.get(path)
        links = [attrs.get("href", "") for tag, attrs in page.tags if tag == "a"]
        assert not [link for link in links if re.search(r"approve|reject|outcome=", link)], path


async def test_pages_send_headers_against_caching_and_embedding(web: WebEnv) -> None:
    paths = await addresses(web)
    for who in (Reader(web), await reader(web, "oscar")):
        for path in paths:
            page = await who.get(path)
            if path.startswith("/static"):
                continue
            assert page.headers["cache-control"] == "no-store", path
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["x-content-type-options"] == "nosniff"
            policy = page.headers["content-security-policy"]
            for rule in (
                "default-src 'none'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'self'",
            ):
                assert rule in policy
            assert "unsafe" not in policy
            assert "*" not in policy
            assert "<script>" not in page.html
            assert " style=" not in page.html
