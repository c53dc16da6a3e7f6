"""Renders templates to bytes. Everything is escaped; an undefined name is an error."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from importlib.resources import files
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from signoff.core.text.hidden_characters import one_line, pieces
from signoff.core.text.hunks import counts
from signoff.core.text.json_diff import COARSE
from signoff.core.text.times import moment_of, relative_time
from signoff.engine.read.evidence import can_be_undone, masked_text
from signoff.notify.registry import label_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# Without a backslash, which browsers read as a slash.
_ADDRESS: Final = re.compile(r"(?<![\w.+-])https?://[A-Za-z0-9][!#$%&()*+,./:;=?@\w~-]*", re.ASCII)
_AFTER: Final = ".,;:!?)"  # at its end these belong to the sentence, not to the address
_LONGEST_ADDRESS: Final = 2000
_CLOSES: Final = "<>\"'`]}"  # "" stands for the end of the text; it is contained in every string
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ORDINARY: Final = re.compile(r"[\n -~]*")
_STATIC: Final = ("inbox.css", "inbox.js", "icon.svg")


_loading: Final = Lock()
_loaded = Event()


def loaded() -> bool:
    """Whether pages can be rendered without compiling anything."""
    return _loaded.is_set()


def load() -> None:
    """Import the template engine and compile every template. This takes about a second, so it never happens on the
    event loop.
    """
    with _loading:
        if not _loaded.is_set():
            found = environment()
            for name in found.list_templates(["html"]):
                found.get_template(name)
            _loaded.set()


def render(template: str, **values: Any) -> bytes:
    """Render a page as UTF-8."""
    return environment().get_template(template).render(**values).encode("utf-8", "replace")


@lru_cache(maxsize=1)
def environment() -> "Environment":
    """The template environment. It escapes in every file, regardless of its name."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context

    made = Environment(
        loader=PackageLoader("signoff.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "text": safe,
        "linked": linked,
        "covered": masked_text,
        "line": safe_line,
        "moment": pass_context(time_element),
        "as_moment": moment_of,
        "word": word,
        "short": short_digest,
        "through": channel_name,
        "cap": capitalised,
        "counts": counts,
    }
    made.globals |= {"COARSE": COARSE, "static": static_url, "until": relative_time, "undone": can_be_undone}
    return made


def safe(value: object) -> "Markup":
    """Untrusted text, escaped, with hidden characters made visible."""
    from markupsafe import Markup, escape

    text = str(value)
    if _ORDINARY.fullmatch(text):
        return escape(text)
    shown = [
        f'<span class="cp {p.mark}" title="{escape(p.about)}">{escape(p.text)}</span>'
        if p.mark
        else escape(p.text)
        for p in pieces(text)
    ]
    return Markup("").join(Markup(part) for part in shown)


def linked(value: object) -> "Markup":
    """Untrusted text in which web addresses become links. A link shows its address as written, so that readers see
    where it leads. Only http and https addresses become links, and only without a user name (which could pass for the
    host) and without look-alike characters.
    """
    from markupsafe import Markup

    text, place, parts = str(value), 0, []
    for found in _ADDRESS.finditer(text) if "://" in text else ():
        address = found.group().rstrip(_AFTER)
        after = text[found.end() : found.end() + 1]
        # the following character may belong to the address
        if not _opens(address) or not (after.isspace() or after in _CLOSES):
            continue
        parts += [
            safe(text[place : found.start()]),
            Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow ugc">{0}</a>').format(
                address
            ),
        ]
        place = found.start() + len(address)
    return Markup("").join([*parts, safe(text[place:])])


def _opens(address: str) -> bool:
    if len(address) > _LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and "@" not in parts.netloc and _HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        return False


def safe_line(value: object) -> "Markup":
    """Untrusted text on a single line."""
    return safe(one_line(str(value)))


def time_element(context: Mapping[str, Any], at: datetime, seconds: bool = False) -> "Markup":
    """A time in the zone that the reader has set; without one in UTC, which a script converts to the browser's zone."""
    from markupsafe import Markup

    zone = ZoneInfo(context.get("zone") or "UTC")
    text = f"{at.astimezone(zone):%d %b %Y, %H:%M{':%S' if seconds else ''} %Z}".lstrip("0")
    marked = Markup(" data-seconds") if seconds else Markup("")
    if not context.get("zone"):
        marked += Markup(" data-local")
    return Markup('<time datetime="{}"{}>{}</time>').format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), marked, text)


def word(value: str) -> str:
    """An identifier as text: ``changes_requested`` becomes ``changes requested``, and so does its ending."""
    return "changes requested" if value == "superseded" else value.replace("_", " ")


_WAYS: Final = {
    "web": "the pages",
    "link": "a link",
    "api": "the API",
    "cli": "the command line",
}


def channel_name(via: str) -> str:
    """The channel of an answer or a change."""
    return _WAYS.get(via) or label_of(via)


def capitalised(value: str) -> str:
    """The text with a capital first letter; the rest is unchanged."""
    return value[:1].upper() + value[1:]


def short_digest(value: str) -> str:
    """The beginning of a digest."""
    return value[:12]


# -- files


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """The static files, by their content-hashed name: (bytes, media type)."""
    found = {}
    for name in _STATIC:
        body = (files("signoff.web.pages") / "static" / name).read_bytes()
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if name.endswith((".css", ".js")):
            media = {"c": "text/css", "j": "text/javascript"}[name.rpartition(".")[2][0]] + "; charset=utf-8"
        found[_hashed(name, body)] = (body, media)
    return found


@cache
def static_url(name: str) -> str:
    """The URL of a static file in its current version."""
    body = (files("signoff.web.pages") / "static" / name).read_bytes()
    return f"/static/{_hashed(name, body)}"


def _hashed(name: str, body: bytes) -> str:
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{ending}"
