"""Which addresses belong to the same mailbox. A quorum needs different people, and two addresses of one mailbox most
likely belong to one person, who can sign in as both.
"""

import re
import unicodedata
from typing import Final

from signoff.core.errors import Invalid

LONGEST: Final = 255
# Characters that separate or quote addresses in a mail header, or that other forms of address contain.
_FORBIDDEN: Final = re.compile(r'[\s,;:<>()\[\]\\"%]')
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")  # characters that browsers and mail programs read as a dot


def is_mailbox(address: str) -> bool:
    """Whether text is the address of exactly one mailbox, in its canonical spelling."""
    name, _, domain = address.rpartition("@")
    parts = (*name.split("."), *domain.split("."))
    return (
        len(address) <= LONGEST
        and address.isprintable()
        and all(parts)
        and "@" not in name
        and not _FORBIDDEN.search(address)
        and not _DOTS.search(address)
        and unicodedata.normalize("NFKC", address) == address
    )


def refuse_no_mailbox(address: str, field: str) -> None:
    """Raise Invalid unless the text is the address of one mailbox."""
    if not is_mailbox(address):
        raise Invalid(
            "invalid_email",
            f"{address[:128]!r} is not an e-mail address.",
            field=field,
            hint="Write one address, such as ann@acme.example, without a name or a dot at its end.",
        )


def mailbox_key(address: str) -> str:
    """A key that is the same for all spellings of a mailbox: case, width, dots and international domain names."""
    plain = _DOTS.sub(".", unicodedata.normalize("NFKC", address)).strip().strip("<>").casefold()
    name, at, domain = plain.rpartition("@")
    return f"{name}{at}{_ascii(domain.rstrip('.'))}"


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:  # a part that is empty or too long
        return domain
