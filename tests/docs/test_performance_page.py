"""The performance page and its plots are generated from the recorded run; a run records what it shows."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import page, report
from bench.causes import Marks, Slow
from bench.flows import Ending
from bench.goals import POSTGRES, SQLITE, Goal, goal
from bench.machine import Machine, Usage
from bench.options import Options
from bench.plot import Bar, bars
from bench.record import Run, document, write
from bench.report import Figure, number, show, times, unmeasured
from bench.sizes import KIB, MOST, payload, shapes

SVG = "{http://www.w3.org/2000/svg}"
USAGES = [Usage(100, 20, 3, 0.5, 0), Usage(300, 40, 5, 0.1, 0), Usage(200, 30, 4, 0.3, 0)]
MACHINE = Machine("a processor", 2, 24, "Linux 6", "Python 3.11.7 without PGO", "ext4", 0.08, 0.13)


@pytest.fixture
def recorded() -> list[Figure]:
    """Capture what is shown from now on."""
    report.recorded.clear()
    return report.recorded


def a_run() -> Run:
    return Run(
        date="2026-11-30T21:00:00Z",
        arguments=["--quick"],
        signoff="0.1.0",
        commit="abc",
        machine=MACHINE,
        stores={SQLITE: "SQLite 3", POSTGRES: "PostgreSQL 18"},
        options=Options(),
        compared=[],
        pace=(22.0, 23.0),
        load=(0.1, 0.2),
        took_seconds=300.0,
        setups={},
    )


def test_page_and_plots_are_generated_from_the_figures() -> None:
    stale = [path.name for path, text in page.files(page.read()) if path.read_text("utf-8") != text]
    assert stale == [], "run make plots"


def test_page_has_every_block_once_and_every_plot() -> None:
    text = page.PAGE.read_text("utf-8")
    assert sorted(re.findall(r"<!-- figures: (\w+) -->", text)) == sorted(page.BLOCKS)
    assert sorted(re.findall(r"\(performance/([\w-]+)\.svg\)", text)) == sorted(page.PLOTS)
    assert {path.name for path in page.FOLDER.iterdir()} == {
        "figures.json",
        *(f"{name}.svg" for name in page.PLOTS),
    }


def test_recorded_run_contains_no_machine_path() -> None:
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|usr|Users)/", page.FIGURES.read_text("utf-8"))


def test_recorded_figure_is_the_one_shown(recorded: list[Figure], capsys: pytest.CaptureFixture[str]) -> None:
    report.heading("a database")
    assert show(goal("flows_stream", SQLITE), [900, 1500, 1200], USAGES, "calm") == 1200
    unmeasured(goal("frozen", POSTGRES), "there is none")
    shown, missing = recorded
    assert shown == Figure(
        section="a database",
        name="flows_stream",
        database=SQLITE,
        text="approval flows, 64 in flight, agent by stream",
        unit="/s",
        median=1200,
        repeats=[900, 1500, 1200],
        goal=1300,
        floor=900,
        more=True,
        verdict="below goal",
        cpu=Usage(200, 30, 4, 0.3, 0),
        note="calm",
        missing="",
    )
    assert (missing.name, missing.median, missing.missing) == ("frozen", None, "there is none")
    line = capsys.readouterr().out.splitlines()[2]
    for part in (
        "1,200",
        "(900 - 1,500)",
        "1,300",
        "below goal",
        "calm; CPU us each: server 200, database 30, load 4",
    ):
        assert part in line


def test_run_is_stored_as_json_with_four_digits(recorded: list[Figure], tmp_path: Path) -> None:
    show(Goal("one", "ms", name="one", database=SQLITE), [1 / 3], USAGES[:1])
    write(tmp_path / "run.json", a_run(), recorded)
    read = json.loads((tmp_path / "run.json").read_text())
    assert read == document(a_run(), recorded)
    assert read["machine"]["python"] == "Python 3.11.7 without PGO"
    assert read["options"]["repeats"] == 3
    assert read["figures"][0]["median"] == 0.3333
    assert read["figures"][0]["cpu"] == {"server": 100, "database": 20, "load": 3, "others": 0.5, "stolen": 0}
    assert list(tmp_path.iterdir()) == [tmp_path / "run.json"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.071, "0.07"), (9.994, "9.99"), (10, "10.0"), (99.94, "99.9"), (100, "100"), (1234.5, "1,234")],
)
def test_numbers_are_rounded_to_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_ratio_compares_medians_with_worst_and_best() -> None:
    assert times([2, 4, 3], [1, 2, 1.5]) == [1, 2, 4]


@pytest.mark.parametrize(
    ("value", "verdict"), [(2.0, "ok"), (2.1, "below goal"), (5.0, "below goal"), (5.1, "BELOW FLOOR")]
)
def test_floor_is_above_the_goal_where_less_is_better(value: float, verdict: str) -> None:
    assert Goal("", "ms", 2, 5).judge(value) == verdict
    assert Goal("", "ms").judge(value) == ""


def test_page_without_figures_names_what_is_missing() -> None:
    empty = page.Found(document(a_run(), []))
    text = page.filled(
        "".join(f"<!-- figures: {name} -->\nold\n<!-- end -->\n" for name in page.BLOCKS), empty
    )
    assert "old" not in text
    assert "0 of 0 goals" in text
    assert text.count("Not measured in this run.") >= len(page.BLOCKS) - 2
    for plot in page.PLOTS.values():
        ElementTree.fromstring(plot(empty))


def test_goals_are_reported_as_reached_or_not(recorded: list[Figure]) -> None:
    show(goal("flows_stream", SQLITE), [1300])
    show(goal("flows_stream", POSTGRES), [700])
    show(goal("decision_p50", SQLITE), [0.9])
    text = page.BLOCKS["goals"](page.Found(document(a_run(), recorded)))
    assert text.startswith("2 of 3 goals are reached.")
    assert "| 1,300 /s, at least 1,300: reached | 700 /s, at least 1,400: **not reached** |" in text
    assert "| 0.90 ms, at most 1.00: reached | - |" in text


def test_list_views_are_judged_by_the_slowest_and_by_growth(recorded: list[Figure]) -> None:
    for count, inbox, card, few in ((200, 2.0, 4.0, 0.1), (20_000, 2.2, 7.0, 0.4), (200_000, 3.2, 5.0, 0.4)):
        for text, cost in (("inbox", inbox), ("card", card), ("few", few)):
            show(goal("view", SQLITE)._replace(text=text, name=f"view_{count}"), [cost])
    text = page.BLOCKS["goals"](page.Found(document(a_run(), recorded)))
    assert text.startswith("1 of 3 goals are reached.")
    assert "among 20,000 open tasks | 7.00 ms, at most 6.00: **not reached** | - |" in text
    assert "among 200,000 open tasks | 5.00 ms, at most 6.00: reached | - |" in text
    assert "from 200 to 200,000 open tasks | 1.60 x, at most 1.50: **not reached** | - |" in text


@pytest.mark.parametrize(("others", "warned"), [(0.1, False), (0.11, True)])
def test_run_on_a_busy_machine_is_marked(recorded: list[Figure], others: float, warned: bool) -> None:
    show(goal("creates", SQLITE), [5000], [Usage(1, 1, 1, others, 0)])
    text = page.BLOCKS["measured"](page.Found(document(a_run(), recorded)))
    assert ("The machine was not quiet" in text) is warned


def test_bars_share_one_scale_and_their_texts_are_escaped() -> None:
    rows = [Bar("group"), Bar("one", [10, 30], "40"), Bar("two", [20], "20", goal=40)]
    root = ElementTree.fromstring(bars("A & B", "in <s>", rows, ("x", "y")))
    assert root.get("aria-label") == "A & B"
    parts = [one for one in root.iter(f"{SVG}rect") if one.get("height") == "17"]
    widths = [float(one.get("width", "")) for one in parts]
    assert widths == [87.5, 262.5, 175]
    assert [one.get("class") for one in parts] == ["a", "b", "a"]
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert texts == ["A & B", "in <s>", "x", "y", "goal", "group", "one", "40", "two", "20"]


def test_plots_have_colors_for_light_and_dark_pages() -> None:
    light, dark = bars("", "", []).split("prefers-color-scheme: dark")
    for shade in (".ground", "text", ".soft", ".a", ".b", ".c", ".goal"):
        assert f"{shade} {{" in light
        assert f"{shade} {{" in dark


def test_slowest_flows_are_counted_by_what_they_have_in_common() -> None:
    quick = [Ending(second / 100, 0.001, 0.002) for second in range(198)]
    slow = [Ending(5.0, 0.009, 0.010), Ending(7.0, 0.011, 0.012)]
    found = Slow.of([*quick, *slow], renewals=[5.005, 0.5])
    assert (found.flows, found.stretches, found.renewed) == (2, 2, 1)
    assert found.answered == pytest.approx(10)
    assert found.took == pytest.approx(11)
    assert 0 < found.renewed_of_all < 0.03
    assert str(found).startswith(
        "slowest 1 %: 2 in 2 stretches of time, 10.0 of 11.0 ms until the decision was"
    )
    assert "; the log began anew in 1 of them, in 2 % of all" in str(found)
    done = Slow.of(slow, [], Marks(3, 7).since(Marks(2, 5)))
    assert str(done).endswith("answered; checkpoints begun 1, new WAL segments 2")


@pytest.mark.parametrize("kib", KIB)
def test_payload_has_its_stated_size(kib: int) -> None:
    size = len(json.dumps(payload(kib * 1024), separators=(",", ":")))
    assert kib * 1024 - 100 < size <= kib * 1024


def test_each_payload_shape_fills_a_body_and_is_json() -> None:
    found = dict(shapes())
    assert len(found) == 10
    for name, body in found.items():
        assert MOST - 250 < len(body) <= MOST, name
    for name in ("many keys", "long numbers", "many short strings", "many escapes", "many objects"):
        assert json.loads(found[name])["payload"], name
