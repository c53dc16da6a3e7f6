"""CSRF protection: checks that a request that changes something came from one of our pages. Cookies alone do not
prove that.

The form's token must always match the cookie. In addition, Sec-Fetch-Site is checked; if a browser does not send it
(plain http on a LAN name), Origin has to be our Host, or ``null``, which our own no-referrer policy causes.
"""

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from signoff.core.errors import Forbidden
from signoff.web.http.call import Call


def form_token(cookie: str) -> str:
    """The token of a form for the holder of this cookie, useless without the cookie."""
    return hashlib.sha256(b"signoff/form/v1\0" + cookie.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def check_origin(call: Call, cookies: Sequence[str], token: str) -> None:
    """Raise Forbidden unless the request came from our own page. ``token``: the form's token, or ""."""
    site, origin = call.header(b"sec-fetch-site"), call.header(b"origin")
    if site:
        foreign = site != "same-origin"
    else:
        foreign = origin not in ("", "null") and urlsplit(origin).netloc.lower() not in _own_hosts(call)
    # compare_digest raises TypeError for a str that is not ASCII.
    known = token.isascii() and any(hmac.compare_digest(form_token(cookie), token) for cookie in cookies)
    if foreign or not known:
        raise _foreign()


def _own_hosts(call: Call) -> set[str]:
    configured = urlsplit(call.state.settings.base_url).netloc
    return {host.lower() for host in (call.header(b"host"), configured) if host}


def _foreign() -> Forbidden:
    return Forbidden(
        "foreign_form",
        "This form did not come from a page of this server. Nothing was done.",
        hint="Open the page on this server and press the button again.",
    )
