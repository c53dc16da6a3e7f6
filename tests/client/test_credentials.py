"""Where the client finds its server and key; a key is never sent to an address that it was not made for."""

import json
from pathlib import Path

import pytest

from signoff import NotConfigured
from signoff.client.credentials import find_settings, is_trusted

pytestmark = pytest.mark.windows

HERE = "http://127.0.0.1:8100"


def write(path: Path, **more: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"url": HERE, "api_key": "sgn_stored", "workspace": "default", **more}))
    return path


def test_arguments_take_precedence_over_everything(tmp_path: Path) -> None:
    write(tmp_path / ".signoff" / "credentials.json")
    environ = {"SIGNOFF_URL": "http://other:1", "SIGNOFF_API_KEY": "other"}
    found = find_settings("https://a.example/", "mine", environ=environ, folder=tmp_path)
    assert (found.url, found.api_key, found.source) == ("https://a.example", "mine", "arguments")


def test_environment_takes_precedence_over_files(tmp_path: Path) -> None:
    write(tmp_path / ".signoff" / "credentials.json")
    environ = {"SIGNOFF_URL": "https://a.example", "SIGNOFF_API_KEY": "theirs"}
    found = find_settings(environ=environ, folder=tmp_path)
    assert (found.url, found.api_key, found.source) == ("https://a.example", "theirs", "SIGNOFF_URL")


def test_nearest_folder_takes_precedence(tmp_path: Path) -> None:
    write(tmp_path / ".signoff" / "credentials.json", url="http://far:1")
    near = write(tmp_path / "a" / ".signoff" / "credentials.json")
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    found = find_settings(environ={}, folder=deep)
    assert (found.url, found.api_key, found.workspace, found.source) == (
        HERE,
        "sgn_stored",
        "default",
        str(near),
    )
    assert found.loopback


def test_user_configuration_is_read_last(tmp_path: Path) -> None:
    write(tmp_path / "xdg" / "signoff" / "credentials.json", url="http://xdg:1")
    write(tmp_path / "home" / ".config" / "signoff" / "credentials.json", url="http://home:1")
    (tmp_path / "work").mkdir()
    home = {"HOME": str(tmp_path / "home")}
    assert find_settings(environ=home, folder=tmp_path / "work").url == "http://home:1"
    both = {**home, "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_settings(environ=both, folder=tmp_path / "work").url == "http://xdg:1"


def test_data_folder_named_by_the_environment_is_searched(tmp_path: Path) -> None:
    write(tmp_path / "data" / "credentials.json")
    assert find_settings(environ={"SIGNOFF_DATA": str(tmp_path / "data")}, folder=tmp_path).url == HERE


def test_key_from_the_environment_is_used_with_the_server_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / ".signoff" / "credentials.json")
    found = find_settings(environ={"SIGNOFF_API_KEY": "agents-own"}, folder=tmp_path)
    assert (found.url, found.api_key) == (HERE, "agents-own")


def test_stored_key_is_sent_to_its_own_server_only(tmp_path: Path) -> None:
    write(tmp_path / ".signoff" / "credentials.json")
    assert find_settings("http://localhost:8100", environ={}, folder=tmp_path).api_key == "sgn_stored"
    for other in ("http://127.0.0.1:8101", "https://127.0.0.1:8100", "http://evil.example:8100"):
        with pytest.raises(NotConfigured, match="no API key for"):
            find_settings(other, environ={}, folder=tmp_path)


def test_key_is_read_from_a_key_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sgn_secret\n")
    environ = {"SIGNOFF_URL": HERE, "SIGNOFF_API_KEY_FILE": str(tmp_path / "key")}
    assert find_settings(environ=environ, folder=tmp_path).api_key == "sgn_secret"
    with pytest.raises(NotConfigured, match="cannot be read"):
        find_settings(environ={"SIGNOFF_API_KEY_FILE": str(tmp_path / "absent")}, folder=tmp_path)


def test_missing_settings_error_names_all_places_and_the_next_command(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with pytest.raises(NotConfigured) as caught:
        find_settings(environ={"HOME": str(tmp_path / "home")}, folder=tmp_path)
    text = str(caught.value)
    for part in (
        "SIGNOFF_URL",
        str(tmp_path / ".signoff"),
        str(tmp_path / "home" / ".config"),
        "`signoff up`",
    ):
        assert part in text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": "http://a"}', "\xff"])
def test_broken_credentials_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / ".signoff" / "credentials.json")
    path.write_text(content)
    with pytest.raises(NotConfigured, match=r"credentials\.json is not a credentials file"):
        find_settings(environ={}, folder=tmp_path)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8100", "ftp://a", "http://", "http://a:x", "file:///etc", "http://a b", "http://a?x=1",
     "http://a..b", f"http://{'a' * 64}.example", f"http://{'é' * 64}.example"]
)  # fmt: skip
def test_invalid_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="is not a URL"):
        find_settings(url, "key", environ={}, folder=tmp_path)


def test_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="user name") as caught:
        find_settings("https://ann:hunter2@signoff.example", "key", environ={}, folder=tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["sgn_service_AbC_hunter2", "ftp://sgn_service_AbC_hunter2"])
def test_a_key_in_place_of_the_address_is_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="The address in SIGNOFF_URL is not a URL") as caught:
        find_settings(environ={"SIGNOFF_URL": url, "SIGNOFF_API_KEY": HERE}, folder=tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["a b", "ä", "a\nx-evil: 1", "a\x00"])
def test_malformed_key_is_refused_and_not_repeated(key: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured) as caught:
        find_settings(HERE, key, environ={}, folder=tmp_path)
    assert key not in str(caught.value)


def test_unreadable_credentials_file_is_skipped_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".signoff" / "credentials.json").mkdir(parents=True)
    with pytest.raises(NotConfigured, match="cannot be read"):
        find_settings(environ={}, folder=tmp_path)


def test_credentials_file_of_another_user_is_not_trusted() -> None:
    assert is_trusted(owner=1000, user=1000)
    assert is_trusted(owner=0, user=1000)
    assert not is_trusted(owner=1001, user=1000)
    assert not is_trusted(owner=1001, user=0)


def test_empty_argument_or_key_file_is_refused_without_a_fallback(tmp_path: Path) -> None:
    """A program with an unset variable must not use the owner's stored key."""
    (tmp_path / ".signoff").mkdir()
    stored = {"url": "http://127.0.0.1:8100", "api_key": "sgn_person_owner"}
    (tmp_path / ".signoff" / "credentials.json").write_text(json.dumps(stored), encoding="utf-8")
    (tmp_path / "key").write_text("\n", encoding="utf-8")
    for given in ({"api_key": ""}, {"api_key": " "}, {"url": ""}):
        with pytest.raises(NotConfigured, match="is empty"):
            find_settings(**given, environ={}, folder=tmp_path)
    with pytest.raises(NotConfigured, match="contains no key"):
        find_settings(environ={"SIGNOFF_API_KEY_FILE": str(tmp_path / "key")}, folder=tmp_path)
