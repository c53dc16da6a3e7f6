"""A mail server that the web layer sends sign-in links to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signoff.engine.delivery.signin_mail import MailedLinks
from signoff.notify.email import Email, parse_smtp
from tests.notify.smtp_sink import SmtpSink, smtp_sink
from tests.web.web_env import WebEnv


@asynccontextmanager
async def mailing(web: WebEnv) -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as server:
        mail = Email(parse_smtp(server.url))
        env = web.env
        web.state.mailed_links = MailedLinks(
            env.store, env.directory, web.state.sessions, env.clock, mail, lambda: "http://signoff.test"
        )
        web.state.manifests.on_moved = web.state.mailed_links.tell_moved
        try:
            yield server
        finally:
            await web.state.mailed_links.settle()
            await mail.close()
