"""An SMTP server to which the web layer sends sign-in links."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.engine.delivery.pipeline import OutboxSender
from signoff.engine.delivery.sender import SenderContext
from signoff.engine.delivery.signin_mail import SignInRequests
from signoff.notify.email import Email, parse_smtp
from tests.notify.smtp_sink import SmtpSink, smtp_sink
from tests.web.web_env import WebEnv


@asynccontextmanager
async def mailing(web: WebEnv) -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as server:
        mail = Email(parse_smtp(server.url))
        env = web.env
        channels = ChannelRegistry({"email": mail})
        context = SenderContext(
            env.store, env.directory, env.clock, lambda: env.base_url, channels, env.engine, env.sessions
        )
        env.outbox = OutboxSender(context, env.metrics)
        web.state.sign_in_requests = SignInRequests(env.store, env.directory, env.clock, mails=True)
        web.state.manifests.on_moved = web.state.sign_in_requests.tell_moved
        web.state.keys.on_person_key = web.state.sign_in_requests.tell_key
        try:
            yield server
        finally:
            await mails_sent(web)
            await mail.close()


async def mails_sent(web: WebEnv) -> None:
    """Wait until every requested mail was sent or waits for a retry."""
    assert web.state.sign_in_requests is not None
    await web.state.sign_in_requests.drain()
    await web.env.carry()
