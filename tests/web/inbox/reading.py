"""Uses the pages without a browser: keeps cookies, reads forms and submits them as a browser would."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx2

from signoff.web.pages.kit.csrf import form_token
from tests.web.web_env import WebEnv

SAME = {"sec-fetch-site": "same-origin"}


class _Forms(HTMLParser):
    """Every form of a page (action, fields, buttons), and every tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[dict[str, Any]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.title = ""
        self.heading = ""
        self._in = ""
        self._select = ""
        self._chosen = False
        self._first = False
        self._area = ""

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in given}
        self.tags.append((tag, attrs))
        self._in = tag if tag in ("title", "h1", "button", "textarea") else self._in
        if tag == "form":
            self.forms.append({"action": attrs.get("action", ""), "fields": [], "buttons": []})
        elif not self.forms:
            return
        form = self.forms[-1]
        if tag == "input" and attrs.get("name") and (attrs.get("type") != "checkbox" or "checked" in attrs):
            form["fields"].append((attrs["name"], attrs.get("value", "")))
        elif tag == "button":
            form["buttons"].append(attrs.get("value", ""))
        elif tag == "textarea":
            self._area = attrs.get("name", "")
            form["fields"].append((self._area, ""))
        elif tag == "select":
            self._select, self._chosen, self._first = attrs.get("name", ""), False, True
            form["fields"].append((self._select, ""))
        elif tag == "option" and self._select and not self._chosen:
            # as a browser does: what is selected, else the first; an option without a value is its text
            first, self._first = self._first, False
            self._chosen = "selected" in attrs
            if self._chosen or first:
                form["fields"][-1] = (self._select, attrs.get("value", ""))
                self._in = "" if "value" in attrs else "option"

    def handle_endtag(self, tag: str) -> None:
        if tag == self._in:
            self._in = ""
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._in == "title":
            self.title += data
        elif self._in == "h1":
            self.heading += data
        elif self._in == "option" and self._select:
            self.forms[-1]["fields"][-1] = (self._select, data)
        elif self._in == "textarea" and self._area:
            form = self.forms[-1]
            form["fields"][-1] = (self._area, (form["fields"][-1][1] + data).removeprefix("\n"))


class Shown:
    """A page's response."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content
        self.html = response.text
        self.where, _, self.done = response.headers.get("location", "").partition("?done=")
        page = _Forms()
        page.feed(self.html)
        self.forms, self.tags = page.forms, page.tags
        self.title, self.heading = page.title, page.heading
        self.text = " ".join(re.split("[ \n]+", " ".join(page.texts))).strip()

    def form(self, action: str = "") -> dict[str, Any]:
        """The form with this action; without one, the last form of the page."""
        found = [form for form in self.forms if form["action"] == action] if action else self.forms
        assert found, f"no form for {action!r} in {self.text[:400]}"
        chosen: dict[str, Any] = found[-1]
        return chosen


class Reader:
    """A browser without scripts. ``cookies`` are kept between requests."""

    def __init__(self, web_env: WebEnv, who: str = "") -> None:
        self.web = web_env
        self.who = who
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(web_env.app), base_url=web_env.env.base_url
        )

    async def sign_in(self, *, key: bool = False) -> "Reader":
        """Sign in by a sign-in link as mailed, or by the persona's key, which has a lower assurance level."""
        if key:
            answer = await self.post("/login", key=self.web.keys[self.who])
        else:
            known = await self.web.actor(self.who)
            token = await self.web.state.sessions.login_link(known.workspace, known.id)
            answer = await self.post(f"/login/{token}")
        assert answer.status == 303, answer.text
        return self

    @property
    def token(self) -> str:
        """The CSRF token that our forms contain for this browser."""
        prefix = "__Host-" if self.http.base_url.scheme == "https" else ""
        cookies = self.http.cookies
        return form_token(
            cookies.get(f"{prefix}signoff_session") or cookies.get(f"{prefix}signoff_form") or ""
        )

    async def get(self, path: str, **headers: str) -> Shown:
        return Shown(await self.http.get(path, headers=headers))

    async def send(self, method: str, path: str) -> Shown:
        return Shown(await self.http.request(method, path))

    async def post(
        self, path: str, fields: Any = None, headers: dict[str, str] | None = None, **more: str
    ) -> Shown:
        """Submit a form as our page would; ``fields`` are pairs, because names repeat."""
        pairs = [*(fields or []), *more.items()]
        if headers is None and not self.http.cookies:
            await self.get("/login")  # whoever posts a form has opened a page before
        if headers is None and not any(name == "form_token" for name, _ in pairs):
            pairs.append(("form_token", self.token))
        body = str(httpx2.QueryParams(pairs))
        sent = {"content-type": "application/x-www-form-urlencoded", **(SAME if headers is None else headers)}
        return Shown(await self.http.post(path, content=body.encode(), headers=sent))

    async def press(self, page: Shown, action: str, outcome: str, **changed: str) -> Shown:
        """Fill in the page's form and press an outcome's button."""
        form = page.form(action)
        assert outcome in form["buttons"], f"{outcome} is not offered: {form['buttons']}"
        fields = [(name, changed.pop(name, value)) for name, value in form["fields"]]
        return await self.post(action, [*fields, *changed.items(), ("outcome", outcome)])

    async def decide(self, task_id: str, outcome: str, query: str = "", **changed: str) -> Shown:
        """Open a task's page, fill in its form and press the button."""
        page = await self.get(f"/tasks/{task_id}{query}")
        assert page.status == 200, page.text
        return await self.press(page, f"/tasks/{task_id}", outcome, **changed)


async def reader(web_env: WebEnv, who: str) -> Reader:
    """A persona, signed in."""
    return await Reader(web_env, who).sign_in()


async def everything(web_env: WebEnv) -> dict[str, list[Any]]:
    """The content of the whole database, by table."""
    store = web_env.env.store
    tables = [
        row[0]
        for row in await store.read("select name from sqlite_schema where type = 'table' order by name")
    ]
    return {table: sorted(map(repr, await store.read(f"select * from {table}"))) for table in tables}
