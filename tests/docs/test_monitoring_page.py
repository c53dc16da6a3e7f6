"""docs/how-to/monitoring.md: its commands create a key that reads the metrics, and everything it names exists."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

from signoff.engine.metrics import GAUGES, METRICS
from signoff.engine.read.totals import TOTALS
from tests.docs.blocks import DOCS, ROOT, blocks, coded, documents, rows, section
from tests.live import Live

PAGE = DOCS / "how-to" / "monitoring.md"


def test_key_created_by_the_page_reads_the_metrics(tmp_path: Path) -> None:
    [commands] = blocks(PAGE, "sh")
    live = Live(tmp_path / ".signoff").start()
    try:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "SIGNOFF_URL": live.url, "SIGNOFF_API_KEY": live.owner_key}
        done = subprocess.run(
            ["sh", "-e", "-c", commands],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [key] = re.findall(r"sgn_person_\w+", done.stdout)
        with urlopen(Request(f"{live.url}/metrics", headers={"authorization": f"Bearer {key}"})) as answer:
            assert b"signoff_up 1.0" in answer.read()
    finally:
        live.stop()


def test_everything_the_page_names_exists() -> None:
    [scrape] = documents(PAGE)
    assert scrape["scrape_configs"][0]["job_name"] == "signoff"  # the alerts look for this job
    text = PAGE.read_text("utf-8")
    named = {name for word in coded(text) for name in re.findall(r"signoff_[a-z_]+", word)}
    known = {one.name for one in (*METRICS, *TOTALS)} | set(GAUGES)
    assert {re.sub("_(total|count|sum|bucket)$", "", name) for name in named} <= known
    for link in re.findall(r"\]\(\.\./\.\./(deploy/[^)]+)\)", text):
        assert (ROOT / link).is_file()


def test_each_logger_of_the_table_exists() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "src" / "signoff").rglob("*.py"))
    loggers = [coded(name)[0] for name, _ in rows(section(PAGE, "Logs"))]
    assert len(loggers) == 5
    for logger in loggers:
        assert f'getLogger("{logger}")' in sources
