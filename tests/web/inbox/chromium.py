"""A real Chromium at the pages: contexts of every sort, axe, and what it complained about."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP = {"width": 1100, "height": 800}
PHONE = {"width": 390, "height": 844}
_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])"


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *arguments])
        try:
            yield browser
        finally:
            await browser.close()


class Window:
    """One browser window of one person. ``complaints``: errors of the console and of scripts, and foreign requests."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._heard)

    def _heard(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "about:")):
            self.complaints.append(f"asked elsewhere: {request.url}")

    async def open(self, path: str) -> None:
        answer = await self.page.goto(self.url + path)
        assert answer is not None and answer.status < 500, path

    async def sign_in(self, token: str) -> None:
        """By a link: look, then press its one button."""
        await self.open(f"/login/{token}")
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(self.url + "/")

    async def check(self) -> None:
        """Nothing sticks out sideways, and axe finds nothing."""
        wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.page.url}: {wide} px wider than the window"
        await self.page.evaluate(AXE)
        assert await self.page.evaluate(_RUN) == [], self.page.url


@asynccontextmanager
async def window(browser: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    context = await browser.new_context(**options)
    made = Window(await context.new_page(), url)
    try:
        yield made
    finally:
        await context.close()
    assert made.complaints == []
