"""docs/axp.md's lists of what is supported, compared with the table of endpoints and with the published Python
client's calls.
"""

import importlib.util
import re
from pathlib import Path

import pytest

from signoff.web.api.routes import ENDPOINTS
from tests.web.web_env import WebEnv

PAGE = (Path(__file__).parents[2] / "docs" / "axp.md").read_text(encoding="utf-8")
ENDPOINT = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s]*)`")
_CALLED = re.compile(r'"(GET|POST|PUT|PATCH|DELETE)",\s*f?"(/[^"]*)"')
HERE = {(row.method, row.path.replace(":path", "")) for row in ENDPOINTS}


def said(heading: str) -> list[tuple[str, str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [(method, path) for method, path in ENDPOINT.findall(section)]


def plain(path: str) -> str:
    """The path without the names of its parameters, which differ in clients."""
    return re.sub(r"{\w+}", "{}", path)


def test_every_endpoint_listed_as_supported_exists() -> None:
    spoken = said("Supported endpoints")
    assert len(spoken) > 25
    assert set(spoken) <= HERE


@pytest.mark.parametrize("endpoint", said("Unsupported endpoints"), ids=" ".join)
async def test_every_endpoint_listed_as_unsupported_is_404(web: WebEnv, endpoint: tuple[str, str]) -> None:
    method, path = endpoint
    path = re.sub(r"{\w+}", "0190a7de-1111-7222-8333-444455550000", path.replace("{address}", "acme/prod/x"))
    answer = await web.call(method, path, {} if method != "GET" else None, "oscar")
    assert (answer.status, answer.code) == (404, "not_found")


def test_page_names_every_endpoint_that_the_published_client_calls() -> None:
    found = importlib.util.find_spec("axme_sdk")
    assert found is not None
    assert found.origin is not None
    calls: set[tuple[str, str]] = set()
    for file in Path(found.origin).parent.glob("*.py"):
        calls |= set(_CALLED.findall(file.read_text(encoding="utf-8")))
    assert len(calls) > 80
    named = {
        (method, plain(path))
        for method, path in (*said("Supported endpoints"), *said("Unsupported endpoints"))
    }
    assert {(method, plain(path)) for method, path in calls} - named == set()
    core = {(method, plain(path)) for method, path in calls} & {
        (method, plain(path)) for method, path in HERE
    }
    assert len(core) >= 21, "what the claim in the README is about"
