"""The cost of a view of a list with 200 to 200,000 open tasks: CPU of server and database."""

import http.client
import json
import statistics
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from bench.creates import body
from bench.goals import goal
from bench.loop import run
from bench.machine import Usage
from bench.options import Options
from bench.place import GATE, Place
from bench.report import show
from bench.seed import seed
from bench.wire import Pool, request
from signoff.web.pages.kit.csrf import form_token

SIZES: Final = (200, 5_000, 20_000, 200_000)
FEW: Final = 15  # tasks of the second person, among all those of the first
_VIEWS: Final = 50
_LEAST: Final = 0.1  # milliseconds; less cannot be told from nothing
BUSY, CALM = "person", "few"
PAGES: Final = {
    "inbox, {who}": "/",
    "card, {who}": "",
    "inbox, all tasks, {who}": "/?view=all",
}
CALLS: Final = {
    "GET /v1/me/tasks, {who}": "/v1/me/tasks",
    "GET /v1/tasks?mine=true, {who}": "/v1/tasks?mine=true",
    "GET /v1/tasks, {who}": "/v1/tasks",
    "GET /v1/intents?status=FAILED, {who}": "/v1/intents?status=FAILED",
    "GET /v1/intents?intent_type= of few, {who}": "/v1/intents?intent_type=intent.bench.few.v1",
}
Ask = Callable[[], None]


def lists(place: Place, options: Options) -> None:
    """With each number of open tasks: for a person who is asked in all of them, and for one who is asked in FEW."""
    place.keys[CALM] = place.say("/v1/keys", {"person": "bob@acme.example", "roles": ["approver"]})["api_key"]
    first: dict[str, float] = {}
    template, few = run(_gates(place))
    sizes = [size for size in SIZES if size <= options.tasks]
    present = 1
    for size in sizes:
        place.live.stop()
        seed(place, template, size - present)
        present = size
        place.live.start()
        print(f"among {size:,} open tasks:")
        for name, ask in _views(place, template, few):
            costs = [_cost(place, ask) for _ in range(options.repeats)]
            value = statistics.median(costs)
            growth = f"{value / first.setdefault(name, max(value, _LEAST)):.2f} x that among {sizes[0]:,}"
            line = goal("view", place.database)._replace(text=f"  {name}", name=f"view_{size}")
            show(line, costs, note=growth)


async def _gates(place: Place) -> tuple[str, str]:
    """An open task of the first person, and the last of the FEW of the second."""
    pool = await Pool(place.live.url).open(1)
    made = await pool.call(request("POST", "/v1/intents", place.keys["service"], body(GATE)))
    wanted = {
        "intent_type": "intent.bench.few.v1",
        "payload": {"table": "orders"},
        "human_task": {"title": "Drop it?", "assignees": ["bob@acme.example"]},
    }
    for _ in range(FEW):
        last = await pool.call(
            request("POST", "/v1/intents", place.keys["service"], json.dumps(wanted).encode())
        )
    pool.close()
    return str(made["intent_id"]), str(last["intent_id"])


def _views(place: Place, template: str, few: str) -> list[tuple[str, Ask]]:
    found: list[tuple[str, Ask]] = []
    for who, said, intent in ((BUSY, "asked by all", template), (CALM, f"asked by {FEW}", few)):
        connection = http.client.HTTPConnection(urlsplit(place.live.url).netloc)
        cookie = sign_in(connection, place.keys[who])
        for name, path in PAGES.items():
            page = path or f"/tasks/{intent[:-4]}0001"
            found.append((name.format(who=said), asking(connection, page, {"cookie": cookie})))
        for name, path in CALLS.items():
            found.append((name.format(who=said), asking(connection, path, {"x-api-key": place.keys[who]})))
    return found


def sign_in(connection: http.client.HTTPConnection, key: str) -> str:
    """The cookies of a session, opened with the person's key through the page's form."""
    connection.request("GET", "/login")
    cookies = _cookies(connection.getresponse())
    token = form_token(next(iter(cookies.values())))
    said = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    form = urlencode({"key": key, "form_token": token})
    connection.request("POST", "/login", form, said | {"cookie": _header(cookies)})
    return _header(cookies | _cookies(connection.getresponse()))


def _cookies(answer: http.client.HTTPResponse) -> dict[str, str]:
    answer.read()
    set_ones = (
        value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"
    )
    return dict(one.split("=", 1) for one in set_ones)


def _header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def asking(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Ask:
    def ask() -> None:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET {path} was answered {answer.status}")

    return ask


def _cost(place: Place, ask: Ask) -> float:
    """Milliseconds of CPU of server and database for each view after the first."""
    ask()
    begun = place.reading()
    for _ in range(_VIEWS):
        ask()
    used = Usage.between(begun, place.reading(), _VIEWS)
    return (used.server + used.database) / 1000
