"""A real SMTP server on loopback that keeps the mails and refuses the addresses that a test names."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

from tests.live import free_port


@dataclass
class SmtpSink:
    """``refused``: address -> SMTP response; ``down``: every connection is closed at once."""

    refused: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    sessions: int = 0
    down: bool = False
    port: int = 0
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=signoff@acme.example&starttls=off"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    # what aiosmtpd calls

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.raw.append(envelope.content)
        self.secure.append(session.ssl is not None)
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        return "250 kept"


def allow(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    # Not "handled": the server itself answers a wrong password with 535, as real ones do, instead of with silence.
    return AuthResult(success=(data.login, data.password) == (b"mailer", b"s3cret&?"), handled=False)


@asynccontextmanager
async def smtp_sink(
    port: int = 0, tls: ssl.SSLContext | None = None, **refused: str
) -> AsyncIterator[SmtpSink]:
    """A running SMTP server whose port stays reserved after it closes. With ``tls`` it requires
    STARTTLS and a login.
    """
    it = SmtpSink(port=port or free_port())
    options: dict[str, Any] = {}
    if tls is not None:
        options = {
            "tls_context": tls,
            "require_starttls": True,
            "authenticator": allow,
            "auth_required": True,
        }

    def connected() -> SMTP:
        return SMTP(it, hostname="mail.acme.example", enable_SMTPUTF8=False, **options)

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", it.port)
    try:
        yield it
    finally:
        server.close()
        if it.hold is not None:
            it.hold.set()


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context, and the certificate that verifies it."""
    names = "DNS:localhost,IP:127.0.0.1" if name == "localhost" else f"DNS:{name}"
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            str(key),
            "-out",
            str(cert),
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName={names}",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context, cert
