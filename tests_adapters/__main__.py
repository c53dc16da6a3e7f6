"""Creates the environments, runs the contract in each, and compares the page with the results.

    python -m tests_adapters [--write] [NAME ...] [-- pytest's arguments]

Two environments run at a time. --write: write docs/reference/adapters.md instead of comparing it.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests_adapters.environments import COMMON, ENVIRONMENTS, FOLDER, ROOT
from tests_adapters.table import PAGE, rendered


def main(words: list[str]) -> int:
    words, _, passed_on = (
        (words[: words.index("--")], "--", words[words.index("--") + 1 :])
        if "--" in words
        else (words, "", [])
    )
    write = "--write" in words
    names = [word for word in words if not word.startswith("--")] or list(ENVIRONMENTS)
    if unknown := [word for word in words if word != "--write" and word not in ENVIRONMENTS]:
        print(f"Unknown: {' '.join(unknown)}. Known: --write {' '.join(ENVIRONMENTS)}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda name: run(name, passed_on), names))
    if any(codes):
        return 1
    if names != list(ENVIRONMENTS) or passed_on:
        return 0
    page = rendered()
    if write:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page:
        print(
            f"{PAGE.relative_to(ROOT)} is not what the contract says: make test-adapters ARGS=--write",
            file=sys.stderr,
        )
        return 1
    return 0


def run(name: str, passed_on: list[str]) -> int:
    """Run the contract for one framework; returns pytest's exit code."""
    began = time.monotonic()
    python = installed(name)
    command = [
        str(python),
        "-m",
        "pytest",
        "-c",
        "tests_adapters/pytest.ini",
        "--rootdir",
        ".",
        "--adapter",
        name,
    ]
    done = subprocess.run(
        [*command, *(passed_on or ["tests_adapters"])], cwd=ROOT, capture_output=True, text=True
    )
    print(f"{name}: {time.monotonic() - began:.0f} s\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode


def installed(name: str) -> Path:
    """The interpreter of an environment with its framework, Signoff and its server. It is created anew when its
    packages change.
    """
    folder = FOLDER / name
    python = folder / "bin" / "python"
    wanted = [*ENVIRONMENTS[name].packages, *COMMON]
    stamp = folder / "installed.txt"
    said = "\n".join([*wanted, (ROOT / "pyproject.toml").read_text("utf-8")])
    if not stamp.exists() or stamp.read_text("utf-8") != said:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run(
            [*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True, cwd=ROOT
        )
        command = [*uv, "pip", "install", "-q", "--python", str(python), "--editable", ".[server]", *wanted]
        subprocess.run(command, check=True, cwd=ROOT)
        stamp.write_text(said, encoding="utf-8")
    return python


sys.exit(main(sys.argv[1:]))
