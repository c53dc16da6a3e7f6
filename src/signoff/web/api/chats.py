"""Requests from chats, and the codes with which people link their chat accounts."""

from typing import Any
from urllib.parse import parse_qsl

from signoff.core.errors import Malformed, NotFound, Unauthenticated
from signoff.notify.registry import find_channel, label_of, link_text
from signoff.web.http import json_intake
from signoff.web.http.call import Call, Page
from signoff.wire.system import LinkCodeResponse

_FORM = "application/x-www-form-urlencoded"


async def actions(call: Call) -> Page:
    """POST /v1/{channel}/actions: presses and commands; each chat authenticates them in its own way."""
    name = call.path.split("/")[2]
    desk, label = call.state.desks.get(name), label_of(name)
    if desk is None:
        needed = " and ".join(one.name for one in getattr(find_channel(name), "settings", ()))
        raise NotFound("channel_not_set_up", f"{label} is not configured.", hint=f"Set {needed}.")
    if not desk.inbound.calls:
        raise NotFound(
            "channel_not_set_up", f"{label} does not call this server.", hint="Add its secret to the setting."
        )
    if not await desk.inbound.genuine(call.body, call.header):
        raise Unauthenticated(
            "invalid_signature", f"This request could not be verified to come from {label}."
        )
    answer = await desk.answer(_payload(call, label))
    return Page(answer, "application/json" if answer else "text/plain")


def _payload(call: Call, label: str) -> dict[str, Any]:
    """The request's JSON. For a form, the JSON in its field ``payload``, or else its fields."""
    try:
        if call.header(b"content-type").partition(";")[0].strip().lower() == _FORM:
            fields = dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=100))
            payload = json_intake.parse(fields["payload"].encode()).value if "payload" in fields else fields
        else:
            payload = json_intake.parse(call.body).value
    except (ValueError, Malformed):
        payload = None
    if not isinstance(payload, dict):
        raise Malformed("invalid_payload", f"This is not a request from {label}.")
    return payload


async def code(call: Call) -> LinkCodeResponse:
    """POST /v1/me/{channel}/code"""
    name = call.params["channel"]
    chat = call.state.chats.get(name)
    if chat is None:
        raise NotFound("channel_not_set_up", f"No account can be linked in {label_of(name)[:64]!r} here.")
    made = await chat.code(call.actor)
    return LinkCodeResponse(code=made.text, command=link_text(name, made.text), expires_at=made.expires_at)
