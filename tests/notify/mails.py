"""Reads the text of a mail."""

from email.message import EmailMessage


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())
