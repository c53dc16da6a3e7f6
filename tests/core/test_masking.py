"""Secrets are masked by one rule, wherever they appear."""

from typing import Any

import pytest

from signoff.core.text.masking import MASK, hides, is_secret, mask_text, masked, starred, suspect

SECRET = "hunter2-Tr0ub4dor"

HOLDING: list[Any] = [
    {"password": SECRET},
    {"DB_PASSWORD": SECRET},
    {"dbPassword": SECRET},
    {"Authorization": SECRET},
    {"headers": {"X-Auth-Token": SECRET, "cookie": SECRET}},
    {"apiKey": SECRET, "api-key": SECRET, "APIKEY": SECRET, "api.key": SECRET},
    {"api": {"key": SECRET}},
    {"aws_secret_access_key": SECRET, "privateKey": SECRET, "clientSecret": {"value": SECRET}},
    {"secrets": [[SECRET], {"value": SECRET}]},
    [{"deep": [{"credentials": {"user": SECRET}}]}],
    {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
    {"connection_string": f"postgresql://app:{SECRET}@db/x"},
    {"connection_string": f"postgresql://app:#/{SECRET}?@@db/x"},
    {"dsn": f"Server=db;Password={SECRET};Port=1"},
    {"command": f"curl -H 'Authorization: Bearer {SECRET}' https://x.example"},
    {"config": f"user: app\ndb_password: {SECRET}\n"},
    {"config": f'{{"password": "correct horse, {SECRET} x"}}'},
    {"config": f'{{\\"password\\": \\"{SECRET}\\"}}'},
    {"config": f"secret => 'a {SECRET}'"},
    {"env": f"export DB_PASS={SECRET}"},
    {"config": f"smtp-pass: '{SECRET}'"},
    {"run": f"sshpass -p {SECRET} ssh root@db.example"},
    {"log": f"Authorization: token {SECRET}"},
    {"log": f'{{"authorization": "ApiKey {SECRET}"}}'},
    {"log": f"authorization={SECRET}"},
    {"log": f"> Cookie: theme=dark; session={SECRET}; x=1"},
    {"log": f"curl -H 'Set-Cookie: sid={SECRET}'"},
    {"note": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----"},
    {"dump": f"https://b.s3.amazonaws.com/f.sql?X-Amz-Date=20261129T000000Z&X-Amz-Signature={SECRET}"},
    {"dump": f"https://b.s3.amazonaws.com/f.sql?X-Amz-Credential={SECRET}%2F20261129&X-Amz-Expires=3600"},
    {"dump": f"see https://a.blob.core.windows.net/c/f?sv=2022&sr=b&sig={SECRET}, then go on"},
    {"dump": f"/c/f?sr=b&amp;Signature={SECRET}"},
    {"dump": f'{{"url": "https://a.example/f?a=1\\u0026sig={SECRET}"}}'},
    {"hook": f"https://hooks.slack.com/services/T0/B0/{SECRET}"},
    {"hook": f"https://discord.com/api/webhooks/123456/{SECRET}?wait=true"},
    {"hook": f"https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/{SECRET}"},
    {"hook": f"https://mattermost.acme.example/hooks/{SECRET}"},
    {"hook": f"https://api.telegram.org/bot123456:{SECRET}/sendMessage"},
    {"password": {"before": SECRET, "after": "x"}},
    {"before": {"token": SECRET}, "after": {}},
]


@pytest.mark.parametrize("value", HOLDING)
def test_secret_is_masked_anywhere(value: Any) -> None:
    assert SECRET not in repr(masked(value))
    assert hides(value, "payload")


@pytest.mark.parametrize(
    "text",
    [
        "sk_live_abcdef0123456789",
        "ghp_" + "a1" * 18,
        "xoxb-1234567890-abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_1",
        "sgn_person_abcdefghijkl_" + "x" * 30,
    ],
)
def test_value_that_looks_like_a_key_is_masked_under_any_name(text: str) -> None:
    assert text not in repr(masked({"note": f"use {text} please", "words": [text]}))


PLAIN: list[Any] = [
    {"target": "prod-postgres-main", "keys": ["a"], "key": "orders", "max_tokens": 4000, "password_count": 3},
    {"url": "https://tools.example:8443/@scope/package", "mail": "ann@acme.example"},
    {"tokenizer": {"name": "bpe"}, "author": "Ann", "authority": "CFO", "passed": "yes", "compass": "north"},
    {"env": [{"name": "HOST", "value": "db1"}], "bypass": False, "pinned": "yes", "monkey": "capuchin"},
    {"sql": "create index concurrently on orders (id)", "token": None, "secret": True},
]


@pytest.mark.parametrize("value", PLAIN)
def test_value_that_is_no_secret_is_shown_unchanged(value: Any) -> None:
    assert masked(value) == value


@pytest.mark.parametrize(
    "url",
    [
        "https://tickets.example/browse?key=PROJ-17&page=2&sort=asc",
        "https://docs.github.com/webhooks/webhook-events-and-payloads#push",
        "https://b.s3.amazonaws.com/f.sql?X-Amz-Date=20261129T000000Z&X-Amz-Expires=3600",
        "https://api.slack.com/messaging/webhooks",
    ],
)
def test_url_without_credentials_is_shown_whole(url: str) -> None:
    assert mask_text(url) == url


def test_signed_url_is_shown_without_its_signature() -> None:
    shown = mask_text(f"https://h.example/f?sr=b&sig={SECRET}&se=2026#top", starred)
    assert shown == f"https://h.example/f?sr=b&sig={MASK}&se=2026#top"
    shown = mask_text(f"https://hooks.slack.com/services/T0/B0/{SECRET}?x=1", starred)
    assert shown == f"https://hooks.slack.com/services/{MASK}/{MASK}/{MASK}?x=1"


def test_numeric_pin_is_masked() -> None:
    assert "4711" not in repr(masked({"pin": 4711, "card": {"cvv": 4711}}))


def test_changed_secret_differs_from_an_unchanged_one() -> None:
    one, two = masked({"u": "db://a:one@h"}), masked({"u": "db://a:two@h"})
    assert one != two
    assert masked({"u": "db://a:one@h"}) == one


def test_error_or_log_line_shows_no_fingerprint() -> None:
    shown = mask_text(f"cannot reach smtp://u:{SECRET}@mail:25 with password={SECRET}", starred)
    assert shown == f"cannot reach smtp://u:{MASK}@mail:25 with password={MASK}"


@pytest.mark.parametrize(
    "unit", ["password", "eyJa-", "://a:", "Bearer ", "bearer aaaa", "-----BEGIN PRIVATE KEY-----", "a.b", "sk-",
             "token=", "api_", 'password="', "password='", "secret=\\", "Authorization: ", "[", "@", "://a:b@",
             "https://x/hooks/", "?a=", "?sig=", "&amp;", "https://hooks.slack.com/services/", "/bot1:", "a-",
             "--token ", "-u a:", "--", "--a-", "authorization=", "authorization: key ",
             "cookie: a=", "sshpass -p", "a_pass"],
)  # fmt: skip
def test_masking_takes_linear_time(unit: str) -> None:
    """A backtracking regular expression would not finish on these."""
    long = unit * (400_000 // len(unit))
    mask_text(long)
    is_secret(long)
    masked({long: long, "x": [long]})


@pytest.mark.parametrize("value", HOLDING)
def test_quick_check_finds_every_value_that_is_masked(value: Any) -> None:
    assert suspect(repr(value))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("mysql --password hunter22 -h db", f"mysql --password {MASK} -h db"),
        ("tool --db-password 'hun ter2' x", f"tool --db-password '{MASK}' x"),
        ("curl -u bob:hunter22 https://x", f"curl -u bob:{MASK} https://x"),
        ("a --api-key hunter22, b", f"a --api-key {MASK}, b"),
        ("x --token-file /etc/token", "x --token-file /etc/token"),
        ("docker run -u 1000:1000 x", "docker run -u 1000:1000 x"),
        ("set --pass --verbose", "set --pass --verbose"),
    ],
)
def test_secret_options_of_a_command_line_are_masked(command: str, shown: str) -> None:
    assert mask_text(command, starred) == shown
    assert suspect(command) or shown == command
