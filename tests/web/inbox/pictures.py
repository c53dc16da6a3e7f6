"""Takes the pictures of README and docs from the real pages: ``python -m tests.web.inbox.pictures``. A sheet has the
card of each task type on desktop and phone, light and dark, with and without scripts.
"""

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser

from signoff.engine.clock import Clock
from signoff.store.opening import open_store
from tests.web.inbox.chromium import Window, chromium, window
from tests.web.inbox.demo_workspace import GATES, DemoWorkspace, furnish
from tests.web.serving import serving
from tests.web.web_env import HOME, WebEnv, web_env

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
DESK: Final = {"viewport": {"width": 1160, "height": 860}, "device_scale_factor": 1.25}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.25}
THEMES: Final = ("light", "dark")
QUALITY: Final = 0.82
# Chromium draws the pictures and packs them as well: side by side on one canvas, smaller by ``scale``, as WebP.
_SHEET: Final = """async ({shots, scale, gap, quality, ground}) => {
  const load = (url) => new Promise((done) => { const i = new Image(); i.onload = () => done(i); i.src = url; });
  const rows = [];
  for (const row of shots) rows.push(await Promise.all(row.map(load)));
  const w = (i) => Math.round(i.width * scale), h = (i) => Math.round(i.height * scale);
  const width = (row) => row.reduce((sum, i) => sum + w(i) + gap, gap);
  const height = (row) => Math.max(...row.map(h)) + gap;
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(...rows.map(width)) - (gap ? 0 : gap);
  canvas.height = rows.reduce((sum, row) => sum + height(row), gap);
  const pen = canvas.getContext('2d');
  pen.imageSmoothingQuality = 'high';
  pen.fillStyle = ground;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let y = gap;
  for (const row of rows) {
    let x = gap;
    for (const i of row) { pen.drawImage(i, x, y, w(i), h(i)); x += w(i) + gap; }
    y += height(row);
  }
  return canvas.toDataURL('image/webp', quality).split(',')[1];
}"""


async def pack(
    browser: Browser, name: str, shots: list[list[bytes]], scale: float = 1, ground: str = "#fff"
) -> None:
    """Combine pictures into one, row by row."""
    page = await browser.new_page()
    coded = [["data:image/png;base64," + base64.b64encode(shot).decode() for shot in row] for row in shots]
    gap = 24 if len(shots) > 1 else 0
    given = {"shots": coded, "scale": scale, "gap": gap, "quality": QUALITY, "ground": ground}
    packed = base64.b64decode(await page.evaluate(_SHEET, given))
    await page.close()
    (IMAGES / f"{name}.webp").write_bytes(packed)


async def signed_in(web: WebEnv, shown: Window, who: str = "per_ann") -> Window:
    await shown.sign_in(await web.state.sessions.login_link(HOME, who))
    return shown


async def sheet(
    web: WebEnv, browser: Browser, url: str, demo: DemoWorkspace, theme: str, scripts: bool
) -> None:
    """The cards of all eight types at both widths."""
    shots: dict[str, list[bytes]] = {"desk": [], "phone": []}
    for width, options in (("desk", DESK), ("phone", PHONE)):
        given: dict[str, Any] = {**options, "color_scheme": theme, "java_script_enabled": scripts}
        async with window(browser, url, **given) as ann:
            await signed_in(web, ann)
            for kind in GATES:
                await ann.open(f"/tasks/{demo.tasks[kind]}")
                shots[width].append(await ann.page.screenshot())
    desks, phones = shots["desk"], shots["phone"]
    rows = [desks[:4], desks[4:], phones]
    name = f"kinds-{theme}" + ("" if scripts else "-no-script")
    await pack(browser, name, rows, 0.3, {"light": "#dfe3e8", "dark": "#000"}[theme])


async def views(web: WebEnv, browser: Browser, url: str, demo: DemoWorkspace) -> None:
    """The single pictures."""
    approval = demo.tasks["approval"]
    async with window(browser, url, **DESK) as desk, window(browser, url, **DESK) as owner:
        await signed_in(web, desk)
        await signed_in(web, owner, "per_oscar")
        for name, shown, path in (
            ("inbox", desk, "/"),
            ("card", desk, f"/tasks/{approval}"),
            ("policy", owner, "/policies/prod-change"),
            ("team", owner, "/teams/sre-oncall"),
            ("settings", desk, "/me"),
        ):
            await shown.open(path)
            await pack(browser, name, [[await shown.page.screenshot(full_page=name != "inbox")]], 0.8)
        async with window(browser, url, **PHONE, color_scheme="dark", is_mobile=True) as phone:
            await signed_in(web, phone)
            shots = []
            for path in ("/", f"/tasks/{approval}", f"/tasks/{demo.ended['approved']}"):
                await phone.open(path)
                shots.append(await phone.page.screenshot())
            await pack(browser, "phone", [shots], 0.8, "#000")
        await desk.open(f"/tasks/{approval}")
        await desk.page.get_by_label("Comment").fill("Index builds concurrently; go.")
        await desk.page.get_by_role("button", name="Approve", exact=True).click()
        await desk.page.get_by_text("You answered").or_(desk.page.get_by_text("You decided")).first.wait_for()
        await desk.open(f"/intents/{approval}")
        await pack(browser, "timeline", [[await desk.page.screenshot(full_page=True)]], 0.8)


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/signoff.db", wall=clock.wall, clock=clock.of)
        await store.open()
        async with web_env(store, clock) as web:
            demo = await furnish(web)
            async with serving(web) as url, chromium() as browser:
                for theme in THEMES:
                    for scripts in (True, False):
                        await sheet(web, browser, url, demo, theme, scripts)
                await views(web, browser, url, demo)
        await store.close()


if __name__ == "__main__":
    asyncio.run(main())
