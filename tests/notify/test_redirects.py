"""Redirects are not followed: tokens and messages go only to the configured address."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from signoff.notify.channel import NotSent
from signoff.notify.msteams.channel import Teams, parse_bot
from signoff.notify.msteams.inbound import Signers
from signoff.notify.slack.channel import Slack
from signoff.notify.telegram import Telegram
from tests.engine.http_sink import http_sink
from tests.notify import msteamsfake, slackfake, telegramfake


def _now() -> float:
    return 1_000_000.0


def _teams(url: str) -> Teams:
    return Teams(parse_bot(msteamsfake.SETTING), _now, f"{url}/teams", url, f"{url}/openid")


def _slack(url: str) -> Slack:
    return Slack(slackfake.TOKEN, _now, url, (url,))


def _telegram(url: str) -> Telegram:
    return Telegram(telegramfake.TOKEN, _now, url)


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize(
    ("opened", "call"),
    [
        (_teams, lambda teams: teams.post("a:x", {"text": "hello"})),
        (_teams, lambda teams: Signers(teams, _now).key("k1")),
        (_slack, lambda slack: slack.whisper("C1:1", "U0ANN", "hello")),
        (_telegram, lambda telegram: telegram.call("sendMessage", {"chat_id": "1"})),
    ],
    ids=["teams", "keys of teams", "slack", "telegram"],
)
async def test_redirect_is_not_followed(
    opened: Callable[[str], Any], call: Callable[[Any], Awaitable[Any]], status: int
) -> None:
    async with http_sink(status) as sink:
        channel = opened(sink.url)
        try:
            with pytest.raises(NotSent):
                await call(channel)
        finally:
            await channel.close()
        assert len(sink.got) == 1
        assert sink.got[0].path != "/elsewhere"
