"""Installs peers on demand, each with a separate interpreter; none is a dependency of this project."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.peers.table import PEERS, Listed

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".venv-peers"
_PATIENCE: Final = 300  # seconds for one command


class Missing(RuntimeError):
    """A package that could not be installed, and the reason."""


def interpreter(name: str) -> Path:
    """The interpreter with the peer at the table's versions; raises Missing."""
    listed = PEERS[name]
    home = FOLDER / name
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join([sys.version, *listed.python, *listed.npm])
    if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
        print(f"installing {listed.label} into {home.relative_to(ROOT)} ...", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        _install(home, python, listed)
        stamp.write_text(wanted)
    return python


def _install(home: Path, python: Path, listed: Listed) -> None:
    uv = [sys.executable, "-m", "uv"]
    _do("an interpreter", [*uv, "venv", "-q", "--python", sys.executable, home])
    packages = " ".join(listed.python)
    try:
        _do(packages, [*uv, "pip", "install", "-q", "--python", python, *listed.python])
    except Missing:  # pip stands in where only pip knows the way to a package index
        _do(packages, [sys.executable, "-m", "pip", "--python", python, "install", "-q", *listed.python])
    if listed.npm:
        npm = shutil.which("npm")
        if npm is None:
            raise Missing(f"{' '.join(listed.npm)} could not be installed: there is no npm on the PATH")
        quiet = ["--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--no-package-lock"]
        _do(" ".join(listed.npm), [npm, "install", "--prefix", home, *quiet, *listed.npm])


def _do(what: str, command: list[str | Path]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{what} could not be installed within {_PATIENCE} s") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise Missing(f"{what} could not be installed: {said}")
