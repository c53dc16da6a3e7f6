"""Opens the pages in a real Chromium: contexts, axe, and the errors that the browser reported."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP = {"width": 1100, "height": 800}
PATIENCE = (
    45_000.0  # milliseconds: a guard against hanging, below the limit of a test so that the step is named
)
PHONE = {"width": 390, "height": 844}
_RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]);
}"""


_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HELP = "The pages are tested in a real browser: install Chromium (Debian: apt-get install chromium)."


def executable() -> str:
    """This machine's Chromium; on Debian as root it is installed, otherwise an error says how to install it."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        found = _installed()
    if found is None:
        raise RuntimeError(_HELP)
    return found


def _installed() -> str | None:
    """Install the distribution's Chromium in one test process while the others wait."""
    with Path(tempfile.gettempdir(), "signoff-tests-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("chromium"):
            return shutil.which("chromium")
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            done = subprocess.run(["apt-get", *command], capture_output=True, text=True, timeout=600)
            if done.returncode:
                raise RuntimeError(f"{_HELP}\n{done.stderr[-2000:]}")
    return shutil.which("chromium")


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """This machine's Chromium."""
    found = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", *arguments], timeout=PATIENCE
        )
        try:
            yield browser
        finally:
            await browser.close()


async def loiter(page: Page, address: str) -> None:
    """Open a page as a mail scanner with a browser does: run scripts for a minute, scroll and hover over everything,
    fire the page's events, press nothing. Only the browser's clock moves.
    """
    page.set_default_timeout(PATIENCE)
    await page.clock.install()
    await page.goto(address)
    for _ in range(4):
        await page.clock.run_for(15_000)
        await page.evaluate(
            "() => { for (const name of ['load', 'focus', 'blur', 'pagehide', 'pageshow', 'scroll', 'beforeunload'])"
            " dispatchEvent(new Event(name)); document.dispatchEvent(new Event('visibilitychange'));"
            " scrollTo(0, document.body.scrollHeight); }"
        )
        await page.mouse.move(200, 300)
        await page.mouse.wheel(0, 5000)
    await page.wait_for_load_state("load")


class Window:
    """One browser window of one person. ``complaints``: errors of console and scripts, and requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._check_origin)

    def _check_origin(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "about:")):
            self.complaints.append(f"asked elsewhere: {request.url}")

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.url + path)
        assert answer is not None, path
        assert answer.status < 500, path

    async def sign_in(self, token: str) -> None:
        """Open the sign-in link and press its button."""
        await self.open(f"/login/{token}")
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(self.url + "/")

    async def check(self) -> None:
        """Assert that nothing overflows horizontally and that axe reports nothing."""
        await self.page.wait_for_load_state()  # a form that was just sent may still be on its way
        wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.page.url}: {wide} px wider than the window"
        await self.page.evaluate(AXE)
        found = await self.page.evaluate(_RUN)
        assert found == [], (self.page.url, found)


@asynccontextmanager
async def window(browser: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    made = Window(await context.new_page(), url)
    try:
        yield made
    finally:
        await context.close()
    assert made.complaints == []
