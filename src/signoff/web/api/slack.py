"""Slack's requests to us, and the codes with which people link their chat accounts."""

from typing import Any
from urllib.parse import parse_qsl

from signoff.core.errors import Malformed, NotFound, Unauthenticated
from signoff.engine.delivery.slack_inbound import SlackDesk
from signoff.notify.registry import label_of, link_text
from signoff.web.http import json_intake
from signoff.web.http.call import Call, Page
from signoff.wire.system import SlackCodeAnswer


def _desk(call: Call) -> SlackDesk:
    if call.state.slack is None:
        raise NotFound("slack_not_set_up", "Slack is not configured.", hint="Set slack_tokens.")
    return call.state.slack


async def actions(call: Call) -> Page:
    """POST /v1/slack/actions: button presses and commands, signed by Slack over the raw body."""
    desk = _desk(call)
    if desk.signatures is None:
        raise NotFound(
            "slack_not_set_up",
            "Slack does not call this server.",
            hint="Add the signing secret to slack_tokens.",
        )
    stamp, signature = call.header(b"x-slack-request-timestamp"), call.header(b"x-slack-signature")
    if not desk.signatures.genuine(call.body, stamp, signature):
        raise Unauthenticated("invalid_signature", "The Slack signature is invalid.")
    desk.take(_payload(call.body))
    return Page(b"", "text/plain")


def _payload(body: bytes) -> dict[str, Any]:
    """An interaction's JSON, or a command's fields."""
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
        payload = json_intake.parse(fields["payload"].encode()).value if "payload" in fields else fields
    except (ValueError, Malformed):
        payload = None
    if not isinstance(payload, dict):
        raise Malformed("invalid_payload", "This is not a request from Slack.")
    return payload


async def code(call: Call) -> SlackCodeAnswer:
    """POST /v1/me/{channel}/code"""
    name = call.params["channel"]
    chat = call.state.chats.get(name)
    if chat is None:
        raise NotFound("channel_not_set_up", f"No account can be linked in {label_of(name)[:64]!r} here.")
    made = await chat.code(call.actor)
    return SlackCodeAnswer(code=made.text, command=link_text(name, made.text), expires_at=made.expires_at)
