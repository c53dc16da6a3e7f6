"""Settings: precedence of sources, invalid values, and secrets that are never shown."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from signoff import config
from signoff.config import (
    Config,
    is_loopback,
    load,
    parse_duration,
    rows,
)
from signoff.core.errors import Invalid
from signoff.core.text.masking import MASK

BY_NAME = {row.name: row for row in rows()}


def test_flag_overrides_the_environment_which_overrides_the_default() -> None:
    environ = {"SIGNOFF_PORT": "9000", "SIGNOFF_HOST": "0.0.0.0"}
    loaded = load({"port": "9001", "data": None}, environ)
    assert (loaded.config.port, loaded.config.host, loaded.config.data) == (9001, "0.0.0.0", Path(".signoff"))
    assert loaded.origins["port"] == "flag --port"
    assert loaded.origins["host"] == "SIGNOFF_HOST"
    assert loaded.origins["data"] == "default"


def test_empty_variable_counts_as_unset() -> None:
    assert load({}, {"SIGNOFF_PORT": "", "SIGNOFF_WEBHOOK_URL": " "}).config == Config()


def test_database_defaults_to_the_data_folder() -> None:
    assert load({"data": "/srv/gate"}, {}).config.database == "sqlite:////srv/gate/signoff.db"
    named = load({"data": "/srv/gate"}, {"SIGNOFF_DATABASE_URL": "postgresql://db/gate"})
    assert named.config.database == "postgresql://db/gate"
    assert named.origins["database"] == "SIGNOFF_DATABASE_URL"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8100"),
        ({"host": "0.0.0.0", "port": "80"}, "http://127.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:8100"),
        ({"base_url": "https://gate.example/"}, "https://gate.example"),
        ({"port": "0"}, ""),
    ],
)
def test_links_use_the_address_at_which_people_reach_the_server(given: dict[str, str], address: str) -> None:
    assert load(given, {}).config.base_url == address


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "0.0.0.0"},
        {"host": "::1"},
        {"base_url": "https://x.example"},
        {"base_url": "http://localhost"},
    ],
)
def test_callbacks_into_private_networks_are_allowed_by_a_setting_only(given: dict[str, str]) -> None:
    assert load(given, {}).config.allow_private_callbacks is False
    assert load(given, {"SIGNOFF_ALLOW_PRIVATE_CALLBACKS": "on"}).config.allow_private_callbacks is True


def test_only_two_defaults_depend_on_another_setting() -> None:
    chosen = {"organization", "workspace", "owner"}  # once, when there is no database yet
    terminal = {"console_notifications"}  # by what the process is started on
    derived = {row.name for row in rows() if row.shown} - chosen - terminal
    assert derived == {"database", "base_url"}
    one, other = (
        Config(),
        Config(host="0.0.0.0", base_url="https://gate.example", data=Path("elsewhere"), port=1),
    )
    same = [row for row in rows() if row.name not in derived | {"host", "port", "data"}]
    assert [one.value_of(row) for row in same] == [other.value_of(row) for row in same]


@pytest.mark.parametrize(
    "url",
    [
        "https://tools.example/signoff",
        "https://tools.example/?a=b",
        "https://ann:hunter2@tools.example",
        "tools.example",
        "ftp://tools.example",
        "https://",
        "https://tools.example:banana",
        "https://a b.example",
        "https://tools.example#x",
        "https://ann:hun#ter2@x.example",
    ],
)
def test_unusable_base_url_is_refused_at_start(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        load({"base_url": url}, {})
    assert refused.value.field == "base_url"
    assert "hun" not in refused.value.message + str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("allowed_hosts", "https://a.example"),
        ("allowed_hosts", "a.example/x"),
        ("allowed_hosts", "*.example"),
        ("trusted_proxies", "proxy.example"),
        ("trusted_proxies", "0.0.0.0/0"),
        ("trusted_proxies", "::/0"),
        ("trusted_proxies", "10.0.0.0/99"),
        ("session_lifetime", "1m"),
    ],
)
def test_malformed_hosts_proxies_and_lifetimes_are_refused(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        load({name: text}, {})
    assert refused.value.field == name


MALFORMED = [
    "postgresql://app@inst:Tr0ub4dor@127.0.0.1:23060/db",
    "postgresql://app:Tr0ub4dor#x@db.example:5432/x",
    "postgresql://app:Tr0ub4dor/x@db.example:5432/x",
    "postgresql://app:Tr0ub4dor?x@db.example:5432/x",
    "postgresql://app:Tr0ub4dor[x@db.example/x",
    "postgresql://app:Tr0ub4dor x@db/x",
    "postgresql://app:Tr0ub4dor%@db/x",
    "postgresql://app:1/Tr0ub4dor@db/x",
    "postgresql://app:Tr0ub4dor",
    "other://app:Tr0ub4dor@db/x",
    "Tr0ub4dor",
]
OF = {"database": "postgresql", "smtp_url": "smtp", "webhook_url": "https"}


@pytest.mark.parametrize("url", MALFORMED)
@pytest.mark.parametrize("name", list(OF))
def test_unparsable_address_is_not_shown(name: str, url: str) -> None:
    url = url.replace("postgresql", OF[name])
    config = load({name: url}, {}).config
    assert "Tr0ub4dor" not in repr(config) + BY_NAME[name].show(url) + config.shown_database
    with pytest.raises(Invalid) as refused:
        config.check_urls()
    said = refused.value.message + str(refused.value.hint)
    assert refused.value.field == name
    assert "Tr0ub4dor" not in said
    assert "percent-encode" in said or "does not start with" in said


def test_addresses_of_common_forms_are_accepted() -> None:
    for url in (
        "postgresql://app:p%40ss@db.example:5432/x?sslmode=require",
        "postgres://db/x",
        "postgresql:///x?host=/run",
        "postgresql://a:b@one:5432,two:5433/x",
        "postgresql://a:b@[::1]:5432/x",
        "sqlite:///x.db",
    ):
        Config(
            database=url, channel_settings={"smtp_url": "smtps://u%40x:p%23@mail.example?from=a@b.example"}
        ).check_urls()


def test_secret_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_abc\n")
    loaded = load(
        {}, {"SIGNOFF_WEBHOOK_SECRET_FILE": str(secret), "SIGNOFF_WEBHOOK_URL": "https://hooks.example/x"}
    )
    assert loaded.config.channel_settings["webhook_secret"] == "whsec_abc"
    assert loaded.origins["webhook_secret"] == "SIGNOFF_WEBHOOK_SECRET_FILE"


def test_unreadable_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="SIGNOFF_WEBHOOK_SECRET_FILE"):
        load({}, {"SIGNOFF_WEBHOOK_SECRET_FILE": str(tmp_path / "missing")})


def test_two_variables_for_one_setting_are_refused() -> None:
    with pytest.raises(Invalid, match="SIGNOFF_DATABASE and by SIGNOFF_DATABASE_URL"):
        load({}, {"SIGNOFF_DATABASE": "sqlite:///a", "SIGNOFF_DATABASE_URL": "sqlite:///b"})


def test_unknown_variable_is_a_warning_with_the_nearest_name() -> None:
    loaded = load({}, {"SIGNOFF_PROT": "1", "SIGNOFF_XYZZY": "1", "SIGNOFF_URL": "http://x", "HOME": "/"})
    assert loaded.warnings == (
        "SIGNOFF_PROT is not a setting. Did you mean SIGNOFF_PORT?",
        "SIGNOFF_XYZZY is not a setting.",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "http"),
        ("port", "70000"),
        ("port", "-1"),
        ("commit_workers", "0"),
        ("commit_workers", "2"),  # on SQLite
        ("webhook_secret", "whsec_c2VjcmV0"),  # and no URL
        ("listen", "maybe"),
        ("idempotency_retention", "1h"),
        ("retention", "soon"),
        ("console_notifications", "pigeon"),
        ("log_level", "loud"),
    ],
)
def test_invalid_value_is_refused_by_the_name_of_its_setting(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        load({}, {f"SIGNOFF_{name.upper()}": text})
    assert refused.value.field == name
    assert name in refused.value.message


def test_secrets_are_neither_shown_nor_in_the_repr() -> None:
    config = Config(
        database="postgresql://ann:hunter2@db/gate?sslpassword=hunter2",
        channel_settings={"webhook_secret": "hunter2", "webhook_url": "https://hooks.example/hunter2"},
    )
    assert "hunter2" not in repr(config)
    shown = {row.name: row.show(config.value_of(row)) for row in rows()}
    assert "hunter2" not in str(shown)
    assert shown["database"] == f"postgresql://ann:{MASK}@db/gate?sslpassword={MASK}"
    assert shown["webhook_secret"] == MASK
    assert shown["webhook_url"] == f"https://hooks.example/{MASK}"


@pytest.mark.parametrize(
    "url", ["sqlite:///.signoff/signoff.db", "sqlite:////srv/x.db", "postgresql:///db?host=/run"]
)
def test_database_url_without_a_password_is_shown_unchanged(url: str) -> None:
    assert BY_NAME["database"].show(url) == url


def test_settings_are_few_and_each_has_an_effect() -> None:
    assert len(list(rows())) <= 46
    sources = Path(config.__file__).parent.rglob("*.py")
    code = "".join(path.read_text("utf-8") for path in sources if path.name != "config.py")
    unused = [row.name for row in rows() if not row.channel and not re.search(rf"config\.{row.name}\b", code)]
    assert unused == []
    for row in rows():
        assert not row.channel or f'settings["{row.name}"]' in code, row.name


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("P1DT2H", 93600), ("0.5s", 0.5)],
)
def test_duration_formats_are_parsed(text: str, seconds: float) -> None:
    assert parse_duration(text, "x") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "P", "5x", "11y", "99999d"])
def test_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text, "x")


def test_duration_that_is_shown_can_be_parsed() -> None:
    for row in rows():
        if row.kind is timedelta:
            assert row.parse(row.show(row.default)) == row.default


@pytest.mark.parametrize(
    ("host", "local"), [("localhost", True), ("127.0.0.9", True), ("[::1]", True), ("10.0.0.1", False)]
)
def test_loopback_means_this_machine_only(host: str, local: bool) -> None:
    assert is_loopback(host) is local
