"""Templates to bytes. Everything is escaped; an undefined name is an error; Jinja2 is loaded with the first page."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from signoff.core.text.hidden_characters import one_line, pieces
from signoff.engine.read.evidence import covered, undone

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_ORDINARY: Final = re.compile(r"[\n -~]*")
_STATIC: Final = ("inbox.css", "inbox.js", "icon.svg")


def render(template: str, **values: Any) -> bytes:
    """The page as UTF-8."""
    return environment().get_template(template).render(**values).encode("utf-8", "replace")


@lru_cache(maxsize=1)
def environment() -> "Environment":
    """The one environment: autoescape for every file, whatever it is called."""
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
        "covered": covered,
        "line": safe_line,
        "moment": pass_context(moment),
        "word": word,
        "short": short,
        "through": through,
        "cap": cap,
    }
    made.globals |= {"static": static_url, "span": span, "until": until, "undone": undone}
    return made


def safe(value: object) -> "Markup":
    """Somebody else's text: escaped, with everything hidden in it named."""
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


def safe_line(value: object) -> "Markup":
    """The same where there is one line only."""
    return safe(one_line(str(value)))


def moment(context: Mapping[str, Any], at: datetime, seconds: bool = False) -> "Markup":
    """A moment, in the zone that the reader lives by, else in UTC; where scripts run, in the browser's own."""
    from markupsafe import Markup

    zone = ZoneInfo(context.get("zone") or "UTC")
    text = f"{at.astimezone(zone):%d %b %Y, %H:%M{':%S' if seconds else ''} %Z}".lstrip("0")
    marked = Markup(" data-seconds") if seconds else ""
    return Markup('<time datetime="{}"{}>{}</time>').format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), marked, text)


def span(length: timedelta) -> str:
    """A duration as people say it: the two largest units."""
    seconds = int(abs(length.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds % 86400 // 3600, "h"), (seconds % 3600 // 60, "min")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    said = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(said) or ("a moment" if seconds else "now")


def until(at: datetime, now: datetime) -> str:
    """How far off a moment is: ``in 7 h 52 min``, ``3 min ago``."""
    length = span(at - now)
    if length == "now" or abs((at - now).total_seconds()) < 1:
        return "now"
    return f"in {length}" if at > now else f"{length} ago"


def word(value: str) -> str:
    """A machine's word for people: ``changes_requested`` is ``changes requested``."""
    return value.replace("_", " ")


_WAYS: Final = {
    "web": "the pages",
    "link": "a link",
    "api": "the API",
    "cli": "the command line",
    "slack": "Slack",
}


def through(via: str) -> str:
    """The way by which something came, for people."""
    return _WAYS.get(via, via)


def cap(value: str) -> str:
    """With a capital first letter; the rest as it is."""
    return value[:1].upper() + value[1:]


def short(value: str) -> str:
    """The beginning of a digest."""
    return value[:12]


# -- files


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """What is served beside the pages, by its content-hashed name: (bytes, media type)."""
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
    """Where a static file is, for as long as it has these bytes."""
    body = (files("signoff.web.pages") / "static" / name).read_bytes()
    return f"/static/{_hashed(name, body)}"


def _hashed(name: str, body: bytes) -> str:
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{ending}"
