"""The files in ``deploy/``: what they name exists."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from signoff.engine.metrics import GAUGES, METRICS, UP
from signoff.engine.read.totals import TOTALS

DEPLOY = Path(__file__).parents[1] / "deploy"
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
def test_every_query_names_metrics_and_labels_that_exist(file: str) -> None:
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


def test_the_dashboard_shows_each_panel_once_and_none_over_another() -> None:
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
