"""``make dist``: builds the package into ``dist``, and tries the wheel and the image's content in empty environments.
``--tag v1.2.3`` also asserts that this version is built and has a section in the changelog.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"


def wrong_with(tag: str, version: str, changelog: str) -> str:
    """Why this version must not be published under this tag; "" if it may."""
    if tag != f"v{version}":
        return f"The tag {tag} does not name the version, which is {version} (__version__ in src/signoff)."
    if not re.search(rf"^## \[?{re.escape(version)}\]?( |$)", changelog, re.MULTILINE):
        return f"CHANGELOG.md has no section for {version}: rename Unreleased, with the date."
    return ""


def build() -> Path:
    """Build the wheel, and the source distribution next to it; returns the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", DIST], check=True, cwd=ROOT)
    (wheel,) = DIST.glob("*.whl")
    return wheel


def version_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def try_out(wheel: Path) -> None:
    """Install the SDK and CLI from the wheel, and print the version."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python")
        subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)
        subprocess.run([python, "-m", "signoff.cli", "version"], check=True, cwd=folder)


def try_image() -> None:
    """Install the image's content as the Dockerfile does, and print the server's settings from a folder without any
    build files.
    """
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "opt")
        subprocess.run([ROOT / "deploy" / "docker" / "install", prefix, sys.executable], check=True)
        python, elsewhere = prefix / "bin" / "python", {"cwd": folder, "env": {"PATH": os.defpath}}
        subprocess.run([prefix / "bin" / "signoff", "version"], check=True, **elsewhere)
        parts = "import signoff.serving, signoff.web.api.exposition, asyncpg, apsw, jinja2"
        subprocess.run([python, "-c", parts], check=True, **elsewhere)
        tools = subprocess.run([python, "-c", "import pytest"], capture_output=True, check=False, **elsewhere)
        if tools.returncode == 0:
            sys.exit("The image contains the tools of the tests.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default="")
    tag = parser.parse_args().tag
    wheel = build()
    if tag and (wrong := wrong_with(tag, version_of(wheel), (ROOT / "CHANGELOG.md").read_text("utf-8"))):
        sys.exit(wrong)
    try_out(wheel)
    if os.name == "posix":
        try_image()


if __name__ == "__main__":
    main()
