"""The API as a page for people at /docs, from the same table of endpoints. It loads nothing from other hosts."""

import html
from functools import lru_cache
from importlib.resources import files
from typing import Final

import msgspec

from signoff.web.api import openapi
from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access, Call, Endpoint, Page

_CSP: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("content-security-policy", _CSP),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
)


async def document(call: Call) -> Page:
    """GET /openapi.json"""
    return Page(_document(), headers=_HEADERS)


async def document_3_0(call: Call) -> Page:
    """GET /openapi-3.0.json"""
    return Page(_document_3_0(), headers=_HEADERS)


async def page(call: Call) -> Page:
    """GET /docs"""
    return Page(_page().encode(), "text/html; charset=utf-8", headers=_HEADERS)


async def style(call: Call) -> Page:
    """GET /docs/style.css"""
    return Page(_style(), "text/css; charset=utf-8", headers=_HEADERS)


_FILE: Final = "a file: browsers and caches may add parameters, and it is always the same"

# fmt: off
PAGES: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/openapi.json", "getOpenApi", "system", document, "This API as OpenAPI 3.1",
        access=Access.OPEN, any_query=_FILE),
    Endpoint("GET", "/openapi-3.0.json", "getOpenApi30", "system", document_3_0, "This API as OpenAPI 3.0",
        access=Access.OPEN, any_query=_FILE),
    Endpoint("GET", "/docs", "getDocs", "system", page, "This API as a page",
        access=Access.OPEN, media="text/html", any_query=_FILE),
    Endpoint("GET", "/docs/style.css", "getDocsStyle", "system", style, "Its style",
        access=Access.OPEN, media="text/css", any_query=_FILE),
)
# fmt: on


@lru_cache(maxsize=1)
def _document() -> bytes:
    return openapi.text().encode()


@lru_cache(maxsize=1)
def _document_3_0() -> bytes:
    return openapi.text_3_0().encode()


@lru_cache(maxsize=1)
def _style() -> bytes:
    return files("signoff.web.api").joinpath("docs.css").read_bytes()


@lru_cache(maxsize=1)
def _page() -> str:
    tags = dict.fromkeys(row.tag for row in ENDPOINTS)
    parts = "\n".join(_section(tag, [row for row in ENDPOINTS if row.tag == tag]) for tag in tags)
    links = " ".join(f'<a href="#{tag}">{tag}</a>' for tag in tags)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signoff API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<header>
<h1>Signoff API</h1>
<p>Every request needs a key, except to open endpoints: <code>x-api-key: sgn_…</code>. For programs:
<a href="/openapi.json">openapi.json</a>; as OpenAPI 3.0, for generators that do not read later versions:
<a href="/openapi-3.0.json">openapi-3.0.json</a>.</p>
<nav aria-label="Sections">{links}</nav>
</header>
<main>
{parts}
</main>
</body>
</html>
"""


def _section(tag: str, rows: list[Endpoint]) -> str:
    shown = "\n".join(_endpoint(row) for row in rows)
    title = f'<h2 id="{tag}-title">{tag}</h2>'
    return f'<section id="{tag}" aria-labelledby="{tag}-title">\n{title}\n{shown}\n</section>'


def _endpoint(row: Endpoint) -> str:
    path = html.escape(row.path.replace(":path", ""))
    method = row.method.lower()
    lines = [
        '<article class="endpoint">',
        f'<h3><span class="method {method}">{row.method}</span> <code>{path}</code></h3>',
        f"<p>{html.escape(row.summary)}.</p>",
    ]
    if row.access is Access.OPEN:
        lines.append("<p>Open: needs no key.</p>")
    if row.query:
        items = "".join(
            f"<dt><code>{one.name}</code></dt><dd>{html.escape(one.about)}</dd>" for one in row.query
        )
        lines.append(f"<h4>Query</h4><dl>{items}</dl>")
    lines += [_members("Body", row.request), _members("Answer", row.response), "</article>"]
    return "\n".join(line for line in lines if line)


def _members(title: str, kind: type | None) -> str:
    """The members of a struct, with the required ones marked first."""
    if kind is None or not issubclass(kind, msgspec.Struct):
        return ""
    about = html.escape((kind.__doc__ or "").strip())
    names = ", ".join(
        f"<code>{field.encode_name}</code>" + (" (required)" if title == "Body" and field.required else "")
        for field in msgspec.structs.fields(kind)
    )
    return f"<h4>{title}</h4><p>{about}</p><p>{names}</p>"
