"""Links in requesters' text lead where they say, and a mistyped address shows a page."""

import pytest

from signoff.web.pages.kit.render import linked
from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv


def opened(text: str) -> list[str]:
    """The targets of the links in a text."""
    return [part.partition('"')[0] for part in str(linked(text)).split('<a href="')[1:]]


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("https://tickets.example/OPS-1090", ["https://tickets.example/OPS-1090"]),
        (
            "See https://a.example/x?y=1&z=2#f, and (http://b.example:8080/).",
            ["https://a.example/x?y=1&amp;z=2#f", "http://b.example:8080/"],
        ),
        ("https://a.example/?next=https://b.example/", ["https://a.example/?next=https://b.example/"]),
        ("https://a.example/@scope", ["https://a.example/@scope"]),
    ],
)
def test_web_address_in_text_becomes_a_link(text: str, leads_to: list[str]) -> None:
    assert opened(text) == leads_to
    shown = str(linked(text))
    for address in leads_to:
        assert (
            f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow ugc">{address}</a>'
            in shown
        )


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,<b>",
        "file:///etc/passwd",
        "JAVASCRIPT://a.example/%0aalert(1)",
        "ftp://a.example/x",
        "https://bank.example@evil.example/",
        "https://bank.example:443@evil.example/",
        "https://bank.example\\@evil.example/",
        "https://b\u0430nk.example/",
        "https://evil.example/\u202egpj.exe",
        "https://a.example/\u200b",
        "https://[::1]/",
        "https://",
        "https:///path",
        "xhttps://a.example/",
        "https://a.example/hooks/[24 characters, fingerprint c105a680]",
        "https://a.example/" + "x" * 2000,
    ],
)
def test_misleading_address_stays_text(text: str) -> None:
    assert opened(text) == []
    assert "<b>" not in str(linked(text))


def test_links_are_found_in_linear_time() -> None:
    assert len(opened("https://a.example/ " * 20_000)) == 20_000
    assert opened("https://" * 50_000) == []


async def test_link_on_a_card_is_marked_and_markup_stays_text(web: WebEnv) -> None:
    payload = {"ticket": "https://tickets.example/OPS-1090?a=1&b=<i>", "note": '"><script>alert(1)</script>'}
    intent_id = await web.send(intent_type="intent.pay.v1", payload=payload, human_task={"title": "Pay?"})
    page = await (await reader(web, "ann")).get(f"/tasks/{intent_id[:-4]}0001")
    assert (
        '<a href="https://tickets.example/OPS-1090?a=1&amp;b=" target="_blank" rel="noopener noreferrer'
        in page.html
    )
    assert "<script>alert" not in page.html
    assert "<i>" not in page.html


async def test_unknown_path_is_a_page_for_browsers_and_json_for_programs(web: WebEnv) -> None:
    ann = await reader(web, "ann")
    for path in ("/nosuch", "/tasks", "/intents/x/y/z"):
        page = await ann.get(path, accept="text/html,application/xhtml+xml")
        assert page.status == 404
        assert "There is no page at this address." in page.text
        assert "Request id" not in page.text
    program = await web.call("GET", "/nosuch", None, "ci", accept="*/*")
    assert (program.status, program.code) == (404, "not_found")
    api = await web.call("GET", "/v1/nosuch", None, "ci", accept="text/html")
    assert (api.status, api.code) == (404, "not_found")
