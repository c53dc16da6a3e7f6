"""Signing in through a browser: shows an address and a code, and waits until the person has allowed it there."""

import os
import platform
import sys
import time
import webbrowser
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from signoff.cli.failures import CommandFailed, ExitCode
from signoff.cli.session import CommandContext

if TYPE_CHECKING:
    from signoff.client.sync import Client

_LONGEST_HOST: Final = 64
_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_LONGEST_LIFE: Final = 3600.0
_SLOWER: Final = 5.0
_NO_KEY: Final = "none"  # the two endpoints that are called need no key


def key_from_browser(session: CommandContext, address: str, open_browser: bool) -> str:
    """A new key of the person who allows it in a browser. ``open_browser``: open the page, if there is a browser."""
    from signoff.client.credentials import checked_url
    from signoff.client.errors import NotFound
    from signoff.client.sync import Client

    with Client(address, _NO_KEY, retry_for=0.0, program="signoff-cli") as client:
        try:
            started = _post(client, "/v1/device-logins", {"host": _host()})
        except NotFound:
            raise CommandFailed(
                ExitCode.NOT_FOUND,
                f"{address} does not offer to sign in through a browser.",
                hint=f"Sign in with a key: signoff login {address} --with-key",
            ) from None
        page = checked_url(str(started.get("verification_uri")), "the response")
        code = str(started.get("user_code"))
        session.show(
            ["Open this page, sign in there, and enter the code.", f"  Page  {page}", f"  Code  {code}"],
            False,
        )
        if open_browser and has_browser(os.environ) and webbrowser.open(page):
            session.out.note("The page was opened in your browser.")
        session.out.note("Waiting for you to allow it there. Ctrl-C stops.")
        return _fetched(client, str(started.get("device_code")), started)


def has_browser(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether there is a browser with a window. Without a display, the default would be one in this terminal."""
    if platform in ("win32", "darwin"):
        return not environ.get("SSH_CONNECTION")
    return any(environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def _fetched(client: "Client", device_code: str, started: Mapping[str, Any]) -> str:
    """Ask at the server's interval until the key is there."""
    from signoff.client.errors import ConnectionFailed, RequestRefused, ServerFailed

    pause = _seconds(started.get("interval"), _LONGEST_PAUSE)
    # measured here, because the clocks may differ
    ends = time.monotonic() + _seconds(started.get("expires_in"), _LONGEST_LIFE)
    lost = False
    while time.monotonic() < ends:
        time.sleep(pause)
        try:
            found = _post(client, "/v1/device-logins/poll", {"device_code": device_code})
        except (ConnectionFailed, ServerFailed):
            lost = True  # the server may be restarting; the code stays valid
            continue
        except RequestRefused as refused:
            if refused.code == "slow_down":
                pause = min(pause + _SLOWER, _LONGEST_PAUSE)
                continue
            if refused.code == "login_denied":
                raise CommandFailed(
                    ExitCode.FORBIDDEN, "The sign-in was denied in the browser.", "Nothing was stored."
                ) from None
            if refused.code == "login_expired":
                raise _expired(lost) from None
            raise
        if found.get("status") == "allowed" and found.get("api_key"):
            return str(found["api_key"])
    raise _expired(lost)


def _post(client: "Client", path: str, body: dict[str, Any]) -> dict[str, Any]:
    from signoff.client.calls import ApiCall

    return client.call(ApiCall("POST", path, dict, body=body))


def _host() -> str:
    """The name of this computer, as the page will show it."""
    name = platform.node().partition(".")[0][:_LONGEST_HOST]
    return name if name.isprintable() else ""


def _seconds(value: object, most: float) -> float:
    """A duration that the server named, within bounds."""
    pause = value if isinstance(value, int | float) else _SLOWER
    return float(min(max(pause, _SHORTEST_PAUSE), most))  # bounded first: an int may be too large for a float


def _expired(lost: bool) -> CommandFailed:
    """``lost``: the server may have sent the key in a response that did not arrive."""
    if lost:
        return CommandFailed(
            ExitCode.TIMEOUT,
            "The sign-in has expired, or its key was lost on the way. Nothing was stored.",
            hint="Start again with the same command. If you allowed it, revoke the lost key on your page /me.",
        )
    return CommandFailed(
        ExitCode.TIMEOUT,
        "The sign-in was not allowed in time. Nothing was stored.",
        hint="Start again with the same command.",
    )
