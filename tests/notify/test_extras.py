"""A channel that is configured without its optional library stops the start and names the extra to install."""

import sys

import pytest

from signoff.channels import open_channels
from signoff.config import Config
from signoff.core.errors import Invalid
from signoff.engine.clock import Clock
from tests.notify.msteamsfake import SETTING


@pytest.mark.parametrize(
    ("setting", "value", "library", "extra"),
    [
        ("apprise_urls", "ntfys://ntfy.example/x", "apprise", "apprise"),
        ("msteams_bot", SETTING, "jwt", "msteams"),
        ("msteams_bot", SETTING, "cryptography", "msteams"),
    ],
)
def test_missing_library_is_named(
    setting: str, value: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(channel_settings={setting: value})
    assert open_channels(config, Clock()).configured
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Invalid) as caught:
        open_channels(config, Clock())
    assert (caught.value.code, caught.value.field) == ("extra_not_installed", setting)
    assert library in caught.value.message
    assert f"signoff[server,{extra}]" in str(caught.value.hint)
    assert open_channels(Config(), Clock()).configured == ()
