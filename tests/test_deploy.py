"""The deployment files refer only to things that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from signoff import __version__
from signoff.config import Config, rows
from signoff.engine.metrics import GAUGES, METRICS, UP
from signoff.engine.read.totals import TOTALS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SETTINGS = {name for row in rows() for name in (*row.variables, *row.files)}
KNOWN = {UP, "signoff_build_info", *GAUGES, *(total.name for total in TOTALS)}
for metric in METRICS:
    KNOWN |= {
        f"{metric.name}_{end}" for end in (("bucket", "sum", "count") if metric.buckets else ("total",))
    }


def expressions() -> dict[str, list[str]]:
    """The queries of each file."""
    rules = YAML(typ="safe").load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    board = json.loads((DEPLOY / "grafana" / "signoff.json").read_text("utf-8"))
    return {
        "alerts": [rule["expr"] for group in rules["groups"] for rule in group["rules"]],
        "dashboard": [one["expr"] for panel in board["panels"] for one in panel.get("targets", ())],
    }


@pytest.mark.parametrize("file", ["alerts", "dashboard"])
def test_every_query_names_existing_metrics_and_labels(file: str) -> None:
    labels = {name for one in (*METRICS, *TOTALS) for name in one.labels}
    labels |= {"worker", "le", "job", "instance", "version", "database"}
    found = expressions()[file]
    assert len(found) > 5
    for query in found:
        names = set(re.findall(r"signoff_\w+", query))
        assert names <= KNOWN or query.startswith("up{"), query
        used = set(re.findall(r"(\w+)=~?\"", query))
        for group in re.findall(r"\b(?:by|on|without) ?\(([^)]*)\)", query):
            used |= {name.strip() for name in group.split(",") if name.strip()}
        assert used <= labels, query


def test_dashboard_shows_each_panel_once_without_overlap() -> None:
    board = json.loads((DEPLOY / "grafana" / "signoff.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_dashboard_counts_are_zero_while_there_is_nothing_to_count() -> None:
    """The series of a count is born with its first event; until then a panel would say that there is no data."""
    board = json.loads((DEPLOY / "grafana" / "signoff.json").read_text("utf-8"))
    shown = [one["expr"] for panel in board["panels"] if panel["type"] == "stat" for one in panel["targets"]]
    always = {UP, "signoff_build_info"}
    counts = [query for query in shown if not set(re.findall(r"signoff_\w+", query)) <= always]
    assert len(counts) == 4
    assert [query for query in counts if not query.endswith(f' or 0 * max({UP}{{job=~"$job"}})')] == []


def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def test_every_named_setting_exists() -> None:
    chart = DEPLOY / "helm" / "signoff"
    files = [ROOT / "Dockerfile", *chart.rglob("*.yaml"), *(DEPLOY / "systemd").iterdir()]
    named = {name for file in files for name in re.findall(r"SIGNOFF_[A-Z_]+[A-Z]", file.read_text("utf-8"))}
    text = (chart / "templates" / "deployment.yaml").read_text("utf-8")
    secrets = re.search(r"range \$name := list (.+?) \}\}", text)
    assert secrets is not None
    named |= {f"SIGNOFF_{name.upper().replace('-', '_')}" for name in re.findall(r'"([a-z-]+)"', secrets[1])}
    named |= set(compose()["services"]["signoff"]["environment"])
    values = YAML(typ="safe").load((chart / "values.yaml").read_text("utf-8"))
    named |= {f"SIGNOFF_{name}" for name in values["settings"]}
    assert len(named) > 10
    assert named <= SETTINGS


def test_settings_of_the_compose_file_are_valid() -> None:
    given = compose()["services"]["signoff"]["environment"]
    by_variable = {name: row for row in rows() for name in row.variables}
    channels = {by_variable[name].name: value for name, value in given.items() if by_variable[name].channel}
    own = {by_variable[name].name: value for name, value in given.items() if not by_variable[name].channel}
    config = Config(**own, channel_settings=channels)
    config.check_urls()
    assert config.owner == "owner@acme.example"


def test_versions_equal_that_of_the_package() -> None:
    chart = YAML(typ="safe").load((DEPLOY / "helm" / "signoff" / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_image_uses_the_installation_that_make_dist_tests() -> None:
    steps = (ROOT / "Dockerfile").read_text("utf-8")
    assert "RUN /src/deploy/docker/install /opt/signoff\n" in steps
    assert "COPY --from=build /opt/signoff /opt/signoff\n" in steps
    assert re.findall(r"^RUN (?!useradd|/src/deploy)", steps, re.MULTILINE) == []
