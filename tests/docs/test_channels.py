"""The settings on the pages about channels are accepted, and their examples run."""

import base64
import json
import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from standardwebhooks.webhooks import Webhook

from signoff.notify.apprise import parse_urls
from signoff.notify.email import parse_smtp
from signoff.notify.msteams.channel import parse_bot as teams_bot
from signoff.notify.slack.channel import parse_tokens
from signoff.notify.telegram import parse_bot
from signoff.web.api.routes import ENDPOINTS

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"


def setting(page: str, name: str) -> list[str]:
    """A setting that a page exports."""
    return re.findall(rf"export SIGNOFF_{name}='?([^'\s#][^'\n#]*?)'?\s*(?:#.*)?$", _text(page), re.MULTILINE)


def _text(page: str) -> str:
    return (HOW_TO / f"{page}.md").read_text(encoding="utf-8")


def test_mail_server_address_is_parsed() -> None:
    [url] = setting("email", "SMTP_URL")
    smtp = parse_smtp(url)
    assert (smtp.host, smtp.port, smtp.password, smtp.starttls) == ("mail.example", 587, "p@ssword", True)


def test_slack_tokens_are_parsed_and_the_manifest_requests_the_used_scopes() -> None:
    by_http, by_socket = map(parse_tokens, setting("slack", "SLACK_TOKENS"))
    assert by_http.signing
    assert by_socket.app
    text, _ = re.findall(r"```yaml\n(.*?)```", _text("slack"), re.DOTALL)
    manifest = YAML(typ="safe", pure=True).load(text)
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == {
        "chat:write",
        "commands",
        "im:write",
        "users:read",
        "im:history",
        "channels:history",
        "groups:history",
    }
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == [
        "message.im",
        "message.channels",
        "message.groups",
    ]
    urls = {manifest["settings"][part]["request_url"] for part in ("interactivity", "event_subscriptions")}
    urls |= {command["url"] for command in manifest["features"]["slash_commands"]}
    assert urls == {"https://signoff.example/v1/slack/actions"}


def test_teams_bot_is_parsed_and_the_manifest_names_it() -> None:
    [words] = setting("msteams", "MSTEAMS_BOT")
    bot = teams_bot(words)
    [text] = re.findall(r"```json\n(.*?)```", _text("msteams"), re.DOTALL)
    manifest = json.loads(text)
    assert manifest["id"] == manifest["bots"][0]["botId"] == bot.app
    [path] = re.findall(r"endpoint to `https://signoff.example([^`]+)`", _text("msteams"))
    assert f"POST {path}" in {f"{one.method} {one.path}" for one in ENDPOINTS}


def test_telegram_bot_is_parsed_and_its_webhook_exists() -> None:
    polling, webhook = map(parse_bot, setting("telegram", "TELEGRAM_BOT"))
    assert polling == (webhook[0], "")
    assert f"secret_token={webhook[1]}" in _text("telegram")
    assert f"https://api.telegram.org/bot{webhook[0]}\n" in _text("telegram")
    [url] = re.findall(r"-d url=https://signoff.example(\S+)", _text("telegram"))
    assert f"POST {url}" in {f"{one.method} {one.path}" for one in ENDPOINTS}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_apprise_addresses_are_allowed_and_valid() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise
    found = re.findall(r"`([a-z]+://[^`\s]+)`", _text("apprise"))
    [both] = setting("apprise", "APPRISE_URLS")
    assert len(found) > 8
    for url in (*found, *both.split()):
        assert parse_urls(url) == (url,)
        assert apprise.Apprise().instantiate(url), url


def test_webhook_snippet_verifies_what_the_server_signs() -> None:
    [secret] = setting("webhooks", "WEBHOOK_SECRET")
    real = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
    [snippet] = re.findall(r"```python\n(.*?)```", _text("webhooks"), re.DOTALL)
    at, body = datetime.now(UTC), '{"type":"task.decided"}'  # noqa: TID251 (the library reads the clock)
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(at.timestamp()))}
    headers["webhook-signature"] = Webhook(real).sign("1", at, body)
    names: dict[str, object] = {"body": body, "headers": headers}
    exec(snippet.replace(secret, real), names)
    assert names["event"] == {"type": "task.decided"}
