"""URLs with a password: an error about one quotes no character of it."""

import pytest

from signoff.core.errors import Invalid
from signoff.core.text.masking import MASK
from signoff.core.text.urls import ENCODE, read_url, secret_path, shown_url, whole_secret
from tests.core.asking import refusal

SCHEMES = ("postgresql", "postgres")


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("postgresql://host/db", "host", "/db"),
        ("postgres://user:p%40ss@host:5432/db?sslmode=require", "user:p%40ss@host:5432", "/db"),
        ("POSTGRESQL://a:b@one:1,two:65535/db", "a:b@one:1,two:65535", "/db"),
        ("postgresql://user@[::1]:5432/db", "user@[::1]:5432", "/db"),
        ("postgresql:///db", "", "/db"),
        ("postgresql://host:/db", "host:", "/db"),
    ],
)
def test_valid_url_is_parsed(url: str, host: str, path: str) -> None:
    parts = read_url(url, "store", SCHEMES, "")
    assert (parts.netloc, parts.path) == (host, path)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("secret", "does not start with postgresql:// or postgres://."),
        ("mysql://secret@h/db", "but with mysql://"),
        ("se cret://h/db", "does not start with postgresql:// or postgres://."),
        ("postgresql://u:secret[@h/db", "its host is invalid"),
        ("postgresql://u:secret @h/db", "contains a space or an unprintable character"),
        ("postgresql://u:secret\x1b@h/db", "contains a space or an unprintable character"),
        ("postgresql://u:secret#@h/db", "contains a # that is not percent-encoded"),
        ("postgresql://u:sec@ret@h/db", "contains more than one @"),
        ("postgresql://u:sec/ret@h/db", "contains more than one @"),
        ("postgresql://u:sec?ret@h/db", "contains more than one @"),
        ("postgresql://u:100%secret@h/db", "contains a % that does not start a percent-encoding"),
        ("postgresql://u:p@h:secret/db", "its port is not a number"),
        ("postgresql://u:p@h:123456/db", "its port is not a number"),
        ("postgresql://u:p@h:0/db", "its port is not a number from 1 to 65535"),
        ("postgresql://u:p@h:65536/db", "its port is not a number from 1 to 65535"),
    ],
)
def test_invalid_url_is_refused_without_quoting_it(url: str, why: str) -> None:
    met = refusal(lambda: read_url(url, "store", SCHEMES, "See the manual."))
    assert isinstance(met, Invalid)
    assert (met.code, met.field, why in str(met)) == ("invalid_setting", "store", True)
    assert "secret" not in str(met)
    assert met.hint in ("See the manual.", ENCODE)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:///var/lib/signoff.db", "sqlite:///var/lib/signoff.db"),
        ("postgresql://user:pass@host:5432/db", f"postgresql://user:{MASK}@host:5432/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        (
            "postgresql://host/db?password=x&sslmode=require",
            f"postgresql://host/db?password={MASK}&sslmode=require",
        ),
        ("smtp://host?api_key=x", f"smtp://host?api_key={MASK}"),
        ("postgresql://u:p#q@host/db", f"postgresql://{MASK}"),
        ("no scheme at all", MASK),
        ("se cret://x", MASK),
    ],
)
def test_password_in_a_url_is_masked(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_secret_path_or_value_is_not_shown() -> None:
    assert secret_path("https://user:pw@hooks.example/T1/secret?x=1") == f"https://hooks.example/{MASK}"
    assert secret_path("https://hooks.example") == f"https://hooks.example/{MASK}"
    assert "secret" not in secret_path("no-url-but-secret:secret@x")
    assert (whole_secret("hunter2"), whole_secret("")) == (MASK, "")
