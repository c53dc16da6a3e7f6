"""Signing in a terminal: the person types the code that it shows, compares what it says, and allows or denies it. The
code is only in the body of a request, never in an address.
"""

from typing import Any

from signoff.core.directory.authorization import Action, permits
from signoff.core.errors import Refused, Unauthenticated
from signoff.engine.identity.device_logins import KEY_LIVES
from signoff.web.http.call import Page
from signoff.web.pages.kit.handler import PageRequest

_LONGEST_CODE = 20


async def ask(request: PageRequest) -> Page:
    """GET /device"""
    return await _page(request)


async def look(request: PageRequest) -> Page:
    """POST /device: shows which terminal waits with a code. Changes nothing."""
    code = _code(request)
    try:
        asked = await request.state.device_logins.find(request.actor, code, request.call.peer)
    except Refused as refusal:
        return await _refused(request, refusal)
    return await _page(request, asked=asked, code=f"{code[:4]}-{code[4:]}")


async def allow(request: PageRequest) -> Page:
    """POST /device/allow"""
    try:
        asked = await request.state.device_logins.allow(
            request.actor, _code(request), request.field("life"), request.call.peer
        )
    except Refused as refusal:
        return await _refused(request, refusal)
    return await _page(request, done="allowed", asked=asked)


async def deny(request: PageRequest) -> Page:
    """POST /device/deny"""
    try:
        asked = await request.state.device_logins.deny(request.actor, _code(request), request.call.peer)
    except Refused as refusal:
        return await _refused(request, refusal)
    return await _page(request, done="denied", asked=asked)


def _code(request: PageRequest) -> str:
    typed = request.field("code").upper()[:_LONGEST_CODE]
    return "".join(letter for letter in typed if letter.isalnum())


async def _refused(request: PageRequest, refusal: Refused) -> Page:
    """The form for the code again, with what was wrong."""
    if isinstance(refusal, Unauthenticated) or refusal.status >= 500:
        raise refusal
    return await _page(request, refusal.status, refusal=refusal)


async def _page(request: PageRequest, status: int = 200, **values: Any) -> Page:
    shown: dict[str, Any] = {"asked": None, "code": "", "done": "", "refusal": None} | values
    return await request.page(
        "device.html",
        status,
        lives=[int(days) for days in KEY_LIVES],
        may_allow=permits(request.actor, Action.ALLOW_TERMINAL, request.actor.id),
        **shown,
    )
