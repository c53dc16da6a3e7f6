"""Signing in a terminal with a real server, the real command, and a person at a browser with the keyboard."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.web.inbox.chromium import DESKTOP, PHONE, Window, chromium, window
from tests.web.inbox.mailing import mailing, mails_sent
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv

pytestmark = pytest.mark.browser

SETTINGS = [
    pytest.param({"viewport": DESKTOP, "color_scheme": "light"}, id="desktop light"),
    pytest.param(
        {"viewport": PHONE, "color_scheme": "dark", "java_script_enabled": False}, id="phone dark plain"
    ),
]


async def command(url: str, folder: Path, *words: str) -> Process:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    environ |= {"XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "signoff.cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=environ,
        cwd=folder,
    )


async def code_of(terminal: Process) -> str:
    """The code that the command prints."""
    assert terminal.stderr is not None
    while line := (await terminal.stderr.readline()).decode():
        if line.strip().startswith("Code "):
            return line.split()[1]
    raise AssertionError("no code")


async def type_code(person: Window, code: str, scripts: bool) -> None:
    await person.page.get_by_label("The code in your terminal").focus()
    await person.page.keyboard.type(code)
    await person.page.keyboard.press("Enter")
    await person.page.get_by_text("Let this terminal sign in as you?").wait_for()
    if scripts:
        await person.check()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("setting", SETTINGS)
async def test_signed_out_person_signs_in_and_allows_the_terminal(
    web: WebEnv, tmp_path: Path, setting: dict[str, Any]
) -> None:
    """A person who is signed out signs in by e-mail and continues where they were."""
    scripts = setting.get("java_script_enabled", True)
    async with mailing(web) as server, serving(web) as url, chromium() as browser:
        terminal = await command(url, tmp_path, "login", url, "--no-browser")
        code = await code_of(terminal)
        async with window(browser, url, **setting) as ann:
            await ann.open("/device")
            await ann.page.get_by_label("Your e-mail address").fill("ann@acme.example")
            await ann.page.get_by_role("button", name="Send me a sign-in link").click()
            await ann.page.get_by_text("is on its way").wait_for()
            await mails_sent(web)
            text = server.mails[-1].get_body(("plain",)).get_content()
            link = next(word for word in text.split() if "/login/" in word)
            assert code not in text
            await ann.open(link.removeprefix("http://signoff.test"))
            await ann.page.get_by_role("button", name="Sign in").click()
            await ann.page.wait_for_url(url + "/device")
            await type_code(ann, code, scripts)
            assert code not in ann.page.url
            await ann.page.get_by_label("The key is valid for").select_option("1")
            await ann.page.get_by_role("button", name="Allow").focus()
            await ann.page.keyboard.press("Enter")
            await ann.page.get_by_text("You allowed the terminal").wait_for()
            if scripts:
                await ann.check()
            assert ann.complaints == []
        web.clock.move(timedelta(seconds=5))
        out, err = await terminal.communicate()
    assert terminal.returncode == 0, err.decode()
    assert f"Signed in to {url} as ann@acme.example" in out.decode()
    file = tmp_path / "config" / "signoff" / "contexts.json"
    [stored] = json.loads(file.read_text())["contexts"].values()
    assert file.stat().st_mode & 0o777 == 0o600
    assert stored["api_key"] not in out.decode() + err.decode()
    actor = await web.env.keys.authenticate(stored["api_key"], "cli")
    assert (actor.id, actor.workspace) == ("per_ann", HOME)


@pytest.mark.timeout(150)
async def test_login_denied_in_the_browser_ends_the_command(web: WebEnv, tmp_path: Path) -> None:
    async with serving(web) as url, chromium() as browser:
        terminal = await command(url, tmp_path, "login", url, "--no-browser")
        code = await code_of(terminal)
        async with window(browser, url) as ann:
            await ann.sign_in(await web.state.sessions.login_link(HOME, "per_ann"))
            await ann.open("/device")
            await type_code(ann, code, scripts=True)
            await ann.page.get_by_role("button", name="Deny").click()
            await ann.page.get_by_text("You denied the sign-in").wait_for()
            await ann.check()
        web.clock.move(timedelta(seconds=5))
        out, err = await terminal.communicate()
    assert (terminal.returncode, out) == (8, b"")
    assert "denied in the browser" in err.decode()
    assert not (tmp_path / "config").exists()
