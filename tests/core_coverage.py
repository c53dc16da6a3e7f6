"""Runs tests/core alone and fails if a module of the core has less branch coverage than required."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEAST = 97  # percent of statements and branches, of each module


def measured(folder: Path, arguments: list[str]) -> dict[str, dict[str, float]]:
    """The coverage of each module, by path; exits if a test fails."""
    environment = {**os.environ, "COVERAGE_FILE": str(folder / "data"), "COVERAGE_CORE": "ctrace"}

    def coverage(*words: str) -> None:
        done = subprocess.run([sys.executable, "-m", "coverage", *words], cwd=ROOT, env=environment)
        if done.returncode:
            sys.exit(done.returncode)

    coverage("run", "-m", "pytest", "tests/core", "-n", "auto", "--maxprocesses", "4", *arguments)
    coverage("combine", "-q")
    coverage("json", "-q", "-o", str(folder / "report.json"))
    report = json.loads((folder / "report.json").read_text("utf-8"))
    return {
        name: file["summary"] | {"lines": file["missing_lines"]} for name, file in report["files"].items()
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), sys.argv[1:])
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "src/signoff/core").rglob("*.py")}
    if unseen := modules - found.keys():
        sys.exit(f"not measured: {', '.join(sorted(unseen))}")
    low = {name: one for name, one in found.items() if one["percent_covered"] < LEAST}
    for name, one in sorted(low.items()):
        print(f"{name}: {one['percent_covered']:.1f} %, lines {one['lines']}")
    if low:
        sys.exit(f"tests/core alone has to reach {LEAST} % of each module of the core.")
    print(f"tests/core alone reaches at least {LEAST} % of each of {len(found)} modules of the core.")


if __name__ == "__main__":
    main()
