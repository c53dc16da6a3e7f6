"""Sends mail over SMTP: text and HTML from one message, one thread for each task and person, no remote or
executable content.

All attempts have the same Message-ID, so that a mail client shows duplicates once. A subject consists of our text
and an admin's title; no other text goes into a header.
"""

import asyncio
import ssl
from binascii import b2a_qp
from dataclasses import dataclass
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from signoff.core.errors import Invalid
from signoff.core.text.masking import mask_text, starred
from signoff.core.text.urls import read_url, shown_url
from signoff.notify.channel import (
    AddressSource,
    ChannelContext,
    ChannelDeclaration,
    ChannelKind,
    NotSent,
    Setting,
)
from signoff.notify.plain_text import one_line, pieces, visible

if TYPE_CHECKING:
    from aiosmtplib import SMTP as Connection
    from aiosmtplib import SMTPResponseException
    from jinja2 import Environment

    from signoff.notify.personal_message import PersonalMessage

_TIMEOUT: Final = 20.0
_ALTOGETHER: Final = 45.0  # less than the time for which the outbox reserves a row
_CONNECTIONS: Final = 4
_IDLE: Final = 20.0
_LONGEST_SUBJECT: Final = 150
_LONGEST_REPLY: Final = 200  # characters of a mail server's own text
# The older of Python's two mail policies, which uses values unchanged and takes a fifth of the time.
_WIRE: Final = compat32.clone(linesep="\r\n")


@dataclass(frozen=True)
class Smtp:
    """The mail server. ``implicit``: TLS from the first byte; ``starttls``: refuse to continue without it."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = ""
    implicit: bool = False
    starttls: bool = True
    ca: str = ""

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


def parse_smtp(url: str) -> Smtp:
    """Parse ``smtp://user:password@host:587?from=signoff@acme.example``; raises Invalid, without quoting the
    password.
    """
    hint = "Write smtp://USER:PASSWORD@HOST:587?from=signoff@your.domain; smtps:// for port 465."
    parts = read_url(url, "smtp_url", ("smtp", "smtps"), hint)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    try:
        port = parts.port
    except ValueError:
        port = 0
    known = (
        parts.scheme in ("smtp", "smtps")
        and parts.hostname
        and port != 0
        and not asked.keys() - {"from", "starttls", "ca"}
    )
    sender = asked.get("from", unquote(parts.username or ""))
    if not known or not _mailbox(sender) or asked.get("starttls", "on") not in ("on", "off"):
        raise Invalid(
            "invalid_setting",
            "smtp_url is not the address of a mail server.",
            field="smtp_url",
            hint=hint,
        )
    implicit = parts.scheme == "smtps"
    return Smtp(
        host=parts.hostname or "",
        port=port or (465 if implicit else 587),
        sender=sender,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        implicit=implicit,
        starttls=asked.get("starttls", "on") == "on",
        ca=asked.get("ca", ""),
    )


def _mailbox(text: str) -> bool:
    name, _, domain = text.rpartition("@")
    return (
        bool(name and domain)
        and text.isascii()
        and text.isprintable()
        and not set(text) & set(' ,;<>"()[]\\')
    )


class Email:
    """Keeps a few connections open while there are many messages to send."""

    def __init__(self, smtp: Smtp) -> None:
        self._smtp = smtp
        self._free: list[tuple[float, Connection]] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)

    async def deliver(self, message: "PersonalMessage") -> str:
        """Send the mail; returns its Message-ID."""
        import aiosmtplib

        mail = compose(message, self._smtp)
        try:
            async with asyncio.timeout(_ALTOGETHER), self._slots:
                await self._send(message.to, mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusal = error.recipients[0]
            permanent = 500 <= refusal.code < 600
            raise NotSent(
                f"{self._smtp.host} refused the address: {_reply_text(refusal)}", permanent=permanent
            ) from error
        except aiosmtplib.SMTPDataError as error:
            permanent = 500 <= error.code < 600
            raise NotSent(
                f"{self._smtp.host} refused the mail: {_reply_text(error)}", permanent=permanent
            ) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            raise NotSent(f"{self._smtp.host} does not accept this server's login: {error.code}") from error
        except aiosmtplib.SMTPResponseException as error:
            raise NotSent(f"{self._smtp.host} answered {_reply_text(error)}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotSent(f"no mail could be sent to {self._smtp.host} ({type(error).__name__})") from error
        return message_id(message, self._smtp)

    async def _send(self, to: str, mail: bytes) -> None:
        connection = await self._connection()
        try:
            await connection.sendmail(self._smtp.sender, [to], mail)
        except BaseException:
            connection.close()
            raise
        self._free.append((asyncio.get_running_loop().time(), connection))

    async def _connection(self) -> "Connection":
        """An open connection that still responds, or else a new one."""
        import aiosmtplib

        while self._free:
            since, connection = self._free.pop()
            if asyncio.get_running_loop().time() - since < _IDLE:
                try:
                    await connection.noop()
                except (aiosmtplib.SMTPException, OSError):
                    connection.close()
                else:
                    return connection
            else:
                connection.close()
        smtp = self._smtp
        made = aiosmtplib.SMTP(
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.user if smtp.password else None,
            password=smtp.password or None,
            use_tls=smtp.implicit,
            start_tls=smtp.starttls and not smtp.implicit,
            tls_context=_tls(smtp.ca),
            timeout=_TIMEOUT,
        )
        try:
            await made.connect()
        except BaseException:
            made.close()
            raise
        return made

    async def close(self) -> None:
        import aiosmtplib

        free, self._free = self._free, []
        for _, connection in free:
            try:
                await connection.quit()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()


def _reply_text(error: "SMTPResponseException") -> str:
    """The mail server's code and text."""
    return one_line(mask_text(f"{error.code} {error.message}".strip(), starred), _LONGEST_REPLY)


@lru_cache(maxsize=2)
def _tls(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca or None)


def compose(message: "PersonalMessage", smtp: Smtp) -> bytes:
    """The mail to send; raises a permanent NotSent for an invalid address.

    No header value contains a line break: addresses are checked, the subject is a single line, and the rest is our own
    text.
    """
    if not _mailbox(message.to):
        raise NotSent("there is no valid e-mail address", permanent=True)
    mail = MIMEMultipart("alternative")
    # A root that is never sent: all mails about a task to one person reference it, whichever arrives first.
    root = f"<{message.thread}@{smtp.domain}>"
    subject = one_line(f"{message.headline}: {message.question}", _LONGEST_SUBJECT)
    for name, value in (
        ("From", f"Signoff <{smtp.sender}>"),
        ("To", message.to),
        (
            "Subject",
            subject if subject.isascii() else Header(subject, "utf-8", header_name="Subject").encode(),
        ),
        ("Date", format_datetime(message.at)),
        ("Message-ID", message_id(message, smtp)),
        ("In-Reply-To", root),
        ("References", root),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ):
        mail[name] = value
    mail.attach(_part("plain", as_text(message)))
    mail.attach(_part("html", as_html(message)))
    return mail.as_bytes(policy=_WIRE)


def message_id(message: "PersonalMessage", smtp: Smtp) -> str:
    return f"<{message.id}@{smtp.domain}>"


def _part(kind: str, text: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", kind, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(b2a_qp(text.encode()).decode())
    return part


def as_text(message: "PersonalMessage") -> str:
    return _environment().get_template("mail.txt").render(message=message)


def as_html(message: "PersonalMessage") -> str:
    return _environment().get_template("mail.html").render(message=message)


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from signoff.core.text.hunks import counts
    from signoff.core.text.json_diff import COARSE, GONE, HIDDEN, NEW, SAME, leaf_text
    from signoff.notify.personal_message import GIVEN

    made = Environment(
        loader=PackageLoader("signoff.notify"),
        autoescape=lambda name: name != "mail.txt",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "GIVEN": GIVEN,
        "NEW": NEW,
        "GONE": GONE,
        "HIDDEN": HIDDEN,
        "SAME": SAME,
        "COARSE": COARSE,
    }
    made.filters |= {"leaf_text": lambda leaf: leaf_text(leaf, visible), "counts": counts}
    made.filters |= {"plain": visible, "line": one_line, "indent_all": _indented}
    made.filters |= {"shown": _marked, "shown_line": lambda text: _marked(text, lines=False)}
    return made


def _marked(text: str, lines: bool = True) -> Any:
    """Untrusted text as HTML, escaped, with hidden characters named and highlighted."""
    from markupsafe import Markup, escape

    mark = Markup('<span style="background:#fde2e2;color:#9b1c1c;border-radius:3px">{}</span>')
    found = (mark.format(piece) if named else escape(piece) for piece, named in pieces(text, lines))
    return Markup("").join(found).replace("\n", Markup("<br>"))


def _indented(text: str) -> str:
    return "\n".join(f"  | {line}" for line in visible(text).split("\n"))


def _open(context: ChannelContext) -> Email | None:
    url = context.settings["smtp_url"]
    return Email(parse_smtp(url)) if url else None


CHANNEL: Final = ChannelDeclaration(
    name="email",
    label="mail",
    accepted_by="the mail server",
    kind=ChannelKind.PERSONAL,
    settings=(
        Setting(
            name="smtp_url",
            help="Mail server: smtp://USER:PASSWORD@HOST:587?from=ADDRESS; smtps:// for port 465.",
            hide=shown_url,
            check=parse_smtp,
        ),
    ),
    address=AddressSource.EMAIL,
    open=_open,
)
